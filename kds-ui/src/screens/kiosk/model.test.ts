import { describe, expect, it } from 'vitest'
import type { ItemJson, ProblemJson } from '../../generated/api'
import { indexMenu, NOTHING_SOLD_OUT, soldOut } from '../../kernels/menu_index'
import { CRUST, itemId, MENU, optionId, placed, SOME_SOLD_OUT, variantId } from '../stories/fixtures'
import type { Cart, Draft, Kiosk, KioskEvent } from './model'
import { draftPrice, idle, IDLE_MS, IDLE_WARN_MS, missing, newDraft, orderOf, PLACED_MS, PLACING_MS, showCart, step } from './model'

const index = indexMenu(MENU)
const item = (name: string) => MENU.items.find((each) => each.name === name) as ItemJson
const play = (events: KioskEvent[], from: Kiosk = { at: 'welcome' }) => events.reduce(step, from)
const thin = { group: CRUST.id, option: optionId('Crust', 'Thin'), count: 1 }
const begun = play([{ type: 'begin', fulfilment: 'takeaway' }])
const draftOf = (name: string, more: Partial<Draft> = {}): Draft => ({ ...newDraft(item(name)), ...more })
const margherita = draftOf('Margherita', { variant: variantId('Margherita', 'L'), choices: [thin] })
const add = (draft: Draft, id: string): KioskEvent[] => [{ type: 'open', item: index.items.get(draft.item) as ItemJson }, { type: 'draft', draft }, { type: 'keep', id }]
const cartOf = (kiosk: Kiosk): Cart => {
  if (kiosk.at === 'welcome' || kiosk.at === 'placed') throw new Error(kiosk.at)
  return kiosk.cart
}
const withCart = play([...add(margherita, 'l1'), ...add(draftOf('Fries'), 'l2'), { type: 'show_cart' }], begun)

describe('the cart', () => {
  it('begins empty with the way that was touched', () => expect(begun).toMatchObject({ at: 'menu', cart: { lines: [], fulfilment: 'takeaway' } }))
  it('takes the same thing again as more of it, and another wish as another line', () => {
    const twice = play([...add(margherita, 'l1'), ...add(margherita, 'l2'), ...add({ ...margherita, note: 'cut' }, 'l3')], begun)
    expect(cartOf(twice).lines.map(({ id, quantity, note }) => [id, quantity, note])).toEqual([['l1', 2, null], ['l3', 1, 'cut']])
  })
  it('changes a line in its place and keeps its id', () => {
    const changed = play([{ type: 'edit', line: 'l1' }, { type: 'draft', draft: { ...margherita, line: 'l1', quantity: 5 } }, { type: 'keep', id: 'unused' }], withCart)
    expect(cartOf(changed).lines.map(({ id, quantity }) => [id, quantity])).toEqual([['l1', 5], ['l2', 1]])
  })
  it('removes with undo, back in its place', () => {
    const removed = play([{ type: 'remove', line: 'l1', at: 0 }], withCart)
    expect(cartOf(removed).lines.map(({ id }) => id)).toEqual(['l2'])
    expect(cartOf(play([{ type: 'unremove' }], removed)).lines.map(({ id }) => id)).toEqual(['l1', 'l2'])
    expect(play([{ type: 'unremove' }], withCart)).toBe(withCart)
  })
  it('holds quantities between one and ninety-nine', () => {
    const at = (quantity: number) => cartOf(play([{ type: 'quantity', line: 'l1', quantity }], withCart)).lines[0]?.quantity
    expect([at(0), at(7), at(1_000)]).toEqual([1, 7, 99])
  })
  it('starts an item at its least quantity and its only size', () => {
    expect(newDraft(item('Puff-Puff'))).toMatchObject({ quantity: 3, variant: variantId('Puff-Puff', '') })
    expect(newDraft(item('Margherita')).variant).toBeNull()
  })
  it('forgets everything on reset', () => expect(play([{ type: 'reset' }], withCart)).toEqual({ at: 'welcome' }))
  it('ignores what does not belong to where it is', () => {
    const welcome: Kiosk = { at: 'welcome' }
    expect(play([{ type: 'show_cart' }, { type: 'keep', id: 'x' }, { type: 'away' }], welcome)).toBe(welcome)
    expect(play([{ type: 'begin', fulfilment: 'dine_in' }], withCart)).toBe(withCart)
    expect(play([{ type: 'edit', line: 'none' }, { type: 'remove', line: 'none', at: 0 }], withCart)).toBe(withCart)
  })
})

describe('what keeps a draft out', () => {
  it.each<[string, Draft, ReturnType<typeof missing> | { what: string; more?: number }]>([
    ['the size', draftOf('Margherita'), { what: 'size' }],
    ['a required group', { ...margherita, choices: [] }, { what: 'group', more: 1 }],
    ['nothing', margherita, null],
    ['being off', draftOf('Pepperoni'), { what: 'sold_out' }],
    ['a size that is gone', draftOf('Hawaiian', { variant: variantId('Hawaiian', 'L'), choices: [thin] }), { what: 'size' }],
    ['a choice that is gone', { ...margherita, choices: [thin, { group: item('Margherita').groups[1] ?? '', option: optionId('Extras', 'Anchovies'), count: 1 }] }, { what: 'group', less: 1 } as never],
  ])('%s', (_name, draft, expected) => {
    const found = missing(draft, index, soldOut(SOME_SOLD_OUT))
    if (expected === null) expect(found).toBeNull()
    else expect(found).toMatchObject(expected)
  })
  it('shows the lowest price until a size is chosen', () => {
    expect(draftPrice(draftOf('Margherita'), index)).toEqual({ minor: 1225, exact: false })
    expect(draftPrice({ ...margherita, quantity: 2 }, index)).toEqual({ minor: 4050, exact: true })
  })
})

describe('placing', () => {
  const order = orderOf(cartOf(withCart), 2415, 'order-1')
  const placing = play([{ type: 'place', order, at: 5 }], withCart)
  const refuse = (part: Partial<ProblemJson>): Kiosk =>
    play([{ type: 'refused', problem: { type: '', title: 'No', status: 409, code: 'x', detail: 'd', field: null, remedy: null, ...part } }], placing)
  it('sends what the guest was shown', () => {
    expect(order).toMatchObject({ id: 'order-1', channel: 'kiosk', fulfilment: 'takeaway', table: null, note: null, expected_total_minor: 2415 })
    expect(orderOf({ ...cartOf(withCart), fulfilment: 'dine_in', table: ' 7 ', note: ' hi ' }, 1, 'o')).toMatchObject({ table: '7', note: 'hi' })
  })
  it('shows a number only when the node gave one for this very order', () => {
    expect(play([{ type: 'placed', order: placed('A042', 1), at: 9 }], placing)).toBe(placing)
    expect(play([{ type: 'placed', order: { ...placed('A042', 1), id: 'order-1' }, at: 9 }], placing)).toMatchObject({ at: 'placed', order: { number: 'A042' } })
  })
  it('keeps the cart while the node is away, and when the guest gives up', () => {
    expect(play([{ type: 'attempted' }, { type: 'away' }], placing)).toMatchObject({ at: 'placing', attempted: true, away: true, cart: cartOf(withCart) })
    expect(play([{ type: 'away' }, { type: 'withdraw' }], placing)).toMatchObject({ at: 'cart', cart: cartOf(withCart), refusal: null })
  })
  it('marks the line that is sold out and lets the guest go on once it is gone', () => {
    const sold = refuse({ code: 'sold_out', field: 'lines[1]' })
    expect(refuse({ code: 'eighty_six', field: 'lines[1].item' })).toEqual(sold)
    expect(sold).toMatchObject({ at: 'cart', refusal: { why: 'sold_out' } })
    if (sold.at !== 'cart') throw new Error(sold.at)
    expect(showCart(sold.cart, index, NOTHING_SOLD_OUT, sold.refusal).lines.map(({ trouble }) => trouble)).toEqual([null, 'sold_out'])
    expect(showCart(sold.cart, index, NOTHING_SOLD_OUT, sold.refusal).blocked).toBe(true)
    const removed = play([{ type: 'remove', line: 'l2', at: 0 }], sold)
    if (removed.at !== 'cart') throw new Error(removed.at)
    expect(removed.refusal).toBeNull()
    expect(showCart(removed.cart, index, NOTHING_SOLD_OUT, removed.refusal).blocked).toBe(false)
  })
  it('explains a changed price and anything else', () => {
    expect(refuse({ code: 'price_changed' })).toMatchObject({ refusal: { why: 'price_changed' } })
    expect(refuse({ code: 'quantity', field: 'lines[0].quantity', remedy: 'r' })).toMatchObject({ refusal: { why: 'other', detail: 'd. r.', line: 'l1' } })
  })
  it('blocks a cart with something that the menu or the shelf lost', () => {
    const shown = showCart({ ...cartOf(withCart), lines: [{ ...cartOf(withCart).lines[0]!, item: itemId('Pepperoni'), variant: variantId('Pepperoni', 'S') }, { ...cartOf(withCart).lines[1]!, item: 'gone' }] }, index, soldOut(SOME_SOLD_OUT), null)
    expect(shown.lines.map(({ trouble }) => trouble)).toEqual(['sold_out', 'gone'])
    expect(showCart(cartOf(begun), index, NOTHING_SOLD_OUT, null).blocked).toBe(true)
  })
})

describe('a guest who left', () => {
  it.each<[string, Kiosk, number, ReturnType<typeof idle>]>([
    ['nobody was here', { at: 'welcome' }, 9e9, { state: 'here' }],
    ['still choosing', withCart, IDLE_MS - 1, { state: 'here' }],
    ['is warned', withCart, IDLE_MS, { state: 'warned', secondsLeft: 15 }],
    ['is warned to the last second', withCart, IDLE_MS + IDLE_WARN_MS - 1, { state: 'warned', secondsLeft: 1 }],
    ['has left', withCart, IDLE_MS + IDLE_WARN_MS, { state: 'left' }],
    ['waits for the node', play([{ type: 'place', order: orderOf(cartOf(withCart), 1, 'o'), at: 0 }], withCart), IDLE_MS + IDLE_WARN_MS, { state: 'here' }],
    ['waited for the node in vain', play([{ type: 'place', order: orderOf(cartOf(withCart), 1, 'o'), at: 0 }], withCart), PLACING_MS + IDLE_WARN_MS, { state: 'left' }],
    ['has the number', { at: 'placed', order: placed('A1', 1), since: 0 }, PLACED_MS - 1, { state: 'here' }],
    ['has had the number', { at: 'placed', order: placed('A1', 1), since: 0 }, PLACED_MS, { state: 'left' }],
  ])('%s', (_name, kiosk, now, expected) => expect(idle(kiosk, 0, now)).toEqual(expected))
})
