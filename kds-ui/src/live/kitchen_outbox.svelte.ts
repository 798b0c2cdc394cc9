// Keeps and sends the kitchen's taps: on the device first, then to the node in batches, by one tab at a time.
import type { Client } from '../api/client'
import type { BoardOrderJson, KitchenActionJson } from '../generated/api'
import { mintId } from '../kernels/uuid'
import { allEntries, dropEntries, putEntries } from './kept'
import type { Entry, KitchenEntry, Refused } from './outbox'
import { answer, isKitchen, nextBatch, nextDue, refuseAll, SETTLE_MS, withoutUndone } from './outbox'
import type { Tap } from './overlay'
import { reflected } from './overlay'

const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 10_000
const REFUSED_KEPT = 20
const GONE_KEPT = 500

type Settled = { entry: KitchenEntry; at: number }

export type KitchenOutbox = ReturnType<typeof kitchenOutbox>

export function kitchenOutbox(client: () => Client, onUnauthorised: () => void) {
  let entries = $state.raw<readonly KitchenEntry[]>([])
  let settled = $state.raw<readonly Settled[]>([])
  let refused = $state.raw<readonly Refused[]>([])
  const inFlight = new Set<string>()
  let failures = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let busy = false
  /** Somebody asked to send while a sending was ending. */
  let again = false
  let stopped = false
  const tabs = new BroadcastChannel('pilotlight outbox')

  /** What still has to be sent, as a person sees it: without what was undone meanwhile. */
  const waiting = $derived(withoutUndone(entries, inFlight).kept)

  const taps = $derived.by(() => {
    const byOrder = new Map<string, Tap[]>()
    const add = (entry: KitchenEntry, answered: boolean) => {
      const list = byOrder.get(entry.action.order) ?? []
      list.push({ action: entry.action, at: entry.at, answered })
      byOrder.set(entry.action.order, list)
    }
    for (const { entry } of settled) add(entry, true)
    for (const entry of waiting) add(entry, false)
    for (const list of byOrder.values()) list.sort((a, b) => a.at - b.at)
    return byOrder
  })

  async function reload(): Promise<void> {
    const kept = (await allEntries<Entry>()).filter(isKitchen).filter(({ id }) => !gone.has(id))
    const known = new Set(kept.map(({ id }) => id))
    // A tap that is still being written is not in the store yet.
    entries = [...kept, ...entries.filter((entry) => writing.has(entry.id) && !known.has(entry.id))].sort((a, b) => a.at - b.at)
  }

  const writing = new Set<string>()
  /** Answered or taken back here, although a read of the store that began earlier may still see them. */
  const gone = new Set<string>()
  function forget(ids: readonly string[]): void {
    for (const id of ids) gone.add(id)
    for (const id of gone) {
      if (gone.size <= GONE_KEPT) break
      gone.delete(id)
    }
    entries = entries.filter(({ id }) => !gone.has(id))
  }

  function tap(action: Omit<KitchenActionJson, 'id'>, label: string, holdMs = 0): void {
    const id = mintId()
    const at = Math.max(Date.now(), (entries[entries.length - 1]?.at ?? 0) + 1)
    const entry: KitchenEntry = { kind: 'kitchen', id, at, holdUntil: holdMs > 0 ? at + holdMs : 0, label, action: { ...action, id } }
    void add(entry)
  }

  async function add(entry: KitchenEntry): Promise<void> {
    entries = [...entries, entry]
    writing.add(entry.id)
    await putEntries([entry]).catch((error: unknown) => console.warn('tap not kept on the device; sending it all the same', error))
    writing.delete(entry.id)
    announce()
    await send()
  }

  async function drop(ids: readonly string[]): Promise<void> {
    forget(ids)
    await dropEntries(ids).catch((error: unknown) => console.warn('not dropped on the device; sent again later, which changes nothing', error))
    announce()
  }

  /** Takes back something that is held and was not sent. */
  function withdraw(match: (entry: KitchenEntry) => boolean): boolean {
    const found = entries.find((entry) => !inFlight.has(entry.id) && match(entry))
    if (!found) return false
    void drop([found.id])
    return true
  }

  function announce(): void {
    if (!stopped) tabs.postMessage('changed')
  }

  function later(ms: number): void {
    clearTimeout(timer)
    if (!stopped) timer = setTimeout(() => void send(), ms)
  }

  async function send(): Promise<void> {
    if (stopped) return
    if (busy) {
      again = true
      return
    }
    busy = true
    try {
      do {
        again = false
        await exclusively(sendAll)
      } while (again)
    } finally {
      busy = false
    }
  }

  async function sendAll(): Promise<void> {
    // Another tab may have sent some of them meanwhile: what counts is what is kept.
    await reload().catch((error: unknown) => console.warn('device store not readable', error))
    for (;;) {
      // Under the lock nobody else is sending: what took each other back here never goes out.
      const { undone } = withoutUndone(entries, inFlight)
      if (undone.length > 0) await drop(undone)
      const batch = nextBatch(entries, Date.now())
      if (batch.length === 0 || stopped) break
      for (const { id } of batch) inFlight.add(id)
      const got = await client().kitchenActions({ actions: batch.map(({ action }) => action) })
      for (const { id } of batch) inFlight.delete(id)
      if (got.kind === 'away' || got.kind === 'unchanged') {
        failures += 1
        later(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 6)) * (0.5 + Math.random() / 2))
        return
      }
      failures = 0
      if (got.kind === 'refused' && got.problem.status === 401) {
        // Not the taps' fault: they stay until somebody pairs this screen again.
        onUnauthorised()
        return
      }
      const now = Date.now()
      const answered = got.kind === 'ok' ? answer(batch, got.value.outcomes, now) : refuseAll(batch, got.problem, now)
      settled = [...settled, ...answered.settled.map((entry) => ({ entry, at: now }))]
      refused = [...refused, ...answered.refused].slice(-REFUSED_KEPT)
      await drop(answered.done)
      setTimeout(() => settle(null), SETTLE_MS)
      if (answered.done.length === 0) {
        later(RETRY_MAX_MS)
        return
      }
    }
    const due = nextDue(entries, Date.now())
    if (due !== null) later(Math.max(0, due - Date.now()))
  }

  /** Drops covers that the board has made good, or that have waited long enough for it. */
  function settle(orders: ReadonlyMap<string, BoardOrderJson> | null): void {
    const now = Date.now()
    const rest = settled.filter(({ entry, at }) => now - at < SETTLE_MS && !(orders && reflected(orders.get(entry.action.order), entry.action)))
    if (rest.length !== settled.length) settled = rest
  }

  tabs.onmessage = () => void reload().catch((error: unknown) => console.warn('device store not readable', error))

  return {
    get entries() {
      return waiting
    },
    get taps() {
      return taps
    },
    get refused() {
      return refused
    },
    tap,
    withdraw,
    settle,
    /** The link is back: no reason to wait for the next try. */
    kick(): void {
      failures = 0
      void send()
    },
    dismiss(id: string): void {
      refused = refused.filter((entry) => entry.id !== id)
    },
    async start(): Promise<void> {
      await reload().catch((error: unknown) => console.warn('device store not readable', error))
      void send()
    },
    stop(): void {
      stopped = true
      clearTimeout(timer)
      tabs.close()
    },
  }
}

async function exclusively(work: () => Promise<void>): Promise<void> {
  // Old tablets lack locks; there the node's answers by id keep two tabs harmless.
  if ('locks' in navigator && navigator.locks) await navigator.locks.request('pilotlight kitchen outbox', { ifAvailable: false }, work)
  else await work()
}
