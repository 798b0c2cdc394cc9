// A quiet drawing for a dish without a photograph: its kind from its words, its garnish from its id, so that it is always the same.

export type Kind = 'pizza' | 'drink' | 'burger' | 'bowl' | 'fries' | 'sweet' | 'salad' | 'bread' | 'plate'

const KINDS: readonly [Kind, RegExp][] = [
  ['pizza', /pizza|calzone|margherita|pepperoni|hawaiian/i],
  ['burger', /burger|sandwich|wrap|\bbun\b|hot ?dog|taco|kebab/i],
  ['bread', /naan|bread|roti|chapati|paratha|toast/i],
  ['fries', /fries|chips|side|nugget|wings|finger|rings|starter|appeti/i],
  ['drink', /drink|cola|coke|juice|water|tea|coffee|beer|wine|soda|lassi|shake|latte|lemonade|fanta|sprite/i],
  ['sweet', /dessert|cake|ice cream|sweet|cookie|brownie|donut|pudding|pie\b|puff/i],
  ['salad', /salad|greens|veggie|vegetable/i],
  ['bowl', /curry|soup|rice|noodle|pasta|biryani|balti|masala|korma|bowl|stew|ramen|chicken|lamb|beef/i],
]

export function kindOf(words: string): Kind {
  return KINDS.find(([, pattern]) => pattern.test(words))?.[0] ?? 'plate'
}

/** Numbers in [0, 1) from a text; the same text gives the same numbers. */
export function seeded(text: string): () => number {
  let state = 2166136261
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 16777619)
  return () => {
    state = Math.imul(state ^ (state >>> 15), state | 1)
    state ^= state + Math.imul(state ^ (state >>> 7), state | 61)
    return ((state ^ (state >>> 14)) >>> 0) / 4294967296
  }
}

export type Garnish = { x: number; y: number; size: number; turn: number; tint: number; round: boolean }

/** Pieces spread over a disc without lying on each other: a sunflower's spiral, shaken a little. */
export function garnish(id: string, pieces: number, radius: number): Garnish[] {
  const random = seeded(id)
  const start = random() * Math.PI * 2
  return Array.from({ length: pieces }, (_, index) => {
    const angle = start + index * 2.399963 + (random() - 0.5) * 0.5
    const away = radius * Math.sqrt((index + 0.6) / pieces)
    return { x: Math.cos(angle) * away, y: Math.sin(angle) * away, size: 0.75 + random() * 0.5, turn: random() * 360, tint: Math.floor(random() * 3), round: random() > 0.4 }
  })
}
