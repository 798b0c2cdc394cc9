import { describe, expect, it } from 'vitest'
import type { OrderLogEntryJson } from '../generated/api'
import { logView, SHOWN } from './order_log'

const entry = (more: Partial<OrderLogEntryJson>): OrderLogEntryJson => ({ at: 1, node: 'A', who: 'staff 91bc', name: 'Mei', what: 'added wine', concurrent: false, lost: false, ...more })

describe('v3: the log of an order', () => {
  it('says who and what, and where only when there is more than one place', () => {
    const one = logView({ merged: false, entries: [entry({}), entry({ name: null, who: 'system', what: 'sent it to the kitchen as A001' })] }, false, 'by itself')
    expect(one.rows.map(({ who, where }) => [who, where])).toEqual([['Mei', null], ['by itself', null]])
    const two = logView({ merged: true, entries: [entry({}), entry({ node: 'B', name: null, who: 'device 3f2a' }), entry({ node: '', name: null, who: 'customer 77' })] }, false, 'by itself')
    expect(two.rows.map(({ who, where }) => [who, where])).toEqual([['Mei', 'A'], ['device', 'B'], ['customer', null]])
  })
  it('marks what came at the same time, and what changed nothing before that', () => {
    const { rows, marked } = logView({ merged: true, entries: [entry({}), entry({ concurrent: true }), entry({ concurrent: true, lost: true })] }, false, '')
    expect([rows.map(({ mark }) => mark), marked]).toEqual([[null, 'concurrent', 'lost'], 2])
  })
  it('leaves out the beginning of a long log, but nothing that is marked', () => {
    const entries = Array.from({ length: 40 }, (_, at) => entry({ at, lost: at === 3 }))
    const short = logView({ merged: true, entries }, false, '')
    expect([short.rows.length, short.earlier, short.rows[0]?.at]).toEqual([SHOWN + 1, 40 - SHOWN - 1, 3])
    expect(logView({ merged: true, entries }, true, '')).toMatchObject({ earlier: 0 })
  })
  it('is empty without entries', () => expect(logView({ merged: false, entries: [] }, false, '')).toEqual({ rows: [], earlier: 0, merged: false, marked: 0 }))
})
