//! One order as replicas keep it: facts, and nothing but facts.
//!
//! Writers: see each fact. Readers: all screens.
//! Merge: set union of facts; the shown state is the fold in `order_view`.
//! Retention: as SPEC, Compaction.

use crate::crdt::codec::Shared;
use crate::crdt::facts::{Fact, Facts};
use crate::doc::change::Seen;
use crate::domain::amendment::Amendment;
use crate::domain::asked::Asked;
use crate::domain::business_day::DayNumber;
use crate::domain::id::{DeviceId, IntentId, LineId, OriginId, PaymentId};
use crate::domain::money::Currency;
use crate::domain::order::{Channel, Fulfilment};
use crate::domain::payment::{CommercialPhase, DeliveryPhase, PaymentPhase};
use crate::domain::pricing::PricedLine;
use crate::domain::role::Actor;
use crate::domain::ticket::{EpochKind, TicketKey, TicketPhase};
use crate::domain::timestamp::Timestamp;
use minicbor::{Decode, Encode};

/// What an order was when it was placed; written once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Header {
    /// When the node took it.
    #[n(0)]
    pub placed_at: Timestamp,
    /// Where it was taken.
    #[n(1)]
    pub channel: Channel,
    /// How the guest gets it.
    #[n(2)]
    pub fulfilment: Fulfilment,
    /// At which table.
    #[n(3)]
    pub table: Option<String>,
    /// Said to the kitchen.
    #[n(4)]
    pub note: Option<String>,
    /// What was wanted, at the prices of then.
    #[n(5)]
    pub lines: Vec<Shared<PricedLine>>,
    /// Of all amounts.
    #[n(6)]
    pub currency: Currency,
    /// The device that took it.
    #[n(7)]
    pub device: Option<DeviceId>,
    /// The menu that priced it.
    #[n(8)]
    pub menu_version: u64,
    /// The node that the relay named to make it; `None` for an order born in the restaurant, which its own node makes.
    #[n(9)]
    pub owner: Option<OriginId>,
    /// What is paid beside the lines.
    #[n(10)]
    pub charges: Charges,
}

/// What is paid beside the lines, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
pub struct Charges {
    /// Boxes and bags.
    #[n(0)]
    pub packaging_minor: i64,
    /// For the platform.
    #[n(1)]
    pub service_minor: i64,
    /// For bringing it.
    #[n(2)]
    pub delivery_minor: i64,
    /// For the people.
    #[n(3)]
    pub tip_minor: i64,
}

impl Charges {
    /// All of them.
    pub const fn total_minor(&self) -> i64 {
        self.packaging_minor
            .saturating_add(self.service_minor)
            .saturating_add(self.delivery_minor)
            .saturating_add(self.tip_minor)
    }
}

/// A line that came later.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct AddedLine {
    /// What is wanted, at the price of then.
    #[n(0)]
    pub line: Shared<PricedLine>,
    /// The line it takes the place of.
    #[n(1)]
    pub replaces: Option<LineId>,
    /// The epoch of its station's ticket that cooks it.
    #[n(2)]
    pub epoch: u32,
}

/// One thing that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum OrderFact {
    /// It was taken. By the device's node, or the relay.
    #[n(0)]
    Placed(#[n(0)] Box<Header>),
    /// It is sent to the kitchen, and has a number for people. By the owner node; of an order born in the restaurant this is its
    /// acceptance too.
    #[n(1)]
    Sent {
        /// The business day that the number belongs to.
        #[n(0)]
        day: DayNumber,
        /// The origin's letters.
        #[n(1)]
        letter: String,
        /// The origin's counter on that day.
        #[n(2)]
        counter: u32,
    },
    /// Lines came later. By any node.
    #[n(2)]
    LinesAdded {
        /// The request, so that sending it twice adds once.
        #[n(0)]
        intent: IntentId,
        /// What.
        #[n(1)]
        lines: Vec<AddedLine>,
    },
    /// A line is not wanted. By any node.
    #[n(3)]
    LineVoided {
        /// The request.
        #[n(0)]
        intent: IntentId,
        /// Which.
        #[n(1)]
        line: LineId,
        /// Why, in a person's words.
        #[n(2)]
        why: String,
    },
    /// A ticket reached a phase. By any node.
    #[n(4)]
    Phase {
        /// Which ticket.
        #[n(0)]
        ticket: TicketKey,
        /// In which epoch.
        #[n(1)]
        epoch: u32,
        /// What it reached.
        #[n(2)]
        phase: TicketPhase,
    },
    /// A ticket was opened again. By any node.
    #[n(5)]
    EpochOpened {
        /// Which ticket.
        #[n(0)]
        ticket: TicketKey,
        /// The new epoch.
        #[n(1)]
        epoch: u32,
        /// What for.
        #[n(2)]
        kind: EpochKind,
    },
    /// One line is done, or not after all; the later tap counts. By any node.
    #[n(6)]
    LineDone {
        /// Which.
        #[n(0)]
        line: LineId,
        /// In which epoch.
        #[n(1)]
        epoch: u32,
        /// Done or not.
        #[n(2)]
        done: bool,
    },
    /// A screen or printer has shown the ticket. By any node.
    #[n(7)]
    Acknowledged {
        /// Which ticket.
        #[n(0)]
        ticket: TicketKey,
        /// In which epoch.
        #[n(1)]
        epoch: u32,
    },
    /// A cook has noticed that a line was added, changed or voided. By any node.
    #[n(8)]
    LineSeen {
        /// Which.
        #[n(0)]
        line: LineId,
    },
    /// The whole order is not wanted. By the owner node.
    #[n(9)]
    Cancelled {
        /// Why, in a person's words.
        #[n(0)]
        why: String,
    },
    /// The stock of these lines was given back, in the commit of this fact. By the row that paid.
    #[n(10)]
    StockReturned {
        /// Which.
        #[n(0)]
        lines: Vec<LineId>,
    },
    /// A payment reached a phase. By its recorder.
    #[n(11)]
    Payment {
        /// Which.
        #[n(0)]
        payment: PaymentId,
        /// What it reached.
        #[n(1)]
        phase: PaymentPhase,
        /// How much, in minor units.
        #[n(2)]
        amount_minor: i64,
    },
    /// A refund was settled. By the payment's recorder.
    #[n(12)]
    Refunded {
        /// Of which payment.
        #[n(0)]
        payment: PaymentId,
        /// The refund's own id.
        #[n(1)]
        intent: IntentId,
        /// How much, in minor units.
        #[n(2)]
        amount_minor: i64,
    },
    /// The relay decided. By the relay.
    #[n(13)]
    Commercial {
        /// What.
        #[n(0)]
        phase: CommercialPhase,
    },
    /// A delivery attempt reached a phase. By the relay.
    #[n(14)]
    Delivery {
        /// Which attempt, from 1.
        #[n(0)]
        attempt: u32,
        /// What it reached.
        #[n(1)]
        phase: DeliveryPhase,
    },
    /// An order of the relay will be made, once that has confirmed it. By the owner node.
    #[n(15)]
    Accepted,
    /// An order of the relay will not be made. By the owner node.
    #[n(16)]
    Rejected {
        /// Why, in a person's words.
        #[n(0)]
        why: String,
    },
    /// The answer to the relay's request to cancel: granted when nobody had begun. By the owner node.
    #[n(17)]
    Verdict {
        /// It is cancelled.
        #[n(0)]
        granted: bool,
    },
    /// Another node is the order's owner from now on. By the owner, or by a manager at another node when the owner is silent.
    #[n(18)]
    TakenOver {
        /// One more than the highest term its writer saw; the order is born in term 0.
        #[n(0)]
        term: u32,
        /// Who owns it now.
        #[n(1)]
        owner: OriginId,
        /// Up to here the writer has the former owner's log: what that decides later decides nothing. `None`: all that it decided
        /// counts, because it has ended.
        #[n(2)]
        upto: Option<u64>,
        /// Why, in a person's words.
        #[n(3)]
        why: String,
    },
    /// An order that was recovered goes on: the kitchen of the store that recovered it had it on its board all the time. By that node.
    #[n(19)]
    Resumed,
    /// The customer wants a field of the fulfilment otherwise, and it is so: nobody makes the order yet. By whoever took it: of
    /// an order of the relay another's word changes nothing.
    #[n(30)]
    Amended {
        /// What is so now.
        #[n(0)]
        amendment: Amendment,
    },
    /// The customer asks for it after the confirmation. By the relay.
    #[n(31)]
    AmendmentAsked {
        /// The request.
        #[n(0)]
        intent: IntentId,
        /// What is wanted.
        #[n(1)]
        amendment: Amendment,
    },
    /// The answer to such a request. By the owner node.
    #[n(32)]
    AmendmentAnswered {
        /// To which.
        #[n(0)]
        intent: IntentId,
        /// Why not, in words; `None`: it is so.
        #[n(1)]
        refused: Option<String>,
    },
    /// How such a request ended: the relay has taken an answer, or nobody gave one in time. By the relay, once.
    #[n(33)]
    AmendmentEnded {
        /// Which.
        #[n(0)]
        intent: IntentId,
        /// The answer that was taken; `None`: it lapsed.
        #[n(1)]
        granted: Option<bool>,
    },
    /// Somebody asks the node that decides about the order. By a node that does not.
    #[n(34)]
    Asked {
        /// The request.
        #[n(0)]
        intent: IntentId,
        /// What is wanted.
        #[n(1)]
        what: Asked,
    },
    /// The answer to such a request, in the commit that does what is wanted. By the owner node.
    #[n(35)]
    Answered {
        /// To which.
        #[n(0)]
        intent: IntentId,
        /// Why not, in words; `None`: it is done.
        #[n(1)]
        refused: Option<String>,
    },
    /// What its writer knew of the order when it changed lines or ended it in the same commit: a fact of its own, so that a replica of a
    /// version that does not know of it keeps it unread, and has it once it does (SPEC N5). By any node.
    #[n(40)]
    Knew {
        /// Of each other origin that had a hand in the order the last commit that was known.
        #[n(0)]
        seen: Vec<Seen>,
    },
    /// Such a request is not wanted any more: nobody has answered it in time. By the node where it was asked, or its successor.
    #[n(41)]
    Withdrawn {
        /// Which.
        #[n(0)]
        intent: IntentId,
    },
    /// The cash that such a request brought is in the books of a drawer, in this commit or before. By the node where it was asked, or its
    /// successor.
    #[n(42)]
    Booked {
        /// Which.
        #[n(0)]
        intent: IntentId,
    },
}

impl OrderFact {
    /// Whether only the order's owner may say it (SPEC Q4). What was sent to a kitchen is there, whoever sent it: of that only the number
    /// is decided.
    pub const fn is_decision(&self) -> bool {
        match self {
            Self::Accepted
            | Self::Rejected { .. }
            | Self::Verdict { .. }
            | Self::AmendmentAnswered { .. }
            // Who says no has done nothing: it is an answer all the same, and nobody does it after that.
            | Self::Answered { refused: None, .. }
            | Self::Cancelled { .. } => true,
            Self::Placed(_)
            | Self::Sent { .. }
            | Self::LinesAdded { .. }
            | Self::LineVoided { .. }
            | Self::Phase { .. }
            | Self::EpochOpened { .. }
            | Self::LineDone { .. }
            | Self::Acknowledged { .. }
            | Self::LineSeen { .. }
            | Self::StockReturned { .. }
            | Self::Payment { .. }
            | Self::Refunded { .. }
            | Self::Commercial { .. }
            | Self::Delivery { .. }
            | Self::TakenOver { .. }
            | Self::Amended { .. }
            | Self::AmendmentAsked { .. }
            | Self::AmendmentEnded { .. }
            | Self::Asked { .. }
            | Self::Answered { refused: Some(_), .. }
            | Self::Withdrawn { .. }
            | Self::Booked { .. }
            | Self::Knew { .. }
            | Self::Resumed => false,
        }
    }
}

impl OrderFact {
    /// Whether it changes no amount: it tells of the kitchen's and the stock's work, or of how the order is brought.
    pub const fn is_without_amount(&self) -> bool {
        match self {
            Self::Phase { .. }
            | Self::EpochOpened { .. }
            | Self::LineDone { .. }
            | Self::Acknowledged { .. }
            | Self::LineSeen { .. }
            | Self::StockReturned { .. }
            | Self::Amended { .. }
            | Self::AmendmentAsked { .. }
            | Self::AmendmentAnswered { .. }
            | Self::AmendmentEnded { .. }
            | Self::Asked { .. }
            | Self::Answered { .. }
            | Self::Withdrawn { .. }
            | Self::Booked { .. }
            | Self::Knew { .. }
            | Self::Resumed => true,
            Self::Placed(_)
            | Self::Sent { .. }
            | Self::LinesAdded { .. }
            | Self::LineVoided { .. }
            | Self::Cancelled { .. }
            | Self::Payment { .. }
            | Self::Refunded { .. }
            | Self::Commercial { .. }
            | Self::Delivery { .. }
            | Self::Accepted
            | Self::Rejected { .. }
            | Self::Verdict { .. }
            | Self::TakenOver { .. } => false,
        }
    }
}

/// All that happened to one order.
pub type OrderDoc = Facts<OrderFact, Actor>;
/// One thing that happened to one order, with its name, time and cause.
pub type StampedOrderFact = Fact<OrderFact, Actor>;
