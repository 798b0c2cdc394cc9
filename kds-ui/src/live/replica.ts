// This screen's copy of the board: pure reducers over the node's frames. Orders that did not change keep their identity, so nothing of them is drawn again.
import type { AvailabilityJson, BoardOrderJson, PositionJson } from '../generated/api'
import type { OnlineJson, ToScreenJson, UplinkJson } from '../generated/api'

export type Replica = {
  position: PositionJson | null
  orders: ReadonlyMap<string, BoardOrderJson>
  availability: AvailabilityJson | null
  menuVersion: string | null
  /** So often the node has said that something of the menu was written: also what is not shown, like the loser of two writes. */
  menusTold: number
  /** The node's connection to the relay; null until it was told. */
  uplink: UplinkJson | null
  /** How orders from home are taken; null until it was told. */
  online: OnlineJson | null
  /** Node's clock minus this device's. */
  clockSkewMs: number
  /** Chunks of a snapshot that is not complete yet; the old board is shown meanwhile. */
  arriving: Map<string, BoardOrderJson> | null
}

export const EMPTY: Replica = { position: null, orders: new Map(), availability: null, menuVersion: null, menusTold: 0, uplink: null, online: null, clockSkewMs: 0, arriving: null }

export function reduce(replica: Replica, frame: ToScreenJson, deviceNow: number): Replica {
  switch (frame.type) {
    case 'welcome':
      return {
        ...replica,
        // A position is only taken over when what it stands for has arrived.
        position: replica.position,
        menuVersion: frame.menu_version,
        clockSkewMs: frame.now - deviceNow,
        arriving: null,
      }
    case 'snapshot': {
      const arriving = frame.first || replica.arriving === null ? new Map<string, BoardOrderJson>() : replica.arriving
      for (const order of frame.orders) arriving.set(order.id, keepIdentity(replica.orders.get(order.id), order))
      return frame.last ? { ...replica, position: frame.position, orders: arriving, arriving: null } : { ...replica, arriving }
    }
    case 'delta': {
      const into = new Map(replica.orders)
      for (const order of frame.orders) into.set(order.id, order)
      for (const id of frame.gone) into.delete(id)
      return { ...replica, position: frame.position, orders: into }
    }
    case 'availability':
      return { ...replica, availability: frame.availability }
    case 'menu':
      return { ...replica, menuVersion: frame.version, menusTold: replica.menusTold + 1 }
    case 'link': {
      const { type: _, ...uplink } = frame
      return { ...replica, uplink }
    }
    case 'online': {
      const { type: _, ...online } = frame
      return { ...replica, online }
    }
    case 'pong':
      return { ...replica, clockSkewMs: frame.now - deviceNow }
    case 'bye':
      return replica
  }
}

/** After a snapshot most orders are as before: the old object stays when the text is the same. */
function keepIdentity(before: BoardOrderJson | undefined, after: BoardOrderJson): BoardOrderJson {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(after) ? before : after
}

/** What is kept for the first paint after a reload. */
export type Kept = { position: PositionJson | null; orders: BoardOrderJson[]; availability: AvailabilityJson | null; clockSkewMs: number; savedAt: number }

export function keep(replica: Replica, now: number): Kept {
  return { position: replica.position, orders: [...replica.orders.values()], availability: replica.availability, clockSkewMs: replica.clockSkewMs, savedAt: now }
}

export function restore(kept: Kept): Replica {
  return {
    ...EMPTY,
    position: kept.position,
    orders: new Map(kept.orders.map((order) => [order.id, order])),
    availability: kept.availability,
    clockSkewMs: kept.clockSkewMs,
  }
}
