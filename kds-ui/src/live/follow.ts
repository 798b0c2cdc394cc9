// Follows one document at the relay: a socket that brings it whole whenever it changed, and a plain request where the socket is silent.
import type { Answer } from '../api/ask'

const BACKOFF_MIN_MS = 500
const BACKOFF_MAX_MS = 10_000
/** A socket can be dead without saying so: asked for so often besides. */
const ASK_MS = 20_000

export type FollowPorts<T> = {
  url: string
  token: string
  ask: () => Promise<Answer<T>>
  onValue: (value: T) => void
  /** Somebody answered, or nobody does. */
  onLink: (up: boolean) => void
  onRefused: (answer: Extract<Answer<T>, { kind: 'refused' }>) => void
}

export type Follow = { start: () => void; stop: () => void; now: () => Promise<void> }

export function follow<T>(ports: FollowPorts<T>): Follow {
  let socket: WebSocket | undefined
  let retry: ReturnType<typeof setTimeout> | undefined
  let asking: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let stopped = true
  /** Values are counted, so that a slow answer never covers what the socket brought meanwhile. */
  let heard = 0

  function open(): void {
    if (stopped || socket) return
    const opened = new WebSocket(ports.url)
    socket = opened
    opened.onopen = () => opened.send(JSON.stringify({ token: ports.token }))
    opened.onmessage = ({ data }) => {
      if (socket !== opened || typeof data !== 'string') return
      failures = 0
      heard += 1
      ports.onLink(true)
      ports.onValue(JSON.parse(data) as T)
    }
    opened.onclose = () => {
      if (socket !== opened) return
      socket = undefined
      failures += 1
      clearTimeout(retry)
      if (!stopped) retry = setTimeout(again, Math.max(BACKOFF_MIN_MS, Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 6))))
    }
  }

  function again(): void {
    void now()
    open()
  }

  async function now(): Promise<void> {
    clearTimeout(asking)
    const before = heard
    const got = await ports.ask()
    if (stopped) return
    ports.onLink(got.kind !== 'away')
    // Pending: there is something, and nothing to show of it yet.
    if (got.kind === 'ok' && !got.pending && heard === before) ports.onValue(got.value)
    if (got.kind === 'refused') ports.onRefused(got)
    asking = setTimeout(() => void now(), ASK_MS)
  }

  const wake = () => {
    if (document.visibilityState === 'visible') again()
  }
  return {
    start() {
      if (!stopped) {
        again()
        return
      }
      stopped = false
      window.addEventListener('online', wake)
      document.addEventListener('visibilitychange', wake)
      again()
    },
    stop() {
      stopped = true
      window.removeEventListener('online', wake)
      document.removeEventListener('visibilitychange', wake)
      clearTimeout(retry)
      clearTimeout(asking)
      const closing = socket
      socket = undefined
      closing?.close()
    },
    now,
  }
}

/** The socket's address beside the page's. */
export function socketUrl(path: string, location: Location): string {
  return `${location.protocol === 'http:' ? 'ws' : 'wss'}://${location.host}/api/v1${path}`
}
