import { describe, expect, it } from 'vitest'
import type { Alike } from './grouping'
import { group, jaccard, WINDOW_MS } from './grouping'

const ticket = (key: string, placedAt: number, items: Record<string, number>, more: Partial<Alike> = {}): Alike => ({
  key,
  placedAt,
  started: false,
  station: 'pizza',
  lines: Object.entries(items).map(([name, quantity]) => ({ name, variant: 'L', quantity })),
  ...more,
})
const none = new Set<string>()
const same = { Margherita: 2, Hawaiian: 1 }

describe('multiset Jaccard', () => {
  const bag = (items: Record<string, number>) => new Map(Object.entries(items))
  it.each([
    [{ a: 1 }, { a: 1 }, 1],
    [{ a: 2, b: 1 }, { a: 1, b: 1 }, 2 / 3],
    [{ a: 7 }, { a: 10 }, 0.7],
    [{ a: 1 }, { b: 1 }, 0],
    [{}, {}, 0],
  ])('%j and %j', (a, b, expected) => expect(jaccard(bag(a), bag(b))).toBeCloseTo(expected, 12))
})

describe('group', () => {
  it('takes three alike within the window, with totals, the most first', () => {
    const [found] = group([ticket('a', 0, same), ticket('b', 1_000, same), ticket('c', WINDOW_MS, same)], none)
    expect(found?.members).toEqual(['a', 'b', 'c'])
    expect(found?.totals).toEqual([
      { name: 'Margherita', variant: 'L', quantity: 6 },
      { name: 'Hawaiian', variant: 'L', quantity: 3 },
    ])
  })
  it.each<[string, Alike[]]>([
    ['two', [ticket('a', 0, same), ticket('b', 0, same)]],
    ['one too late', [ticket('a', 0, same), ticket('b', 0, same), ticket('c', WINDOW_MS + 1, same)]],
    ['one too different', [ticket('a', 0, same), ticket('b', 0, same), ticket('c', 0, { Margherita: 2, Fries: 1 })]],
    ['one begun', [ticket('a', 0, same), ticket('b', 0, same), ticket('c', 0, same, { started: true })]],
    ['one at another station', [ticket('a', 0, same), ticket('b', 0, same), ticket('c', 0, same, { station: 'fry' })]],
    ['another size', [ticket('a', 0, { M: 1 }), ticket('b', 0, { M: 1 }), { ...ticket('c', 0, {}), lines: [{ name: 'M', variant: 'S', quantity: 1 }] }]],
    ['empty ones', [ticket('a', 0, {}), ticket('b', 0, {}), ticket('c', 0, {})]],
  ])('is none for %s', (_name, tickets) => expect(group(tickets, none)).toEqual([]))
  it('needs every pair to be alike, not a chain', () => {
    const tickets = [ticket('a', 0, { x: 10 }), ticket('b', 0, { x: 8 }), ticket('c', 0, { x: 6 })]
    expect(group(tickets, none)).toEqual([])
  })
  it('leaves alone what the cook has split', () => {
    const tickets = ['a', 'b', 'c', 'd'].map((key) => ticket(key, 0, same))
    expect(group(tickets, new Set(['b']))[0]?.members).toEqual(['a', 'c', 'd'])
    expect(group(tickets, new Set(['a', 'b', 'c', 'd']))).toEqual([])
  })
  it('makes one group of each kind', () => {
    const found = group(['a', 'b', 'c'].flatMap((key) => [ticket(`${key}1`, 0, same), ticket(`${key}2`, 0, { Fries: 3 })]), none)
    expect(found.map(({ members }) => members)).toEqual([['a1', 'b1', 'c1'], ['a2', 'b2', 'c2']])
  })
})
