// How old a ticket is, and what that means: warn at the estimate, late at one and a half times it.

export type Age = {
  state: 'fresh' | 'warn' | 'late'
  /** Since the order was due to start; never negative. */
  ms: number
  /** Part of the estimate that is gone, 0 to 1. */
  part: number
  /** Whole minutes over the estimate, at least one once late. */
  overMinutes: number
}

const WARN_AT = 1
const LATE_AT = 1.5
/** A ticket whose menu names no time is given five minutes. */
const ESTIMATE_DEFAULT_S = 300

export function age(startAt: number, estimateS: number, now: number): Age {
  const ms = Math.max(0, now - startAt)
  const estimate = (estimateS > 0 ? estimateS : ESTIMATE_DEFAULT_S) * 1000
  const ratio = ms / estimate
  const state = ratio >= LATE_AT ? 'late' : ratio >= WARN_AT ? 'warn' : 'fresh'
  const over = Math.floor((ms - estimate) / 60_000)
  return { state, ms, part: Math.min(1, ratio), overMinutes: state === 'late' ? Math.max(1, over) : Math.max(0, over) }
}
