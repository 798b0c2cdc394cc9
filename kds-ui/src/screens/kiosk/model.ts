// The kiosk as a machine: what the guest sees, and what an event makes of it. Pure; prices and ids come from outside.
import type { FulfilmentJson, GroupJson, ItemJson, OrderJson, PlaceChoiceJson, PlaceOrderJson, ProblemJson } from '../../generated/api'
import type { CartLine, PricedCart, PricedLine } from '../../kernels/cart_price'
import { priceCart, priceLine, QUANTITY_MAX } from '../../kernels/cart_price'
import { groupState } from '../../kernels/choices'
import type { MenuIndex, SoldOut } from '../../kernels/menu_index'
import { groupsOf, itemAvailable, optionAvailable, variantAvailable } from '../../kernels/menu_index'
import { unreachable } from '../../kernels/unreachable'

export type Draft = {
  /** The line being changed; null for a new one. */
  line: string | null
  item: string
  variant: string | null
  quantity: number
  choices: PlaceChoiceJson[]
  note: string
  /** The guest tried to add it: what is missing is pointed at. */
  tried: boolean
}

export type Removed = { line: CartLine; at: number }

export type Cart = { lines: CartLine[]; fulfilment: FulfilmentJson; table: string; note: string; removed: Removed | null }

/** Why the node said no, kept until the guest has changed the cart. */
export type Refusal =
  | { why: 'sold_out'; lines: ReadonlySet<string> }
  | { why: 'price_changed' }
  | { why: 'other'; title: string; detail: string; line: string | null }

export type Kiosk =
  | { at: 'welcome' }
  | { at: 'menu'; cart: Cart; category: string | null; draft: Draft | null; refusal: Refusal | null }
  | { at: 'cart'; cart: Cart; category: string | null; draft: Draft | null; refusal: Refusal | null }
  /** Sent, or waiting to be: the id stays the same however often it is sent. */
  | { at: 'placing'; cart: Cart; category: string | null; order: PlaceOrderJson; since: number; attempted: boolean; away: boolean }
  | { at: 'placed'; order: OrderJson; since: number }

export type KioskEvent =
  | { type: 'begin'; fulfilment: FulfilmentJson }
  | { type: 'category'; id: string }
  | { type: 'open'; item: ItemJson }
  | { type: 'edit'; line: string }
  | { type: 'draft'; draft: Draft }
  | { type: 'shut' }
  /** Puts the draft into the cart; `id` is used for a new line. */
  | { type: 'keep'; id: string }
  | { type: 'tried' }
  | { type: 'quantity'; line: string; quantity: number }
  | { type: 'remove'; line: string; at: number }
  | { type: 'unremove' }
  | { type: 'show_cart' }
  | { type: 'show_menu' }
  | { type: 'fulfilment'; fulfilment: FulfilmentJson }
  | { type: 'table'; table: string }
  | { type: 'note'; note: string }
  | { type: 'place'; order: PlaceOrderJson; at: number }
  | { type: 'attempted' }
  | { type: 'away' }
  | { type: 'placed'; order: OrderJson; at: number }
  | { type: 'refused'; problem: ProblemJson }
  /** The guest gave up, or left: back to the beginning. */
  | { type: 'reset' }
  /** The guest gave up sending, but keeps the cart. */
  | { type: 'withdraw' }

export function step(kiosk: Kiosk, event: KioskEvent): Kiosk {
  switch (event.type) {
    case 'begin':
      return kiosk.at === 'welcome'
        ? { at: 'menu', cart: { lines: [], fulfilment: event.fulfilment, table: '', note: '', removed: null }, category: null, draft: null, refusal: null }
        : kiosk
    case 'reset':
      return { at: 'welcome' }
    case 'placed':
      return kiosk.at === 'placing' && kiosk.order.id === event.order.id ? { at: 'placed', order: event.order, since: event.at } : kiosk
    case 'attempted':
      return kiosk.at === 'placing' ? { ...kiosk, attempted: true } : kiosk
    case 'away':
      return kiosk.at === 'placing' ? { ...kiosk, away: true } : kiosk
    case 'refused':
      return kiosk.at === 'placing'
        ? { at: 'cart', cart: kiosk.cart, category: kiosk.category, draft: null, refusal: refusalOf(event.problem, kiosk.order.lines) }
        : kiosk
    case 'withdraw':
      return kiosk.at === 'placing' ? { at: 'cart', cart: kiosk.cart, category: kiosk.category, draft: null, refusal: null } : kiosk
    case 'category':
    case 'open':
    case 'edit':
    case 'draft':
    case 'shut':
    case 'keep':
    case 'tried':
    case 'quantity':
    case 'remove':
    case 'unremove':
    case 'show_cart':
    case 'show_menu':
    case 'fulfilment':
    case 'table':
    case 'note':
    case 'place':
      return kiosk.at === 'menu' || kiosk.at === 'cart' ? ordering(kiosk, event) : kiosk
    default:
      return unreachable(event)
  }
}

/** Choosing: with the menu or the cart before the guest. */
export type Ordering = Extract<Kiosk, { at: 'menu' | 'cart' }>
type OrderingEvent = Exclude<KioskEvent, { type: 'begin' | 'reset' | 'placed' | 'attempted' | 'away' | 'refused' | 'withdraw' }>

function ordering(kiosk: Ordering, event: OrderingEvent): Kiosk {
  const { cart } = kiosk
  switch (event.type) {
    case 'category':
      return { ...kiosk, at: 'menu', category: event.id }
    case 'open':
      return { ...kiosk, draft: newDraft(event.item) }
    case 'edit': {
      const line = cart.lines.find(({ id }) => id === event.line)
      return line ? { ...kiosk, draft: { line: line.id, item: line.item, variant: line.variant, quantity: line.quantity, choices: line.choices, note: line.note ?? '', tried: false } } : kiosk
    }
    case 'draft':
      return kiosk.draft ? { ...kiosk, draft: event.draft } : kiosk
    case 'tried':
      return kiosk.draft ? { ...kiosk, draft: { ...kiosk.draft, tried: true } } : kiosk
    case 'shut':
      return { ...kiosk, draft: null }
    case 'keep':
      return kiosk.draft ? { ...kiosk, draft: null, cart: keepDraft(cart, kiosk.draft, event.id), refusal: settled(kiosk.refusal, kiosk.draft.line) } : kiosk
    case 'quantity':
      return changed(kiosk, { lines: cart.lines.map((line) => (line.id === event.line ? { ...line, quantity: Math.min(QUANTITY_MAX, Math.max(1, event.quantity)) } : line)) })
    case 'remove': {
      const line = cart.lines.find(({ id }) => id === event.line)
      if (!line) return kiosk
      return {
        ...kiosk,
        cart: { ...cart, lines: cart.lines.filter((other) => other !== line), removed: { line, at: cart.lines.indexOf(line) } },
        refusal: settled(kiosk.refusal, line.id),
      }
    }
    case 'unremove': {
      const { removed } = cart
      if (!removed) return kiosk
      const lines = [...cart.lines]
      lines.splice(removed.at, 0, removed.line)
      return changed(kiosk, { lines, removed: null })
    }
    case 'show_cart':
      return { ...kiosk, at: 'cart' }
    case 'show_menu':
      return { ...kiosk, at: 'menu' }
    case 'fulfilment':
      return changed(kiosk, { fulfilment: event.fulfilment })
    case 'table':
      return changed(kiosk, { table: event.table })
    case 'note':
      return changed(kiosk, { note: event.note })
    case 'place':
      return { at: 'placing', cart, category: kiosk.category, order: event.order, since: event.at, attempted: false, away: false }
    default:
      return unreachable(event)
  }
}

function changed(kiosk: Ordering, part: Partial<Cart>): Ordering {
  return { ...kiosk, cart: { ...kiosk.cart, ...part } }
}

/** A line that was refused is answered once it is changed or gone. */
function settled(refusal: Refusal | null, line: string | null): Refusal | null {
  if (refusal === null || line === null) return refusal
  if (refusal.why === 'sold_out') {
    const rest = new Set([...refusal.lines].filter((id) => id !== line))
    return rest.size === 0 ? null : { ...refusal, lines: rest }
  }
  return refusal.why === 'other' && refusal.line === line ? null : refusal
}

export function newDraft(item: ItemJson): Draft {
  return {
    line: null,
    item: item.id,
    variant: item.variants.length === 1 ? (item.variants[0]?.id ?? null) : null,
    quantity: Math.max(1, item.quantity_min),
    choices: [],
    note: '',
    tried: false,
  }
}

function keepDraft(cart: Cart, draft: Draft, id: string): Cart {
  const note = draft.note.trim() || null
  const kept: CartLine = { id: draft.line ?? id, item: draft.item, variant: draft.variant, quantity: draft.quantity, choices: draft.choices, note }
  if (draft.line !== null) return { ...cart, lines: cart.lines.map((line) => (line.id === draft.line ? kept : line)) }
  // The same thing again is one line with more of it.
  const same = cart.lines.find((line) => alike(line, kept))
  if (same) return { ...cart, lines: cart.lines.map((line) => (line === same ? { ...line, quantity: Math.min(QUANTITY_MAX, line.quantity + kept.quantity) } : line)) }
  return { ...cart, lines: [...cart.lines, kept] }
}

function alike(a: CartLine, b: CartLine): boolean {
  const choices = (line: CartLine) =>
    line.choices
      .map((choice) => `${choice.group} ${choice.option} ${choice.count}`)
      .sort()
      .join('|')
  return a.item === b.item && a.variant === b.variant && (a.note ?? '') === (b.note ?? '') && choices(a) === choices(b)
}

/** Why the node, or the relay, said no; `lines` as they were sent. */
export function refusalOf(problem: ProblemJson, lines: readonly { id: string }[]): Refusal {
  const at = /^lines\[(\d+)\]/.exec(problem.field ?? '')
  const line = at ? (lines[Number(at[1])]?.id ?? null) : null
  // Out of stock or taken off by the cook: the same to a guest.
  if (problem.code === 'sold_out' || problem.code === 'eighty_six') return { why: 'sold_out', lines: new Set(line === null ? [] : [line]) }
  if (problem.code === 'price_changed') return { why: 'price_changed' }
  return { why: 'other', title: problem.title, detail: [problem.detail, problem.remedy].filter(Boolean).map((part) => `${part}`.replace(/[.\s]*$/, '.')).join(' '), line }
}

// ---- what is computed from it

/** What keeps a draft out of the cart; null when nothing does. */
export type Missing = { what: 'size' } | { what: 'group'; group: GroupJson; more: number; less: number } | { what: 'sold_out' }

export function missing(draft: Draft, index: MenuIndex, out: SoldOut): Missing | null {
  const item = index.items.get(draft.item)
  if (!item || !itemAvailable(item, index, out)) return { what: 'sold_out' }
  const variant = item.variants.find(({ id }) => id === draft.variant)
  if (!variant) return { what: 'size' }
  if (!variantAvailable(item, variant, out)) return { what: 'size' }
  for (const group of groupsOf(item, index)) {
    const state = groupState(group, draft.choices)
    if (state.state === 'missing') return { what: 'group', group, more: state.more, less: 0 }
    if (state.state === 'over') return { what: 'group', group, more: 0, less: state.less }
    const gone = group.options.find((option) => !optionAvailable(option, out) && draft.choices.some((choice) => choice.group === group.id && choice.option === option.id))
    if (gone) return { what: 'group', group, more: 0, less: 1 }
  }
  return null
}

/** The draft's price as far as it is chosen: without a size, the lowest. */
export function draftPrice(draft: Draft, index: MenuIndex): { minor: number; exact: boolean } {
  const item = index.items.get(draft.item)
  if (!item) return { minor: 0, exact: false }
  const cheapest = item.variants.reduce((least, variant) => (variant.price_minor < least.price_minor ? variant : least))
  const priced = priceLine({ id: '', item: draft.item, variant: draft.variant ?? cheapest.id, quantity: draft.quantity, choices: draft.choices, note: null }, index)
  return { minor: priced?.totalMinor ?? 0, exact: draft.variant !== null }
}

export type LineTrouble = 'sold_out' | 'gone' | 'change'

export type ShownLine = { line: CartLine; priced: PricedLine | null; trouble: LineTrouble | null }

export type ShownCart = Omit<PricedCart, 'lines'> & { lines: ShownLine[]; blocked: boolean }

export function showCart(cart: Cart, index: MenuIndex, out: SoldOut, refusal: Refusal | null): ShownCart {
  const priced = priceCart(cart.lines, index)
  const lines = priced.lines.map(({ line, priced: price }) => ({ line, priced: price, trouble: troubleOf(line, price, index, out, refusal) }))
  return { ...priced, lines, blocked: lines.length === 0 || lines.some(({ trouble }) => trouble !== null) }
}

function troubleOf(line: CartLine, priced: PricedLine | null, index: MenuIndex, out: SoldOut, refusal: Refusal | null): LineTrouble | null {
  if (!priced) return 'gone'
  if (refusal?.why === 'sold_out' && refusal.lines.has(line.id)) return 'sold_out'
  if (refusal?.why === 'other' && refusal.line === line.id) return 'change'
  if (!itemAvailable(priced.item, index, out) || !variantAvailable(priced.item, priced.variant, out)) return 'sold_out'
  const draft: Draft = { line: line.id, item: line.item, variant: priced.variant.id, quantity: line.quantity, choices: line.choices, note: '', tried: false }
  const why = missing(draft, index, out)
  return why === null ? null : 'change'
}

export function orderOf(cart: Cart, totalMinor: number, id: string): PlaceOrderJson {
  return {
    id,
    channel: 'kiosk',
    fulfilment: cart.fulfilment,
    table: cart.fulfilment === 'dine_in' ? cart.table.trim() || null : null,
    note: cart.note.trim() || null,
    lines: cart.lines,
    expected_total_minor: totalMinor,
    found: null,
  }
}

// ---- a guest who left

export const IDLE_MS = 60_000
export const IDLE_WARN_MS = 15_000
export const PLACED_MS = 25_000
/** With an order on its way a guest is given longer before it is taken back. */
export const PLACING_MS = 180_000

export type Idle = { state: 'here' } | { state: 'warned'; secondsLeft: number } | { state: 'left' }

export function idle(kiosk: Kiosk, touchedAt: number, now: number): Idle {
  const quiet = now - touchedAt
  switch (kiosk.at) {
    case 'welcome':
      return { state: 'here' }
    case 'placed':
      return now - Math.max(kiosk.since, touchedAt) >= PLACED_MS ? { state: 'left' } : { state: 'here' }
    case 'menu':
    case 'cart':
      return quietFor(quiet, IDLE_MS)
    case 'placing':
      return quietFor(quiet, PLACING_MS)
    default:
      return unreachable(kiosk)
  }
}

function quietFor(quiet: number, limit: number): Idle {
  if (quiet < limit) return { state: 'here' }
  const over = quiet - limit
  return over >= IDLE_WARN_MS ? { state: 'left' } : { state: 'warned', secondsLeft: Math.ceil((IDLE_WARN_MS - over) / 1000) }
}

export function dishOf(item: ItemJson, category: string): string {
  return `${item.name} ${category}`
}
