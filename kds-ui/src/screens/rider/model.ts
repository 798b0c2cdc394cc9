// The rider's one task: what the relay said, with the taps that it has not heard yet laid over it. Pure.
import type { RiderDeliveryJson, RiderStateJson, RiderTaskJson } from '../../generated/relay'
import { unreachable } from '../../kernels/unreachable'
import type { Words } from '../../words'

export type RideStep = 'at-store' | 'picked-up' | 'delivered' | 'failed'

/** A tap, kept on the phone until the relay has answered it. */
export type RideTap = { kind: 'ride'; id: string; at: number; order: string; step: RideStep; why: string | null }

/** What one tap makes of the task; what does not fit it changes nothing. */
function after(state: RiderStateJson, step: RideStep): RiderStateJson {
  switch (step) {
    case 'at-store':
      return state === 'to_store' ? 'at_store' : state
    case 'picked-up':
      return state === 'to_store' || state === 'at_store' ? 'to_customer' : state
    case 'delivered':
    case 'failed':
      return state === 'to_customer' ? 'waiting' : state
    default:
      return unreachable(step)
  }
}

/** The task as the rider made it. */
export function overlay(task: RiderTaskJson, taps: readonly RideTap[]): RiderTaskJson {
  return taps.reduce((shown, tap) => {
    if (shown.delivery?.order !== tap.order) return shown
    const state = after(shown.state, tap.step)
    return state === shown.state ? shown : { ...shown, state, delivery: state === 'waiting' ? null : shown.delivery }
  }, task)
}

export type Offer = { delivery: RiderDeliveryJson; seconds: number; /** Of its time, 0 to 1. */ part: number; lapsed: boolean }

/** How long an offer still stands; `firstSeen` is when this phone saw it first, by the relay's clock. */
export function offerOf(delivery: RiderDeliveryJson, firstSeen: number, now: number): Offer {
  const until = delivery.expires_at ?? now
  const left = Math.max(0, until - now)
  const whole = Math.max(1, until - firstSeen)
  return { delivery, seconds: Math.ceil(left / 1000), part: Math.min(1, left / whole), lapsed: left === 0 }
}

export type Answering = { state: 'idle' } | { state: 'accepting' } | { state: 'declining' } | { state: 'lapsed' }

// ---- the one line about the connection

export function linkLine(lostAt: number | null, queued: number, clock: (at: number) => string, w: Words): string | null {
  const waits = queued > 0 ? w.rider.queued(queued) : ''
  if (lostAt !== null) return [w.rider.offline(clock(lostAt)), queued > 0 ? waits : w.rider.offlineKept].join(' ')
  return queued > 0 ? `${w.rider.sending}. ${waits}` : null
}

/** Opens the phone's own maps; nothing of the address goes through us. */
export function mapsUrl(point: { lat: number; lon: number }): string {
  return `geo:${point.lat},${point.lon}?q=${point.lat},${point.lon}`
}
