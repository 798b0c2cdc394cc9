// Which device this is. One browser may be paired more than once (a kiosk and a kitchen in two tabs): each screen takes the token that fits it.
import type { PairedJson, RoleJson, SignedInJson } from './generated/api'

export type ScreenName = 'kitchen' | 'kiosk' | 'owner'

const KEY = 'pilotlight.devices'
const STAFF_KEY = 'pilotlight.staff'

/** The roles that fit a screen, the one to take first. */
const FITS: Record<ScreenName, readonly RoleJson[]> = {
  kitchen: ['kitchen', 'staff', 'manager', 'admin'],
  kiosk: ['customer', 'staff', 'manager', 'admin'],
  // Who sees most comes first: the owner's phone may also be the counter's.
  owner: ['admin', 'manager', 'staff'],
}

export type Devices = Partial<Record<RoleJson, PairedJson>>

export function devices(storage: Storage = localStorage): Devices {
  try {
    return JSON.parse(storage.getItem(KEY) ?? '{}') as Devices
  } catch {
    return {}
  }
}

export function remember(paired: PairedJson, storage: Storage = localStorage): void {
  storage.setItem(KEY, JSON.stringify({ ...devices(storage), [paired.role]: paired }))
}

export function forget(role: RoleJson, storage: Storage = localStorage): void {
  const rest = devices(storage)
  delete rest[role]
  storage.setItem(KEY, JSON.stringify(rest))
}

export function deviceFor(screen: ScreenName, known: Devices): PairedJson | null {
  for (const role of FITS[screen]) {
    const device = known[role]
    if (device) return device
  }
  return null
}

/** The screen that a newly paired device opens. */
export function screenFor(role: RoleJson): ScreenName | null {
  return role === 'customer' ? 'kiosk' : role === 'kitchen' ? 'kitchen' : null
}

export function signedIn(now: number, storage: Storage = sessionStorage): SignedInJson | null {
  try {
    const person = JSON.parse(storage.getItem(STAFF_KEY) ?? 'null') as SignedInJson | null
    return person && person.expires_at > now ? person : null
  } catch {
    return null
  }
}

export function setSignedIn(person: SignedInJson | null, storage: Storage = sessionStorage): void {
  if (person) storage.setItem(STAFF_KEY, JSON.stringify(person))
  else storage.removeItem(STAFF_KEY)
}
