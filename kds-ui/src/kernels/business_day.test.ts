import { describe, expect, it } from 'vitest'
import { dayStart, hourly, placeOf, shownHours, zoneOffset } from './business_day'

const at = (text: string) => Date.parse(text)

describe('the business day', () => {
  it.each([
    ['an evening', '2026-11-20T19:42:00Z', 'UTC', '2026-11-20T04:00:00Z'],
    ['after midnight it is still the evening before', '2026-11-21T03:59:59Z', 'UTC', '2026-11-20T04:00:00Z'],
    ['the roll-over itself is the new day', '2026-11-21T04:00:00Z', 'UTC', '2026-11-21T04:00:00Z'],
    ['ahead of UTC', '2026-11-20T19:42:00Z', 'Asia/Kolkata', '2026-11-19T22:30:00Z'],
    ['behind UTC', '2026-11-21T05:00:00Z', 'America/New_York', '2026-11-20T09:00:00Z'],
    ['on the night the clock goes back', '2026-10-25T12:00:00Z', 'Europe/Berlin', '2026-10-25T03:00:00Z'],
    ['on the day before the clock goes back', '2026-10-25T02:30:00Z', 'Europe/Berlin', '2026-10-24T02:00:00Z'],
  ])('%s', (_name, now, zone, start) => expect(new Date(dayStart(at(now), zone)).toISOString()).toBe(new Date(at(start)).toISOString()))
  it('knows how far a zone is ahead', () => {
    expect(zoneOffset(at('2026-11-20T12:00:00.250Z'), 'Asia/Kolkata')).toBe(5.5 * 3_600_000)
    expect(zoneOffset(at('2026-11-20T12:00:00Z'), 'UTC')).toBe(0)
  })
})

describe('sales by hour', () => {
  const start = at('2026-11-20T04:00:00Z')
  const hour = (n: number) => start + n * 3_600_000
  it('adds up each hour and leaves out other days', () => {
    const sums = hourly([{ at: hour(8), minor: 100 }, { at: hour(8) + 59_000, minor: 50 }, { at: hour(9), minor: 7 }, { at: start - 1, minor: 999 }, { at: hour(24), minor: 999 }], start)
    expect(sums.length).toBe(24)
    expect(sums[8]).toEqual({ sold: 150, orders: 2 })
    expect(sums[9]).toEqual({ sold: 7, orders: 1 })
    expect(sums.reduce((sum, each) => sum + each.sold, 0)).toBe(157)
  })
  it('draws from the first sale to the running hour, at least five of them', () => {
    const none = hourly([], start)
    expect(shownHours(none, start, hour(15) + 1)).toEqual({ from: 11, to: 16 })
    expect(shownHours(none, start, start + 1)).toEqual({ from: 0, to: 1 })
    expect(shownHours(hourly([{ at: hour(7), minor: 1 }], start), start, hour(15))).toEqual({ from: 7, to: 16 })
    expect(shownHours(hourly([{ at: hour(15), minor: 1 }], start), start, hour(15))).toEqual({ from: 11, to: 16 })
  })
  it('places a time between the drawn hours', () => {
    expect(placeOf(hour(10), start, { from: 8, to: 12 })).toBe(0.5)
    expect(placeOf(hour(1), start, { from: 8, to: 12 })).toBe(0)
    expect(placeOf(hour(30), start, { from: 8, to: 12 })).toBe(1)
  })
})
