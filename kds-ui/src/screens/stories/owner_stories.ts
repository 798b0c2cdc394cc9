// The owner's phone in every state.
import type { DayReportJson, IngredientJson, OrderJson, TillJson, TotalsJson } from '../../generated/api'
import { dayStart, hourly } from '../../kernels/business_day'
import { indexMenu, NOTHING_SOLD_OUT, soldOut } from '../../kernels/menu_index'
import { seeded } from '../../kernels/picture'
import type { Words } from '../../words'
import { dayCard } from '../owner/day'
import type { Outage, Safety } from '../owner/model'
import { decisions, orderRows, safety, sales, stockRows, NO_UPLINK } from '../owner/model'
import type { OwnerProps } from '../owner/View.svelte'
import OwnerView from '../owner/View.svelte'
import * as f from './fixtures'
import { nothing, story } from './story'

const ZONE = 'UTC'
const START = dayStart(f.NOW, ZONE)
const HOUR = 3_600_000
const clock = (at: number) => new Date(at).toISOString().slice(11, 16)

/** A day from eleven, with a lunch and an evening. */
function day(count: number, from = START + 7 * HOUR): OrderJson[] {
  return Array.from({ length: count }, (_, index) => {
    const random = seeded(`day ${index}`)
    const hour = random() < 0.35 ? random() * 3 : 5 + random() * 3.7
    const placed_at = Math.min(f.NOW - 20_000, Math.round(from + hour * HOUR))
    const status = (['COMPLETED', 'COMPLETED', 'COMPLETED', 'PREPARING', 'READY_FOR_PICKUP', 'CANCELLED', 'OUT_FOR_DELIVERY'] as const)[Math.floor(random() * 7)] ?? 'COMPLETED'
    const total = 900 + Math.floor(random() * 5_200)
    return {
      ...f.placed('', total),
      id: `o${index}`,
      placed_at,
      status: f.NOW - placed_at > 2 * HOUR && status !== 'CANCELLED' ? 'COMPLETED' : status,
      channel: (['kiosk', 'counter', 'cloud', 'phone'] as const)[Math.floor(random() * 4)] ?? 'kiosk',
      number: null,
      total_minor: total,
      paid_minor: total,
      due_minor: 0,
      safe_on: 2,
    } satisfies OrderJson
  })
    .sort((a, b) => a.placed_at - b.placed_at)
    .map((order, index) => ({ ...order, number: `A${String(index + 1).padStart(3, '0')}` }))
}

const ingredient = (name: string, unit: string, rights: number, held: number, used: number, enforced = true): IngredientJson => ({ id: name, name, unit, rights, held, used, enforced, uncounted: 0, missing: 0 })
const STOCK: IngredientJson[] = [
  ingredient('Mozzarella', 'g', 1_850, 600, 14_200),
  ingredient('Tomato sauce', 'ml', 9_400, 300, 6_100),
  ingredient('Basil', 'g', 0, 40, 460),
  ingredient('Dough balls', 'pc', 64, 6, 118),
  ingredient('Ham', 'g', 3_200, 0, 2_900),
  ingredient('Pineapple', 'g', 2_100, 0, 1_050),
  ingredient('Napkins', 'pc', 400, 0, 600, false),
]

const WASTED: IngredientJson[] = STOCK.map((each, index) => ({ ...each, uncounted: index % 2 === 0 ? 0 : 1_250, missing: index % 3 === 0 ? 480 : 0 }))

const DRAWER = { opened_by: 'staff', opened_at: START + 6 * HOUR, float_minor: 15_000, taken_minor: 48_250, in_minor: 0, out_minor: 20_000, expected_minor: 43_250, counted_minor: null, ended_at: null, day: 212 }
const TILL: TillJson = {
  keeper: { origin: 'node', letters: 'A', here: true },
  closable: { number: 212, date: 20261121, closes_at: START + 30 * HOUR, overdue: false },
  shifts: [
    { ...DRAWER, id: 's1', drawer: 'Front', node: 'A', here: true },
    { ...DRAWER, id: 's2', drawer: 'Bar', node: 'B', here: false, counted_minor: 43_200, ended_at: f.NOW - HOUR },
  ],
  closed: [
    { number: 211, date: 20261120, closed_at: START, sales_minor: 312_480, over_minor: -50 },
    { number: 210, date: 20261119, closed_at: START - 24 * HOUR, sales_minor: 228_110, over_minor: 0 },
  ],
  held: [],
}
const OVERDUE = { number: 208, date: 20261117, closes_at: START - 62 * HOUR, overdue: true }
const NO_TILL: TillJson = { ...TILL, closable: null, shifts: [], closed: [] }
const TOTALS: TotalsJson = { orders: 148, cancelled: 3, sales_minor: 312_480, tax_minor: 20_443, tips_minor: 4_100, voids: 9, voids_minor: 8_240, payments: 151, till_minor: 214_300, online_minor: 98_180, refunds_minor: 1_250 }
const NOTHING_SUMMED: TotalsJson = { orders: 0, cancelled: 0, sales_minor: 0, tax_minor: 0, tips_minor: 0, voids: 0, voids_minor: 0, payments: 0, till_minor: 0, online_minor: 0, refunds_minor: 0 }
const LINE = { drawer: 'Front', node: 'A', day: 211, float_minor: 15_000, taken_minor: 48_250, in_minor: 0, out_minor: 20_000, expected_minor: 43_250, counted_minor: 43_200 }
const REPORT: DayReportJson = {
  number: 211,
  date: 20261120,
  totals: TOTALS,
  late: [{ day: 210, changed: 2, totals: { ...NOTHING_SUMMED, payments: 2, till_minor: 4_350 } }],
  shifts: [LINE, { ...LINE, drawer: 'Bar', node: 'B', counted_minor: 43_250 }],
  close: { closed_at: f.NOW, by: 'staff', node: 'node', report: '7c0e4f5a-31d2-4b52-9a0c-5f2f0a1b2c3d', bytes: '', signature: '' },
  void: 0,
}

function owner(orders: OrderJson[], w: Words, more: Partial<OwnerProps> & { outages?: Outage[]; before?: boolean; board?: boolean } = {}): OwnerProps {
  const { outages = [], before = true, board = true, ...rest } = more
  const stock = stockRows(STOCK, w.language)
  const onBoard = board ? f.oneOfEach() : []
  const yesterday = before ? hourly(day(150, START - 24 * HOUR + 7 * HOUR).map((order) => ({ at: order.placed_at - (order.placed_at > START ? 24 * HOUR : 0), minor: order.total_minor })), START - 24 * HOUR) : null
  return {
    w,
    site: 'Pizzeria Pilota',
    now: f.NOW,
    timeZone: ZONE,
    currency: 'USD',
    safety: told(w, { ...NO_UPLINK, state: 'online', safe_on: 2, waiting_commits: 0 }),
    sales: sales(orders, START, f.NOW, outages, yesterday),
    partial: null,
    decisions: decisions(onBoard, stock, (key) => f.MENU.stations.find(({ id }) => id === key)?.name ?? key, f.NOW, { waiting: more.online?.waiting.length ?? 0, wishes: more.online?.requests.length ?? 0, conflicts: more.conflicts?.length ?? 0 }),
    orders: orderRows(orders, new Map(), ''),
    sought: '',
    shown: 6,
    stock,
    others: [],
    till: dayCard(TILL),
    conflicts: [],
    menu: indexMenu(f.MENU),
    soldOut: soldOut(f.SOME_SOLD_OUT),
    online: f.OPEN_ONLINE,
    sending: new Set(),
    panel: { open: 'none' },
    toasts: [],
    problem: null,
    person: null,
    on: { seek: nothing, more: nothing, open: nothing, panel: nothing, eightySix: nothing, takeOver: nothing, keep: nothing, intake: nothing, decide: nothing, answer: nothing, cash: nothing, report: nothing, closeDay: nothing, pair: nothing, theme: nothing, signOut: nothing, dismiss: nothing },
    ...rest,
  }
}

function told(w: Words, uplink: Parameters<typeof safety>[0]['uplink'], lostAt: number | null = null): Safety {
  const link = lostAt === null ? ({ state: 'live', since: 0, heardAt: 0, pingedAt: 0 } as const) : ({ state: 'waiting', attempt: 2, until: f.NOW, lostAt } as const)
  return safety({ link, lostAt, uplink, now: f.NOW }, clock, w)
}

const OUTAGE: Outage = { from: f.NOW - 34 * 60_000, to: null }
const offline = (w: Words): Partial<OwnerProps> & { outages: Outage[] } => ({
  safety: told(w, { ...NO_UPLINK, state: 'offline', since: OUTAGE.from, safe_on: 1, waiting_commits: 118 }),
  outages: [{ from: START + 8.2 * HOUR, to: START + 8.9 * HOUR }, OUTAGE],
})
const LONG = 'Mediterranean with Roasted Peppers, Artichokes and Kalamata Olives'
const one = (): OrderJson => ({
  ...f.placed('A042', 5_620),
  status: 'PREPARING',
  paid_minor: 0,
  note: 'Nut allergy',
  safe_on: 2,
  history: [
    { from: null, to: 'ORDER_PLACED', who: 'device', why: 'placed at the kiosk', at: f.NOW - 500_000 },
    { from: 'ORDER_PLACED', to: 'ORDER_CONFIRMED', who: 'system', why: '', at: f.NOW - 500_000 },
    { from: 'ORDER_CONFIRMED', to: 'PREPARING', who: 'device', why: 'started at Pizza', at: f.NOW - 300_000 },
  ],
  lines: f.placed('A042', 5_620).lines.map((line, index) => ({
    ...line,
    choices: index === 0 ? [{ group: 'g', option: 'o', name: 'Extra basil', count: 2, price_minor: 160, removal: false }, { group: 'g', option: 'p', name: 'no garlic', count: 1, price_minor: 0, removal: true }] : [],
    voided: index === 1 ? { who: 'staff', why: 'guest changed their mind', at: f.NOW } : null,
  })),
})

export const ownerStories = [
  story('owner-full', 'phone', 'light', OwnerView, (w) => owner(day(96), w)),
  story('owner-full-dark', 'phone', 'dark', OwnerView, (w) => owner(day(96), w, { person: 'Mei-Ling' })),
  story('owner-tablet', 'tablet', 'light', OwnerView, (w) => owner(day(96), w, { shown: 14 })),
  story('owner-empty', 'phone', 'light', OwnerView, (w) => ({ ...owner([], w, { board: false, before: false, soldOut: NOTHING_SOLD_OUT, safety: told(w, { ...NO_UPLINK, state: 'none', safe_on: 1, waiting_commits: 0 }) }), decisions: [], stock: [], till: dayCard(NO_TILL) })),
  story('owner-loading', 'phone', 'light', OwnerView, (w) => ({ ...owner([], w), safety: told(w, null), sales: null, decisions: null, orders: null, stock: null, till: null })),
  story('owner-conflicts', 'phone', 'light', OwnerView, (w) => owner(day(40), w, { conflicts: f.MENU_CONFLICTS })),
  story('owner-conflicts-dark', 'phone', 'dark', OwnerView, (w) => owner(day(40), w, { conflicts: f.MENU_CONFLICTS, sending: new Set(['i2']) })),
  story('owner-conflicts-tablet', 'tablet', 'light', OwnerView, (w) => owner(day(40), w, { conflicts: f.MENU_CONFLICTS, online: f.LATE_ONLINE })),
  story('owner-late-online', 'phone', 'light', OwnerView, (w) => owner(day(40), w, { online: f.LATE_ONLINE })),
  story('owner-paused', 'phone', 'light', OwnerView, (w) => owner(day(40), w, { online: f.PAUSED_ONLINE })),
  story('owner-paused-dark', 'phone', 'dark', OwnerView, (w) => owner(day(40), w, { online: f.PAUSED_ONLINE, sending: new Set(['online']) })),
  story('owner-offline', 'phone', 'light', OwnerView, (w) => owner(day(96), w, offline(w))),
  story('owner-away', 'phone', 'light', OwnerView, (w) => owner(day(96), w, { safety: told(w, null, f.NOW - 240_000) })),
  story('owner-connecting', 'phone', 'dark', OwnerView, (w) => owner(day(40), w, { safety: told(w, { ...NO_UPLINK, state: 'connecting', safe_on: 1, waiting_commits: 12 }) })),
  story('owner-unpaired', 'phone', 'light', OwnerView, (w) => owner(day(40), w, { safety: { tone: 'person', text: w.owner.unpaired, action: 'pair' } })),
  story('owner-problem', 'phone', 'light', OwnerView, (w) => owner(day(40), w, { problem: `Margherita: ${w.awayNothingChanged}` })),
  story('owner-asked', 'phone', 'light', OwnerView, (w) => owner(day(40), w, { problem: w.owner.ownerAsked })),
  story('owner-undo', 'phone', 'light', OwnerView, (w) => owner(day(40), w, { toasts: [{ id: 't', text: w.eightySixOff(LONG), undo: nothing }] })),
  story('owner-search', 'phone', 'light', OwnerView, (w) => ({ ...owner(day(96), w), sought: '999', orders: [] })),
  story('owner-order', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { panel: { open: 'order', id: 'o', order: one(), log: f.MERGED_LOG } })),
  story('owner-order-long-log', 'phone', 'dark', OwnerView, (w) => owner(day(4), w, { panel: { open: 'order', id: 'o', order: one(), log: f.LONG_LOG } })),
  story('owner-order-tablet', 'tablet', 'light', OwnerView, (w) => owner(day(4), w, { panel: { open: 'order', id: 'o', order: one(), log: f.MERGED_LOG } })),
  story('owner-order-no-log', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { panel: { open: 'order', id: 'o', order: one(), log: 'away' } })),
  story('owner-eighty-six', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { panel: { open: 'eighty_six' } })),
  story('owner-drawer', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { panel: { open: 'drawer' } })),
  story('owner-count', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { panel: { open: 'count', shift: { id: 's1', drawer: LONG, node: null, here: true, expectedMinor: 43_250, countedMinor: null, overMinor: null } } })),
  story('owner-day-report', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { panel: { open: 'day', number: 211, report: REPORT, closing: false } })),
  story('owner-day-void', 'phone', 'dark', OwnerView, (w) => owner(day(4), w, { panel: { open: 'day', number: 211, report: { ...REPORT, void: 1 }, closing: false } })),
  story('owner-day-again', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { panel: { open: 'day', number: 211, report: { ...REPORT, void: 2, close: null, late: [] }, closing: true } })),
  story('owner-day-close', 'phone', 'dark', OwnerView, (w) => owner(day(4), w, { panel: { open: 'day', number: 212, report: { ...REPORT, number: 212, date: 20261121, close: null, late: [] }, closing: true } })),
  story('owner-other-keeper', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { till: dayCard({ ...TILL, keeper: { origin: 'bar', letters: 'B', here: false }, shifts: [] }) })),
  // What branches sold was not there, waste was booked that nobody counted, and a machine under this one's letters is off.
  story('owner-stock', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { stock: stockRows(WASTED, w.language), others: [{ origin: 'old', letters: 'B', ended: false }] })),
  story('owner-day-overdue', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { till: dayCard({ ...TILL, shifts: [], closable: OVERDUE }) })),
  story('owner-day-overdue-elsewhere', 'phone', 'dark', OwnerView, (w) => owner(day(4), w, { till: dayCard({ ...TILL, shifts: [], closable: OVERDUE, keeper: { origin: 'bar', letters: 'B', here: false }, held: ['B', 'ACV'] }) })),
  story('owner-day-held', 'phone', 'light', OwnerView, (w) => owner(day(4), w, { till: dayCard({ ...TILL, held: ['B'] }) })),
  story('owner-long-names', 'phone', 'light', OwnerView, (w) => ({
    ...owner(day(40), w),
    site: `Trattoria ${LONG}`,
    sales: sales(day(96).map((order) => ({ ...order, total_minor: order.total_minor * 9_000 })), START, f.NOW, [], null),
    stock: stockRows(STOCK.map((each) => ({ ...each, name: `${each.name} from the farm down the road, ${LONG}` })), w.language),
  })),
  story('owner-rtl', 'phone', 'light', OwnerView, (w) => owner(day(96), w, offline(w)), { rtl: true }),
  story('owner-text-200', 'phone', 'light', OwnerView, (w) => owner(day(96), w, offline(w))),
]
