//! What somebody at one node wants of an order that another node owns: the owner carries it out, or says why not (SPEC Q5).

use crate::domain::id::{IntentId, OriginId, PaymentId, ShiftId};
use crate::domain::role::Actor;
use crate::domain::timestamp::Timestamp;
use minicbor::{Decode, Encode};

/// What the owner is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Asked {
    /// To say yes or no to an order of the relay.
    #[n(0)]
    Decide {
        /// Why not, in a person's words; `None`: it is made.
        #[n(0)]
        rejected: Option<String>,
    },
    /// To cancel the order.
    #[n(1)]
    Cancel {
        /// Why, in a person's words.
        #[n(0)]
        why: String,
    },
    /// To answer a customer's request.
    #[n(2)]
    Answer {
        /// Which.
        #[n(0)]
        request: IntentId,
        /// Why not, in a person's words; `None`: it is so.
        #[n(1)]
        refused: Option<String>,
    },
    /// To take money that somebody has paid where it is asked.
    #[n(3)]
    Tender {
        /// Which payment.
        #[n(0)]
        payment: PaymentId,
        /// How much, in minor units.
        #[n(1)]
        amount_minor: i64,
        /// The shift of the drawer that it is in, which stands where it is asked; `None`: nobody has opened one.
        #[n(2)]
        shift: Option<ShiftId>,
    },
}

impl Asked {
    /// Whether both are about one thing: then only one waits at a time. A payment is one under its id, whichever drawer it lies in.
    pub fn is_about_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Decide { .. }, Self::Decide { .. }) | (Self::Cancel { .. }, Self::Cancel { .. }) => true,
            (Self::Answer { request: one, .. }, Self::Answer { request: other, .. }) => one == other,
            (Self::Tender { payment: one, .. }, Self::Tender { payment: other, .. }) => one == other,
            (Self::Decide { .. } | Self::Cancel { .. } | Self::Answer { .. } | Self::Tender { .. }, _) => false,
        }
    }

    /// In plain words, after *asked the node that decides*.
    pub fn in_words(&self) -> String {
        match self {
            Self::Decide { rejected: None } => "to accept the order".to_owned(),
            Self::Decide { rejected: Some(why) } => format!("to turn the order down: {why}"),
            Self::Cancel { why } => format!("to cancel the order: {why}"),
            Self::Answer { refused: None, .. } => "to grant what the customer wants".to_owned(),
            Self::Answer { refused: Some(why), .. } => format!("to refuse what the customer wants: {why}"),
            Self::Tender { .. } => "to take a payment".to_owned(),
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskState {
    /// The owner has not answered.
    Open,
    /// It is done.
    Done,
    /// It is not, and why.
    Refused(String),
}

/// One such request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskView {
    /// Which.
    pub intent: IntentId,
    /// What is wanted.
    pub what: Asked,
    /// Who wants it.
    pub by: Actor,
    /// When, by the clock of the node where it was asked.
    pub at: Timestamp,
    /// That node.
    pub origin: OriginId,
    /// What became of it.
    pub state: AskState,
    /// A commit that said yes to it took the money: of several requests for one payment this is the one that brought it.
    pub took: bool,
    /// A drawer has booked the cash that it brought.
    pub booked: bool,
}

impl AskView {
    /// Whether it brought cash into a drawer, and none has booked it.
    pub fn waits_for_drawer(&self) -> bool {
        let cash = matches!(self.what, Asked::Tender { shift: Some(_), .. });
        cash && self.state == AskState::Done && self.took && !self.booked
    }
}
