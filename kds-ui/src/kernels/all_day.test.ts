import { expect, it } from 'vitest'
import { allDay } from './all_day'

const line = (name: string, quantity: number, more = {}) => ({ name, variant: '', quantity, done: false, voided: false, ...more })

it('sums what is still to be made, the most first, and knows in which tickets', () => {
  const counts = allDay([
    { key: 'a', lines: [line('Fries', 2), line('Wings', 1), line('Fries', 1)] },
    { key: 'b', lines: [line('Wings', 4), line('Fries', 9, { done: true }), line('Wings', 9, { voided: true })] },
  ])
  expect(counts.map(({ name, quantity, tickets }) => [name, quantity, tickets])).toEqual([
    ['Wings', 5, ['a', 'b']],
    ['Fries', 3, ['a']],
  ])
})

it('keeps sizes apart', () => {
  const counts = allDay([{ key: 'a', lines: [{ ...line('M', 1), variant: 'S' }, { ...line('M', 1), variant: 'L' }] }])
  expect(counts.map(({ variant }) => variant)).toEqual(['L', 'S'])
})

it('is empty without tickets', () => expect(allDay([])).toEqual([]))
