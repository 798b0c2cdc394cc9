//! How far a payment and a delivery are: one rising axis each, written by one recorder.

use minicbor::{Decode, Encode};

/// One payment's axis. `Captured`, `Voided`, `Declined` and `Expired` are ends of it: the recorder writes at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum PaymentPhase {
    /// Somebody means to pay.
    #[n(0)]
    Intent,
    /// Sent, no answer yet.
    #[n(1)]
    Pending,
    /// The money is reserved.
    #[n(2)]
    Authorized,
    /// Nothing was taken: it ran out.
    #[n(3)]
    Expired,
    /// Nothing was taken: the bank said no.
    #[n(4)]
    Declined,
    /// Nothing was taken: we let it go.
    #[n(5)]
    Voided,
    /// The money is ours. Paid never goes back in a merge: it is the highest.
    #[n(6)]
    Captured,
}

/// A delivery attempt's axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum DeliveryPhase {
    /// Nobody yet.
    #[n(0)]
    Unassigned,
    /// A rider has accepted.
    #[n(1)]
    Assigned,
    /// The rider is here.
    #[n(2)]
    AtStore,
    /// The rider has it.
    #[n(3)]
    PickedUp,
    /// On the way.
    #[n(4)]
    OutForDelivery,
    /// The customer has it.
    #[n(5)]
    Delivered,
    /// It did not reach the customer.
    #[n(6)]
    Failed,
    /// It is back at the restaurant.
    #[n(7)]
    Returned,
}

/// What the relay has decided about a cloud order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum CommercialPhase {
    /// Taken.
    #[n(0)]
    Placed,
    /// Cancelled or expired before it was confirmed.
    #[n(1)]
    CancelledEarly,
    /// The node's acceptance was applied in time: cook it.
    #[n(2)]
    Confirmed,
    /// The customer asks to cancel.
    #[n(3)]
    CancelRequested,
    /// No verdict in time: cancelled for customer and rider.
    #[n(4)]
    Resolved,
}
