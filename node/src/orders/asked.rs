//! Asks the node that decides about an order (SPEC Q5). The wish is a fact of the order, so it takes whatever way the logs take: over the
//! LAN, whichever of both nodes dials, or by the relay. The owner answers it once; who takes the order over answers what is open.

use crate::orders::ownership::{Hand, hand, is_ours};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::till::{Opening, TillFact};
use pilotlight_sync::domain::asked::{AskState, AskView, Asked};
use pilotlight_sync::domain::id::{IntentId, OrderId, ShiftId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;

/// What was asked longer ago than this, in milliseconds, nobody stands and waits for any more: it is withdrawn, or refused.
pub const ASK_MS_MAX: u64 = 10 * 60_000;

/// So often one order's owner is asked, by whoever.
pub const ASKS_MAX: usize = 100;

/// Why the owner is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskRefusal {
    /// It was asked for something else about the same thing, and has not answered.
    #[error("its node was asked {0}, and has not answered yet")]
    Waits(String),
    /// It was asked too often.
    #[error("its node was asked {ASKS_MAX} times")]
    TooMany,
    /// It was recovered, and nobody goes on with it.
    #[error("the order was recovered and is history")]
    History,
}

/// Plans to ask for it; answers the request's name. What is asked and not answered yet is not asked twice. `None`: no such order here.
pub fn ask(
    replica: &Replica,
    by: Actor,
    id: OrderId,
    what: Asked,
) -> Result<Plan<Option<IntentId>>, PlanError<AskRefusal>> {
    let Some(order) = replica.order(&id)? else { return Ok(Plan::answer_only(by, None)) };
    let refuse = |refusal| Err(PlanError::Refused(refusal));
    if order.view.is_history() {
        return refuse(AskRefusal::History);
    }
    if let Some(known) = order.view.open_asks().find(|ask| ask.what.is_about_same(&what)) {
        if !is_same(&known.what, &what) {
            return refuse(AskRefusal::Waits(known.what.in_words()));
        }
        return Ok(Plan::answer_only(by, Some(known.intent)));
    }
    if order.view.asked.len() >= ASKS_MAX {
        return refuse(AskRefusal::TooMany);
    }
    let own = replica.position();
    let intent = IntentId::derived(&["asked", &id.to_string(), &own.origin.to_string(), &own.head.seq.to_string()]);
    Ok(Plan::new(by, vec![Change::Order(id, OrderFact::Asked { intent, what })], move |_| Some(intent)))
}

/// Whether both mean one thing: a payment is one under its id, whichever drawer it lies in.
fn is_same(one: &Asked, other: &Asked) -> bool {
    match (one, other) {
        (Asked::Tender { amount_minor, .. }, Asked::Tender { amount_minor: amount, .. }) => amount_minor == amount,
        (Asked::Cancel { .. }, Asked::Cancel { .. }) => true,
        _ => one == other,
    }
}

/// What became of a request; `None`: it is not known here.
pub fn state<'v>(view: &'v OrderView, intent: &IntentId) -> Option<&'v AskState> {
    view.asked.iter().find(|ask| ask.intent == *intent).map(|ask| &ask.state)
}

/// Whether an order may have something to be answered, booked or withdrawn: cheap.
pub(crate) fn may_wait(view: &OrderView) -> bool {
    view.open_asks().next().is_some() || view.asked.iter().any(AskView::waits_for_drawer)
}

/// Why a request is not carried out, whatever it is: too much time lies between both clocks. Which of them is wrong nobody knows.
pub fn too_far(replica: &Replica, now: Timestamp, ask: &AskView) -> Option<String> {
    let (ago_ms, ahead_ms) = (now.ms_since(ask.at), ask.at.ms_since(now));
    if ago_ms.max(ahead_ms) <= ASK_MS_MAX {
        return None;
    }
    let there = replica.site().origin(&ask.origin).map(|card| card.letter.clone()).unwrap_or_default();
    let minutes = ago_ms.max(ahead_ms) / 60_000;
    Some(if ahead_ms > 0 {
        format!("the clock of node {there}, where it was asked, shows {minutes} minutes more than this one's: set it")
    } else {
        format!("that was asked {minutes} minutes ago: ask again; was it just now, set the clock of node {there}")
    })
}

/// The first request of people here that nobody has answered in time, by the clock that it was asked by: nobody stands and waits for it
/// any more, and the owner is told so before it can do it late.
pub fn lapsed(replica: &Replica, now: Timestamp) -> Option<(Actor, Change)> {
    // A clock that was set back does not say how long it is: it is too long.
    let late = |ask: &&AskView| now.ms_since(ask.at).max(ask.at.ms_since(now)) > ASK_MS_MAX;
    replica.live_orders().find_map(|(id, order)| {
        let ask = order.view.open_asks().filter(late).find(|ask| is_ours(replica, &ask.origin))?;
        Some((ask.by, Change::Order(*id, OrderFact::Withdrawn { intent: ask.intent })))
    })
}

/// The first request that this node must answer.
pub fn next(replica: &Replica) -> Option<(OrderId, AskView)> {
    let asked = replica.live_orders().filter_map(|(id, order)| Some((id, &order.view, order.view.open_asks().next()?)));
    let mut ours = asked.filter(|(id, view, _)| !matches!(hand(replica, id, view), Hand::Others(_)));
    ours.next().map(|(id, _, ask)| (*id, ask.clone()))
}

/// The commit that answers one: what was done for it, or why not.
pub fn answer(
    replica: &Replica,
    (id, ask): (OrderId, &AskView),
    done: Vec<Change>,
    refused: Option<String>,
) -> Vec<Change> {
    let hand = replica.state().live(&id).map(|order| hand(replica, &id, &order.view));
    let begun = done.iter().any(|change| matches!(change, Change::Order(_, OrderFact::TakenOver { .. })));
    let inherited = match hand {
        Some(Hand::Inherited(change)) if !begun => Some(*change),
        Some(Hand::Inherited(_) | Hand::Ours | Hand::Others(_)) | None => None,
    };
    let answered = Change::Order(id, OrderFact::Answered { intent: ask.intent, refused });
    inherited.into_iter().chain(done).chain([answered]).collect()
}

/// The booking of cash that lies in a drawer here, that its order's owner has taken, and that no drawer has booked: in the shift that it
/// was taken in, or, once that was counted, in the drawer's next one. Until there is one it waits.
pub fn unbooked(replica: &Replica) -> Option<(Actor, Vec<Change>)> {
    let asked = replica.live_orders().flat_map(|(id, order)| order.view.asked.iter().map(move |ask| (*id, ask)));
    let mut ours = asked.filter(|(_, ask)| ask.waits_for_drawer() && is_ours(replica, &ask.origin));
    ours.find_map(|(order, ask)| {
        let Asked::Tender { payment, amount_minor, shift: Some(shift) } = ask.what else { return None };
        let booked = Change::Order(order, OrderFact::Booked { intent: ask.intent });
        let drawer = drawer_now(replica, &shift)?;
        // One payment lies in one drawer, whoever asked for it where.
        if replica.site().is_in_a_drawer(&payment) {
            return Some((ask.by, vec![booked]));
        }
        let taken = TillFact::Taken { order, payment, amount_minor };
        Some((ask.by, vec![Change::Till(drawer, taken), booked]))
    })
}

/// The shift in which the drawer of this one is now; `None`: nobody works at it.
fn drawer_now(replica: &Replica, was: &ShiftId) -> Option<ShiftId> {
    let doc = replica.site().shift(was)?;
    if doc.is_open() {
        return Some(*was);
    }
    let drawer = &doc.opening()?.drawer;
    let same = |opening: &Opening| opening.drawer == *drawer && is_ours(replica, &opening.node);
    let mut open = replica.site().open_shifts().filter(|(_, doc)| doc.opening().is_some_and(same));
    open.next().map(|(id, _)| *id)
}
