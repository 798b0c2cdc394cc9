// The node's connection to the relay, as the node tells it to the screens of the restaurant.
import type { ToScreenJson } from '../generated/api'

/** `GET /api/v1/uplink`, and the live frame `link` without its type. */
export type UplinkJson = {
  /** `none`: this restaurant works alone, no relay was ever enrolled. */
  state: 'none' | 'connecting' | 'online' | 'offline'
  relay_url?: string | null
  /** Since when it is in this state. */
  since?: number | null
  /** Own commits that no relay has made durable yet. */
  waiting_commits: number
  /** How many replicas have everything that this node wrote, this one included. */
  safe_on: number
  last_online?: number | null
  /** What is wrong: why it is offline, or that the relay has another log of this node's. */
  why?: string | null
}

/** The state of the uplink changed. */
export type LinkFrameJson = { type: 'link' } & UplinkJson

/** Everything that the node sends on the live socket. */
export type ToScreen = ToScreenJson | LinkFrameJson
