// The live connection as a machine without sockets, clocks or randomness: events in, the next state and what to do out.
import type { FromScreenJson, PositionJson } from '../generated/api'
import { unreachable } from '../kernels/unreachable'
import type { ToScreenJson } from '../generated/api'

export const PING_MS = 10_000
export const DEAD_MS = 25_000
export const BACKOFF_MIN_MS = 500
export const BACKOFF_MAX_MS = 10_000
/** Time for the socket to open and for the node to say welcome. */
export const GREETING_MS = 10_000

export type Link =
  | { state: 'stopped' }
  | { state: 'opening'; attempt: number; since: number; lostAt: number | null }
  | { state: 'greeting'; attempt: number; since: number; lostAt: number | null }
  | { state: 'live'; since: number; heardAt: number; pingedAt: number }
  | { state: 'waiting'; attempt: number; until: number; lostAt: number }
  | { state: 'refused'; reason: string }

export type LinkEvent =
  | { type: 'start' }
  | { type: 'stop' }
  | { type: 'opened' }
  | { type: 'frame'; frame: ToScreenJson }
  | { type: 'closed' }
  /** The browser says the network is back: no need to wait the rest of the backoff. */
  | { type: 'online' }
  | { type: 'tick' }

export type LinkEffect = { do: 'open' } | { do: 'greet' } | { do: 'send'; frame: FromScreenJson } | { do: 'close' } | { do: 'deliver'; frame: ToScreenJson }

export type Step = { link: Link; effects: LinkEffect[] }

/** Full jitter: anywhere between nothing and the doubled bound, never under the least. `random` is in [0, 1). */
export function backoff(attempt: number, random: number): number {
  const bound = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempt, 10))
  return Math.max(BACKOFF_MIN_MS, Math.round(random * bound))
}

export function step(link: Link, event: LinkEvent, now: number, random: number): Step {
  switch (event.type) {
    case 'start':
      return link.state === 'stopped' || link.state === 'refused'
        ? { link: { state: 'opening', attempt: 0, since: now, lostAt: null }, effects: [{ do: 'open' }] }
        : stay(link)
    case 'stop':
      return { link: { state: 'stopped' }, effects: [{ do: 'close' }] }
    case 'opened':
      return link.state === 'opening' ? { link: { ...link, state: 'greeting', since: now }, effects: [{ do: 'greet' }] } : stay(link)
    case 'frame':
      return onFrame(link, event.frame, now, random)
    case 'closed':
      return link.state === 'opening' || link.state === 'greeting' || link.state === 'live' ? wait(link, now, random, []) : stay(link)
    case 'online':
      return link.state === 'waiting' ? open(link, now) : stay(link)
    case 'tick':
      return onTick(link, now, random)
    default:
      return unreachable(event)
  }
}

/** The next time a tick can matter; null when only an event can. */
export function deadline(link: Link): number | null {
  switch (link.state) {
    case 'stopped':
    case 'refused':
      return null
    case 'opening':
    case 'greeting':
      return link.since + GREETING_MS
    case 'live':
      return Math.min(link.pingedAt + PING_MS, link.heardAt + DEAD_MS)
    case 'waiting':
      return link.until
    default:
      return unreachable(link)
  }
}

function stay(link: Link): Step {
  return { link, effects: [] }
}

function open(link: Link & { state: 'waiting' }, now: number): Step {
  return { link: { state: 'opening', attempt: link.attempt, since: now, lostAt: link.lostAt }, effects: [{ do: 'open' }] }
}

function wait(link: Link & { state: 'opening' | 'greeting' | 'live' }, now: number, random: number, effects: LinkEffect[]): Step {
  const attempt = link.state === 'live' ? 0 : link.attempt + 1
  const lostAt = link.state === 'live' ? now : (link.lostAt ?? link.since)
  return { link: { state: 'waiting', attempt, until: now + backoff(attempt, random), lostAt }, effects }
}

function onFrame(link: Link, frame: ToScreenJson, now: number, random: number): Step {
  if (link.state !== 'greeting' && link.state !== 'live') return stay(link)
  if (frame.type === 'bye') {
    if (frame.reason === 'unauthorised') return { link: { state: 'refused', reason: frame.reason }, effects: [{ do: 'close' }] }
    return wait(link, now, random, [{ do: 'close' }])
  }
  if (link.state === 'greeting') {
    if (frame.type !== 'welcome') return stay(link)
    return { link: { state: 'live', since: now, heardAt: now, pingedAt: now }, effects: [{ do: 'deliver', frame }] }
  }
  return { link: { ...link, heardAt: now }, effects: [{ do: 'deliver', frame }] }
}

function onTick(link: Link, now: number, random: number): Step {
  switch (link.state) {
    case 'stopped':
    case 'refused':
      return stay(link)
    case 'opening':
    case 'greeting':
      return now - link.since >= GREETING_MS ? wait(link, now, random, [{ do: 'close' }]) : stay(link)
    case 'live':
      if (now - link.heardAt >= DEAD_MS) return wait(link, now, random, [{ do: 'close' }])
      if (now - link.pingedAt >= PING_MS) return { link: { ...link, pingedAt: now }, effects: [{ do: 'send', frame: { type: 'ping' } }] }
      return stay(link)
    case 'waiting':
      return now >= link.until ? open(link, now) : stay(link)
    default:
      return unreachable(link)
  }
}

/** The first frame of a connection. */
export function hello(token: string, screen: (FromScreenJson & { type: 'hello' })['screen'], position: PositionJson | null): FromScreenJson {
  return { type: 'hello', token, screen, position }
}
