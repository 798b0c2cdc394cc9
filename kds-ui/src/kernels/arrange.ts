// Nothing jumps: while hands are on the screen each ticket keeps its place, new ones enter at the end, and those that leave stay as ghosts.

export type Seat = { key: string; ghost: boolean }

/** So long without a touch, and the board may close up and take its order by priority. */
export const QUIET_MS = 2_000
/** So long at least a leaving ticket is seen fading in its place. */
export const GHOST_MS = 1_000

export type Leaving = ReadonlyMap<string, number>

/** A header over tickets says nothing without them: it enters only when the board may take its order. */
export type WaitsForQuiet = (key: string) => boolean

/**
 * The seats now. `wanted` is the order by priority; `left` says since when a key is gone.
 * While not quiet: the old seats in their old order (ghosts where one left), newcomers behind them.
 */
export function arrange(
  seats: readonly Seat[],
  wanted: readonly string[],
  left: Leaving,
  now: number,
  touchedAt: number,
  waits: WaitsForQuiet = () => false,
): Seat[] {
  const here = new Set(wanted)
  const fading = seats.some((seat) => !here.has(seat.key) && now - (left.get(seat.key) ?? now) < GHOST_MS)
  if (now - touchedAt >= QUIET_MS && !fading) return wanted.map((key) => ({ key, ghost: false }))
  const seated = new Set(seats.map((seat) => seat.key))
  return [
    ...seats.map((seat) => ({ key: seat.key, ghost: !here.has(seat.key) })),
    ...wanted.filter((key) => !seated.has(key) && !waits(key)).map((key) => ({ key, ghost: false })),
  ]
}

/** When to look again although nothing happened; null when all is settled. */
export function settleAt(seats: readonly Seat[], wanted: readonly string[], left: Leaving, touchedAt: number): number | null {
  const same = seats.length === wanted.length && seats.every((seat, index) => seat.key === wanted[index])
  if (same) return null
  const ghosts = seats.filter((seat) => seat.ghost).map((seat) => (left.get(seat.key) ?? 0) + GHOST_MS)
  return Math.max(touchedAt + QUIET_MS, ...ghosts)
}
