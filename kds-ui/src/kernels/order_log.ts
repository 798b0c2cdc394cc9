// What people read of an order's log: pure.
import type { OrderLogEntryJson, OrderLogJson } from '../generated/api'

export type LogRow = { at: number; who: string; where: string | null; what: string; mark: 'lost' | 'concurrent' | null }
export type LogView = { rows: LogRow[]; /** So many earlier ones are left out. */ earlier: number; /** It was changed at more than one place. */ merged: boolean; marked: number }

/** What a phone shows at once of a long log; the latest things are what somebody asks about. */
export const SHOWN = 8

/** The latest entries of a log, or all; `nobody` is who does what the program does. */
export function logView(log: OrderLogJson, all: boolean, nobody: string): LogView {
  const places = new Set(log.entries.map(({ node }) => node))
  const rows = log.entries.map((entry): LogRow => ({
    at: entry.at,
    who: entry.name ?? (entry.who === 'system' ? nobody : (entry.who.split(' ')[0] ?? nobody)),
    // Of a restaurant with one node nobody asks where.
    where: places.size > 1 && entry.node !== '' ? entry.node : null,
    what: entry.what,
    mark: markOf(entry),
  }))
  // What is marked is not left out: it is why somebody looks.
  const first = all ? 0 : Math.max(0, rows.length - SHOWN)
  const shown = rows.filter(({ mark }, index) => index >= first || mark !== null)
  return { rows: shown, earlier: rows.length - shown.length, merged: log.merged, marked: rows.filter(({ mark }) => mark !== null).length }
}

function markOf(entry: OrderLogEntryJson): LogRow['mark'] {
  if (entry.lost) return 'lost'
  return entry.concurrent ? 'concurrent' : null
}
