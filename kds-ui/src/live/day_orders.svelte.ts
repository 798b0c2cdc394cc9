// The orders of the business day, read in pages from the newest back, and kept up with the board without asking for all of them again.
import type { Client } from '../api/client'
import type { BoardOrderJson, OrderJson } from '../generated/api'
import type { HourSum } from '../kernels/business_day'
import { hourly } from '../kernels/business_day'
import { readCache, writeCache } from './kept'

const PAGE = 200
/** As many orders as a day of the largest restaurant has. */
const PAGES_MAX = 60
/** Orders that changed on the board, or left it, are asked for one by one; of more than this the newest page is read as well. */
const SINGLES_MAX = 12

const DAY_MS = 24 * 3_600_000

export type DayOrders = ReturnType<typeof dayOrders>

export function dayOrders(client: () => Client, counts: (order: OrderJson) => boolean) {
  let byId = $state.raw<ReadonlyMap<string, OrderJson>>(new Map())
  /** Since when the list is whole; null until the first reading ended. */
  let readAt = $state<number | null>(null)
  let partial = $state(false)
  let before = $state.raw<HourSum[] | null>(null)
  let dayOf = 0
  let reading = false
  let onBoard: ReadonlyMap<string, BoardOrderJson> = new Map()

  /** Newest first, from `start` to `end`; null when the node did not answer. */
  async function pages(start: number, end: number | null, known: ReadonlyMap<string, OrderJson> | null): Promise<{ orders: Map<string, OrderJson>; whole: boolean } | null> {
    const orders = new Map<string, OrderJson>()
    let to = end
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const got = await client().orders(to, PAGE)
      if (got.kind !== 'ok') return null
      const list = got.value.orders
      const sizeBefore = orders.size
      for (const order of list) if (order.placed_at >= start) orders.set(order.id, order)
      const last = list[list.length - 1]
      if (!last || list.length < PAGE || last.placed_at < start || orders.size === sizeBefore) return { orders, whole: true }
      // Everything older was read before.
      if (known?.has(last.id)) return { orders, whole: true }
      to = last.placed_at + 1
    }
    return { orders, whole: false }
  }

  async function refresh(start: number): Promise<void> {
    if (reading) return
    reading = true
    try {
      const fresh = start !== dayOf || readAt === null
      const got = await pages(start, null, fresh ? null : byId)
      if (!got) return
      byId = fresh ? got.orders : new Map([...byId, ...got.orders])
      if (fresh) partial = !got.whole
      dayOf = start
      readAt = Date.now()
    } finally {
      reading = false
    }
  }

  /** The board tells that something changed, not what an order costs now; what left it has its last word only at the node. */
  async function follow(board: ReadonlyMap<string, BoardOrderJson>, start: number): Promise<void> {
    const before = onBoard
    onBoard = board
    const unknown = [...board.keys()].some((id) => !byId.has(id))
    const changed = [...before].filter(([id, order]) => board.get(id) !== order).map(([id]) => id)
    if (unknown || changed.length > SINGLES_MAX) await refresh(start)
    for (const id of changed.slice(-SINGLES_MAX)) {
      const got = await client().order(id)
      if (got.kind === 'ok' && got.value.placed_at >= start) byId = new Map(byId).set(id, got.value)
    }
  }

  /** Yesterday's hours do not change any more: read once, kept on the device. */
  async function yesterday(start: number): Promise<void> {
    const key = `sales ${start - DAY_MS}`
    const kept = await readCache<HourSum[]>(key).catch(() => undefined)
    if (kept) {
      before = kept
      return
    }
    const got = await pages(start - DAY_MS, start, null)
    if (!got || !got.whole) return
    const sold = [...got.orders.values()].filter(counts).map((order) => ({ at: order.placed_at, minor: order.total_minor }))
    before = hourly(sold, start - DAY_MS)
    await writeCache(key, $state.snapshot(before)).catch((error: unknown) => console.warn('yesterday not kept', error))
  }

  return {
    get orders() {
      return byId
    },
    get known() {
      return readAt !== null
    },
    get partial() {
      return partial
    },
    get before() {
      return before
    },
    refresh,
    follow,
    yesterday,
    set(order: OrderJson): void {
      byId = new Map(byId).set(order.id, order)
    },
  }
}
