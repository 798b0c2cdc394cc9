//! An order's state word, computed from its axes and never stored.

use crate::domain::payment::{CommercialPhase, DeliveryPhase};
use crate::domain::ticket::TicketPhase;
use minicbor::{Decode, Encode};

/// Where an order was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Channel {
    /// A kiosk in the shop.
    #[n(0)]
    Kiosk,
    /// The counter.
    #[n(1)]
    Counter,
    /// By telephone.
    #[n(2)]
    Phone,
    /// A guest's phone at the table.
    #[n(3)]
    QrTable,
    /// Our own customers in the cloud.
    #[n(4)]
    Cloud,
    /// Somebody else's app.
    #[n(5)]
    Marketplace,
}

/// How the guest gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Fulfilment {
    /// Eaten here.
    #[n(0)]
    DineIn,
    /// Taken along.
    #[n(1)]
    Takeaway,
    /// Brought.
    #[n(2)]
    Delivery,
}

/// What people are told about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Taken, not accepted.
    OrderPlaced,
    /// Accepted; nobody has begun.
    OrderConfirmed,
    /// Being made.
    Preparing,
    /// All stations are done.
    ReadyForPickup,
    /// The rider has it.
    PickedUp,
    /// On the way.
    OutForDelivery,
    /// The guest has it.
    Completed,
    /// It did not reach the customer.
    DeliveryFailed,
    /// It will not be made, or not be brought.
    Cancelled,
    /// Everything that was captured went back.
    Refunded,
}

/// What the owner node has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Nothing yet.
    None,
    /// It will be made.
    Accepted,
    /// It will not be made, or was cancelled.
    Ended,
}

/// Everything that the state word depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axes {
    /// Of the newest epoch of each ticket that still has a line somebody wants.
    pub tickets: Vec<TicketPhase>,
    /// The owner node's.
    pub decision: Decision,
    /// The relay's, for an order born there.
    pub commercial: Option<CommercialPhase>,
    /// The last attempt's, when it is to be brought.
    pub delivery: Option<DeliveryPhase>,
    /// Captured in all, in minor units.
    pub captured_minor: i64,
    /// Settled refunds in all, in minor units.
    pub refunded_minor: i64,
}

/// The state word of these axes (SPEC O1): the same on every replica that holds the same facts.
pub fn status(axes: &Axes) -> Status {
    let refunded = axes.captured_minor > 0 && axes.refunded_minor >= axes.captured_minor;
    let ended_by_relay = matches!(axes.commercial, Some(CommercialPhase::CancelledEarly | CommercialPhase::Resolved));
    if axes.decision == Decision::Ended || ended_by_relay {
        return if refunded { Status::Refunded } else { Status::Cancelled };
    }
    match (making(axes), axes.delivery.and_then(brought)) {
        // The kitchen has handed it over, but no rider has said that they have it.
        (Status::Completed, None) if axes.delivery.is_some() => Status::ReadyForPickup,
        (_, Some(Status::Completed)) | (Status::Completed, None) => {
            if refunded {
                Status::Refunded
            } else {
                Status::Completed
            }
        }
        (_, Some(on_the_way)) => on_the_way,
        (made, None) => made,
    }
}

/// What the rider's axis says, once the rider has the food.
fn brought(phase: DeliveryPhase) -> Option<Status> {
    match phase {
        DeliveryPhase::Unassigned | DeliveryPhase::Assigned | DeliveryPhase::AtStore => None,
        DeliveryPhase::PickedUp => Some(Status::PickedUp),
        DeliveryPhase::OutForDelivery => Some(Status::OutForDelivery),
        DeliveryPhase::Delivered => Some(Status::Completed),
        DeliveryPhase::Failed | DeliveryPhase::Returned => Some(Status::DeliveryFailed),
    }
}

/// What the kitchen's axis says.
fn making(axes: &Axes) -> Status {
    let confirmed = axes.decision == Decision::Accepted && axes.commercial != Some(CommercialPhase::Placed);
    let least = axes.tickets.iter().min().copied();
    let most = axes.tickets.iter().max().copied();
    match (least, most) {
        (Some(TicketPhase::HandedOver), _) => Status::Completed,
        (Some(TicketPhase::Ready), _) => Status::ReadyForPickup,
        (_, Some(TicketPhase::Started | TicketPhase::Ready | TicketPhase::HandedOver)) => Status::Preparing,
        (None, _) | (_, None) | (Some(TicketPhase::Queued | TicketPhase::Started), Some(TicketPhase::Queued)) => {
            if confirmed {
                Status::OrderConfirmed
            } else {
                Status::OrderPlaced
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TicketPhase as T;

    fn axes(tickets: &[TicketPhase]) -> Axes {
        Axes {
            tickets: tickets.to_vec(),
            decision: Decision::Accepted,
            commercial: None,
            delivery: None,
            captured_minor: 0,
            refunded_minor: 0,
        }
    }

    #[test]
    fn o1_the_word_of_an_order_made_here_follows_its_tickets() {
        for (tickets, word) in [
            (&[T::Queued, T::Queued][..], Status::OrderConfirmed),
            (&[T::Queued, T::Started], Status::Preparing),
            (&[T::Queued, T::Ready], Status::Preparing),
            (&[T::Ready, T::Started], Status::Preparing),
            (&[T::Ready, T::Ready], Status::ReadyForPickup),
            (&[T::Ready, T::HandedOver], Status::ReadyForPickup),
            (&[T::HandedOver, T::HandedOver], Status::Completed),
        ] {
            assert_eq!(status(&axes(tickets)), word, "{tickets:?}");
        }
        assert_eq!(status(&Axes { decision: Decision::None, ..axes(&[T::Queued]) }), Status::OrderPlaced);
    }

    #[test]
    fn o1_the_word_of_an_order_from_the_relay_waits_for_confirmed() {
        let placed = Axes { commercial: Some(CommercialPhase::Placed), ..axes(&[T::Queued]) };
        assert_eq!(status(&placed), Status::OrderPlaced);
        let confirmed = Axes { commercial: Some(CommercialPhase::Confirmed), ..placed.clone() };
        assert_eq!(status(&confirmed), Status::OrderConfirmed);
        let asked = Axes { commercial: Some(CommercialPhase::CancelRequested), ..placed.clone() };
        assert_eq!(status(&asked), Status::OrderConfirmed);
        for ended in [CommercialPhase::CancelledEarly, CommercialPhase::Resolved] {
            assert_eq!(status(&Axes { commercial: Some(ended), ..placed.clone() }), Status::Cancelled);
        }
    }

    #[test]
    fn o1_a_delivery_speaks_once_the_rider_has_the_food() {
        let ready = axes(&[T::Ready]);
        for (phase, word) in [
            (DeliveryPhase::Assigned, Status::ReadyForPickup),
            (DeliveryPhase::AtStore, Status::ReadyForPickup),
            (DeliveryPhase::PickedUp, Status::PickedUp),
            (DeliveryPhase::OutForDelivery, Status::OutForDelivery),
            (DeliveryPhase::Delivered, Status::Completed),
            (DeliveryPhase::Failed, Status::DeliveryFailed),
            (DeliveryPhase::Returned, Status::DeliveryFailed),
        ] {
            assert_eq!(status(&Axes { delivery: Some(phase), ..ready.clone() }), word, "{phase:?}");
        }
    }

    #[test]
    fn o2_refunded_means_that_everything_captured_went_back() {
        let ended = Axes { decision: Decision::Ended, captured_minor: 1_000, ..axes(&[T::Queued]) };
        assert_eq!(status(&ended), Status::Cancelled);
        assert_eq!(status(&Axes { refunded_minor: 400, ..ended.clone() }), Status::Cancelled);
        assert_eq!(status(&Axes { refunded_minor: 1_000, ..ended }), Status::Refunded);
        let done = Axes { captured_minor: 1_000, refunded_minor: 1_000, ..axes(&[T::HandedOver]) };
        assert_eq!(status(&done), Status::Refunded);
        assert_eq!(status(&Axes { refunded_minor: 999, ..done }), Status::Completed);
        let nothing_captured = Axes { decision: Decision::Ended, ..axes(&[]) };
        assert_eq!(status(&nothing_captured), Status::Cancelled);
    }
}
