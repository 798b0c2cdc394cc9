import { describe, expect, it } from 'vitest'
import type { GroupJson, PlaceChoiceJson } from '../generated/api'
import { choose, countOf, firstUnmet, groupState, mayAdd } from './choices'

const group = (min: number, max: number): GroupJson => ({ id: 'g', name: 'Sides', min, max, options: ['a', 'b', 'c'].map((id) => ({ id, name: id, price_minor: 0, removal: false })) })
const chose = (option: string, count = 1, of = 'g'): PlaceChoiceJson => ({ group: of, option, count })

describe('groupState counts with repeats', () => {
  const rows: [number, number, PlaceChoiceJson[], ReturnType<typeof groupState>][] = [
    [0, 2, [], { state: 'ok', chosen: 0 }],
    [1, 2, [], { state: 'missing', chosen: 0, more: 1 }],
    [2, 3, [chose('a')], { state: 'missing', chosen: 1, more: 1 }],
    [2, 3, [chose('a', 2)], { state: 'ok', chosen: 2 }],
    [2, 3, [chose('a', 2), chose('b')], { state: 'ok', chosen: 3 }],
    [0, 2, [chose('a', 2), chose('b')], { state: 'over', chosen: 3, less: 1 }],
    [1, 1, [chose('a', 1, 'other')], { state: 'missing', chosen: 0, more: 1 }],
  ]
  it.each(rows)('min %i max %i with %j', (min, max, choices, state) => expect(groupState(group(min, max), choices)).toEqual(state))
})

describe('choose', () => {
  it('gives up the other choice where one is taken', () => {
    const once = choose(group(1, 1), 'a', 1, [])
    expect(choose(group(1, 1), 'b', 1, once)).toEqual([chose('b')])
  })
  it('takes a choice back', () => expect(choose(group(0, 3), 'a', 0, [chose('a'), chose('b')])).toEqual([chose('b')]))
  it('never goes over the group', () => {
    const two = choose(group(0, 3), 'a', 2, [])
    const three = choose(group(0, 3), 'b', 5, two)
    expect(countOf(three, 'g', 'b')).toBe(1)
    expect(mayAdd(group(0, 3), 'c', three)).toBe(false)
    expect(choose(group(0, 3), 'c', 1, three)).toEqual(three)
  })
  it('never goes over what the node takes of one option', () => {
    const many = choose(group(0, 90), 'a', 50, [])
    expect(countOf(many, 'g', 'a')).toBe(20)
    expect(mayAdd(group(0, 90), 'a', many)).toBe(false)
  })
  it('keeps the place of a changed choice and leaves other groups alone', () => {
    const before = [chose('a'), chose('x', 1, 'other'), chose('b')]
    expect(choose(group(0, 9), 'a', 3, before)).toEqual([chose('a', 3), chose('x', 1, 'other'), chose('b')])
  })
})

it('firstUnmet names the first group that is not right', () => {
  const first = { ...group(1, 1), id: 'one' }
  const second = { ...group(2, 2), id: 'two' }
  expect(firstUnmet([first, second], [])?.id).toBe('one')
  expect(firstUnmet([first, second], [chose('a', 1, 'one')])?.id).toBe('two')
  expect(firstUnmet([first, second], [chose('a', 1, 'one'), chose('a', 2, 'two')])).toBeNull()
})
