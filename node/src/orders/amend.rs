//! Changes an order that is not finished: voids lines and adds lines, in one commit. Nothing vanishes without a void that
//! names who and why (SPEC V1).

use crate::orders::Order;
use crate::orders::place::{PlaceRefusal, check_on_sale, same_line, sold_out};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::merge_log::seen_of;
use pilotlight_sync::doc::order::{AddedLine, OrderDoc, OrderFact};
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::stock_rows::StockRows;
use pilotlight_sync::domain::id::{IntentId, LineId, OrderId};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::pricing::{CartLine, Priced, price};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::ticket::{EpochKind, TicketKey, TicketPhase};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{NOTE_CHARS_MAX, ORDER_LINES_MAX};
use std::collections::BTreeMap;

/// A line to be voided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidLine {
    /// Which.
    pub line: LineId,
    /// Why, in a person's words.
    pub why: String,
}

/// A line to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddLine {
    /// What is wanted.
    pub line: CartLine,
    /// The line it takes the place of, voided in the same amendment.
    pub replaces: Option<LineId>,
}

/// An amendment as a device sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// Which order.
    pub order: OrderId,
    /// Minted by the device.
    pub intent: IntentId,
    /// What is not wanted any more.
    pub void: Vec<VoidLine>,
    /// What is wanted in addition.
    pub add: Vec<AddLine>,
}

/// Where a repeated amendment differs from the one that was made under its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmendmentField {
    /// How many lines are voided.
    VoidCount,
    /// A void, counted from zero.
    Void(usize),
    /// How many lines are added.
    AddCount,
    /// An addition, counted from zero.
    Add(usize),
}

/// Why the order stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmendRefusal {
    /// No such order here.
    #[error("order {0} is not known here")]
    UnknownOrder(OrderId),
    /// This id was used for another amendment of the order.
    #[error("the order was amended in another way under this id")]
    SameIdOther(AmendmentField),
    /// It is finished, or was cancelled.
    #[error("the order is {0:?}")]
    Finished(Status),
    /// Its price is fixed: it was paid at the relay.
    #[error("the order was priced and paid online")]
    PaidOnline,
    /// Nothing to do.
    #[error("the amendment is empty")]
    Empty,
    /// The order has no such line.
    #[error("void {at}: line {line} is not on this order")]
    UnknownLine {
        /// Which void, from zero.
        at: usize,
        /// Which line.
        line: LineId,
    },
    /// The line was voided before.
    #[error("void {at}: line {line} was voided before")]
    AlreadyVoided {
        /// Which void, from zero.
        at: usize,
        /// Which line.
        line: LineId,
    },
    /// A void says why, in so many words.
    #[error("void {at}: say why in 1 to {} characters", NOTE_CHARS_MAX)]
    Why {
        /// Which void, from zero.
        at: usize,
    },
    /// The line to be replaced is not among the voided ones.
    #[error("addition {at}: it replaces a line that this amendment does not void")]
    ReplacesNotVoided {
        /// Which addition, from zero.
        at: usize,
    },
    /// The id is on the order already.
    #[error("addition {at}: its id is on the order already")]
    LineIdTwice {
        /// Which addition, from zero.
        at: usize,
    },
    /// Nothing would be left.
    #[error("no line would be left: cancel the order instead")]
    NothingLeft,
    /// More lines than an order can hold.
    #[error("the order would have {lines} lines; {} is the most", ORDER_LINES_MAX)]
    TooManyLines {
        /// So many.
        lines: usize,
    },
    /// The added lines cannot be sold; lines are counted among the additions.
    #[error(transparent)]
    Place(#[from] PlaceRefusal),
}

/// Plans an amendment.
pub fn plan(
    replica: &Replica,
    now: Timestamp,
    by: Actor,
    amendment: Amendment,
) -> Result<Plan<Order>, PlanError<AmendRefusal>> {
    let refuse = PlanError::Refused;
    let id = amendment.order;
    let order = replica.order(&id)?.ok_or(refuse(AmendRefusal::UnknownOrder(id)))?;
    let view = &order.view;
    if view.intents.contains(&amendment.intent) {
        return match difference(&order.doc, &amendment) {
            Some(field) => Err(refuse(AmendRefusal::SameIdOther(field))),
            None => Ok(Plan::answer_only(by, Order { id, live: order.clone() })),
        };
    }
    check(view, &amendment).map_err(refuse)?;
    let priced = price_added(replica, now, &amendment).map_err(|refusal| refuse(refusal.into()))?;
    let mut stock = StockRows::of(replica.site(), replica.identity().origin);
    let mut changes = Vec::new();
    let seen = seen_of(&order.doc, &replica.identity().origin);
    let returned = voids(view, &amendment, replica, &mut stock, &mut changes);
    if let Some(priced) = priced {
        let short = |shortfall| refuse(sold_out(&shortfall, &priced.lines, replica.site().menu()).into());
        stock.spend(&priced.lines).map_err(short)?;
        additions(view, &amendment, priced, &mut changes);
    }
    changes.push(Change::Order(id, OrderFact::Knew { seen }));
    if !returned.is_empty() {
        changes.push(Change::Order(id, OrderFact::StockReturned { lines: returned }));
    }
    changes.extend(stock.into_changes());
    let answer = move |replica: &Replica| {
        let live = replica.order(&id).ok().flatten().unwrap_or(order);
        Order { id, live }
    };
    Ok(Plan::new(by, changes, answer))
}

/// The first place in which a repeated amendment differs from what was made of its id (SPEC O6).
fn difference(doc: &OrderDoc, amendment: &Amendment) -> Option<AmendmentField> {
    let facts = doc.in_order();
    let (mut voided, mut added) = (Vec::new(), Vec::new());
    for fact in &facts {
        if let OrderFact::LineVoided { intent, line, why, .. } = &fact.what
            && *intent == amendment.intent
        {
            voided.push((line, why));
        } else if let OrderFact::LinesAdded { intent, lines, .. } = &fact.what
            && *intent == amendment.intent
        {
            added.extend(lines);
        }
    }
    if voided.len() != amendment.void.len() {
        return Some(AmendmentField::VoidCount);
    }
    let differs =
        |(void, (line, why)): (&VoidLine, &(&LineId, &String))| void.line != **line || void.why.trim() != **why;
    if let Some(at) = amendment.void.iter().zip(&voided).position(differs) {
        return Some(AmendmentField::Void(at));
    }
    if added.len() != amendment.add.len() {
        return Some(AmendmentField::AddCount);
    }
    let differs =
        |(add, known): (&AddLine, &&AddedLine)| add.replaces != known.replaces || !same_line(&add.line, &known.line);
    amendment.add.iter().zip(&added).position(differs).map(AmendmentField::Add)
}

fn check(view: &OrderView, amendment: &Amendment) -> Result<(), AmendRefusal> {
    match view.status {
        Status::OrderPlaced | Status::OrderConfirmed | Status::Preparing | Status::ReadyForPickup => {}
        Status::PickedUp
        | Status::OutForDelivery
        | Status::Completed
        | Status::DeliveryFailed
        | Status::Cancelled
        | Status::Refunded => return Err(AmendRefusal::Finished(view.status)),
    }
    if view.header.owner.is_some() {
        return Err(AmendRefusal::PaidOnline);
    }
    if amendment.void.is_empty() && amendment.add.is_empty() {
        return Err(AmendRefusal::Empty);
    }
    for (at, void) in amendment.void.iter().enumerate() {
        let line = view.lines.iter().find(|line| line.line.id == void.line);
        let line = line.ok_or(AmendRefusal::UnknownLine { at, line: void.line })?;
        let twice = amendment.void[..at].iter().any(|earlier| earlier.line == void.line);
        if line.voided.is_some() || twice {
            return Err(AmendRefusal::AlreadyVoided { at, line: void.line });
        }
        if void.why.trim().is_empty() || void.why.chars().count() > NOTE_CHARS_MAX {
            return Err(AmendRefusal::Why { at });
        }
    }
    for (at, add) in amendment.add.iter().enumerate() {
        if add.replaces.is_some_and(|line| !amendment.void.iter().any(|void| void.line == line)) {
            return Err(AmendRefusal::ReplacesNotVoided { at });
        }
        if view.lines.iter().any(|line| line.line.id == add.line.id) {
            return Err(AmendRefusal::LineIdTwice { at });
        }
    }
    let lines = view.lines.len() + amendment.add.len();
    if lines > ORDER_LINES_MAX {
        return Err(AmendRefusal::TooManyLines { lines });
    }
    if amendment.add.is_empty() && view.wanted().count() == amendment.void.len() {
        return Err(AmendRefusal::NothingLeft);
    }
    Ok(())
}

fn price_added(replica: &Replica, now: Timestamp, amendment: &Amendment) -> Result<Option<Priced>, PlaceRefusal> {
    if amendment.add.is_empty() {
        return Ok(None);
    }
    let cart: Vec<CartLine> = amendment.add.iter().map(|add| add.line.clone()).collect();
    let priced = price(&cart, replica.site().menu())?;
    check_on_sale(replica, now, &priced)?;
    Ok(Some(priced))
}

/// The void facts; what was not begun goes back to the row that paid it, and is named in the answer.
fn voids(
    view: &OrderView,
    amendment: &Amendment,
    replica: &Replica,
    stock: &mut StockRows<'_>,
    changes: &mut Vec<Change>,
) -> Vec<LineId> {
    let mut returned = Vec::new();
    for void in &amendment.void {
        let why = void.why.trim().to_owned();
        let fact = OrderFact::LineVoided { intent: amendment.intent, line: void.line, why };
        changes.push(Change::Order(amendment.order, fact));
        let line = view.lines.iter().find(|line| line.line.id == void.line);
        let own = replica.identity().origin;
        if let Some(line) = line.filter(|line| line.payer == own && !line.stock_returned && view.not_begun(line)) {
            stock.take_back(&line.line);
            returned.push(void.line);
        }
    }
    returned
}

/// The added lines, each on a ticket that will still be cooked: where the station is done, a new epoch is opened (SPEC K2).
fn additions(view: &OrderView, amendment: &Amendment, priced: Priced, changes: &mut Vec<Change>) {
    let mut epochs: BTreeMap<TicketKey, u32> = BTreeMap::new();
    let mut lines = Vec::with_capacity(priced.lines.len());
    let mut opened = Vec::new();
    for (line, add) in priced.lines.into_iter().zip(&amendment.add) {
        let key = TicketKey { station: line.station.clone(), course: 0 };
        let epoch = *epochs.entry(key.clone()).or_insert_with(|| match view.tickets.get(&key) {
            None => 0,
            Some(ticket) if ticket.phase < TicketPhase::Ready => ticket.epoch,
            Some(ticket) => {
                let epoch = ticket.epoch + 1;
                let fact = OrderFact::EpochOpened { ticket: key, epoch, kind: EpochKind::More };
                opened.push(Change::Order(amendment.order, fact));
                epoch
            }
        });
        lines.push(AddedLine { line: line.into(), replaces: add.replaces, epoch });
    }
    // First what is to be cooked: an epoch without a line would be no work, and the word would say so for a moment.
    changes.push(Change::Order(amendment.order, OrderFact::LinesAdded { intent: amendment.intent, lines }));
    changes.extend(opened);
}
