// Who is signed in at the relay on this phone: a customer, a rider, or both; each with a token of its own.
import type { RiderSessionJson, SessionJson } from './generated/relay'

const CUSTOMER = 'pilotlight.customer'
const RIDER = 'pilotlight.rider'

function read<T extends { token: string }>(key: string, storage: Storage): T | null {
  try {
    const kept = JSON.parse(storage.getItem(key) ?? 'null') as T | null
    return kept && typeof kept.token === 'string' ? kept : null
  } catch {
    return null
  }
}

function write(key: string, session: unknown, storage: Storage): void {
  if (session) storage.setItem(key, JSON.stringify(session))
  else storage.removeItem(key)
}

export function customerSession(storage: Storage = localStorage): SessionJson | null {
  return read<SessionJson>(CUSTOMER, storage)
}
export function setCustomerSession(session: SessionJson | null, storage: Storage = localStorage): void {
  write(CUSTOMER, session, storage)
}
export function riderSession(storage: Storage = localStorage): RiderSessionJson | null {
  return read<RiderSessionJson>(RIDER, storage)
}
export function setRiderSession(session: RiderSessionJson | null, storage: Storage = localStorage): void {
  write(RIDER, session, storage)
}
