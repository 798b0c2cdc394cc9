// Sends the kiosk's order until it has its answer. The intent is kept on the device first; one that its guest gave up is asked about, never sent again.
import type { Client } from '../api/client'
import type { OrderJson, PlaceOrderJson, ProblemJson } from '../generated/api'
import { allEntries, dropEntries, putEntries } from './kept'
import type { Entry, PlaceEntry } from './outbox'

const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 5_000

export type PlacePorts = {
  onAttempted: () => void
  onAway: () => void
  onPlaced: (order: OrderJson) => void
  onRefused: (problem: ProblemJson) => void
  onUnauthorised: () => void
}

export type PlaceOutbox = ReturnType<typeof placeOutbox>

export function placeOutbox(client: () => Client, ports: PlacePorts) {
  let current: PlaceEntry | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let running = false
  let stopped = false

  async function keep(entry: PlaceEntry): Promise<void> {
    await putEntries([entry]).catch((error: unknown) => console.warn('order not kept on the device; sending it all the same', error))
  }
  async function drop(id: string): Promise<void> {
    await dropEntries([id]).catch((error: unknown) => console.warn('answered order not dropped', error))
  }

  async function send(): Promise<void> {
    clearTimeout(timer)
    if (running || stopped) return
    running = true
    try {
      const entry = current
      if (entry) {
        const answered = await locked(entry.id, () => attempt(entry))
        if (!answered && !stopped) {
          failures += 1
          timer = setTimeout(() => void send(), Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 5)) * (0.5 + Math.random() / 2))
        }
      }
    } finally {
      running = false
    }
  }

  /** Whether there was an answer. */
  async function attempt(entry: PlaceEntry): Promise<boolean> {
    if (!entry.attempted) {
      entry.attempted = true
      await keep(entry)
      ports.onAttempted()
    }
    const got = await client().place(entry.order)
    // The guest may have given up while it was on its way: then the answer is nobody's, and the order is looked up later.
    if (current !== entry) return true
    if (got.kind === 'ok') {
      current = null
      await drop(entry.id)
      ports.onPlaced(got.value)
      return true
    }
    if (got.kind === 'refused') {
      if (got.problem.status === 401) {
        ports.onUnauthorised()
        return false
      }
      current = null
      await drop(entry.id)
      ports.onRefused(got.problem)
      return true
    }
    ports.onAway()
    return false
  }

  /** Orders that guests gave up after they were sent: the node is asked whether it has them. Their outcome is then known, and the entry may go. */
  async function clearWithdrawn(): Promise<void> {
    const withdrawn = (await allEntries<Entry>()).filter((entry): entry is PlaceEntry => entry.kind === 'place' && entry.withdrawn)
    for (const entry of withdrawn) {
      const got = await client().order(entry.id)
      if (got.kind === 'ok' || (got.kind === 'refused' && got.problem.status === 404)) await drop(entry.id)
    }
  }

  return {
    async place(order: PlaceOrderJson, now: number): Promise<void> {
      failures = 0
      const entry: PlaceEntry = { kind: 'place', id: order.id, at: now, order, attempted: false, withdrawn: false }
      current = entry
      await keep(entry)
      await send()
    },
    /** The guest gave up, or left. Nothing more is sent. */
    async withdraw(): Promise<void> {
      const entry = current
      current = null
      clearTimeout(timer)
      if (!entry) return
      if (entry.attempted) await keep({ ...entry, withdrawn: true })
      else await drop(entry.id)
    },
    /** The link is back. */
    kick(): void {
      failures = 0
      void send()
      clearWithdrawn().catch((error: unknown) => console.warn('device store not readable', error))
    },
    /** After a reload: the order that its guest was waiting for, if there is one. */
    async resume(): Promise<PlaceEntry | null> {
      try {
        const waiting = (await allEntries<Entry>()).filter((entry): entry is PlaceEntry => entry.kind === 'place' && !entry.withdrawn)
        const last = waiting.sort((a, b) => b.at - a.at)[0] ?? null
        if (last && !current) {
          current = last
          void send()
        }
        return last
      } catch (error) {
        console.warn('device store not readable', error)
        return null
      }
    },
    stop(): void {
      stopped = true
      clearTimeout(timer)
    },
  }
}

async function locked<T>(id: string, work: () => Promise<T>): Promise<T> {
  if ('locks' in navigator && navigator.locks) return (await navigator.locks.request(`pilotlight place ${id}`, work)) as T
  return work()
}
