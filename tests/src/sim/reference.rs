//! What people were told: the only witness against the replicas. A promise holds from the moment somebody hears it, whatever happens then;
//! it is excused only when the disk that had it went back, or was one of two under one name, before the relay had it.

use crate::sim::world::SEATS;
use pilotlight_relay::store::amendments::Wanted;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{
    CustomerId, IngredientId, IntentId, LineId, MenuItemId, OrderId, OriginId, PaymentId,
};
use pilotlight_sync::domain::ticket::{TicketKey, TicketPhase};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The order is taken, under this number.
    Placed {
        /// For people, with its day.
        number: Option<(DayNumber, String)>,
        /// What it costs, in minor units.
        total_minor: i64,
    },
    /// The money is in the drawer.
    Paid {
        /// Which.
        payment: PaymentId,
        /// How much.
        amount_minor: i64,
    },
    /// The ticket is that far.
    Ticket {
        /// Which.
        ticket: TicketKey,
        /// In which epoch.
        epoch: u32,
        /// How far.
        phase: TicketPhase,
    },
    /// It will not be made.
    Cancelled,
    /// Guests read this of a dish, unless somebody who saw it has written something else.
    Dish {
        /// Which.
        item: MenuItemId,
        /// What.
        text: String,
    },
    /// A line is on the check, or is not wanted any more.
    Line {
        /// Which.
        line: LineId,
        /// It was added; otherwise voided.
        wanted: bool,
    },
    /// A delivery, waste or a count is in the books.
    Booked {
        /// Under this name.
        intent: IntentId,
    },
}

/// Where a promise must be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// On the disk of the box that gave it, and in the end everywhere.
    Here,
    /// The disk went back; the relay has it, and gives it back.
    AtRelay,
    /// Nowhere: no machine is left that had it.
    Excused,
}

/// Something that a person was told.
#[derive(Debug, Clone)]
pub struct Promise {
    /// About this order.
    pub order: OrderId,
    /// By this box,
    pub at: usize,
    /// under this name,
    pub origin: OriginId,
    /// once its log was durable up to here.
    pub seq: u64,
    /// What.
    pub told: Told,
    /// Where it must be kept.
    pub kept: Kept,
}

/// A promise to a customer at home.
#[derive(Debug, Clone, PartialEq)]
pub struct Online {
    /// Whose.
    pub customer: CustomerId,
    /// What was quoted, in minor units.
    pub total_minor: i64,
    /// It was told to be an order.
    pub placed: bool,
    /// How often it was told to be a new one.
    pub times_new: u32,
    /// The cancellation was taken.
    pub cancel_taken: bool,
    /// What was wanted otherwise, in its order; `None`: of one nobody knows whether it was heard.
    pub wishes: Option<Vec<(IntentId, Wanted)>>,
    /// What a cancellation would give back, each time it was asked for, in minor units.
    pub shown: BTreeSet<i64>,
}

/// Everything that was told.
#[derive(Debug, Default)]
pub struct Reference {
    /// In the restaurant.
    pub promises: Vec<Promise>,
    /// How often each order was told to be a new one.
    pub times_new: BTreeMap<OrderId, u32>,
    /// At home.
    pub online: BTreeMap<OrderId, Online>,
    /// What was put on the shelf, booked or not, in the ingredient's unit.
    pub shelf: BTreeMap<IngredientId, u64>,
    /// Numbers that the relay has seen, and whose they are.
    pub numbers: BTreeMap<(DayNumber, String), OrderId>,
    /// How far each ticket was seen at each replica.
    pub phases: BTreeMap<(&'static str, OrderId, TicketKey), (u32, TicketPhase)>,
    /// Orders that a retired box took alone.
    pub excused_orders: BTreeSet<OrderId>,
    /// Facts may be told out of their order: a clock was far off, or somebody went on from an older state.
    pub out_of_order: bool,
    /// What somebody who saw it has written over, whether the answer was heard or not.
    pub overruled: Arc<Mutex<BTreeSet<(MenuItemId, String)>>>,
    safe: BTreeMap<OriginId, u64>,
    copied: BTreeMap<OriginId, u64>,
    branching: BTreeSet<OriginId>,
}

impl Reference {
    /// Somebody heard it.
    pub fn promise(&mut self, order: OrderId, at: usize, log: (OriginId, u64), told: Told) {
        let (origin, seq) = log;
        self.promises.push(Promise { order, at, origin, seq, told, kept: Kept::Here });
    }

    /// The relay's disk has a log up to here.
    pub fn safe(&mut self, origin: OriginId, seq: u64) {
        let known = self.safe.entry(origin).or_default();
        *known = (*known).max(seq);
    }

    /// Whether a box must have it: it gave it, or is a copy of the one that did.
    #[must_use]
    pub fn concerns(&self, promise: &Promise, at: usize) -> bool {
        promise.at == at || self.copied.get(&promise.origin).is_some_and(|upto| promise.seq <= *upto)
    }

    /// The disk of a box went back to these ends of the logs. `others`: boxes at other places, which have what they had. `branch`: the
    /// logs of which it may go on with another end as if nothing had happened. `forked`: its own, when it does so under its name.
    pub fn went_back(
        &mut self,
        name: &'static str,
        others: &BTreeSet<usize>,
        to: &BTreeMap<OriginId, Head>,
        branch: impl IntoIterator<Item = OriginId>,
        forked: Option<OriginId>,
    ) {
        self.out_of_order = true;
        self.phases.retain(|(replica, _, _), _| *replica != name);
        // What was new before may be new again: nobody may have heard of it.
        self.times_new.clear();
        for promise in &mut self.promises {
            let left = to.get(&promise.origin).map_or(0, |head| head.seq);
            // What somebody elsewhere was told of this log is on its lost end too.
            let elsewhere = others.contains(&promise.at) && forked != Some(promise.origin);
            if promise.seq <= left || promise.kept == Kept::Excused || elsewhere {
                continue;
            }
            let safe = self.safe.get(&promise.origin).is_some_and(|safe| promise.seq <= *safe);
            promise.kept = if safe { Kept::AtRelay } else { Kept::Excused };
        }
        self.branching.extend(branch);
    }

    /// A second box begins with these logs.
    pub fn copied(&mut self, upto: &BTreeMap<OriginId, Head>) {
        self.out_of_order = true;
        self.copied = upto.iter().map(|(origin, head)| (*origin, head.seq)).collect();
    }

    /// A box at this place is out of service: what it told after the copy was made is at the relay, or went with it when it was stolen.
    pub fn box_has_gone(&mut self, name: &'static str, at: usize, stolen: bool) {
        self.phases.retain(|(replica, _, _), _| *replica != name);
        // What was new before may be new again: nobody may have heard of it.
        self.times_new.clear();
        for promise in &mut self.promises {
            let shared = self.copied.get(&promise.origin).copied().unwrap_or(0);
            if promise.at == at && promise.seq > shared && promise.kept == Kept::Here {
                promise.kept = if stolen { Kept::Excused } else { Kept::AtRelay };
                self.excused_orders.insert(promise.order);
            }
        }
    }

    /// Whether two logs under one name may be about: one such trouble a run is enough, a second could not be told from it.
    #[must_use]
    pub fn is_branching(&self) -> bool {
        !self.copied.is_empty() || !self.branching.is_empty()
    }

    /// Promises that no machine can keep any more.
    #[must_use]
    pub fn excused(&self) -> usize {
        self.promises.iter().filter(|promise| promise.kept == Kept::Excused).count()
    }
}

impl crate::sim::world::World {
    pub(super) fn went_back(
        &mut self,
        at: usize,
        from: &BTreeMap<OriginId, Head>,
        to: &BTreeMap<OriginId, Head>,
        whole: bool,
    ) {
        let seat = self.boxes[at].seat;
        let others = (0..self.boxes.len()).filter(|other| self.boxes[*other].seat != seat).collect();
        let own = self.boxes[at].disk.look(|kept| kept.identity.as_ref().map(|one| one.origin));
        let branch = from.keys().copied().filter(|_| whole);
        self.reference.went_back(SEATS[seat], &others, to, branch, own.filter(|_| whole));
        if self.reference.excused() > 0 {
            self.trace.rare("promise lost with its only disk");
        }
        if self.reference.promises.iter().any(|promise| promise.kept == Kept::AtRelay) {
            self.trace.rare("promise kept by the relay alone");
        }
    }
}
