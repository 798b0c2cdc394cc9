import { describe, expect, it } from 'vitest'
import type { ProblemJson } from '../../generated/api'
import type { CustomerOrderJson, QuoteJson, RestaurantJson } from '../../generated/relay'
import { en } from '../../words'
import { itemId, MENU, NOW, variantId } from '../stories/fixtures'
import type { Basket } from './model'
import { addressFor, addressOf, blocked, byDistance, changes, choose, isElsewhere, laterTimes, newBasket, pageOf, pay, payRefusal, plain, quoteRequest, refused, steps, tipMinor, whoMissing, wishOf } from './model'

const problem = (code: string, more: Partial<ProblemJson> = {}): ProblemJson => ({ type: '', title: '', status: 409, code, detail: '', field: null, remedy: null, ...more })
const FRESH = { order: 'order 2', payment: 'payment 2' }
const site: RestaurantJson = { site: 's', name: 'Pilota', distance_m: 100, open: true, open_reason: null, minutes_min: 30, minutes_max: 40, delivery_fee_minor: 250, currency: 'USD', intake: { paused_until: null, busy_minutes: 0, busy_until: null } }
const fries = MENU.items.find(({ name }) => name === 'Fries')
if (!fries) throw new Error('no fries')
const filled = choose(choose(newBasket(site, 'order', 'payment'), { type: 'open', item: fries }), { type: 'keep', id: 'l1' })
const quote: QuoteJson = {
  quote: 'q',
  lines: [{ id: 'l1', item: itemId('Fries'), variant: variantId('Fries', ''), name: 'Fries', variant_name: '', quantity: 1, choices: [], note: null, unit_minor: 390, total_minor: 390 }],
  charges: { packaging_minor: 50, service_minor: 0, delivery_minor: 250, tip_minor: 0 },
  total_minor: 690,
  currency: 'USD',
  expires_at: NOW + 300_000,
  minutes_min: 30,
  minutes_max: 40,
  now: NOW,
}

describe('pages', () => {
  it.each([
    [[], { at: 'near' }],
    [['at', 's1'], { at: 'menu', site: 's1' }],
    [['at'], { at: 'near' }],
    [['basket'], { at: 'basket' }],
    [['checkout'], { at: 'checkout' }],
    [['mine'], { at: 'orders' }],
    [['mine', 'o1'], { at: 'order', id: 'o1' }],
    [['nonsense'], { at: 'near' }],
  ] as const)('%j', (path, page) => {
    expect(pageOf(path)).toEqual(page)
    expect(pageOf(addressOf(pageOf(path)).split('/').slice(2))).toEqual(page)
  })
})

describe('the basket', () => {
  it('chooses as the kiosk does', () => expect(filled.shop.cart.lines).toMatchObject([{ id: 'l1', item: fries.id, quantity: 1 }]))
  it('begins another order once this one has its verdict', () => {
    const paid = pay(filled, quote, 'tok_declined', NOW)
    for (const code of ['declined', 'sold_out', 'payment_too_late', 'restaurant_closed']) expect(refused(paid, problem(code), FRESH)).toMatchObject({ ...FRESH, intent: null })
  })
  it('keeps its order id as long as there is no verdict about it', () => {
    const paid = pay(filled, quote, 'tok_declined', NOW)
    for (const code of ['quote_expired', 'price_changed', 'unknown_quote', 'same_id_other_cart']) expect(refused(paid, problem(code), FRESH)).toMatchObject({ order: 'order', payment: 'payment', intent: null })
    expect(refused(paid, problem('unauthorised', { status: 401 }), FRESH).order).toBe('order')
  })
  it('does not change while it is being paid, and is not paid twice', () => {
    const paid = pay(filled, quote, 'tok_ok', NOW)
    expect(choose(paid, { type: 'remove', line: 'l1', at: 0 })).toBe(paid)
    expect(pay(paid, { ...quote, quote: 'other' }, 'tok_ok', NOW + 1)).toBe(paid)
  })
  it('marks the line that is sold out', () => {
    const back = refused(pay(filled, quote, 'tok_ok', NOW), problem('sold_out', { field: 'lines[0]' }), FRESH)
    expect(back.shop.refusal).toEqual({ why: 'sold_out', lines: new Set(['l1']) })
  })
  it('asks for a price with an address only when it is brought', () => {
    const address = { street: 'Main 1', city: 'Bergen', lat: 1, lon: 2, note: null }
    expect(quoteRequest(filled, 'takeaway', address, 0).address).toBeNull()
    expect(quoteRequest(filled, 'delivery', address, 40)).toMatchObject({ address, tip_minor: 40, note: null })
  })
})

it.each([
  [problem('declined'), 'declined'],
  [problem('sold_out'), 'sold_out'],
  [problem('eighty_six'), 'sold_out'],
  [problem('restaurant_closed'), 'closed'],
  [problem('restaurant_paused'), 'paused'],
  [problem('same_id_other_cart'), 'other_cart'],
  [problem('quote_used'), 'ordered'],
  [problem('quote_expired'), 'requote'],
  [problem('price_changed'), 'requote'],
  [problem('payment_too_late'), 'requote'],
  [problem('unauthorised', { status: 401 }), 'signed_out'],
  [problem('teapot'), 'other'],
] as [ProblemJson, string][])('a refusal is told by its code: %#', (given, why) => expect(payRefusal(given).why).toBe(why))

it('a problem is said in sentences', () => {
  expect(plain(problem('x', { detail: 'the basket is too large', remedy: 'take something away' }))).toBe('The basket is too large. Take something away.')
  expect(plain(problem('x', { title: 'Conflict' }))).toBe('Conflict.')
})

describe('a new price', () => {
  it('says nothing when nothing changed', () => expect(changes(quote, { ...quote, quote: 'q2', expires_at: 1, minutes_min: 35 })).toEqual([]))
  it('names each difference', () => {
    const next: QuoteJson = { ...quote, lines: [{ ...quote.lines[0], total_minor: 450 } as QuoteJson['lines'][number]], charges: { ...quote.charges, delivery_minor: 300 }, minutes_max: 50 }
    expect(changes(quote, next)).toEqual([
      { what: 'line', name: 'Fries', wasMinor: 390, isMinor: 450 },
      { what: 'charge', charge: 'delivery_minor', wasMinor: 250, isMinor: 300 },
      { what: 'minutes', min: 30, max: 50 },
    ])
    expect(changes(quote, { ...quote, lines: [] })).toEqual([{ what: 'gone', name: 'Fries' }])
  })
})

describe('checkout', () => {
  const quoted = { state: 'quoted', quote, until: 0, since: null, renewed: false } as const
  const ready = { cart: { lines: [], totalMinor: 390, count: 1, blocked: false }, customer: { id: 'c', name: 'Ana', guest: true }, way: 'delivery' as const, address: { street: '', city: '', lat: 0, lon: 0, note: null }, quoting: quoted, unread: true }
  const changed = { ...quoted, since: { ...quote, charges: { ...quote.charges, delivery_minor: 1 } } }
  it.each([
    [{ ...ready, quoting: changed }, 'read'],
    [{ ...ready, quoting: changed, unread: false }, null],
    [ready, null],
    [{ ...ready, cart: { ...ready.cart, blocked: true } }, 'basket'],
    [{ ...ready, customer: null }, 'who'],
    [{ ...ready, address: null }, 'address'],
    [{ ...ready, address: null, way: 'takeaway' as const }, null],
    [{ ...ready, quoting: { state: 'asking', before: null } as const }, 'price'],
  ])('%#', (asked, why) => expect(blocked(asked)).toBe(why))
  it('wants every field', () => {
    expect(whoMissing({ way: 'guest', name: 'Ana', phone: ' ' })).toBe(true)
    expect(whoMissing({ way: 'guest', name: 'Ana', phone: '1' })).toBe(false)
    expect(whoMissing({ way: 'sign_up', name: 'Ana', email: 'a@b', password: 'short' })).toBe(true)
    expect(whoMissing({ way: 'sign_in', email: 'a@b', password: 'short' })).toBe(false)
    expect(addressFor({ street: 'Main 1', city: ' ', note: '' }, { lat: 1, lon: 2 })).toBeNull()
    expect(addressFor({ street: 'Main 1', city: 'Bergen', note: '' }, null)).toBeNull()
    expect(addressFor({ street: ' Main 1', city: 'Bergen', note: ' ' }, { lat: 1, lon: 2 })).toEqual({ street: 'Main 1', city: 'Bergen', lat: 1, lon: 2, note: null })
  })
  it.each([
    [0, 3990, 0],
    [10, 3995, 400],
    [10, 3994, 399],
    [15, 1, 0],
  ])('a tip of %d %% of %d', (percent, food, tip) => expect(tipMinor(percent, food)).toBe(tip))
})

it('restaurants: open ones first, then near ones', () => {
  const names = byDistance([{ ...site, name: 'far', distance_m: 900 }, { ...site, name: 'closed', distance_m: 10, open: false }, { ...site, name: 'near', distance_m: 50 }]).map(({ name }) => name)
  expect(names).toEqual(['near', 'far', 'closed'])
})

describe('tracking', () => {
  const clock = (at: number) => new Date(at).toISOString().slice(11, 16)
  const step = (name: CustomerOrderJson['steps'][number]['step'], at: number | null, min: number | null = null, max: number | null = null) => ({ step: name, at, eta_min_at: min, eta_max_at: max })
  const order = {
    status: 'PREPARING',
    delivery: null,
    steps: [step('placed', NOW), step('confirmed', NOW + 60_000), step('preparing', NOW + 120_000), step('on_the_way', null, NOW + 600_000, NOW + 900_000), step('completed', null, NOW + 1_200_000, null)],
  } as CustomerOrderJson
  it('has real times, and a range for the next only', () => {
    expect(steps(order, clock, en).map(({ state, time }) => [state, time])).toEqual([
      ['done', '19:42'],
      ['done', '19:43'],
      ['done', '19:44'],
      ['next', '19:52–19:57'],
      ['later', ''],
    ])
  })
  it('expects nothing of what is over', () => expect(steps({ ...order, status: 'CANCELLED' }, clock, en).map(({ state }) => state)).toEqual(['done', 'done', 'done', 'later', 'later']))
  it('says who collects', () => {
    const takeaway = { ...order, steps: order.steps.filter(({ step: name }) => name !== 'on_the_way') }
    expect(steps(takeaway, clock, en).at(-1)?.word).toBe(en.customer.stepCollected)
  })
})

// A basket is kept by structured clone: nothing in it may be a class or a function.
it('survives being kept', () => {
  const marked: Basket = refused(pay(filled, quote, 'tok_ok', NOW), problem('sold_out', { field: 'lines[0]' }), FRESH)
  expect(structuredClone(marked)).toEqual(marked)
})

describe('what is wanted otherwise', () => {
  it('offers quarters of an hour from half an hour on, and what is set', () => {
    const now = Date.UTC(2026, 10, 20, 19, 2)
    const times = laterTimes(now, null)
    expect(new Date(times[0] ?? 0).toISOString()).toBe('2026-11-20T19:45:00.000Z')
    expect(times).toHaveLength(10)
    expect(laterTimes(now, now + 1)[0]).toBe(now + 1)
  })

  it('says what a form says, and of another street where it is', () => {
    const form = { text: '  ', name: ' Eve ', phone: '555', street: ' Way 2 ', city: 'Town', note: '', at: '', position: '52.6, 13.5' }
    const known = { street: 'Way 1', city: 'Town', lat: 52.5, lon: 13.4, note: 'ring' }
    expect(wishOf('instructions', form, known)).toEqual({ type: 'instructions', text: null })
    expect(wishOf('contact', form, known)).toEqual({ type: 'contact', contact: { name: 'Eve', phone: '555' } })
    expect(wishOf('address', form, known)).toEqual({ type: 'address', address: { street: 'Way 2', city: 'Town', lat: 52.6, lon: 13.5, note: null } })
    expect(wishOf('address', { ...form, position: '' }, known)).toBeNull()
    expect(wishOf('address', { ...form, street: 'WAY 1.' }, known)).toEqual({ type: 'address', address: { street: 'WAY 1.', city: 'Town', lat: 52.5, lon: 13.4, note: null } })
    expect([isElsewhere({ street: ' ', city: 'Town' }, known), isElsewhere(form, known)]).toEqual([false, true])
    expect(wishOf('time', { ...form, at: '17' }, known)).toEqual({ type: 'time', at: 17 })
  })
})
