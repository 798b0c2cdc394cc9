// What a cart costs. The same sum as the node's: unit = variant + each choice times its count, never below nothing; line = unit times quantity.
import type { ItemJson, OptionJson, PlaceChoiceJson, PlaceLineJson, VariantJson } from '../generated/api'
import type { MenuIndex } from './menu_index'

/** As the node's `LINE_QUANTITY_MAX`; a guest needs fewer. */
export const QUANTITY_MAX = 99

export type PricedChoice = PlaceChoiceJson & { name: string; priceMinor: number; removal: boolean }
export type PricedLine = {
  id: string
  item: ItemJson
  variant: VariantJson
  quantity: number
  choices: PricedChoice[]
  note: string | null
  unitMinor: number
  totalMinor: number
}

export type CartLine = PlaceLineJson

/** The priced line; null when the menu no longer has what it names. */
export function priceLine(line: CartLine, index: MenuIndex): PricedLine | null {
  const item = index.items.get(line.item)
  if (!item) return null
  const variant = line.variant === null && item.variants.length === 1 ? item.variants[0] : item.variants.find(({ id }) => id === line.variant)
  if (!variant) return null
  const choices: PricedChoice[] = []
  for (const choice of line.choices) {
    const option = optionOf(item, choice, index)
    if (!option) return null
    choices.push({ ...choice, name: option.name, priceMinor: option.price_minor, removal: option.removal })
  }
  const chosen = choices.reduce((sum, choice) => sum + choice.priceMinor * choice.count, 0)
  const unitMinor = Math.max(0, variant.price_minor + chosen)
  return { id: line.id, item, variant, quantity: line.quantity, choices, note: line.note, unitMinor, totalMinor: unitMinor * line.quantity }
}

function optionOf(item: ItemJson, choice: PlaceChoiceJson, index: MenuIndex): OptionJson | undefined {
  if (!item.groups.includes(choice.group)) return undefined
  return index.groups.get(choice.group)?.options.find((option) => option.id === choice.option)
}

export type PricedCart = { lines: { line: CartLine; priced: PricedLine | null }[]; totalMinor: number; count: number }

export function priceCart(lines: readonly CartLine[], index: MenuIndex): PricedCart {
  const priced = lines.map((line) => ({ line, priced: priceLine(line, index) }))
  return {
    lines: priced,
    totalMinor: priced.reduce((sum, entry) => sum + (entry.priced?.totalMinor ?? 0), 0),
    count: lines.reduce((sum, line) => sum + line.quantity, 0),
  }
}
