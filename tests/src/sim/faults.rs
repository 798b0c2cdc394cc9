//! The misfortunes: which there are, and when they strike.

use crate::sim::checks::Finding;
use crate::sim::disk::{Disk, FlushEnd, Kept};
use crate::sim::world::{NodeBox, SEATS, World};
use pilotlight_node::inventory::adopt;
use pilotlight_node::store::replica::Replica;
use pilotlight_node::store::store_handle::RunError;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::role::Actor;

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// A kind of misfortune.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its word on the command line.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

faults! {
    /// A node loses power, now or inside its next flush.
    NodeCrash = "node-crash",
    /// A sync fails, and the machine goes on.
    FailedFlush = "failed-flush",
    /// A process of the relay is killed, now or inside its next transaction.
    RelayCrash = "relay-crash",
    /// The node's store is put back from a backup, which has no identity.
    Restore = "restore",
    /// The node's store goes back, and its witness does not.
    RolledBack = "rolled-back",
    /// The node's whole disk goes back, witness and identity too.
    WholeDisk = "whole-disk",
    /// A second machine starts with a copy of the node's disk.
    Clone = "clone",
    /// A connection is cut.
    Cut = "cut",
    /// Frames of one direction, or of both, vanish.
    HalfOpen = "half-open",
    /// Frames wait for a while.
    Stall = "stall",
    /// No connection for a long time.
    Outage = "outage",
    /// A clock jumps.
    Clock = "clock",
    /// The bank is slow for a while.
    SlowGateway = "slow-gateway",
    /// Requests to the bank, or its answers, are lost.
    LostAnswers = "lost-answers",
    /// A second process of the relay starts, or the first ends in its favour.
    Handover = "handover",
    /// Answers to people's devices are lost.
    Wifi = "wifi",
}

/// Which misfortunes a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults(u32);

impl Faults {
    /// All of them.
    pub const ALL: Self = Self(u32::MAX);

    /// None.
    pub const NONE: Self = Self(0);

    /// Whether this kind is among them.
    #[must_use]
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u32) != 0
    }

    /// All but this kind.
    #[must_use]
    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u32))
    }

    /// The kinds that are missing.
    pub fn missing(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |fault| !self.has(*fault))
    }
}

impl World {
    /// From now on something goes wrong now and then.
    pub(super) fn faults_begin(&mut self) {
        let delay = self.between(20_000, 60_000);
        self.after(delay, Self::misfortune);
    }

    fn misfortune(&mut self) {
        if self.healed {
            return;
        }
        let fault = Fault::ALL[self.rng.below(Fault::ALL.len())];
        if self.plays(fault) {
            self.strike(fault);
        }
        let delay = self.between(4_000, 50_000);
        self.after(delay, Self::misfortune);
    }

    fn strike(&mut self, fault: Fault) {
        let at = self.some_box();
        match fault {
            Fault::NodeCrash => self.crash_node(at),
            Fault::FailedFlush => {
                if self.boxes[at].replica.is_some() {
                    let end = FlushEnd::ALL[self.rng.below(FlushEnd::ALL.len())];
                    self.boxes[at].disk.end_next_flush(Some(end));
                }
            }
            Fault::RelayCrash => self.strike_relay(),
            Fault::Restore | Fault::RolledBack | Fault::WholeDisk => self.disk_goes_back(fault),
            Fault::Clone => self.second_box(),
            Fault::Cut | Fault::HalfOpen | Fault::Stall => self.strike_wire(fault),
            Fault::Outage => {
                let length =
                    if self.chance(300) { self.between(200_000, 900_000) } else { self.between(5_000, 90_000) };
                self.note(format_args!("outage of {length} ms"));
                if length > 200_000 {
                    self.trace.rare("long outage");
                }
                self.outage_until_ms = self.now_ms + length;
                let ids: Vec<u32> = self.wires.keys().copied().collect();
                for id in ids {
                    if let Some(wire) = self.wires.get_mut(&id) {
                        wire.deaf = [true; 2];
                    }
                }
            }
            Fault::Clock => self.clock_jumps(),
            Fault::SlowGateway | Fault::LostAnswers => {
                let length = self.between(20_000, 120_000);
                self.bank_bad_until_ms = self.now_ms + length;
                self.note(format_args!("the bank is bad for {length} ms"));
            }
            Fault::Handover => self.handover(),
            // Struck at each answer.
            Fault::Wifi => {}
        }
    }

    /// One of the machines in service.
    fn some_box(&mut self) -> usize {
        let on: Vec<usize> = (0..self.boxes.len()).filter(|at| !self.boxes[*at].retired).collect();
        let choice = self.rng.below(on.len());
        on.get(choice).copied().unwrap_or(self.main)
    }

    fn crash_node(&mut self, at: usize) {
        if self.boxes[at].replica.is_none() {
            return;
        }
        if self.chance(500) {
            self.boxes[at].power_fails = true;
            let end = FlushEnd::ALL[self.rng.below(FlushEnd::ALL.len())];
            self.boxes[at].disk.end_next_flush(Some(end));
        } else {
            self.trace.rare("power cut between flushes");
            self.power_off(at);
            // A node is missed less where there is another.
            let long = self.has_siblings() && self.chance(200);
            let delay = if long { self.between(120_000, 400_000) } else { self.between(1_000, 40_000) };
            self.after(delay, move |world| world.boot(at));
        }
    }

    fn strike_relay(&mut self) {
        let at = self.rng.below(2);
        let inside = self.chance(600);
        let Some(process) = &self.machines[at].process else { return };
        if inside {
            process.arm(true);
        } else {
            self.trace.rare("relay killed between transactions");
            self.crash_relay(at);
        }
    }

    /// The disk of the one node goes back to what it was some time ago.
    fn disk_goes_back(&mut self, fault: Fault) {
        let mains = self.mains();
        let at = if self.has_siblings() { mains[self.rng.below(mains.len())] } else { self.main };
        let seat = self.boxes[at].seat;
        // One such thing at a time: a copy that is out there already is trouble enough.
        if self.in_service(seat).len() > 1 || self.boxes[at].replica.is_none() {
            return;
        }
        if self.reference.is_branching() {
            return;
        }
        let kept = self.boxes[at].disk.copy();
        let delay = self.between(10_000, 240_000);
        let boots = self.boxes[at].boots;
        self.after(delay, move |world| {
            let same = world.beside(at) == at && world.boxes[at].boots >= boots && !world.boxes[at].retired;
            let alone = world.in_service(seat).len() == 1;
            // Not back beyond a name that it has taken meanwhile: that copy is another machine's.
            let named = world.boxes[at].disk.look(|now| now.identity.as_ref().map(|one| one.origin))
                == kept.identity.as_ref().map(|one| one.origin);
            if !same || !alone || !named || world.healed || world.reference.is_branching() {
                return;
            }
            let (mut kept, now) = (kept, world.boxes[at].disk.copy());
            if fault == Fault::Restore {
                kept.identity = None;
                kept.witness = None;
                world.trace.rare("restored from a backup");
            } else if fault == Fault::RolledBack {
                kept.witness = now.witness;
                kept.identity = now.identity.clone();
                world.trace.rare("store behind its witness");
            } else {
                world.trace.rare("whole disk went back");
            }
            world.note(format_args!("{} at box {at}", fault.word()));
            world.power_off(at);
            let heads = kept.heads();
            world.boxes[at].disk.restore(kept);
            world.boxes[at].disk.end_next_flush(None);
            world.went_back(at, &now.heads(), &heads, fault == Fault::WholeDisk);
            let delay = world.between(2_000, 30_000);
            world.after(delay, move |world| world.boot(at));
        });
    }

    /// Somebody starts a second machine with a copy of the first one's disk.
    fn second_box(&mut self) {
        let at = self.main;
        if self.boxes[at].replica.is_none() || self.reference.is_branching() {
            return;
        }
        self.trace.rare("two boxes with one identity");
        let kept = self.boxes[at].disk.copy();
        self.boxes.push(NodeBox::with(Disk::with(kept), self.boxes[at].seat));
        let second = self.boxes.len() - 1;
        self.note(format_args!("box {second} is a copy of box {at}"));
        let upto = self.boxes[at].disk.look(|kept| kept.heads());
        self.reference.copied(&upto);
        self.boot(second);
        // Nobody notices for ever: in the end somebody wonders why there are two.
        let delay = self.between(120_000, 400_000);
        self.after(delay, move |world| world.end_of_two());
    }

    /// A box was told that the relay has another log of it, and goes on under another name: a person looks whether the old machine is
    /// on somewhere.
    pub(super) fn fork_noticed(&mut self, at: usize) {
        let delay = self.between(5_000, 60_000);
        self.after(delay, move |world| {
            let seat = world.boxes[at].seat;
            if !world.boxes[at].retired && world.in_service(seat).len() == 1 {
                world.take_over_others(at);
            }
        });
    }

    /// A manager states that every other machine is off: the one that is left takes over what is known of their stock.
    pub(super) fn take_over_others(&mut self, at: usize) {
        if self.boxes[at].retired {
            return;
        }
        let Some(replica) = &self.boxes[at].replica else {
            return self.after(10_000, move |world| world.take_over_others(at));
        };
        // Those that are on are no old machines.
        let is_on = |of: &OriginId| self.boxes.iter().any(|node| !node.retired && node.is_called(of));
        for of in adopt::others(replica).into_iter().filter(|of| !is_on(of)).collect::<Vec<_>>() {
            self.note(format_args!("box {at} takes over from {of}"));
            let plan = move |replica: &Replica, now| adopt::plan(replica, now, Actor::System, of);
            self.ask(at, plan, move |world, at, outcome| match outcome {
                Ok(adopted) if adopted.amounts.is_empty() => {}
                Ok(_) => world.trace.rare("rights taken over"),
                Err(RunError::Unknown | RunError::Closed) => {
                    world.after(10_000, move |world| world.take_over_others(at))
                }
                Err(error) => world.found(Finding::new("stock cannot be taken over", format!("{of}: {error:?}"))),
            });
        }
    }

    /// Two machines with one identity are too many: one of them is switched off, once the relay has all that it did. Now and then it is
    /// just taken away.
    pub(super) fn end_of_two(&mut self) {
        let on = self.in_service(0);
        if on.len() < 2 {
            return;
        }
        let at = on[self.rng.below(on.len())];
        let stolen = !self.healed && self.chance(150);
        if stolen || self.is_at_relay(at) {
            self.retire(at, stolen);
        } else {
            self.after(20_000, Self::end_of_two);
        }
    }

    /// Whether the relay has every commit of this box's disk.
    fn is_at_relay(&mut self, at: usize) -> bool {
        if self.boxes[at].disk.look(Kept::is_parted) {
            return false;
        }
        let heads = self.boxes[at].disk.look(Kept::heads);
        let Some(machine) = self.machines.iter().position(|machine| machine.process.is_some()) else { return false };
        let there = self.at_relay(machine, |process| {
            let store = process.site.store(&process.database);
            process.block(async move {
                for (origin, head) in heads {
                    if !store.hash_at(&origin, head.seq).await.is_ok_and(|hash| hash == Some(head.hash)) {
                        return false;
                    }
                }
                true
            })
        });
        there == Some(true)
    }

    /// Takes a machine out of service; what it was told alone, it takes along when it is stolen.
    fn retire(&mut self, at: usize, stolen: bool) {
        self.note(format_args!("box {at} is taken out of service{}", if stolen { ", stolen" } else { "" }));
        self.power_off(at);
        self.boxes[at].retired = true;
        if stolen {
            self.trace.rare("promise lost with its only disk");
        }
        self.reference.box_has_gone(SEATS[self.boxes[at].seat], at, stolen);
        let Some(left) = self.in_service(0).first().copied() else {
            return self.found(Finding::new("world", "no box is left".to_owned()));
        };
        self.main = left;
        let delay = self.between(5_000, 60_000);
        self.after(delay, move |world| world.take_over_others(left));
    }

    /// A cable between the restaurant's own machines, or all of them for a while.
    fn strike_lan(&mut self, fault: Fault) {
        let ids: Vec<u32> = self.lan.keys().copied().collect();
        let (both, length) = (self.chance(400), self.between(5_000, 240_000));
        let now_ms = self.now_ms;
        if self.chance(300) {
            self.note(format_args!("the machines are cut off from each other for {length} ms"));
            self.trace.rare("nodes cut off from each other");
            self.lan_outage_until_ms = now_ms + length;
            self.lan.values_mut().for_each(|wire| wire.deaf = [true; 2]);
            return;
        }
        if ids.is_empty() {
            return;
        }
        let id = ids[self.rng.below(ids.len())];
        self.note(format_args!("lan {id}: {}", fault.word()));
        if fault == Fault::Cut {
            return self.cut_lan(id);
        }
        let Some(wire) = self.lan.get_mut(&id) else { return };
        if fault == Fault::Stall {
            wire.stalled_until_ms = now_ms + length.min(40_000);
        } else {
            wire.deaf = if both { [true; 2] } else { [true, false] };
        }
    }

    fn strike_wire(&mut self, fault: Fault) {
        if self.plan.lan && self.chance(500) {
            return self.strike_lan(fault);
        }
        let ids: Vec<u32> = self.wires.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let id = ids[self.rng.below(ids.len())];
        let (both, first, length) = (self.chance(400), self.chance(500), self.between(500, 40_000));
        let now_ms = self.now_ms;
        self.note(format_args!("wire {id}: {}", fault.word()));
        if fault == Fault::Cut {
            self.trace.rare("cut with frames under way");
            return self.cut(id);
        }
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if fault == Fault::Stall {
            wire.stalled_until_ms = now_ms + length;
        } else {
            wire.deaf = if both { [true; 2] } else { [first, !first] };
            self.trace.rare("half-open connection");
        }
    }

    fn clock_jumps(&mut self) {
        const DAY_MS: i64 = 86_400_000;
        let sizes = [2_000, 90_000, 1_200_000, DAY_MS, 5 * DAY_MS].map(|size| [size, -size]).concat();
        let skew = if self.chance(250) { 0 } else { sizes[self.rng.below(sizes.len())] };
        if skew.abs() > 600_000 {
            self.reference.out_of_order = true;
            self.trace.rare("clock off by more than ten minutes");
        }
        if skew.abs() > 3 * DAY_MS {
            self.trace.rare("clock off by days");
        }
        if self.chance(650) {
            let at = self.some_box();
            self.boxes[at].skew_ms = skew;
            self.note(format_args!("box {at}'s clock is off by {skew} ms"));
        } else {
            // The relay's machines keep time by a server: a little off at most.
            let (at, skew) = (self.rng.below(2), skew.clamp(-2_000, 2_000));
            self.machines[at].skew_ms = skew;
            self.note(format_args!("relay {at}'s clock is off by {skew} ms"));
        }
    }

    fn handover(&mut self) {
        let started = if self.machines[1].process.is_none() { self.start_relay(1) } else { self.start_relay(0) };
        if let Err(error) = started {
            return self.found(Finding::new("relay does not start", format!("{error:#}")));
        }
        self.trace.rare("two relay processes");
        let (at, delay) = (self.rng.below(2), self.between(20_000, 120_000));
        self.after(delay, move |world| {
            if world.machines.iter().all(|machine| machine.process.is_some()) {
                world.note(format_args!("relay {at} is shut down for good"));
                world.trace.rare("relay handover");
                world.machines[at].process = None;
                world.machines[at].starts += 1;
                world.drop_wires_at(at);
            }
        });
    }
}
