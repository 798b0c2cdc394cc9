// The rider's phone in every state.
import type { RiderDeliveryJson, RiderStateJson, RiderTaskJson } from '../../generated/relay'
import type { Words } from '../../words'
import { linkLine, offerOf } from '../rider/model'
import type { RiderProps } from '../rider/View.svelte'
import RiderView from '../rider/View.svelte'
import * as f from './fixtures'
import { nothing, story } from './story'

const MIN = 60_000
const clock = (at: number) => new Date(at).toISOString().slice(11, 16)

const DELIVERY: RiderDeliveryJson = {
  order: 'o1',
  number: 'A042',
  also: [],
  restaurant: { name: 'Pizzeria Pilota', lat: 52.526, lon: 13.39 },
  customer: { name: 'Ana Belén', phone: '+49 30 1234567', address: { street: 'Linienstraße 12', city: 'Berlin', lat: 52.52, lon: 13.4, note: '3rd floor, ring twice' } },
  items: 5,
  orders: 1,
  ready: true,
  ready_at: f.NOW + 6 * MIN,
  expires_at: f.NOW + 24_000,
  earn_minor: 450,
  currency: 'USD',
}
const LONG: RiderDeliveryJson = {
  ...DELIVERY,
  restaurant: { ...DELIVERY.restaurant, name: 'Trattoria Mediterranean with Roasted Peppers, Artichokes and Kalamata Olives' },
  customer: {
    name: 'Maximiliane von Hohenstein-Oberursel',
    phone: null,
    address: { street: 'Am Alten Wasserwerk an der Donaudampfschifffahrtsstraße 142b', city: 'Berlin', lat: 0, lon: 0, note: 'Through the second courtyard, the left staircase, fourth floor, the bell is broken, please knock.' },
  },
}
const taskIn = (state: RiderStateJson, delivery: RiderDeliveryJson | null = DELIVERY): RiderTaskJson => ({ state, delivery: state === 'off' || state === 'waiting' ? null : delivery, now: f.NOW })

function rider(w: Words, task: RiderTaskJson | null, more: Partial<RiderProps> = {}): RiderProps {
  return {
    w,
    rider: { id: 'r', name: 'Kofi' },
    signing: { asking: false, problem: null },
    task,
    offer: task?.state === 'offer' && task.delivery ? offerOf(task.delivery, f.NOW - 16_000, f.NOW) : null,
    answering: { state: 'idle' },
    locating: 'idle',
    starting: false,
    far: task && task.state !== 'off' ? w.customer.kilometres('1.2') : null,
    line: null,
    sending: false,
    problem: null,
    failing: false,
    on: { sign: nothing, signOut: nothing, shift: nothing, typed: nothing, answer: nothing, step: nothing, failing: nothing, failed: nothing, dismiss: nothing },
    ...more,
  }
}
const away = (w: Words, queued: number): Partial<RiderProps> => ({ line: linkLine(f.NOW - 4 * MIN, queued, clock, w), sending: queued > 0 })

export const riderStories = [
  story('rider-sign-in', 'phone', 'light', RiderView, (w) => rider(w, null, { rider: null })),
  story('rider-sign-in-wrong', 'phone', 'light', RiderView, (w) => rider(w, null, { rider: null, signing: { asking: false, problem: w.rider.wrong } })),
  story('rider-loading', 'phone', 'light', RiderView, (w) => rider(w, null)),
  story('rider-off', 'phone', 'light', RiderView, (w) => rider(w, taskIn('off'))),
  story('rider-off-no-place', 'phone', 'light', RiderView, (w) => rider(w, taskIn('off'), { locating: 'denied' })),
  story('rider-waiting', 'phone', 'light', RiderView, (w) => rider(w, taskIn('waiting'))),
  story('rider-lapsed', 'phone', 'light', RiderView, (w) => rider(w, taskIn('waiting'), { answering: { state: 'lapsed' } })),
  story('rider-offer', 'phone', 'light', RiderView, (w) => rider(w, taskIn('offer', { ...DELIVERY, customer: null }))),
  story('rider-offer-few', 'phone', 'light', RiderView, (w) => rider(w, taskIn('offer', { ...DELIVERY, customer: null, expires_at: f.NOW + 7_000 }))),
  story('rider-to-store', 'phone', 'light', RiderView, (w) => rider(w, taskIn('to_store'))),
  story('rider-at-store', 'phone', 'light', RiderView, (w) => rider(w, taskIn('at_store', { ...DELIVERY, ready_at: f.NOW - MIN }))),
  story('rider-to-customer', 'phone', 'light', RiderView, (w) => rider(w, taskIn('to_customer'))),
  story('rider-to-customer-dark', 'phone', 'dark', RiderView, (w) => rider(w, taskIn('to_customer'))),
  story('rider-failed', 'phone', 'light', RiderView, (w) => rider(w, taskIn('to_customer'), { failing: true })),
  story('rider-offline', 'phone', 'light', RiderView, (w) => rider(w, taskIn('to_customer'), away(w, 1))),
  story('rider-offline-waiting', 'phone', 'light', RiderView, (w) => rider(w, taskIn('waiting'), away(w, 0))),
  story('rider-refused', 'phone', 'light', RiderView, (w) => rider(w, taskIn('to_store'), { problem: 'The order was cancelled. Wait for the next trip.' })),
  story('rider-long-names', 'phone', 'light', RiderView, (w) => rider(w, taskIn('to_customer', LONG))),
  story('rider-rtl', 'phone', 'light', RiderView, (w) => rider(w, taskIn('to_customer'), away(w, 1)), { rtl: true }),
  story('rider-offer-rtl', 'phone', 'light', RiderView, (w) => rider(w, taskIn('offer', { ...DELIVERY, customer: null })), { rtl: true }),
  story('rider-offer-text-200', 'phone', 'light', RiderView, (w) => rider(w, taskIn('offer', { ...DELIVERY, customer: null }))),
  story('rider-text-200', 'phone', 'light', RiderView, (w) => rider(w, taskIn('to_customer', LONG))),
]
