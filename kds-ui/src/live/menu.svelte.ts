// The menu and what is sold out, kept on the device for the first paint and asked for again when the node names another version.
import type { Client } from '../api/client'
import type { AvailabilityJson, MenuJson } from '../generated/api'
import type { MenuIndex, SoldOut } from '../kernels/menu_index'
import { indexMenu, NOTHING_SOLD_OUT, soldOut } from '../kernels/menu_index'
import { readCache, writeCache } from './kept'

type KeptMenu = { menu: MenuJson; etag: string | null }

export function liveMenu(client: () => Client) {
  let index = $state.raw<MenuIndex | null>(null)
  let out = $state.raw<SoldOut>(NOTHING_SOLD_OUT)
  let etag: string | null = null
  let asking = false

  async function refresh(): Promise<void> {
    if (asking) return
    asking = true
    try {
      const got = await client().menu(index ? etag : null)
      if (got.kind !== 'ok') return
      index = indexMenu(got.value)
      etag = got.etag
      await writeCache('menu', { menu: got.value, etag } satisfies KeptMenu)
    } catch (error) {
      console.warn('menu not kept', error)
    } finally {
      asking = false
    }
  }

  return {
    get index() {
      return index
    },
    get soldOut() {
      return out
    },
    setAvailability(availability: AvailabilityJson): void {
      out = soldOut(availability)
    },
    refresh,
    async start(): Promise<void> {
      try {
        const kept = await readCache<KeptMenu>('menu')
        if (kept && !index) {
          index = indexMenu(kept.menu)
          etag = kept.etag
        }
      } catch (error) {
        console.warn('no kept menu', error)
      }
      await refresh()
    },
  }
}
