import { describe, expect, it } from 'vitest'
import type { ShiftJson, TillJson } from '../../generated/api'
import { dayCard, minorOf, writtenDate } from './day'

const shift = (more: Partial<ShiftJson>): ShiftJson => ({
  id: 's', drawer: 'front', node: 'A', here: true, day: 3, opened_by: 'staff', opened_at: 0, float_minor: 5_000, taken_minor: 1_000, in_minor: 0, out_minor: 0, expected_minor: 6_000, counted_minor: null, ended_at: null, ...more,
})
const till = (more: Partial<TillJson>): TillJson => ({ keeper: { origin: 'o', letters: 'A', here: true }, closable: { number: 3, date: 20261121, closes_at: 9, overdue: false }, shifts: [], closed: [], held: [], ...more })

describe('the day and its drawers', () => {
  it('says what keeps the day from being closed', () => {
    expect(dayCard(till({})).hindered).toBeNull()
    expect(dayCard(till({ shifts: [shift({})] })).hindered).toEqual({ by: 'shift', drawer: 'front' })
    expect(dayCard(till({ shifts: [shift({ day: 4 })] })).hindered).toBeNull()
    expect(dayCard(till({ keeper: { origin: 'o', letters: 'B', here: false } })).hindered).toEqual({ by: 'keeper', letters: 'B' })
  })
  it('tells what is over or short once it was counted', () => {
    const [open, counted] = dayCard(till({ shifts: [shift({}), shift({ counted_minor: 5_950, node: 'B', here: false })] })).shifts
    expect(open).toMatchObject({ expectedMinor: 6_000, overMinor: null, node: null })
    expect(counted).toMatchObject({ countedMinor: 5_950, overMinor: -50, node: 'B' })
  })
  it('passes on that a day is overdue, and whose sales are in no report', () => {
    expect(dayCard(till({}))).toMatchObject({ day: { overdue: false }, held: [] })
    expect(dayCard(till({ closable: { number: 3, date: 20261121, closes_at: 9, overdue: true }, held: ['B'] }))).toMatchObject({ day: { overdue: true }, held: ['B'] })
  })
  it('writes the day that the number carries, wherever the phone is', () => {
    expect(writtenDate(dayCard(till({})).day?.date ?? new Date(0), 'en')).toBe('Sat, Nov 21')
  })
})

describe('an amount that somebody typed', () => {
  it.each<[string, number, number | null]>([
    ['12', 2, 1_200], ['12.5', 2, 1_250], ['12,50', 2, 1_250], [' 0 ', 2, 0], ['500', 0, 500],
    ['12.505', 2, null], ['1.5', 0, null], ['-5', 2, null], ['', 2, null], ['1e3', 2, null],
  ])('%s', (text, digits, minor) => expect(minorOf(text, digits)).toBe(minor))
})
