import { expect, it } from 'vitest'
import { byPriority, points } from './priority'

const ticket = (key: string, startAt: number, placedAt = startAt) => ({ key, startAt, placedAt })

it('gives ten points a minute from the moment the order was due to start', () => {
  expect(points(ticket('a', 0), 60_000)).toBe(10)
  expect(points(ticket('a', 0), 90_000)).toBe(15)
  expect(points(ticket('a', 120_000), 60_000)).toBe(-10)
})

it('puts the one that is due longest first, not the one placed first', () => {
  const scheduled = ticket('scheduled', 500_000, 0)
  const walkIn = ticket('walk-in', 300_000)
  expect(byPriority([scheduled, walkIn], 600_000).map(({ key }) => key)).toEqual(['walk-in', 'scheduled'])
})

it('breaks ties by placing, then by key, so that all screens agree', () => {
  const rows = [ticket('c', 100, 20), ticket('b', 100, 10), ticket('a', 100, 20)]
  expect(byPriority(rows, 1_000).map(({ key }) => key)).toEqual(['b', 'a', 'c'])
  expect(byPriority([...rows].reverse(), 1_000).map(({ key }) => key)).toEqual(['b', 'a', 'c'])
})

it('does not change its mind while time passes', () => {
  const rows = [ticket('a', 59_900, 2), ticket('b', 60_100, 1)]
  const orders = [60_000, 61_000, 120_050, 3_600_000].map((now) => byPriority(rows, now).map(({ key }) => key).join())
  expect(new Set(orders)).toEqual(new Set(['a,b']))
})
