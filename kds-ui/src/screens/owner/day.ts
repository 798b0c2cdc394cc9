// What the owner sees of drawers and business days: pure.
import type { ShiftJson, TillJson } from '../../generated/api'

export type ShiftRow = { id: string; drawer: string; node: string | null; here: boolean; expectedMinor: number; countedMinor: number | null; overMinor: number | null }

export type DayCard = {
  /** The day that is closed next; null while nothing has happened since the last close. */
  day: { number: number; date: Date; closesAt: number | null; /** It should have been closed days ago. */ overdue: boolean } | null
  shifts: ShiftRow[]
  /** Why the day cannot be closed yet, or which node is asked to; null: this one does it. */
  hindered: { by: 'shift'; drawer: string } | { by: 'keeper'; letters: string } | null
  closed: { number: number; date: Date; salesMinor: number; overMinor: number }[]
  /** Nodes whose later sales no report has, before this one is updated. */
  held: readonly string[]
}

/** `20261121` as a day of no zone: noon in UTC, to be written in UTC. */
export function dateOf(date: number): Date {
  return new Date(Date.UTC(Math.floor(date / 10_000), Math.floor((date % 10_000) / 100) - 1, date % 100, 12))
}

export function writtenDate(date: Date, language: string): string {
  return new Intl.DateTimeFormat(language, { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }).format(date)
}

export function dayCard(till: TillJson): DayCard {
  const day = till.closable
  const open = till.shifts.find((shift) => shift.counted_minor === null && day !== null && shift.day <= day.number)
  return {
    day: day && { number: day.number, date: dateOf(day.date), closesAt: day.closes_at, overdue: day.overdue },
    shifts: till.shifts.map(shiftRow),
    hindered: open ? { by: 'shift', drawer: open.drawer } : till.keeper.here ? null : { by: 'keeper', letters: till.keeper.letters },
    closed: till.closed.map((each) => ({ number: each.number, date: dateOf(each.date), salesMinor: each.sales_minor, overMinor: each.over_minor })),
    held: till.held,
  }
}

function shiftRow(shift: ShiftJson): ShiftRow {
  const { id, drawer, here } = shift
  const overMinor = shift.counted_minor === null ? null : shift.counted_minor - shift.expected_minor
  return { id, drawer, node: here ? null : shift.node, here, expectedMinor: shift.expected_minor, countedMinor: shift.counted_minor, overMinor }
}

/** What somebody typed, in minor units; null when it is no amount. `12`, `12.5` and `12,50` are amounts. */
export function minorOf(text: string, digits: number): number | null {
  const parts = /^\s*(\d{1,9})(?:[.,](\d{1,3}))?\s*$/.exec(text)
  if (parts === null) return null
  const fraction = parts[2] ?? ''
  if (fraction.length > digits) return null
  return Number(parts[1]) * 10 ** digits + Number(fraction.padEnd(digits, '0') || '0')
}
