// What the owner sees, computed from the day's orders, the board, the stock and the uplink: pure.
import type { BoardOrderJson, ChannelJson, IngredientJson, MenuValueJson, OrderJson, StatusJson } from '../../generated/api'
import type { HourSum, Span } from '../../kernels/business_day'
import { hourly, placeOf, shownHours } from '../../kernels/business_day'
import { age } from '../../kernels/ticket_age'
import { unreachable } from '../../kernels/unreachable'
import type { Link } from '../../live/link'
import type { UplinkJson } from '../../generated/api'
import type { Words } from '../../words'

// ---- the one line about link and safety

export type Safety = { tone: 'good' | 'calm' | 'person'; text: string; action: 'pair' | null }

export type SafetyAsked = {
  link: Link
  /** Since when the node is silent; null while it is not. */
  lostAt: number | null
  uplink: UplinkJson | null
  now: number
}

/** A blink of the network is not news. */
const NEWS_AFTER_MS = 2_000

export function safety(asked: SafetyAsked, clock: (at: number) => string, w: Words): Safety {
  const { link, lostAt, uplink, now } = asked
  const o = w.owner
  if (link.state === 'refused') return { tone: 'person', text: o.unpaired, action: 'pair' }
  if (link.state !== 'live' && lostAt !== null && now - lostAt >= NEWS_AFTER_MS) return { tone: 'calm', text: o.away(clock(lostAt)), action: null }
  if (uplink === null) return { tone: 'good', text: o.unknown, action: null }
  switch (uplink.state) {
    case 'none':
      return { tone: 'good', text: o.alone(uplink.safe_on), action: null }
    case 'online':
      // Connected, and still something is wrong: the relay has another log of this node's.
      if (uplink.why) return { tone: 'person', text: uplink.why.charAt(0).toLocaleUpperCase() + uplink.why.slice(1), action: null }
      return { tone: 'good', text: uplink.waiting_commits > 0 ? `${o.onlineWaiting(uplink.waiting_commits)} · ${o.safeOn(uplink.safe_on)}` : o.online(uplink.safe_on), action: null }
    case 'connecting':
      return { tone: 'calm', text: `${o.connecting(uplink.waiting_commits)}. ${o.offlineWorks}`, action: null }
    case 'offline': {
      const since = uplink.since ?? uplink.last_online ?? null
      const first = since === null ? '' : `${o.offline(clock(since))} `
      return { tone: 'calm', text: `${first}${o.offlineWorks} ${o.offlineWaits(uplink.waiting_commits)} ${o.safeOn(uplink.safe_on)}.`, action: null }
    }
    default:
      return unreachable(uplink.state)
  }
}

// ---- outages that this phone saw

export type Outage = { from: number; to: number | null }

const OUTAGES_MAX = 50

/** A restaurant that works alone: no relay was ever enrolled. */
export const NO_UPLINK: UplinkJson = { state: 'none', relay_url: null, since: null, waiting_commits: 0, safe_on: 1, last_online: null, why: null }

/** Takes the uplink's newest state into the list of outages. */
export function noteOutage(outages: readonly Outage[], uplink: UplinkJson, now: number): readonly Outage[] {
  const last = outages[outages.length - 1]
  const open = last !== undefined && last.to === null
  switch (uplink.state) {
    case 'none':
      return outages
    case 'online':
      return open ? [...outages.slice(0, -1), { from: last.from, to: Math.max(last.from, uplink.since ?? now) }] : outages
    case 'connecting':
    case 'offline': {
      // Connecting again and again is one outage: from the last time it was online.
      if (open || (uplink.state === 'connecting' && uplink.last_online == null)) return outages
      return [...outages, { from: uplink.last_online ?? uplink.since ?? now, to: null }].slice(-OUTAGES_MAX)
    }
    default:
      return unreachable(uplink.state)
  }
}

// ---- sales

export type Bar = { hour: number; sold: number; orders: number; /** Of the tallest. */ part: number; before: number | null; beforePart: number | null; running: boolean }
export type Shade = { from: number; to: number; start: number; end: number }

export type Sales = {
  count: number
  soldMinor: number
  averageMinor: number
  cancelled: number
  bars: Bar[]
  shades: Shade[]
  /** What was sold yesterday up to this time of day; null without data. */
  beforeByNowMinor: number | null
}

export function counts(status: StatusJson): boolean {
  return status !== 'CANCELLED' && status !== 'REFUNDED'
}

export function sales(orders: readonly OrderJson[], start: number, now: number, outages: readonly Outage[], before: readonly HourSum[] | null): Sales {
  const sold = orders.filter((order) => counts(order.status))
  const sums = hourly(sold.map((order) => ({ at: order.placed_at, minor: order.total_minor })), start)
  const hours = shownHours(sums, start, now)
  const shownBefore = before && before.some((each) => each.sold > 0) ? before : null
  const soldMinor = sold.reduce((sum, order) => sum + order.total_minor, 0)
  return {
    count: sold.length,
    soldMinor,
    averageMinor: sold.length === 0 ? 0 : Math.round(soldMinor / sold.length),
    cancelled: orders.length - sold.length,
    bars: barsOf(sums, shownBefore, start, hours),
    shades: shadesOf(outages, start, now, hours),
    beforeByNowMinor: shownBefore === null ? null : byNow(shownBefore, start, now),
  }
}

const HOUR_MS = 3_600_000

function barsOf(sums: readonly HourSum[], before: readonly HourSum[] | null, start: number, hours: Span): Bar[] {
  const shown = sums.slice(hours.from, hours.to)
  const then = before?.slice(hours.from, hours.to) ?? []
  const most = Math.max(1, ...shown.map(({ sold }) => sold), ...then.map(({ sold }) => sold))
  return shown.map((sum, index) => {
    const was = then[index]?.sold ?? null
    return {
      hour: start + (hours.from + index) * HOUR_MS,
      sold: sum.sold,
      orders: sum.orders,
      part: sum.sold / most,
      before: was,
      beforePart: was === null ? null : was / most,
      running: index === shown.length - 1,
    }
  })
}

function shadesOf(outages: readonly Outage[], start: number, now: number, hours: Span): Shade[] {
  const first = start + hours.from * HOUR_MS
  return outages
    .map(({ from, to }) => ({ from, to: to ?? now }))
    .filter(({ from, to }) => to > first && from < now && to > from)
    .map(({ from, to }) => ({ from, to, start: placeOf(from, start, hours), end: placeOf(to, start, hours) }))
}

/** The running hour counts as far as it has gone. */
function byNow(sums: readonly HourSum[], start: number, now: number): number {
  const gone = (now - start) / HOUR_MS
  return Math.round(sums.reduce((sum, each, index) => sum + each.sold * Math.min(1, Math.max(0, gone - index)), 0))
}

// ---- what needs a decision

export type Decision =
  | { what: 'waiting' | 'wishes' | 'conflicts'; key: string; count: number }
  | { what: 'late'; key: string; station: string; late: number; oldestMinutes: number }
  | { what: 'out'; key: string; name: string }
  | { what: 'low'; key: string; name: string; left: string; percent: number }

/** What waits for somebody's word, by how many: each has a card of its own further down. */
export type Asked = { waiting: number; wishes: number; conflicts: number }

export function decisions(board: Iterable<BoardOrderJson>, stock: readonly StockRow[], stationName: (key: string) => string, now: number, asked: Asked): Decision[] {
  const late = new Map<string, { late: number; oldestMinutes: number }>()
  for (const order of board) {
    for (const ticket of order.tickets) {
      if (ticket.phase !== 'queued' && ticket.phase !== 'started') continue
      const { state, overMinutes } = age(order.start_at, ticket.estimate_s, now)
      if (state !== 'late') continue
      const before = late.get(ticket.station) ?? { late: 0, oldestMinutes: 0 }
      late.set(ticket.station, { late: before.late + 1, oldestMinutes: Math.max(before.oldestMinutes, overMinutes) })
    }
  }
  const stations: Decision[] = [...late]
    .sort(([, a], [, b]) => b.oldestMinutes - a.oldestMinutes)
    .map(([station, each]) => ({ what: 'late', key: `late ${station}`, station: stationName(station), ...each }))
  const out: Decision[] = stock.filter(({ mark }) => mark === 'out').map(({ id, name }) => ({ what: 'out', key: `out ${id}`, name }))
  const low: Decision[] = stock.filter(({ mark }) => mark === 'low').map(({ id, name, left, percent }) => ({ what: 'low', key: `low ${id}`, name, left, percent }))
  const asks = (...what: (keyof Asked)[]): Decision[] => what.filter((each) => asked[each] > 0).map((each) => ({ what: each, key: each, count: asked[each] }))
  // A guest waits for the first, nobody for the menu.
  return [...asks('waiting', 'wishes'), ...stations, ...asks('conflicts'), ...out, ...low]
}

// ---- orders

export type OrderRow = { id: string; number: string | null; also: readonly string[]; status: StatusJson; channel: ChannelJson; totalMinor: number; currency: string; placedAt: number }

/** The newest first; the board's word is newer than the list's. */
export function orderRows(orders: readonly OrderJson[], board: ReadonlyMap<string, BoardOrderJson>, sought: string): OrderRow[] {
  const wanted = sought.trim().toLocaleUpperCase().replace(/^#/, '')
  return orders
    .map((order) => {
      const shown = board.get(order.id)
      return { id: order.id, number: shown?.number ?? order.number, also: shown?.also ?? order.also, status: shown?.status ?? order.status, channel: order.channel, totalMinor: order.total_minor, currency: order.currency, placedAt: order.placed_at }
    })
    .filter(({ number, also }) => wanted === '' || [number, ...also].some((one) => matches(one, wanted)))
    .sort((a, b) => b.placedAt - a.placedAt || (a.id < b.id ? 1 : -1))
}

/** `42` finds A042, and so does `a42`. */
function matches(number: string | null, wanted: string): boolean {
  if (number === null) return false
  if (number.includes(wanted)) return true
  const parts = /^([A-Z]*?)0*(\d+)$/.exec(wanted)
  const own = /^([A-Z]+)0*(\d+)$/.exec(number)
  return parts !== null && own !== null && (parts[1] === '' || parts[1] === own[1]) && parts[2] === own[2]
}

// ---- the menu

/** A field's value as people read it: its words, or each size with its price. */
export function conflictText(value: MenuValueJson, price: (minor: number) => string): string {
  if (value.prices.length === 0) return value.text
  return value.prices.map(({ name, price_minor }) => `${name} ${price(price_minor)}`.trim()).join(', ')
}

// ---- stock

export type StockMark = 'out' | 'low' | 'fine' | 'not_enforced'
export type StockRow = { id: string; name: string; left: string; held: string | null; uncounted: string | null; missing: string | null; mark: StockMark; percent: number }

/** Below this share of what was there an ingredient is low. */
const LOW_PERCENT = 15

export function stockRows(ingredients: readonly IngredientJson[], language: string): StockRow[] {
  const rows = ingredients.map((each) => {
    const all = each.rights + each.held + each.used
    const percent = all <= 0 ? 0 : Math.max(0, Math.round((each.rights / all) * 100))
    const mark: StockMark = !each.enforced ? 'not_enforced' : each.rights <= 0 ? 'out' : percent < LOW_PERCENT ? 'low' : 'fine'
    const some = (n: number) => (n > 0 ? amount(n, each.unit, language) : null)
    return { id: each.id, name: each.name, left: amount(each.rights, each.unit, language), held: some(each.held), uncounted: some(each.uncounted), missing: some(each.missing), mark, percent }
  })
  const order: readonly StockMark[] = ['out', 'low', 'fine', 'not_enforced']
  return rows.sort((a, b) => order.indexOf(a.mark) - order.indexOf(b.mark) || a.name.localeCompare(b.name, language))
}

/** `850 g`, `12.4 kg`, `3 pc`. */
export function amount(n: number, unit: string, language: string): string {
  const large = unit === 'g' ? 'kg' : unit === 'ml' ? 'l' : null
  if (large !== null && Math.abs(n) >= 1_000) return `${new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(n / 1_000)} ${large}`
  return `${new Intl.NumberFormat(language).format(n)} ${unit}`
}
