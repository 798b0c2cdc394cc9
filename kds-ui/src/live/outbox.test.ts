import { describe, expect, it } from 'vitest'
import type { ActionJson, KitchenActionJson } from '../generated/api'
import type { KitchenEntry, PlaceEntry } from './outbox'
import { answer, BATCH_MAX, nextBatch, nextDue, refuseAll, withoutUndone } from './outbox'

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

describe('taps that take each other back before they are sent', () => {
  const recall: ActionJson = { type: 'recall' }
  const line = (done: boolean, of = 'l'): ActionJson => ({ type: 'line', line: of, done })
  const left = (entries: KitchenEntry[], inFlight = none) => withoutUndone(entries, inFlight).kept.map(({ id }) => id).join('')
  it.each<[string, KitchenEntry[], string]>([
    ['a bump and its recall', [entry('a', 1), entry('b', 2, recall)], ''],
    ['in any order of reading', [entry('b', 2, recall), entry('a', 1)], ''],
    ['a line done and not done', [entry('a', 1, line(true)), entry('b', 2, line(false))], ''],
    ['a line tapped three times', [entry('a', 1, line(true)), entry('b', 2, line(false)), entry('c', 3, line(true))], 'c'],
    ['not a start and a recall', [entry('a', 1, { type: 'start' }), entry('b', 2, recall)], 'ab'],
    ['not two lines', [entry('a', 1, line(true)), entry('b', 2, line(false, 'm'))], 'ab'],
    ['not two tickets', [entry('a', 1), entry('b', 2, recall, { action: action('b', recall, { station: 'fry' }) })], 'ab'],
    ['not another epoch', [entry('a', 1), entry('b', 2, recall, { action: action('b', recall, { epoch: 1 }) })], 'ab'],
    ['not a recall before the bump', [entry('a', 1, recall), entry('b', 2)], 'ab'],
    ['only the last tap of the ticket', [entry('a', 1), entry('b', 2, { type: 'start' }), entry('c', 3, recall)], 'abc'],
    ['with another ticket between', [entry('a', 1), entry('b', 2, { type: 'bump' }, { action: action('b', { type: 'bump' }, { order: 'p' }) }), entry('c', 3, recall)], 'b'],
  ])('%s', (_name, entries, expected) => expect(left(entries)).toBe(expected))
  it('are named, so that they can be dropped', () => expect(withoutUndone([entry('a', 1), entry('b', 2, recall)], none).undone).toEqual(['a', 'b']))
  it('go out when one is on its way', () => {
    expect(left([entry('a', 1), entry('b', 2, recall)], new Set(['a']))).toBe('ab')
  })
})
