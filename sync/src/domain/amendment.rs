//! What a customer wants otherwise about how an order gets to them: a register a field, and after acceptance a request (SPEC FA1).
//!
//! Names, phones and addresses are not in here: of another contact and another place the facts say that there is one, and how far it is.

use crate::domain::id::IntentId;
use crate::domain::timestamp::Timestamp;
use minicbor::{Decode, Encode};

/// One field of an order's fulfilment, as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Amendment {
    /// Said to the kitchen and to whoever brings it; `None`: nothing.
    #[n(0)]
    Instructions(#[n(0)] Option<String>),
    /// Somebody else is to be asked for, whom the relay knows.
    #[n(1)]
    Contact,
    /// It goes to another place, which the relay knows.
    #[n(2)]
    Address {
        /// From the restaurant, in metres as the crow flies.
        #[n(0)]
        distance_m: u32,
    },
    /// It is to be ready then and not before; `None`: as soon as possible.
    #[n(3)]
    Time(#[n(0)] Option<Timestamp>),
}

/// Which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AmendedField {
    /// What is said to the kitchen.
    Instructions,
    /// Who is asked for.
    Contact,
    /// Where it goes.
    Address,
    /// When it is to be ready.
    Time,
}

impl Amendment {
    /// Which field it is about.
    pub const fn field(&self) -> AmendedField {
        match self {
            Self::Instructions(_) => AmendedField::Instructions,
            Self::Contact => AmendedField::Contact,
            Self::Address { .. } => AmendedField::Address,
            Self::Time(_) => AmendedField::Time,
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AmendmentState {
    /// The restaurant has not answered.
    Asked,
    /// It is so.
    Granted,
    /// It is not, and why.
    Refused(String),
    /// The relay ended it without an answer that counts: nothing has changed (SPEC FA3).
    Lapsed,
}

/// A request, with what was before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendmentView {
    /// Which.
    pub intent: IntentId,
    /// What is wanted.
    pub wanted: Amendment,
    /// The field's value when it was asked; `None` for a place and a contact, which only the relay knows.
    pub before: Option<Amendment>,
    /// When, by the relay's clock.
    pub asked_at: Timestamp,
    /// What became of it.
    pub state: AmendmentState,
}
