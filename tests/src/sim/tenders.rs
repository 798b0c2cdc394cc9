//! Money for orders in the restaurant: given at the node where the guest stands, which asks the order's owner when that is another one
//! (SPEC Q5), and booked in the drawer that it lies in (D6).
//!
//! A payment stays at one place, because its cash does: what was not answered is said again there.

use crate::sim::checks::Finding;
use crate::sim::people::log_of;
use crate::sim::reference::Told;
use crate::sim::world::World;
use pilotlight_node::answering as node;
use pilotlight_node::orders::asked;
use pilotlight_node::store::replica::{LiveOrder, Replica};
use pilotlight_node::store::store_handle::{Plan, PlanError, RunError};
use pilotlight_node::till::tender::{self, Tender, TenderRefusal};
use pilotlight_sync::doc::change::{Change, Commit};
use pilotlight_sync::doc::order::{OrderFact, StampedOrderFact};
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::origin::OriginCard;
use pilotlight_sync::doc::till::TillFact;
use pilotlight_sync::domain::asked::{AskState, AskView, Asked};
use pilotlight_sync::domain::id::{IntentId, OrderId, OriginId, PaymentId, ShiftId};
use pilotlight_sync::domain::payment::PaymentPhase;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;

/// How often somebody says the same payment again.
const TRIES_MAX: u32 = 20;
/// Looks of somebody who waits for an owner's answer: for longer than a node leaves a request open.
const LOOKS_MAX: u32 = 240;

/// Money that people have given.
#[derive(Debug, Default)]
pub struct Tenders {
    given: BTreeMap<PaymentId, Tender>,
    /// Taps that nobody has answered yet.
    waiting: u32,
}

/// What somebody waits for at another node than the order's owner.
#[derive(Debug, Clone, Copy)]
struct Waits {
    wanted: Tender,
    intent: IntentId,
    tries: u32,
    looks: u32,
}

/// Cash that a drawer's log says it has.
#[derive(Debug)]
struct Booked {
    shift: ShiftId,
    writer: OriginId,
    order: OrderId,
    amount_minor: i64,
}

/// What a node does for people who asked, by its name in the trace; `None`: nothing waits.
pub(super) fn answering(
    replica: &Replica,
    now: Timestamp,
) -> Result<Plan<Option<&'static str>>, PlanError<Infallible>> {
    let Plan { by, changes, more, .. } = node::plan(replica, now)?;
    let in_drawer = changes.iter().any(|change| matches!(change, Change::Till(..)));
    let did = changes.iter().find_map(|change| {
        let Change::Order(_, fact) = change else { return None };
        if let OrderFact::Booked { .. } = fact {
            Some(if in_drawer { "drawer booked what another node took" } else { "it was in a drawer already" })
        } else if let OrderFact::Withdrawn { .. } = fact {
            Some("asked and withdrawn")
        } else if let OrderFact::Answered { refused, .. } = fact {
            let name = "asked by another node and answered";
            Some(if refused.is_some() { "asked by another node and refused" } else { name })
        } else {
            None
        }
    });
    Ok(Plan { by, changes, more, answer: Box::new(move |_| did) })
}

impl World {
    /// A guest pays: where the order was taken, or wherever a waiter stands.
    pub(super) fn pay_here(&mut self, at: usize, order: OrderId) {
        let at = if self.has_siblings() && self.chance(350) { self.someones() } else { self.beside(at) };
        let total = self.cost_of(&order);
        let half = self.chance(200);
        let amount_minor = if half { total / 2 } else { total };
        let payment = PaymentId::derived(&[&self.mint("payment")]);
        let wanted = Tender { order, payment, amount_minor };
        self.tenders.given.insert(payment, wanted);
        let taps = if self.has_siblings() && self.chance(80) { 2 } else { 1 };
        for _ in 0..taps {
            self.tenders.waiting += 1;
            self.tender(at, wanted, 0);
        }
    }

    /// Somebody who paid has heard how it went, or waits no longer.
    fn hears(&mut self, what: &'static str) {
        self.trace.rare(what);
        self.tenders.waiting = self.tenders.waiting.saturating_sub(1);
    }

    fn tender(&mut self, at: usize, wanted: Tender, tries: u32) {
        let plan = move |replica: &Replica, _| tender::plan(replica, Actor::System, wanted);
        self.ask(at, plan, move |world, at, outcome| match outcome {
            Ok(_) if world.wifi_lost() => world.tender_again(at, wanted, tries),
            Ok((_, live)) => {
                world.told_paid(at, wanted, &live);
                world.hears("tender taken");
            }
            Err(RunError::Unknown | RunError::Closed) => world.tender_again(at, wanted, tries),
            Err(RunError::Refused(TenderRefusal::OtherNode(_))) => world.ask_to_take(at, wanted, tries),
            // It was taken elsewhere and has not come here yet.
            Err(RunError::Refused(TenderRefusal::UnknownOrder(_))) if world.has_siblings() => {
                world.tender_again(at, wanted, tries);
            }
            Err(RunError::Refused(_)) => world.hears("tender refused"),
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                world.found(Finding::new("a tender cannot be taken", error.to_string()));
            }
        });
    }

    fn tender_again(&mut self, at: usize, wanted: Tender, tries: u32) {
        if tries >= TRIES_MAX {
            return self.hears("tender never answered");
        }
        let delay = self.between(2_000, 8_000);
        self.after(delay, move |world| {
            let at = world.beside(at);
            world.tender(at, wanted, tries + 1);
        });
    }

    /// Another node decides about the order: it is asked, with the drawer that the cash lies in here.
    fn ask_to_take(&mut self, at: usize, wanted: Tender, tries: u32) {
        let shift = |replica: &Replica, _| tender::shift_here(replica, Actor::System, None);
        self.ask(at, shift, move |world, at, outcome| match outcome {
            Ok(shift) => world.ask_to_take_into(at, wanted, shift, tries),
            Err(RunError::Unknown | RunError::Closed) => world.tender_again(at, wanted, tries),
            Err(RunError::Refused(_)) => world.hears("tender refused"),
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                world.found(Finding::new("a drawer cannot be found", error.to_string()));
            }
        });
    }

    fn ask_to_take_into(&mut self, at: usize, wanted: Tender, shift: Option<ShiftId>, tries: u32) {
        let Tender { order, payment, amount_minor } = wanted;
        let what = Asked::Tender { payment, amount_minor, shift };
        let plan = move |replica: &Replica, _| asked::ask(replica, Actor::System, order, what);
        self.ask(at, plan, move |world, at, outcome| match outcome {
            Ok(Some(intent)) => {
                world.note(format_args!("box {at} asks the owner of {order} to take {amount_minor} as {payment}"));
                world.trace.rare("tender asked of the owner");
                if tries > 0 {
                    world.trace.rare("tender asked of the owner again");
                }
                world.wait_for_owner(at, Waits { wanted, intent, tries, looks: 0 });
            }
            Ok(None) | Err(RunError::Unknown | RunError::Closed) => world.tender_again(at, wanted, tries),
            Err(RunError::Refused(_)) => world.hears("owner not asked"),
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                world.found(Finding::new("an owner cannot be asked", error.to_string()));
            }
        });
    }

    fn wait_for_owner(&mut self, at: usize, waits: Waits) {
        let delay = self.between(1_500, 6_000);
        self.after(delay, move |world| world.look_at_answer(at, waits));
    }

    /// The screen shows what the owner has said; or the answer is lost on the way to it, and the payment is said again.
    fn look_at_answer(&mut self, at: usize, waits: Waits) {
        let at = self.beside(at);
        let Waits { wanted, intent, tries, looks } = waits;
        let later = Waits { looks: looks + 1, ..waits };
        let lost = self.wifi_lost();
        let Some(replica) = &self.boxes[at].replica else {
            // The machine comes back, and its screen with it.
            return self.wait_for_owner(at, later);
        };
        let live = replica.order(&wanted.order).ok().flatten();
        let state = live.as_ref().and_then(|live| asked::state(&live.view, &intent).cloned());
        let Some((live, state)) = live.zip(state).filter(|_| !lost) else {
            return self.tender_again(at, wanted, tries);
        };
        match state {
            AskState::Done => {
                self.note(format_args!("box {at}: the owner has taken {}", wanted.payment));
                self.told_paid(at, wanted, &live);
                self.hears("tender answered by its owner");
            }
            AskState::Refused(why) => {
                self.note(format_args!("box {at}: the owner has not taken {}: {why}", wanted.payment));
                self.hears("tender refused by its owner");
            }
            // What was recovered asks nobody, and what was asked of it before stays open.
            AskState::Open if live.view.is_history() => self.hears("tender of a recovered order"),
            AskState::Open if looks < LOOKS_MAX => self.wait_for_owner(at, later),
            AskState::Open => self.hears("tender never answered"),
        }
    }

    /// Somebody hears that the money is taken: that is kept wherever the commit is that took it.
    fn told_paid(&mut self, at: usize, wanted: Tender, live: &LiveOrder) {
        let Some(own) = log_of(self.boxes[at].replica.as_ref()) else { return };
        let branching = self.reference.is_branching();
        if !branching && !live.view.payments.contains_key(&wanted.payment) {
            let what = format!("box {at}: {} for {}", wanted.payment, wanted.order);
            return self.found(Finding::new("answered and not taken", what));
        }
        let log = took(live, &wanted.payment).next().map_or(own, |fact| (fact.id.origin, fact.id.seq));
        // Of two logs under another node's name it may be in the one that does not stay.
        if log.0 != own.0 && branching {
            return;
        }
        let told = Told::Paid { payment: wanted.payment, amount_minor: wanted.amount_minor };
        self.reference.promise(wanted.order, at, log, told);
    }
}

/// The facts that took a payment, the first one first; what was told again of a branch is not among them.
fn took(live: &LiveOrder, payment: &PaymentId) -> impl Iterator<Item = Arc<StampedOrderFact>> {
    let payment = *payment;
    live.doc.in_order().into_iter().filter(move |fact| fact.way.is_none() && takes(fact, &payment))
}

fn takes(fact: &StampedOrderFact, wanted: &PaymentId) -> bool {
    matches!(&fact.what, OrderFact::Payment { payment, phase: PaymentPhase::Captured, .. } if payment == wanted)
}

/// Whether the money that was asked for is the order's.
pub(super) fn is_taken(view: &OrderView, what: &Asked) -> bool {
    let Asked::Tender { payment, .. } = what else { return false };
    view.payments.get(payment).is_some_and(|(phase, _)| *phase == PaymentPhase::Captured)
}

/// Cash that lies at this place, that its order's owner has taken, and that the drawer here has not booked.
pub(super) fn cash_waits(world: &World, at: usize) -> Option<String> {
    let replica = world.boxes[at].replica.as_ref()?;
    let (site, own) = (replica.site(), replica.identity());
    // Of a former name of this machine, unless another one that is not fenced may go on for it.
    let begins = |card: &OriginCard| card.letter.chars().next() == own.letter.chars().next();
    let mut in_service = site.origins().filter(|card| begins(card) && !site.is_fenced(&card.origin));
    let alone = in_service.all(|card| card.origin == own.origin);
    let was_ours = |origin: &OriginId| alone && site.is_fenced(origin) && site.origin(origin).is_some_and(begins);
    let ours = |ask: &&AskView| ask.waits_for_drawer() && (ask.origin == own.origin || was_ours(&ask.origin));
    replica.live_orders().find_map(|(id, order)| {
        let ask = order.view.asked.iter().find(ours)?;
        Some(format!("cash for order {id} waits for a drawer at box {at}: {:?}", ask.what))
    })
}

/// Why people who pay are not at rest; `None`: each has an answer, and what lies in a drawer is in its books.
pub(super) fn unrest(world: &World) -> Option<String> {
    if world.tenders.waiting > 0 {
        return Some(format!("{} payments are not answered", world.tenders.waiting));
    }
    world.mains().into_iter().find_map(|at| cash_waits(world, at))
}

/// When all is quiet: an order has the money that people gave for it, each payment once; what lies in a drawer is taken, and in one.
pub(super) fn settled(world: &mut World) {
    let Some(replica) = &world.boxes[world.main].replica else { return };
    if let Some((name, what)) = wrong_money(world, replica) {
        world.found(Finding::new(name, what));
    }
}

fn wrong_money(world: &World, replica: &Replica) -> Option<(&'static str, String)> {
    let branching = world.reference.is_branching();
    let stored = replica.order_docs_after(None, usize::MAX).unwrap_or_default();
    let orders: BTreeMap<OrderId, LiveOrder> =
        stored.iter().filter_map(|one| Some((one.id, LiveOrder::from_bytes(&one.document).ok()?))).collect();
    for (id, order) in orders.iter().filter(|(_, order)| order.view.header.owner.is_none()) {
        let view = &order.view;
        let given = |payment: &PaymentId| {
            let one = world.tenders.given.get(payment)?;
            (one.order == *id).then_some(one.amount_minor)
        };
        let sum: Option<i64> = view.payments.keys().map(given).sum();
        if sum != Some(view.captured_minor) {
            let what = format!("{id}: {} captured, given were {sum:?}: {:?}", view.captured_minor, view.payments);
            return Some(("captured is not what was given", what));
        }
        if !branching && let Some(what) = lies_nowhere(replica, order) {
            return Some(("cash is in no drawer", format!("{id}: {what}")));
        }
    }
    for (payment, booked) in &in_logs(replica) {
        let writers: BTreeSet<OriginId> = booked.iter().map(|one| one.writer).collect();
        let shifts: BTreeSet<ShiftId> = booked.iter().map(|one| one.shift).collect();
        // Who began anew may not have heard what was booked under the former name.
        let apart = branching || writers.iter().any(|writer| replica.site().is_fenced(writer));
        if writers.len() < booked.len() || shifts.len() > 1 && !apart {
            return Some(("cash booked twice", format!("{payment}: {booked:?}")));
        }
        for one in booked.iter().filter(|_| !branching) {
            let taken = orders.get(&one.order).and_then(|order| order.view.payments.get(payment));
            if taken != Some(&(PaymentPhase::Captured, one.amount_minor)) {
                return Some(("booked in a drawer and not taken", format!("{payment}: {one:?}, {taken:?}")));
            }
        }
    }
    None
}

/// Cash that an owner took for somebody at another node, and that is neither in a drawer's books nor waits for them.
fn lies_nowhere(replica: &Replica, order: &LiveOrder) -> Option<String> {
    let facts = order.doc.in_order();
    order.view.payments.keys().find_map(|payment| {
        let about = |ask: &&AskView| matches!(&ask.what, Asked::Tender { payment: asked, .. } if asked == payment);
        let asks: Vec<&AskView> = order.view.asked.iter().filter(about).collect();
        let done = asks.iter().any(|ask| ask.state == AskState::Done);
        // Where nobody had opened a drawer, or who took it did so for itself, that commit says where it lies.
        let without = asks.iter().any(|ask| matches!(ask.what, Asked::Tender { shift: None, .. }));
        let for_itself =
            facts.iter().any(|fact| takes(fact, payment) && (fact.way.is_some() || !is_answer(fact, &facts)));
        let waits = asks.iter().any(|ask| ask.waits_for_drawer());
        let nowhere = done && !without && !for_itself && !waits && !replica.site().is_in_a_drawer(payment);
        nowhere.then(|| format!("{payment}: {asks:?}"))
    })
}

/// Whether the commit of this fact answers somebody who asked.
fn is_answer(of: &StampedOrderFact, facts: &[Arc<StampedOrderFact>]) -> bool {
    let mut same = facts.iter().filter(|fact| (fact.id.origin, fact.id.seq) == (of.id.origin, of.id.seq));
    same.any(|fact| matches!(fact.what, OrderFact::Answered { refused: None, .. }))
}

/// What drawers have booked, by payment, as their nodes' logs say it and the drawers show it.
fn in_logs(replica: &Replica) -> BTreeMap<PaymentId, Vec<Booked>> {
    let mut all: BTreeMap<PaymentId, Vec<Booked>> = BTreeMap::new();
    for writer in replica.state().heads().keys().copied() {
        for entry in replica.log(&writer, 1, usize::MAX).unwrap_or_default() {
            let Ok(commit) = Commit::from_bytes(&entry.bytes) else { continue };
            for raw in &commit.changes {
                let Ok(Change::Till(shift, fact)) = Change::from_raw(raw) else { continue };
                let TillFact::Taken { order, payment, amount_minor } = fact else { continue };
                if replica.site().shift_view(&shift).is_some_and(|view| view.taken.contains_key(&payment)) {
                    all.entry(payment).or_default().push(Booked { shift, writer, order, amount_minor });
                }
            }
        }
    }
    all
}
