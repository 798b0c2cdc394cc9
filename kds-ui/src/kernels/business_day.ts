// The business day of a restaurant: from its roll-over hour to the next, in the restaurant's own zone.

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** As the node's default: guests of a late evening belong to that evening. */
export const ROLL_OVER_HOUR = 4

/** How far the zone's clock is ahead of UTC at this time. */
export function zoneOffset(at: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en', { timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' }).formatToParts(at)
  const part = (type: string) => Number(parts.find((each) => each.type === type)?.value ?? 0)
  const wall = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
  return wall - Math.floor(at / 1000) * 1000
}

/** When the business day that holds this time began. */
export function dayStart(now: number, timeZone: string, rollOverHour = ROLL_OVER_HOUR): number {
  const wall = now + zoneOffset(now, timeZone)
  const start = Math.floor((wall - rollOverHour * HOUR_MS) / DAY_MS) * DAY_MS + rollOverHour * HOUR_MS
  // The offset of the start itself: a clock change may lie between.
  const guess = start - zoneOffset(now, timeZone)
  return start - zoneOffset(guess, timeZone)
}

export type HourSum = { sold: number; orders: number }

/** What was sold in each hour since `start`; hours with nothing are there too. */
export function hourly(orders: readonly { at: number; minor: number }[], start: number, hours = 24): HourSum[] {
  const sums = Array.from({ length: hours }, () => ({ sold: 0, orders: 0 }))
  for (const order of orders) {
    const sum = sums[Math.floor((order.at - start) / HOUR_MS)]
    if (!sum || order.at < start) continue
    sum.sold += order.minor
    sum.orders += 1
  }
  return sums
}

export type Span = { from: number; to: number }

/** The hours to draw: from the first with a sale, or four before now, to the one that runs. Never more than the day. */
export function shownHours(sums: readonly HourSum[], start: number, now: number): Span {
  const running = Math.max(0, Math.min(sums.length - 1, Math.floor((now - start) / HOUR_MS)))
  const first = sums.findIndex(({ orders }) => orders > 0)
  return { from: Math.max(0, Math.min(first < 0 ? running : first, running - 4)), to: running + 1 }
}

/** Where a time lies between the drawn hours, 0 to 1. */
export function placeOf(at: number, start: number, hours: Span): number {
  const from = start + hours.from * HOUR_MS
  const length = (hours.to - hours.from) * HOUR_MS
  return Math.min(1, Math.max(0, (at - from) / length))
}
