//! Cancels an order: the stock of what was not begun goes back, once, to the row that paid (SPEC S3).

use crate::orders::ownership::{Hand, hand};
use crate::orders::{Order, reason};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::merge_log::seen_of;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::LineView;
use pilotlight_sync::doc::stock_rows::StockRows;
use pilotlight_sync::domain::id::{DeviceId, LineId, OrderId};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::limits::NOTE_CHARS_MAX;

/// Why the order goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelRefusal {
    /// No such order here.
    #[error("order {0} is not known here")]
    UnknownOrder(OrderId),
    /// The guest or the rider has it.
    #[error("the order is {0:?}")]
    Finished(Status),
    /// A guest may cancel until somebody begins; then the counter must.
    #[error("the kitchen has begun")]
    Begun,
    /// Another node decides about it.
    #[error("node {0} decides about this order")]
    OtherNode(String),
    /// A cancellation says why, in so many words.
    #[error("say why in 1 to {} characters", NOTE_CHARS_MAX)]
    Why,
}

/// Plans a cancellation. Cancelling again changes nothing. `own_only`: a guest's device, which may cancel what it placed itself,
/// until somebody begins; of another's order it learns nothing.
pub fn plan(
    replica: &Replica,
    by: Actor,
    id: OrderId,
    why: &str,
    own_only: Option<DeviceId>,
) -> Result<Plan<Order>, PlanError<CancelRefusal>> {
    let refuse = PlanError::Refused;
    let order = replica.order(&id)?.ok_or(refuse(CancelRefusal::UnknownOrder(id)))?;
    let view = &order.view;
    if own_only.is_some() && view.header.device != own_only {
        return Err(refuse(CancelRefusal::UnknownOrder(id)));
    }
    match view.status {
        Status::OrderPlaced | Status::OrderConfirmed | Status::Preparing | Status::ReadyForPickup => {}
        Status::Cancelled | Status::Refunded => {
            return Ok(Plan::answer_only(by, Order { id, live: order.clone() }));
        }
        Status::PickedUp | Status::OutForDelivery | Status::Completed | Status::DeliveryFailed => {
            return Err(refuse(CancelRefusal::Finished(view.status)));
        }
    }
    // After it was cancelled a cook may tap it all the same: said again, it is cancelled (SPEC Q6).
    if own_only.is_some() && view.wanted().any(|line| !view.not_begun(line)) {
        return Err(refuse(CancelRefusal::Begun));
    }
    let why = reason(why).ok_or(refuse(CancelRefusal::Why))?;
    let mut changes = match hand(replica, &id, view) {
        Hand::Ours => Vec::new(),
        Hand::Inherited(change) => vec![*change],
        Hand::Others(letter) => return Err(refuse(CancelRefusal::OtherNode(letter))),
    };
    let mut stock = StockRows::of(replica.site(), replica.identity().origin);
    let own = replica.identity().origin;
    let goes_back =
        |line: &&LineView| line.payer == own && line.voided.is_none() && !line.stock_returned && view.not_begun(line);
    let back: Vec<&LineView> = view.lines.iter().filter(goes_back).collect();
    back.iter().for_each(|line| stock.take_back(&line.line));
    let lines: Vec<LineId> = back.iter().map(|line| line.line.id).collect();
    changes.push(Change::Order(id, OrderFact::Cancelled { why }));
    changes.push(Change::Order(id, OrderFact::Knew { seen: seen_of(&order.doc, &own) }));
    if !lines.is_empty() {
        changes.push(Change::Order(id, OrderFact::StockReturned { lines }));
    }
    changes.extend(stock.into_changes());
    Ok(Plan::new(by, changes, Order::after(id, order)))
}
