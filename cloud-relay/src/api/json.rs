//! The JSON shapes of the relay's `/api/v1`: the only types that customers' and riders' screens see.
//!
//! TypeScript is generated from this file into `kds-ui/src/generated/relay.ts`; a test fails when it is stale. What the node speaks
//! too (menus, carts, problems) is in `pilotlight_edge::api::json` and named from `api.ts`. Amounts are integers in minor units,
//! times are milliseconds since 1970 UTC, ids are UUIDs in text.

pub use pilotlight_edge::api::json::*;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

macro_rules! shape {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
        #[ts(export_to = "relay.ts")]
        $item
    )+};
}

macro_rules! words {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[ts(export_to = "relay.ts")]
        $item
    )+};
}

words! {
    /// How a restaurant's link is.
    pub enum LinkWordJson { Never, Down, Up, RelayWentBack }
}

shape! {
    // ---- sites, for the operator and for nodes

    /// A new restaurant.
    pub struct NewSiteJson {
        /// What guests call it.
        pub name: String,
        /// Degrees north.
        pub lat: f64,
        /// Degrees east.
        pub lon: f64,
    }
    /// The code that a node enrols with: good once.
    pub struct SiteCodeJson {
        /// The restaurant's id is its node's own: it is known here once the node has enrolled.
        pub site: Option<String>,
        pub name: String,
        pub site_code: String,
        #[ts(type = "number")]
        pub expires_at: Millis,
    }
    pub struct SitesJson {
        pub sites: Vec<SiteLinkJson>,
    }
    /// An enrolled restaurant and its link.
    pub struct SiteLinkJson {
        pub site: String,
        pub name: String,
        pub lat: f64,
        pub lon: f64,
        pub link: LinkWordJson,
        /// When the link came up or was cut.
        #[ts(type = "number | null")]
        pub since: Option<Millis>,
        /// Customers may order.
        pub open: bool,
        /// How many commits of the restaurant and of the relay are kept here.
        #[ts(type = "number")]
        pub commits: u64,
    }
    /// A page of a restaurant's orders.
    pub struct SiteOrdersJson {
        pub orders: Vec<SiteOrderJson>,
        /// The next page: send it as `after`.
        pub next: Option<String>,
    }
    /// An order as the operator sees it: no names, no addresses.
    pub struct SiteOrderJson {
        pub id: String,
        pub number: Option<String>,
        /// Others that people hold for it: it was made twice under one id, and joined.
        pub also: Vec<String>,
        pub status: StatusJson,
        #[ts(type = "number")]
        pub placed_at: Millis,
        #[ts(type = "number")]
        pub total_minor: i64,
        /// Captured, what was given back taken off.
        #[ts(type = "number")]
        pub paid_minor: i64,
        pub currency: String,
    }
    /// A restaurant's deliveries, those that are due last first; at most 200.
    pub struct SiteDeliveriesJson {
        pub deliveries: Vec<SiteDeliveryJson>,
    }
    /// A delivery as the operator sees it: no customers, no addresses.
    pub struct SiteDeliveryJson {
        pub order: String,
        pub state: SiteDeliveryStateJson,
        /// Since when, on the relay's clock.
        #[ts(type = "number")]
        pub since: Millis,
        /// Who is asked, or has it.
        pub rider_name: Option<String>,
        /// The trip that it is part of, named by the trip's first order.
        pub trip: Option<String>,
        /// Its place among the trip's drop-offs, from 0.
        pub stop: u32,
        /// When the kitchen means to be done.
        #[ts(type = "number")]
        pub ready_at: Millis,
        /// Why this rider is asked, or why nobody is, in one line.
        pub why: Option<String>,
    }
    /// An origin and its key.
    pub struct OriginCardJson {
        pub origin: String,
        /// Public Ed25519 key, hexadecimal.
        pub key: String,
        /// `node` or `relay`.
        pub role: String,
        /// What its order numbers begin with; empty at the relay.
        pub letter: String,
    }
    /// What a node says of itself when it enrols.
    pub struct EnrolJson {
        /// The one-time code.
        pub code: String,
        /// The site, as the node knows it; without one the node joins the site of the code.
        pub site: Option<String>,
        /// What guests call the restaurant.
        pub name: String,
        /// The newest protocol that the node speaks.
        pub protocol: u16,
        /// Who writes there: the node's own origin first.
        pub origins: Vec<OriginCardJson>,
    }
    /// What the node gets: the token is shown once.
    pub struct EnrolledJson {
        pub uplink_token: String,
        /// The site that it belongs to.
        pub site: String,
        /// What its order numbers begin with from now on.
        pub letter: String,
        /// Who the relay is at this site.
        pub relay: OriginCardJson,
    }

    // ---- operations

    /// How the relay is.
    pub struct RelayHealthJson {
        /// `ok` or `degraded`.
        pub status: String,
        pub store: String,
        #[ts(type = "number")]
        pub uptime_ms: u64,
        /// Charges, refunds and messages that are not done yet.
        #[ts(type = "number")]
        pub pending_effects: u64,
        /// Of those, the ones that wait for a person.
        #[ts(type = "number")]
        pub parked_effects: u64,
    }
}

words! {
    /// How far a delivery is.
    pub enum DeliveryPhaseJson { None, Assigned, AtStore, PickedUp, OutForDelivery, Delivered, Failed, Returned }
    /// How a customer gets an order.
    pub enum OrderFulfilmentJson { Delivery, Takeaway }
    /// How far a refund is.
    pub enum RefundStateJson { Requested, Sent, Settled, Failed }
    /// What a rider does now.
    pub enum RiderStateJson { Off, Waiting, Offer, ToStore, AtStore, ToCustomer }
    /// How far a delivery is, for the operator.
    pub enum SiteDeliveryStateJson { Waiting, Offered, Assigned, AtStore, PickedUp, Delivered, Failed, Ended }
    /// One step of an order's way.
    pub enum StepNameJson { Placed, Confirmed, Preparing, Ready, OnTheWay, Completed }
}

shape! {
    // ---- people

    /// Signs up.
    pub struct NewCustomerJson {
        pub name: String,
        pub email: String,
        /// 8 to 128 characters.
        pub password: String,
    }
    /// Orders without an account.
    pub struct NewGuestJson {
        pub name: String,
        pub phone: String,
    }
    pub struct SignInCustomerJson {
        pub email: String,
        pub password: String,
    }
    /// A customer, or a guest for one order.
    pub struct CustomerJson {
        pub id: String,
        pub name: String,
        pub guest: bool,
    }
    /// A session of a customer.
    pub struct SessionJson {
        pub customer: CustomerJson,
        pub token: String,
    }
    pub struct NewRiderJson {
        pub name: String,
        pub phone: String,
        /// 8 to 128 characters.
        pub password: String,
    }
    pub struct RiderSignInJson {
        pub phone: String,
        pub password: String,
    }
    pub struct RiderJson {
        pub id: String,
        pub name: String,
    }
    pub struct RiderSessionJson {
        pub rider: RiderJson,
        pub token: String,
    }

    // ---- restaurants

    pub struct RestaurantsJson {
        /// The nearest first.
        pub restaurants: Vec<RestaurantJson>,
    }
    /// A restaurant within reach.
    pub struct RestaurantJson {
        pub site: String,
        pub name: String,
        pub distance_m: u32,
        pub open: bool,
        /// Why it is not open, in plain words.
        pub open_reason: Option<String>,
        pub minutes_min: u32,
        pub minutes_max: u32,
        #[ts(type = "number")]
        pub delivery_fee_minor: i64,
        pub currency: String,
        /// Paused: it is open again by itself. Busy: the minutes are in the others already.
        pub intake: IntakeJson,
    }
    /// The menu with what cannot be ordered now.
    pub struct RestaurantMenuJson {
        pub menu: MenuJson,
        pub availability: AvailabilityJson,
        pub intake: IntakeJson,
    }
    /// What a restaurant asks online, beside its menu. Times are business time.
    pub struct TermsJson {
        #[ts(type = "number")]
        pub delivery_fee_minor: i64,
        #[ts(type = "number")]
        pub packaging_minor: i64,
        #[ts(type = "number")]
        pub service_minor: i64,
        /// While its link is down it takes orders all the same: they are held, with an expiry.
        pub accepts_held: bool,
        #[ts(type = "number")]
        pub hold_ms: u64,
        #[ts(type = "number")]
        pub accept_ms: u64,
        #[ts(type = "number")]
        pub verdict_ms: u64,
    }

    // ---- ordering

    /// Where it goes. The words are kept at the relay only, never in the order's facts.
    pub struct AddressJson {
        pub street: String,
        pub city: String,
        pub lat: f64,
        pub lon: f64,
        #[serde(default)]
        pub note: Option<String>,
    }
    /// Asks for a price.
    pub struct QuoteRequestJson {
        pub fulfilment: OrderFulfilmentJson,
        pub lines: Vec<PlaceLineJson>,
        #[serde(default)]
        #[ts(type = "number")]
        pub tip_minor: i64,
        #[serde(default)]
        pub address: Option<AddressJson>,
        #[serde(default)]
        pub note: Option<String>,
    }
    /// A price that holds for a while.
    pub struct QuoteJson {
        pub quote: String,
        pub lines: Vec<PricedLineJson>,
        pub charges: ChargesJson,
        #[ts(type = "number")]
        pub total_minor: i64,
        pub currency: String,
        #[ts(type = "number")]
        pub expires_at: Millis,
        pub minutes_min: u32,
        pub minutes_max: u32,
        /// The relay's clock when this was said.
        #[ts(type = "number")]
        pub now: Millis,
    }
    /// What comes on top of the lines.
    pub struct ChargesJson {
        #[ts(type = "number")]
        pub packaging_minor: i64,
        #[ts(type = "number")]
        pub service_minor: i64,
        #[ts(type = "number")]
        pub delivery_minor: i64,
        #[ts(type = "number")]
        pub tip_minor: i64,
    }
    /// A line with its price.
    pub struct PricedLineJson {
        pub id: String,
        pub item: String,
        pub variant: String,
        pub name: String,
        pub variant_name: String,
        pub quantity: u32,
        pub choices: Vec<PricedChoiceJson>,
        pub note: Option<String>,
        #[ts(type = "number")]
        pub unit_minor: i64,
        #[ts(type = "number")]
        pub total_minor: i64,
    }
    pub struct PricedChoiceJson {
        pub group: String,
        pub option: String,
        pub name: String,
        pub count: u32,
        #[ts(type = "number")]
        pub price_minor: i64,
        pub removal: bool,
    }
    /// How it is paid: a token of the gateway, never a card.
    pub struct CardJson {
        pub token: String,
    }
    /// Places what was quoted. The device mints both ids; sending it again is normal.
    pub struct PlaceCustomerOrderJson {
        pub id: String,
        pub quote: String,
        pub payment: String,
        pub card: CardJson,
    }
    /// The payment is on its way: ask for the order again.
    pub struct PayingJson {
        pub id: String,
        /// `paying`.
        pub state: String,
    }

    // ---- tracking

    pub struct CustomerOrdersJson {
        /// The newest first.
        pub orders: Vec<CustomerOrderJson>,
    }
    /// An order as its customer sees it.
    pub struct CustomerOrderJson {
        pub id: String,
        pub site: String,
        pub site_name: String,
        /// For people, given when it reaches the kitchen.
        pub number: Option<String>,
        /// Others that people hold for it: it was made twice under one id, and joined.
        pub also: Vec<String>,
        pub status: StatusJson,
        #[ts(type = "number")]
        pub placed_at: Millis,
        pub lines: Vec<PricedLineJson>,
        pub charges: ChargesJson,
        #[ts(type = "number")]
        pub total_minor: i64,
        pub currency: String,
        pub history: Vec<CustomerHistoryJson>,
        /// The restaurant is away; the order is kept until then and may be cancelled free.
        pub held: Option<HeldJson>,
        pub refunds: Vec<RefundJson>,
        #[ts(type = "number")]
        pub refunded_minor: i64,
        #[ts(type = "number")]
        pub captured_minor: i64,
        pub delivery: Option<CustomerDeliveryJson>,
        /// Five, in their order.
        pub steps: Vec<StepJson>,
        pub can_cancel: bool,
        /// Said to the kitchen and the rider, as it is now.
        pub instructions: Option<String>,
        /// To be ready then and not before.
        #[ts(type = "number | null")]
        pub ready_not_before: Option<Millis>,
        /// Where it goes, as it is now.
        pub address: Option<AddressJson>,
        /// Who is asked for, when that is not the customer.
        pub contact: Option<ContactJson>,
        /// What was asked for after the confirmation, the first one first.
        pub amendments: Vec<AmendmentJson>,
        /// Instructions, contact, address and time may be wanted otherwise.
        pub can_amend: bool,
        /// The restaurant is asked whether it can still be cancelled.
        pub cancelling: Option<CancellingJson>,
        /// The relay's clock when this was said.
        #[ts(type = "number")]
        pub now: Millis,
    }
    /// One change of the state word.
    pub struct CustomerHistoryJson {
        pub to: StatusJson,
        #[ts(type = "number")]
        pub at: Millis,
        pub why: String,
    }
    pub struct HeldJson {
        #[ts(type = "number")]
        pub expires_at: Millis,
    }
    pub struct RefundJson {
        #[ts(type = "number")]
        pub amount_minor: i64,
        #[ts(type = "number")]
        pub at: Millis,
        pub state: RefundStateJson,
        pub why: String,
    }
    /// The delivery as its customer sees it.
    pub struct CustomerDeliveryJson {
        pub phase: DeliveryPhaseJson,
        pub rider_name: Option<String>,
        pub rider_lat: Option<f64>,
        pub rider_lon: Option<f64>,
        #[ts(type = "number | null")]
        pub eta_min_at: Option<Millis>,
        #[ts(type = "number | null")]
        pub eta_max_at: Option<Millis>,
    }
    /// One step of five: with its time once it happened, and the next one with a range.
    pub struct StepJson {
        pub step: StepNameJson,
        #[ts(type = "number | null")]
        pub at: Option<Millis>,
        #[ts(type = "number | null")]
        pub eta_min_at: Option<Millis>,
        #[ts(type = "number | null")]
        pub eta_max_at: Option<Millis>,
    }
    /// A request to cancel that waits for the restaurant.
    pub struct CancellingJson {
        #[ts(type = "number")]
        pub asked_at: Millis,
        /// Without an answer by then it is cancelled.
        #[ts(type = "number")]
        pub answer_by: Millis,
        #[ts(type = "number")]
        pub refund_minor: i64,
    }
    /// What a cancellation would give back now.
    pub struct CancelPreviewJson {
        #[ts(type = "number")]
        pub refund_minor: i64,
        /// The rule in plain words.
        pub rule: String,
        /// The refund holds until then.
        #[ts(type = "number")]
        pub expires_at: Millis,
    }
    /// Cancels, for the refund that was shown.
    pub struct CancelJson {
        pub why: String,
        #[ts(type = "number")]
        pub expected_refund_minor: i64,
    }

    /// Who is asked for at the door.
    pub struct ContactJson {
        pub name: String,
        pub phone: String,
    }
    /// Wants something otherwise about an order that is placed: so at once before the restaurant has confirmed it, a request after that.
    pub struct AmendCustomerOrderJson {
        /// Minted by the device: sending it again changes nothing twice.
        pub id: String,
        pub change: WishJson,
    }

    // ---- riders

    pub struct ShiftJson {
        pub on: bool,
        pub lat: f64,
        pub lon: f64,
    }
    pub struct PositionOnEarthJson {
        pub lat: f64,
        pub lon: f64,
    }
    /// Why a delivery failed.
    pub struct WhyJson {
        pub why: String,
    }
    /// The one thing that a rider does now.
    pub struct RiderTaskJson {
        pub state: RiderStateJson,
        /// What is offered or under way; null when off or waiting.
        pub delivery: Option<RiderDeliveryJson>,
        /// The relay's clock when this was said.
        #[ts(type = "number")]
        pub now: Millis,
    }
    pub struct RiderDeliveryJson {
        pub order: String,
        pub number: Option<String>,
        /// Others that people hold for it: it was made twice under one id, and joined.
        pub also: Vec<String>,
        pub restaurant: RiderPlaceJson,
        /// Known once the offer is accepted.
        pub customer: Option<RiderCustomerJson>,
        pub items: u32,
        /// Orders of this trip, this one included: all are accepted, or declined, at once.
        pub orders: u32,
        /// The kitchen is done: it can be taken along.
        pub ready: bool,
        /// When the kitchen means to be done.
        #[ts(type = "number | null")]
        pub ready_at: Option<Millis>,
        /// The offer lapses then.
        #[ts(type = "number | null")]
        pub expires_at: Option<Millis>,
        /// With the whole trip.
        #[ts(type = "number")]
        pub earn_minor: i64,
        pub currency: String,
    }
    pub struct RiderPlaceJson {
        pub name: String,
        pub lat: f64,
        pub lon: f64,
    }
    pub struct RiderCustomerJson {
        pub name: String,
        pub phone: Option<String>,
        pub address: AddressJson,
    }
    /// The first frame on a live socket.
    pub struct LiveHelloJson {
        pub token: String,
    }
}

/// One field of an order's fulfilment, as it is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "relay.ts")]
pub enum WishJson {
    /// Said to the kitchen and the rider; null: nothing.
    Instructions { text: Option<String> },
    /// Somebody else is asked for.
    Contact { contact: ContactJson },
    /// It goes somewhere else.
    Address { address: AddressJson },
    /// It is to be ready then and not before; null: as soon as possible.
    Time {
        #[ts(type = "number | null")]
        at: Option<Millis>,
    },
}

#[cfg(test)]
mod tests;
