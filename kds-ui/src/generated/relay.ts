// The relay's shapes, written after the contract in the manner of ts-rs until they are generated from cloud-relay/src/api/json.rs.
import type { AvailabilityJson, MenuJson, PlaceLineJson, StatusJson } from './api'

/**
 * Where it goes. The words are kept at the relay only, never in the order's facts.
 */
export type AddressJson = { street: string, city: string, lat: number, lon: number, note: string | null, };

/**
 * Cancels, for the refund that was shown.
 */
export type CancelJson = { why: string, expected_refund_minor: number, };

/**
 * What a cancellation would give back now.
 */
export type CancelPreviewJson = { refund_minor: number, 
/**
 * The rule in plain words.
 */
rule: string, 
/**
 * The refund holds until then.
 */
expires_at: number, };

/**
 * How it is paid: a token of the gateway, never a card.
 */
export type CardJson = { token: string, };

/**
 * What comes on top of the lines.
 */
export type ChargesJson = { packaging_minor: number, service_minor: number, delivery_minor: number, tip_minor: number, };

/**
 * A customer, or a guest for one order.
 */
export type CustomerJson = { id: string, name: string, guest: boolean, };

/**
 * One change of the state word.
 */
export type CustomerHistoryJson = { to: StatusJson, at: number, why: string, };

/**
 * An order as its customer sees it.
 */
export type CustomerOrderJson = { id: string, site: string, site_name: string, 
/**
 * For people, given when it reaches the kitchen.
 */
number: string | null, status: StatusJson, placed_at: number, lines: Array<PricedLineJson>, charges: ChargesJson, total_minor: number, currency: string, history: Array<CustomerHistoryJson>, 
/**
 * The restaurant is away; the order is kept until then and may be cancelled free.
 */
held: HeldJson | null, refunds: Array<RefundJson>, refunded_minor: number, captured_minor: number, delivery: CustomerDeliveryJson | null, 
/**
 * Five, in their order.
 */
steps: Array<StepJson>, can_cancel: boolean, 
/**
 * The relay's clock when this was said.
 */
now: number, };

/**
 * The delivery as its customer sees it.
 */
export type CustomerDeliveryJson = { phase: DeliveryPhaseJson, rider_name: string | null, rider_lat: number | null, rider_lon: number | null, eta_min_at: number | null, eta_max_at: number | null, };

export type CustomerOrdersJson = { orders: Array<CustomerOrderJson>, };

/**
 * How far a delivery is.
 */
export type DeliveryPhaseJson = "none" | "assigned" | "at_store" | "picked_up" | "out_for_delivery" | "delivered" | "failed" | "returned";

/**
 * Signs up.
 */
export type NewCustomerJson = { name: string, email: string, password: string, };

/**
 * Orders without an account.
 */
export type NewGuestJson = { name: string, phone: string, };

export type NewRiderJson = { name: string, phone: string, password: string, };

export type HeldJson = { expires_at: number, };

export type OrderFulfilmentJson = "delivery" | "takeaway";

/**
 * Places what was quoted. Sending it again is normal.
 */
export type PlaceCustomerOrderJson = { id: string, quote: string, payment: string, card: CardJson, };

export type PositionOnEarthJson = { lat: number, lon: number, };

/**
 * A line with its price.
 */
export type PricedLineJson = { id: string, item: string, variant: string, name: string, variant_name: string, quantity: number, choices: Array<PricedChoiceJson>, note: string | null, unit_minor: number, total_minor: number, };

export type PricedChoiceJson = { group: string, option: string, name: string, count: number, price_minor: number, removal: boolean, };

/**
 * A price that holds for a while.
 */
export type QuoteJson = { quote: string, lines: Array<PricedLineJson>, charges: ChargesJson, total_minor: number, currency: string, expires_at: number, minutes_min: number, minutes_max: number, 
/**
 * The relay's clock when this was said.
 */
now: number, };

/**
 * Asks for a price.
 */
export type QuoteRequestJson = { fulfilment: OrderFulfilmentJson, lines: Array<PlaceLineJson>, tip_minor: number, address: AddressJson | null, note: string | null, };

export type RefundJson = { amount_minor: number, at: number, 
/**
 * `requested`, `sent`, `settled` or `failed`.
 */
state: RefundStateJson, why: string, };

export type RefundStateJson = "requested" | "sent" | "settled" | "failed";

/**
 * A restaurant within reach.
 */
export type RestaurantJson = { site: string, name: string, distance_m: number, open: boolean, 
/**
 * Why it is not open, in plain words.
 */
open_reason: string | null, minutes_min: number, minutes_max: number, delivery_fee_minor: number, currency: string, };

export type RestaurantsJson = { restaurants: Array<RestaurantJson>, };

/**
 * The menu with what cannot be ordered now.
 */
export type RestaurantMenuJson = { menu: MenuJson, availability: AvailabilityJson, };

export type RiderJson = { id: string, name: string, };

export type RiderSessionJson = { rider: RiderJson, token: string, };

export type RiderSignInJson = { phone: string, password: string, };

export type RiderStateJson = "off" | "waiting" | "offer" | "to_store" | "at_store" | "to_customer";

/**
 * The one thing that a rider does now.
 */
export type RiderTaskJson = { state: RiderStateJson, 
/**
 * What is offered or under way; null when off or waiting.
 */
delivery: RiderDeliveryJson | null, 
/**
 * The relay's clock when this was said.
 */
now: number, };

export type RiderDeliveryJson = { order: string, number: string | null, restaurant: RiderPlaceJson, 
/**
 * Known once the offer is accepted.
 */
customer: RiderCustomerJson | null, items: number, 
/**
 * When the kitchen means to be done.
 */
ready_at: number | null, 
/**
 * The offer lapses then.
 */
expires_at: number | null, earn_minor: number, currency: string, };

export type RiderCustomerJson = { name: string, phone: string | null, address: AddressJson, };

export type RiderPlaceJson = { name: string, lat: number, lon: number, };

/**
 * A session of a customer.
 */
export type SessionJson = { customer: CustomerJson, token: string, };

export type ShiftJson = { on: boolean, lat: number, lon: number, };

export type SignInCustomerJson = { email: string, password: string, };

/**
 * One step of five: with its time once it happened, and the next one with a range.
 */
export type StepJson = { step: StepNameJson, at: number | null, eta_min_at: number | null, eta_max_at: number | null, };

export type StepNameJson = "placed" | "confirmed" | "preparing" | "ready" | "on_the_way" | "completed";

/**
 * Why a delivery failed.
 */
export type WhyJson = { why: string, };

/**
 * How the relay is.
 */
export type RelayHealthJson = { 
/**
 * `ok` or `degraded`.
 */
status: string, store: string, uptime_ms: number, };
