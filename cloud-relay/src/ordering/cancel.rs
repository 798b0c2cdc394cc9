//! What a customer's cancellation gives back, said before it is done, and the request itself. Pure.

use crate::ordering::carry::{self, Act};
use crate::ordering::react::{Step, Why};
use crate::store::cloud_orders::{Asked, CloudOrder, OrderPhase};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::{CommercialPhase, DeliveryPhase};
use pilotlight_sync::domain::refund_policy::{Captured, Cause, RefundPolicy};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::NOTE_CHARS_MAX;

/// What a cancellation would give back now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// In minor units.
    pub refund_minor: i64,
    /// The rule, in plain words.
    pub rule: String,
    /// It holds until then.
    pub expires_at: Timestamp,
}

/// Why it is not cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelRefusal {
    /// It has ended, or is on its way.
    #[error("the order is {0:?}")]
    Finished(Status),
    /// It was asked before, and refused.
    #[error("the restaurant has refused to cancel: it is being made")]
    RefusedBefore,
    /// Another amount would go back than was shown.
    #[error("{actual_minor} would be refunded, not {expected_minor}")]
    RefundChanged {
        /// What was shown, in minor units.
        expected_minor: i64,
        /// What it is now.
        actual_minor: i64,
    },
    /// A cancellation says why.
    #[error("say why in 1 to {} characters", NOTE_CHARS_MAX)]
    Why,
}

/// What the table gives back at this moment.
pub fn preview(
    view: &OrderView,
    order: &CloudOrder,
    policy: &RefundPolicy,
    now: Timestamp,
) -> Result<Preview, CancelRefusal> {
    match order.phase {
        OrderPhase::Placed => {
            let rule = "the restaurant has not confirmed it yet: you get everything back".to_owned();
            return Ok(Preview { refund_minor: order.amount_minor, rule, expires_at: order.expires_at });
        }
        OrderPhase::Confirmed if is_free(view, order, now) => {
            let rule = "the restaurant has not begun in time: you get everything back".to_owned();
            let expires_at = order.ends_at().unwrap_or(now).max(now.plus_ms(60_000));
            return Ok(Preview { refund_minor: order.amount_minor, rule, expires_at });
        }
        OrderPhase::Confirmed | OrderPhase::Asked if view.verdict == Some(false) => {
            return Err(CancelRefusal::RefusedBefore);
        }
        OrderPhase::Confirmed => {}
        OrderPhase::Asked | OrderPhase::Resolved | OrderPhase::Ended => {
            return Err(CancelRefusal::Finished(view.status));
        }
    }
    match view.status {
        Status::OrderPlaced | Status::OrderConfirmed | Status::Preparing | Status::ReadyForPickup => {}
        Status::PickedUp
        | Status::OutForDelivery
        | Status::Completed
        | Status::DeliveryFailed
        | Status::Cancelled
        | Status::Refunded => return Err(CancelRefusal::Finished(view.status)),
    }
    let (refund_minor, age_ms, ready) = by_table(view, order, policy, now);
    let share = policy.steps.iter().find(|step| age_ms < step.below_ms && !ready);
    let words = match share {
        Some(step) => format!("{} % of items and packaging", step.share.0 / 100),
        None => "nothing of items and packaging".to_owned(),
    };
    let rule = format!(
        "if the restaurant agrees you get {words}, the whole tip, and the delivery fee unless a rider was assigned; \
         everything if it cannot be reached"
    );
    let ends = policy.step_ends_ms(age_ms).filter(|_| !ready);
    let expires_at = ends.map_or_else(|| now.plus_ms(60_000), |ends| due_start(view, order).plus_ms(ends));
    let free_from = order.free_from().filter(|_| !view.is_begun());
    let expires_at = free_from.map_or(expires_at, |free| expires_at.min(free));
    Ok(Preview { refund_minor, rule, expires_at })
}

/// Whether nobody has begun it so long after it should have been that it may be cancelled in full (SPEC B10).
pub fn is_free(view: &OrderView, order: &CloudOrder, now: Timestamp) -> bool {
    !view.is_begun() && order.free_from().is_some_and(|from| from <= now)
}

fn due_start(view: &OrderView, order: &CloudOrder) -> Timestamp {
    order.begins_at(view.ready_not_before, order.placed_at)
}

fn by_table(view: &OrderView, order: &CloudOrder, policy: &RefundPolicy, now: Timestamp) -> (i64, u64, bool) {
    let charges = view.header.charges;
    let captured = Captured {
        base_minor: order.amount_minor - charges.delivery_minor - charges.tip_minor,
        delivery_minor: charges.delivery_minor,
        tip_minor: charges.tip_minor,
    };
    // What was put off is due later, and was not begun before.
    let age_ms = now.ms_since(due_start(view, order));
    let ready = view.status == Status::ReadyForPickup;
    let rider_assigned = view.delivery.is_some_and(|(_, phase)| phase >= DeliveryPhase::Assigned);
    (policy.refund_minor(&captured, Cause::ByTable { age_ms, ready, rider_assigned }), age_ms, ready)
}

/// A customer's command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// In the customer's words.
    pub why: String,
    /// What the customer was shown, in minor units.
    pub expected_refund_minor: i64,
    /// The restaurant cannot be asked now.
    pub link_down: bool,
    /// It is resolved without a verdict after this time, in milliseconds.
    pub verdict_ms: u64,
}

/// Where an order is, and how it stands.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// By its facts.
    pub view: &'a OrderView,
    /// As the relay keeps it.
    pub order: &'a CloudOrder,
    /// The restaurant's documents.
    pub site: &'a Site,
    /// The relay's own origin there.
    pub relay: OriginId,
}

/// Cancels what is not confirmed, or asks the restaurant. `None`: it was done before.
pub fn plan(
    known: Known<'_>,
    policy: &RefundPolicy,
    now: Timestamp,
    cancel: &Cancel,
) -> Result<Option<Act>, CancelRefusal> {
    let Known { view, order, site, relay } = known;
    let asked_before =
        order.phase == OrderPhase::Asked && view.verdict.is_none() || order.phase == OrderPhase::Resolved;
    let cancelled = matches!(view.commercial, Some(CommercialPhase::CancelledEarly | CommercialPhase::Resolved));
    if asked_before || cancelled || view.verdict == Some(true) {
        return Ok(None);
    }
    let why = cancel.why.trim();
    // The same request again, because its answer was lost: it was taken, and refused since (SPEC Q6). What is free by now is another.
    let said = |asked: &Asked| asked.why == why && asked.table_minor == cancel.expected_refund_minor;
    let in_full = is_free(view, order, now) && cancel.expected_refund_minor == order.amount_minor;
    if view.verdict == Some(false) && order.asked.as_ref().is_some_and(said) && !in_full {
        return Ok(None);
    }
    let preview = preview(view, order, policy, now)?;
    if why.is_empty() || why.chars().count() > NOTE_CHARS_MAX {
        return Err(CancelRefusal::Why);
    }
    if preview.refund_minor != cancel.expected_refund_minor {
        let (expected_minor, actual_minor) = (cancel.expected_refund_minor, preview.refund_minor);
        return Err(CancelRefusal::RefundChanged { expected_minor, actual_minor });
    }
    if order.phase == OrderPhase::Placed {
        return Ok(Some(carry::act(Step::CancelEarly(Why::ByCustomer), view, order, site, relay, now)));
    }
    if is_free(view, order, now) {
        let step = Step::Resolve { refund_minor: order.amount_minor, why: Why::NotBegun };
        return Ok(Some(carry::act(step, view, order, site, relay, now)));
    }
    let asked = Asked {
        at: now,
        why: why.to_owned(),
        table_minor: preview.refund_minor,
        link_down: cancel.link_down,
        verdict_due_at: now.plus_ms(cancel.verdict_ms),
    };
    let request = OrderFact::Commercial { phase: CommercialPhase::CancelRequested };
    Ok(Some(Act {
        changes: vec![Change::Order(order.order, request)],
        effects: vec![],
        kept: CloudOrder { phase: OrderPhase::Asked, asked: Some(asked), ..order.clone() },
    }))
}
