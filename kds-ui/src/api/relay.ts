// Typed requests to the relay.
import type {
  AmendCustomerOrderJson,
  CancelJson,
  CancelPreviewJson,
  CustomerJson,
  CustomerOrderJson,
  CustomerOrdersJson,
  NewCustomerJson,
  NewGuestJson,
  NewRiderJson,
  PlaceCustomerOrderJson,
  PositionOnEarthJson,
  QuoteJson,
  QuoteRequestJson,
  RestaurantMenuJson,
  RestaurantsJson,
  RiderSessionJson,
  RiderSignInJson,
  RiderTaskJson,
  SessionJson,
  ShiftJson,
  SignInCustomerJson,
} from '../generated/relay'
import { asker } from './ask'

/** Paying asks a bank, which takes longer than our own disk. */
const PAY_TIMEOUT_MS = 20_000

export type RelayClient = ReturnType<typeof relayClient>

export function relayClient(token: string | null, base = '/api/v1') {
  const ask = asker(token, base)
  const pay = asker(token, base, PAY_TIMEOUT_MS)

  return {
    signUp: (body: NewCustomerJson) => ask<SessionJson>('POST', '/customers', body),
    guest: (body: NewGuestJson) => ask<SessionJson>('POST', '/customers/guest', body),
    signIn: (body: SignInCustomerJson) => ask<SessionJson>('POST', '/sessions', body),
    signOut: () => ask<undefined>('DELETE', '/sessions/current'),
    me: () => ask<CustomerJson>('GET', '/me'),
    restaurants: ({ lat, lon }: PositionOnEarthJson) => ask<RestaurantsJson>('GET', `/restaurants?lat=${lat}&lon=${lon}`),
    menu: (site: string, etag: string | null) => ask<RestaurantMenuJson>('GET', `/restaurants/${site}/menu`, undefined, etag),
    quote: (site: string, body: QuoteRequestJson) => ask<QuoteJson>('POST', `/restaurants/${site}/quotes`, body),
    place: (site: string, body: PlaceCustomerOrderJson) => pay<CustomerOrderJson>('POST', `/restaurants/${site}/orders`, body),
    orders: () => ask<CustomerOrdersJson>('GET', '/orders'),
    order: (id: string) => ask<CustomerOrderJson>('GET', `/orders/${id}`),
    cancelPreview: (id: string) => ask<CancelPreviewJson>('POST', `/orders/${id}/cancel-preview`),
    amend: (id: string, body: AmendCustomerOrderJson) => ask<CustomerOrderJson>('POST', `/orders/${id}/amendments`, body),
    cancel: (id: string, body: CancelJson) => ask<CustomerOrderJson>('POST', `/orders/${id}/cancel`, body),

    newRider: (body: NewRiderJson) => ask<RiderSessionJson>('POST', '/riders', body),
    riderSignIn: (body: RiderSignInJson) => ask<RiderSessionJson>('POST', '/rider/sessions', body),
    shift: (body: ShiftJson) => ask<RiderTaskJson>('PUT', '/rider/shift', body),
    position: (body: PositionOnEarthJson) => ask<unknown>('PUT', '/rider/position', body),
    task: () => ask<RiderTaskJson>('GET', '/rider/task'),
    offer: (order: string, verdict: 'accept' | 'decline') => ask<RiderTaskJson>('POST', `/rider/offers/${order}/${verdict}`),
    deliver: (order: string, phase: 'at-store' | 'picked-up' | 'delivered' | 'failed', why: string | null) =>
      ask<RiderTaskJson>('POST', `/rider/deliveries/${order}/${phase}`, why === null ? undefined : { why }),
  }
}
