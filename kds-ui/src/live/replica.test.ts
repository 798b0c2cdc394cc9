import { describe, expect, it } from 'vitest'
import type { BoardOrderJson, ToScreenJson } from '../generated/api'
import { many } from '../screens/stories/fixtures'
import type { Replica } from './replica'
import { EMPTY, keep, reduce, restore } from './replica'

const position = (seq: number) => ({ origin: 'o', seq, hash: `h${seq}` })
const [a, b, c] = many(3) as [BoardOrderJson, BoardOrderJson, BoardOrderJson]
const play = (frames: ToScreenJson[], from: Replica = EMPTY) => frames.reduce((replica, frame) => reduce(replica, frame, 1_000), from)
const snapshot = (orders: BoardOrderJson[], first = true, last = true, seq = 1): ToScreenJson => ({ type: 'snapshot', position: position(seq), orders, first, last })
const full = play([snapshot([a, b])])

describe('the replica', () => {
  it('takes a snapshot in chunks and shows the old board until the last one', () => {
    const half = play([snapshot([c], true, false, 9)], full)
    expect([...half.orders.keys()]).toEqual([a.id, b.id])
    expect(half.position).toEqual(position(1))
    const whole = play([snapshot([b], false, true, 9)], half)
    expect([...whole.orders.keys()]).toEqual([c.id, b.id])
    expect(whole.position).toEqual(position(9))
    expect(whole.arriving).toBeNull()
  })
  it('forgets a half snapshot when a new one begins, and when the connection does', () => {
    expect([...play([snapshot([c], true, false), snapshot([b], true, true)]).orders.keys()]).toEqual([b.id])
    expect(play([snapshot([c], true, false), { type: 'welcome', resumed: false, now: 0, menu_version: 'm', position: position(2) }]).arriving).toBeNull()
  })
  it('keeps the identity of orders that did not change', () => {
    const again = play([snapshot([structuredClone(a), { ...b, note: 'new' }])], full)
    expect(again.orders.get(a.id)).toBe(a)
    expect(again.orders.get(b.id)).not.toBe(b)
    const delta = play([{ type: 'delta', position: position(2), orders: [{ ...b, note: 'x' }], gone: [] }], full)
    expect(delta.orders.get(a.id)).toBe(a)
    expect(delta.orders.get(b.id)?.note).toBe('x')
  })
  it('takes a delta: changed, new and gone', () => {
    const next = play([{ type: 'delta', position: position(2), orders: [c], gone: [a.id, 'unknown'] }], full)
    expect([...next.orders.keys()]).toEqual([b.id, c.id])
    expect(next.position).toEqual(position(2))
    expect([...full.orders.keys()]).toEqual([a.id, b.id])
  })
  it('takes the same delta twice as once', () => {
    const delta: ToScreenJson = { type: 'delta', position: position(2), orders: [c], gone: [a.id] }
    expect(play([delta, delta], full)).toEqual(play([delta], full))
  })
  it('does not take over a position whose content has not arrived', () => {
    expect(play([{ type: 'welcome', resumed: true, now: 0, menu_version: 'm', position: position(99) }], full).position).toEqual(position(1))
  })
  it('follows the node’s clock', () => {
    expect(play([{ type: 'welcome', resumed: true, now: 61_000, menu_version: 'm', position: position(1) }]).clockSkewMs).toBe(60_000)
    expect(play([{ type: 'pong', now: 500 }]).clockSkewMs).toBe(-500)
  })
  it('carries availability and the menu’s version', () => {
    const next = play([{ type: 'availability', availability: { unavailable: [] } }, { type: 'menu', version: 'v2' }, { type: 'bye', reason: 'stopping' }])
    expect(next.availability).toEqual({ unavailable: [] })
    expect(next.menuVersion).toBe('v2')
    expect(play([{ type: 'menu', version: 'v2' }], next).menusTold).toBe(next.menusTold + 1)
  })
  it('carries how orders from home are taken', () => {
    const online = { intake: { paused_until: 9, busy_minutes: 0, busy_until: null }, waiting: [], requests: [] }
    expect(play([{ type: 'online', ...online }]).online).toEqual(online)
  })

  it('carries the state of the uplink', () => {
    const link = { state: 'offline' as const, relay_url: null, since: 5, waiting_commits: 3, safe_on: 1, last_online: null, why: null }
    expect(play([{ type: 'link', ...link }]).uplink).toEqual(link)
  })
  it('survives a reload', () => {
    const back = restore(structuredClone(keep({ ...full, clockSkewMs: 5 }, 77)))
    expect([...back.orders.values()]).toEqual([...full.orders.values()])
    expect(back.position).toEqual(position(1))
    expect(back.clockSkewMs).toBe(5)
  })
})
