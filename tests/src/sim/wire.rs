//! The connection between a machine of the restaurant and one of the relay: the real session at both ends, frames in order with a
//! delay, and all that can happen to a cable.
//!
//! What the drivers of both programs decide is in their `link_core`; here are only a cable, timers and the time that errands take.

use crate::sim::checks::Finding;
use crate::sim::relay::{self, TOKENS};
use crate::sim::world::World;
use pilotlight_node::config::LinkConfig;
use pilotlight_node::store::store_handle::{PlanError, RunError, job_of_batches, job_of_parting};
use pilotlight_node::uplink::link_core::{self as node_core, LinkFault};
use pilotlight_relay::sites::grant;
use pilotlight_relay::sites::link_core as relay_core;
use pilotlight_relay::store::site_rows::NodeSession;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::domain::id::{IngredientId, OriginId};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::{Session, Side, Want};
use std::collections::BTreeMap;
use std::convert::Infallible;
use tokio::sync::watch;

/// A connection that lasted this long was a good one.
const GOOD_MS_MIN: u64 = 10_000;

/// An end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In the restaurant.
    Node,
    /// In the cloud.
    Relay,
}

impl End {
    const fn other(self) -> Self {
        match self {
            Self::Node => Self::Relay,
            Self::Relay => Self::Node,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Wire {
    /// Between this machine of the restaurant,
    pub node: usize,
    /// and this one of the relay.
    pub machine: usize,
    /// When it was made.
    pub since_ms: u64,
    /// Frames towards the node, and towards the relay, vanish.
    pub deaf: [bool; 2],
    /// Nothing arrives before.
    pub stalled_until_ms: u64,
    node_end: Option<node_core::LinkCore>,
    relay_end: Option<relay_core::LinkCore>,
    wants: Option<watch::Receiver<Vec<Want>>>,
    arrives_ms: [u64; 2],
    timer_ms: [Option<u64>; 2],
}

const fn side(end: End) -> usize {
    match end {
        End::Node => 0,
        End::Relay => 1,
    }
}

impl World {
    /// Dials when it is time to.
    pub fn dial_soon(&mut self, at: usize) {
        let node = &mut self.boxes[at];
        if node.dialling || node.wire.is_some() || node.retired || node.replica.is_none() {
            return;
        }
        node.dialling = true;
        let random = self.rng.next_u64();
        let delay = self.boxes[at].backoff.next_ms(random);
        let boots = self.boxes[at].boots;
        self.after(delay + 30, move |world| {
            world.boxes[at].dialling = false;
            if world.boxes[at].boots == boots {
                world.dial(at);
            } else {
                world.dial_soon(at);
            }
        });
    }

    /// The process that a new connection comes to: the first machine, while it runs.
    fn door(&mut self) -> Option<usize> {
        let running = |at: &usize| self.machines[*at].process.is_some();
        let up: Vec<usize> = (0..self.machines.len()).filter(running).collect();
        match up.as_slice() {
            [] => None,
            [only] => Some(*only),
            [first, second, ..] => {
                let (first, second) = (*first, *second);
                Some(if self.chance(850) { first } else { second })
            }
        }
    }

    fn dial(&mut self, at: usize) {
        if self.boxes[at].replica.is_none() || self.boxes[at].wire.is_some() || self.boxes[at].retired {
            return;
        }
        let door = if self.now_ms < self.outage_until_ms { None } else { self.door() };
        let Some(machine) = door else {
            self.note(format_args!("box {at} reaches no relay"));
            return self.dial_soon(at);
        };
        let (now, token) = (self.time(), TOKENS[self.boxes[at].seat]);
        let begun = self.at_relay(machine, |process| {
            let (sites, runs) = (process.sites.clone(), &*process);
            runs.block(async {
                let uplink = sites.uplink(token).await?.ok_or_else(|| anyhow::anyhow!("the token opens nothing"))?;
                anyhow::Ok(sites.begin_link(&uplink, now).await?)
            })
        });
        let (site, relay_end) = match begun {
            Some(Ok(begun)) => begun,
            Some(Err(error)) => return self.found(Finding::new("a link cannot begin", format!("{error:#}"))),
            None => return self.dial_soon(at),
        };
        let Some(replica) = &self.boxes[at].replica else { return };
        let relay = relay::identity().card();
        let timers = LinkConfig {
            ping_ms: relay::LINKS.ping_ms,
            dead_ms: relay::LINKS.dead_ms,
            backoff_max_ms: crate::sim::world::BACKOFF_MS_MAX,
        };
        let (heads, keys) = (replica.state().heads().clone(), replica.state().keys());
        let config = node_core::config(replica, relay::site(), Side::Dialer, (relay.origin, relay.key), &timers);
        let own = config.own;
        let session = match Session::new(config, heads.clone(), now) {
            Ok(session) => session,
            Err(error) => return self.found(Finding::new("too many origins", error.to_string())),
        };
        let (id, number) = (self.wires_made, relay_end.number());
        self.wires_made += 1;
        self.newest_session.insert(number.node, number.number);
        let wire = Wire {
            node: at,
            machine,
            since_ms: self.now_ms,
            deaf: [false; 2],
            stalled_until_ms: 0,
            node_end: Some(node_core::LinkCore::new(session, own, &heads)),
            relay_end: Some(relay_end),
            wants: Some(site.wants()),
            arrives_ms: [self.now_ms; 2],
            timer_ms: [None; 2],
        };
        self.wires.insert(id, wire);
        self.boxes[at].wire = Some(id);
        self.note(format_args!("wire {id}: box {at} to relay {machine}, session {}", number.number));
        self.heads_of_wire(id, own, &heads, &keys);
        self.pump(id, End::Node);
        self.pump(id, End::Relay);
    }

    /// Every connection is told where the machine's logs end now.
    pub(super) fn tell_head(&mut self, at: usize) {
        let Some(replica) = &self.boxes[at].replica else { return };
        let (own, heads) = (replica.identity().origin, replica.state().heads().clone());
        let keys = replica.state().keys();
        if let Some(id) = self.boxes[at].wire {
            self.heads_of_wire(id, own, &heads, &keys);
            self.pump(id, End::Node);
        }
        self.tell_lan_of(at, own, &heads, &keys);
    }

    fn heads_of_wire(
        &mut self,
        id: u32,
        own: OriginId,
        heads: &BTreeMap<OriginId, Head>,
        keys: &BTreeMap<OriginId, [u8; 32]>,
    ) {
        let Some(end) = self.wires.get_mut(&id).and_then(|wire| wire.node_end.as_mut()) else { return };
        if let Err(fault) = end.durable(own, heads, keys) {
            self.node_ends(id, &fault.to_string());
        }
    }

    /// A machine asks for rights, if it is connected.
    pub(super) fn wish(&mut self, at: usize, wishes: Vec<(IngredientId, u64)>) {
        if wishes.is_empty() {
            return;
        }
        let wants = wishes.into_iter().map(|(ingredient, amount)| Want { ingredient, amount });
        let wants: Vec<Want> = wants.collect();
        self.wish_on_lan(at, &wants);
        let Some(id) = self.boxes[at].wire else { return };
        if let Some(end) = self.wires.get_mut(&id).and_then(|wire| wire.node_end.as_mut()) {
            end.want(wants);
            self.pump(id, End::Node);
        }
    }

    /// Every connection of a process is told what it knows now.
    pub(super) fn tell_wires_at(&mut self, machine: usize) {
        let ids: Vec<u32> = self.wires.iter().filter(|(_, wire)| wire.machine == machine).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(process) = &self.machines[machine].process else { return };
            let (heads, links) = (process.site.heads().borrow().clone(), process.site.link.links());
            let keys = process.site.keys();
            let Some(wire) = self.wires.get_mut(&id) else { continue };
            let Some(end) = wire.relay_end.as_mut() else { continue };
            end.durable(&heads, &keys);
            if let Some(wants) = wire.wants.as_mut().filter(|wants| wants.has_changed().unwrap_or(false)) {
                end.want(wants.borrow_and_update().clone());
            }
            match end.links_are(&links) {
                Ok(()) => self.pump(id, End::Relay),
                Err(why) => {
                    self.trace.rare("session superseded");
                    self.relay_ends(id, &why.to_string());
                }
            }
        }
    }

    /// Does what an end wants done until it wants nothing more.
    pub(super) fn pump(&mut self, id: u32, end: End) {
        match end {
            End::Node => self.pump_node(id),
            End::Relay => self.pump_relay(id),
        }
        self.set_timer(id, end);
    }

    fn pump_node(&mut self, id: u32) {
        while let Some(wire) = self.wires.get_mut(&id) {
            let at = wire.node;
            let Some(core) = wire.node_end.as_mut() else { return };
            if let Some(news) = core.poll_news() {
                self.node_news(id, at, news);
                continue;
            }
            if let Some(errand) = core.poll_errand() {
                self.node_errand(at, errand, move |world, done| world.node_done(id, done));
                continue;
            }
            match core.poll_frame() {
                Ok(Some(frame)) => self.carry(id, End::Relay, frame),
                Ok(None) => return,
                Err(fault) => return self.node_ends(id, &fault.to_string()),
            }
        }
    }

    fn node_news(&mut self, id: u32, at: usize, news: node_core::News) {
        match news {
            node_core::News::Open(peer) => {
                self.note(format_args!("box {at} is online, session {}", peer.epoch));
                self.trace.rare("link opened");
            }
            node_core::News::Acked { origin, seq } => {
                self.note(format_args!("box {at}: the relay has {seq}"));
                self.reference.safe(origin, seq);
                self.is_durable(id, &origin, seq);
            }
            node_core::News::Forked => {
                self.note(format_args!("box {at} is forked"));
                self.trace.rare("fork noticed");
                self.fork_noticed(at);
            }
            node_core::News::Parted(parted) => {
                self.note(format_args!("box {at}: logs part at {:?}", parted.cuts.values().collect::<Vec<_>>()));
                if parted.cuts.keys().any(|origin| !self.boxes[at].is_called(origin)) {
                    self.trace.rare("another's branch cut off");
                }
                let (job, mut outcome) = job_of_parting(parted);
                let then = Box::new(move |world: &mut Self, _| {
                    let noted = outcome.try_recv().unwrap_or(Err(RunError::Unknown));
                    world.node_done(id, noted.map_or(node_core::Done::Failed, |()| node_core::Done::Parted));
                });
                self.queue_job(at, job, then);
            }
            // The relay of this world has few nodes to take in.
            node_core::News::RetryAfter(ms) => self.found(Finding::new("sent away", format!("for {ms} ms"))),
            node_core::News::Wanted(wants) => {
                let by = relay::identity().card().origin;
                self.wished(at, by, wants.into_iter().map(|want| (want.ingredient, want.amount)).collect());
            }
        }
    }

    /// What the relay acknowledges is on its disk (SPEC Y5).
    fn is_durable(&mut self, id: u32, origin: &OriginId, seq: u64) {
        let machine = self.wires.get(&id).map(|wire| &self.machines[wire.machine]);
        let Some(process) = machine.and_then(|machine| machine.process.as_ref()) else { return };
        let has = process.site.heads().borrow().get(origin).map(|head| head.seq);
        if let Some(has) = has.filter(|has| *has < seq) {
            let what = format!("{seq} of {origin}, and its log ends at {has}");
            self.found(Finding::new("acknowledged before it was durable", what));
        }
    }

    /// The store of a machine does an errand; `then` hears what came of it.
    pub(super) fn node_errand(
        &mut self,
        at: usize,
        errand: node_core::Errand,
        then: impl FnOnce(&mut Self, node_core::Done) + 'static,
    ) {
        use node_core::{Done, Errand, read_page};
        match errand {
            Errand::Page { origin, from, commits_max, bytes_max } => self.ask(
                at,
                move |replica, _| {
                    let page = read_page(replica, &origin, from, commits_max, bytes_max)?;
                    Ok::<_, PlanError<Infallible>>(answer(page))
                },
                move |world, _, page| {
                    let done =
                        page.map_or(Done::Failed, |(entries, seals)| Done::Page { origin, from, entries, seals });
                    then(world, done);
                },
            ),
            Errand::Hash { origin, seq } => self.ask(
                at,
                move |replica, _| Ok::<_, PlanError<Infallible>>(answer(replica.stored_hash(&origin, seq)?)),
                move |world, _, hash| {
                    then(world, hash.map_or(Done::Failed, |hash| Done::Hash { origin, seq, hash }));
                },
            ),
            Errand::Apply(batches) => {
                let (job, mut outcome) = job_of_batches(batches);
                let then = Box::new(move |world: &mut Self, _| {
                    let applied = outcome.try_recv().unwrap_or(Err(RunError::Unknown));
                    if let Ok(applied) = &applied
                        && !applied.refused.is_empty()
                    {
                        world.trace.rare("gap or cross-dependency at the node");
                    }
                    then(world, applied.map_or(Done::Failed, Done::Applied));
                });
                self.queue_job(at, job, then);
            }
        }
    }

    fn node_done(&mut self, id: u32, done: node_core::Done) {
        let now = self.time();
        let Some(core) = self.wires.get_mut(&id).and_then(|wire| wire.node_end.as_mut()) else { return };
        match core.done(done, now) {
            Ok(()) => self.pump(id, End::Node),
            Err(fault) => {
                if let LinkFault::Apply(error) = &fault {
                    let text = error.to_string();
                    self.found(Finding::new("the node cannot apply the relay's log", text));
                }
                self.node_ends(id, &fault.to_string());
            }
        }
    }

    fn pump_relay(&mut self, id: u32) {
        while let Some(wire) = self.wires.get_mut(&id) {
            let machine = wire.machine;
            let Some(core) = wire.relay_end.as_mut() else { return };
            if let Some(news) = core.poll_news() {
                let number = core.number();
                self.relay_news(machine, number, news);
                continue;
            }
            if let Some(errand) = core.poll_errand() {
                let delay = self.between(1, 25);
                self.after(delay, move |world| world.relay_errand(id, errand));
                continue;
            }
            match core.poll_frame() {
                Ok(Some(frame)) => self.carry(id, End::Node, frame),
                Ok(None) => return,
                Err(end) => return self.relay_ends(id, &end.to_string()),
            }
        }
    }

    fn relay_news(&mut self, machine: usize, number: NodeSession, news: relay_core::News) {
        let now = self.shown(self.machines[machine].skew_ms);
        let Some(process) = &self.machines[machine].process else { return };
        match news {
            relay_core::News::Open(peer) => process.site.link.up(number, peer.own, now),
            relay_core::News::Wanted { by, wants } => {
                let delay = self.between(1, 25);
                return self.after(delay, move |world| world.relay_gives(machine, by, wants));
            }
            relay_core::News::WentBack => {
                process.site.link.relay_went_back(now);
                self.found(Finding::new("relay went back", "its database never does in this world".to_owned()));
            }
        }
        // An older session of this process ends now.
        self.after(1, move |world| world.tell_wires_at(machine));
    }

    /// A node would like to have rights of the relay's.
    fn relay_gives(&mut self, machine: usize, by: OriginId, wants: Vec<Want>) {
        let given = self.at_relay(machine, |process| {
            let site = process.site.clone();
            process.block(async move { grant::give(&site, by, wants).await })
        });
        match given {
            Some(Ok(0)) | None => {}
            Some(Ok(_)) => self.trace.rare("rights given to a node that asked"),
            Some(Err(error)) => self.found(Finding::new("the relay cannot give rights", error.to_string())),
        }
    }

    fn relay_errand(&mut self, id: u32, errand: relay_core::Errand) {
        let Some(wire) = self.wires.get(&id) else { return };
        let machine = wire.machine;
        let Some(number) = wire.relay_end.as_ref().map(relay_core::LinkCore::number) else { return };
        let done = self.at_relay(machine, |process| {
            let store = process.site.store(&process.database);
            process.block(relay_core::run(&process.site, &store, number, errand))
        });
        let Some(done) = done else { return };
        let newest = self.newest_session.get(&number.node).copied().unwrap_or(0);
        if matches!(done, relay_core::Done::Applied { .. }) && number.number < newest {
            self.found(Finding::new("an old session was heard", format!("{number:?} after {newest}")));
        }
        if matches!(done, relay_core::Done::NotTaken { .. }) {
            self.trace.rare("gap or cross-dependency at the relay");
        }
        let now = self.time();
        let Some(core) = self.wires.get_mut(&id).and_then(|wire| wire.relay_end.as_mut()) else { return };
        match core.done(done, now) {
            Ok(()) => self.pump(id, End::Relay),
            Err(end) => {
                match &end {
                    relay_core::LinkEnd::Superseded => self.trace.rare("old session refused"),
                    relay_core::LinkEnd::Apply(error) => {
                        // A box with another's identity may do that; nobody else.
                        let text = error.to_string();
                        self.note(format_args!("relay {machine} cannot apply: {text}"));
                        self.trace.rare("fork in a session");
                    }
                    relay_core::LinkEnd::Store => {
                        self.found(Finding::new("the relay's store failed", format!("session {}", number.number)));
                    }
                    relay_core::LinkEnd::Stopping
                    | relay_core::LinkEnd::Broken(_)
                    | relay_core::LinkEnd::Gone(_)
                    | relay_core::LinkEnd::Stuck
                    | relay_core::LinkEnd::Log(_) => {}
                }
                self.relay_ends(id, &end.to_string());
            }
        }
    }

    /// Puts a frame on its way.
    fn carry(&mut self, id: u32, to: End, frame: Vec<u8>) {
        let delay = self.between(5, 80);
        let now_ms = self.now_ms;
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let soonest = now_ms.max(wire.stalled_until_ms) + delay;
        // In order: TCP.
        let arrives = soonest.max(wire.arrives_ms[side(to)]);
        wire.arrives_ms[side(to)] = arrives;
        self.after(arrives - now_ms, move |world| world.arrive(id, to, &frame));
    }

    fn arrive(&mut self, id: u32, to: End, frame: &[u8]) {
        let now = self.time();
        let Some(wire) = self.wires.get_mut(&id).filter(|wire| !wire.deaf[side(to)]) else { return };
        let violation = match (to, &self.boxes[wire.node].replica, &self.machines[wire.machine].process) {
            (End::Node, Some(replica), _) => wire.node_end.as_mut().and_then(|end| {
                let (own, state) = (replica.identity().origin, replica.state());
                end.hear(frame, own, state.heads(), &state.keys(), now).err().map(|fault| fault.to_string())
            }),
            (End::Relay, _, Some(process)) => wire.relay_end.as_mut().and_then(|end| {
                let heads = process.site.heads().borrow().clone();
                end.hear(frame, &heads, &process.site.keys(), now).err().map(|end| end.to_string())
            }),
            (End::Node, None, _) | (End::Relay, _, None) => None,
        };
        let Some(why) = violation else { return self.pump(id, to) };
        // A process that has not heard what another one wrote is told so by a node that has it from its sibling: it dials again.
        let behind = self.plan.lan && why.contains("ack_beyond") && self.trace.rare.contains_key("two relay processes");
        // Of two boxes under one name each is told what the other's log has.
        if !self.reference.is_branching() && !behind {
            return self.found(Finding::new("protocol violation", format!("at the {to:?}: {why}")));
        }
        self.trace.rare(if behind {
            "relay process behind its nodes"
        } else {
            "violation between two boxes with one identity"
        });
        match to {
            End::Node => self.node_ends(id, &why),
            End::Relay => self.relay_ends(id, &why),
        }
    }

    fn set_timer(&mut self, id: u32, end: End) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let next = match end {
            End::Node => wire.node_end.as_ref().and_then(node_core::LinkCore::poll_timeout),
            End::Relay => wire.relay_end.as_ref().and_then(relay_core::LinkCore::poll_timeout),
        };
        let Some((at, _)) = next else { return };
        let now_ms = self.now_ms;
        let due_ms = at.0.saturating_sub(crate::sim::world::EVENING.0).max(now_ms + 1);
        let timer = &mut wire.timer_ms[side(end)];
        // One that fires too early looks again.
        if timer.is_some_and(|set| set <= due_ms && set > now_ms) {
            return;
        }
        *timer = Some(due_ms);
        self.after(due_ms - now_ms, move |world| world.timed_out(id, end, due_ms));
    }

    fn timed_out(&mut self, id: u32, end: End, due_ms: u64) {
        let now: Timestamp = self.time();
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if wire.timer_ms[side(end)] != Some(due_ms) {
            return;
        }
        wire.timer_ms[side(end)] = None;
        let over = match end {
            End::Node => {
                wire.node_end.as_mut().and_then(|end| end.handle_timeout(now).err()).map(|why| why.to_string())
            }
            End::Relay => {
                wire.relay_end.as_mut().and_then(|end| end.handle_timeout(now).err()).map(|why| why.to_string())
            }
        };
        match (over, end) {
            (None, _) => self.pump(id, end),
            (Some(why), End::Node) => {
                self.trace.rare("silent peer given up");
                self.node_ends(id, &why);
            }
            (Some(why), End::Relay) => {
                self.trace.rare("silent peer given up");
                self.relay_ends(id, &why);
            }
        }
    }

    /// The node's end is over; the other hears of it, unless the cable is dead.
    pub(super) fn node_ends(&mut self, id: u32, why: &str) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if wire.node_end.take().is_none() {
            return;
        }
        let (at, since_ms) = (wire.node, wire.since_ms);
        self.note(format_args!("wire {id}: box {at} hangs up: {why}"));
        if self.boxes[at].wire == Some(id) {
            self.boxes[at].wire = None;
        }
        if self.now_ms - since_ms >= GOOD_MS_MIN {
            self.boxes[at].backoff.reset();
        }
        self.hang_up(id, End::Node);
        self.dial_soon(at);
    }

    /// The relay's end is over.
    pub(super) fn relay_ends(&mut self, id: u32, why: &str) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let Some(core) = wire.relay_end.take() else { return };
        wire.wants = None;
        let machine = wire.machine;
        let now = self.shown(self.machines[machine].skew_ms);
        self.note(format_args!("wire {id}: relay {machine} hangs up: {why}"));
        if let Some(process) = &self.machines[machine].process {
            process.site.link.down(core.number(), now);
        }
        self.hang_up(id, End::Relay);
    }

    fn hang_up(&mut self, id: u32, by: End) {
        let Some(wire) = self.wires.get(&id) else { return };
        if wire.node_end.is_none() && wire.relay_end.is_none() {
            self.wires.remove(&id);
            return;
        }
        if wire.deaf[side(by.other())] {
            // Nobody hears the goodbye: the other end finds out by itself.
            return;
        }
        let delay = self.between(5, 80);
        self.after(delay, move |world| match by.other() {
            End::Node => world.node_ends(id, "the other side hung up"),
            End::Relay => world.relay_ends(id, "the other side hung up"),
        });
    }

    /// A cable is pulled: both ends notice at once, and what was under way is lost.
    pub fn cut(&mut self, id: u32) {
        self.node_ends(id, "the connection was lost");
        self.relay_ends(id, "the connection was lost");
    }

    pub(super) fn drop_wire_of(&mut self, at: usize) {
        self.drop_lan_of(at);
        if let Some(id) = self.boxes[at].wire.take() {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.node_end = None;
            }
            // A machine without power says no goodbye; its peer's system may notice, or nobody does.
            if self.chance(500) {
                self.relay_ends(id, "the connection was reset");
            } else if let Some(wire) = self.wires.get_mut(&id) {
                wire.deaf = [true; 2];
            }
        }
    }

    pub(super) fn drop_wires_at(&mut self, machine: usize) {
        let ids: Vec<u32> = self.wires.iter().filter(|(_, wire)| wire.machine == machine).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(wire) = self.wires.get_mut(&id) {
                wire.relay_end = None;
                wire.wants = None;
            }
            // The machine lives on and resets what its process held.
            self.hang_up(id, End::Relay);
        }
    }

    /// Whether a machine's connection carries both ways and both ends have greeted.
    #[must_use]
    pub fn is_online(&self, at: usize) -> bool {
        let Some(wire) = self.boxes[at].wire.and_then(|id| self.wires.get(&id)) else { return false };
        let up = self.machines[wire.machine].process.as_ref().is_some_and(|process| {
            let number = wire.relay_end.as_ref().map(relay_core::LinkCore::number);
            number.is_some_and(|number| process.site.link.links().is_up(number))
        });
        up && wire.node_end.is_some() && wire.deaf == [false; 2]
    }
}

fn answer<A: Send + 'static>(answer: A) -> pilotlight_node::store::store_handle::Plan<A> {
    pilotlight_node::store::store_handle::Plan::answer_only(pilotlight_sync::domain::role::Actor::System, answer)
}
