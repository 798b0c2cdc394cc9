//! Carries the rule's steps out: what is written into the site's log, which effects, what the relay keeps. Pure.

use crate::ordering::react::{self, Kept, Request, Said, Standing, Step};
use crate::store::cloud_orders::{Asked, CloudOrder, KITCHEN_MS_MAX, OrderPhase};
use crate::store::effects::{EffectId, EffectKind, NewEffect};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::{LineView, OrderView};
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::doc::stock_rows::StockRows;
use pilotlight_sync::domain::id::{LineId, OriginId};
use pilotlight_sync::domain::money::Currency;
use pilotlight_sync::domain::payment::{CommercialPhase, DeliveryPhase};
use pilotlight_sync::domain::timestamp::Timestamp;

/// What one step writes, all in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// One commit of the relay's own origin; may be empty.
    pub changes: Vec<Change>,
    /// Effects, under ids that their cause gives them.
    pub effects: Vec<NewEffect>,
    /// The order as the relay keeps it now.
    pub kept: CloudOrder,
}

/// How an order stands; `None` for one that was not born at the relay.
pub fn standing(view: &OrderView) -> Option<Standing> {
    let commercial = view.commercial?;
    let said = match (&view.cancelled, commercial) {
        (Some(_), CommercialPhase::Placed) => Said::Rejected,
        (Some(_), CommercialPhase::Confirmed | CommercialPhase::CancelRequested) => Said::Cancelled,
        // What ended it is the relay's own phase.
        (Some(_), CommercialPhase::CancelledEarly | CommercialPhase::Resolved) | (None, _) => {
            if view.accepted {
                Said::Accepted
            } else {
                Said::Nothing
            }
        }
    };
    let delivery = view.delivery.map(|(_, phase)| phase);
    Some(Standing { commercial, said, verdict: view.verdict, delivery, begun: view.is_begun() })
}

/// What the rule needs to know of what is kept.
pub fn kept(order: &CloudOrder) -> Kept {
    let request = |asked: &Asked| Request {
        by_table_minor: asked.table_minor,
        link_down: asked.link_down,
        verdict_due_at: asked.verdict_due_at,
    };
    Kept {
        expires_at: order.expires_at,
        ends_at: order.ends_at(),
        request: order.asked.as_ref().map(request),
        amount_minor: order.amount_minor,
    }
}

/// The next step about an order, carried out; `None` when nothing is to be done.
pub fn next(view: &OrderView, order: &CloudOrder, site: &Site, relay: OriginId, now: Timestamp) -> Option<Act> {
    if order.phase == OrderPhase::Ended {
        return decided_already(view, order);
    }
    // A refused request is over: the order goes on, and its time limit with it.
    if order.phase == OrderPhase::Asked && view.verdict == Some(false) {
        let kept = CloudOrder { phase: OrderPhase::Confirmed, ..order.clone() };
        return Some(Act { changes: vec![], effects: vec![], kept });
    }
    if let Some(kept) = waited_for(view, order, now) {
        return Some(Act { changes: vec![], effects: vec![], kept });
    }
    let step = react::next(&standing(view)?, &kept(order), now)?;
    Some(act(step, view, order, site, relay, now))
}

/// An order that its promised time does not end: somebody was seen to begin it; or it is in the kitchen, and is given more time once (SPEC B10).
fn waited_for(view: &OrderView, order: &CloudOrder, now: Timestamp) -> Option<CloudOrder> {
    if order.unbegun_since.is_some() && view.is_begun() {
        return Some(CloudOrder { unbegun_since: None, given_until: None, ..order.clone() });
    }
    let ends_at = order.ends_at().filter(|at| *at <= now)?;
    let once = order.phase == OrderPhase::Confirmed && view.sent && order.given_until.is_none();
    once.then(|| CloudOrder { given_until: Some(ends_at.plus_ms(KITCHEN_MS_MAX)), ..order.clone() })
}

/// The money was moved by the word of a node that was not the owner any more: nobody here knew. What was done with the money cannot be
/// undone by a word that comes later, so the order ends for the kitchen too (SPEC Q4).
fn decided_already(view: &OrderView, order: &CloudOrder) -> Option<Act> {
    let undecided = matches!(view.commercial, Some(CommercialPhase::Confirmed | CommercialPhase::CancelRequested));
    let brought_back = matches!(view.delivery, Some((_, DeliveryPhase::Failed | DeliveryPhase::Returned)));
    (undecided && view.cancelled.is_none() && !brought_back).then(|| {
        let resolved = Change::Order(order.order, OrderFact::Commercial { phase: CommercialPhase::Resolved });
        Act { changes: vec![resolved], effects: vec![], kept: order.clone() }
    })
}

/// What a step writes.
pub fn act(step: Step, view: &OrderView, order: &CloudOrder, site: &Site, relay: OriginId, now: Timestamp) -> Act {
    let currency = view.header.currency;
    let commercial = |phase| Change::Order(order.order, OrderFact::Commercial { phase });
    let effect = |kind, amount_minor, why: &str| effect(order, kind, amount_minor, currency, why);
    let phase = |phase| CloudOrder { phase, held: false, ..order.clone() };
    match step {
        Step::CancelEarly(why) => {
            let mut changes = vec![commercial(CommercialPhase::CancelledEarly)];
            // Nothing is cooked before it is confirmed: all of it can be sold again.
            changes.extend(take_back(view, order, site, relay, |_| true));
            let effects = vec![effect(EffectKind::Void, order.amount_minor, why.words())];
            Act { changes, effects, kept: phase(OrderPhase::Ended) }
        }
        Step::Confirm => Act {
            changes: vec![commercial(CommercialPhase::Confirmed)],
            effects: vec![effect(EffectKind::Capture, order.amount_minor, "the restaurant makes it")],
            // An order that was held is released by the acceptance, when that comes before the site counts as open again.
            kept: CloudOrder {
                released_at: order.released_at.or(order.held.then_some(now)),
                unbegun_since: Some(order.begins_at(view.ready_not_before, now)),
                ..phase(OrderPhase::Confirmed)
            },
        },
        Step::Resolve { refund_minor, why } => Act {
            changes: vec![commercial(CommercialPhase::Resolved)],
            effects: refund(refund_minor, why.words(), effect),
            kept: phase(OrderPhase::Resolved),
        },
        Step::Refund { refund_minor, why } => Act {
            changes: take_back(view, order, site, relay, |line| view.not_begun(line)),
            effects: refund(refund_minor, why.words(), effect),
            kept: phase(OrderPhase::Ended),
        },
        Step::TakeStockBack => Act {
            changes: take_back(view, order, site, relay, |line| view.not_begun(line)),
            effects: vec![],
            kept: phase(OrderPhase::Ended),
        },
    }
}

fn refund(refund_minor: i64, why: &str, effect: impl Fn(EffectKind, i64, &str) -> NewEffect) -> Vec<NewEffect> {
    if refund_minor > 0 { vec![effect(EffectKind::Refund, refund_minor, why)] } else { vec![] }
}

/// An effect of this order: the first and only one of its kind.
fn effect(order: &CloudOrder, kind: EffectKind, amount_minor: i64, currency: Currency, why: &str) -> NewEffect {
    NewEffect {
        id: EffectId { order: order.order, kind, n: 1 },
        site: order.site,
        payment: order.payment,
        amount_minor,
        currency,
        card: None,
        why: why.to_owned(),
    }
}

/// Takes back, once, the stock of those lines that this relay has paid (SPEC S3).
fn take_back(
    view: &OrderView,
    order: &CloudOrder,
    site: &Site,
    relay: OriginId,
    which: impl Fn(&LineView) -> bool,
) -> Vec<Change> {
    if view.payer != relay {
        return vec![];
    }
    let goes_back = |line: &&LineView| line.voided.is_none() && !line.stock_returned && which(line);
    let back: Vec<&LineView> = view.lines.iter().filter(goes_back).collect();
    let mut stock = StockRows::of(site, relay);
    back.iter().for_each(|line| stock.take_back(&line.line));
    let lines: Vec<LineId> = back.iter().map(|line| line.line.id).collect();
    if lines.is_empty() {
        return vec![];
    }
    let returned = Change::Order(order.order, OrderFact::StockReturned { lines });
    std::iter::once(returned).chain(stock.into_changes()).collect()
}
