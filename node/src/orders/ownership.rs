//! Who decides about an order: its owner node, the one that goes on for an owner that was fenced, or whoever has taken it over (SPEC Q4).

use crate::orders::{Order, reason};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::limits::NOTE_CHARS_MAX;

/// In whose hand an order is, seen from this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hand {
    /// This node decides.
    Ours,
    /// Its owner was fenced and this node goes on for it: this change comes before its first decision.
    Inherited(Box<Change>),
    /// Another node decides: the one with these letters.
    Others(String),
}

/// In whose hand it is.
pub(crate) fn hand(replica: &Replica, id: &OrderId, view: &OrderView) -> Hand {
    let own = replica.identity().origin;
    if view.owner == own {
        return Hand::Ours;
    }
    let card = replica.site().origin(&view.owner);
    if view.term < u32::MAX && replica.site().is_fenced(&view.owner) && successor(replica, card) == Some(own) {
        let why = "its node has begun anew".to_owned();
        return Hand::Inherited(Box::new(taken_over(replica, id, view, why)));
    }
    Hand::Others(card.map(|card| card.letter.clone()).unwrap_or_default())
}

/// Whether what this node did, or what stands there, is this node's: it is its own origin, or one that was ended and that it goes on for.
pub(crate) fn is_ours(replica: &Replica, node: &OriginId) -> bool {
    let (site, own) = (replica.site(), replica.identity().origin);
    *node == own || site.is_fenced(node) && successor(replica, site.origin(node)) == Some(own)
}

/// The node that goes on for one that was fenced: the same on every replica that knows the same nodes. One that took its letter first,
/// because that is the same machine begun anew.
fn successor(replica: &Replica, fenced: Option<&OriginCard>) -> Option<OriginId> {
    let initial = fenced.and_then(|card| card.letter.chars().next());
    let live = |card: &&OriginCard| card.role == OriginRole::Node && !replica.site().is_fenced(&card.origin);
    let by_name = |card: &&OriginCard| {
        (card.letter.chars().next() != initial, card.letter.len(), card.letter.clone(), card.origin)
    };
    replica.site().origins().filter(live).min_by_key(by_name).map(|card| card.origin)
}

fn taken_over(replica: &Replica, id: &OrderId, view: &OrderView, why: String) -> Change {
    let ended = replica.site().is_fenced(&view.owner);
    let upto = replica.state().heads().get(&view.owner).map_or(0, |head| head.seq);
    let (term, owner) = (view.term.saturating_add(1), replica.identity().origin);
    Change::Order(*id, OrderFact::TakenOver { term, owner, upto: (!ended).then_some(upto), why })
}

/// Why an order is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TakeOverRefusal {
    /// No such order here.
    #[error("order {0} is not known here")]
    UnknownOrder(OrderId),
    /// Nothing is left to decide about it.
    #[error("the order is {0:?}")]
    Finished(Status),
    /// Its terms are used up: whoever wrote the last one meant no good.
    #[error("the order was taken over too often")]
    TooOften,
    /// A takeover says why, in so many words.
    #[error("say why in 1 to {} characters", NOTE_CHARS_MAX)]
    Why,
}

/// Plans that this node decides about an order from now on, because its owner is silent. Once more changes nothing.
pub fn plan(replica: &Replica, by: Actor, id: OrderId, why: &str) -> Result<Plan<Order>, PlanError<TakeOverRefusal>> {
    let refuse = PlanError::Refused;
    let order = replica.order(&id)?.ok_or(refuse(TakeOverRefusal::UnknownOrder(id)))?;
    let view = &order.view;
    if view.owner == replica.identity().origin {
        return Ok(Plan::answer_only(by, Order { id, live: order.clone() }));
    }
    if view.term == u32::MAX {
        return Err(refuse(TakeOverRefusal::TooOften));
    }
    // Of an order that was handed over there may still be money to take, or an answer to give.
    let unsettled = view.open_asks().next().is_some() || view.due_minor() > 0;
    match view.status {
        Status::OrderPlaced | Status::OrderConfirmed | Status::Preparing | Status::ReadyForPickup => {}
        Status::PickedUp
        | Status::OutForDelivery
        | Status::DeliveryFailed
        | Status::Completed
        | Status::Cancelled
        | Status::Refunded => {
            if !unsettled {
                return Err(refuse(TakeOverRefusal::Finished(view.status)));
            }
        }
    }
    let why = reason(why).ok_or(refuse(TakeOverRefusal::Why))?;
    let change = taken_over(replica, &id, view, why);
    Ok(Plan::new(by, vec![change], Order::after(id, order)))
}

#[cfg(test)]
mod tests;
