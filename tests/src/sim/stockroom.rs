//! The stockroom: deliveries, waste and counts, booked by the site's keeper or passed on to it over the LAN, and what the books must say.
//!
//! The passing on is a direct call of the keeper's plan, over a cable that is there: whoever dials a node passes on to it, and the answer may
//! be lost on the way.

use crate::sim::checks::Finding;
use crate::sim::faults::Fault;
use crate::sim::people::{DELIVERED, ingredient};
use crate::sim::reference::Told;
use crate::sim::world::World;
use pilotlight_node::inventory::OtherKeeper;
use pilotlight_node::inventory::count::{self, CountRefusal};
use pilotlight_node::inventory::receive::{self, ReceiveRefusal};
use pilotlight_node::inventory::waste::{self, Waste, WasteRefusal};
use pilotlight_node::store::replica::Replica;
use pilotlight_node::store::store_handle::{Plan, PlanError, RunError};
use pilotlight_sync::crdt::counter::BoundedCounter;
use pilotlight_sync::doc::change::{Change, Commit};
use pilotlight_sync::doc::site::{Counted, Receipt};
use pilotlight_sync::domain::id::{IngredientId, IntentId, OrderId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What somebody wants booked.
#[derive(Debug, Clone)]
pub(super) enum Booking {
    /// Something came.
    Delivered(Receipt),
    /// So much cannot be sold any more.
    Wasted(IngredientId, u64),
    /// So much is on the shelf.
    Counted(IngredientId, u64),
}

/// What people wanted booked, told to be so or not.
#[derive(Debug, Default)]
pub struct Stockroom {
    asked: Vec<IntentId>,
}

/// Why it is not booked.
#[derive(Debug, Clone)]
enum NotBooked {
    /// Another node keeps the stock.
    Elsewhere(OtherKeeper),
    /// The books have less.
    NotThere,
    /// Anything else must not be.
    Otherwise(String),
}

type Outcome = Result<Option<Counted>, RunError<NotBooked>>;

fn refused<R>(error: PlanError<R>, why: impl FnOnce(R) -> NotBooked) -> PlanError<NotBooked> {
    match error {
        PlanError::Refused(refusal) => PlanError::Refused(why(refusal)),
        PlanError::Damaged(error) => PlanError::Damaged(error),
    }
}

/// The keeper's plan for it.
fn plan(
    replica: &Replica,
    now: Timestamp,
    intent: IntentId,
    booking: Booking,
) -> Result<Plan<Option<Counted>>, PlanError<NotBooked>> {
    let by = Actor::System;
    let done = |plan: Plan<()>| Plan::new(by, plan.changes, |_| None);
    match booking {
        Booking::Delivered(receipt) => receive::plan(replica, now, by, intent, receipt).map(done).map_err(|error| {
            refused(error, |refusal| match refusal {
                ReceiveRefusal::OtherKeeper(other) => NotBooked::Elsewhere(other),
                other @ (ReceiveRefusal::UnknownIngredient(_)
                | ReceiveRefusal::SameIdOtherReceipt { .. }
                | ReceiveRefusal::NoReason
                | ReceiveRefusal::Amount(_)) => NotBooked::Otherwise(other.to_string()),
            })
        }),
        Booking::Wasted(ingredient, amount) => {
            let waste = Waste { intent, ingredient, amount, why: "burnt".to_owned() };
            waste::plan(replica, by, waste).map(done).map_err(|error| {
                refused(error, |refusal| match refusal {
                    WasteRefusal::OtherKeeper(other) => NotBooked::Elsewhere(other),
                    WasteRefusal::Amount { .. } => NotBooked::NotThere,
                    other @ (WasteRefusal::UnknownIngredient(_)
                    | WasteRefusal::SameIdOther { .. }
                    | WasteRefusal::NoReason) => NotBooked::Otherwise(other.to_string()),
                })
            })
        }
        Booking::Counted(ingredient, shelf) => {
            let counted = count::plan(replica, now, by, intent, (ingredient, shelf)).map_err(|error| {
                refused(error, |refusal| match refusal {
                    CountRefusal::OtherKeeper(other) => NotBooked::Elsewhere(other),
                    other @ (CountRefusal::UnknownIngredient(_)
                    | CountRefusal::SameIdOther { .. }
                    | CountRefusal::Amount(_)) => NotBooked::Otherwise(other.to_string()),
                })
            })?;
            let answer = counted.answer;
            Ok(Plan::new(by, counted.changes, move |replica| Some(answer(replica))))
        }
    }
}

impl World {
    /// Somebody who looks after the shelf comes.
    pub(super) fn stockroom_begins(&mut self) {
        let delay = self.between(30_000, 60_000);
        self.after(delay, Self::storekeeper);
    }

    /// Something is burnt, or somebody counts: at whichever node they stand before.
    fn storekeeper(&mut self) {
        if self.healed {
            return;
        }
        let delay = self.between(12_000, 45_000);
        self.after(delay, Self::storekeeper);
        let at = self.someones();
        let of = ingredient(DELIVERED[self.rng.below(DELIVERED.len())].0);
        let booking = if self.chance(550) {
            Booking::Wasted(of, self.between(10, 250))
        } else {
            let Some(replica) = &self.boxes[at].replica else { return };
            let books = replica.site().stock(&of).map_or(0, BoundedCounter::stock) + count::held(replica, &of);
            // Often right, sometimes a little off, seldom by much.
            let shelf = match self.rng.below(10) {
                0..5 => books,
                5..7 => books.saturating_sub(self.between(1, 60)),
                7..9 => books + self.between(1, 40),
                _ => books / 2,
            };
            Booking::Counted(of, shelf)
        };
        let intent = self.wanted_in_the_books("booking");
        self.book(at, intent, booking.clone(), 0);
        if self.chance(120) {
            self.book(at, intent, booking, 0);
        }
    }

    /// A name for something that is to be booked.
    pub(super) fn wanted_in_the_books(&mut self, kind: &str) -> IntentId {
        let intent = IntentId::derived(&[kind, &self.plan.seed.to_string(), &self.stockroom.asked.len().to_string()]);
        self.stockroom.asked.push(intent);
        intent
    }

    /// Books it at this place; sent again under the same name while nobody has heard an answer.
    pub(super) fn book(&mut self, at: usize, intent: IntentId, booking: Booking, tries: u32) {
        let at = self.beside(at);
        let planned = booking.clone();
        self.ask(
            at,
            move |replica, now| plan(replica, now, intent, planned),
            move |world, here, outcome| match outcome {
                Err(RunError::Refused(NotBooked::Elsewhere(other))) => {
                    world.pass_on(at, &other, intent, booking, tries);
                }
                outcome => world.booked(at, here, (intent, booking), tries, outcome),
            },
        );
    }

    /// Passes it on to the keeper, when this node dials that one and the cable is there.
    fn pass_on(&mut self, at: usize, other: &OtherKeeper, intent: IntentId, booking: Booking, tries: u32) {
        let is_keeper = |to: &usize| other.keeper.is_some_and(|keeper| self.boxes[*to].is_called(&keeper));
        let to = (0..self.boxes.len()).filter(is_keeper).find(|to| self.is_dialled(at, *to));
        let Some(to) = to else { return self.trace.rare("refused: another node keeps the stock") };
        self.trace.rare("passed on to the keeper");
        let lost = self.plays(Fault::Wifi) && self.chance(100);
        let planned = booking.clone();
        self.ask(
            to,
            move |replica, now| plan(replica, now, intent, planned),
            move |world, there, outcome| {
                let outcome = match outcome {
                    _ if lost => {
                        world.trace.rare("the keeper's answer was lost");
                        Err(RunError::Unknown)
                    }
                    // What was passed on is not passed on again.
                    Err(RunError::Refused(NotBooked::Elsewhere(_))) => {
                        return world.trace.rare("two nodes name two keepers");
                    }
                    outcome => outcome,
                };
                world.booked(at, there, (intent, booking), tries, outcome);
            },
        );
    }

    /// Somebody at `at` hears what became of it at `there`.
    fn booked(&mut self, at: usize, there: usize, what: (IntentId, Booking), tries: u32, outcome: Outcome) {
        let (intent, booking) = what;
        match outcome {
            Ok(counted) if !self.wifi_lost() => {
                self.trace.rare(match (&booking, counted) {
                    (Booking::Delivered(_), _) => "delivery booked",
                    (Booking::Wasted(..), _) => "waste booked",
                    (Booking::Counted(..), Some(counted)) if counted.short > 0 => "count found a shortage",
                    (Booking::Counted(..), _) => "stock counted",
                });
                self.note(format_args!("box {there} booked {booking:?} as {intent}"));
                if let Some(position) = self.boxes[there].replica.as_ref().map(Replica::position) {
                    let log = (position.origin, position.head.seq);
                    self.reference.promise(OrderId::derived(&["booked"]), there, log, Told::Booked { intent });
                }
            }
            Ok(_) | Err(RunError::Unknown | RunError::Closed) if tries < 10 => {
                let delay = self.between(2_000, 10_000);
                self.after(delay, move |world| world.book(at, intent, booking, tries + 1));
            }
            Ok(_) | Err(RunError::Unknown | RunError::Closed) => {}
            Err(RunError::Refused(NotBooked::NotThere)) => self.trace.rare("waste beyond the books refused"),
            Err(RunError::Refused(NotBooked::Otherwise(why))) => {
                self.found(Finding::new("a booking was refused", format!("{booking:?}: {why}")));
            }
            Err(RunError::Refused(NotBooked::Elsewhere(_))) => {}
            Err(error @ (RunError::TooLarge(_) | RunError::Damaged(_))) => {
                self.found(Finding::new("stock cannot be booked", format!("{error:?}")));
            }
        }
    }
}

/// What the receipts say of one ingredient, in its unit.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Written {
    /// Wasted, and missed by counts.
    pub(super) gone: u64,
    /// The same on a branch.
    pub(super) gone_apart: u64,
    /// Booked beyond what came: what counts found beyond the books, and what a keeper that had not heard of it booked again (S12).
    pub(super) beyond: u64,
}

/// What was booked, by ingredient.
pub(super) fn written(world: &World, replica: &Replica) -> BTreeMap<IngredientId, Written> {
    let mut all: BTreeMap<IngredientId, Written> = BTreeMap::new();
    let mut here: BTreeMap<IntentId, u64> = BTreeMap::new();
    for (intent, ..) in in_logs(replica).booked {
        *here.entry(intent).or_default() += 1;
    }
    for intent in &world.stockroom.asked {
        let Some(receipt) = replica.receipt(intent).ok().flatten() else { continue };
        let written = all.entry(receipt.ingredient).or_default();
        let times = here.get(intent).copied().unwrap_or(0);
        let gone = if times > 0 { &mut written.gone } else { &mut written.gone_apart };
        if receipt.wasted.is_some() {
            *gone += receipt.amount;
        } else if let Some(counted) = receipt.counted {
            *gone += counted.books.saturating_sub(counted.shelf);
            written.beyond += counted.shelf.saturating_sub(counted.books);
        } else {
            written.beyond += receipt.amount * times.saturating_sub(1);
        }
    }
    all
}

/// What nodes have taken over of it from others.
pub(super) fn taken_over(replica: &Replica, ingredient: &IngredientId) -> u64 {
    let Some(stock) = replica.site().stock(ingredient) else { return 0 };
    replica.site().origins().map(|card| stock.adopted_by(&card.origin)).sum()
}

/// Which of all that was wanted is in the books.
pub(super) fn booked(world: &World, replica: &Replica) -> BTreeSet<IntentId> {
    let there = |intent: &&IntentId| matches!(replica.receipt(intent), Ok(Some(_)));
    world.stockroom.asked.iter().filter(there).copied().collect()
}

/// What was ever known to miss of it, whether it was made good since or not.
pub(super) fn ever_short(replica: &Replica, ingredient: &IngredientId) -> u64 {
    let Some(stock) = replica.site().stock(ingredient) else { return 0 };
    let covered: u64 = replica.site().origins().map(|card| stock.short(&card.origin).covered).sum();
    stock.shortage() + covered
}

/// A commit, and how much of each other log its writer had heard of.
struct InLog {
    origin: OriginId,
    seq: u64,
    heard: BTreeMap<OriginId, u64>,
}

impl InLog {
    fn has_heard_of(&self, other: &Self) -> bool {
        let before = self.origin == other.origin && self.seq >= other.seq;
        before || self.heard.get(&other.origin).is_some_and(|seq| *seq >= other.seq)
    }
}

/// What is in all logs: what was told of a branch is in none.
#[derive(Default)]
struct Logged {
    /// What was booked, and in which commit.
    booked: Vec<(IntentId, Receipt, InLog)>,
    /// Which node was named the keeper, as how many-th.
    named: Vec<(OriginId, u64, InLog)>,
}

impl Logged {
    /// Whether this commit's writer keeps the stock, as far as it had heard who was named.
    fn keeps(&self, at: &InLog) -> bool {
        let heard = || self.named.iter().filter(|(_, _, naming)| at.has_heard_of(naming));
        let last = heard().map(|(_, version, _)| *version).max();
        heard().filter(|(_, version, _)| Some(*version) == last).any(|(keeper, ..)| *keeper == at.origin)
            || last.is_none()
    }
}

fn in_logs(replica: &Replica) -> Logged {
    let mut all = Logged::default();
    for origin in replica.state().heads().keys() {
        let mut heard = BTreeMap::new();
        for entry in replica.log(origin, 1, usize::MAX).unwrap_or_default() {
            let Ok(commit) = Commit::from_bytes(&entry.bytes) else { continue };
            heard.extend(commit.seen.iter().map(|seen| (seen.origin, seen.seq)));
            for raw in &commit.changes {
                let here = || InLog { origin: *origin, seq: entry.head.seq, heard: heard.clone() };
                match Change::from_raw(raw) {
                    Ok(Change::Receipt(intent, receipt)) => all.booked.push((intent, receipt, here())),
                    Ok(Change::Keeper(write)) => {
                        all.named.extend(write.value.map(|keeper| (keeper, write.version, here())));
                    }
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }
    all
}

/// Nothing is booked twice: one commit of all logs has it (SPEC O6, S13). A store that began anew may not have heard what it had booked under
/// its former name when somebody says it again, and one that was named the keeper what the former one had; a count puts that right (S12).
pub(super) fn once(world: &World, replica: &Replica) -> Option<(&'static str, String)> {
    let mut seen: BTreeMap<IntentId, Vec<InLog>> = BTreeMap::new();
    let mut logged = in_logs(replica);
    for (intent, receipt, one) in std::mem::take(&mut logged.booked) {
        let before = seen.entry(intent).or_default();
        let began_anew = |other: &InLog| [&one, other].iter().any(|at| replica.site().is_fenced(&at.origin));
        let both_keep = |other: &InLog| !logged.named.is_empty() && logged.keeps(&one) && logged.keeps(other);
        let knew = |other: &InLog| one.has_heard_of(other) || other.has_heard_of(&one);
        if let Some(other) = before.iter().find(|other| knew(other) || !began_anew(other) && !both_keep(other)) {
            let (here, there) = ((one.seq, one.origin), (other.seq, other.origin));
            return Some(("booked twice", format!("{receipt:?} in commits {here:?} and {there:?}")));
        }
        before.push(one);
    }
    let known = |intent: &&IntentId| seen.contains_key(intent);
    let lost =
        world.stockroom.asked.iter().filter(known).find(|intent| !matches!(replica.receipt(intent), Ok(Some(_))));
    lost.map(|intent| ("receipt lost", format!("{intent} is in a log and not in the books")))
}
