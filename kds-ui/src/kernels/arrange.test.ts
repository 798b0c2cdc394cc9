import { expect, it } from 'vitest'
import type { Seat } from './arrange'
import { arrange, GHOST_MS, QUIET_MS, settleAt } from './arrange'

const seats = (text: string): Seat[] => text.split(' ').filter(Boolean).map((key) => ({ key: key.replace('*', ''), ghost: key.includes('*') }))
const text = (list: readonly Seat[]) => list.map(({ key, ghost }) => key + (ghost ? '*' : '')).join(' ')
const NOW = 100_000
const left = (...keys: [string, number][]) => new Map(keys)

it.each([
  ['takes the order by priority when nobody touches', 'a b c', 'c a b', {}, NOW - QUIET_MS, 'c a b'],
  ['keeps each ticket in its place while hands are near', 'a b c', 'c a b', {}, NOW - QUIET_MS + 1, 'a b c'],
  ['lets new ones enter at the end only', 'a b', 'n a b', {}, NOW, 'a b n'],
  ['leaves a ghost where one left', 'a b c', 'a c', { b: NOW - 10_000 }, NOW, 'a b* c'],
  ['fades for a second even when nobody touches', 'a b c', 'a c', { b: NOW - GHOST_MS + 1 }, 0, 'a b* c'],
  ['closes up after the fading', 'a b* c', 'a c', { b: NOW - GHOST_MS }, 0, 'a c'],
  ['brings one that was recalled back into its place', 'a b* c', 'a c b', {}, NOW, 'a b c'],
  ['fills an empty board at once', '', 'a b', {}, 0, 'a b'],
])('%s', (_name, before, wanted, gone, touchedAt, after) => {
  expect(text(arrange(seats(before), wanted.split(' '), left(...(Object.entries(gone) as [string, number][])), NOW, touchedAt))).toBe(after)
})

it('makes headers wait until the board may take its order', () => {
  const waits = (key: string) => key === 'head'
  expect(text(arrange(seats('a b'), ['head', 'b', 'a', 'n'], left(), NOW, NOW, waits))).toBe('a b n')
  expect(text(arrange(seats('a b n'), ['head', 'b', 'a', 'n'], left(), NOW, 0, waits))).toBe('head b a n')
})

it('says when to look again, and nothing when all is settled', () => {
  expect(settleAt(seats('a b'), ['a', 'b'], left(), 50)).toBeNull()
  expect(settleAt(seats('a b'), ['b', 'a'], left(), NOW)).toBe(NOW + QUIET_MS)
  expect(settleAt(seats('a b*'), ['a'], left(['b', NOW]), 0)).toBe(NOW + GHOST_MS)
})
