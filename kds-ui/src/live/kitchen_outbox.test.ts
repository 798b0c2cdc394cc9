import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Answer, Client } from '../api/client'
import type { KitchenActionJson, KitchenActionsJson, KitchenOutcomesJson } from '../generated/api'
import { allEntries, dropEntries } from './kept'
import type { KitchenOutbox } from './kitchen_outbox.svelte'
import { kitchenOutbox } from './kitchen_outbox.svelte'
import type { Entry } from './outbox'

type Node = { up: boolean; got: KitchenActionJson[]; refuse: ReadonlySet<string>; status: number | null }

/** A node at the edge of this test: keeps what it got, by id, as the real one does. */
function nodeOf(node: Node): () => Client {
  const kitchenActions = async ({ actions }: KitchenActionsJson): Promise<Answer<KitchenOutcomesJson>> => {
    if (!node.up) return { kind: 'away' }
    if (node.status !== null) return { kind: 'refused', problem: { type: '', title: '', status: node.status, code: 'unauthorised', detail: '', field: null, remedy: null } }
    const outcomes = actions.map((action) => {
      const before = node.got.some(({ id }) => id === action.id)
      if (!before) node.got.push(action)
      const refused = node.refuse.has(action.action.type)
      return { id: action.id, outcome: refused ? ('refused' as const) : before ? ('already' as const) : ('done' as const), code: refused ? 'cancelled' : null, detail: null }
    })
    return { kind: 'ok', value: { outcomes }, etag: null }
  }
  return () => ({ kitchenActions }) as unknown as Client
}

const bump = (order = 'o'): Omit<KitchenActionJson, 'id'> => ({ order, station: 'pizza', course: 1, epoch: 0, action: { type: 'bump' } })
const open: KitchenOutbox[] = []
const unauthorised = vi.fn()

async function tab(node: Node): Promise<KitchenOutbox> {
  const outbox = kitchenOutbox(nodeOf(node), unauthorised)
  open.push(outbox)
  await outbox.start()
  return outbox
}
const kept = async () => (await allEntries<Entry>()).map(({ id }) => id)

describe('the kitchen’s outbox', () => {
  let node: Node
  beforeEach(() => {
    node = { up: true, got: [], refuse: new Set(), status: null }
    unauthorised.mockReset()
  })
  afterEach(async () => {
    for (const outbox of open.splice(0)) outbox.stop()
    await dropEntries(await kept())
  })

  it('sends a tap at once and forgets it when answered', async () => {
    const outbox = await tab(node)
    outbox.tap(bump(), 'A042')
    expect(outbox.taps.get('o')).toHaveLength(1)
    await vi.waitFor(() => expect(node.got).toHaveLength(1))
    await vi.waitFor(async () => expect(await kept()).toEqual([]))
    await vi.waitFor(() => expect(outbox.entries).toEqual([]))
    expect(outbox.taps.get('o')?.[0]?.answered).toBe(true)
  })

  it('keeps taps while the node is away, over a reload, and sends each once in their order', async () => {
    node.up = false
    const before = await tab(node)
    before.tap(bump('o1'), 'A1')
    before.tap(bump('o2'), 'A2')
    await vi.waitFor(async () => expect(await kept()).toHaveLength(2))
    before.stop()
    const after = await tab(node)
    expect(after.entries.map(({ action }) => action.order)).toEqual(['o1', 'o2'])
    node.up = true
    after.kick()
    await vi.waitFor(() => expect(node.got.map(({ order }) => order)).toEqual(['o1', 'o2']))
    await vi.waitFor(async () => expect(await kept()).toEqual([]))
  })

  it('takes a tap back that was not sent: nothing goes out', async () => {
    node.up = false
    const outbox = await tab(node)
    outbox.tap(bump(), 'A042')
    await vi.waitFor(async () => expect(await kept()).toHaveLength(1))
    outbox.tap({ ...bump(), action: { type: 'recall' } }, 'A042')
    expect(outbox.entries).toEqual([])
    expect(outbox.taps.size).toBe(0)
    await vi.waitFor(async () => expect(await kept()).toEqual([]))
    node.up = true
    outbox.tap(bump('other'), 'A043')
    await vi.waitFor(() => expect(node.got.map(({ order }) => order)).toEqual(['other']))
  })

  it('sends the undo after the tap when another tab had sent it', async () => {
    node.up = false
    const one = await tab(node)
    one.tap(bump(), 'A042')
    await vi.waitFor(async () => expect(await kept()).toHaveLength(1))
    const [sent] = one.entries
    if (!sent) throw new Error('the tap is not there')
    // The other tab: sent, answered and dropped before this one heard of it.
    node.got.push(sent.action)
    await dropEntries([sent.id])
    one.tap({ ...bump(), action: { type: 'recall' } }, 'A042')
    node.up = true
    one.kick()
    await vi.waitFor(() => expect(node.got.map(({ action }) => action.type)).toEqual(['bump', 'recall']))
  })

  it('remembers the undo over a reload that comes at once', async () => {
    node.up = false
    const before = await tab(node)
    before.tap(bump(), 'A042')
    await vi.waitFor(async () => expect(await kept()).toHaveLength(1))
    before.stop()
    before.tap({ ...bump(), action: { type: 'recall' } }, 'A042')
    await vi.waitFor(async () => expect(await kept()).toHaveLength(2))
    const after = await tab(node)
    expect(after.entries).toEqual([])
    node.up = true
    after.tap(bump('other'), 'A043')
    await vi.waitFor(() => expect(node.got.map(({ order }) => order)).toEqual(['other']))
  })

  it('holds a hand-over back, and withdraws it', async () => {
    const outbox = await tab(node)
    outbox.tap({ ...bump(), action: { type: 'hand_over' } }, 'A042', 60_000)
    await vi.waitFor(async () => expect(await kept()).toHaveLength(1))
    expect(outbox.withdraw(({ action }) => action.action.type === 'hand_over')).toBe(true)
    expect(outbox.withdraw(({ action }) => action.action.type === 'hand_over')).toBe(false)
    await vi.waitFor(async () => expect(await kept()).toEqual([]))
    expect(node.got).toEqual([])
  })

  it('tells a refusal until it is dismissed', async () => {
    node.refuse = new Set(['bump'])
    const outbox = await tab(node)
    outbox.tap(bump(), 'A042')
    await vi.waitFor(() => expect(outbox.refused.map(({ label, code }) => [label, code])).toEqual([['A042', 'cancelled']]))
    expect(outbox.taps.get('o')).toBeUndefined()
    outbox.dismiss(outbox.refused[0]?.id ?? '')
    expect(outbox.refused).toEqual([])
  })

  it('keeps the taps when the screen is not paired any more', async () => {
    node.status = 401
    const outbox = await tab(node)
    outbox.tap(bump(), 'A042')
    await vi.waitFor(() => expect(unauthorised).toHaveBeenCalled())
    expect(await kept()).toHaveLength(1)
    expect(outbox.entries).toHaveLength(1)
  })
})
