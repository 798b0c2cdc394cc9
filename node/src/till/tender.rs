//! Takes a tender for an order: money that is in the drawer when this is answered (SPEC P2).

use crate::store::replica::{LiveOrder, Replica};
use crate::store::store_handle::{Plan, PlanError};
use crate::till::shifts;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::till::TillFact;
use pilotlight_sync::domain::id::{OrderId, PaymentId, ShiftId};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::PaymentPhase;
use pilotlight_sync::domain::role::Actor;
use std::sync::Arc;

/// A tender as a device sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tender {
    /// For which order.
    pub order: OrderId,
    /// Minted by the device: sending it again takes no money twice.
    pub payment: PaymentId,
    /// How much, in minor units.
    pub amount_minor: i64,
}

/// Why no money is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenderRefusal {
    /// No such order here.
    #[error("order {0} is not known here")]
    UnknownOrder(OrderId),
    /// It will not be made.
    #[error("the order is {0:?}")]
    Ended(Status),
    /// It is paid at the relay.
    #[error("the order was priced and paid online")]
    PaidOnline,
    /// Another node takes the money for it.
    #[error("node {0} takes the money for this order")]
    OtherNode(String),
    /// A tender is an amount.
    #[error("an amount of {0} is no tender")]
    NoAmount(i64),
    /// More than is due: change is given from the drawer, not booked.
    #[error("{amount_minor} is more than the {due_minor} that are due")]
    MoreThanDue {
        /// What was sent, in minor units.
        amount_minor: i64,
        /// What is due, in minor units.
        due_minor: i64,
    },
    /// Which drawer it went into is not said, or no shift of that one is open here.
    #[error("no shift is open of the drawer that it went into")]
    WhichDrawer,
    /// This id was used for another amount.
    #[error("this payment was taken with an amount of {taken_minor}")]
    SameIdOtherAmount {
        /// What was taken, in minor units.
        taken_minor: i64,
    },
}

/// Plans a tender. The same one again is answered as before.
pub fn plan(
    replica: &Replica,
    by: Actor,
    tender: Tender,
) -> Result<Plan<(OrderId, Arc<LiveOrder>)>, PlanError<TenderRefusal>> {
    plan_into(replica, by, tender, None)
}

/// The same for money that lies at another node, in a drawer which that one keeps.
pub fn plan_elsewhere(
    replica: &Replica,
    by: Actor,
    tender: Tender,
) -> Result<Plan<(OrderId, Arc<LiveOrder>)>, PlanError<TenderRefusal>> {
    plan_where(replica, by, tender, || Ok(None))
}

/// The shift of a drawer of this node that such money goes into here; `None`: nobody has opened one.
pub fn shift_here(
    replica: &Replica,
    by: Actor,
    drawer: Option<&str>,
) -> Result<Plan<Option<ShiftId>>, PlanError<TenderRefusal>> {
    let shift = shifts::taking(replica, drawer).map_err(|()| PlanError::Refused(TenderRefusal::WhichDrawer))?;
    Ok(Plan::answer_only(by, shift))
}

/// The same into a drawer of this node. Unless that is said it goes into the only one that somebody works at; where nobody has opened a
/// shift it is taken all the same (SPEC D6).
pub fn plan_into(
    replica: &Replica,
    by: Actor,
    tender: Tender,
    drawer: Option<&str>,
) -> Result<Plan<(OrderId, Arc<LiveOrder>)>, PlanError<TenderRefusal>> {
    plan_where(replica, by, tender, || shifts::taking(replica, drawer))
}

fn plan_where(
    replica: &Replica,
    by: Actor,
    tender: Tender,
    shift: impl FnOnce() -> Result<Option<ShiftId>, ()>,
) -> Result<Plan<(OrderId, Arc<LiveOrder>)>, PlanError<TenderRefusal>> {
    let refuse = |refusal| Err(PlanError::Refused(refusal));
    let id = tender.order;
    let Some(order) = replica.order(&id)? else { return refuse(TenderRefusal::UnknownOrder(id)) };
    let view = &order.view;
    if let Some((_, taken_minor)) = view.payments.get(&tender.payment) {
        if *taken_minor != tender.amount_minor {
            return refuse(TenderRefusal::SameIdOtherAmount { taken_minor: *taken_minor });
        }
        return Ok(Plan::answer_only(by, (id, order)));
    }
    if view.header.owner.is_some() {
        return refuse(TenderRefusal::PaidOnline);
    }
    if view.cancelled.is_some() {
        return refuse(TenderRefusal::Ended(view.status));
    }
    if tender.amount_minor <= 0 {
        return refuse(TenderRefusal::NoAmount(tender.amount_minor));
    }
    let site = replica.site();
    if view.owner != replica.identity().origin && !site.is_fenced(&view.owner) {
        let letter = site.origin(&view.owner).map(|card| card.letter.clone());
        return refuse(TenderRefusal::OtherNode(letter.unwrap_or_default()));
    }
    let due_minor = view.total_minor() - view.captured_minor + view.refunded_minor;
    if tender.amount_minor > due_minor {
        return refuse(TenderRefusal::MoreThanDue { amount_minor: tender.amount_minor, due_minor });
    }
    let fact = OrderFact::Payment {
        payment: tender.payment,
        phase: PaymentPhase::Captured,
        amount_minor: tender.amount_minor,
    };
    let Ok(shift) = shift() else { return refuse(TenderRefusal::WhichDrawer) };
    let (payment, amount_minor) = (tender.payment, tender.amount_minor);
    let mut changes = vec![Change::Order(id, fact)];
    changes.extend(shift.map(|shift| Change::Till(shift, TillFact::Taken { order: id, payment, amount_minor })));
    let answer = move |replica: &Replica| (id, replica.order(&id).ok().flatten().unwrap_or(order));
    Ok(Plan::new(by, changes, answer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shop, line, order};

    #[test]
    fn p2_a_tender_is_taken_once_and_never_more_than_is_due() {
        let mut shop = Shop::open();
        shop.place(order("one", vec![line("one", "pizza", 2)])).unwrap();
        let id = OrderId::derived(&["one"]);
        let payment = |name: &str| PaymentId::derived(&[name]);
        let mut take = |name: &str, amount_minor| {
            let tender = Tender { order: id, payment: payment(name), amount_minor };
            shop.run(|replica, _| plan(replica, Actor::System, tender)).map(|(_, order)| order.view.captured_minor)
        };
        assert_eq!(take("first", 500), Ok(500));
        assert_eq!(take("first", 500), Ok(500), "the same one again");
        assert_eq!(take("first", 600), Err(TenderRefusal::SameIdOtherAmount { taken_minor: 500 }));
        assert_eq!(take("second", 1_501), Err(TenderRefusal::MoreThanDue { amount_minor: 1_501, due_minor: 1_500 }));
        assert_eq!(take("second", 0), Err(TenderRefusal::NoAmount(0)));
        assert_eq!(take("second", 1_500), Ok(2_000));
    }
}
