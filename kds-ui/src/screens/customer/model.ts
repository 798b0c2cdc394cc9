// The customer's phone: which page an address names, the basket until it is answered, and what is said about prices, payments and orders. Pure.
import type { AmendedFieldJson, ProblemJson, StatusJson } from '../../generated/api'
import type { AddressJson, CancelPreviewJson, ChargesJson, CustomerJson, CustomerOrderJson, OrderFulfilmentJson, QuoteJson, QuoteRequestJson, RestaurantJson, StepJson, WishJson } from '../../generated/relay'
import type { PricedCart } from '../../kernels/cart_price'
import type { Point } from '../../kernels/geo'
import { parsePoint } from '../../kernels/geo'
import { unreachable } from '../../kernels/unreachable'
import type { Words } from '../../words'
import type { KioskEvent, Ordering, Refusal } from '../kiosk/model'
import { refusalOf, step as kioskStep } from '../kiosk/model'

// ---- pages: each has an address, so that the phone's own back button works and a reload changes nothing

export type Page =
  | { at: 'near' }
  | { at: 'menu'; site: string }
  | { at: 'basket' }
  | { at: 'checkout' }
  | { at: 'orders' }
  | { at: 'order'; id: string }

export function pageOf(path: readonly string[]): Page {
  const [first, second] = path
  switch (first) {
    case 'at':
      return second ? { at: 'menu', site: second } : { at: 'near' }
    case 'basket':
      return { at: 'basket' }
    case 'checkout':
      return { at: 'checkout' }
    case 'mine':
      return second ? { at: 'order', id: second } : { at: 'orders' }
    default:
      return { at: 'near' }
  }
}

export function addressOf(page: Page): string {
  switch (page.at) {
    case 'near':
      return '/order'
    case 'menu':
      return `/order/at/${page.site}`
    case 'basket':
      return '/order/basket'
    case 'checkout':
      return '/order/checkout'
    case 'orders':
      return '/order/mine'
    case 'order':
      return `/order/mine/${page.id}`
    default:
      return unreachable(page)
  }
}

// ---- what is fetched

/** `away`: nobody answered; what was known before is kept and shown. */
export type Fetched<T> = { state: 'loading' } | { state: 'shown'; value: T; away: boolean } | { state: 'away' } | { state: 'refused'; problem: ProblemJson }

// ---- place

export type Place = Point & { label: string | null }

export type Locating = { state: 'idle' } | { state: 'asking' } | { state: 'denied' } | { state: 'bad' }

/** Open ones first, then the nearest. */
export function byDistance(restaurants: readonly RestaurantJson[]): RestaurantJson[] {
  return [...restaurants].sort((a, b) => Number(b.open) - Number(a.open) || a.distance_m - b.distance_m || a.name.localeCompare(b.name))
}

// ---- the basket, kept on the device under one order id until that order is answered

/** Being paid: exactly this is sent again until there is an answer. */
export type Intent = { quote: string; card: string; since: number; totalMinor: number; currency: string; attempted: boolean }

export type Basket = {
  site: string
  siteName: string
  currency: string
  /** The kiosk's own machine chooses, changes and removes. */
  shop: Ordering
  /** Minted with the basket: whatever is sent from it, from any tab, is this one order. */
  order: string
  /** Minted anew after a card was declined. */
  payment: string
  intent: Intent | null
}

export type BasketEvent = Exclude<KioskEvent, { type: 'begin' | 'reset' | 'place' | 'placed' | 'attempted' | 'away' | 'refused' | 'withdraw' }>

export function newBasket(site: Pick<RestaurantJson, 'site' | 'name' | 'currency'>, order: string, payment: string): Basket {
  return {
    site: site.site,
    siteName: site.name,
    currency: site.currency,
    shop: { at: 'menu', cart: { lines: [], fulfilment: 'delivery', table: '', note: '', removed: null }, category: null, draft: null, refusal: null },
    order,
    payment,
    intent: null,
  }
}

/** Chooses in the basket. While it is being paid nothing in it may change. */
export function choose(basket: Basket, event: BasketEvent): Basket {
  if (basket.intent !== null) return basket
  const shop = kioskStep(basket.shop, event)
  return shop !== basket.shop && (shop.at === 'menu' || shop.at === 'cart') ? { ...basket, shop } : basket
}

export function isEmpty(basket: Basket | null): boolean {
  return basket === null || basket.shop.cart.lines.length === 0
}

export function pay(basket: Basket, quote: QuoteJson, card: string, now: number): Basket {
  if (basket.intent !== null) return basket
  return { ...basket, intent: { quote: quote.quote, card, since: now, totalMinor: quote.total_minor, currency: quote.currency, attempted: false } }
}

export type PayRefusal =
  | { why: 'declined' }
  | { why: 'sold_out' }
  | { why: 'closed' }
  | { why: 'paused' }
  | { why: 'other_cart' }
  /** This price became another order, whose id this device has forgotten. */
  | { why: 'ordered' }
  | { why: 'signed_out' }
  /** A new price is asked for and shown. */
  | { why: 'requote' }
  | { why: 'other'; detail: string }

export function payRefusal(problem: ProblemJson): PayRefusal {
  if (problem.status === 401) return { why: 'signed_out' }
  switch (problem.code) {
    case 'declined':
      return { why: 'declined' }
    case 'sold_out':
    case 'eighty_six':
      return { why: 'sold_out' }
    case 'restaurant_closed':
      return { why: 'closed' }
    case 'restaurant_paused':
      return { why: 'paused' }
    case 'same_id_other_cart':
      return { why: 'other_cart' }
    case 'quote_used':
      return { why: 'ordered' }
    case 'quote_expired':
    case 'price_changed':
    case 'unknown_quote':
    case 'payment_too_late':
      return { why: 'requote' }
    default:
      return { why: 'other', detail: plain(problem) }
  }
}

/** What a customer is at who wants something otherwise about an order. */
export type Amending =
  | { state: 'no' }
  | { state: 'editing'; field: AmendedFieldJson }
  | { state: 'sending'; field: AmendedFieldJson }
  | { state: 'problem'; field: AmendedFieldJson; text: string }

export type WishForm = { text: string; name: string; phone: string; street: string; city: string; note: string; at: string; position: string }

const QUARTER_MS = 15 * 60_000

/** Quarters of an hour within three hours, the first one half an hour away; the one that is set is among them. */
export function laterTimes(now: number, set: number | null): number[] {
  const first = Math.ceil((now + 2 * QUARTER_MS) / QUARTER_MS) * QUARTER_MS
  const times = Array.from({ length: 10 }, (_, index) => first + index * QUARTER_MS)
  return set === null || times.includes(set) ? times : [set, ...times]
}

const letters = (text: string) => text.toLocaleLowerCase().replace(/[^\p{L}\p{N}]/gu, '')

/** Whether a form names another address: then it says where that is, or the rider would go to the old place. */
export function isElsewhere({ street, city }: { street: string; city: string }, address: AddressJson | null): boolean {
  if (street.trim() === '' || city.trim() === '') return false
  return address === null || letters(street + city) !== letters(address.street + address.city)
}

/** What a form says; null: of another address it does not say where that is. */
export function wishOf(field: AmendedFieldJson, form: WishForm, address: AddressJson | null): WishJson | null {
  const given = (text: string) => (text.trim() === '' ? null : text.trim())
  switch (field) {
    case 'instructions':
      return { type: 'instructions', text: given(form.text) }
    case 'contact':
      return { type: 'contact', contact: { name: form.name.trim(), phone: form.phone.trim() } }
    case 'address': {
      const place = isElsewhere(form, address) ? parsePoint(form.position) : address
      return place && { type: 'address', address: { street: form.street.trim(), city: form.city.trim(), lat: place.lat, lon: place.lon, note: given(form.note) } }
    }
    case 'time':
      return { type: 'time', at: form.at === '' ? null : Number(form.at) }
  }
}

export type Ids = { order: string; payment: string }

/**
 * The relay said no: the basket may be changed again, and lines that were named are marked. A verdict about the order ends its id, and what is
 * paid next is another one; without a verdict about it the id stays, so that it can only ever become one order.
 */
export function refused(basket: Basket, problem: ProblemJson, fresh: Ids): Basket {
  const why = payRefusal(problem).why
  const refusal: Refusal | null = why === 'sold_out' ? refusalOf(problem, basket.shop.cart.lines) : basket.shop.refusal
  const stays = why === 'signed_out' || why === 'other_cart' || (why === 'requote' && problem.code !== 'payment_too_late')
  return { ...basket, ...(stays ? {} : fresh), intent: null, shop: { ...basket.shop, refusal } }
}

/** As a sentence, whoever wrote it. */
export function sentence(text: string): string {
  return text === '' ? '' : text.charAt(0).toLocaleUpperCase() + text.slice(1).replace(/[.\s]*$/, '.')
}

export function plain(problem: ProblemJson): string {
  return [problem.detail || problem.title, problem.remedy ?? '']
    .map(sentence)
    .filter((part) => part !== '')
    .join(' ')
}

// ---- who, where, tip

export type Who = { way: 'guest'; name: string; phone: string } | { way: 'sign_in'; email: string; password: string } | { way: 'sign_up'; name: string; email: string; password: string }

const PASSWORD_MIN = 8

export function whoMissing(who: Who): boolean {
  switch (who.way) {
    case 'guest':
      return who.name.trim() === '' || who.phone.trim() === ''
    case 'sign_in':
      return who.email.trim() === '' || who.password === ''
    case 'sign_up':
      return who.name.trim() === '' || who.email.trim() === '' || who.password.length < PASSWORD_MIN
    default:
      return unreachable(who)
  }
}

export type Where = { street: string; city: string; note: string }

export function addressFor(where: Where, place: Point | null): AddressJson | null {
  const [street, city] = [where.street.trim(), where.city.trim()]
  return street === '' || city === '' || place === null ? null : { street, city, lat: place.lat, lon: place.lon, note: where.note.trim() || null }
}

export const TIPS = [0, 5, 10, 15] as const

/** A share of the food, rounded half up. */
export function tipMinor(percent: number, foodMinor: number): number {
  return Math.floor((foodMinor * percent + 50) / 100)
}

export function quoteRequest(basket: Basket, way: OrderFulfilmentJson, address: AddressJson | null, tip: number): QuoteRequestJson {
  const { cart } = basket.shop
  return { fulfilment: way, lines: cart.lines, tip_minor: tip, address: way === 'delivery' ? address : null, note: cart.note.trim() || null }
}

// ---- the price

export type Quoting =
  | { state: 'none' }
  | { state: 'asking'; before: QuoteJson | null }
  /** `until`: by this device's clock. `since`: what the customer had seen; null when this is the first. */
  | { state: 'quoted'; quote: QuoteJson; until: number; since: QuoteJson | null; renewed: boolean }
  | { state: 'away'; before: QuoteJson | null }
  | { state: 'refused'; problem: ProblemJson }

/** What the customer has seen last, and would be surprised to see otherwise. */
export function seen(quoting: Quoting): QuoteJson | null {
  switch (quoting.state) {
    case 'quoted':
      return quoting.quote
    case 'asking':
    case 'away':
      return quoting.before
    case 'none':
    case 'refused':
      return null
    default:
      return unreachable(quoting)
  }
}

export type Change =
  | { what: 'line'; name: string; wasMinor: number; isMinor: number }
  | { what: 'gone'; name: string }
  | { what: 'charge'; charge: keyof ChargesJson; wasMinor: number; isMinor: number }
  | { what: 'minutes'; min: number; max: number }

const CHARGES: readonly (keyof ChargesJson)[] = ['packaging_minor', 'service_minor', 'delivery_minor', 'tip_minor']

/** What is other in a new quote for the same basket. */
export function changes(was: QuoteJson, is: QuoteJson): Change[] {
  const now = new Map(is.lines.map((line) => [line.id, line]))
  const found: Change[] = []
  for (const line of was.lines) {
    const name = `${line.name} ${line.variant_name}`.trim()
    const next = now.get(line.id)
    if (!next) found.push({ what: 'gone', name })
    else if (next.total_minor !== line.total_minor) found.push({ what: 'line', name, wasMinor: line.total_minor, isMinor: next.total_minor })
  }
  for (const charge of CHARGES) {
    if (was.charges[charge] !== is.charges[charge]) found.push({ what: 'charge', charge, wasMinor: was.charges[charge], isMinor: is.charges[charge] })
  }
  if (found.length > 0 && (was.minutes_min !== is.minutes_min || was.minutes_max !== is.minutes_max)) found.push({ what: 'minutes', min: is.minutes_min, max: is.minutes_max })
  return found
}

export function foodMinor(lines: readonly { total_minor: number }[]): number {
  return lines.reduce((sum, line) => sum + line.total_minor, 0)
}

// ---- checkout: what keeps from paying

/** `read`: the price has changed under a finger that was on its way to another one. */
export type Blocked = 'basket' | 'who' | 'address' | 'price' | 'read' | null

export function blocked(asked: { cart: PricedCart & { blocked: boolean }; customer: CustomerJson | null; way: OrderFulfilmentJson; address: AddressJson | null; quoting: Quoting; /** The quote came only now. */ unread: boolean }): Blocked {
  if (asked.cart.blocked) return 'basket'
  if (asked.customer === null) return 'who'
  if (asked.way === 'delivery' && asked.address === null) return 'address'
  if (asked.quoting.state !== 'quoted') return 'price'
  const { since, quote } = asked.quoting
  return asked.unread && since !== null && changes(since, quote).length > 0 ? 'read' : null
}

// ---- paying, as it is shown

export type Paying = { state: 'idle' } | { state: 'sending'; since: number } | { state: 'pending' } | { state: 'away'; since: number } | { state: 'elsewhere' }

// ---- an order

const OVER: readonly StatusJson[] = ['COMPLETED', 'CANCELLED', 'REFUNDED', 'DELIVERY_FAILED']

export function isOver(status: StatusJson): boolean {
  return OVER.includes(status)
}

export type ShownStep = { step: StepJson['step']; state: 'done' | 'next' | 'later'; word: string; time: string; /** Its time is a guess. */ expected: boolean }

/** Five steps with their times; the next one with its range. What is over has no next step. */
export function steps(order: CustomerOrderJson, clock: (at: number) => string, w: Words): ShownStep[] {
  const over = isOver(order.status)
  const next = over ? -1 : order.steps.findIndex(({ at }) => at === null)
  return order.steps.map((step, index) => {
    const takeaway = order.delivery === null && !order.steps.some((each) => each.step === 'on_the_way')
    const word = step.step === 'completed' && takeaway ? w.customer.stepCollected : w.customer.step[step.step]
    if (step.at !== null) return { step: step.step, state: 'done', word, time: clock(step.at), expected: false }
    const time = index === next ? range(step, clock, w) : ''
    return { step: step.step, state: index === next ? 'next' : 'later', word, time, expected: time !== '' }
  })
}

function range(step: StepJson, clock: (at: number) => string, w: Words): string {
  const [from, to] = [step.eta_min_at, step.eta_max_at]
  if (from === null && to === null) return ''
  return w.customer.between(clock(from ?? to ?? 0), clock(to ?? from ?? 0))
}

// ---- cancelling

export type Cancelling =
  | { state: 'no' }
  | { state: 'asking' }
  | { state: 'shown'; preview: CancelPreviewJson; changed: boolean }
  | { state: 'sending'; preview: CancelPreviewJson }
  | { state: 'problem'; text: string }

/** The relay said no to a cancellation for this refund. `refund_changed`: the preview is asked for again. */
export function cancelRefused(problem: ProblemJson): 'again' | 'no' {
  return problem.code === 'refund_changed' || problem.code === 'price_changed' ? 'again' : 'no'
}
