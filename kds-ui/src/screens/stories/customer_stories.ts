// The customer's phone in every state.
import type { AmendmentJson, ProblemJson } from '../../generated/api'
import type { CustomerOrderJson, QuoteJson, RestaurantJson, StepJson, StepNameJson } from '../../generated/relay'
import { indexMenu, NOTHING_SOLD_OUT, soldOut } from '../../kernels/menu_index'
import type { Words } from '../../words'
import type { Basket } from '../customer/model'
import { newBasket, pay } from '../customer/model'
import type { CustomerProps } from '../customer/View.svelte'
import CustomerView from '../customer/View.svelte'
import type { CartLine } from '../../kernels/cart_price'
import type { Draft } from '../kiosk/model'
import { newDraft } from '../kiosk/model'
import * as f from './fixtures'
import { nothing, story } from './story'

const MIN = 60_000
const LONG = 'Mediterranean with Roasted Peppers, Artichokes and Kalamata Olives'
const HOME = { lat: 52.52, lon: 13.4, label: null }

const site = (name: string, distance_m: number, more: Partial<RestaurantJson> = {}): RestaurantJson => ({
  site: name,
  name,
  distance_m,
  open: true,
  open_reason: null,
  minutes_min: 30,
  minutes_max: 40,
  delivery_fee_minor: 250,
  currency: 'USD',
  intake: { paused_until: null, busy_minutes: 0, busy_until: null },
  ...more,
})
const PILOTA = site('Pizzeria Pilota', 620)
const NEAR = [
  PILOTA,
  site('Salad Garden', 340, { open: false, open_reason: 'Opens again at 11:00', minutes_min: 20, minutes_max: 25 }),
  site('Noodle Bar', 900, { open: false, open_reason: 'it takes no orders for now', intake: { paused_until: f.NOW + 18 * 60_000, busy_minutes: 0, busy_until: null } }),
  site('Burger Corner', 1_840, { delivery_fee_minor: 0, minutes_min: 45, minutes_max: 60 }),
]

const LINES: CartLine[] = [
  {
    id: 'l1',
    item: f.itemId('Margherita'),
    variant: f.variantId('Margherita', 'L'),
    quantity: 2,
    note: 'cut in eight',
    choices: [
      { group: f.CRUST.id, option: f.optionId('Crust', 'Deep pan'), count: 1 },
      { group: f.WITHOUT.id, option: f.optionId('Without', 'no garlic'), count: 1 },
    ],
  },
  { id: 'l2', item: f.itemId('Lemonade'), variant: f.variantId('Lemonade', ''), quantity: 3, note: null, choices: [] },
]
const OUT_LINE: CartLine = { id: 'l3', item: f.itemId('Pepperoni'), variant: f.variantId('Pepperoni', 'L'), quantity: 1, note: null, choices: [{ group: f.CRUST.id, option: f.optionId('Crust', 'Thin'), count: 1 }] }

function basket(lines: CartLine[] = LINES, more: Partial<Basket['shop']> = {}): Basket {
  const fresh = newBasket(PILOTA, 'o1', 'p1')
  return { ...fresh, shop: { ...fresh.shop, ...more, cart: { ...fresh.shop.cart, lines } } as Basket['shop'] }
}
const margherita = f.MENU.items[0]
if (!margherita) throw new Error('the stories need their menu')
const DRAFT: Draft = { ...newDraft(margherita), variant: f.variantId('Margherita', 'M'), choices: [] }

const QUOTE: QuoteJson = {
  quote: 'q1',
  lines: [
    { id: 'l1', item: '', variant: '', name: 'Margherita', variant_name: 'L', quantity: 2, choices: [], note: null, unit_minor: 2_175, total_minor: 4_350 },
    { id: 'l2', item: '', variant: '', name: 'Lemonade', variant_name: '', quantity: 3, choices: [], note: null, unit_minor: 320, total_minor: 960 },
  ],
  charges: { packaging_minor: 90, service_minor: 0, delivery_minor: 250, tip_minor: 531 },
  total_minor: 6_181,
  currency: 'USD',
  expires_at: f.NOW + 4.6 * MIN,
  minutes_min: 35,
  minutes_max: 45,
  now: f.NOW,
}
const OLD_QUOTE: QuoteJson = {
  ...QUOTE,
  lines: QUOTE.lines.map((line) => (line.id === 'l1' ? { ...line, unit_minor: 2_025, total_minor: 4_050 } : line)),
  charges: { ...QUOTE.charges, delivery_minor: 150 },
  total_minor: 5_781,
  minutes_min: 30,
  minutes_max: 40,
}
const quoted = (since: QuoteJson | null = null, renewed = false) => ({ state: 'quoted' as const, quote: QUOTE, until: f.NOW + 4.6 * MIN, since, renewed })
const problem = (code: string, status: number, detail: string): ProblemJson => ({ type: '', title: '', status, code, detail, field: null, remedy: null })

const NAMES: StepNameJson[] = ['placed', 'confirmed', 'preparing', 'on_the_way', 'completed']
function stepsTo(done: number): StepJson[] {
  return NAMES.map((step, index) => ({
    step,
    at: index < done ? f.NOW - (done - index) * 4 * MIN : null,
    eta_min_at: index === done ? f.NOW + 6 * MIN : null,
    eta_max_at: index === done ? f.NOW + 14 * MIN : null,
  }))
}
function order(done: number, more: Partial<CustomerOrderJson> = {}): CustomerOrderJson {
  return {
    id: 'o1',
    site: 's1',
    site_name: 'Pizzeria Pilota',
    number: done > 1 ? 'A042' : null,
    also: [],
    status: (['ORDER_PLACED', 'ORDER_PLACED', 'ORDER_CONFIRMED', 'PREPARING', 'OUT_FOR_DELIVERY', 'COMPLETED'] as const)[done] ?? 'ORDER_PLACED',
    placed_at: f.NOW - done * 4 * MIN,
    lines: QUOTE.lines,
    charges: QUOTE.charges,
    total_minor: QUOTE.total_minor,
    currency: 'USD',
    history: [{ to: 'ORDER_PLACED', at: f.NOW - 16 * MIN, why: '' }, ...(done > 1 ? [{ to: 'ORDER_CONFIRMED' as const, at: f.NOW - 12 * MIN, why: 'accepted by the restaurant' }] : [])],
    held: null,
    cancelling: null,
    refunds: [],
    refunded_minor: 0,
    captured_minor: done > 1 ? QUOTE.total_minor : 0,
    delivery: null,
    steps: stepsTo(done),
    can_cancel: done < 4,
    instructions: 'Ring twice',
    ready_not_before: null,
    address: { street: 'Linienstraße 12', city: 'Berlin', lat: 52.52, lon: 13.4, note: null },
    contact: null,
    amendments: [],
    can_amend: done < 4,
    now: f.NOW,
    ...more,
  }
}
const RIDER = { phase: 'out_for_delivery' as const, rider_name: 'Kofi', rider_lat: 52.5265, rider_lon: 13.391, eta_min_at: f.NOW + 6 * MIN, eta_max_at: f.NOW + 14 * MIN }
const shown = (value: CustomerOrderJson) => ({ state: 'shown' as const, value, away: false })

function customer(w: Words, more: Partial<CustomerProps> = {}): CustomerProps {
  const menu = w.dir === 'rtl' ? f.ARABIC_MENU : f.MENU
  return {
    w,
    now: f.NOW,
    page: { at: 'near' },
    lostAt: null,
    place: HOME,
    locating: { state: 'idle' },
    near: { state: 'shown', value: NEAR, away: false },
    siteName: 'Pizzeria Pilota',
    menu: { state: 'shown', value: indexMenu(menu), away: false },
    soldOut: soldOut(f.SOME_SOLD_OUT),
    closed: null,
    basket: null,
    customer: null,
    signing: { asking: false, problem: null },
    way: 'delivery',
    where: { street: '', city: '', note: '' },
    tipPercent: 10,
    card: 'tok_ok',
    quoting: { state: 'none' },
    refusal: null,
    blocked: null,
    tried: false,
    paying: { state: 'idle' },
    stopped: false,
    order: { state: 'loading' },
    home: HOME,
    cancelling: { state: 'no' },
    cancelAsked: false,
    amending: { state: 'no' },
    orders: { state: 'loading' },
    languages: [
      { language: 'en', name: 'English' },
      { language: 'ar', name: 'العربية' },
    ],
    on: {
      back: nothing, page: nothing, language: nothing, locate: nothing, typed: nothing, changePlace: nothing, open: nothing, again: nothing, send: nothing, keep: nothing, remove: nothing, begin: nothing,
      who: nothing, signOut: nothing, way: nothing, where: nothing, tip: nothing, card: nothing, pay: nothing, stop: nothing, anew: nothing, ordered: nothing, cancel: nothing, confirmCancel: nothing, keepOrder: nothing, amend: nothing, wish: nothing, keepWish: nothing,
    },
    ...more,
  }
}

const MENU_PAGE = { at: 'menu' as const, site: PILOTA.site }
const WHERE = { street: 'Linienstraße 12', city: 'Berlin', note: '3rd floor, ring twice' }
const ANA = { id: 'c', name: 'Ana Belén', guest: false }
const checkout = (w: Words, more: Partial<CustomerProps> = {}) => customer(w, { page: { at: 'checkout' }, basket: basket(), customer: ANA, where: WHERE, quoting: quoted(), soldOut: NOTHING_SOLD_OUT, ...more })
const paid = (w: Words, paying: CustomerProps['paying'], more: Partial<CustomerProps> = {}) => checkout(w, { basket: pay(basket(), QUOTE, 'tok_ok', f.NOW), paying, ...more })
const track = (w: Words, value: CustomerOrderJson, more: Partial<CustomerProps> = {}) => customer(w, { page: { at: 'order', id: 'o1' }, customer: ANA, order: shown(value), ...more })
const wish = (field: AmendmentJson['field'], state: AmendmentJson['state'], more: Partial<AmendmentJson> = {}): AmendmentJson => ({
  id: `${field} ${state}`, field, old: null, new: null, old_at: null, new_at: null, distance_m: null, asked_at: f.NOW - 2 * MIN, state, why: null, ...more,
})
const wished = () =>
  order(3, {
    ready_not_before: f.NOW + 45 * MIN,
    contact: { name: 'Yusuf', phone: '+49 30 555 0112' },
    amendments: [
      wish('contact', 'granted'),
      wish('time', 'granted', { new_at: f.NOW + 45 * MIN }),
      wish('address', 'refused', { distance_m: 1_900, why: 'the rider has it' }),
      wish('instructions', 'asked', { old: 'Ring twice', new: 'Please no onions, and knock: the baby sleeps' }),
    ],
  })
const HELD = () => order(1, { held: { expires_at: f.NOW + 10 * MIN } })
const PREVIEW = { refund_minor: 4_461, rule: 'Within 10 minutes of ordering 70 % of the food comes back; tip and delivery come back whole.', expires_at: f.NOW + 2 * MIN }
const CANCELLED = () =>
  order(3, {
    status: 'CANCELLED',
    can_cancel: false,
    refunds: [{ amount_minor: 4_461, at: f.NOW, state: 'sent', why: 'cancelled by the customer' }],
    refunded_minor: 0,
    history: [...order(3).history, { to: 'CANCELLED', at: f.NOW, why: 'cancelled by the customer' }],
  })

export const customerStories = [
  story('customer-place', 'phone', 'light', CustomerView, (w) => customer(w, { place: null })),
  story('customer-place-denied', 'phone', 'light', CustomerView, (w) => customer(w, { place: null, locating: { state: 'denied' } })),
  story('customer-near', 'phone', 'light', CustomerView, (w) => customer(w)),
  story('customer-near-dark', 'phone', 'dark', CustomerView, (w) => customer(w, { basket: basket() })),
  story('customer-near-loading', 'phone', 'light', CustomerView, (w) => customer(w, { near: { state: 'loading' } })),
  story('customer-near-empty', 'phone', 'light', CustomerView, (w) => customer(w, { near: { state: 'shown', value: [], away: false } })),
  story('customer-near-away', 'phone', 'light', CustomerView, (w) => customer(w, { near: { state: 'away' }, lostAt: f.NOW - 3 * MIN })),
  story('customer-menu', 'phone', 'light', CustomerView, (w) => customer(w, { page: MENU_PAGE, basket: basket() })),
  story('customer-menu-dark', 'phone', 'dark', CustomerView, (w) => customer(w, { page: MENU_PAGE })),
  story('customer-menu-closed', 'phone', 'light', CustomerView, (w) => customer(w, { page: MENU_PAGE, closed: 'Opens again at 11:00.' })),
  story('customer-menu-other-basket', 'phone', 'light', CustomerView, (w) => customer(w, { page: { at: 'menu', site: 'Burger Corner' }, siteName: 'Burger Corner', basket: basket() })),
  story('customer-menu-offline', 'phone', 'light', CustomerView, (w) => customer(w, { page: MENU_PAGE, basket: basket(), lostAt: f.NOW - 3 * MIN })),
  story('customer-item', 'phone', 'light', CustomerView, (w) => customer(w, { page: MENU_PAGE, basket: basket(LINES, { draft: DRAFT }) })),
  story('customer-basket', 'phone', 'light', CustomerView, (w) => customer(w, { page: { at: 'basket' }, basket: basket() })),
  story('customer-basket-empty', 'phone', 'light', CustomerView, (w) => customer(w, { page: { at: 'basket' } })),
  story('customer-basket-sold-out', 'phone', 'light', CustomerView, (w) => customer(w, { page: { at: 'basket' }, basket: basket([...LINES, OUT_LINE], { refusal: { why: 'sold_out', lines: new Set(['l3']) } }) })),
  story('customer-checkout-guest', 'phone', 'light', CustomerView, (w) => checkout(w, { customer: null, where: { street: '', city: '', note: '' }, quoting: { state: 'none' }, blocked: 'who', tried: true })),
  story('customer-checkout', 'phone', 'light', CustomerView, (w) => checkout(w)),
  story('customer-checkout-dark', 'phone', 'dark', CustomerView, (w) => checkout(w)),
  story('customer-checkout-changed', 'phone', 'light', CustomerView, (w) => checkout(w, { quoting: quoted(OLD_QUOTE, true) })),
  story('customer-checkout-renewed', 'phone', 'light', CustomerView, (w) => checkout(w, { quoting: quoted(QUOTE, true), way: 'takeaway' })),
  story('customer-checkout-declined', 'phone', 'light', CustomerView, (w) => checkout(w, { refusal: { why: 'declined' }, card: 'tok_declined' })),
  story('customer-checkout-other-cart', 'phone', 'light', CustomerView, (w) => checkout(w, { refusal: { why: 'other_cart' } })),
  story('customer-checkout-ordered', 'phone', 'light', CustomerView, (w) => checkout(w, { refusal: { why: 'ordered' } })),
  story('customer-checkout-offline', 'phone', 'light', CustomerView, (w) => checkout(w, { quoting: { state: 'away', before: QUOTE }, blocked: 'price', lostAt: f.NOW - 3 * MIN })),
  story('customer-checkout-closed', 'phone', 'light', CustomerView, (w) => checkout(w, { quoting: { state: 'refused', problem: problem('restaurant_closed', 409, '') }, blocked: 'price' })),
  story('customer-paying', 'phone', 'light', CustomerView, (w) => paid(w, { state: 'sending', since: f.NOW })),
  story('customer-paying-pending', 'phone', 'light', CustomerView, (w) => paid(w, { state: 'pending' })),
  story('customer-paying-away', 'phone', 'light', CustomerView, (w) => paid(w, { state: 'away', since: f.NOW }, { lostAt: f.NOW - MIN })),
  story('customer-paying-elsewhere', 'phone', 'dark', CustomerView, (w) => paid(w, { state: 'elsewhere' })),
  story('customer-track-placed', 'phone', 'light', CustomerView, (w) => track(w, order(1))),
  story('customer-track-held', 'phone', 'light', CustomerView, (w) => track(w, HELD())),
  story('customer-track-cooking', 'phone', 'light', CustomerView, (w) => track(w, order(3))),
  story('customer-track-rider', 'phone', 'light', CustomerView, (w) => track(w, order(4, { delivery: RIDER }))),
  story('customer-track-dark', 'phone', 'dark', CustomerView, (w) => track(w, order(4, { delivery: RIDER }))),
  story('customer-track-done', 'phone', 'light', CustomerView, (w) => track(w, order(5))),
  story('customer-track-offline', 'phone', 'light', CustomerView, (w) => track(w, order(3), { lostAt: f.NOW - 3 * MIN })),
  story('customer-track-wishes', 'phone', 'light', CustomerView, (w) => track(w, wished())),
  story('customer-wish-note', 'phone', 'light', CustomerView, (w) => track(w, order(1), { amending: { state: 'editing', field: 'instructions' } })),
  story('customer-wish-address', 'phone', 'dark', CustomerView, (w) => track(w, order(3), { amending: { state: 'problem', field: 'address', text: w.customer.wishAway } })),
  story('customer-wish-time', 'phone', 'light', CustomerView, (w) => track(w, order(2), { amending: { state: 'editing', field: 'time' } })),
  story('customer-wish-rtl', 'phone', 'light', CustomerView, (w) => track(w, wished(), { amending: { state: 'editing', field: 'contact' } }), { rtl: true }),
  story('customer-track-asked', 'phone', 'light', CustomerView, (w) => track(w, order(2, { can_cancel: false }), { cancelAsked: true })),
  story('customer-track-loading', 'phone', 'light', CustomerView, (w) => customer(w, { page: { at: 'order', id: 'o1' }, customer: ANA })),
  story('customer-track-gone', 'phone', 'light', CustomerView, (w) => customer(w, { page: { at: 'order', id: 'o1' }, customer: ANA, order: { state: 'refused', problem: problem('unknown_order', 404, '') } })),
  story('customer-cancel', 'phone', 'light', CustomerView, (w) => track(w, order(3), { cancelling: { state: 'shown', preview: PREVIEW, changed: false } })),
  story('customer-cancel-changed', 'phone', 'light', CustomerView, (w) => track(w, order(3), { cancelling: { state: 'shown', preview: { ...PREVIEW, refund_minor: 0 }, changed: true } })),
  story('customer-cancelled', 'phone', 'light', CustomerView, (w) => track(w, CANCELLED())),
  story('customer-orders', 'phone', 'light', CustomerView, (w) =>
    customer(w, { page: { at: 'orders' }, customer: ANA, orders: { state: 'shown', value: [order(3), CANCELLED(), order(5, { site_name: LONG, placed_at: f.NOW - 3 * 86_400_000 })].map((each, index) => ({ ...each, id: `o${index}` })), away: false } }),
  ),
  story('customer-orders-empty', 'phone', 'light', CustomerView, (w) => customer(w, { page: { at: 'orders' }, customer: { ...ANA, guest: true }, orders: { state: 'shown', value: [], away: false } })),
  story('customer-orders-sign-in', 'phone', 'light', CustomerView, (w) => customer(w, { page: { at: 'orders' }, signing: { asking: false, problem: 'E-mail or password is not right.' } })),
  story('customer-long-names', 'phone', 'light', CustomerView, (w) =>
    customer(w, { place: { ...HOME, label: '52.5200, 13.4000' }, near: { state: 'shown', value: [site(`Trattoria ${LONG}`, 4_950, { minutes_min: 65, minutes_max: 90, delivery_fee_minor: 1_250 }), ...NEAR], away: false } }),
  ),
  story('customer-near-rtl', 'phone', 'light', CustomerView, (w) => customer(w, { basket: basket() }), { rtl: true }),
  story('customer-menu-rtl', 'phone', 'light', CustomerView, (w) => customer(w, { page: MENU_PAGE, basket: basket() }), { rtl: true }),
  story('customer-checkout-rtl', 'phone', 'light', CustomerView, (w) => checkout(w, { quoting: quoted(OLD_QUOTE, true) }), { rtl: true }),
  story('customer-track-rtl', 'phone', 'light', CustomerView, (w) => track(w, order(4, { delivery: RIDER })), { rtl: true }),
  story('customer-near-text-200', 'phone', 'light', CustomerView, (w) => customer(w)),
  story('customer-menu-text-200', 'phone', 'light', CustomerView, (w) => customer(w, { page: MENU_PAGE, basket: basket() })),
  story('customer-checkout-text-200', 'phone', 'light', CustomerView, (w) => checkout(w)),
  story('customer-track-text-200', 'phone', 'light', CustomerView, (w) => track(w, HELD())),
]
