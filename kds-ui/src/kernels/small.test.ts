import { describe, expect, it } from 'vitest'
import { isAllergy, sortNotes } from './allergy'
import { garnish, kindOf, seeded } from './picture'
import { unreachable } from './unreachable'
import { mintId, uuidV7 } from './uuid'

describe('allergies', () => {
  it.each([
    ['NUT ALLERGY', true],
    ['she is allergic to sesame', true],
    ['Allergen: egg', true],
    ['cut in eight', false],
    [null, false],
  ])('%s', (note, expected) => expect(isAllergy(note)).toBe(expected))
  it('are sorted out from the notes, once each, blanks dropped', () => {
    expect(sortNotes(['cut in eight', ' Nut allergy', null, 'Nut allergy ', '  ', 'cut in eight'])).toEqual({ allergies: ['Nut allergy'], plain: ['cut in eight'] })
  })
})

describe('ids', () => {
  it('are UUIDs of version 7 that sort by time', () => {
    const id = uuidV7(0x0192_3456_789a, new Uint8Array(16).fill(0xff))
    expect(id).toBe('01923456-789a-7fff-bfff-ffffffffffff')
    expect(uuidV7(1, new Uint8Array(16)) < uuidV7(2, new Uint8Array(16))).toBe(true)
  })
  it('differ', () => expect(new Set(Array.from({ length: 1_000 }, mintId)).size).toBe(1_000))
})

describe('pictures', () => {
  it.each([
    ['Margherita Pizza', 'pizza'],
    ['Iced Tea Drinks', 'drink'],
    ['Chicken Wings Starters', 'fries'],
    ['Lamb Biryani', 'bowl'],
    ['Scotch egg', 'plate'],
  ])('%s', (words, kind) => expect(kindOf(words)).toBe(kind))
  it('are the same each time and stay on the plate', () => {
    expect(garnish('x', 14, 60)).toEqual(garnish('x', 14, 60))
    expect(garnish('x', 14, 60)).not.toEqual(garnish('y', 14, 60))
    for (const { x, y } of garnish('x', 40, 60)) expect(Math.hypot(x, y)).toBeLessThanOrEqual(61)
    const random = seeded('z')
    for (let index = 0; index < 100; index += 1) expect(random()).toBeLessThan(1)
  })
})

it('unreachable says what reached it', () => expect(() => unreachable({ odd: 1 } as never)).toThrow('{"odd":1}'))
