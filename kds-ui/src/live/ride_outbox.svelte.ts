// Keeps and sends a rider's taps in their sequence: on the phone first, one at a time, by one tab at a time.
import type { RelayClient } from '../api/relay'
import type { ProblemJson } from '../generated/api'
import type { RiderTaskJson } from '../generated/relay'
import { mintId } from '../kernels/uuid'
import type { RideStep, RideTap } from '../screens/rider/model'
import { allEntries, dropEntries, putEntries } from './kept'

const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 8_000

export type RidePorts = {
  client: () => RelayClient
  onTask: (task: RiderTaskJson | undefined) => void
  onLink: (up: boolean) => void
  onRefused: (problem: ProblemJson) => void
}

export type RideOutbox = ReturnType<typeof rideOutbox>

export function rideOutbox(ports: RidePorts) {
  let taps = $state.raw<readonly RideTap[]>([])
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let busy = false
  let stopped = false

  async function load(): Promise<void> {
    try {
      const kept = (await allEntries<{ kind: string; id: string }>()).filter((each): each is RideTap => each.kind === 'ride')
      const known = new Set(taps.map(({ id }) => id))
      taps = [...kept.filter(({ id }) => !known.has(id)), ...taps].sort((a, b) => a.at - b.at)
    } catch (error) {
      console.warn('no kept taps', error)
    }
  }

  async function drop(ids: readonly string[]): Promise<void> {
    taps = taps.filter(({ id }) => !ids.includes(id))
    await dropEntries(ids).catch((error: unknown) => console.warn('answered tap not dropped', error))
  }

  /** Whether to go on with the next one. */
  async function sendFirst(tap: RideTap): Promise<boolean> {
    const got = await ports.client().deliver(tap.order, tap.step, tap.why)
    ports.onLink(got.kind !== 'away')
    if (got.kind === 'away') return false
    if (got.kind === 'refused') {
      ports.onRefused(got.problem)
      if (got.problem.status === 401) return false
      // What stands behind a refused tap rested on it.
      await drop(taps.filter(({ order, at }) => order === tap.order && at >= tap.at).map(({ id }) => id))
      ports.onTask(undefined)
      return true
    }
    // The task first, so that nothing jumps back between the two.
    ports.onTask(got.kind === 'ok' ? got.value : undefined)
    await drop([tap.id])
    return true
  }

  async function send(): Promise<void> {
    clearTimeout(timer)
    if (busy || stopped) return
    busy = true
    try {
      await locked(async () => {
        for (let first = taps[0]; first && !stopped; first = taps[0]) {
          if (await sendFirst(first)) failures = 0
          else {
            failures += 1
            timer = setTimeout(() => void send(), Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 5)) * (0.5 + Math.random() / 2))
            return
          }
        }
      })
    } finally {
      busy = false
    }
  }

  return {
    get taps() {
      return taps
    },
    async start(): Promise<void> {
      await load()
      await send()
    },
    async tap(order: string, step: RideStep, why: string | null = null): Promise<void> {
      // Twice is once.
      if (taps.some((each) => each.order === order && each.step === step)) return
      const tap: RideTap = { kind: 'ride', id: mintId(), at: Math.max(Date.now(), (taps[taps.length - 1]?.at ?? 0) + 1), order, step, why }
      taps = [...taps, tap]
      await putEntries([tap]).catch((error: unknown) => console.warn('tap not kept on the phone; sending it all the same', error))
      await send()
    },
    kick(): void {
      failures = 0
      void send()
    },
    stop(): void {
      stopped = true
      clearTimeout(timer)
    },
  }
}

async function locked(work: () => Promise<void>): Promise<void> {
  if ('locks' in navigator && navigator.locks) await navigator.locks.request('pilotlight ride', work)
  else await work()
}
