// The running connection of one screen: link, replica and clock as values that views follow.
import type { FromScreenJson } from '../generated/api'
import { measureDrawing, perFrame } from './frames'
import { readCache, writeCache } from './kept'
import type { Link } from './link'
import type { Kept, Replica } from './replica'
import { EMPTY, keep, reduce, restore } from './replica'
import { liveSocket, liveUrl } from './socket'
import type { ToScreenJson } from '../generated/api'

const SAVE_AFTER_MS = 1_000

export type Live = ReturnType<typeof live>

export function live(screen: (FromScreenJson & { type: 'hello' })['screen'], token: string) {
  const cacheKey = `board ${screen}`
  let link = $state.raw<Link>({ state: 'stopped' })
  let replica = $state.raw<Replica>(EMPTY)
  /** Nothing is known yet, not even from before the reload. */
  let blank = $state(true)
  /** The node confirmed what is shown since this page was opened. */
  let fresh = $state(false)
  let linkSince = $state(Date.now())
  let lostAt = $state<number | null>(null)
  let saving: ReturnType<typeof setTimeout> | undefined

  const apply = perFrame<ToScreenJson>((frames) => {
    const start = performance.now()
    let next = replica
    for (const frame of frames) {
      next = reduce(next, frame, Date.now())
      if (frame.type === 'snapshot' ? frame.last : frame.type === 'welcome' ? frame.resumed : false) {
        fresh = true
        blank = false
      }
    }
    replica = next
    if (frames.some((frame) => frame.type === 'delta')) measureDrawing('draw_delta', start)
    save()
  })

  function save(): void {
    saving ??= setTimeout(() => {
      saving = undefined
      // A full or forbidden device store costs the first paint, not the service.
      writeCache(cacheKey, keep(replica, Date.now())).catch((error: unknown) => console.warn('board not kept', error))
    }, SAVE_AFTER_MS)
  }

  const socket = liveSocket({
    url: liveUrl(window.location),
    token,
    screen,
    position: () => replica.position,
    onFrame: apply,
    onLink(next) {
      if (next.state === 'live') lostAt = null
      else if (next.state === 'waiting') lostAt = next.lostAt
      link = next
      linkSince = Date.now()
    },
  })

  return {
    get link() {
      return link
    },
    get replica() {
      return replica
    },
    get blank() {
      return blank
    },
    get fresh() {
      return fresh
    },
    get linkSince() {
      return linkSince
    },
    get lostAt() {
      return lostAt
    },
    async start(): Promise<void> {
      try {
        const kept = await readCache<Kept>(cacheKey)
        if (kept && !fresh) {
          replica = restore(kept)
          blank = false
        }
      } catch (error) {
        console.warn('no kept board', error)
      }
      socket.start()
    },
    stop(): void {
      socket.stop()
      clearTimeout(saving)
    },
  }
}
