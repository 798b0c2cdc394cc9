import { describe, expect, it } from 'vitest'
import type { ActionJson, KitchenActionJson } from '../generated/api'
import type { KitchenEntry, PlaceEntry } from './outbox'
import { answer, BATCH_MAX, cancels, nextBatch, nextDue, refuseAll } from './outbox'

const action = (id: string, what: ActionJson, more: Partial<KitchenActionJson> = {}): KitchenActionJson => ({ id, order: 'o', station: 'pizza', course: 1, epoch: 0, action: what, ...more })
const entry = (id: string, at: number, what: ActionJson = { type: 'bump' }, more: Partial<KitchenEntry> = {}): KitchenEntry => ({ kind: 'kitchen', id, at, holdUntil: 0, label: 'A042', action: action(id, what), ...more })
const place = { kind: 'place', id: 'p', at: 0 } as PlaceEntry
const none = new Set<string>()

describe('a batch', () => {
  it('is in the order of tapping, without held taps and other people’s work', () => {
    const batch = nextBatch([entry('c', 3), place, entry('held', 1, { type: 'hand_over' }, { holdUntil: 10 }), entry('a', 1), entry('b', 3)], 9)
    expect(batch.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  })
  it('takes a held tap when its time has come', () => {
    const held = entry('held', 1, { type: 'hand_over' }, { holdUntil: 10 })
    expect(nextDue([held], 9)).toBe(10)
    expect(nextDue([held], 10)).toBeNull()
    expect(nextBatch([held], 10)).toEqual([held])
  })
  it('is bounded', () => expect(nextBatch(Array.from({ length: 250 }, (_, at) => entry(`${at}`, at)), 0)).toHaveLength(BATCH_MAX))
})

describe('answers', () => {
  it('are sorted into done and refused; an entry without an answer stays', () => {
    const batch = [entry('a', 1), entry('b', 2), entry('c', 3), entry('d', 4)]
    const got = answer(
      batch,
      [
        { id: 'a', outcome: 'done', code: null, detail: null },
        { id: 'b', outcome: 'already', code: null, detail: null },
        { id: 'c', outcome: 'refused', code: 'cancelled', detail: 'The order was cancelled.' },
        { id: 'stranger', outcome: 'done', code: null, detail: null },
      ],
      50,
    )
    expect(got.done).toEqual(['a', 'b', 'c'])
    expect(got.settled.map(({ id }) => id)).toEqual(['a', 'b'])
    expect(got.refused).toEqual([{ id: 'c', label: 'A042', action: batch[2]?.action, code: 'cancelled', detail: 'The order was cancelled.', at: 50 }])
  })
  it('of a refused batch tell each tap why', () => {
    const got = refuseAll([entry('a', 1)], { type: '', title: '', status: 403, code: 'forbidden', detail: 'no', field: null, remedy: 'sign in' }, 5)
    expect(got.done).toEqual(['a'])
    expect(got.refused[0]).toMatchObject({ code: 'forbidden', detail: 'sign in' })
  })
})

describe('taking a tap back before it was sent', () => {
  it.each<[string, KitchenEntry[], KitchenActionJson, string | null]>([
    ['a recall takes back the bump', [entry('a', 1)], action('z', { type: 'recall' }), 'a'],
    ['a recall does not take back a start', [entry('a', 1, { type: 'start' })], action('z', { type: 'recall' }), null],
    ['a line tapped twice is not tapped', [entry('a', 1, { type: 'line', line: 'l', done: true })], action('z', { type: 'line', line: 'l', done: false }), 'a'],
    ['another line is another tap', [entry('a', 1, { type: 'line', line: 'm', done: true })], action('z', { type: 'line', line: 'l', done: false }), null],
    ['another ticket is another tap', [entry('a', 1)], action('z', { type: 'recall' }, { station: 'fry' }), null],
    ['only the last tap of the ticket', [entry('a', 1), entry('b', 2, { type: 'start' })], action('z', { type: 'recall' }), null],
    ['a bump is never taken back by a bump', [entry('a', 1)], action('z', { type: 'bump' }), null],
  ])('%s', (_name, entries, undo, taken) => expect(cancels(entries, undo, none)?.id ?? null).toBe(taken))
  it('cannot be when it is on its way', () => expect(cancels([entry('a', 1)], action('z', { type: 'recall' }), new Set(['a']))).toBeNull())
})
