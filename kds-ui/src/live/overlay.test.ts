import { describe, expect, it } from 'vitest'
import type { ActionJson, KitchenActionJson, TicketJson } from '../generated/api'
import { line, order, ticket } from '../screens/stories/fixtures'
import type { Tap } from './overlay'
import { overlay, reflected } from './overlay'

const mark = line('1', 1, 'Margherita', 'L', { change: { type: 'voided', why: 'x', seen: false } })
const base: TicketJson = ticket([line('1', 2, 'Hawaiian'), mark])
const first = base.lines[0]?.id ?? ''
const action = (what: ActionJson, epoch = 0): KitchenActionJson => ({ id: 'i', order: 'o', station: 'pizza', course: 1, epoch, action: what })
const tap = (what: ActionJson, more: Partial<Tap> = {}, epoch = 0): Tap => ({ action: action(what, epoch), at: 77, answered: false, ...more })

describe('taps laid over a ticket', () => {
  it('a bump is ready at once, and being sent', () => expect(overlay(base, [tap({ type: 'bump' })])).toMatchObject({ phase: 'ready', ready_at: 77, sending: true }))
  it('an answered bump covers the ticket and is not being sent', () => expect(overlay(base, [tap({ type: 'bump' }, { answered: true })])).toMatchObject({ phase: 'ready', sending: false }))
  it('a start starts a queued one only', () => {
    expect(overlay(base, [tap({ type: 'start' })])).toMatchObject({ phase: 'started', started_at: 77 })
    expect(overlay({ ...base, phase: 'ready' }, [tap({ type: 'start' })])).toMatchObject({ phase: 'ready' })
  })
  it('a line done begins the ticket, as at the node', () => {
    const shown = overlay(base, [tap({ type: 'line', line: first, done: true })])
    expect(shown).toMatchObject({ phase: 'started', sending: false })
    expect(shown.lines[0]?.done_at).toBe(77)
    expect([...shown.sendingLines]).toEqual([first])
    expect(overlay(base, [tap({ type: 'line', line: first, done: true }), tap({ type: 'line', line: first, done: false })]).lines[0]?.done_at).toBeNull()
  })
  it('seen is seen', () => expect(overlay(base, [tap({ type: 'seen', line: mark.id })]).lines[1]?.change?.seen).toBe(true))
  it('a recall opens the next epoch, and taps after it are on that one', () => {
    const shown = overlay({ ...base, phase: 'ready', ready_at: 5 }, [tap({ type: 'recall' }), tap({ type: 'bump' }, {}, 1)])
    expect(shown).toMatchObject({ epoch: 1, epoch_kind: 'look_again', phase: 'ready' })
    expect(overlay({ ...base, phase: 'ready' }, [tap({ type: 'remake' })])).toMatchObject({ epoch: 1, epoch_kind: 'cook_again', phase: 'queued' })
  })
  it('a tap on an epoch that is over says nothing', () => expect(overlay({ ...base, epoch: 2 }, [tap({ type: 'bump' })])).toMatchObject({ phase: 'queued', sending: false }))
  it('a tap on another station says nothing', () => expect(overlay({ ...base, station: 'fry' }, [tap({ type: 'bump' })])).toMatchObject({ phase: 'queued' }))
  it('hand over and acknowledge', () => {
    expect(overlay({ ...base, phase: 'ready' }, [tap({ type: 'hand_over' })])).toMatchObject({ phase: 'handed_over', sending: true })
    expect(overlay({ ...base, acknowledged: false }, [tap({ type: 'acknowledge' })])).toMatchObject({ acknowledged: true, sending: false })
  })
  it('an unknown line changes nothing', () => expect(overlay(base, [tap({ type: 'seen', line: 'gone' })]).sendingLines.size).toBe(0))
})

describe('the board has caught up with a tap', () => {
  const on = (part: Partial<TicketJson>) => order(1, 0, [{ ...base, ...part }])
  it.each<[string, ActionJson, Partial<TicketJson>, boolean]>([
    ['a bump not yet', { type: 'bump' }, {}, false],
    ['a bump', { type: 'bump' }, { phase: 'ready' }, true],
    ['a start', { type: 'start' }, { phase: 'started' }, true],
    ['a hand-over not yet', { type: 'hand_over' }, { phase: 'ready' }, false],
    ['a hand-over', { type: 'hand_over' }, { phase: 'handed_over' }, true],
    ['a recall not yet', { type: 'recall' }, { phase: 'ready' }, false],
    ['a recall', { type: 'recall' }, { epoch: 1 }, true],
    ['a line not yet', { type: 'line', line: first, done: true }, {}, false],
    ['a line taken back', { type: 'line', line: first, done: false }, {}, true],
    ['seen not yet', { type: 'seen', line: mark.id }, {}, false],
    ['seen, nothing to see', { type: 'seen', line: first }, {}, true],
    ['acknowledged', { type: 'acknowledge' }, { acknowledged: true }, true],
    ['anything, by a newer epoch', { type: 'bump' }, { epoch: 1 }, true],
  ])('%s', (_name, what, part, expected) => expect(reflected(on(part), action(what))).toBe(expected))
  it('when the order is gone', () => expect(reflected(undefined, action({ type: 'bump' }))).toBe(true))
})
