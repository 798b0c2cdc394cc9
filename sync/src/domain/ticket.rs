//! One station's share of an order: its phases and what a command may do to them.
//!
//! A phase never goes back within an epoch (SPEC T1). Recall and remake open a new epoch; they never undo one.

use crate::domain::menu::StationId;
use minicbor::{Decode, Encode};

/// Names a ticket within its order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct TicketKey {
    /// Who makes it.
    #[n(0)]
    pub station: StationId,
    /// With which course.
    #[n(1)]
    pub course: u32,
}

/// How far a ticket is, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum TicketPhase {
    /// On the screen, nobody has begun.
    #[n(0)]
    Queued,
    /// Being made.
    #[n(1)]
    Started,
    /// Bumped: the station is done.
    #[n(2)]
    Ready,
    /// The guest has it.
    #[n(3)]
    HandedOver,
}

/// Why an epoch of a ticket was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum EpochKind {
    /// The order was accepted.
    #[n(0)]
    First,
    /// Recall: look at it again. No stock, no cooking.
    #[n(1)]
    LookAgain,
    /// Remake: cook all of it again.
    #[n(2)]
    CookAgain,
    /// Lines were added after the station was done: cook just those.
    #[n(3)]
    More,
}

/// What a person does to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketCommand {
    /// The cook begins.
    Start,
    /// The station is done.
    Bump,
    /// The guest has it.
    HandOver,
}

/// Why a ticket stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketRefusal {
    /// It is that far already, or further: the tap changes nothing, and is not wrong.
    #[error("the ticket is {phase:?} already")]
    Already {
        /// How far.
        phase: TicketPhase,
    },
    /// Handing over what is not ready.
    #[error("the ticket is {phase:?}: bump it first")]
    NotReady {
        /// How far.
        phase: TicketPhase,
    },
}

impl TicketPhase {
    /// The next phase, or why this command is refused.
    pub fn next(self, command: TicketCommand) -> Result<Self, TicketRefusal> {
        use TicketCommand as C;
        match (self, command) {
            (Self::Queued, C::Start) => Ok(Self::Started),
            (Self::Queued | Self::Started, C::Bump) => Ok(Self::Ready),
            (Self::Ready, C::HandOver) => Ok(Self::HandedOver),
            (Self::Queued | Self::Started, C::HandOver) => Err(TicketRefusal::NotReady { phase: self }),
            (Self::Started | Self::Ready | Self::HandedOver, C::Start)
            | (Self::Ready | Self::HandedOver, C::Bump)
            | (Self::HandedOver, C::HandOver) => Err(TicketRefusal::Already { phase: self }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_a_command_raises_the_phase_or_is_refused() {
        use TicketCommand as C;
        use TicketPhase as P;
        let rows = [
            (P::Queued, C::Start, Ok(P::Started)),
            (P::Queued, C::Bump, Ok(P::Ready)),
            (P::Started, C::Bump, Ok(P::Ready)),
            (P::Ready, C::HandOver, Ok(P::HandedOver)),
            (P::Queued, C::HandOver, Err(TicketRefusal::NotReady { phase: P::Queued })),
            (P::Started, C::HandOver, Err(TicketRefusal::NotReady { phase: P::Started })),
            (P::Started, C::Start, Err(TicketRefusal::Already { phase: P::Started })),
            (P::Ready, C::Start, Err(TicketRefusal::Already { phase: P::Ready })),
            (P::Ready, C::Bump, Err(TicketRefusal::Already { phase: P::Ready })),
            (P::HandedOver, C::Bump, Err(TicketRefusal::Already { phase: P::HandedOver })),
            (P::HandedOver, C::HandOver, Err(TicketRefusal::Already { phase: P::HandedOver })),
        ];
        for (phase, command, expected) in rows {
            assert_eq!(phase.next(command), expected, "{phase:?} {command:?}");
            if let Ok(next) = phase.next(command) {
                assert!(next > phase);
            }
        }
    }
}
