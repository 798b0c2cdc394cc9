// Which ticket is first. Ten points a minute of age; equal points go by the time of placing, then by id, so that screens agree.

export type Ranked = { key: string; startAt: number; placedAt: number }

const POINTS_A_MINUTE = 10

export function points(ticket: Ranked, now: number): number {
  return ((now - ticket.startAt) / 60_000) * POINTS_A_MINUTE
}

export function byPriority<T extends Ranked>(tickets: readonly T[], now: number): T[] {
  const scored = tickets.map((ticket) => ({ ticket, points: points(ticket, now) }))
  scored.sort(
    (a, b) =>
      b.points - a.points || a.ticket.placedAt - b.ticket.placedAt || (a.ticket.key < b.ticket.key ? -1 : a.ticket.key > b.ticket.key ? 1 : 0),
  )
  return scored.map((entry) => entry.ticket)
}
