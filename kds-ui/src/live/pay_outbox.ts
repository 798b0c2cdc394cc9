// Sends a paid order until it has its verdict: under one order id, by one tab at a time, over reloads and cuts. Ports in, no component.
import type { Answer } from '../api/ask'
import type { ProblemJson } from '../generated/api'
import type { CustomerOrderJson, PlaceCustomerOrderJson } from '../generated/relay'

const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 8_000
/** A bank that thinks is asked again so often. */
const PENDING_MS = 1_000

/** What is to be paid, as the device keeps it. */
export type ToPay = { site: string; body: PlaceCustomerOrderJson }

export type PayPorts = {
  /** What the device keeps now; null: there is nothing to pay any more, perhaps because another tab has done it. */
  kept: () => Promise<ToPay | null>
  place: (pay: ToPay) => Promise<Answer<CustomerOrderJson>>
  onSending: () => void
  onPending: () => void
  onAway: () => void
  onElsewhere: () => void
  onPlaced: (order: CustomerOrderJson) => Promise<void>
  onRefused: (problem: ProblemJson) => Promise<void>
  /** The only tab that sends; tells whether another one had it. */
  locked: <T>(work: () => Promise<T>, onWait: () => void) => Promise<T>
  wait: (ms: number) => Promise<void>
  random: () => number
}

export type PayOutbox = ReturnType<typeof payOutbox>

export function payOutbox(ports: PayPorts) {
  let running = false
  let stopped = false
  let wake: (() => void) | null = null

  /** True when it has its verdict. */
  async function attempt(pay: ToPay): Promise<'done' | 'pending' | 'away'> {
    const got = await ports.place(pay)
    switch (got.kind) {
      case 'ok':
        if (got.pending) return 'pending'
        await ports.onPlaced(got.value)
        return 'done'
      case 'refused':
        await ports.onRefused(got.problem)
        return 'done'
      case 'away':
      case 'unchanged':
        return 'away'
    }
  }

  async function pause(ms: number): Promise<void> {
    await Promise.race([ports.wait(ms), new Promise<void>((resolve) => (wake = resolve))])
    wake = null
  }

  async function begin(): Promise<void> {
    // The tab that had it before may have ended it.
    if (stopped || (await ports.kept()) === null) return
    ports.onSending()
    await untilAnswered()
  }

  async function untilAnswered(): Promise<void> {
    let failures = 0
    for (;;) {
      // Read anew each time: another tab, or the customer, may have ended it.
      const pay = await ports.kept()
      if (stopped || pay === null) return
      const end = await attempt(pay)
      if (end === 'done' || stopped) return
      if (end === 'pending') {
        failures = 0
        ports.onPending()
        await pause(PENDING_MS)
      } else {
        failures += 1
        ports.onAway()
        await pause(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(failures, 5)) * (0.5 + ports.random() / 2))
      }
    }
  }

  return {
    /** Something is to be paid, or may be from before a reload. Twice is once. */
    async send(): Promise<void> {
      if (running || stopped) return
      running = true
      try {
        if ((await ports.kept()) !== null) await ports.locked(begin, ports.onElsewhere)
      } finally {
        running = false
      }
    },
    /** The connection is back: do not wait any longer. */
    kick(): void {
      wake?.()
    },
    stop(): void {
      stopped = true
      wake?.()
    },
  }
}
