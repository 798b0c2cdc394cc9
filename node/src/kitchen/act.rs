//! Bump, recall, remake, hand over. A tap that was made before the screen knew better is answered *already*, never wrong.

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::crdt::counter::Row;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::{OrderView, TicketView};
use pilotlight_sync::domain::id::{LineId, OrderId};
use pilotlight_sync::domain::pricing::PricedLine;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::stock::check;
use pilotlight_sync::domain::ticket::{EpochKind, TicketCommand, TicketKey, TicketPhase, TicketRefusal};
use pilotlight_sync::domain::timestamp::Timestamp;

/// What was tapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tap {
    /// Start, bump or hand over.
    Command(TicketCommand),
    /// One line is done, or not after all.
    Line {
        /// Which.
        line: LineId,
        /// Done or not.
        done: bool,
    },
    /// Look at it again.
    Recall,
    /// Cook it again, with stock.
    Remake,
    /// A screen shows it.
    Acknowledge,
    /// The cook has seen a change of a line.
    Seen {
        /// Which.
        line: LineId,
    },
}

/// A tap on a ticket, as the screen showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitchenAction {
    /// Which order.
    pub order: OrderId,
    /// Which ticket.
    pub ticket: TicketKey,
    /// In which epoch.
    pub epoch: u32,
    /// What.
    pub tap: Tap,
}

/// What became of a tap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done now.
    Done,
    /// It had been done.
    Already,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActRefusal {
    /// No such order here.
    #[error("order {0} is not known here")]
    UnknownOrder(OrderId),
    /// The order has no such ticket.
    #[error("the order has no ticket for {0}")]
    UnknownTicket(String),
    /// The order has no such line.
    #[error("the order has no line {0}")]
    UnknownLine(LineId),
    /// The epoch is one that was never opened.
    #[error("the ticket is in epoch {now}, not {seen}")]
    UnknownEpoch {
        /// The newest.
        now: u32,
        /// The one that was tapped.
        seen: u32,
    },
    /// Handing over what is not ready.
    #[error(transparent)]
    Ticket(TicketRefusal),
    /// There is nothing to recall: the station is not done.
    #[error("the ticket is {0:?}: there is nothing to recall")]
    NotBumped(TicketPhase),
    /// The order was cancelled: nothing is cooked for it.
    #[error("the order was cancelled")]
    Cancelled,
    /// Remaking needs stock that is not there.
    #[error("there is not enough {ingredient_name} to make it again")]
    SoldOut {
        /// What is short.
        ingredient_name: String,
    },
}

/// Plans one tap.
pub fn plan(
    replica: &Replica,
    _now: Timestamp,
    by: Actor,
    action: KitchenAction,
) -> Result<Plan<Outcome>, PlanError<ActRefusal>> {
    let refuse = PlanError::Refused;
    let order = replica.order(&action.order)?.ok_or(refuse(ActRefusal::UnknownOrder(action.order)))?;
    let view = &order.view;
    let unknown = || refuse(ActRefusal::UnknownTicket(action.ticket.station.to_string()));
    let ticket = view.tickets.get(&action.ticket).ok_or_else(unknown)?;
    if action.epoch > ticket.epoch {
        return Err(refuse(ActRefusal::UnknownEpoch { now: ticket.epoch, seen: action.epoch }));
    }
    // The screen had not yet heard of the newer epoch: what it tapped is done with.
    if action.epoch < ticket.epoch && !matches!(action.tap, Tap::Seen { .. } | Tap::Line { .. }) {
        return Ok(Plan::answer_only(by, Outcome::Already));
    }
    let changes = match &action.tap {
        Tap::Command(command) => command_changes(view, ticket, &action, *command),
        Tap::Line { line, done } => line_changes(view, &action, *line, *done),
        Tap::Recall => recall_changes(view, ticket, &action),
        Tap::Remake => remake_changes(replica, view, ticket, &action),
        Tap::Acknowledge if ticket.acknowledged => Ok(Vec::new()),
        Tap::Acknowledge => {
            Ok(vec![OrderFact::Acknowledged { ticket: action.ticket.clone(), epoch: action.epoch }.of(action.order)])
        }
        Tap::Seen { line } => seen_changes(view, &action, *line),
    };
    let changes = changes.map_err(refuse)?;
    let outcome = if changes.is_empty() { Outcome::Already } else { Outcome::Done };
    Ok(Plan::new(by, changes, move |_| outcome))
}

trait OfOrder {
    fn of(self, order: OrderId) -> Change;
}

impl OfOrder for OrderFact {
    fn of(self, order: OrderId) -> Change {
        Change::Order(order, self)
    }
}

fn command_changes(
    view: &OrderView,
    ticket: &TicketView,
    action: &KitchenAction,
    command: TicketCommand,
) -> Result<Vec<Change>, ActRefusal> {
    if view.cancelled.is_some() && command != TicketCommand::Bump {
        return Err(ActRefusal::Cancelled);
    }
    match ticket.phase.next(command) {
        Ok(phase) => {
            let fact = OrderFact::Phase { ticket: action.ticket.clone(), epoch: action.epoch, phase };
            Ok(vec![fact.of(action.order)])
        }
        Err(TicketRefusal::Already { .. }) => Ok(Vec::new()),
        Err(refusal @ TicketRefusal::NotReady { .. }) => Err(ActRefusal::Ticket(refusal)),
    }
}

fn line_changes(view: &OrderView, action: &KitchenAction, line: LineId, done: bool) -> Result<Vec<Change>, ActRefusal> {
    let known = view.lines.iter().find(|known| known.line.id == line).ok_or(ActRefusal::UnknownLine(line))?;
    if known.done.is_some() == done {
        return Ok(Vec::new());
    }
    let mut changes = vec![OrderFact::LineDone { line, epoch: action.epoch, done }.of(action.order)];
    let queued = view.tickets.get(&action.ticket).is_some_and(|ticket| ticket.phase == TicketPhase::Queued);
    if done && queued && view.cancelled.is_none() {
        let started = TicketPhase::Started;
        let fact = OrderFact::Phase { ticket: action.ticket.clone(), epoch: action.epoch, phase: started };
        changes.push(fact.of(action.order));
    }
    Ok(changes)
}

fn seen_changes(view: &OrderView, action: &KitchenAction, line: LineId) -> Result<Vec<Change>, ActRefusal> {
    let known = view.lines.iter().find(|known| known.line.id == line).ok_or(ActRefusal::UnknownLine(line))?;
    Ok(if known.seen { Vec::new() } else { vec![OrderFact::LineSeen { line }.of(action.order)] })
}

fn recall_changes(view: &OrderView, ticket: &TicketView, action: &KitchenAction) -> Result<Vec<Change>, ActRefusal> {
    if view.cancelled.is_some() {
        return Err(ActRefusal::Cancelled);
    }
    if ticket.phase < TicketPhase::Ready {
        return Err(ActRefusal::NotBumped(ticket.phase));
    }
    let (epoch, kind) = (ticket.epoch + 1, EpochKind::LookAgain);
    Ok(vec![OrderFact::EpochOpened { ticket: action.ticket.clone(), epoch, kind }.of(action.order)])
}

fn remake_changes(
    replica: &Replica,
    view: &OrderView,
    ticket: &TicketView,
    action: &KitchenAction,
) -> Result<Vec<Change>, ActRefusal> {
    if view.cancelled.is_some() {
        return Err(ActRefusal::Cancelled);
    }
    if ticket.phase == TicketPhase::Queued {
        return Err(ActRefusal::NotBumped(ticket.phase));
    }
    let lines: Vec<PricedLine> = view
        .shown_on(&action.ticket, ticket)
        .filter(|line| line.voided.is_none())
        .map(|line| PricedLine::clone(&line.line))
        .collect();
    let (site, origin) = (replica.site(), replica.identity().origin);
    let needed = check(&lines, |ingredient| site.sellable(ingredient, &origin)).map_err(|shortfall| {
        let name = site.menu().ingredients.get(&shortfall.ingredient).map(|ingredient| ingredient.name.clone());
        ActRefusal::SoldOut { ingredient_name: name.unwrap_or_default() }
    })?;
    let (epoch, kind) = (ticket.epoch + 1, EpochKind::CookAgain);
    let mut changes = vec![OrderFact::EpochOpened { ticket: action.ticket.clone(), epoch, kind }.of(action.order)];
    for (ingredient, amount) in needed {
        let row: Row = site.stock(&ingredient).map(|stock| stock.row(&origin)).unwrap_or_default();
        changes.push(Change::Stock(ingredient, Row { used: row.used.saturating_add(amount), ..row }));
    }
    Ok(changes)
}
