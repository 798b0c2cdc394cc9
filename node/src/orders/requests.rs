//! A customer's wish to have an order otherwise, after it was confirmed: granted or refused where that is plain, and otherwise a person
//! says (SPEC FA2). Each is answered once; one that nobody answers in time the relay ends.

use crate::orders::ownership::{Hand, hand};
use crate::orders::{Order, reason};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::amendment::{Amendment, AmendmentView};
use pilotlight_sync::domain::id::{IntentId, OrderId};
use pilotlight_sync::domain::payment::DeliveryPhase;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::routing::line_estimate_s;
use pilotlight_sync::domain::ticket::TicketPhase;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::NOTE_CHARS_MAX;

/// Requests that one pass answers; the next pass takes the rest.
const PASS_MAX: usize = 64;
/// A wait that is longer than this was asked for by another clock: the kitchen does not wait for it.
const WAIT_MS_MAX: u64 = 3 * 3_600_000 + 10 * 60_000;

/// What the node says of a request by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It is so.
    Granted,
    /// It is not, and why.
    Refused(String),
    /// The kitchen has begun: a person says.
    Ask,
}

/// How long the kitchen needs for it when it begins now, in milliseconds.
fn needs_ms(replica: &Replica, view: &OrderView, now: Timestamp) -> u64 {
    let longest = view.wanted().map(|line| line_estimate_s(&line.line)).max().unwrap_or(0);
    u64::from(longest) * 1_000 + u64::from(replica.site().intake().busy_minutes(now)) * 60_000
}

/// When an order that is to be ready at a time, and not before, goes to the kitchen; `None`: now.
pub(crate) fn begins_at(replica: &Replica, view: &OrderView, now: Timestamp) -> Option<Timestamp> {
    let ready = view.ready_not_before.filter(|ready| ready.ms_since(now) <= WAIT_MS_MAX)?;
    let begins = Timestamp(ready.0.saturating_sub(needs_ms(replica, view, now)));
    (begins > now).then_some(begins)
}

/// Judges a request by how the order stands.
pub fn judge(replica: &Replica, view: &OrderView, wanted: &Amendment, now: Timestamp) -> Judged {
    let begun = view.wanted().any(|line| !view.not_begun(line));
    let made = begun && view.tickets.values().all(|ticket| ticket.phase >= TicketPhase::Ready);
    let with_rider = view.delivery.is_some_and(|(_, phase)| phase >= DeliveryPhase::PickedUp);
    match wanted {
        Amendment::Contact => Judged::Granted,
        // Whether anybody rides that far the relay has checked.
        Amendment::Address { .. } if with_rider => Judged::Refused("the rider has it".to_owned()),
        Amendment::Address { .. } => Judged::Granted,
        Amendment::Instructions(_) | Amendment::Time(_) if made => Judged::Refused("it is made already".to_owned()),
        Amendment::Instructions(_) | Amendment::Time(None) if !begun => Judged::Granted,
        // What is in the kitchen already only a person knows to be untouched.
        Amendment::Time(Some(ready)) if !begun && !view.sent => {
            let needs_ms = needs_ms(replica, view, now);
            if *ready >= now.plus_ms(needs_ms) {
                return Judged::Granted;
            }
            Judged::Refused(format!("the kitchen needs {} minutes", needs_ms.div_ceil(60_000)))
        }
        Amendment::Instructions(_) | Amendment::Time(_) => Judged::Ask,
    }
}

/// Whether an order has a request that somebody must answer: cheap.
pub(crate) fn may_ask(view: &OrderView) -> bool {
    view.cancelled.is_none() && view.amendments_asked().next().is_some()
}

/// Requests that wait, each with what a node itself says of it; in the order of the orders' ids.
fn waiting(replica: &Replica, now: Timestamp) -> impl Iterator<Item = (OrderId, &OrderView, &AmendmentView, Judged)> {
    let orders = replica.live_orders().filter(|(_, order)| may_ask(&order.view));
    orders.flat_map(move |(id, order)| {
        let asked = order.view.amendments_asked();
        asked.map(move |request| (*id, &order.view, request, judge(replica, &order.view, &request.wanted, now)))
    })
}

/// Those that a person must answer, at whichever node.
pub fn for_a_person(replica: &Replica, now: Timestamp) -> Vec<(OrderId, &OrderView, &AmendmentView)> {
    let asked = waiting(replica, now).filter(|(.., judged)| *judged == Judged::Ask);
    asked.map(|(id, view, request, _)| (id, view, request)).collect()
}

/// The commits that answer what is plain.
pub(crate) fn answers(replica: &Replica, now: Timestamp) -> Vec<Vec<Change>> {
    let ours = |(id, view, ..): &(OrderId, &OrderView, &AmendmentView, Judged)| {
        !matches!(hand(replica, id, view), Hand::Others(_))
    };
    let answered = waiting(replica, now).filter(ours).filter_map(|(id, view, request, judged)| {
        let refused = match judged {
            Judged::Granted => None,
            Judged::Refused(why) => Some(why),
            Judged::Ask => return None,
        };
        Some(answer(replica, &id, view, request.intent, refused))
    });
    answered.take(PASS_MAX).collect()
}

fn answer(replica: &Replica, id: &OrderId, view: &OrderView, intent: IntentId, refused: Option<String>) -> Vec<Change> {
    let inherited = match hand(replica, id, view) {
        Hand::Inherited(change) => Some(*change),
        Hand::Ours | Hand::Others(_) => None,
    };
    let answered = Change::Order(*id, OrderFact::AmendmentAnswered { intent, refused });
    inherited.into_iter().chain([answered]).collect()
}

/// Why a person's answer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRefusal {
    /// No such order here.
    #[error("order {0} is not known here")]
    UnknownOrder(OrderId),
    /// No such request about it.
    #[error("nobody has asked for {0}")]
    UnknownRequest(IntentId),
    /// It was answered, or has ended.
    #[error("the request was answered, or has ended")]
    Answered,
    /// Another node decides about it.
    #[error("node {0} decides about this order")]
    OtherNode(String),
    /// Who says no says why.
    #[error("say why in 1 to {} characters", NOTE_CHARS_MAX)]
    Why,
}

/// Plans a person's answer to a request.
pub fn decide(
    replica: &Replica,
    by: Actor,
    (id, intent): (OrderId, IntentId),
    refused: Option<String>,
) -> Result<Plan<Order>, PlanError<AnswerRefusal>> {
    let refuse = PlanError::Refused;
    let order = replica.order(&id)?.ok_or(refuse(AnswerRefusal::UnknownOrder(id)))?;
    let view = &order.view;
    if !view.amendments.iter().any(|request| request.intent == intent) {
        return Err(refuse(AnswerRefusal::UnknownRequest(intent)));
    }
    let refused = refused.map(|why| why.trim().to_owned());
    if view.cancelled.is_some() || !view.amendments_asked().any(|request| request.intent == intent) {
        // The answer to the answer may have been lost (SPEC Q6). While it is waited for none counts that a former owner gave (SPEC Q4).
        let same = |fact: &OrderFact| *fact == OrderFact::AmendmentAnswered { intent, refused: refused.clone() };
        if order.doc.in_order().iter().any(|fact| same(&fact.what)) {
            return Ok(Plan::answer_only(by, Order { id, live: order.clone() }));
        }
        return Err(refuse(AnswerRefusal::Answered));
    }
    let refused = refused.map(|why| reason(&why).ok_or(refuse(AnswerRefusal::Why))).transpose()?;
    if let Hand::Others(letter) = hand(replica, &id, view) {
        return Err(refuse(AnswerRefusal::OtherNode(letter)));
    }
    let changes = answer(replica, &id, view, intent, refused);
    Ok(Plan::new(by, changes, Order::after(id, order)))
}

#[cfg(test)]
mod tests;
