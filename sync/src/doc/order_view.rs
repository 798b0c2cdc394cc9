//! The shown state of an order: a pure fold over its facts in their order of happening, the same on every replica.

use crate::crdt::codec::Shared;
use crate::crdt::facts::FactId;
use crate::doc::amendments::Amendments;
use crate::doc::asks::Asks;
use crate::doc::order::{AddedLine, Header, OrderDoc, OrderFact, StampedOrderFact};
use crate::doc::ownership::Ownership;
use crate::domain::amendment::AmendmentView;
use crate::domain::asked::{AskState, AskView};
use crate::domain::business_day::{DayNumber, order_number};
use crate::domain::id::{IntentId, LineId, OriginId, PaymentId};
use crate::domain::order::{Axes, Decision, Fulfilment, Status, status};
use crate::domain::payment::{CommercialPhase, DeliveryPhase, PaymentPhase};
use crate::domain::pricing::PricedLine;
use crate::domain::role::Actor;
use crate::domain::routing::line_estimate_s;
use crate::domain::ticket::{EpochKind, TicketKey, TicketPhase};
use crate::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Who did something, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// Who.
    pub by: Actor,
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// In a person's words; may be empty.
    pub why: String,
}

/// One change of the state word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// Before; `None` at the beginning.
    pub from: Option<Status>,
    /// After.
    pub to: Status,
    /// What caused it.
    pub deed: Deed,
}

/// One line as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineView {
    /// What was wanted.
    pub line: Shared<PricedLine>,
    /// The epoch of its ticket that first cooks it.
    pub epoch: u32,
    /// It came after the order was placed.
    pub added_later: bool,
    /// The origin whose row paid its stock.
    pub payer: OriginId,
    /// The line it takes the place of.
    pub replaces: Option<LineId>,
    /// Not wanted any more.
    pub voided: Option<Deed>,
    /// A cook has noticed the addition, change or void.
    pub seen: bool,
    /// Tapped done, in this epoch, then.
    pub done: Option<(u32, Timestamp)>,
    /// Its stock was given back.
    pub stock_returned: bool,
}

/// One station's share as it is now: its newest epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketView {
    /// The newest epoch.
    pub epoch: u32,
    /// Why it was opened.
    pub kind: EpochKind,
    /// How far it is.
    pub phase: TicketPhase,
    /// Whether any epoch was begun: what was begun is never returned to stock.
    pub begun: bool,
    /// When the epoch was opened.
    pub queued_at: Timestamp,
    /// When somebody began.
    pub started_at: Option<Timestamp>,
    /// When it was bumped.
    pub ready_at: Option<Timestamp>,
    /// A screen has shown it.
    pub acknowledged: bool,
}

/// An order as everyone sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// What it was when it was placed.
    pub header: Header,
    /// Who placed it.
    pub placed_by: Actor,
    /// The origin that paid its stock.
    pub payer: OriginId,
    /// The node that decides about it.
    pub owner: OriginId,
    /// How often it was taken over.
    pub term: u32,
    /// Number for people, with its day.
    pub number: Option<(DayNumber, String)>,
    /// Others that people hold for it: it was made twice under one id, or sent to the kitchen by two nodes (SPEC O4).
    pub also: Vec<(DayNumber, String)>,
    /// Lines in the order in which they came.
    pub lines: Vec<LineView>,
    /// One a station and course.
    pub tickets: BTreeMap<TicketKey, TicketView>,
    /// Cancelled by this.
    pub cancelled: Option<Deed>,
    /// The word.
    pub status: Status,
    /// How it came to be that.
    pub history: Vec<StatusChange>,
    /// Requests that were already carried out.
    pub intents: BTreeSet<IntentId>,
    /// Captured in all, in minor units.
    pub captured_minor: i64,
    /// Settled refunds in all, in minor units.
    pub refunded_minor: i64,
    /// It is in the kitchen.
    pub sent: bool,
    /// The owner node will make it, once the relay has confirmed it.
    pub accepted: bool,
    /// What the owner node answered to a request to cancel: granted or refused.
    pub verdict: Option<bool>,
    /// What the relay has decided, for an order born there.
    pub commercial: Option<CommercialPhase>,
    /// When the customer asked to cancel.
    pub cancel_requested_at: Option<Timestamp>,
    /// The last delivery attempt, from 1, and how far it is.
    pub delivery: Option<(u32, DeliveryPhase)>,
    /// Each payment's highest phase and its amount in minor units.
    pub payments: BTreeMap<PaymentId, (PaymentPhase, i64)>,
    /// Settled refunds, in minor units.
    pub refunds: BTreeMap<IntentId, i64>,
    /// It was taken on a branch that the site does not have, and told again.
    pub recovered: bool,
    /// The kitchen that had it goes on with it all the same.
    pub resumed: bool,
    /// Said to the kitchen and to whoever brings it, as it is now.
    pub instructions: Option<String>,
    /// It is to be ready then and not before; `None`: as soon as possible.
    pub ready_not_before: Option<Timestamp>,
    /// How far it goes, in metres, when that was changed after it was placed.
    pub distance_m: Option<u32>,
    /// What the customer has asked for after the confirmation, the first one first.
    pub amendments: Vec<AmendmentView>,
    /// What people at other nodes have asked its owner to do, the first one first.
    pub asked: Vec<AskView>,
    /// Facts that this state is made of.
    pub facts: usize,
}

impl OrderView {
    /// Every number that people hold for it, the one that is shown first.
    pub fn numbers(&self) -> impl Iterator<Item = &(DayNumber, String)> {
        self.number.iter().chain(&self.also)
    }

    /// What is still wanted costs, charges included, in minor units.
    pub fn total_minor(&self) -> i64 {
        let charges = if self.cancelled.is_none() { self.header.charges.total_minor() } else { 0 };
        self.wanted().map(|line| line.line.total_minor()).sum::<i64>() + charges
    }

    /// Whether a rider of the relay brings it.
    pub fn to_be_brought(&self) -> bool {
        self.header.owner.is_some() && self.header.fulfilment == Fulfilment::Delivery
    }

    /// Tax contained in that.
    pub fn tax_minor(&self) -> i64 {
        self.wanted().map(|line| line.line.tax.included_in(line.line.total_minor())).sum()
    }

    /// Lines that are still wanted.
    pub fn wanted(&self) -> impl Iterator<Item = &LineView> {
        self.lines.iter().filter(|line| line.voided.is_none() && self.cancelled.is_none())
    }

    /// Lines that the newest epoch of this ticket shows.
    pub fn shown_on<'a>(&'a self, key: &'a TicketKey, ticket: &'a TicketView) -> impl Iterator<Item = &'a LineView> {
        let fits = move |line: &&LineView| match ticket.kind {
            EpochKind::More => line.epoch == ticket.epoch,
            EpochKind::First | EpochKind::LookAgain | EpochKind::CookAgain => line.epoch <= ticket.epoch,
        };
        self.lines.iter().filter(move |line| line.line.station == key.station && key.course == 0).filter(fits)
    }

    /// Estimated time to make what the ticket shows, in seconds.
    pub fn estimate_s(&self, key: &TicketKey, ticket: &TicketView) -> u32 {
        let shown = self.shown_on(key, ticket).filter(|line| line.voided.is_none());
        shown.map(|line| line_estimate_s(&line.line)).max().unwrap_or(0)
    }

    /// Whether nothing of this line's cooking has begun, so that its stock can go back.
    pub fn not_begun(&self, line: &LineView) -> bool {
        let key = TicketKey { station: line.line.station.clone(), course: 0 };
        let begun = self.tickets.get(&key).is_some_and(|ticket| {
            ticket.phase > TicketPhase::Queued && ticket.epoch >= line.epoch
                || ticket.begun && ticket.epoch > line.epoch
        });
        !begun && line.done.is_none()
    }

    /// Whether anybody has begun to make any of it.
    pub fn is_begun(&self) -> bool {
        let begun = |ticket: &TicketView| ticket.begun || ticket.phase > TicketPhase::Queued;
        let has_it = self.delivery.is_some_and(|(_, phase)| phase >= DeliveryPhase::PickedUp);
        has_it || self.tickets.values().any(begun) || self.lines.iter().any(|line| line.done.is_some())
    }

    /// Whether it is told for the books only: it was recovered, and nobody goes on with it (SPEC I9).
    pub const fn is_history(&self) -> bool {
        self.recovered && !self.resumed
    }

    /// Whether kitchen, expo or pickup still have something to do with it.
    pub fn on_board(&self) -> bool {
        if self.is_history() {
            return false;
        }
        match self.status {
            Status::OrderPlaced
            | Status::OrderConfirmed
            | Status::Preparing
            | Status::ReadyForPickup
            | Status::DeliveryFailed => self.sent,
            // The rider has it: what is left is between rider and customer.
            Status::PickedUp | Status::OutForDelivery | Status::Completed => false,
            Status::Cancelled | Status::Refunded => self.tickets.iter().any(|(key, ticket)| {
                ticket.phase < TicketPhase::Ready && self.shown_on(key, ticket).any(|line| !line.seen)
            }),
        }
    }

    /// Whether anybody still has something to do with it: what replicas keep in memory.
    pub fn is_open(&self) -> bool {
        if self.is_history() {
            return false;
        }
        match self.status {
            Status::OrderPlaced
            | Status::OrderConfirmed
            | Status::Preparing
            | Status::ReadyForPickup
            | Status::PickedUp
            | Status::OutForDelivery
            | Status::DeliveryFailed => true,
            Status::Completed | Status::Cancelled | Status::Refunded => {
                let cash = self.asked.iter().any(AskView::waits_for_drawer);
                self.on_board() || self.waits_for_verdict() || self.open_asks().next().is_some() || cash
            }
        }
    }

    /// What its owner has not answered.
    pub fn open_asks(&self) -> impl Iterator<Item = &AskView> {
        self.asked.iter().filter(|ask| ask.state == AskState::Open)
    }

    /// What is still to be paid in the restaurant, in minor units; not above zero: nothing is.
    pub fn due_minor(&self) -> i64 {
        let online = self.header.owner.is_some();
        if online { 0 } else { self.total_minor() - self.captured_minor + self.refunded_minor }
    }

    /// The relay has ended it without its owner, who still says whether nobody had begun: then its stock goes back (SPEC B10).
    pub fn waits_for_verdict(&self) -> bool {
        self.commercial == Some(CommercialPhase::Resolved) && self.verdict.is_none() && !self.is_begun()
    }
}

/// Folds an order's facts. `None` while its header has not come yet.
pub fn view(doc: &OrderDoc) -> Option<OrderView> {
    let facts = doc.in_order();
    // Two headers under one id: the lower (origin, seq) is the order, the other a duplicate; a recovered one is (SPEC O4, I8).
    let headers = facts.iter().filter(|fact| matches!(fact.what, OrderFact::Placed(_)));
    let placed = headers.min_by_key(|fact| (fact.way, fact.id))?;
    let mut folding = Folding::begin(placed)?;
    folding.view.facts = facts.len();
    // What was said when it was placed comes first, whatever clocks say: an answer by a clock that is far behind is still an answer.
    // So is a tap at another node whose clock is far behind that of the one which sent the order to the kitchen.
    let placing = |fact: &&std::sync::Arc<StampedOrderFact>| {
        let same = (fact.way, fact.id.seq, fact.at) == (placed.way, placed.id.seq, placed.at);
        // Facts of one recovered commit have a name each.
        let placed = same && (fact.id.origin == placed.id.origin || fact.way.is_some());
        placed || matches!(fact.what, OrderFact::Sent { .. })
    };
    let (first, then): (Vec<_>, Vec<_>) = facts.iter().partition(placing);
    let ownership = Ownership::of(placed.id, &folding.view.header, &facts);
    if let Some((owner, term)) = ownership.now() {
        (folding.view.owner, folding.view.term) = (owner, term);
    }
    let told: Vec<_> = first.into_iter().chain(then).collect();
    for fact in &told {
        folding.asks.hear(fact);
        if ownership.counts(fact) {
            folding.take(fact);
        }
    }
    std::mem::take(&mut folding.amendments).finish(&mut folding.view);
    folding.view.asked = std::mem::take(&mut folding.asks).finish();
    // The number is the owner's; one of a former owner that did not know of it is shown as long as there is no other.
    if let Some(sent) =
        told.iter().find(|fact| matches!(fact.what, OrderFact::Sent { .. }) && ownership.is_owners(fact))
        && let OrderFact::Sent { day, letter, counter } = &sent.what
    {
        folding.view.number = Some((*day, order_number(letter, *counter)));
    }
    folding.view.also = also(&told, folding.view.number.as_ref());
    Some(folding.view)
}

/// Every other number that was given to people: whoever holds it is found by it.
fn also(told: &[&std::sync::Arc<StampedOrderFact>], number: Option<&(DayNumber, String)>) -> Vec<(DayNumber, String)> {
    let mut also = Vec::new();
    for fact in told {
        let OrderFact::Sent { day, letter, counter } = &fact.what else { continue };
        let given = (*day, order_number(letter, *counter));
        if Some(&given) != number && !also.contains(&given) {
            also.push(given);
        }
    }
    also
}

struct Folding {
    view: OrderView,
    header: FactId,
    /// Taps on epochs that are opened later by the writers' clocks: a tap by a clock that is behind is still a tap.
    early: Vec<(TicketKey, u32, TicketPhase, Timestamp)>,
    amendments: Amendments,
    asks: Asks,
}

impl Folding {
    fn begin(placed: &StampedOrderFact) -> Option<Self> {
        let OrderFact::Placed(header) = &placed.what else { return None };
        let lines = header.lines.iter().map(|line| first_line(line.clone(), placed.id.origin)).collect();
        let view = OrderView {
            header: Header { lines: Vec::new(), ..header.as_ref().clone() },
            placed_by: placed.by,
            payer: placed.id.origin,
            owner: header.owner.unwrap_or(placed.id.origin),
            term: 0,
            number: None,
            also: Vec::new(),
            lines,
            tickets: BTreeMap::new(),
            cancelled: None,
            status: Status::OrderPlaced,
            history: Vec::new(),
            intents: BTreeSet::new(),
            captured_minor: 0,
            refunded_minor: 0,
            sent: false,
            accepted: false,
            verdict: None,
            commercial: None,
            cancel_requested_at: None,
            delivery: None,
            payments: BTreeMap::new(),
            refunds: BTreeMap::new(),
            recovered: placed.way.is_some(),
            resumed: false,
            instructions: header.note.clone(),
            ready_not_before: None,
            distance_m: None,
            amendments: Vec::new(),
            asked: Vec::new(),
            facts: 0,
        };
        Some(Self {
            view,
            header: placed.id,
            early: Vec::new(),
            amendments: Amendments::default(),
            asks: Asks::default(),
        })
    }

    fn take(&mut self, fact: &StampedOrderFact) {
        let at = fact.at.wall();
        let deed = |why: &str| Deed { by: fact.by, at, why: why.to_owned() };
        let mut why = String::new();
        self.asks.take(fact);
        match &fact.what {
            OrderFact::Placed(header) => {
                if fact.id == self.header {
                    // An order of the relay comes to the kitchen when it is sent there, not when it was placed.
                    if header.owner.is_none() {
                        self.open_first(at);
                    }
                    why = "placed".to_owned();
                }
            }
            OrderFact::Sent { day, letter, counter } => {
                self.view.sent = true;
                self.open_first(at);
                self.view.number.get_or_insert_with(|| (*day, order_number(letter, *counter)));
                why = if self.view.header.owner.is_some() { "sent to the kitchen" } else { "accepted" }.to_owned();
            }
            OrderFact::Accepted => {
                self.view.accepted = true;
                why = "accepted".to_owned();
            }
            OrderFact::Rejected { why: said } => {
                self.end(deed(said));
                why = said.clone();
            }
            OrderFact::Verdict { granted } => {
                self.view.verdict.get_or_insert(*granted);
                if *granted {
                    self.end(deed("cancelled by the customer"));
                }
                why = if *granted { "the cancellation was granted" } else { "the cancellation was refused" }.to_owned();
            }
            OrderFact::LinesAdded { .. }
            | OrderFact::LineVoided { .. }
            | OrderFact::LineDone { .. }
            | OrderFact::LineSeen { .. }
            | OrderFact::StockReturned { .. } => self.take_lines(fact, at),
            OrderFact::Cancelled { why: said, .. } => {
                self.end(deed(said));
                why = said.clone();
            }
            OrderFact::Resumed => self.view.resumed = true,
            OrderFact::Phase { .. } | OrderFact::EpochOpened { .. } | OrderFact::Acknowledged { .. } => {
                why = self.take_ticket(fact, at);
            }
            OrderFact::Payment { .. }
            | OrderFact::Refunded { .. }
            | OrderFact::Commercial { .. }
            | OrderFact::Delivery { .. } => why = self.take_relay(fact),
            // How an order of the relay is wanted only who placed it says (SPEC FA5).
            OrderFact::Amended { .. } if self.view.header.owner.is_some() && fact.id.origin != self.header.origin => {}
            OrderFact::Amended { .. }
            | OrderFact::AmendmentAsked { .. }
            | OrderFact::AmendmentAnswered { .. }
            | OrderFact::AmendmentEnded { .. } => self.amendments.take(fact),
            // Read before the others: see `Ownership`.
            OrderFact::TakenOver { .. } => {}
            // What was asked is taken above; for the log of who changed what see `merge_log`.
            OrderFact::Asked { .. }
            | OrderFact::Answered { .. }
            | OrderFact::Withdrawn { .. }
            | OrderFact::Booked { .. }
            | OrderFact::Knew { .. } => {}
        }
        self.take_early();
        self.note_status(fact, at, why);
    }

    /// Takes the taps whose epoch is there by now.
    fn take_early(&mut self) {
        let tickets = &mut self.view.tickets;
        self.early.retain(|(key, epoch, phase, at)| match tickets.get_mut(key) {
            Some(ticket) if ticket.epoch >= *epoch => {
                raise(ticket, *epoch, *phase, *at);
                false
            }
            Some(_) | None => true,
        });
    }

    fn take_lines(&mut self, fact: &StampedOrderFact, at: Timestamp) {
        match &fact.what {
            OrderFact::LinesAdded { intent, lines, .. } => {
                self.view.intents.insert(*intent);
                lines.iter().for_each(|added| self.add_line(added, fact.id.origin, at));
            }
            OrderFact::LineVoided { intent, line, why, .. } => {
                self.view.intents.insert(*intent);
                if let Some(line) = self.line(line) {
                    line.seen = line.seen && line.voided.is_some();
                    line.voided.get_or_insert_with(|| Deed { by: fact.by, at, why: why.clone() });
                }
            }
            OrderFact::LineDone { line, epoch, done } => {
                if let Some(line) = self.line(line) {
                    line.done = done.then_some((*epoch, at));
                }
            }
            OrderFact::LineSeen { line } => {
                if let Some(line) = self.line(line) {
                    line.seen = true;
                }
            }
            OrderFact::StockReturned { lines } => {
                for line in &mut self.view.lines {
                    line.stock_returned |= lines.contains(&line.line.id);
                }
            }
            OrderFact::Placed(_)
            | OrderFact::Sent { .. }
            | OrderFact::Accepted
            | OrderFact::Rejected { .. }
            | OrderFact::Verdict { .. }
            | OrderFact::TakenOver { .. }
            | OrderFact::Phase { .. }
            | OrderFact::EpochOpened { .. }
            | OrderFact::Acknowledged { .. }
            | OrderFact::Cancelled { .. }
            | OrderFact::Resumed
            | OrderFact::Payment { .. }
            | OrderFact::Refunded { .. }
            | OrderFact::Amended { .. }
            | OrderFact::AmendmentAsked { .. }
            | OrderFact::AmendmentAnswered { .. }
            | OrderFact::AmendmentEnded { .. }
            | OrderFact::Asked { .. }
            | OrderFact::Answered { .. }
            | OrderFact::Withdrawn { .. }
            | OrderFact::Booked { .. }
            | OrderFact::Knew { .. }
            | OrderFact::Commercial { .. }
            | OrderFact::Delivery { .. } => {}
        }
    }

    fn take_ticket(&mut self, fact: &StampedOrderFact, at: Timestamp) -> String {
        match &fact.what {
            OrderFact::Phase { ticket, epoch, phase } => {
                self.early.push((ticket.clone(), *epoch, *phase, at));
                let done = match phase {
                    TicketPhase::Queued => "queued",
                    TicketPhase::Started => "started",
                    TicketPhase::Ready => "bumped",
                    TicketPhase::HandedOver => "handed over",
                };
                format!("{} {done}", ticket.station)
            }
            OrderFact::EpochOpened { ticket, epoch, kind } => {
                self.open_epoch(ticket, *epoch, *kind, at);
                let opened = match kind {
                    EpochKind::First => "sent",
                    EpochKind::LookAgain => "recalled",
                    EpochKind::CookAgain => "remade",
                    EpochKind::More => "sent more",
                };
                format!("{} {opened}", ticket.station)
            }
            OrderFact::Acknowledged { ticket, epoch } => {
                if let Some(ticket) = self.view.tickets.get_mut(ticket).filter(|ticket| ticket.epoch == *epoch) {
                    ticket.acknowledged = true;
                }
                String::new()
            }
            OrderFact::Placed(_)
            | OrderFact::Sent { .. }
            | OrderFact::Accepted
            | OrderFact::Rejected { .. }
            | OrderFact::Verdict { .. }
            | OrderFact::TakenOver { .. }
            | OrderFact::LinesAdded { .. }
            | OrderFact::LineVoided { .. }
            | OrderFact::LineDone { .. }
            | OrderFact::LineSeen { .. }
            | OrderFact::Cancelled { .. }
            | OrderFact::StockReturned { .. }
            | OrderFact::Resumed
            | OrderFact::Payment { .. }
            | OrderFact::Refunded { .. }
            | OrderFact::Amended { .. }
            | OrderFact::AmendmentAsked { .. }
            | OrderFact::AmendmentAnswered { .. }
            | OrderFact::AmendmentEnded { .. }
            | OrderFact::Asked { .. }
            | OrderFact::Answered { .. }
            | OrderFact::Withdrawn { .. }
            | OrderFact::Booked { .. }
            | OrderFact::Knew { .. }
            | OrderFact::Commercial { .. }
            | OrderFact::Delivery { .. } => String::new(),
        }
    }

    fn take_relay(&mut self, fact: &StampedOrderFact) -> String {
        let mut why = String::new();
        match &fact.what {
            OrderFact::Payment { payment, phase, amount_minor } => {
                // Paid never goes back (SPEC P1): the highest phase counts, with its amount.
                let entry = self.view.payments.entry(*payment).or_insert((*phase, *amount_minor));
                *entry = (*entry).max((*phase, *amount_minor));
            }
            OrderFact::Refunded { intent, amount_minor, .. } => {
                self.view.refunds.insert(*intent, *amount_minor);
            }
            OrderFact::Commercial { phase } => why = self.take_commercial(*phase, fact),
            OrderFact::Delivery { attempt, phase } => {
                self.view.delivery = self.view.delivery.max(Some((*attempt, *phase)));
                why = match phase {
                    DeliveryPhase::Unassigned => "a rider is looked for",
                    DeliveryPhase::Assigned => "a rider has accepted",
                    DeliveryPhase::AtStore => "the rider is at the restaurant",
                    DeliveryPhase::PickedUp => "the rider has it",
                    DeliveryPhase::OutForDelivery => "on the way",
                    DeliveryPhase::Delivered => "delivered",
                    DeliveryPhase::Failed => "not delivered",
                    DeliveryPhase::Returned => "brought back",
                }
                .to_owned();
            }
            OrderFact::Placed(_)
            | OrderFact::Sent { .. }
            | OrderFact::Accepted
            | OrderFact::Rejected { .. }
            | OrderFact::Verdict { .. }
            | OrderFact::TakenOver { .. }
            | OrderFact::LinesAdded { .. }
            | OrderFact::LineVoided { .. }
            | OrderFact::Phase { .. }
            | OrderFact::EpochOpened { .. }
            | OrderFact::LineDone { .. }
            | OrderFact::Acknowledged { .. }
            | OrderFact::LineSeen { .. }
            | OrderFact::Cancelled { .. }
            | OrderFact::Resumed
            | OrderFact::Amended { .. }
            | OrderFact::AmendmentAsked { .. }
            | OrderFact::AmendmentAnswered { .. }
            | OrderFact::AmendmentEnded { .. }
            | OrderFact::Asked { .. }
            | OrderFact::Answered { .. }
            | OrderFact::Withdrawn { .. }
            | OrderFact::Booked { .. }
            | OrderFact::Knew { .. }
            | OrderFact::StockReturned { .. } => {}
        }
        let captured = self.view.payments.values().filter(|(phase, _)| *phase == PaymentPhase::Captured);
        self.view.captured_minor = captured.map(|(_, amount)| amount).sum();
        self.view.refunded_minor = self.view.refunds.values().sum();
        why
    }

    fn take_commercial(&mut self, phase: CommercialPhase, fact: &StampedOrderFact) -> String {
        let at = fact.at.wall();
        self.view.commercial = self.view.commercial.max(Some(phase));
        let why = match phase {
            CommercialPhase::Placed => "placed",
            CommercialPhase::CancelledEarly => "cancelled before it was confirmed",
            CommercialPhase::Confirmed => "confirmed",
            CommercialPhase::CancelRequested => "the customer asks to cancel",
            CommercialPhase::Resolved if self.view.cancel_requested_at.is_none() => {
                "cancelled: the restaurant did not make it"
            }
            CommercialPhase::Resolved => "cancelled: the restaurant gave no answer",
        };
        match phase {
            CommercialPhase::Placed | CommercialPhase::Confirmed => {}
            CommercialPhase::CancelRequested => drop(self.view.cancel_requested_at.get_or_insert(at)),
            CommercialPhase::CancelledEarly | CommercialPhase::Resolved => {
                self.end(Deed { by: fact.by, at, why: why.to_owned() });
            }
        }
        why.to_owned()
    }

    /// It will not be made, or not be brought: what the kitchen has not seen of that, it is shown.
    fn end(&mut self, deed: Deed) {
        if self.view.cancelled.is_none() {
            self.view.cancelled = Some(deed);
            self.view.lines.iter_mut().for_each(|line| line.seen = line.voided.is_some() && line.seen);
        }
    }

    fn open_first(&mut self, at: Timestamp) {
        for line in self.view.lines.iter().filter(|line| !line.added_later) {
            let key = TicketKey { station: line.line.station.clone(), course: 0 };
            self.view.tickets.entry(key).or_insert_with(|| opened(0, EpochKind::First, at));
        }
    }

    fn add_line(&mut self, added: &AddedLine, payer: OriginId, at: Timestamp) {
        if self.view.lines.iter().any(|line| line.line.id == added.line.id) {
            return;
        }
        let key = TicketKey { station: added.line.station.clone(), course: 0 };
        self.view.tickets.entry(key).or_insert_with(|| opened(0, EpochKind::First, at));
        let line = LineView {
            epoch: added.epoch,
            added_later: true,
            replaces: added.replaces,
            ..first_line(added.line.clone(), payer)
        };
        self.view.lines.push(line);
    }

    fn open_epoch(&mut self, key: &TicketKey, epoch: u32, kind: EpochKind, at: Timestamp) {
        let begun = self.view.tickets.get(key).is_some_and(|ticket| ticket.begun);
        let newer = self.view.tickets.get(key).is_none_or(|ticket| epoch > ticket.epoch);
        if newer {
            self.view.tickets.insert(key.clone(), TicketView { begun, ..opened(epoch, kind, at) });
            if kind == EpochKind::CookAgain {
                let of_ticket = self.view.lines.iter_mut().filter(|line| line.line.station == key.station);
                of_ticket.for_each(|line| line.done = None);
            }
        }
    }

    fn line(&mut self, id: &LineId) -> Option<&mut LineView> {
        self.view.lines.iter_mut().find(|line| line.line.id == *id)
    }

    fn note_status(&mut self, fact: &StampedOrderFact, at: Timestamp, why: String) {
        let to = status(&self.axes());
        let from = self.view.history.last().map(|change| change.to);
        // Facts may arrive before their header in time when clocks disagree: the word begins with the order itself.
        if from == Some(to) || from.is_none() && fact.id != self.header {
            return;
        }
        self.view.status = to;
        self.view.history.push(StatusChange { from, to, deed: Deed { by: fact.by, at, why } });
    }

    fn axes(&self) -> Axes {
        let view = &self.view;
        let wanted =
            |(key, ticket): &(&TicketKey, &TicketView)| view.shown_on(key, ticket).any(|line| line.voided.is_none());
        let decision = match (&view.cancelled, view.accepted || view.sent) {
            (Some(_), _) => Decision::Ended,
            (None, true) => Decision::Accepted,
            (None, false) => Decision::None,
        };
        Axes {
            tickets: view.tickets.iter().filter(wanted).map(|(_, ticket)| phase_for_word(ticket)).collect(),
            decision,
            commercial: view.commercial,
            delivery: view
                .delivery
                .map(|(_, phase)| phase)
                .or(view.to_be_brought().then_some(DeliveryPhase::Unassigned)),
            captured_minor: view.captured_minor,
            refunded_minor: view.refunded_minor,
        }
    }
}

/// A ticket that was opened again is being worked on: the guest's word is *preparing*, not *confirmed* (SPEC T3).
fn phase_for_word(ticket: &TicketView) -> TicketPhase {
    if ticket.epoch > 0 { ticket.phase.max(TicketPhase::Started) } else { ticket.phase }
}

fn first_line(line: Shared<PricedLine>, payer: OriginId) -> LineView {
    LineView {
        line,
        epoch: 0,
        added_later: false,
        payer,
        replaces: None,
        voided: None,
        seen: false,
        done: None,
        stock_returned: false,
    }
}

fn opened(epoch: u32, kind: EpochKind, at: Timestamp) -> TicketView {
    TicketView {
        epoch,
        kind,
        phase: TicketPhase::Queued,
        begun: false,
        queued_at: at,
        started_at: None,
        ready_at: None,
        acknowledged: false,
    }
}

/// Raises a ticket's phase; a fact of an older epoch, or a lower phase, changes nothing shown (SPEC T1).
fn raise(ticket: &mut TicketView, epoch: u32, phase: TicketPhase, at: Timestamp) {
    ticket.begun |= phase > TicketPhase::Queued && ticket.kind != EpochKind::LookAgain;
    if epoch != ticket.epoch || phase <= ticket.phase {
        return;
    }
    ticket.phase = phase;
    match phase {
        TicketPhase::Queued | TicketPhase::HandedOver => {}
        TicketPhase::Started => ticket.started_at = Some(at),
        TicketPhase::Ready => ticket.ready_at = Some(at),
    }
}

#[cfg(test)]
mod tests;
