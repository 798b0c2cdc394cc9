//! What must always hold, each by name. Those of one order or one row are looked at whenever it changes, on both replicas; those of
//! the whole when the world is quiet.

use crate::sim::reference::{Kept, Promise, Told};
use crate::sim::relay;
use crate::sim::stockroom;
use crate::sim::tenders;
use crate::sim::till;
use crate::sim::world::World;
use pilotlight_node::store::replica::{LiveOrder, Replica};
use pilotlight_relay::ordering::work::is_over;
use pilotlight_relay::store::amendments::{self, Wanted};
use pilotlight_relay::store::{cloud_orders, effects};
use pilotlight_sync::crdt::counter::BoundedCounter;
use pilotlight_sync::doc::change::{Change, Commit};
use pilotlight_sync::doc::digest::Digesting;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::{LineView, OrderView};
use pilotlight_sync::doc::reading::{self, Effect};
use pilotlight_sync::doc::site::{Site, Touched};
use pilotlight_sync::domain::amendment::{AmendedField, AmendmentState, AmendmentView};
use pilotlight_sync::domain::id::{IngredientId, IntentId, MenuItemId, OrderId, OriginId};
use pilotlight_sync::domain::item_field::{FieldName, FieldValue};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::{CommercialPhase, DeliveryPhase};
use pilotlight_sync::domain::ticket::{TicketKey, TicketPhase};
use pilotlight_sync::store::LogEntry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::PoisonError;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule, in a few words.
    pub name: &'static str,
    /// How it shows.
    pub what: String,
}

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(name: &'static str, what: String) -> Self {
        Self { name, what }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

/// Where a word may go: the product's state machine, and what a recall or an end may do from anywhere before the end (SPEC T3).
fn may_follow(from: Status, to: Status) -> bool {
    use Status as S;
    match (from, to) {
        (S::OrderPlaced, S::OrderConfirmed | S::Cancelled)
        | (S::OrderConfirmed, S::Preparing | S::ReadyForPickup | S::Cancelled | S::Refunded)
        | (S::Preparing, S::ReadyForPickup | S::Completed | S::Cancelled | S::Refunded)
        | (S::ReadyForPickup, S::Completed | S::PickedUp | S::Preparing | S::Cancelled | S::Refunded)
        | (S::PickedUp, S::OutForDelivery | S::Completed | S::DeliveryFailed | S::Cancelled | S::Refunded)
        | (S::OutForDelivery, S::Completed | S::DeliveryFailed | S::Cancelled | S::Refunded)
        | (S::DeliveryFailed, S::Cancelled | S::Refunded)
        | (S::Completed, S::Refunded | S::Preparing | S::ReadyForPickup)
        | (S::Cancelled, S::Refunded) => true,
        (
            S::OrderPlaced
            | S::OrderConfirmed
            | S::Preparing
            | S::ReadyForPickup
            | S::PickedUp
            | S::OutForDelivery
            | S::DeliveryFailed
            | S::Completed
            | S::Cancelled
            | S::Refunded,
            _,
        ) => false,
    }
}

/// Looks at an order that has changed at a replica.
pub fn order(world: &mut World, replica: &'static str, id: &OrderId, live: &LiveOrder) {
    let view = &live.view;
    let (out_of_order, siblings) = (world.reference.out_of_order, world.has_siblings());
    let branching = world.reference.is_branching();
    if siblings && replica == "relay" && changed_by_two(live) {
        world.trace.rare("two nodes changed one order");
    }
    let mut wrong =
        |name: &'static str, what: String| world.found(Finding::new(name, format!("{replica}: {id}: {what}")));
    let commercial: BTreeSet<CommercialPhase> = live
        .doc
        .in_order()
        .iter()
        .filter_map(|fact| if let OrderFact::Commercial { phase } = &fact.what { Some(*phase) } else { None })
        .collect();
    if commercial.contains(&CommercialPhase::Confirmed) && commercial.contains(&CommercialPhase::CancelledEarly) {
        wrong("cancelled and confirmed", format!("{commercial:?}"));
    }
    let begun = view.sent || !view.tickets.is_empty();
    if view.header.owner.is_some() && begun && !commercial.contains(&CommercialPhase::Confirmed) {
        wrong("cooked without Confirmed", format!("sent with {commercial:?}"));
    }
    let pairs = view.history.windows(2).filter_map(|pair| Some((pair.first()?.to, pair.last()?.to)));
    // The restaurant may cancel what a rider, or another node, has just handed over: neither has heard of the other.
    let online = view.header.owner.is_some();
    // Who voids what was begun, or made, and adds something else has an order of which nothing was begun.
    let voids = view.lines.iter().any(|line| line.voided.is_some());
    // A rider takes what was ready, and has not heard that it was called back.
    let was_ready = view.history.iter().any(|change| change.to == Status::ReadyForPickup);
    let apart = |from, to| {
        (online || siblings) && (from, to) == (Status::Completed, Status::Cancelled)
            || voids && to == Status::OrderConfirmed
            || online && was_ready && (from, to) == (Status::Preparing, Status::PickedUp)
    };
    let wrong_pairs = pairs.filter(|(from, to)| !may_follow(*from, *to) && !apart(*from, *to));
    for (from, to) in wrong_pairs.filter(|_| !out_of_order) {
        wrong("state word went where it may not", format!("{from:?} -> {to:?}"));
    }
    if view.refunded_minor > view.captured_minor {
        wrong("refunded more than captured", format!("{} of {}", view.refunded_minor, view.captured_minor));
    }
    // A drawer books what the order's owner has taken: nothing else, and not before.
    if let Some(ask) = view.asked.iter().find(|ask| ask.booked && !branching && !tenders::is_taken(view, &ask.what)) {
        wrong("booked in a drawer and not taken", format!("{ask:?}"));
    }
    if view.sent
        && let Some(line) = view.wanted().find(|line| !view.tickets.contains_key(&ticket_of(line)))
    {
        wrong("line on no ticket", line.line.name.clone());
    }
    let with_rider = view.delivery.is_some_and(|(_, phase)| phase >= DeliveryPhase::PickedUp);
    let address = |request: &&AmendmentView| request.wanted.field() == AmendedField::Address;
    if with_rider && replica == "relay" && view.amendments_asked().any(|request| address(&request)) {
        wrong("address open though the rider has it", format!("{:?}", view.amendments));
    }
    if let Some((name, what)) = said_twice(live) {
        wrong(name, what);
    }
    for (key, ticket) in &view.tickets {
        let now = (ticket.epoch, ticket.phase);
        let before = world.reference.phases.insert((replica, *id, key.clone()), now);
        // Two boxes under one name are two nodes.
        if world.reference.is_branching() && replica != "relay" {
            continue;
        }
        if before.is_some_and(|before| before > now) {
            world.found(Finding::new("phase went back", format!("{replica}: {id}: {before:?} -> {now:?}")));
        }
    }
    for number in view.numbers().filter(|_| replica == "relay" && !was_numbered_apart(live)) {
        let other = world.reference.numbers.insert(number.clone(), *id);
        if let Some(other) = other.filter(|other| other != id) {
            world.found(Finding::new("number given twice", format!("{number:?} to {other} and {id}")));
        }
    }
}

/// Whether facts of two nodes are in it.
fn changed_by_two(live: &LiveOrder) -> bool {
    let relay = relay::identity().card().origin;
    let writers: BTreeSet<OriginId> = live.doc.in_order().iter().map(|fact| fact.id.origin).collect();
    writers.iter().filter(|origin| **origin != relay).count() > 1
}

/// Whether its number was given on a branch: another order may have got the same from who went on under that name.
fn was_numbered_apart(live: &LiveOrder) -> bool {
    live.doc.in_order().iter().any(|fact| fact.way.is_some() && matches!(fact.what, OrderFact::Sent { .. }))
}

fn ticket_of(line: &LineView) -> TicketKey {
    TicketKey { station: line.line.station.clone(), course: 0 }
}

/// What one writer says only once, and gives back only of what it had not begun (SPEC Q2, S3).
fn said_twice(live: &LiveOrder) -> Option<(&'static str, String)> {
    let (mut verdicts, mut answers, mut begun) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::<_, u32>::new());
    for fact in live.doc.in_order().iter().filter(|fact| fact.way.is_none()) {
        let by = fact.id.origin;
        if let OrderFact::Verdict { granted } = &fact.what
            && !verdicts.insert(by)
        {
            return Some(("verdict given twice", format!("by {by}, then {granted}")));
        }
        if let OrderFact::AmendmentAnswered { intent, refused } = &fact.what
            && !answers.insert((by, *intent))
        {
            return Some(("wish answered twice", format!("{intent} by {by}, then {refused:?}")));
        }
        if let OrderFact::Answered { intent, refused } = &fact.what
            && !answers.insert((by, *intent))
        {
            return Some(("asked once and answered twice", format!("{intent} by {by}, then {refused:?}")));
        }
        if let OrderFact::Phase { ticket, epoch, phase } = &fact.what
            && *phase > TicketPhase::Queued
        {
            // A line that was sent in a later epoch is not begun with the ones before it.
            let last = begun.entry((by, ticket.clone())).or_insert(*epoch);
            *last = (*last).max(*epoch);
        }
        if let OrderFact::StockReturned { lines } = &fact.what {
            let mut returned = live.view.lines.iter().filter(|line| lines.contains(&line.line.id));
            let was_begun =
                |line: &&LineView| begun.get(&(by, ticket_of(line))).is_some_and(|epoch| *epoch >= line.epoch);
            if let Some(line) = returned.find(was_begun) {
                return Some(("stock of a begun line came back", format!("{} by {by}", line.line.name)));
            }
        }
    }
    None
}

/// No row below nothing, and nothing out of nothing.
pub fn stock(world: &mut World, at: usize) {
    // On a branch, what others did builds on commits of the same number that are not here.
    if world.reference.is_branching() {
        return;
    }
    let Some(replica) = &world.boxes[at].replica else { return };
    let site = replica.site();
    let origins: Vec<OriginId> = site.origins().map(|card| card.origin).collect();
    let wrong = site.stocks().find_map(|(ingredient, stock)| rows_hold(ingredient, stock, &origins).err());
    if let Some(what) = wrong {
        world.found(Finding::new("stock", format!("box {at}: {what}")));
    }
}

fn rows_hold(ingredient: &IngredientId, stock: &BoundedCounter, origins: &[OriginId]) -> Result<(), String> {
    let rows: Vec<_> = origins.iter().map(|origin| (*origin, stock.row(origin))).collect();
    let (mut added, mut used) = (0, 0);
    for (origin, row) in &rows {
        let received: u64 = rows.iter().map(|(_, other)| other.given.get(origin).copied().unwrap_or(0)).sum();
        let given: u64 = row.given.values().sum();
        if row.used + given > row.added + row.returned + received {
            return Err(format!("rights of {origin} to {ingredient} are below zero: {row:?}, {received} received"));
        }
        added += row.added;
        used += row.used - row.returned.min(row.used);
    }
    if used > added { Err(format!("{used} of {ingredient} used, {added} added")) } else { Ok(()) }
}

/// What is held of a dish's description, the shown one first.
pub fn descriptions(replica: &Replica, item: &MenuItemId) -> Vec<String> {
    let text = |value: &FieldValue| if let FieldValue::Description(text) = value { Some(text.clone()) } else { None };
    let conflicts = replica.site().menu_conflicts();
    let held = conflicts.iter().find(|one| one.item.id == *item && one.field == FieldName::Description);
    let all = held.map(|held| held.values.iter().filter_map(|(_, value)| text(value)).collect());
    let shown = || replica.site().menu().items.get(item).map(|item| vec![item.description.clone()]);
    all.or_else(shown).unwrap_or_default()
}

/// Nothing that somebody wrote of a dish vanished without somebody who saw it.
fn dishes(world: &mut World) {
    let overruled = world.reference.overruled.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let held = |promise: &Promise| {
        let Told::Dish { item, text } = &promise.told else { return None };
        if promise.kept == Kept::Excused || overruled.contains(&(*item, text.clone())) {
            return None;
        }
        let mut running = world.boxes.iter().filter_map(|node| node.replica.as_ref());
        let lacks = running.find(|replica| !descriptions(replica, item).contains(text));
        lacks.map(|replica| format!("{text:?} is not at {}", replica.identity().letter))
    };
    if let Some(what) = world.reference.promises.iter().find_map(held) {
        world.found(Finding::new("menu text vanished", what));
    }
}

fn broken(promise: &Promise, order: Option<&OrderView>, is_booked: impl Fn(&IntentId) -> bool) -> Option<String> {
    if matches!(promise.told, Told::Dish { .. }) {
        return None;
    }
    if let Told::Booked { intent } = &promise.told {
        return (!is_booked(intent)).then(|| format!("what was booked as {intent} is not in the books"));
    }
    let Some(view) = order else { return Some(format!("order {} is not there: {:?}", promise.order, promise.told)) };
    let id = promise.order;
    match &promise.told {
        // Made once more under its id, an order has every number that somebody was told.
        Told::Placed { number: Some(number), .. } if !view.numbers().any(|one| one == number) => {
            Some(format!("order {id} was told as {number:?} and is {:?}", view.numbers().collect::<Vec<_>>()))
        }
        Told::Placed { .. } | Told::Booked { .. } => None,
        Told::Paid { payment, amount_minor } => {
            let taken = view.payments.get(payment).map(|(_, amount)| *amount);
            (taken != Some(*amount_minor)).then(|| format!("payment of {amount_minor} for {id} is {taken:?}"))
        }
        Told::Ticket { ticket, epoch, phase } => match view.tickets.get(ticket) {
            Some(now) if now.epoch > *epoch || now.epoch == *epoch && now.phase >= *phase => None,
            now @ (Some(_) | None) => Some(format!("a tap on {id} to {phase:?} in epoch {epoch} is {now:?}")),
        },
        // Nothing vanishes without a void that says why.
        Told::Line { line, wanted } => match view.lines.iter().find(|one| one.line.id == *line) {
            None => Some(format!("line {line} of {id} is gone")),
            Some(there) if *wanted => {
                let silent = there.voided.as_ref().is_some_and(|deed| deed.why.is_empty());
                silent.then(|| format!("line {line} of {id} was voided without a word"))
            }
            Some(there) => there.voided.is_none().then(|| format!("the void of line {line} of {id} is gone")),
        },
        // What a former owner decided without knowing that it is that decides nothing.
        Told::Dish { .. } => None,
        Told::Cancelled if view.term > 0 => None,
        Told::Cancelled => view.cancelled.is_none().then(|| format!("the cancellation of {id} is gone")),
    }
}

/// What a box has told is on its disk: looked at whenever it starts.
pub fn promises_kept(world: &mut World, at: usize) {
    let Some(replica) = &world.boxes[at].replica else { return };
    let promises = &world.reference.promises;
    // A copy is at the same place: a node at another one hears of it in its own time.
    let beside = |one: &&Promise| world.boxes[one.at].seat == world.boxes[at].seat;
    let here = promises.iter().filter(|one| one.kept == Kept::Here && world.reference.concerns(one, at)).filter(beside);
    let wrong = here.into_iter().find_map(|promise| {
        let order = replica.order(&promise.order).ok().flatten();
        let is_booked = |intent: &IntentId| matches!(replica.receipt(intent), Ok(Some(_)));
        broken(promise, order.as_ref().map(|order| &order.view), is_booked)
    });
    if let Some(what) = wrong {
        world.found(Finding::new("lost", format!("box {at}: {what}")));
    }
}

/// What both replicas hold, when nothing is under way.
struct Both {
    apart: BTreeSet<OrderId>,
    booked: BTreeSet<IntentId>,
    node: BTreeMap<OrderId, OrderView>,
    relay: BTreeMap<OrderId, OrderView>,
}

fn orders_of(replica: &Replica) -> BTreeMap<OrderId, OrderView> {
    live_orders_of(replica).into_iter().map(|(id, order)| (id, order.view)).collect()
}

fn live_orders_of(replica: &Replica) -> BTreeMap<OrderId, LiveOrder> {
    let stored = replica.order_docs_after(None, usize::MAX).unwrap_or_default();
    stored.iter().filter_map(|one| Some((one.id, LiveOrder::from_bytes(&one.document).ok()?))).collect()
}

/// Why the world is not quiet yet; `None` when it is.
pub fn unrest(world: &mut World) -> Option<String> {
    let mains = world.mains();
    let on = world.boxes.iter().filter(|node| !node.retired).count();
    if on != mains.len() {
        return Some(format!("{on} boxes are in service"));
    }
    if let Some(down) = mains.iter().find(|at| !world.is_online(**at)) {
        return Some(format!("the link of box {down} is down"));
    }
    let machine = world.machines.iter().position(|machine| machine.process.is_some())?;
    let ends = world.at_relay(machine, |process| {
        let (site, database) = (process.site.clone(), process.database.clone());
        process.block(async move {
            let heads = site.read(|replica, _| replica.heads().clone()).await;
            (heads.ok(), effects::count_open(&database).await.ok())
        })
    });
    let Some((Some(theirs), Some((open, parked)))) = ends else { return Some("the relay does not answer".to_owned()) };
    for at in mains {
        let Some(replica) = &world.boxes[at].replica else { return Some(format!("box {at} is off")) };
        if *replica.state().heads() != theirs {
            return Some(format!("the logs of box {at} differ: {:?} and {theirs:?}", replica.state().heads()));
        }
    }
    if open > 0 {
        return Some(format!("{open} effects are open, {parked} of them parked"));
    }
    if let Some(waits) = tenders::unrest(world) {
        return Some(waits);
    }
    let Some(replica) = &world.boxes[world.main].replica else { return Some("the node is off".to_owned()) };
    let orders = orders_of(replica);
    if let Some(waits) = orders.iter().find_map(|(id, view)| waits_for_owner(world, id, view)) {
        return Some(format!("nobody answers: {waits}"));
    }
    let unended = orders.into_iter().find(|(_, view)| !is_at_rest(view));
    unended.map(|(id, view)| {
        let (board, tickets) = (view.on_board(), &view.tickets);
        format!("order {id} is {:?}, {:?}; on the board: {board}; {tickets:?}", view.status, view.commercial)
    })
}

/// A request to the order's owner that is open although somebody is there who answers it: soon, because who goes on for a fenced node looks
/// after its orders from time to time. A node that is gone and was not fenced answers nobody: its order waits for a manager, and the
/// request runs out.
fn waits_for_owner(world: &World, id: &OrderId, view: &OrderView) -> Option<String> {
    let ask = view.open_asks().next().filter(|_| !view.is_history())?;
    let mut running = world.boxes.iter().filter_map(|node| node.replica.as_ref());
    let answers =
        running.any(|replica| replica.identity().origin == view.owner || replica.site().is_fenced(&view.owner));
    answers.then(|| format!("{id} of {}: {:?}", view.owner, ask.what))
}

/// Ended, or waiting for a person: what did not reach the customer is looked at by somebody.
fn is_at_rest(view: &OrderView) -> bool {
    let asked = view.commercial == Some(CommercialPhase::CancelRequested);
    let undecided = asked && view.verdict.is_none() && view.cancelled.is_none();
    (is_over(view) || view.status == Status::DeliveryFailed) && !undecided
}

/// What must hold once the world is quiet.
pub fn settled(world: &mut World) {
    let Some(machine) = world.machines.iter().position(|machine| machine.process.is_some()) else { return };
    let relay = world.at_relay(machine, |process| {
        let (sites, site) = (process.sites.clone(), process.site.clone());
        process.block(async move { sites.digest(&site).await.ok() })
    });
    let Some(Some((theirs, count))) = relay else {
        return world.found(Finding::new("relay", "it gives no digest".to_owned()));
    };
    for at in world.mains() {
        let Some(replica) = &world.boxes[at].replica else { return };
        let mut digesting = Digesting::default();
        replica.site().docs().for_each(|(key, bytes)| digesting.add(&key, &bytes));
        let stored = replica.order_docs_after(None, usize::MAX).unwrap_or_default();
        stored.iter().for_each(|order| digesting.add(&DocKey::Order(order.id), &order.document));
        if digesting.finish() != theirs {
            let mut here: BTreeMap<DocKey, Vec<u8>> = replica.site().docs().collect();
            here.extend(stored.into_iter().map(|order| (DocKey::Order(order.id), order.document)));
            let there = world.at_relay(machine, relay::docs).flatten().unwrap_or_default();
            let differs = |key: &&DocKey| here.get(key) != there.get(key);
            let keys: BTreeSet<&DocKey> = here.keys().chain(there.keys()).filter(differs).collect();
            let what = format!("box {at} and the relay, which has {count} orders: {keys:?}");
            return world.found(Finding::new("replicas differ", what));
        }
    }
    let Some(replica) = &world.boxes[world.main].replica else { return };
    let orders = live_orders_of(replica);
    let apart = orders.iter().filter(|(_, order)| was_numbered_apart(order)).map(|(id, _)| *id).collect();
    let node: BTreeMap<OrderId, OrderView> = orders.into_iter().map(|(id, order)| (id, order.view)).collect();
    let booked = stockroom::booked(world, replica);
    let both = Both { apart, booked, relay: node.clone(), node };
    promises_everywhere(world, &both);
    dishes(world);
    shelf(world, &both);
    books(world, &both);
    money(world, machine, &both);
    till::settled(world);
    tenders::settled(world);
    relay_lives(world);
    pauses(world);
    wishes(world, machine, &both);
}

fn promises_everywhere(world: &mut World, both: &Both) {
    let mut wrong = Vec::new();
    for promise in world.reference.promises.iter().filter(|promise| promise.kept != Kept::Excused) {
        for (name, orders) in [("node", &both.node), ("relay", &both.relay)] {
            let broken = broken(promise, orders.get(&promise.order), |intent| both.booked.contains(intent));
            wrong.extend(broken.map(|what| ("lost", format!("{name}: {what}"))));
        }
    }
    for (order, times) in world.reference.times_new.iter().filter(|(_, times)| **times > 1) {
        let excused = world.reference.promises.iter().any(|one| one.order == *order && one.kept != Kept::Here);
        if !excused && !world.reference.excused_orders.contains(order) {
            wrong.push(("doubled", format!("order {order} was answered as new {times} times")));
        }
    }
    for (id, online) in &world.reference.online {
        if online.times_new > 1 {
            wrong.push(("doubled", format!("order {id} was answered as new {} times at home", online.times_new)));
        }
        match both.relay.get(id) {
            None if online.placed => wrong.push(("lost", format!("online order {id} is not there"))),
            Some(view) if online.cancel_taken => {
                let answered = view.cancelled.is_some() || view.verdict == Some(false);
                if !answered {
                    let told: Vec<String> =
                        view.history.iter().map(|change| format!("{:?} ({})", change.to, change.deed.why)).collect();
                    let what = format!("{id} of {}: {:?}, {}", view.owner, view.commercial, told.join(", "));
                    wrong.push(("cancel request without an end", what));
                }
            }
            Some(_) | None => {}
        }
    }
    let mut numbers: BTreeMap<_, OrderId> = BTreeMap::new();
    for (id, view) in &both.node {
        wrong.extend(waits_for_owner(world, id, view).map(|what| ("asked and never answered", what)));
        for number in view.numbers().filter(|_| !both.apart.contains(id)) {
            if let Some(other) = numbers.insert(number.clone(), *id) {
                wrong.push(("number given twice", format!("{number:?} to {other} and {id}")));
            }
        }
    }
    if let Some((name, what)) = wrong.into_iter().next() {
        world.found(Finding::new(name, what));
    }
}

/// What was sold was on the shelf.
fn shelf(world: &mut World, both: &Both) {
    let (mut sold, mut apart) = (BTreeMap::<IngredientId, u64>::new(), BTreeMap::<IngredientId, u64>::new());
    for view in both.node.values() {
        for line in view.lines.iter().filter(|line| !line.stock_returned) {
            for used in &line.line.uses {
                // What was sold on a branch two stores had a right to: it is in the branch's rows.
                let to = if view.recovered { &mut apart } else { &mut sold };
                *to.entry(used.ingredient).or_default() += used.amount;
            }
        }
    }
    let Some(replica) = &world.boxes[world.main].replica else { return };
    let written = stockroom::written(world, replica);
    let wrong = world.reference.shelf.iter().find_map(|(ingredient, came)| {
        let written = written.get(ingredient).copied().unwrap_or_default();
        let sold = sold.get(ingredient).copied().unwrap_or(0);
        // What a branch booked is in the branch's rows too.
        let (gone, all_gone) = (written.gone, written.gone + written.gone_apart);
        let (there, known) = (came + written.beyond, stockroom::ever_short(replica, ingredient));
        // Known to miss is no more than what somebody saw to be gone, what a branch sold, and what was taken over: the product's own figure
        // excuses nothing beyond.
        let apart = apart.get(ingredient).copied().unwrap_or(0);
        let excused = known.min(all_gone + apart + stockroom::taken_over(replica, ingredient));
        (sold + gone > there + excused).then(|| {
            format!(
                "{sold} of {ingredient} sold, {gone} gone; {there} came, {known} were known to miss, {excused} of them with a cause"
            )
        })
    });
    if let Some(what) = wrong {
        world.found(Finding::new("oversold", what));
    }
}

/// The rows say what the orders say: who paid has used what was sold and not given back, and more only for what was made again. Where a
/// store went on under another name, what a branch used is in the branch's rows, and a count adds again what an ended row had.
fn books(world: &mut World, both: &Both) {
    let relay = relay::identity().card().origin;
    let Some(replica) = &world.boxes[world.main].replica else { return };
    let site = replica.site();
    if let Some((name, what)) = stockroom::once(world, replica) {
        return world.found(Finding::new(name, what));
    }
    if world.reference.is_branching() || site.origins().any(|card| site.is_fenced(&card.origin)) {
        return;
    }
    let mut wrong = Vec::new();
    let mut sold: BTreeMap<(OriginId, IngredientId), u64> = BTreeMap::new();
    for (id, view) in &both.node {
        for line in &view.lines {
            for used in &line.line.uses {
                let amount = if line.stock_returned { 0 } else { used.amount };
                *sold.entry((line.payer, used.ingredient)).or_default() += amount;
            }
        }
        let early = view.commercial == Some(CommercialPhase::CancelledEarly) && view.payer == relay;
        if early && view.lines.iter().any(|line| !line.stock_returned) {
            wrong.push(("stock never came back", format!("{id} was never confirmed")));
        }
    }
    for ((payer, ingredient), sold) in sold {
        let row = site.stock(&ingredient).map(|stock| stock.row(&payer)).unwrap_or_default();
        let used = row.used.saturating_sub(row.returned);
        if used < sold || payer == relay && used > sold {
            wrong.push(("rows and orders differ", format!("{payer} used {used} of {ingredient} and sold {sold}")));
        }
    }
    let written = stockroom::written(world, replica);
    for (ingredient, stock) in site.stocks() {
        let added: u64 = site.origins().map(|card| stock.row(&card.origin).added).sum();
        let found = written.get(ingredient).map_or(0, |written| written.beyond);
        let there = world.reference.shelf.get(ingredient).copied().unwrap_or(0) + found;
        if added > there {
            wrong.push(("delivered more than came", format!("{added} of {ingredient}, {there} came")));
        }
    }
    if let Some((name, what)) = wrong.into_iter().next() {
        world.found(Finding::new(name, what));
    }
}

/// What goes back goes back once, and is what the customer was shown, or everything.
fn refunds(world: &World, both: &Both) -> Option<(&'static str, String)> {
    for (id, online) in &world.reference.online {
        let Some(view) = both.relay.get(id) else { continue };
        if view.refunds.len() > 1 {
            return Some(("refunded twice", format!("{id}: {:?}", view.refunds)));
        }
        let back = view.refunded_minor;
        if back != 0 && back != view.captured_minor && !online.shown.contains(&back) {
            return Some(("another refund than was shown", format!("{id}: {back}, shown {:?}", online.shown)));
        }
    }
    None
}

fn money(world: &mut World, machine: usize, both: &Both) {
    let mut wrong: Vec<(&'static str, String)> = Vec::new();
    for key in &world.ledger.misused {
        wrong.push(("one key for two things", key.clone()));
    }
    let mut charges: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for charge in world.ledger.charges.values() {
        charges.entry(charge.order.clone()).or_default().push(charge.clone());
    }
    let online: BTreeMap<String, OrderId> = world.reference.online.keys().map(|id| (id.to_string(), *id)).collect();
    for (name, of_order) in &charges {
        let view = online.get(name).and_then(|id| both.relay.get(id));
        let held = of_order.iter().filter(|one| !one.voided && one.captures == 0).count();
        let captured: i64 = of_order.iter().map(|one| one.captured).sum();
        let refunded: i64 = of_order.iter().map(|one| one.refunded).sum();
        if held > 0 {
            wrong.push(("money held for ever", format!("{name}: {of_order:?}, {:?}", view.map(|view| view.status))));
        }
        if of_order.iter().filter(|one| one.captures > 0).count() > 1 || of_order.iter().any(|one| one.captures > 1) {
            wrong.push(("charged twice", format!("{name}: {of_order:?}")));
        }
        match view {
            None if captured > 0 => wrong.push(("charged without an order", format!("{name}: {of_order:?}"))),
            Some(view) if (view.captured_minor, view.refunded_minor) != (captured, refunded) => {
                let ours = (view.captured_minor, view.refunded_minor);
                wrong.push(("books differ from the bank's", format!("{name}: {ours:?}, bank {captured} {refunded}")));
            }
            Some(_) | None => {}
        }
    }
    for (id, view) in both.relay.iter().filter(|(_, view)| view.header.owner.is_some()) {
        let confirmed = view.commercial.is_some_and(|phase| phase >= CommercialPhase::Confirmed);
        if confirmed != (view.captured_minor > 0) {
            wrong.push(("captured is not confirmed", format!("{id}: {:?}, {}", view.commercial, view.captured_minor)));
        }
    }
    wrong.extend(refunds(world, both));
    let ids: Vec<OrderId> = online.values().copied().collect();
    let rows = world.at_relay(machine, |process| {
        let database = process.database.clone();
        process.block(async move {
            let mut all = Vec::new();
            for id in ids {
                all.extend(effects::of_order(&database, &id).await.unwrap_or_default());
            }
            all
        })
    });
    for row in rows.unwrap_or_default() {
        if !matches!(row.state, effects::EffectState::Done | effects::EffectState::Declined) {
            wrong.push(("effect never ended", format!("{} is {:?}", row.effect.id, row.state)));
        }
    }
    if let Some((name, what)) = wrong.into_iter().next() {
        world.found(Finding::new(name, what));
    }
}

/// Every wish has ended, once, and the relay's own table says the same as the log: where each order goes is where it was last said to go.
fn wishes(world: &mut World, machine: usize, both: &Both) {
    let mut wrong = Vec::new();
    let mut goes: Vec<(OrderId, String)> = Vec::new();
    for (id, online) in &world.reference.online {
        let Some(view) = both.relay.get(id) else { continue };
        if let Some(request) = view.amendments_asked().next() {
            wrong.push(("wish without an end", format!("{id}: {request:?}")));
        }
        let is_so = |intent: &IntentId| {
            let asked = view.amendments.iter().find(|request| request.intent == *intent);
            asked.is_none_or(|request| request.state == AmendmentState::Granted)
        };
        let Some(wishes) = &online.wishes else { continue };
        let last = wishes.iter().rev().filter(|(intent, _)| is_so(intent));
        let street = last.clone().find_map(|(_, wanted)| match wanted {
            Wanted::Address(address) => Some(address.street.clone()),
            Wanted::Instructions(_) | Wanted::Contact(_) | Wanted::Time(_) => None,
        });
        goes.extend(street.map(|street| (*id, street)));
        let said = last.clone().find_map(|(_, wanted)| match wanted {
            Wanted::Instructions(text) => Some(text.clone()),
            Wanted::Address(_) | Wanted::Contact(_) | Wanted::Time(_) => None,
        });
        if said.is_some_and(|said| said != view.instructions) {
            wrong.push(("instructions are others than wanted", format!("{id}: {:?}", view.instructions)));
        }
    }
    let read = world.at_relay(machine, |process| {
        let database = process.database.clone();
        process.block(async move {
            let mut elsewhere = Vec::new();
            for (id, street) in goes {
                let kept = cloud_orders::find(&database, &id).await.ok().flatten();
                let goes_to = kept.and_then(|kept| kept.address).map(|address| address.street);
                if goes_to.as_ref() != Some(&street) {
                    elsewhere.push(format!("{id} goes to {goes_to:?}, {street} is wanted"));
                }
            }
            (elsewhere, amendments::count_open(&database).await.unwrap_or(-1))
        })
    });
    if let Some((elsewhere, open)) = read {
        wrong.extend(elsewhere.into_iter().map(|what| ("brought elsewhere", what)));
        if open != 0 {
            wrong.push(("wish without an end", format!("{open} are open at the relay")));
        }
    }
    if let Some((name, what)) = wrong.into_iter().next() {
        world.found(Finding::new(name, what));
    }
}

/// Nothing was placed at the relay while it knew of a pause: each of its commits says what it had seen, and that is read again (SPEC PB3).
fn pauses(world: &mut World) {
    let relay = relay::identity().card().origin;
    let Some(replica) = &world.boxes[world.main].replica else { return };
    let log = |origin: &OriginId| replica.log(origin, 1, usize::MAX).unwrap_or_default();
    let mut known = Site::default();
    let mut others: BTreeMap<OriginId, VecDeque<LogEntry>> = BTreeMap::new();
    let mut wrong = None;
    for entry in log(&relay) {
        let Ok(commit) = Commit::from_bytes(&entry.bytes) else { continue };
        for seen in &commit.seen {
            let left = others.entry(seen.origin).or_insert_with(|| log(&seen.origin).into());
            while let Some(entry) = left.pop_front_if(|entry| entry.head.seq <= seen.seq) {
                learn(&mut known, &entry);
            }
        }
        for effect in learn(&mut known, &entry) {
            if let Change::Order(id, OrderFact::Placed(header)) = &effect.change
                && let Some(until) = known.intake().paused_until(header.placed_at)
            {
                wrong = Some(format!("{id} at {}, and the relay knew of a pause until {until}", header.placed_at));
            }
        }
    }
    if let Some(what) = wrong {
        world.found(Finding::new("placed while paused", what));
    }
}

/// Takes in who wrote a commit and what it says of a pause; all that it says counts.
fn learn(known: &mut Site, entry: &LogEntry) -> Vec<Effect> {
    let effects = reading::read(entry, known).effects;
    for effect in effects.iter().filter(|effect| matches!(effect.change, Change::Origin(_) | Change::Intake(_))) {
        known.apply(effect, &mut Touched::default());
    }
    effects
}

/// A fence ends a store that has lost something, never the relay.
fn relay_lives(world: &mut World) {
    let relay = relay::identity().card().origin;
    let Some(replica) = &world.boxes[world.main].replica else { return };
    if replica.site().is_fenced(&relay) {
        world.found(Finding::new("relay fenced", "a node has ended the relay's origin".to_owned()));
    }
}
