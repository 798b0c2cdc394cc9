import { describe, expect, it } from 'vitest'
import { MENU, optionId, SOME_SOLD_OUT, variantId, CRUST } from '../screens/stories/fixtures'
import type { SoldOut } from './menu_index'
import { fromPrice, groupsOf, indexMenu, itemAvailable, NOTHING_SOLD_OUT, optionAvailable, soldOut, variantAvailable } from './menu_index'

const index = indexMenu(MENU)
const item = (name: string) => {
  const found = MENU.items.find((each) => each.name === name)
  if (!found) throw new Error(name)
  return found
}

it('leaves categories without items out and keeps the menu’s order', () => {
  const menu = indexMenu({ ...MENU, categories: [...MENU.categories, { id: 'empty', name: 'Empty' }] })
  expect(menu.categories).toEqual(MENU.categories)
  expect(menu.byCategory.get(MENU.categories[0]?.id ?? '')?.map(({ name }) => name)[0]).toBe('Margherita')
  expect(groupsOf(item('Margherita'), index).map(({ name }) => name)).toEqual(['Crust', 'Extras', 'Leave out'])
})

describe('what is sold out', () => {
  const out = soldOut(SOME_SOLD_OUT)
  it('is an item, a variant or an option: the narrowest that is named', () => {
    expect(itemAvailable(item('Pepperoni'), index, out)).toBe(false)
    expect(itemAvailable(item('Hawaiian'), index, out)).toBe(true)
    const large = item('Hawaiian').variants.find(({ id }) => id === variantId('Hawaiian', 'L'))
    expect(large && variantAvailable(item('Hawaiian'), large, out)).toBe(false)
    expect(optionAvailable({ id: optionId('Extras', 'Anchovies'), name: '', price_minor: 0, removal: false }, out)).toBe(false)
  })
  it('tells what staff took off from what ran out', () => {
    expect([...out.eightySixed]).toEqual([item('Pepperoni').id])
  })
  it('takes the item with all its variants, or with all options of a group it needs', () => {
    const all = (ids: string[], part: 'variants' | 'options'): SoldOut => ({ ...NOTHING_SOLD_OUT, [part]: new Set(ids) })
    expect(itemAvailable(item('Margherita'), index, all(item('Margherita').variants.map(({ id }) => id), 'variants'))).toBe(false)
    expect(itemAvailable(item('Margherita'), index, all(CRUST.options.map(({ id }) => id), 'options'))).toBe(false)
    expect(itemAvailable(item('Margherita'), index, all([optionId('Extras', 'Olives')], 'options'))).toBe(true)
  })
  it('remembers when it comes back', () => {
    expect(soldOut({ unavailable: [{ item: 'i', variant: null, option: null, reason: 'eighty_six', until: 5 }] }).until.get('i')).toBe(5)
  })
})

it('says "from" only when prices differ', () => {
  expect(fromPrice(item('Margherita'))).toEqual({ minor: 1225, from: true })
  expect(fromPrice(item('Fries'))).toEqual({ minor: 390, from: false })
})
