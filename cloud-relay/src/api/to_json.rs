//! From the inner nouns to the shapes of customers and riders.

use crate::api::json::*;
use crate::dispatch::desk::Task;
use crate::geo::{Place, ride_ms};
use crate::ordering::desk::Seen;
use crate::ordering::quote::Quoted;
use crate::ordering::work::{is_over, ready_at};
use crate::store::checkouts::Quote;
use crate::store::cloud_orders::{Asked, CloudOrder, OrderPhase};
use crate::store::deliveries::{Delivery, DeliveryState};
use crate::store::effects::{EffectKind, EffectRow, EffectState};
use crate::store::people::{Address, Rider};
use pilotlight_edge::api::to_json::{amendment, status};
use pilotlight_sync::doc::order::Charges;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::order::{Fulfilment, Status};
use pilotlight_sync::domain::payment::DeliveryPhase;
use pilotlight_sync::domain::pricing::{PricedChoice, PricedLine};
use pilotlight_sync::domain::timestamp::Timestamp;

fn charges(charges: &Charges) -> ChargesJson {
    ChargesJson {
        packaging_minor: charges.packaging_minor,
        service_minor: charges.service_minor,
        delivery_minor: charges.delivery_minor,
        tip_minor: charges.tip_minor,
    }
}

fn line(line: &PricedLine) -> PricedLineJson {
    let choice = |choice: &PricedChoice| PricedChoiceJson {
        group: choice.group.to_string(),
        option: choice.option.to_string(),
        name: choice.name.clone(),
        count: choice.count,
        price_minor: choice.price_minor,
        removal: choice.removal,
    };
    PricedLineJson {
        id: line.id.to_string(),
        item: line.item.to_string(),
        variant: line.variant.to_string(),
        name: line.name.clone(),
        variant_name: line.variant_name.clone(),
        quantity: line.quantity,
        choices: line.choices.iter().map(choice).collect(),
        note: line.note.clone(),
        unit_minor: line.unit_minor,
        total_minor: line.total_minor(),
    }
}

/// A price that holds for a while.
pub(crate) fn quote(quote: &Quote, quoted: &Quoted, now: Timestamp) -> QuoteJson {
    QuoteJson {
        quote: quote.id.to_string(),
        lines: quoted.cart.lines.iter().map(line).collect(),
        charges: charges(&quoted.charges),
        total_minor: quoted.total_minor,
        currency: quoted.currency.to_string(),
        expires_at: quote.expires_at.0,
        minutes_min: quoted.minutes.0,
        minutes_max: quoted.minutes.1,
        now: now.0,
    }
}

/// An order as its customer sees it.
pub(crate) fn order(
    seen: &Seen,
    effects: &[EffectRow],
    delivery: Option<&(Delivery, Option<Rider>)>,
    (can_cancel, can_amend): (bool, bool),
    now: Timestamp,
) -> CustomerOrderJson {
    let (view, kept) = (&seen.live.view, &seen.kept);
    let history = view.history.iter().map(|change| CustomerHistoryJson {
        to: status(change.to),
        at: change.deed.at.0,
        why: change.deed.why.clone(),
    });
    let shown = seen.site.shown().borrow().clone();
    let place = Place { lat: seen.site.facts.lat, lon: seen.site.facts.lon };
    let ready = now.max(ready_at(view, &shown.intake, now));
    let eta = arrival(view, kept, &place, ready, now);
    CustomerOrderJson {
        id: kept.order.to_string(),
        site: kept.site.to_string(),
        site_name: shown.settings.as_ref().map_or(&seen.site.facts.name, |settings| &settings.name).clone(),
        number: view.number.as_ref().map(|(_, number)| number.clone()),
        also: view.also.iter().map(|(_, number)| number.clone()).collect(),
        status: status(view.status),
        placed_at: kept.placed_at.0,
        lines: view.lines.iter().map(|one| line(&one.line)).collect(),
        charges: charges(&view.header.charges),
        total_minor: kept.amount_minor,
        currency: view.header.currency.to_string(),
        history: history.collect(),
        held: kept.held.then_some(HeldJson { expires_at: kept.expires_at.0 }),
        refunds: effects.iter().filter(|row| row.effect.id.kind == EffectKind::Refund).map(refund).collect(),
        refunded_minor: view.refunded_minor,
        captured_minor: view.captured_minor,
        delivery: view.to_be_brought().then(|| customer_delivery(view, delivery, eta)),
        steps: steps(view, kept, ready, eta, now),
        can_cancel,
        instructions: view.instructions.clone(),
        ready_not_before: view.ready_not_before.map(|at| at.0),
        address: kept.address.as_ref().map(address_json),
        contact: kept
            .contact
            .as_ref()
            .map(|contact| ContactJson { name: contact.name.clone(), phone: contact.phone.clone() }),
        amendments: view.amendments.iter().map(amendment).collect(),
        can_amend,
        cancelling: kept.asked.as_ref().filter(|_| kept.phase == OrderPhase::Asked).map(cancelling),
        now: now.0,
    }
}

fn cancelling(asked: &Asked) -> CancellingJson {
    CancellingJson { asked_at: asked.at.0, answer_by: asked.verdict_due_at.0, refund_minor: asked.table_minor }
}

fn refund(row: &EffectRow) -> RefundJson {
    RefundJson {
        amount_minor: row.effect.amount_minor,
        at: row.settled_at.unwrap_or(row.made_at).0,
        state: match row.state {
            EffectState::Waiting => RefundStateJson::Requested,
            EffectState::Claimed => RefundStateJson::Sent,
            EffectState::Done => RefundStateJson::Settled,
            EffectState::Declined | EffectState::Parked => RefundStateJson::Failed,
        },
        why: row.effect.why.clone(),
    }
}

fn phase(phase: Option<DeliveryPhase>) -> DeliveryPhaseJson {
    match phase {
        None | Some(DeliveryPhase::Unassigned) => DeliveryPhaseJson::None,
        Some(DeliveryPhase::Assigned) => DeliveryPhaseJson::Assigned,
        Some(DeliveryPhase::AtStore) => DeliveryPhaseJson::AtStore,
        Some(DeliveryPhase::PickedUp) => DeliveryPhaseJson::PickedUp,
        Some(DeliveryPhase::OutForDelivery) => DeliveryPhaseJson::OutForDelivery,
        Some(DeliveryPhase::Delivered) => DeliveryPhaseJson::Delivered,
        Some(DeliveryPhase::Failed) => DeliveryPhaseJson::Failed,
        Some(DeliveryPhase::Returned) => DeliveryPhaseJson::Returned,
    }
}

fn customer_delivery(
    view: &OrderView,
    delivery: Option<&(Delivery, Option<Rider>)>,
    eta: Option<(Timestamp, Timestamp)>,
) -> CustomerDeliveryJson {
    let has_it = |state| matches!(state, DeliveryState::Assigned | DeliveryState::AtStore | DeliveryState::PickedUp);
    let with_rider =
        delivery.filter(|(delivery, _)| has_it(delivery.state) || delivery.state == DeliveryState::Delivered);
    let rider = with_rider.and_then(|(_, rider)| rider.as_ref());
    // Where a rider is concerns the customer while the order is with the rider, and nobody after that.
    let on_the_way =
        delivery.filter(|(delivery, _)| has_it(delivery.state)).and_then(|(_, rider)| rider.as_ref()?.place);
    CustomerDeliveryJson {
        phase: phase(view.delivery.map(|(_, phase)| phase)),
        rider_name: rider.map(|rider| rider.name.clone()),
        rider_lat: on_the_way.map(|(lat, _)| lat),
        rider_lon: on_the_way.map(|(_, lon)| lon),
        eta_min_at: eta.map(|(least, _)| least.0),
        eta_max_at: eta.map(|(_, most)| most.0),
    }
}

/// When it is there, at the earliest and at the latest; `None` once it is, or never will be.
fn arrival(
    view: &OrderView,
    kept: &CloudOrder,
    place: &Place,
    ready: Timestamp,
    now: Timestamp,
) -> Option<(Timestamp, Timestamp)> {
    if is_over(view) || view.status == Status::DeliveryFailed {
        return None;
    }
    let ride_ms = kept
        .address
        .as_ref()
        .map_or(0, |address| ride_ms(place.distance_m(&Place { lat: address.lat, lon: address.lon })));
    let left_at = at_of(view, &[Status::PickedUp, Status::OutForDelivery]);
    let leaves_at = left_at.unwrap_or(ready);
    let least = leaves_at.plus_ms(ride_ms).max(now);
    Some((least, least.plus_ms(ride_ms / 2 + 5 * 60_000)))
}

/// When the order first had one of these words.
fn at_of(view: &OrderView, words: &[Status]) -> Option<Timestamp> {
    view.history.iter().find(|change| words.contains(&change.to)).map(|change| change.deed.at)
}

/// Five steps with their real times; the next one with a range.
fn steps(
    view: &OrderView,
    kept: &CloudOrder,
    ready: Timestamp,
    eta: Option<(Timestamp, Timestamp)>,
    now: Timestamp,
) -> Vec<StepJson> {
    let minutes = |from: Timestamp, minutes: u64| Some((from, from.plus_ms(minutes * 60_000)));
    let brought = view.header.fulfilment == Fulfilment::Delivery;
    let fourth = if brought {
        (StepNameJson::OnTheWay, at_of(view, &[Status::PickedUp, Status::OutForDelivery]), minutes(ready, 10))
    } else {
        (StepNameJson::Ready, at_of(view, &[Status::ReadyForPickup]), minutes(ready, 5))
    };
    let steps = [
        (StepNameJson::Placed, Some(kept.placed_at), None),
        // While it is held nobody knows when the restaurant answers.
        (
            StepNameJson::Confirmed,
            at_of(view, &[Status::OrderConfirmed]),
            (!kept.held).then(|| minutes(now, 5)).flatten(),
        ),
        (StepNameJson::Preparing, at_of(view, &[Status::Preparing]), minutes(now, 10)),
        fourth,
        (StepNameJson::Completed, at_of(view, &[Status::Completed]), eta),
    ];
    let over = is_over(view) || view.status == Status::DeliveryFailed;
    let last_done = steps.iter().rposition(|(_, at, _)| at.is_some()).unwrap_or(0);
    let shown = steps.iter().enumerate().map(|(index, (step, at, range))| {
        // A word that was skipped happened no later than the next that was said.
        let later = || steps[index..].iter().find_map(|(_, at, _)| *at);
        let at = at.or_else(|| (index < last_done).then(later).flatten());
        let range = range.filter(|_| index == last_done + 1 && !over);
        StepJson {
            step: *step,
            at: at.map(|at| at.0),
            eta_min_at: range.map(|(least, _)| least.0),
            eta_max_at: range.map(|(_, most)| most.0),
        }
    });
    shown.collect()
}

/// A restaurant's delivery, for the operator.
pub(crate) fn site_delivery(delivery: &Delivery, rider: Option<&Rider>) -> SiteDeliveryJson {
    SiteDeliveryJson {
        order: delivery.order.to_string(),
        state: match delivery.state {
            DeliveryState::Waiting => SiteDeliveryStateJson::Waiting,
            DeliveryState::Offered => SiteDeliveryStateJson::Offered,
            DeliveryState::Assigned => SiteDeliveryStateJson::Assigned,
            DeliveryState::AtStore => SiteDeliveryStateJson::AtStore,
            DeliveryState::PickedUp => SiteDeliveryStateJson::PickedUp,
            DeliveryState::Delivered => SiteDeliveryStateJson::Delivered,
            DeliveryState::Failed => SiteDeliveryStateJson::Failed,
            DeliveryState::Ended => SiteDeliveryStateJson::Ended,
        },
        since: delivery.since.0,
        rider_name: rider.map(|rider| rider.name.clone()),
        trip: delivery.trip.map(|trip| trip.to_string()),
        stop: delivery.stop,
        ready_at: delivery.ready_at.0,
        why: delivery.why.clone(),
    }
}

/// The one thing that a rider does now.
pub(crate) fn task(rider: &Rider, task: Option<&Task>, now: Timestamp) -> RiderTaskJson {
    let idle = if rider.on_shift { RiderStateJson::Waiting } else { RiderStateJson::Off };
    let state = task.map_or(idle, |task| match task.delivery.state {
        DeliveryState::Offered => RiderStateJson::Offer,
        DeliveryState::Assigned => RiderStateJson::ToStore,
        DeliveryState::AtStore => RiderStateJson::AtStore,
        DeliveryState::PickedUp => RiderStateJson::ToCustomer,
        DeliveryState::Waiting | DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Ended => idle,
    });
    RiderTaskJson { state, delivery: task.map(rider_delivery), now: now.0 }
}

fn rider_delivery(task: &Task) -> RiderDeliveryJson {
    let Task { delivery, kept, live, site, customer, trip } = task;
    let offered = delivery.state == DeliveryState::Offered;
    let shown = site.shown().borrow().clone();
    // Whose order it is concerns the rider who has taken it, and nobody before.
    let customer = customer.as_ref().zip(kept.address.as_ref()).filter(|_| !offered);
    let customer = customer.map(|(customer, address)| RiderCustomerJson {
        name: kept.contact.as_ref().map_or(&customer.name, |contact| &contact.name).clone(),
        phone: kept.contact.as_ref().map(|contact| contact.phone.clone()).or_else(|| customer.phone.clone()),
        address: address_json(address),
    });
    RiderDeliveryJson {
        order: delivery.order.to_string(),
        number: live.view.number.as_ref().map(|(_, number)| number.clone()),
        also: live.view.also.iter().map(|(_, number)| number.clone()).collect(),
        restaurant: RiderPlaceJson {
            name: shown.settings.as_ref().map_or(&site.facts.name, |settings| &settings.name).clone(),
            lat: site.facts.lat,
            lon: site.facts.lon,
        },
        customer,
        items: live.view.lines.iter().map(|line| line.line.quantity).sum(),
        orders: u32::try_from(trip.len()).unwrap_or(u32::MAX),
        ready: live.view.status >= Status::ReadyForPickup,
        ready_at: Some(delivery.ready_at.0),
        expires_at: delivery.offer_expires_at.filter(|_| offered).map(|at| at.0),
        earn_minor: trip.iter().map(|delivery| delivery.earn_minor).sum(),
        currency: live.view.header.currency.to_string(),
    }
}

fn address_json(address: &Address) -> AddressJson {
    AddressJson {
        street: address.street.clone(),
        city: address.city.clone(),
        lat: address.lat,
        lon: address.lon,
        note: address.note.clone(),
    }
}
