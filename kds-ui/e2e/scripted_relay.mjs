// A relay of a few rules inside the test, for what a real one does not do on the minute: it thinks, lets a quote run out, changes a price, is away.
// What the real relay does is tested against the real relay.
import { serveDist } from './static_server.mjs'

const MIN = 60_000
const HOME = { lat: 52.52, lon: 13.4 }
export const SITE = 'site-pilota'

const MENU = {
  version: 'scripted-1',
  currency: 'USD',
  categories: [{ id: 'pizza', name: 'Pizza' }, { id: 'drinks', name: 'Drinks' }],
  groups: [{ id: 'crust', name: 'Crust', min: 1, max: 1, options: [{ id: 'thin', name: 'Thin', price_minor: 0, removal: false }, { id: 'deep', name: 'Deep pan', price_minor: 150, removal: false }] }],
  stations: [],
  items: [
    ['margherita', 'pizza', 'Margherita', [['m', 'M', 1200], ['l', 'L', 1600]], ['crust']],
    ['lemonade', 'drinks', 'Lemonade', [['one', '', 320]], []],
  ].map(([id, category, name, variants, groups]) => ({
    id, category, name, groups, description: '', kitchen_name: name, station: '', prep_s: 300, tags: [], allergens: [], quantity_min: 1,
    variants: variants.map(([variant, word, price_minor]) => ({ id: variant, name: word, price_minor })),
  })),
}

export async function startRelay() {
  const relay = {
    away: false,
    pendingTimes: 0,
    deliveryMinor: 250,
    quoteMs: 5 * MIN,
    refundMinor: 1_000,
    soldOut: [],
    orders: new Map(),
    payments: [],
    placed: 0,
    task: { state: 'off', delivery: null },
    riderCalls: [],
  }
  const quotes = new Map()
  const problem = (status, code, detail = '', more = {}) => [status, { type: `/problems/${code}`, title: code, status, code, detail, field: null, remedy: null, ...more }]
  const priced = (lines) =>
    lines.map((line) => {
      const item = MENU.items.find(({ id }) => id === line.item)
      const variant = item.variants.find(({ id }) => id === line.variant) ?? item.variants[0]
      const choices = line.choices.map((choice) => ({ ...choice, name: choice.option, price_minor: choice.option === 'deep' ? 150 : 0, removal: false }))
      const unit = variant.price_minor + choices.reduce((sum, choice) => sum + choice.price_minor * choice.count, 0)
      return { id: line.id, item: item.id, variant: variant.id, name: item.name, variant_name: variant.name, quantity: line.quantity, choices, note: line.note, unit_minor: unit, total_minor: unit * line.quantity }
    })
  const shown = (order) => ({ ...order, now: Date.now() })

  function quote(body) {
    const lines = priced(body.lines)
    const off = body.lines.findIndex(({ item }) => relay.soldOut.includes(item))
    if (off >= 0) return problem(409, 'sold_out', 'sold out', { field: `lines[${off}]` })
    const charges = { packaging_minor: 0, service_minor: 0, delivery_minor: body.fulfilment === 'delivery' ? relay.deliveryMinor : 0, tip_minor: body.tip_minor }
    const total = lines.reduce((sum, line) => sum + line.total_minor, 0) + charges.delivery_minor + charges.tip_minor
    const id = `quote-${quotes.size + 1}`
    quotes.set(id, { lines, charges, total, until: Date.now() + relay.quoteMs })
    return [201, { quote: id, lines, charges, total_minor: total, currency: 'USD', expires_at: Date.now() + relay.quoteMs, minutes_min: 30, minutes_max: 40, now: Date.now() }]
  }

  function place(body) {
    const before = relay.orders.get(body.id)
    const asked = quotes.get(body.quote)
    if (before) return asked && JSON.stringify(asked.lines) !== JSON.stringify(before.lines) ? problem(409, 'same_id_other_cart') : [200, shown(before)]
    if (!asked || asked.until < Date.now()) return problem(409, 'quote_expired')
    if (body.card.token === 'tok_declined') return problem(402, 'declined')
    if (relay.pendingTimes > 0) {
      relay.pendingTimes -= 1
      return [202, {}]
    }
    relay.payments.push(body.payment)
    relay.placed += 1
    const at = Date.now()
    const order = {
      id: body.id, site: SITE, site_name: 'Pizzeria Pilota', number: null, also: [], status: 'ORDER_PLACED', placed_at: at, lines: asked.lines, charges: asked.charges, total_minor: asked.total, currency: 'USD',
      history: [{ to: 'ORDER_PLACED', at, why: '' }], held: null, refunds: [], refunded_minor: 0, captured_minor: 0, delivery: null, can_cancel: true, instructions: null, ready_not_before: null, address: null, contact: null, amendments: [], can_amend: true,
      steps: ['placed', 'confirmed', 'preparing', 'on_the_way', 'completed'].map((step, index) => ({ step, at: index === 0 ? at : null, eta_min_at: index === 1 ? at + MIN : null, eta_max_at: index === 1 ? at + 3 * MIN : null })),
    }
    relay.orders.set(order.id, order)
    return [201, shown(order)]
  }

  function cancel(order, body) {
    if (body.expected_refund_minor !== relay.refundMinor) return problem(409, 'refund_changed')
    const at = Date.now()
    Object.assign(order, { status: 'CANCELLED', can_cancel: false, refunds: [{ amount_minor: relay.refundMinor, at, state: 'sent', why: body.why }] })
    order.history.push({ to: 'CANCELLED', at, why: body.why })
    return [200, shown(order)]
  }

  const NEXT = { accept: 'to_store', decline: 'waiting', 'at-store': 'at_store', 'picked-up': 'to_customer', delivered: 'waiting', failed: 'waiting' }
  function ride(word) {
    relay.riderCalls.push(word)
    relay.task = { state: NEXT[word], delivery: NEXT[word] === 'waiting' ? null : relay.task.delivery }
    return [200, { ...relay.task, now: Date.now() }]
  }

  function answer(method, path, body, signed) {
    const parts = path.split('/').slice(3)
    const [first, second, third] = parts
    if (method === 'GET' && first === 'restaurants' && !second) {
      return [200, { restaurants: [{ site: SITE, name: 'Pizzeria Pilota', distance_m: 620, open: true, open_reason: null, minutes_min: 30, minutes_max: 40, delivery_fee_minor: relay.deliveryMinor, currency: 'USD', intake: { paused_until: null, busy_minutes: 0, busy_until: null } }] }]
    }
    if (third === 'menu') return [200, { menu: MENU, availability: { unavailable: relay.soldOut.map((item) => ({ item, variant: null, option: null, reason: 'sold_out', until: null })) } }]
    if (method === 'POST' && (path.endsWith('/customers') || path.endsWith('/customers/guest') || path.endsWith('/v1/sessions'))) {
      if (body.password === 'wrong') return problem(401, 'wrong_credentials', 'E-mail or password is not right.')
      return [201, { customer: { id: 'c', name: body.name ?? 'Ana', guest: path.endsWith('guest') }, token: 'customer-token' }]
    }
    if (method === 'POST' && (path.endsWith('/v1/riders') || path.endsWith('/rider/sessions'))) return [201, { rider: { id: 'r', name: body.name ?? 'Kofi' }, token: 'rider-token' }]
    if (!signed) return problem(401, 'unauthorised')
    if (third === 'quotes') return quote(body)
    if (first === 'restaurants' && third === 'orders') return place(body)
    if (first === 'orders' && !second) return [200, { orders: [...relay.orders.values()].map(shown).reverse() }]
    if (first === 'orders') {
      const order = relay.orders.get(second)
      if (!order) return problem(404, 'unknown_order')
      if (third === 'cancel-preview') return [200, { refund_minor: relay.refundMinor, rule: '70 % of the food within 10 minutes.', expires_at: Date.now() + MIN }]
      if (third === 'cancel') return cancel(order, body)
      return [200, shown(order)]
    }
    if (first === 'rider') {
      if (second === 'shift') relay.task = { state: body.on ? 'waiting' : 'off', delivery: null }
      if (second === 'offers' || second === 'deliveries') return ride(parts[3])
      return [200, { ...relay.task, now: Date.now() }]
    }
    return problem(404, 'not_found')
  }

  const server = await serveDist((request, response) => {
    const parts = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      if (relay.away) {
        response.socket.destroy()
        return
      }
      const path = new URL(request.url, 'http://local').pathname
      const text = Buffer.concat(parts).toString()
      const [status, body] = answer(request.method, path, text === '' ? {} : JSON.parse(text), request.headers.authorization !== undefined)
      response.writeHead(status, { 'content-type': status >= 400 ? 'application/problem+json' : 'application/json' })
      response.end(JSON.stringify(body))
    })
  })
  return Object.assign(relay, {
    url: server.url,
    close: server.close,
    expireQuotes: () => quotes.clear(),
    home: HOME,
    /** Offers the rider a trip that stands for so long. */
    offer(ms = 30_000) {
      relay.task = {
        state: 'offer',
        delivery: {
          order: 'o1', number: 'A042', also: [], restaurant: { name: 'Pizzeria Pilota', lat: 52.526, lon: 13.39 }, items: 3, ready_at: Date.now() + 5 * MIN, expires_at: Date.now() + ms, earn_minor: 450, currency: 'USD',
          customer: { name: 'Ana', phone: '030 1234', address: { street: 'Linienstraße 12', city: 'Berlin', ...HOME, note: 'ring twice' } },
        },
      }
    },
  })
}
