import { describe, expect, it } from 'vitest'
import type { MenuJson } from '../generated/api'
import type { CartLine } from './cart_price'
import { priceCart, priceLine } from './cart_price'
import { indexMenu } from './menu_index'

const MENU: MenuJson = {
  version: '1',
  currency: 'USD',
  categories: [{ id: 'c', name: 'Pizza' }],
  stations: [],
  groups: [
    { id: 'g', name: 'Extras', min: 0, max: 4, options: [{ id: 'o', name: 'Basil', price_minor: 80, removal: false }, { id: 'off', name: 'no cheese', price_minor: -2000, removal: true }] },
    { id: 'h', name: 'Not offered', min: 0, max: 1, options: [{ id: 'p', name: 'Pea', price_minor: 1, removal: false }] },
  ],
  items: [
    {
      id: 'i', category: 'c', name: 'Margherita', description: '', kitchen_name: 'Marg', station: 'pizza', prep_s: 1, groups: ['g'], tags: [], allergens: [], quantity_min: 1,
      variants: [{ id: 's', name: 'S', price_minor: 1225 }, { id: 'l', name: 'L', price_minor: 2025 }],
    },
    { id: 'j', category: 'c', name: 'Cola', description: '', kitchen_name: 'Cola', station: 'bar', prep_s: 1, groups: [], tags: [], allergens: [], quantity_min: 1, variants: [{ id: 'v', name: '', price_minor: 320 }] },
  ],
}
const index = indexMenu(MENU)
const line = (part: Partial<CartLine>): CartLine => ({ id: 'x', item: 'i', variant: 's', quantity: 1, choices: [], note: null, ...part })

describe('a line', () => {
  const rows: [string, Partial<CartLine>, number | null][] = [
    ['costs its variant', {}, 1225],
    ['costs its variant, times the quantity', { variant: 'l', quantity: 3 }, 6075],
    ['adds each choice times its count to the unit', { choices: [{ group: 'g', option: 'o', count: 2 }], quantity: 2 }, (1225 + 160) * 2],
    ['never costs less than nothing', { choices: [{ group: 'g', option: 'off', count: 1 }], quantity: 4 }, 0],
    ['needs no variant when there is only one', { item: 'j', variant: null }, 320],
    ['is unknown without a variant when there are several', { variant: null }, null],
    ['is unknown with another item’s variant', { variant: 'v' }, null],
    ['is unknown when the item is gone', { item: 'gone' }, null],
    ['is unknown with an option that the group lacks', { choices: [{ group: 'g', option: 'p', count: 1 }] }, null],
    ['is unknown with a group that is not offered with it', { choices: [{ group: 'h', option: 'p', count: 1 }] }, null],
  ]
  it.each(rows)('%s', (_name, part, minor) => expect(priceLine(line(part), index)?.totalMinor ?? null).toBe(minor))
})

describe('a cart', () => {
  it('is the sum of its lines and counts portions', () => {
    const cart = priceCart([line({ id: 'a', quantity: 2 }), line({ id: 'b', item: 'j', variant: 'v', quantity: 3 })], index)
    expect(cart.totalMinor).toBe(2 * 1225 + 3 * 320)
    expect(cart.count).toBe(5)
  })
  it('keeps a line that the menu lost, at no price', () => {
    const cart = priceCart([line({ item: 'gone' }), line({ id: 'b' })], index)
    expect(cart.lines.map(({ priced }) => priced?.totalMinor ?? null)).toEqual([null, 1225])
    expect(cart.totalMinor).toBe(1225)
  })
  it('is nothing when empty', () => expect(priceCart([], index)).toEqual({ lines: [], totalMinor: 0, count: 0 }))
})
