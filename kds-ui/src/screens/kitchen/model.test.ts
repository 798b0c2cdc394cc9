import { describe, expect, it } from 'vitest'
import type { BoardOrderJson } from '../../generated/api'
import type { Link } from '../../live/link'
import { en } from '../../words'
import { alike, bumped, line, many, NOW, oneOfEach, order, ticket, wished } from '../stories/fixtures'
import type { Card } from './model'
import { ALL, banner, cardMemo, cardsOf, keyOf, lists, soundFor, unseen } from './model'

const NAMES = new Map([['pizza', 'Pizza'], ['fry', 'FRY'], ['salad', 'SALAD']])
const cards = (orders: BoardOrderJson[]) => orders.flatMap((each) => cardsOf(each, [], NAMES))
const none = new Set<string>()
const [anatomy] = oneOfEach() as [BoardOrderJson]

describe('a card', () => {
  it('has the rows of the drawing: lines, the allergy on its own, the note with its line', () => {
    const [card] = cardsOf(anatomy, [], NAMES)
    expect(card?.rows.map((row) => (row.type === 'line' ? `${row.line.quantity} ${row.line.name} ${row.line.variant} ${row.note ?? ''}`.trim() : `${row.type} ${'text' in row ? row.text : ''}`))).toEqual([
      '2 Margherita L cut in eight',
      '1 Hawaiian S',
      'allergy Nut allergy',
    ])
    expect(card?.allergy).toBe(true)
    expect(card?.lines[1]).toMatchObject({ done: true, doneAfterMs: 130_000 })
  })
  it('shows what was wanted otherwise, old against new, and that it is for later', () => {
    const [changed, later] = wished() as [BoardOrderJson, BoardOrderJson]
    expect(cardsOf(changed, [], NAMES)[0]?.rows.at(-1)).toMatchObject({ type: 'note', text: 'No basil', was: 'Extra basil' })
    expect(cardsOf({ ...changed, note: null }, [], NAMES)[0]?.rows.at(-1)).toMatchObject({ type: 'note', text: '', was: 'Extra basil' })
    expect(cardsOf(later, [], NAMES)[0]?.rows.at(-1)).toMatchObject({ type: 'later', at: later.ready_not_before })
  })
  it('knows what the others do', () => {
    const [card] = cardsOf(anatomy, [], NAMES)
    expect(card?.others).toEqual([
      { station: 'FRY', state: 'open', lines: 2 },
      { station: 'SALAD', state: 'ready', lines: 1 },
    ])
  })
  it('goes on in rest rows when a line has much to say, so that no row is taller than a column', () => {
    const choices = Array.from({ length: 12 }, (_, index) => ({ name: `c${index}`, count: 1, removal: false }))
    const [card] = cardsOf(order(1, 0, [ticket([line('1', 1, 'X', '', { choices, note: 'n'.repeat(100) })])]), [], NAMES)
    expect(card?.rows.map((row) => (row.type === 'line' || row.type === 'rest' ? [row.type, row.choices.length, row.note !== null] : row.type))).toEqual([
      ['line', 5, false],
      ['rest', 5, false],
      ['rest', 2, false],
      ['rest', 0, true],
    ])
  })
  it('an allergy on a line is a row of its own, not a note', () => {
    const [card] = cardsOf(order(1, 0, [ticket([line('1', 1, 'X', '', { note: 'egg allergy' })])]), [], NAMES)
    expect(card?.rows.map(({ type }) => type)).toEqual(['line', 'allergy'])
    expect(card?.rows[0]).toMatchObject({ note: null })
  })
  it('marks what is not seen yet', () => {
    const changed = cards(oneOfEach()).find(({ number }) => number === 'A044')
    expect(changed?.lines.map((each) => [each.mark.type, unseen(each)])).toEqual([
      ['changed', true],
      ['changed', true],
      ['added', true],
      ['voided', true],
      ['voided', false],
    ])
  })
  it('shows a changed line once, not beside the one it takes the place of', () => {
    const old = line('old', 2, 'Hawaiian', 'M', { change: { type: 'voided', why: 'one more', seen: false } })
    const other = line('other', 2, 'Hawaiian', 'M', { change: { type: 'voided', why: 'sold out', seen: false } })
    const now = line('now', 3, 'Hawaiian', 'M', { change: { type: 'changed', was_quantity: 2, was_name: 'Hawaiian', seen: false } })
    const [card] = cardsOf(order(1, 0, [ticket([old, other, now])]), [], NAMES)
    expect(card?.lines.map(({ id }) => id)).toEqual([other.id, now.id])
    expect(card?.lines[1]?.mark).toEqual({ type: 'changed', wasQuantity: 2, wasName: 'Hawaiian', wasVariant: 'M', replaced: old.id })
    const [unmatched] = cardsOf(order(1, 0, [ticket([{ ...now, id: 'x' }])]), [], NAMES)
    expect(unmatched?.lines[0]?.mark).toMatchObject({ replaced: null })
  })
  it('shows the other numbers that people hold for it', () => {
    const [card] = cardsOf({ ...order(36, 0, [ticket([])]), also: ['ACV002'] }, [], NAMES)
    expect(en.numbers(card?.number ?? '', card?.also ?? [])).toBe('A036 (also ACV002)')
    expect(en.numbers('A036', [])).toBe('A036')
  })
  it('names a station that the menu does not know', () => expect(cardsOf(order(1, 0, [ticket([], { station: 'bar' })]), [], NAMES)[0]?.stationName).toBe('Bar'))
})

it('the memo makes only changed orders anew', () => {
  const memo = cardMemo()
  const orders = many(3)
  const before = memo(orders, new Map(), NAMES)
  const [first, second, third] = orders as [BoardOrderJson, BoardOrderJson, BoardOrderJson]
  const after = memo([first, { ...second, note: 'new' }, third], new Map(), NAMES)
  const of = (list: Card[], id: string) => list.filter((card) => card.order === id)
  expect(of(after, first.id)).toEqual(of(before, first.id))
  expect(of(after, first.id)[0]).toBe(of(before, first.id)[0])
  expect(of(after, second.id)[0]).not.toBe(of(before, second.id)[0])
  const action = { id: 'i', order: third.id, station: 'pizza', course: 1, epoch: 0, action: { type: 'bump' as const } }
  const taps = new Map([[third.id, [{ action, at: 1, answered: false }]]])
  expect(of(memo([first, second, third], taps, NAMES), third.id)[0]).not.toBe(of(after, third.id)[0])
})

describe('the lists', () => {
  it('show one station or all', () => {
    const all = cards([anatomy])
    expect(lists(all, 'fry', none, NOW).active.map(({ station }) => station)).toEqual(['fry'])
    expect(lists(all, ALL, none, NOW).active.map(({ station }) => station)).toEqual(['fry', 'pizza'])
  })
  it('keep the last ten bumped, the last first', () => {
    const { recall, active } = lists(cards(bumped()), 'pizza', none, NOW)
    expect(recall).toHaveLength(10)
    expect(recall[0]?.number).toBe('A070')
    expect(active.every(({ phase }) => phase !== 'ready')).toBe(true)
  })
  it('know whole orders that wait for their guest', () => {
    const half = order(1, 60, [ticket([], { phase: 'ready', ready_at: NOW }), ticket([], { station: 'fry' })])
    const whole = order(2, 60, [ticket([], { phase: 'ready', ready_at: NOW - 5 }), ticket([], { station: 'fry', phase: 'ready', ready_at: NOW - 9 })])
    const gone = order(3, 60, [ticket([], { phase: 'handed_over' })])
    expect(lists(cards([half, whole, gone]), 'pizza', none, NOW).ready.map(({ number, since }) => [number, since])).toEqual([['A002', NOW - 5]])
  })
  it('stand alike tickets together under their header', () => {
    const { wanted, groups } = lists(cards(alike()), 'pizza', none, NOW)
    expect(groups).toHaveLength(1)
    const [group] = groups
    const at = wanted.indexOf(group?.key ?? '')
    expect(wanted.slice(at + 1, at + 5)).toEqual(group?.members)
    expect(wanted).toHaveLength(7)
    const split = lists(cards(alike()), 'pizza', new Set(group?.members), NOW)
    expect(split.groups).toEqual([])
    expect(split.wanted).toHaveLength(6)
  })
  it('count all day over what is shown', () => {
    const { allDay } = lists(cards(alike()), 'pizza', none, NOW)
    expect(allDay[0]).toMatchObject({ name: 'Margherita', quantity: 8 })
  })
})

describe('the banner', () => {
  const at = (link: Link, more = {}) => banner({ link, lostAt: null, now: 100_000, queued: 0, oldestQueuedAt: null, ...more }, () => '19:38', en)
  const waiting: Link = { state: 'waiting', attempt: 3, until: 0, lostAt: 50_000 }
  const live: Link = { state: 'live', since: 0, heardAt: 0, pingedAt: 0 }
  it('says nothing while all is well, or for a blink', () => {
    expect(at(live)).toBeNull()
    expect(at({ state: 'stopped' })).toBeNull()
    expect(at(waiting, { lostAt: 99_000 })).toBeNull()
    expect(at({ state: 'opening', attempt: 0, since: 0, lostAt: null })).toBeNull()
  })
  it('says once and calmly since when, what works and what waits', () => {
    expect(at(waiting, { lostAt: 50_000, queued: 3 })).toEqual({
      tone: 'calm',
      text: 'No answer from the node since 19:38. Tickets stay here and you can go on bumping. 3 taps will be sent.',
      action: null,
    })
    expect(at(waiting, { lostAt: 50_000 })?.text).toContain('Nothing waits.')
  })
  it('says what is being sent from before, when it takes a while', () => {
    expect(at(live, { queued: 2, oldestQueuedAt: 90_000 })?.text).toBe('Sending 2 taps from before.')
    expect(at(live, { queued: 2, oldestQueuedAt: 99_500 })).toBeNull()
  })
  it('needs a person when the token is not good any more', () => expect(at({ state: 'refused', reason: 'unauthorised' })).toMatchObject({ tone: 'person', action: 'pair' }))
})

describe('keys', () => {
  const press = (key: string, dir: 'ltr' | 'rtl' = 'ltr', more = {}) => keyOf({ key, ctrlKey: false, metaKey: false, altKey: false, ...more }, dir)
  it.each([
    ['1', { do: 'bump', index: 0 }],
    ['9', { do: 'bump', index: 8 }],
    ['0', null],
    ['ArrowRight', { do: 'move', by: 'next' }],
    ['ArrowUp', { do: 'move', by: 'up' }],
    ['r', { do: 'recall' }],
    ['A', { do: 'allDay' }],
    ['s', { do: 'start' }],
    ['n', { do: 'page', by: 1 }],
    ['PageUp', { do: 'page', by: -1 }],
    ['u', { do: 'undo' }],
    ['x', null],
  ])('%s', (key, expected) => expect(press(key)).toEqual(expected))
  it('turn with the writing, and leave the browser’s own alone', () => {
    expect(press('ArrowRight', 'rtl')).toEqual({ do: 'move', by: 'previous' })
    expect(press('r', 'ltr', { ctrlKey: true })).toBeNull()
  })
})

describe('the sound', () => {
  const [card] = cards([anatomy]) as [Card]
  const known = new Map([[card.key, card]])
  const voided: Card = { ...card, lines: card.lines.map((each) => ({ ...each, mark: { type: 'voided', why: 'x', seen: false } })) }
  it('is for a new ticket', () => expect(soundFor(new Map(), [card])).toBe('new'))
  it('is another for a change, even beside a new one', () => expect(soundFor(known, [{ ...card, key: 'other' }, voided])).toBe('changed'))
  it('is for cooking again', () => expect(soundFor(known, [{ ...card, epoch: 1, epochKind: 'cook_again' }])).toBe('changed'))
  it('is not for what the cook did', () => expect(soundFor(known, [{ ...card, lines: card.lines.map((each) => ({ ...each, done: true })) }])).toBeNull())
  it('is not repeated for what still waits to be seen', () => expect(soundFor(new Map([[card.key, voided]]), [{ ...voided, sending: true }])).toBeNull())
  it('is not for nothing', () => expect(soundFor(known, [card])).toBeNull())
})
