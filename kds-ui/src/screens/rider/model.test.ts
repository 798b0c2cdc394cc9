import { describe, expect, it } from 'vitest'
import type { RiderDeliveryJson, RiderStateJson, RiderTaskJson } from '../../generated/relay'
import { en } from '../../words'
import { linkLine, mapsUrl, offerOf, overlay } from './model'
import type { RideStep, RideTap } from './model'

const delivery: RiderDeliveryJson = { order: 'o', number: 'A042', also: [], restaurant: { name: 'Pilota', lat: 1, lon: 2 }, customer: null, items: 3, orders: 1, ready: false, ready_at: null, expires_at: 60_000, earn_minor: 450, currency: 'USD' }
const task = (state: RiderStateJson): RiderTaskJson => ({ state, delivery: state === 'off' || state === 'waiting' ? null : delivery, now: 0 })
const tap = (step: RideStep, order = 'o'): RideTap => ({ kind: 'ride', id: step, at: 0, order, step, why: null })

describe('taps over the task', () => {
  it.each<[RiderStateJson, RideStep[], RiderStateJson]>([
    ['to_store', [], 'to_store'],
    ['to_store', ['at-store'], 'at_store'],
    ['to_store', ['at-store', 'picked-up'], 'to_customer'],
    ['at_store', ['picked-up', 'delivered'], 'waiting'],
    ['to_customer', ['failed'], 'waiting'],
    // The relay is already further: what it heard before changes nothing.
    ['to_customer', ['at-store', 'picked-up'], 'to_customer'],
    ['waiting', ['delivered'], 'waiting'],
    ['offer', ['delivered'], 'offer'],
  ])('%s and %j', (state, steps, shown) => expect(overlay(task(state), steps.map((step) => tap(step))).state).toBe(shown))
  it('has nothing under way once it is delivered', () => expect(overlay(task('to_customer'), [tap('delivered')]).delivery).toBeNull())
  it('leaves another order’s task alone', () => expect(overlay(task('to_store'), [tap('at-store', 'other')]).state).toBe('to_store'))
})

describe('an offer', () => {
  it('counts down to nothing', () => {
    expect(offerOf(delivery, 0, 0)).toMatchObject({ seconds: 60, part: 1, lapsed: false })
    expect(offerOf(delivery, 0, 45_500)).toMatchObject({ seconds: 15, lapsed: false })
    expect(offerOf(delivery, 0, 30_000).part).toBe(0.5)
    expect(offerOf(delivery, 0, 99_000)).toMatchObject({ seconds: 0, part: 0, lapsed: true })
  })
})

describe('the line about the connection', () => {
  const clock = () => '19:42'
  it.each([
    [null, 0, null],
    [null, 2, 'Sending. 2 taps wait to be sent.'],
    [1, 0, 'No connection since 19:42. Your taps are kept and sent by themselves.'],
    [1, 1, 'No connection since 19:42. 1 tap waits to be sent.'],
  ])('%j, %d queued', (lostAt, queued, text) => expect(linkLine(lostAt, queued, clock, en)).toBe(text))
})

it('maps get a place, not a name', () => expect(mapsUrl({ lat: 1.5, lon: -2 })).toBe('geo:1.5,-2?q=1.5,-2'))
