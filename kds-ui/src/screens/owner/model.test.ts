import { describe, expect, it } from 'vitest'
import type { IngredientJson, OrderJson } from '../../generated/api'
import { dayStart, hourly } from '../../kernels/business_day'
import type { UplinkJson } from '../../generated/api'
import { en } from '../../words'
import { NOW, oneOfEach, placed } from '../stories/fixtures'
import type { Asked, Outage, SafetyAsked } from './model'
import { amount, conflictText, decisions, noteOutage, orderRows, safety, sales, stockRows, NO_UPLINK } from './model'

const HOUR = 3_600_000
const START = dayStart(NOW, 'UTC')
const clock = (at: number) => new Date(at).toISOString().slice(11, 16)
const live = { state: 'live', since: 0, heardAt: 0, pingedAt: 0 } as const
const gone = { state: 'waiting', attempt: 1, until: 0, lostAt: 0 } as const
const uplink = (state: UplinkJson['state'], more: Partial<UplinkJson> = {}): UplinkJson => ({ ...NO_UPLINK, state, safe_on: 2, ...more })
const asked = (more: Partial<SafetyAsked>): SafetyAsked => ({ link: live, lostAt: null, uplink: null, now: NOW, ...more })

describe('link and safety in one line', () => {
  it.each<[string, SafetyAsked, string, string]>([
    ['online', asked({ uplink: uplink('online') }), 'good', 'Safe on 2 devices · online'],
    ['online, catching up', asked({ uplink: uplink('online', { waiting_commits: 3 }) }), 'good', 'Online · 3 changes on the way · Safe on 2 devices'],
    ['online, but of two minds', asked({ uplink: uplink('online', { why: 'the relay has other orders' }) }), 'person', 'The relay has other orders'],
    ['alone', asked({ uplink: uplink('none', { safe_on: 1 }) }), 'good', 'Working alone, no cloud set up · safe on 1 device'],
    ['connecting', asked({ uplink: uplink('connecting', { waiting_commits: 1 }) }), 'calm', 'Connecting to the internet · 1 change waits. Kitchen, kiosk and cash work.'],
    ['offline', asked({ uplink: uplink('offline', { since: NOW, waiting_commits: 14, safe_on: 1 }) }), 'calm', 'No internet since 19:42. Kitchen, kiosk and cash work. 14 changes will sync. Safe on 1 device.'],
    ['offline, since nobody knows when', asked({ uplink: uplink('offline', { safe_on: 1 }) }), 'calm', 'Kitchen, kiosk and cash work. Nothing waits to sync. Safe on 1 device.'],
    ['not known yet', asked({}), 'good', 'Asking the node'],
    ['a blink of the network', asked({ link: gone, lostAt: NOW - 1_000, uplink: uplink('online') }), 'good', 'Safe on 2 devices · online'],
    ['the node away', asked({ link: gone, lostAt: NOW - 60_000, uplink: uplink('online') }), 'calm', 'No answer from the node since 19:41. You see what it said then.'],
    ['revoked', asked({ link: { state: 'refused', reason: 'unauthorised' } }), 'person', en.owner.unpaired],
  ])('%s', (_name, situation, tone, text) => expect(safety(situation, clock, en)).toMatchObject({ tone, text }))
})

describe('outages', () => {
  const play = (states: [UplinkJson, number][]) => states.reduce<readonly Outage[]>((list, [state, now]) => noteOutage(list, state, now), [])
  it('last from the loss to the return', () => {
    expect(play([[uplink('online'), 1], [uplink('offline', { since: 5 }), 6], [uplink('connecting', { last_online: 5 }), 7], [uplink('online', { since: 9 }), 10]])).toEqual([{ from: 5, to: 9 }])
  })
  it('are one however often it tries', () => {
    expect(play([[uplink('offline', { since: 5 }), 6], [uplink('connecting'), 7], [uplink('offline', { since: 8 }), 8]])).toEqual([{ from: 5, to: null }])
  })
  it('do not begin with the first connection, nor where there is no cloud', () => {
    expect(play([[uplink('connecting'), 1], [uplink('none'), 2], [uplink('online', { since: 3 }), 3]])).toEqual([])
  })
  it('stay the same list when nothing is new', () => {
    const list = [{ from: 1, to: 2 }]
    expect(noteOutage(list, uplink('online'), 3)).toBe(list)
  })
})

describe('sales', () => {
  const order = (at: number, minor: number, more: Partial<OrderJson> = {}): OrderJson => ({ ...placed('A001', minor), id: `${at}`, placed_at: at, total_minor: minor, ...more })
  const orders = [order(NOW - 3 * HOUR, 1_000), order(NOW - HOUR, 2_000), order(NOW, 500), order(NOW - 1, 9_999, { status: 'CANCELLED' }), order(NOW - 2, 9_999, { status: 'REFUNDED' })]
  it('leave out what was cancelled or paid back', () => expect(sales(orders, START, NOW, [], null)).toMatchObject({ count: 3, soldMinor: 3_500, averageMinor: 1_167, cancelled: 2, beforeByNowMinor: null }))
  it('are nothing on a day without orders', () => expect(sales([], START, NOW, [], null)).toMatchObject({ count: 0, averageMinor: 0 }))
  it('have bars from zero, the tallest full, the last one running', () => {
    const { bars } = sales(orders, START, NOW, [], null)
    expect(bars.map(({ part }) => part)).toEqual([0, 0.5, 0, 1, 0.25])
    expect(bars.map(({ running }) => running)).toEqual([false, false, false, false, true])
  })
  it('stand beside yesterday, as far as the day has gone', () => {
    const before = hourly([{ at: START + 15.5 * HOUR, minor: 4_000 }, { at: START + 14 * HOUR, minor: 1_000 }], START)
    const shown = sales(orders, START, NOW, [], before)
    expect(shown.bars.at(-1)).toMatchObject({ before: 4_000, beforePart: 1, part: 0.125 })
    // 42.5 of the running hour's 60 minutes.
    expect(shown.beforeByNowMinor).toBe(1_000 + Math.round(4_000 * (42.5 / 60)))
    expect(sales(orders, START, NOW, [], hourly([], START)).beforeByNowMinor).toBeNull()
  })
  it('shade the outage, the open one up to now', () => {
    const { shades } = sales(orders, START, NOW, [{ from: START - HOUR, to: START }, { from: NOW - HOUR, to: null }], null)
    expect(shades).toEqual([{ from: NOW - HOUR, to: NOW, start: expect.closeTo(0.742, 3), end: expect.closeTo(0.942, 3) }])
  })
})

describe('what needs a look', () => {
  const NOTHING_ASKED: Asked = { waiting: 0, wishes: 0, conflicts: 0 }
  const ingredient = (name: string, rights: number, used: number, enforced = true): IngredientJson => ({ id: name, name, unit: 'g', rights, held: 0, used, enforced, uncounted: 0, missing: 0 })
  const stock = stockRows([ingredient('Ham', 500, 500), ingredient('Basil', 0, 100), ingredient('Cheese', 1_400, 8_600), ingredient('Napkins', 0, 5, false)], 'en')
  it('marks stock, the worst first', () => expect(stock.map(({ name, mark }) => [name, mark])).toEqual([['Basil', 'out'], ['Cheese', 'low'], ['Ham', 'fine'], ['Napkins', 'not_enforced']]))
  it('names late stations with their oldest ticket, then what is out, then what runs low', () => {
    expect(decisions(oneOfEach(), stock, (key) => key.toUpperCase(), NOW, NOTHING_ASKED)).toEqual([
      { what: 'late', key: 'late pizza', station: 'PIZZA', late: 1, oldestMinutes: 10 },
      { what: 'out', key: 'out Basil', name: 'Basil' },
      { what: 'low', key: 'low Cheese', name: 'Cheese', left: '1.4 kg', percent: 14 },
    ])
  })
  it('names what a guest waits for before all, the menu after what is late, and nothing of which there is none', () => {
    const kinds = (asked: Asked) => decisions(oneOfEach(), stock, (key) => key, NOW, asked).map((each) => ('count' in each ? `${each.what} ${each.count}` : each.what))
    expect(kinds({ waiting: 2, wishes: 1, conflicts: 3 })).toEqual(['waiting 2', 'wishes 1', 'late', 'conflicts 3', 'out', 'low'])
    expect(decisions([], [], (key) => key, NOW, { waiting: 1, wishes: 0, conflicts: 0 })).toEqual([{ what: 'waiting', key: 'waiting', count: 1 }])
    expect(decisions([], [], (key) => key, NOW, NOTHING_ASKED)).toEqual([])
  })
  it.each([
    [850, 'g', '850 g'],
    [12_400, 'g', '12.4 kg'],
    [9_000, 'ml', '9 l'],
    [1_200, 'pc', '1,200 pc'],
  ])('%d %s', (n, unit, text) => expect(amount(n, unit, 'en')).toBe(text))
})

describe('the list of orders', () => {
  const list = ['A042', 'A142', 'B007', null].map((number, index) => ({ ...placed('', 100), id: `o${index}`, number, placed_at: NOW - index * 1_000 }))
  const found = (sought: string) => orderRows(list, new Map(), sought).map(({ number }) => number)
  it.each<[string, (string | null)[]]>([
    ['', ['A042', 'A142', 'B007', null]],
    ['42', ['A042', 'A142']],
    ['a42', ['A042']],
    ['#A042', ['A042']],
    ['7', ['B007']],
    ['C1', []],
  ])('finds %s', (sought, numbers) => expect(found(sought)).toEqual(numbers))
  it('finds an order by every number that was given for it', () => {
    const twice = { ...placed('A036', 100), also: ['ACV002'] }
    for (const sought of ['a36', 'acv2']) expect(orderRows([twice], new Map(), sought)).toMatchObject([{ number: 'A036', also: ['ACV002'] }])
    expect(orderRows([twice], new Map(), 'A037')).toEqual([])
  })
  it('takes the board’s newer word', () => {
    const [board] = oneOfEach()
    if (!board) throw new Error('no board')
    const rows = orderRows([{ ...placed('', 100), id: board.id, number: null }], new Map([[board.id, { ...board, status: 'PREPARING' }]]), '')
    expect(rows[0]).toMatchObject({ number: 'A042', status: 'PREPARING' })
  })
})

describe('w2: a field that was written in two places', () => {
  const value = (text: string, prices: [string, number][]) => ({ choice: 'c', text, prices: prices.map(([name, price_minor]) => ({ name, price_minor })), node: 'A', at: 0 })
  it('reads as its words, or as each size with its price', () => {
    expect(conflictText(value('with olives', []), String)).toBe('with olives')
    expect(conflictText(value('', [['S', 950], ['L', 1450]]), String)).toBe('S 950, L 1450')
    expect(conflictText(value('', [['', 950]]), String)).toBe('950')
  })
})
