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
  due.sort(inOrder)
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

/** Taps that take each other back before either was sent: a bump and its recall, a line done and not done. */
export type Sorted = { kept: KitchenEntry[]; undone: string[] }

/**
 * Leaves out what was undone before it was sent. The undo is itself a kept tap, so that a reload between the two forgets neither; what is on
 * its way is not touched.
 */
export function withoutUndone(entries: readonly KitchenEntry[], inFlight: ReadonlySet<string>): Sorted {
  const kept: KitchenEntry[] = []
  const undone: string[] = []
  for (const entry of [...entries].sort(inOrder)) {
    const last = kept.map(({ action }) => sameTicket(action, entry.action)).lastIndexOf(true)
    const before = kept[last]
    if (before && takesBack(entry.action, before.action) && !inFlight.has(before.id) && !inFlight.has(entry.id)) {
      kept.splice(last, 1)
      undone.push(before.id, entry.id)
    } else {
      kept.push(entry)
    }
  }
  return { kept, undone }
}

function inOrder(a: KitchenEntry, b: KitchenEntry): number {
  return a.at - b.at || (a.id < b.id ? -1 : 1)
}

function sameTicket(a: KitchenActionJson, b: KitchenActionJson): boolean {
  return a.order === b.order && a.station === b.station && a.course === b.course
}

function takesBack(undo: KitchenActionJson, action: KitchenActionJson): boolean {
  if (undo.epoch !== action.epoch) return false
  const [back, taken] = [undo.action, action.action]
  if (back.type === 'recall') return taken.type === 'bump'
  return back.type === 'line' && taken.type === 'line' && taken.line === back.line && taken.done !== back.done
}
