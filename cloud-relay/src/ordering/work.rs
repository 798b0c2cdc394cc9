//! Units of work on one site about cloud orders: what the plans say is written in the site's transaction, effects and rows with it.
//!
//! Each is asked again at will: a step that was taken is not taken twice, because it looks at how things stand.

use crate::geo::Place;
use crate::ordering::amend::{self, AmendRefusal, Ends, Wish};
use crate::ordering::cancel::{self, Cancel, CancelRefusal, Known};
use crate::ordering::carry::{self, Act};
use crate::ordering::place;
use crate::store::amendments;
use crate::store::checkouts::{self, Checkout, CheckoutState};
use crate::store::cloud_orders::{self, CloudOrder, OrderPhase};
use crate::store::deliveries::{self, Delivery, DeliveryState};
use crate::store::effects::{self, Claimed, EffectId, EffectKind, EffectState, NewEffect, Performed};
use crate::store::payments;
use crate::store::site_tx::{SiteTx, WorkError};
use crate::store::terms::Terms;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::id::{CustomerId, IntentId, OrderId, SiteId};
use pilotlight_sync::domain::intake::Intake;
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::PaymentPhase;
use pilotlight_sync::domain::refund_policy::RefundPolicy;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::routing::line_estimate_s;
use pilotlight_sync::domain::ticket::TicketPhase;
use pilotlight_sync::domain::timestamp::Timestamp;

/// Steps that may follow each other at once; the rule needs two.
const STEPS_MAX: usize = 4;
/// What a rider earns with an order, in minor units.
const EARN_MINOR: i64 = 450;

/// What is around an order and not in the site's documents.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    /// What the restaurant asks, and how long it is waited for.
    pub terms: Terms,
    /// Its link is up.
    pub open: bool,
    /// Now, by the machine: what effects go by.
    pub real: Timestamp,
}

/// Takes every step that these orders need now, if the relay placed them (SPEC B1).
pub async fn react<R>(tx: &mut SiteTx, orders: &[OrderId], real: Timestamp) -> Result<(), WorkError<R>> {
    // Most orders are the node's own.
    for (kept, delivery) in tx.placed(orders).await? {
        look_after(tx, kept, delivery, real).await?;
    }
    Ok(())
}

async fn look_after<R>(
    tx: &mut SiteTx,
    mut kept: CloudOrder,
    delivery: Option<Delivery>,
    real: Timestamp,
) -> Result<(), WorkError<R>> {
    for _ in 0..STEPS_MAX {
        let Some(live) = tx.order(&kept.order).await? else { return Ok(()) };
        let Some(act) = carry::next(&live.view, &kept, tx.site(), tx.origin(), tx.now()) else { break };
        carry_out(tx, Actor::System, &act, real).await?;
        if kept.held && act.kept.released_at.is_some() {
            metrics::counter!("pilotlight_orders_released_total").increment(1);
        }
        kept = act.kept;
    }
    follow_amendments(tx, &kept).await?;
    follow_delivery(tx, &kept, delivery).await
}

async fn carry_out<R>(tx: &mut SiteTx, by: Actor, act: &Act, real: Timestamp) -> Result<(), WorkError<R>> {
    for effect in &act.effects {
        effects::insert(tx.sql(), effect, real).await?;
    }
    cloud_orders::put(tx.sql(), &act.kept).await?;
    if !act.changes.is_empty() {
        tx.commit(by, &act.changes).await?;
    }
    Ok(())
}

/// Ends the customer's requests that were answered, and those that nobody can answer any more (SPEC FA3).
async fn follow_amendments<R>(tx: &mut SiteTx, kept: &CloudOrder) -> Result<(), WorkError<R>> {
    let Some(live) = tx.order(&kept.order).await? else { return Ok(()) };
    if live.view.amendments.is_empty() {
        return Ok(());
    }
    let (mut kept, now, mut ended) = (kept.clone(), tx.now(), Vec::new());
    for row in amendments::of_order_in(tx.sql(), &kept.order).await?.into_iter().filter(|row| row.due_at.is_some()) {
        let request = live.view.amendments.iter().find(|request| request.intent == row.intent);
        let Some(ends) = request.and_then(|request| amend::ends(&live.view, request, &kept, &row, now)) else {
            continue;
        };
        let granted = match ends {
            Ends::Granted(with) => {
                kept = *with;
                Some(true)
            }
            Ends::Refused => Some(false),
            Ends::Lapses => None,
        };
        ended.push(Change::Order(kept.order, OrderFact::AmendmentEnded { intent: row.intent, granted }));
        amendments::close(tx.sql(), &row.order, &row.intent).await?;
    }
    if ended.is_empty() {
        return Ok(());
    }
    cloud_orders::put(tx.sql(), &kept).await?;
    tx.commit(Actor::System, &ended).await
}

/// A confirmed order that is to be brought needs a rider; one that ended needs none.
async fn follow_delivery<R>(tx: &mut SiteTx, kept: &CloudOrder, known: Option<Delivery>) -> Result<(), WorkError<R>> {
    let Some(live) = tx.order(&kept.order).await? else { return Ok(()) };
    let view = &live.view;
    let wanted = match (kept.phase, known) {
        (OrderPhase::Confirmed | OrderPhase::Asked, None) if view.to_be_brought() => Some(Delivery {
            order: kept.order,
            site: kept.site,
            state: DeliveryState::Waiting,
            attempt: 1,
            rider: None,
            offer_expires_at: None,
            ready_at: ready_at(view, &tx.site().intake(), tx.now()),
            earn_minor: EARN_MINOR,
            trip: None,
            stop: 0,
            since: tx.now(),
            why: None,
        }),
        (OrderPhase::Confirmed | OrderPhase::Asked, Some(known)) => match known.state {
            DeliveryState::Waiting | DeliveryState::Offered | DeliveryState::Assigned | DeliveryState::AtStore => {
                let ready_at = ready_at(view, &tx.site().intake(), tx.now());
                (ready_at != known.ready_at).then_some(Delivery { ready_at, ..known })
            }
            DeliveryState::PickedUp | DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Ended => None,
        },
        (OrderPhase::Ended | OrderPhase::Resolved, Some(known)) => match known.state {
            DeliveryState::Delivered | DeliveryState::Failed | DeliveryState::Ended => None,
            DeliveryState::Waiting
            | DeliveryState::Offered
            | DeliveryState::Assigned
            | DeliveryState::AtStore
            | DeliveryState::PickedUp => Some(Delivery { state: DeliveryState::Ended, ..known }),
        },
        (OrderPhase::Placed, _) | (_, None) => None,
    };
    if let Some(delivery) = wanted {
        deliveries::put(tx.sql(), &delivery).await?;
    }
    Ok(())
}

/// When the kitchen is expected to be done: each ticket from when it was begun, or sent, or now. What has happened has not happened in
/// the future, whatever the node's clock said: a rider is not called a day late by one that is a day ahead. A busy kitchen begins later.
pub fn ready_at(view: &OrderView, intake: &Intake, now: Timestamp) -> Timestamp {
    let estimate = |seconds: u32| u64::from(seconds) * 1_000;
    let busy_ms = u64::from(intake.busy_minutes(now)) * 60_000;
    let tickets = view.tickets.iter().map(|(key, ticket)| match ticket.phase {
        TicketPhase::Ready | TicketPhase::HandedOver => ticket.ready_at.unwrap_or(ticket.queued_at).min(now),
        TicketPhase::Queued => {
            ticket.queued_at.min(now).plus_ms(busy_ms).plus_ms(estimate(view.estimate_s(key, ticket)))
        }
        TicketPhase::Started => {
            let since = ticket.started_at.unwrap_or(ticket.queued_at).min(now);
            since.plus_ms(estimate(view.estimate_s(key, ticket)))
        }
    });
    let not_sent = || {
        let longest = view.lines.iter().map(|line| line_estimate_s(&line.line)).max().unwrap_or(0);
        now.plus_ms(busy_ms).plus_ms(estimate(longest))
    };
    let ready = tickets.max().unwrap_or_else(not_sent);
    // What is to be ready at a time is not fetched before.
    ready.max(view.ready_not_before.unwrap_or(ready))
}

/// Records what became of an effect: its row, the ledger, and what the site's log says of it, in one transaction (SPEC A6). `false`:
/// somebody else holds the effect now, and nothing was written.
pub async fn record<R>(
    tx: &mut SiteTx,
    claimed: &Claimed,
    performed: &Performed,
    around: &Around,
) -> Result<bool, WorkError<R>> {
    let effect = &claimed.effect;
    let authorise = effect.id.kind == EffectKind::Authorise;
    let (state, seen) = match performed {
        Performed::Done { .. } => (EffectState::Done, ""),
        Performed::Declined { reason } => (EffectState::Declined, reason.as_str()),
        // Nothing was reserved: the customer is told, and nothing waits for a person.
        Performed::Refused { reason } if authorise => (EffectState::Declined, reason.as_str()),
        Performed::Refused { reason } => (EffectState::Parked, reason.as_str()),
        Performed::Unknown { .. } | Performed::NotNow { .. } => return Ok(false),
    };
    // Money that was promised and is not to be had needs a person.
    let state = if state == EffectState::Declined && !authorise { EffectState::Parked } else { state };
    if !effects::settle(tx.sql(), claimed, state, seen, around.real).await? {
        return Ok(false);
    }
    match performed {
        Performed::Done { charge } => {
            payments::book(tx.sql(), effect, charge, around.real).await?;
            done(tx, effect, around).await?;
        }
        Performed::Declined { .. } | Performed::Refused { .. } if authorise => {
            checkouts::end(tx.sql(), &effect.id.order, CheckoutState::Declined, seen).await?;
        }
        Performed::Declined { .. } | Performed::Refused { .. } => {
            tracing::error!(effect = %effect.id, reason = seen, "the gateway refuses an effect: a person must look");
        }
        Performed::Unknown { .. } | Performed::NotNow { .. } => {}
    }
    Ok(true)
}

async fn done<R>(tx: &mut SiteTx, effect: &NewEffect, around: &Around) -> Result<(), WorkError<R>> {
    let (order, payment, amount_minor) = (effect.id.order, effect.payment, effect.amount_minor);
    let fact = match effect.id.kind {
        EffectKind::Authorise => return paid(tx, effect, around).await,
        EffectKind::Capture => OrderFact::Payment { payment, phase: PaymentPhase::Captured, amount_minor },
        EffectKind::Void => OrderFact::Payment { payment, phase: PaymentPhase::Voided, amount_minor },
        EffectKind::Refund => {
            let intent = IntentId::derived(&[&effect.id.to_string()]);
            OrderFact::Refunded { payment, intent, amount_minor }
        }
    };
    // A checkout that never became an order leaves no trace in the site's log.
    if tx.order(&order).await?.is_some() {
        tx.commit(Actor::System, &[Change::Order(order, fact)]).await?;
    }
    Ok(())
}

/// The money is reserved: the checkout becomes an order, or the money is let go.
async fn paid<R>(tx: &mut SiteTx, effect: &NewEffect, around: &Around) -> Result<(), WorkError<R>> {
    let order = effect.id.order;
    let checkout = checkouts::find_in(tx.sql(), &order).await?;
    let Some(checkout) = checkout.filter(|checkout| checkout.state == CheckoutState::Paying) else {
        return let_go(tx, effect, "the checkout was over", around.real).await;
    };
    let now = tx.now();
    if checkout.expires_at <= now {
        checkouts::end(tx.sql(), &order, CheckoutState::TooLate, "the payment took too long").await?;
        return let_go(tx, effect, "the payment took too long", around.real).await;
    }
    // The pause came while the bank was asked: from here on the relay knows of it (SPEC PB3).
    if tx.site().intake().paused_until(now).is_some() {
        checkouts::end(tx.sql(), &order, CheckoutState::Paused, "the restaurant was paused").await?;
        return let_go(tx, effect, "the restaurant was paused while you paid", around.real).await;
    }
    match place::changes(tx.site(), tx.origin(), &checkout, now) {
        Err(shortfall) => {
            let name = checkout.cart.lines.get(shortfall.line).map(|line| line.name.clone()).unwrap_or_default();
            checkouts::end(tx.sql(), &order, CheckoutState::SoldOut, &name).await?;
            let_go(tx, effect, "sold out while you paid", around.real).await
        }
        Ok(changes) => {
            checkouts::end(tx.sql(), &order, CheckoutState::Placed, "").await?;
            cloud_orders::put(tx.sql(), &placed(&checkout, around, now)).await?;
            tx.commit(Actor::Customer(checkout.customer), &changes).await
        }
    }
}

fn placed(checkout: &Checkout, around: &Around, now: Timestamp) -> CloudOrder {
    let wait_ms = if around.open { around.terms.accept_ms } else { around.terms.hold_ms };
    if !around.open {
        metrics::counter!("pilotlight_orders_held_total").increment(1);
    }
    CloudOrder {
        order: checkout.order,
        site: checkout.site,
        customer: checkout.customer,
        payment: checkout.payment,
        address: checkout.address.clone(),
        contact: None,
        phase: OrderPhase::Placed,
        amount_minor: checkout.amount_minor,
        placed_at: now,
        minutes: checkout.minutes,
        held: !around.open,
        released_at: None,
        expires_at: now.plus_ms(wait_ms),
        asked: None,
        unbegun_since: None,
        given_until: None,
    }
}

async fn let_go<R>(tx: &mut SiteTx, paid: &NewEffect, why: &str, real: Timestamp) -> Result<(), WorkError<R>> {
    let id = EffectId { kind: EffectKind::Void, ..paid.id };
    let void = NewEffect { id, card: None, why: why.to_owned(), ..paid.clone() };
    effects::insert(tx.sql(), &void, real).await?;
    Ok(())
}

/// Why a customer's cancellation was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// No such order of this customer.
    #[error("there is no such order")]
    Unknown,
    /// The rule says no.
    #[error(transparent)]
    Refused(#[from] CancelRefusal),
}

/// Carries a customer's cancellation out, or asks the restaurant. Doing it again changes nothing.
pub async fn cancel(
    tx: &mut SiteTx,
    customer: CustomerId,
    order: &OrderId,
    wanted: &Cancel,
    real: Timestamp,
) -> Result<(), WorkError<CancelError>> {
    let unknown = || WorkError::Refused(CancelError::Unknown);
    let kept = cloud_orders::find_in(tx.sql(), order).await?.filter(|kept| kept.customer == customer);
    let kept = kept.ok_or_else(unknown)?;
    let live = tx.order(order).await?.ok_or_else(unknown)?;
    let known = Known { view: &live.view, order: &kept, site: tx.site(), relay: tx.origin() };
    let act = cancel::plan(known, &RefundPolicy::default(), tx.now(), wanted);
    let act = act.map_err(|refusal| WorkError::Refused(CancelError::Refused(refusal)))?;
    if let Some(act) = act {
        carry_out(tx, Actor::Customer(customer), &act, real).await?;
        let delivery = deliveries::find_in(tx.sql(), order).await?;
        follow_delivery(tx, &act.kept, delivery).await?;
    }
    Ok(())
}

/// Why a customer's wish was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AmendError {
    /// No such order of this customer.
    #[error("there is no such order")]
    Unknown,
    /// The rule says no.
    #[error(transparent)]
    Refused(#[from] AmendRefusal),
}

/// Takes a customer's wish: it is so, or the restaurant is asked. Doing it again changes nothing.
pub async fn amend(
    tx: &mut SiteTx,
    customer: CustomerId,
    order: &OrderId,
    wish: &Wish,
    at: &Place,
    answer_ms: u64,
) -> Result<(), WorkError<AmendError>> {
    let unknown = || WorkError::Refused(AmendError::Unknown);
    let kept = cloud_orders::find_in(tx.sql(), order).await?.filter(|kept| kept.customer == customer);
    let kept = kept.ok_or_else(unknown)?;
    let live = tx.order(order).await?.ok_or_else(unknown)?;
    let known = amendments::of_order_in(tx.sql(), order).await?;
    let amended = amend::plan(&live.view, &kept, &known, at, tx.now(), (wish, answer_ms));
    let amended = amended.map_err(|refusal| WorkError::Refused(AmendError::Refused(refusal)))?;
    if let Some(amended) = amended {
        amendments::insert(tx.sql(), &amended.row).await?;
        cloud_orders::put(tx.sql(), &amended.kept).await?;
        tx.commit(Actor::Customer(customer), &[amended.change]).await?;
    }
    Ok(())
}

/// The site went away: what it has not accepted is held (SPEC B3).
pub async fn hold<R>(tx: &mut SiteTx, site: &SiteId, terms: &Terms) -> Result<Vec<OrderId>, WorkError<R>> {
    let now = tx.now();
    let held = cloud_orders::hold(tx.sql(), site, now, terms.hold_ms).await?;
    if !held.is_empty() {
        metrics::counter!("pilotlight_orders_held_total").increment(held.len() as u64);
        tracing::info!(%site, orders = held.len(), "the site is away: its orders are held");
    }
    Ok(held)
}

/// The site is back: what has run out is cancelled, the rest goes to it in the order in which it was placed (SPEC B3).
pub async fn release<R>(tx: &mut SiteTx, site: &SiteId, around: &Around) -> Result<Vec<OrderId>, WorkError<R>> {
    let now = tx.now();
    let released = cloud_orders::release(tx.sql(), site, now, around.terms.accept_ms, around.terms.hold_ms).await?;
    for order in &released {
        react(tx, std::slice::from_ref(order), around.real).await?;
    }
    if !released.is_empty() {
        metrics::counter!("pilotlight_orders_released_total").increment(released.len() as u64);
        tracing::info!(%site, orders = released.len(), "the site is back: held orders are released");
    }
    Ok(released)
}

/// Whether an order is over for its customer.
pub fn is_over(view: &OrderView) -> bool {
    matches!(view.status, Status::Completed | Status::Cancelled | Status::Refunded) || view.is_history()
}
