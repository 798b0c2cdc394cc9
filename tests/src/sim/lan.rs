//! Cables between the restaurant's own machines: two nodes of the site with the real session at both ends, without a relay between them.
//!
//! One node of each pair dials, the other one listens; both do the same after the greeting.

use crate::sim::checks::Finding;
use crate::sim::relay;
use crate::sim::world::{BACKOFF_MS_MAX, EVENING, World};
use pilotlight_node::config::LinkConfig;
use pilotlight_node::uplink::link_core::{Done, LinkCore, LinkFault, News, config};
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::protocol::{Session, Side, Want};
use std::collections::BTreeMap;

/// A pair that is not connected looks for each other this often.
const LOOK_MS: u64 = 6_000;

/// One connection.
#[derive(Debug)]
pub struct LanWire {
    /// Between these machines: the first dialled, the other one listens.
    pub boxes: [usize; 2],
    /// Frames towards each vanish.
    pub deaf: [bool; 2],
    /// Nothing arrives before.
    pub stalled_until_ms: u64,
    ends: [Option<LinkCore>; 2],
    /// Under which origin each end writes.
    origins: [OriginId; 2],
    arrives_ms: [u64; 2],
    timer_ms: [Option<u64>; 2],
}

impl World {
    /// Machines of each pair of places look for each other from now on.
    pub(super) fn lan_begins(&mut self) {
        if !self.plan.lan {
            return;
        }
        for dialler in 1..self.plan.nodes {
            for listener in 0..dialler {
                self.after(1_000, move |world| world.look_for_sibling(dialler, listener));
            }
        }
    }

    fn look_for_sibling(&mut self, dialler: usize, listener: usize) {
        let delay = LOOK_MS + self.between(0, 2_000);
        self.after(delay, move |world| world.look_for_sibling(dialler, listener));
        let boxes = [self.beside(dialler), self.beside(listener)];
        let linked = self.lan.values().any(|wire| wire.boxes == boxes && wire.ends.iter().all(Option::is_some));
        let on = boxes.iter().all(|at| self.boxes[*at].replica.is_some() && !self.boxes[*at].retired);
        if !linked && on && self.now_ms >= self.lan_outage_until_ms {
            self.link_siblings(boxes);
        }
    }

    fn link_siblings(&mut self, boxes: [usize; 2]) {
        let now = self.time();
        let timers =
            LinkConfig { ping_ms: relay::LINKS.ping_ms, dead_ms: relay::LINKS.dead_ms, backoff_max_ms: BACKOFF_MS_MAX };
        let id = self.lan_made;
        let mut made = Vec::new();
        for (end, side) in [Side::Dialer, Side::Listener { epoch: u64::from(id) + 1 }].into_iter().enumerate() {
            let (Some(replica), Some(other)) = (&self.boxes[boxes[end]].replica, &self.boxes[boxes[1 - end]].replica)
            else {
                return;
            };
            let card = other.identity().card();
            let heads = replica.state().heads().clone();
            let config = config(replica, relay::site(), side, (card.origin, card.key), &timers);
            let own = config.own;
            match Session::new(config, heads.clone(), now) {
                Ok(session) => made.push((own, LinkCore::new(session, own, &heads))),
                Err(error) => return self.found(Finding::new("too many origins", error.to_string())),
            }
        }
        let Ok([(dialler, first), (listener, second)]) = <[_; 2]>::try_from(made) else { return };
        self.lan_made += 1;
        let wire = LanWire {
            boxes,
            deaf: [false; 2],
            stalled_until_ms: 0,
            ends: [Some(first), Some(second)],
            origins: [dialler, listener],
            arrives_ms: [self.now_ms; 2],
            timer_ms: [None; 2],
        };
        self.lan.insert(id, wire);
        self.note(format_args!("lan {id}: box {} to box {}", boxes[0], boxes[1]));
        self.pump_lan(id, 0);
        self.pump_lan(id, 1);
    }

    /// Every cable of a machine is told where its logs end now.
    pub(super) fn tell_lan_of(
        &mut self,
        at: usize,
        own: OriginId,
        heads: &BTreeMap<OriginId, Head>,
        keys: &BTreeMap<OriginId, [u8; 32]>,
    ) {
        for (id, end) in self.lan_ends_of(at) {
            let Some(core) = self.lan_end(id, end) else { continue };
            match core.durable(own, heads, keys) {
                Ok(()) => self.pump_lan(id, end),
                Err(fault) => self.lan_end_is_over(id, end, &fault.to_string()),
            }
        }
    }

    /// A machine asks its siblings for rights.
    pub(super) fn wish_on_lan(&mut self, at: usize, wants: &[Want]) {
        for (id, end) in self.lan_ends_of(at) {
            if let Some(core) = self.lan_end(id, end) {
                core.want(wants.to_vec());
                self.pump_lan(id, end);
            }
        }
    }

    /// A machine has no power: its siblings' systems may notice, or nobody does.
    pub(super) fn drop_lan_of(&mut self, at: usize) {
        for (id, end) in self.lan_ends_of(at) {
            let noticed = self.chance(500);
            if let Some(wire) = self.lan.get_mut(&id) {
                wire.ends[end] = None;
                if !noticed {
                    wire.deaf = [true; 2];
                }
            }
            self.lan_end_is_over(id, 1 - end, "the connection was reset");
        }
    }

    /// A cable is pulled: both ends notice at once.
    pub fn cut_lan(&mut self, id: u32) {
        for end in 0..2 {
            self.lan_end_is_over(id, end, "the connection was lost");
        }
        self.lan.remove(&id);
    }

    /// Whether this machine dials that one, and the cable carries something both ways.
    pub(super) fn is_dialled(&self, from: usize, to: usize) -> bool {
        let whole = |wire: &LanWire| wire.ends.iter().all(Option::is_some) && wire.deaf == [false; 2];
        self.lan.values().any(|wire| wire.boxes == [from, to] && whole(wire))
    }

    fn lan_ends_of(&self, at: usize) -> Vec<(u32, usize)> {
        let ends = self.lan.iter().flat_map(|(id, wire)| (0..2).map(move |end| (*id, end, wire.boxes[end])));
        ends.filter(|(_, _, of)| *of == at).map(|(id, end, _)| (id, end)).collect()
    }

    fn lan_end(&mut self, id: u32, end: usize) -> Option<&mut LinkCore> {
        self.lan.get_mut(&id)?.ends[end].as_mut()
    }

    /// Does what an end wants done until it wants nothing more.
    fn pump_lan(&mut self, id: u32, end: usize) {
        while let Some(wire) = self.lan.get_mut(&id) {
            let (at, by) = (wire.boxes[end], wire.origins[1 - end]);
            let Some(core) = wire.ends[end].as_mut() else { return };
            if let Some(news) = core.poll_news() {
                self.lan_news(at, by, news);
                continue;
            }
            if let Some(errand) = core.poll_errand() {
                self.node_errand(at, errand, move |world, done| world.lan_done(id, end, done));
                continue;
            }
            match core.poll_frame() {
                Ok(Some(frame)) => self.carry_on_lan(id, 1 - end, frame),
                Ok(None) => break,
                Err(fault) => return self.lan_end_is_over(id, end, &fault.to_string()),
            }
        }
        self.set_lan_timer(id, end);
    }

    fn lan_news(&mut self, at: usize, by: OriginId, news: News) {
        match news {
            News::Open(_) => self.trace.rare("nodes linked without the relay"),
            News::Acked { .. } => {}
            News::Forked => {
                self.trace.rare("forked towards a sibling");
                self.note(format_args!("box {at} hears from its sibling that it is forked"));
            }
            // Only the relay's word says which of two logs is the branch.
            News::RetryAfter(ms) => self.found(Finding::new("sent away by a sibling", format!("for {ms} ms"))),
            News::Parted(_) => self.found(Finding::new("a sibling ends a name", format!("box {at}, by {by}"))),
            News::Wanted(wants) => {
                self.wished(at, by, wants.into_iter().map(|want| (want.ingredient, want.amount)).collect());
            }
        }
    }

    fn lan_done(&mut self, id: u32, end: usize, done: Done) {
        let now = self.time();
        let Some(core) = self.lan_end(id, end) else { return };
        match core.done(done, now) {
            Ok(()) => self.pump_lan(id, end),
            Err(fault) => {
                if let LinkFault::Apply(error) = &fault {
                    let text = error.to_string();
                    self.broken_by_a_branch("a node cannot apply its sibling's log", text);
                }
                self.lan_end_is_over(id, end, &fault.to_string());
            }
        }
    }

    fn carry_on_lan(&mut self, id: u32, to: usize, frame: Vec<u8>) {
        let delay = self.between(1, 15);
        let now_ms = self.now_ms;
        let Some(wire) = self.lan.get_mut(&id) else { return };
        let arrives = (now_ms.max(wire.stalled_until_ms) + delay).max(wire.arrives_ms[to]);
        wire.arrives_ms[to] = arrives;
        self.after(arrives - now_ms, move |world| world.arrive_on_lan(id, to, &frame));
    }

    fn arrive_on_lan(&mut self, id: u32, to: usize, frame: &[u8]) {
        let now = self.time();
        let Some(wire) = self.lan.get_mut(&id).filter(|wire| !wire.deaf[to]) else { return };
        let Some((core, replica)) = wire.ends[to].as_mut().zip(self.boxes[wire.boxes[to]].replica.as_ref()) else {
            return;
        };
        let (own, state) = (replica.identity().origin, replica.state());
        match core.hear(frame, own, state.heads(), &state.keys(), now) {
            Ok(()) => self.pump_lan(id, to),
            Err(fault) => {
                if !matches!(fault, LinkFault::Store) {
                    self.broken_by_a_branch("protocol violation", format!("between siblings: {fault}"));
                }
                self.lan_end_is_over(id, to, &fault.to_string());
            }
        }
    }

    /// Who has one end of a log and hears the other in the middle of a connection hangs up, and learns of the fork by the next greeting. Where
    /// there are no two ends of one log it must not be.
    fn broken_by_a_branch(&mut self, name: &'static str, what: String) {
        if self.healed || !self.reference.is_branching() {
            return self.found(Finding::new(name, what));
        }
        self.note(format_args!("{what}"));
        self.trace.rare("a branch broke a connection of siblings");
    }

    fn set_lan_timer(&mut self, id: u32, end: usize) {
        let now_ms = self.now_ms;
        let Some((at, _)) = self.lan_end(id, end).and_then(|core| core.poll_timeout()) else { return };
        let due_ms = at.0.saturating_sub(EVENING.0).max(now_ms + 1);
        let Some(wire) = self.lan.get_mut(&id) else { return };
        // One that fires too early looks again.
        if wire.timer_ms[end].is_some_and(|set| set <= due_ms && set > now_ms) {
            return;
        }
        wire.timer_ms[end] = Some(due_ms);
        self.after(due_ms - now_ms, move |world| world.lan_timed_out(id, end, due_ms));
    }

    fn lan_timed_out(&mut self, id: u32, end: usize, due_ms: u64) {
        let now = self.time();
        let Some(wire) = self.lan.get_mut(&id).filter(|wire| wire.timer_ms[end] == Some(due_ms)) else { return };
        wire.timer_ms[end] = None;
        let Some(core) = self.lan_end(id, end) else { return };
        match core.handle_timeout(now) {
            Ok(()) => self.pump_lan(id, end),
            Err(fault) => {
                self.trace.rare("silent sibling given up");
                self.lan_end_is_over(id, end, &fault.to_string());
            }
        }
    }

    /// One end is over; the other hears of it, unless the cable is dead.
    fn lan_end_is_over(&mut self, id: u32, end: usize, why: &str) {
        let Some(wire) = self.lan.get_mut(&id) else { return };
        let (at, deaf) = (wire.boxes[end], wire.deaf[1 - end]);
        let was_there = wire.ends[end].take().is_some();
        if wire.ends.iter().all(Option::is_none) {
            self.lan.remove(&id);
        }
        if !was_there {
            return;
        }
        self.note(format_args!("lan {id}: box {at} hangs up: {why}"));
        if !deaf {
            let delay = self.between(1, 20);
            self.after(delay, move |world| world.lan_end_is_over(id, 1 - end, "the other side hung up"));
        }
    }
}
