//! Orders of the relay: accepted, sent to the kitchen once they are confirmed, and answered when the customer wants to cancel (SPEC Q1).
//!
//! Nothing here waits for a network: a plan looks at the orders that this node owns and does what each waits for. Orders that were
//! held during an outage come at the kitchen's pace, the one that was placed first before the others. While the restaurant is paused
//! nothing is accepted by itself: what the relay placed before it had heard of the pause waits for a person, or runs out (SPEC PB4).

use crate::orders::asked;
use crate::orders::numbers::Numbers;
use crate::orders::ownership::{Hand, hand};
use crate::orders::requests;
use crate::orders::returns;
use crate::orders::{Order, reason};
use crate::store::StoreError;
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::{OrderDoc, OrderFact};
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::forecast::{SIDE_BY_SIDE, Work, ready_in_s, told_minutes};
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::CommercialPhase;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::routing::route;
use pilotlight_sync::domain::ticket::TicketPhase;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::NOTE_CHARS_MAX;
use std::convert::Infallible;

/// An order that comes so long after it was placed was held: it keeps the pace.
const HELD_AFTER_MS: u64 = 60_000;
/// Held orders are sent to the kitchen no faster than this.
const HELD_EVERY_MS: u64 = 20_000;
/// What waits because the kitchen has too much to do is looked at again after so long.
const LOOK_AGAIN_MS: u64 = 15_000;
/// Orders that one pass does something for; the next pass takes the rest.
const PASS_ORDERS_MAX: usize = 64;

/// What a pass has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tended {
    /// When a held order was last sent to the kitchen.
    pub last_held: Option<Timestamp>,
    /// When there is more to do although nothing happens until then.
    pub again_at: Option<Timestamp>,
}

/// What an order of the relay waits for from its owner node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Acceptance,
    Kitchen,
    Verdict,
}

fn wanted(view: &OrderView) -> Option<Wanted> {
    if view.waits_for_verdict() {
        return Some(Wanted::Verdict);
    }
    if view.cancelled.is_some() {
        return None;
    }
    match view.commercial {
        None | Some(CommercialPhase::Placed) => (!view.accepted).then_some(Wanted::Acceptance),
        Some(CommercialPhase::Confirmed) => (!view.sent).then_some(Wanted::Kitchen),
        Some(CommercialPhase::CancelRequested) => view.verdict.is_none().then_some(Wanted::Verdict),
        Some(CommercialPhase::CancelledEarly | CommercialPhase::Resolved) => None,
    }
}

/// Whether a flushed order may have work for `plan` at the node with this origin: cheap, for deciding whether to look.
pub fn may_wait(view: &OrderView, own: &OriginId) -> bool {
    let asked = wanted(view).is_some() || requests::may_ask(view);
    view.header.owner.is_some() && asked || returns::may_return(view, own) || asked::may_wait(view)
}

/// Plans everything that orders of this node wait for now, and what its row of stock gets back. `last_held` is what the last pass answered.
pub fn plan(
    replica: &Replica,
    now: Timestamp,
    last_held: Option<Timestamp>,
) -> Result<Plan<Tended>, PlanError<Infallible>> {
    let mut waiting: Vec<(Timestamp, OrderId, &OrderView, Wanted)> = replica
        .live_orders()
        .filter(|(_, order)| order.view.header.owner.is_some())
        .filter_map(|(id, order)| Some((order.view.header.placed_at, *id, &order.view, wanted(&order.view)?)))
        .filter(|(_, id, view, _)| !matches!(hand(replica, id, view), Hand::Others(_)))
        .collect();
    let mut tended = Tended { last_held, again_at: None };
    if let Some(until) = replica.site().intake().paused_until(now) {
        let before = waiting.len();
        waiting.retain(|(.., wanted)| *wanted != Wanted::Acceptance);
        tended.again_at = (waiting.len() < before).then_some(until);
    }
    // What waits for its time keeps nobody else waiting.
    waiting.retain(|(placed_at, _, view, wanted)| {
        let due = match wanted {
            Wanted::Kitchen => kitchen_from(replica, view, *placed_at, now, last_held),
            Wanted::Acceptance | Wanted::Verdict => None,
        };
        tended.again_at = [tended.again_at, due].into_iter().flatten().min();
        due.is_none()
    });
    waiting.sort_by_key(|(placed_at, id, ..)| (*placed_at, *id));
    let soon = leave_the_late(&mut waiting, replica, now);
    tended.again_at = [tended.again_at, soon].into_iter().flatten().min();
    if waiting.len() > PASS_ORDERS_MAX {
        waiting.truncate(PASS_ORDERS_MAX);
        tended.again_at = Some(now);
    }
    let mut numbers = None;
    let mut commits: Vec<Vec<Change>> = returns::commits(replica);
    commits.extend(requests::answers(replica, now));
    for (placed_at, id, view, wanted) in waiting {
        let inherited = match hand(replica, &id, view) {
            Hand::Inherited(change) => Some(*change),
            Hand::Ours | Hand::Others(_) => None,
        };
        match wanted {
            Wanted::Acceptance => {
                let decided = Change::Order(id, decision(replica, now, view));
                commits.push(inherited.into_iter().chain([decided]).collect());
            }
            Wanted::Verdict => {
                let granted = view.wanted().all(|line| view.not_begun(line));
                let decided = Change::Order(id, OrderFact::Verdict { granted });
                commits.push(inherited.into_iter().chain([decided]).collect());
            }
            Wanted::Kitchen => {
                if let Some(due) = kitchen_from(replica, view, placed_at, now, tended.last_held) {
                    tended.again_at = Some(tended.again_at.map_or(due, |at| at.min(due)));
                    continue;
                }
                if now.ms_since(placed_at) > HELD_AFTER_MS {
                    tended.last_held = Some(now);
                }
                let numbers = match &mut numbers {
                    Some(numbers) => numbers,
                    None => numbers.insert(Numbers::of(replica, now).ok_or_else(not_set_up)?),
                };
                let opening = numbers.opening();
                let sent = Change::Order(id, numbers.next());
                commits.push(opening.into_iter().chain(inherited).chain([sent]).collect());
            }
        }
    }
    let mut commits = commits.into_iter();
    let first = commits.next().unwrap_or_default();
    let plan = Plan::new(Actor::System, first, move |_| tended);
    Ok(Plan { more: commits.collect(), ..plan })
}

/// When an order may go to the kitchen, if not now: it was put off, or it keeps the pace.
fn kitchen_from(
    replica: &Replica,
    view: &OrderView,
    placed_at: Timestamp,
    now: Timestamp,
    last_held: Option<Timestamp>,
) -> Option<Timestamp> {
    requests::begins_at(replica, view, now).or_else(|| not_before(placed_at, now, last_held))
}

/// Takes out what would be late: a person says, or the kitchen has less to do by the time that this answers (SPEC Q7). What cannot be made
/// at all waits for nobody.
fn leave_the_late(
    waiting: &mut Vec<(Timestamp, OrderId, &OrderView, Wanted)>,
    replica: &Replica,
    now: Timestamp,
) -> Option<Timestamp> {
    if waiting.iter().all(|(.., wanted)| *wanted != Wanted::Acceptance) {
        return None;
    }
    let (before, mut queue) = (waiting.len(), Queue::of(replica, now));
    waiting.retain(|(_, _, view, wanted)| {
        *wanted != Wanted::Acceptance || off_sale(replica, now, view).is_some() || queue.takes(replica, view, now)
    });
    (waiting.len() < before).then(|| now.plus_ms(LOOK_AGAIN_MS))
}

/// When a held order may go to the kitchen, if not now.
fn not_before(placed_at: Timestamp, now: Timestamp, last_held: Option<Timestamp>) -> Option<Timestamp> {
    let due = last_held?.plus_ms(HELD_EVERY_MS);
    (now.ms_since(placed_at) > HELD_AFTER_MS && due > now).then_some(due)
}

/// Accepts, unless staff have taken a dish off sale since: the relay's stock is the relay's own, so it is there.
fn decision(replica: &Replica, now: Timestamp, view: &OrderView) -> OrderFact {
    match off_sale(replica, now, view) {
        None => OrderFact::Accepted,
        Some(dish) => OrderFact::Rejected { why: format!("{dish} is off sale") },
    }
}

/// The first dish of an order that is off sale.
fn off_sale<'v>(replica: &Replica, now: Timestamp, view: &'v OrderView) -> Option<&'v str> {
    let off = view.wanted().find(|line| replica.site().off_sale(&line.line.item, now).is_some());
    off.map(|line| line.line.name.as_str())
}

/// Why an order from home waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// The restaurant is paused.
    Paused,
    /// The kitchen has so much to do that it would be late, by so many minutes.
    Late(u64),
}

/// Orders of the relay that wait for a person, at whichever node, and why. The one placed first is first.
pub fn waiting(replica: &Replica, now: Timestamp) -> Vec<(OrderId, &OrderView, Waits)> {
    let paused = replica.site().intake().paused_until(now).is_some();
    let mut waiting: Vec<(OrderId, &OrderView)> = replica
        .live_orders()
        .filter(|(_, order)| order.view.header.owner.is_some())
        .filter(|(_, order)| wanted(&order.view) == Some(Wanted::Acceptance))
        .map(|(id, order)| (*id, &order.view))
        .collect();
    waiting.sort_by_key(|(id, view)| (view.header.placed_at, *id));
    if paused || waiting.is_empty() {
        return waiting.into_iter().map(|(id, view)| (id, view, Waits::Paused)).collect();
    }
    let (mut queue, mut waits) = (Queue::of(replica, now), Vec::new());
    for (id, view) in waiting {
        match queue.late_by_minutes(replica, view, now) {
            Some(minutes) => waits.push((id, view, Waits::Late(minutes))),
            None => queue.open.extend(needs(view)),
        }
    }
    waits
}

/// What the kitchen has to do, in the order in which it was sent there (SPEC Q7).
#[derive(Debug)]
struct Queue {
    open: Vec<Work>,
    side_by_side: u32,
}

impl Queue {
    fn of(replica: &Replica, now: Timestamp) -> Self {
        let side_by_side = replica.site().settings().and_then(|settings| settings.side_by_side).unwrap_or(SIDE_BY_SIDE);
        let mut open: Vec<(Timestamp, Work)> = Vec::new();
        for (_, order) in replica.live_orders() {
            let view = &order.view;
            if view.on_board() && view.cancelled.is_none() {
                let tickets = view.tickets.iter().filter(|(_, ticket)| ticket.phase < TicketPhase::Ready);
                open.extend(tickets.map(|(key, ticket)| {
                    let made_s = ticket.started_at.map_or(0, |at| now.ms_since(at) / 1_000);
                    let made_s = u32::try_from(made_s).unwrap_or(u32::MAX);
                    let left_s = view.estimate_s(key, ticket).saturating_sub(made_s);
                    (ticket.queued_at, Work { station: key.station.clone(), left_s })
                }));
            } else if view.accepted && !view.sent && view.cancelled.is_none() && view.ready_not_before.is_none() {
                // It comes as soon as it is confirmed.
                open.extend(needs(view).into_iter().map(|work| (now, work)));
            }
        }
        open.sort_by_key(|(at, _)| *at);
        Self { open: open.into_iter().map(|(_, work)| work).collect(), side_by_side }
    }

    /// By how many minutes an order would miss what its guest was told, if it would; what was held is as if it was told so now. One that its
    /// guest has put off comes when there is less to do, or more.
    fn late_by_minutes(&self, replica: &Replica, view: &OrderView, now: Timestamp) -> Option<u64> {
        if self.side_by_side == 0 || view.ready_not_before.is_some() {
            return None;
        }
        let needs = needs(view);
        let making_s = needs.iter().map(|work| work.left_s).max().unwrap_or(0);
        let (_, told) = told_minutes(making_s, replica.site().intake().busy_minutes(now));
        let late_s = ready_in_s(&self.open, &needs, self.side_by_side).saturating_sub(u64::from(told) * 60);
        (late_s > 0).then(|| late_s.div_ceil(60))
    }

    /// Whether one more would be in time; then it is to be made.
    fn takes(&mut self, replica: &Replica, view: &OrderView, now: Timestamp) -> bool {
        let in_time = self.late_by_minutes(replica, view, now).is_none();
        if in_time {
            self.open.extend(needs(view));
        }
        in_time
    }
}

/// An order's tickets, as they would be sent.
fn needs(view: &OrderView) -> Vec<Work> {
    let shares = route(view.wanted().map(|line| &*line.line));
    shares.into_iter().map(|(key, share)| Work { station: key.station, left_s: share.estimate_s }).collect()
}

/// Why a person's word about an order of the relay is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecideRefusal {
    /// No such order here.
    #[error("order {0} is not known here")]
    UnknownOrder(OrderId),
    /// It was decided, or is none of the relay's.
    #[error("nobody waits for a word: the order is {0:?}")]
    Decided(Status),
    /// Another node decides about it.
    #[error("node {0} decides about this order")]
    OtherNode(String),
    /// Who says no says why.
    #[error("say why in 1 to {} characters", NOTE_CHARS_MAX)]
    Why,
}

/// Plans a person's word about an order of the relay that is not accepted yet: made, or not and why. Saying it again changes nothing.
pub fn decide(
    replica: &Replica,
    by: Actor,
    id: OrderId,
    rejected: Option<String>,
) -> Result<Plan<Order>, PlanError<DecideRefusal>> {
    let refuse = PlanError::Refused;
    let order = replica.order(&id)?.ok_or(refuse(DecideRefusal::UnknownOrder(id)))?;
    let view = &order.view;
    let rejected = rejected.map(|why| why.trim().to_owned());
    if view.header.owner.is_none() || wanted(view) != Some(Wanted::Acceptance) {
        // While a word is waited for none counts that was said: a former owner may have said one (SPEC Q4).
        if said_before(&order.doc, rejected.as_deref()) {
            return Ok(Plan::answer_only(by, Order { id, live: order.clone() }));
        }
        return Err(refuse(DecideRefusal::Decided(view.status)));
    }
    let decided = match rejected {
        None => OrderFact::Accepted,
        Some(why) => OrderFact::Rejected { why: reason(&why).ok_or(refuse(DecideRefusal::Why))? },
    };
    let inherited = match hand(replica, &id, view) {
        Hand::Ours => None,
        Hand::Inherited(change) => Some(*change),
        Hand::Others(letter) => return Err(refuse(DecideRefusal::OtherNode(letter))),
    };
    let changes = inherited.into_iter().chain([Change::Order(id, decided)]).collect();
    Ok(Plan::new(by, changes, Order::after(id, order)))
}

/// Whether this was said of it before: whoever did not hear the answer says it again (SPEC Q6).
fn said_before(doc: &OrderDoc, rejected: Option<&str>) -> bool {
    doc.in_order().iter().any(|fact| match (&fact.what, rejected) {
        (OrderFact::Accepted, None) => true,
        (OrderFact::Rejected { why }, Some(said)) => why == said,
        _ => false,
    })
}

fn not_set_up() -> PlanError<Infallible> {
    PlanError::Damaged(StoreError::Damaged { tree: "docs-1", why: "the site has no time zone".to_owned() })
}

#[cfg(test)]
pub(crate) mod tests;
