//! Asks the node that decides about an order (SPEC Q5). The wish is a fact of the order, so it takes whatever way the logs take: over the
//! LAN, whichever of both nodes dials, or by the relay. The owner answers it once; who takes the order over answers what is open.

use crate::orders::ownership::{Hand, hand};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::till::TillFact;
use pilotlight_sync::domain::asked::{AskState, AskView, Asked};
use pilotlight_sync::domain::id::{IntentId, OrderId, OriginId, ShiftId};
use pilotlight_sync::domain::role::Actor;
use std::convert::Infallible;

/// What was asked longer ago than this, in milliseconds, nobody stands and waits for any more: it is refused.
pub const ASK_MS_MAX: u64 = 10 * 60_000;

/// Plans to ask for it; answers the request's name. What is asked and not answered yet is not asked twice. `None`: no such order here.
pub fn ask(
    replica: &Replica,
    by: Actor,
    id: OrderId,
    what: Asked,
) -> Result<Plan<Option<IntentId>>, PlanError<Infallible>> {
    let Some(order) = replica.order(&id)? else { return Ok(Plan::answer_only(by, None)) };
    if let Some(known) = order.view.open_asks().find(|ask| is_same(&ask.what, &what)) {
        return Ok(Plan::answer_only(by, Some(known.intent)));
    }
    let own = replica.position();
    let intent = IntentId::derived(&["asked", &id.to_string(), &own.origin.to_string(), &own.head.seq.to_string()]);
    Ok(Plan::new(by, vec![Change::Order(id, OrderFact::Asked { intent, what })], move |_| Some(intent)))
}

/// Whether both mean one thing: a payment is one under its id, whichever drawer it lies in.
fn is_same(one: &Asked, other: &Asked) -> bool {
    match (one, other) {
        (Asked::Tender { payment, amount_minor, .. }, Asked::Tender { payment: same, amount_minor: amount, .. }) => {
            payment == same && amount_minor == amount
        }
        _ => one == other,
    }
}

/// What became of a request; `None`: it is not known here.
pub fn state<'v>(view: &'v OrderView, intent: &IntentId) -> Option<&'v AskState> {
    view.asked.iter().find(|ask| ask.intent == *intent).map(|ask| &ask.state)
}

/// Whether an order may have something to be answered or booked at the node with this origin: cheap.
pub(crate) fn may_wait(view: &OrderView, own: &OriginId) -> bool {
    view.open_asks().next().is_some() || view.asked.iter().any(|ask| in_our_drawer(ask, own))
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
    let order = replica.live_orders().find(|(known, _)| **known == id);
    let hand = order.map(|(_, order)| hand(replica, &id, &order.view));
    let begun = done.iter().any(|change| matches!(change, Change::Order(_, OrderFact::TakenOver { .. })));
    let inherited = match hand {
        Some(Hand::Inherited(change)) if !begun => Some(*change),
        Some(Hand::Inherited(_) | Hand::Ours | Hand::Others(_)) | None => None,
    };
    let answered = Change::Order(id, OrderFact::Answered { intent: ask.intent, refused });
    inherited.into_iter().chain(done).chain([answered]).collect()
}

fn in_our_drawer(ask: &AskView, own: &OriginId) -> bool {
    let here = ask.origin == *own && ask.state == AskState::Done;
    here && matches!(ask.what, Asked::Tender { shift: Some(_), .. })
}

/// Cash that lies in a drawer here, that its order's owner has taken, and that no shift has booked: who took it, the shift, what it books.
pub fn unbooked(replica: &Replica) -> Option<(Actor, ShiftId, TillFact)> {
    let own = replica.identity().origin;
    let asked = replica.live_orders().flat_map(|(id, order)| order.view.asked.iter().map(move |ask| (*id, ask)));
    asked.filter(|(_, ask)| in_our_drawer(ask, &own)).find_map(|(order, ask)| {
        let Asked::Tender { payment, amount_minor, shift: Some(shift) } = ask.what else { return None };
        let doc = replica.site().shift(&shift).filter(|doc| doc.is_open())?;
        let booked = doc.view(|_| true)?.taken.contains_key(&payment);
        (!booked).then_some((ask.by, shift, TillFact::Taken { order, payment, amount_minor }))
    })
}
