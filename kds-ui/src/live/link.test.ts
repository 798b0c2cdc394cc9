import { describe, expect, it } from 'vitest'
import type { ToScreenJson } from '../generated/api'
import type { Link, LinkEvent } from './link'
import { backoff, BACKOFF_MAX_MS, BACKOFF_MIN_MS, DEAD_MS, deadline, GREETING_MS, hello, PING_MS, step } from './link'

const position = { origin: 'o', seq: 7, hash: 'h' }
const welcome: ToScreenJson = { type: 'welcome', resumed: true, now: 0, menu_version: 'm', position }

/** Plays events at their times; answers the states and everything that was to be done. */
function play(events: [number, LinkEvent][], from: Link = { state: 'stopped' }, random = 0.5) {
  let link = from
  const done: string[] = []
  for (const [now, event] of events) {
    const next = step(link, event, now, random)
    link = next.link
    done.push(...next.effects.map((effect) => (effect.do === 'send' ? `send ${effect.frame.type}` : effect.do === 'deliver' ? `deliver ${effect.frame.type}` : effect.do)))
  }
  return { link, done }
}
const LIVE: [number, LinkEvent][] = [
  [0, { type: 'start' }],
  [10, { type: 'opened' }],
  [20, { type: 'frame', frame: welcome }],
]

describe('a connection', () => {
  it('opens, greets and is live once welcomed', () => {
    const { link, done } = play(LIVE)
    expect(link).toEqual({ state: 'live', since: 20, heardAt: 20, pingedAt: 20 })
    expect(done).toEqual(['open', 'greet', 'deliver welcome'])
  })
  it('takes nothing before the welcome', () => {
    const { link, done } = play([...LIVE.slice(0, 2), [15, { type: 'frame', frame: { type: 'pong', now: 1 } }]])
    expect(link.state).toBe('greeting')
    expect(done).toEqual(['open', 'greet'])
  })
  it('pings each ten seconds and lives on as long as it hears something', () => {
    const { link, done } = play([...LIVE, [20 + PING_MS, { type: 'tick' }], [20 + PING_MS + 5, { type: 'frame', frame: { type: 'pong', now: 1 } }], [20 + 2 * PING_MS, { type: 'tick' }]])
    expect(done.slice(3)).toEqual(['send ping', 'deliver pong', 'send ping'])
    expect(link.state).toBe('live')
  })
  it('is dead after 25 silent seconds, and waits', () => {
    const { link, done } = play([...LIVE, [20 + DEAD_MS, { type: 'tick' }]])
    expect(done.at(-1)).toBe('close')
    expect(link).toEqual({ state: 'waiting', attempt: 0, until: 20 + DEAD_MS + backoff(0, 0.5), lostAt: 20 + DEAD_MS })
  })
  it('gives up an opening or a greeting that takes too long', () => {
    expect(play([[0, { type: 'start' }], [GREETING_MS, { type: 'tick' }]]).link.state).toBe('waiting')
    expect(play([[0, { type: 'start' }], [5, { type: 'opened' }], [5 + GREETING_MS, { type: 'tick' }]]).link.state).toBe('waiting')
    expect(play([[0, { type: 'start' }], [GREETING_MS - 1, { type: 'tick' }]]).link.state).toBe('opening')
  })
  it('waits longer with each failure and remembers since when it is lost', () => {
    const lost = play([...LIVE, [100, { type: 'closed' }], [10_000, { type: 'tick' }], [10_100, { type: 'closed' }]])
    expect(lost.link).toMatchObject({ state: 'waiting', attempt: 1, lostAt: 100 })
    const again = play([[30_000, { type: 'tick' }], [30_100, { type: 'closed' }]], lost.link)
    expect(again.link).toMatchObject({ state: 'waiting', attempt: 2, lostAt: 100 })
  })
  it('counts as lost since the start when it never was live', () => {
    expect(play([[50, { type: 'start' }], [70, { type: 'closed' }]]).link).toMatchObject({ state: 'waiting', lostAt: 50 })
  })
  it('does not wait when the network is back', () => {
    const { link, done } = play([...LIVE, [100, { type: 'closed' }], [110, { type: 'online' }]])
    expect(link.state).toBe('opening')
    expect(done.at(-1)).toBe('open')
    expect(play([...LIVE, [100, { type: 'online' }]]).link.state).toBe('live')
  })
  it('asks for pairing instead of trying for ever when its token is not known', () => {
    const { link, done } = play([...LIVE.slice(0, 2), [15, { type: 'frame', frame: { type: 'bye', reason: 'unauthorised' } }], [16, { type: 'closed' }], [99_999, { type: 'tick' }]])
    expect(link).toEqual({ state: 'refused', reason: 'unauthorised' })
    expect(done.at(-1)).toBe('close')
    expect(deadline(link)).toBeNull()
  })
  it('comes back after other goodbyes', () => {
    expect(play([...LIVE, [30, { type: 'frame', frame: { type: 'bye', reason: 'stopping' } }]]).link.state).toBe('waiting')
  })
  it('stops, and ignores what comes late', () => {
    const { link, done } = play([...LIVE, [30, { type: 'stop' }], [31, { type: 'frame', frame: welcome }], [32, { type: 'closed' }], [33, { type: 'opened' }]])
    expect(link).toEqual({ state: 'stopped' })
    expect(done.at(-1)).toBe('close')
  })
  it('knows when a tick matters', () => {
    expect(deadline({ state: 'stopped' })).toBeNull()
    expect(deadline(play(LIVE).link)).toBe(20 + PING_MS)
    expect(deadline({ state: 'live', since: 0, heardAt: 0, pingedAt: 20_000 })).toBe(DEAD_MS)
    expect(deadline({ state: 'waiting', attempt: 0, until: 9, lostAt: 1 })).toBe(9)
    expect(deadline({ state: 'opening', attempt: 0, since: 1, lostAt: null })).toBe(1 + GREETING_MS)
  })
})

it('backs off with full jitter between half a second and ten', () => {
  expect(backoff(0, 0)).toBe(BACKOFF_MIN_MS)
  expect(backoff(3, 0.5)).toBe(2_000)
  for (let attempt = 0; attempt < 40; attempt += 1) {
    for (const random of [0, 0.3, 0.999999]) {
      expect(backoff(attempt, random)).toBeGreaterThanOrEqual(BACKOFF_MIN_MS)
      expect(backoff(attempt, random)).toBeLessThanOrEqual(BACKOFF_MAX_MS)
    }
  }
})

it('shows the last position in its hello', () => expect(hello('t', 'kitchen', position)).toEqual({ type: 'hello', token: 't', screen: 'kitchen', position }))
