// What this device did and the node has not answered yet: pure. Ids are minted on the device, so sending again is always safe.
import type { KitchenActionJson, KitchenOutcomeJson, PlaceOrderJson, ProblemJson } from '../generated/api'

/** As the node's limit for one batch. */
export const BATCH_MAX = 100
/** So long an answered action still covers the ticket while the delta that shows it is on its way. */
export const SETTLE_MS = 3_000

export type KitchenEntry = {
  kind: 'kitchen'
  id: string
  /** Order of tapping. */
  at: number
  /** Not before then: a hand-over cannot be undone by the node, so its undo is to not have sent it. */
  holdUntil: number
  /** What people call the order, for notices. */
  label: string
  action: KitchenActionJson
}

export type PlaceEntry = {
  kind: 'place'
  id: string
  at: number
  order: PlaceOrderJson
  /** A request may have reached the node: it must be asked before the intent is forgotten. */
  attempted: boolean
  /** The guest gave it up: find out whether the node has it, never send it again. */
  withdrawn: boolean
}

export type Entry = KitchenEntry | PlaceEntry

export function isKitchen(entry: Entry): entry is KitchenEntry {
  return entry.kind === 'kitchen'
}

/** The next batch of taps, in the order they were made. */
export function nextBatch(entries: readonly Entry[], now: number): KitchenEntry[] {
  const due = entries.filter(isKitchen).filter((entry) => entry.holdUntil <= now)
  due.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1))
  return due.slice(0, BATCH_MAX)
}

/** When the next held entry is due; null when none is held. */
export function nextDue(entries: readonly Entry[], now: number): number | null {
  const held = entries.filter(isKitchen).map((entry) => entry.holdUntil).filter((until) => until > now)
  return held.length === 0 ? null : Math.min(...held)
}

export type Refused = { id: string; label: string; action: KitchenActionJson; code: string; detail: string; at: number }

export type Answered = {
  /** Ids that have their answer. */
  done: string[]
  /** The actions that the node accepted, still covering their tickets until the board shows them. */
  settled: KitchenEntry[]
  refused: Refused[]
}

/** Sorts the node's answers to a batch. An entry without an answer stays. */
export function answer(batch: readonly KitchenEntry[], outcomes: readonly KitchenOutcomeJson[], now: number): Answered {
  const byId = new Map(outcomes.map((outcome) => [outcome.id, outcome]))
  const answered: Answered = { done: [], settled: [], refused: [] }
  for (const entry of batch) {
    const outcome = byId.get(entry.id)
    if (!outcome) continue
    answered.done.push(entry.id)
    if (outcome.outcome === 'refused') {
      answered.refused.push({ id: entry.id, label: entry.label, action: entry.action, code: outcome.code ?? 'refused', detail: outcome.detail ?? '', at: now })
    } else {
      answered.settled.push(entry)
    }
  }
  return answered
}

/** The whole batch was refused: each entry is told so, none is sent for ever. */
export function refuseAll(batch: readonly KitchenEntry[], problem: ProblemJson, now: number): Answered {
  return {
    done: batch.map((entry) => entry.id),
    settled: [],
    refused: batch.map((entry) => ({ id: entry.id, label: entry.label, action: entry.action, code: problem.code, detail: problem.remedy ?? problem.detail, at: now })),
  }
}

/** A tap that takes back one that is still here: neither is sent. Null when it must be sent. */
export function cancels(entries: readonly Entry[], undo: KitchenActionJson, inFlight: ReadonlySet<string>): KitchenEntry | null {
  const same = entries
    .filter(isKitchen)
    .filter(({ action }) => action.order === undo.order && action.station === undo.station && action.course === undo.course)
  const last = same[same.length - 1]
  if (!last || inFlight.has(last.id)) return null
  const taken = last.action.action
  if (undo.action.type === 'recall') return taken.type === 'bump' ? last : null
  if (undo.action.type === 'line') return taken.type === 'line' && taken.line === undo.action.line && taken.done !== undo.action.done ? last : null
  return null
}
