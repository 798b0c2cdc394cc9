//! One run: a restaurant, its relay, its people and its misfortunes on one line of virtual time, all from one seed.
//!
//! Everything happens as a step of one queue, ordered by time and then by when it was asked for. Nothing reads a clock, draws a random
//! number or waits: steps do. The node's and the relay's own decisions are the product's code; what is modelled here is what lies
//! between and around them.

use crate::seeded::Seeded;
use crate::sim::checks::{self, Finding};
use crate::sim::disk::{Disk, Kept};
use crate::sim::faults::{Fault, Faults};
use crate::sim::gateway::{Answer, Asked, Ledger};
use crate::sim::people::People;
use crate::sim::reference::Reference;
use crate::sim::relay::{self, Process};
use crate::sim::stockroom::Stockroom;
use crate::sim::tenders::{self, Tenders};
use crate::sim::till::Till;
use crate::sim::trace::Trace;
use pilotlight_edge::clock::Clock;
use pilotlight_node::archive::Archive;
use pilotlight_node::inventory::share;
use pilotlight_node::live::gone_back;
use pilotlight_node::opening::{self, Verdict};
use pilotlight_node::orders::accept;
use pilotlight_node::store::identity::Identity;
use pilotlight_node::store::replica::{Flushed, Position, Replica};
use pilotlight_node::store::store_handle::{Plan as NodePlan, PlanError, RunError, job_of, job_of_parting};
use pilotlight_node::store::store_thread::{Job, run_group};
use pilotlight_node::uplink::backoff::Backoff;
use pilotlight_relay::store::site_rows::NodeNo;
use pilotlight_sync::domain::id::{IngredientId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt::Arguments;
use std::path::PathBuf;
use std::sync::Arc;

/// 2026-11-21T18:00:00Z: when every run begins.
pub const EVENING: Timestamp = Timestamp(1_795_284_000_000);
/// The longest wait between two attempts to reach the relay.
pub(super) const BACKOFF_MS_MAX: u64 = 30_000;
/// The relay gives a call to the bank up after this time.
const BANK_MS_MAX: u64 = 10_000;
/// Rounds of the relay, and the node's look at orders of the relay, this often at least.
const ROUNDS_MS: u64 = 8_000;
const TEND_MS: u64 = 30_000;
/// The relay gets more of one ingredient at most this often.
const WISH_MS: u64 = 5_000;
/// Requests that the store thread runs in one group.
const GROUP_MAX: usize = 64;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Faults all the time: nothing bad may happen.
    Safety,
    /// Faults, then a healed world: everything must come to a good end.
    Liveness,
}

/// All that a run depends on.
#[derive(Debug, Clone)]
pub struct Plan {
    /// From which everything is drawn.
    pub seed: u64,
    /// What for.
    pub mode: Mode,
    /// Steps with faults.
    pub steps: u32,
    /// Nodes of the restaurant, 1 to 3: at the counter, at the bar, a spare.
    pub nodes: usize,
    /// They are also connected with each other.
    pub lan: bool,
    /// Which faults.
    pub faults: Faults,
    /// Prints every line of the trace.
    pub loud: bool,
}

type Step = Box<dyn FnOnce(&mut World)>;
type Then = Box<dyn FnOnce(&mut World, usize)>;

/// Places of the restaurant where a node stands, as replicas are called in findings.
pub const SEATS: [&str; 3] = ["node", "bar", "spare"];
/// What the first origin at each place begins its numbers with.
const LETTERS: [&str; 3] = ["A", "B", "C"];

/// A machine in the restaurant.
pub struct NodeBox {
    /// At which of the places: a second machine at one of them is a copy of the first.
    pub seat: usize,
    /// Its disk: it outlives everything else.
    pub disk: Disk,
    /// The open store; none while the machine is off or starting.
    pub replica: Option<Replica>,
    /// How far its clock is off, in milliseconds.
    pub skew_ms: i64,
    /// Starts so far: what waited for an earlier one is gone.
    pub boots: u32,
    /// It was taken out of service.
    pub retired: bool,
    /// Power goes with the next flush that fails; otherwise the store is opened again at once.
    pub power_fails: bool,
    pub(super) wire: Option<u32>,
    pub(super) backoff: Backoff,
    pub(super) dialling: bool,
    queue: VecDeque<(Job, Then)>,
    turning: bool,
    tending: bool,
    /// Turns of it that were asked for: the newest counts.
    tends: u64,
    last_held: Option<Timestamp>,
    wishes: BTreeMap<IngredientId, u64>,
}

impl NodeBox {
    pub(super) fn with(disk: Disk, seat: usize) -> Self {
        Self {
            seat,
            disk,
            replica: None,
            skew_ms: 0,
            boots: 0,
            retired: false,
            power_fails: false,
            wire: None,
            backoff: Backoff::new(BACKOFF_MS_MAX),
            dialling: false,
            queue: VecDeque::new(),
            turning: false,
            tending: false,
            tends: 0,
            last_held: None,
            wishes: BTreeMap::new(),
        }
    }

    /// Whether its disk says that this is its name.
    pub(super) fn is_called(&self, origin: &OriginId) -> bool {
        self.disk.look(|kept| kept.identity.as_ref().is_some_and(|identity| identity.origin == *origin))
    }
}

/// A machine in the cloud.
#[derive(Debug)]
pub struct Machine {
    /// The process on it, when it runs.
    pub process: Option<Process>,
    /// Starts so far.
    pub starts: u32,
    /// How far its clock is off, in milliseconds.
    pub skew_ms: i64,
    working: bool,
}

/// A call to the bank that is under way.
struct Call {
    machine: usize,
    starts: u32,
    asked: Asked,
}

/// Everything.
pub struct World {
    /// What the run is.
    pub plan: Plan,
    /// The one source of chance.
    pub rng: Seeded,
    /// Virtual time since the beginning, in milliseconds.
    pub now_ms: u64,
    /// What happened.
    pub trace: Trace,
    /// Machines in the restaurant.
    pub boxes: Vec<NodeBox>,
    /// Which of them the restaurant works with at the counter.
    pub main: usize,
    /// The end of the log that the kitchen's screen saw last.
    pub seen: Option<Position>,
    /// Machines in the cloud.
    pub machines: [Machine; 2],
    /// The bank's own books.
    pub ledger: Ledger,
    /// What people were told.
    pub reference: Reference,
    /// Who they are and what they are at.
    pub people: People,
    /// What cashiers were told.
    pub till: Till,
    /// What was to be booked in the stockroom.
    pub stockroom: Stockroom,
    /// What people have given for orders in the restaurant.
    pub tenders: Tenders,
    /// Faults may happen, and people begin new things.
    pub healed: bool,
    /// No connection between restaurant and cloud until then.
    pub outage_until_ms: u64,
    /// The bank is slow and forgetful until then.
    pub bank_bad_until_ms: u64,
    /// The first thing that must not be.
    pub finding: Option<Finding>,
    /// Steps so far.
    pub steps: u32,
    pub(super) wires: BTreeMap<u32, crate::sim::wire::Wire>,
    pub(super) wires_made: u32,
    pub(super) lan: BTreeMap<u32, crate::sim::lan::LanWire>,
    pub(super) lan_made: u32,
    pub(super) lan_outage_until_ms: u64,
    pub(super) newest_session: BTreeMap<NodeNo, u64>,
    queue: BTreeMap<(u64, u64), Step>,
    asked_for: u64,
    calls: BTreeMap<u64, Call>,
    calls_made: u64,
    database: PathBuf,
    archive: Arc<Archive>,
    identities: u64,
    _dir: tempfile::TempDir,
}

impl std::fmt::Debug for NodeBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeBox").field("boots", &self.boots).field("retired", &self.retired).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("plan", &self.plan).field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

impl World {
    /// A world before its first step: the restaurant has a menu and stock, the relay runs, nobody has dialled.
    pub fn new(plan: Plan) -> anyhow::Result<Self> {
        // Memory where there is such a directory: the database's syncs would be the machine's.
        let shm = std::path::Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm)? } else { tempfile::tempdir()? };
        let database = relay::lay_out(dir.path())?;
        let archive = Arc::new(Archive::open(&dir.path().join("archive")));
        let machine = || Machine { process: None, starts: 0, skew_ms: 0, working: false };
        let rng = Seeded::new(plan.seed ^ 0x5151_5151_0000_0000);
        let nodes = plan.nodes.clamp(1, SEATS.len());
        let mut world = Self {
            trace: Trace::new(plan.loud),
            plan,
            rng,
            now_ms: 0,
            boxes: (0..nodes).map(|seat| NodeBox::with(Disk::default(), seat)).collect(),
            main: 0,
            seen: None,
            machines: [machine(), machine()],
            ledger: Ledger::default(),
            reference: Reference::default(),
            people: People::default(),
            till: Till::default(),
            stockroom: Stockroom::default(),
            tenders: Tenders::default(),
            healed: false,
            outage_until_ms: 0,
            bank_bad_until_ms: 0,
            finding: None,
            steps: 0,
            wires: BTreeMap::new(),
            wires_made: 0,
            lan: BTreeMap::new(),
            lan_made: 0,
            lan_outage_until_ms: 0,
            newest_session: BTreeMap::new(),
            queue: BTreeMap::new(),
            asked_for: 0,
            calls: BTreeMap::new(),
            calls_made: 0,
            database,
            archive,
            identities: 0,
            _dir: dir,
        };
        world.start_relay(0)?;
        world.boot(0);
        world.set_up_shop();
        for at in 1..nodes {
            world.boot(at);
        }
        world.people_begin();
        world.tills_begin();
        world.stockroom_begins();
        world.lan_begins();
        world.faults_begin();
        Ok(world)
    }

    /// Runs steps until so many were done, nothing waits, or something is found.
    pub fn run(&mut self, steps: u32) {
        let until = self.steps.saturating_add(steps);
        while self.steps < until && self.finding.is_none() {
            let Some(((at_ms, _), step)) = self.queue.pop_first() else { return };
            self.now_ms = self.now_ms.max(at_ms);
            self.steps += 1;
            step(self);
        }
    }

    /// Runs until this virtual time, or something is found.
    pub fn run_until(&mut self, until_ms: u64) {
        while self.finding.is_none() && self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= until_ms) {
            self.run(1);
        }
        self.now_ms = self.now_ms.max(until_ms);
    }

    /// Does it after this time.
    pub fn after(&mut self, delay_ms: u64, step: impl FnOnce(&mut Self) + 'static) {
        let key = (self.now_ms + delay_ms, self.asked_for);
        self.asked_for += 1;
        self.queue.insert(key, Box::new(step));
    }

    /// True time.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        EVENING.plus_ms(self.now_ms)
    }

    /// What a clock that is off by this shows.
    #[must_use]
    pub fn shown(&self, skew_ms: i64) -> Timestamp {
        Timestamp(self.time().0.saturating_add_signed(skew_ms))
    }

    /// Notes what happens.
    pub fn note(&mut self, what: Arguments<'_>) {
        self.trace.note(self.now_ms, what);
    }

    /// Something must not be: the run ends.
    pub fn found(&mut self, finding: Finding) {
        self.note(format_args!("FOUND {finding}"));
        self.finding.get_or_insert(finding);
    }

    /// Whether something of this likelihood happens: `per_mille` of a thousand times.
    pub fn chance(&mut self, per_mille: usize) -> bool {
        self.rng.below(1_000) < per_mille
    }

    /// A time between two, in milliseconds.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.rng.next_u64() % (most - least + 1)
    }

    /// Whether faults of this kind are played now.
    #[must_use]
    pub fn plays(&self, fault: Fault) -> bool {
        !self.healed && self.plan.faults.has(fault)
    }

    // ---- The restaurant's machines ----

    /// Whether the restaurant has more than one node.
    #[must_use]
    pub fn has_siblings(&self) -> bool {
        self.plan.nodes > 1
    }

    /// Machines at a place that are in service.
    #[must_use]
    pub fn in_service(&self, seat: usize) -> Vec<usize> {
        (0..self.boxes.len()).filter(|at| self.boxes[*at].seat == seat && !self.boxes[*at].retired).collect()
    }

    /// The machine that people work with at the place where this one stands.
    #[must_use]
    pub fn beside(&self, at: usize) -> usize {
        if self.boxes[at].seat == 0 { self.main } else { at }
    }

    /// The places' machines that people work with.
    #[must_use]
    pub fn mains(&self) -> Vec<usize> {
        std::iter::once(self.main).chain((0..self.boxes.len()).filter(|at| self.boxes[*at].seat > 0)).collect()
    }

    /// Starts a machine: judges its disk as the shipped node does, reads the store, looks at what was promised.
    pub fn boot(&mut self, at: usize) {
        if self.boxes[at].retired || self.boxes[at].replica.is_some() {
            return;
        }
        let node = &mut self.boxes[at];
        node.boots += 1;
        let disk = node.disk.clone();
        let now = self.shown(self.boxes[at].skew_ms);
        let known = disk.look(|kept| kept.identity.clone());
        let said = disk.look(|kept| kept.witness.filter(|(of, _)| known.as_ref().is_some_and(|one| one.origin == *of)));
        let empty = disk.look(|kept| kept.heads().is_empty());
        let verdict = opening::judge(&disk.open(), known.as_ref(), said.map(|(_, head)| head));
        let identity = match (verdict, known) {
            (Ok(Verdict::GoesOn), Some(identity)) => {
                let ends = disk.look(|kept| kept.heads().get(&identity.origin).map_or(0, |head| head.seq));
                if let Some((_, head)) = said.filter(|(_, head)| head.seq > ends) {
                    let what = format!("box {at} goes on at {ends}, and its witness has seen {}", head.seq);
                    return self.found(Finding::new("goes on under a name that is further", what));
                }
                identity
            }
            (Ok(Verdict::GoesOn | Verdict::Anew), known) => {
                let identity = self.new_identity(self.boxes[at].seat, known.as_ref(), empty);
                self.boxes[at].disk.set_identity(identity.clone());
                if !empty {
                    self.trace.rare("fence");
                }
                identity
            }
            (Ok(Verdict::Gone), _) => return self.found(Finding::new("store gone", format!("box {at}"))),
            (Err(error), _) => return self.found(Finding::new("unreadable store", error.to_string())),
        };
        let origin = identity.origin;
        match opening::take_up(disk.open(), identity, self.archive.clone(), now) {
            Ok(replica) => {
                let head = replica.position().head;
                self.boxes[at].replica = Some(replica);
                self.note(format_args!("box {at} is up as {origin} at {}", head.seq));
                checks::promises_kept(self, at);
                self.tell_head(at);
                self.tend_soon(at);
                self.dial_soon(at);
                self.screen_comes(at);
            }
            Err(error) if self.boxes[at].disk.was_struck() => {
                self.note(format_args!("box {at} could not open its store: {error}"));
                self.after(2_000, move |world| world.boot(at));
            }
            Err(error) => self.found(Finding::new("store does not open", error.to_string())),
        }
    }

    fn new_identity(&mut self, seat: usize, known: Option<&Identity>, first: bool) -> Identity {
        self.identities += 1;
        let mut seed = [0; 48];
        seed.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.rng.next_u64().to_le_bytes()));
        // Letters are random too in the shop; here they must not repeat by chance in a run of a few origins.
        let random = [u8::try_from(self.identities % 26).unwrap_or(0), seed[47] % 26];
        let letter = known.map_or(LETTERS[seat], |known| &known.letter);
        let letter = if first { LETTERS[seat].to_owned() } else { Identity::successor_letter(letter, random) };
        Identity::new(seed, letter)
    }

    /// Power goes: what was not on the disk is gone, and whoever waits hears nothing.
    pub fn power_off(&mut self, at: usize) {
        let node = &mut self.boxes[at];
        node.replica = None;
        node.power_fails = false;
        node.turning = false;
        node.tending = false;
        node.last_held = None;
        node.wishes.clear();
        let waiting: Vec<(Job, Then)> = node.queue.drain(..).collect();
        self.note(format_args!("box {at} is off"));
        // The jobs are dropped, and with them what would answer: each hears *unknown*.
        let thens: Vec<Then> = waiting.into_iter().map(|(_, then)| then).collect();
        thens.into_iter().for_each(|then| then(self, at));
        self.drop_wire_of(at);
    }

    /// Queues a plan on a machine's store; what comes of it is told to `then`. A machine that is off answers at once that it is.
    pub fn ask<A: Send + 'static, R: Send + 'static>(
        &mut self,
        at: usize,
        plan: impl FnOnce(&Replica, Timestamp) -> Result<NodePlan<A>, PlanError<R>> + Send + 'static,
        then: impl FnOnce(&mut Self, usize, Result<A, RunError<R>>) + 'static,
    ) {
        let (job, mut answer) = job_of(plan);
        let then = Box::new(move |world: &mut Self, at| {
            let outcome = answer.try_recv().unwrap_or(Err(RunError::Unknown));
            then(world, at, outcome);
        });
        self.queue_job(at, job, then);
    }

    pub(super) fn queue_job(&mut self, at: usize, job: Job, then: Then) {
        if self.boxes[at].replica.is_none() {
            drop(job);
            return then(self, at);
        }
        self.boxes[at].queue.push_back((job, then));
        self.turn_soon(at);
    }

    fn turn_soon(&mut self, at: usize) {
        if !self.boxes[at].turning {
            self.boxes[at].turning = true;
            let (boots, delay) = (self.boxes[at].boots, self.between(1, 12));
            self.after(delay, move |world| {
                if world.boxes[at].boots == boots {
                    world.turn(at);
                }
            });
        }
    }

    /// The store thread's turn: a group, one flush, the answers.
    fn turn(&mut self, at: usize) {
        let now = self.shown(self.boxes[at].skew_ms);
        let node = &mut self.boxes[at];
        node.turning = false;
        let Some(replica) = node.replica.take() else { return };
        let count = node.queue.len().min(GROUP_MAX);
        let (jobs, thens): (Vec<Job>, Vec<Then>) = node.queue.drain(..count).unzip();
        let mut told: Option<Flushed> = None;
        let left = run_group(replica, jobs, now, &mut |_, flushed| told = Some(flushed.clone()));
        let failed = left.is_none();
        self.boxes[at].replica = left;
        let position = told.as_ref().map(|flushed| flushed.position.head.seq);
        self.note(format_args!("box {at} ran {count} to {position:?}{}", if failed { ", and failed" } else { "" }));
        if let Some(flushed) = told {
            self.published(at, &flushed);
        }
        if failed {
            self.failed_group(at);
        }
        thens.into_iter().for_each(|then| then(self, at));
        if !self.boxes[at].queue.is_empty() && self.boxes[at].replica.is_some() {
            self.turn_soon(at);
        }
    }

    fn failed_group(&mut self, at: usize) {
        if self.boxes[at].disk.look(Kept::is_parted) && !self.boxes[at].power_fails {
            self.trace.rare("branch told again");
            self.boxes[at].boots -= 1;
            return self.boot(at);
        }
        if !self.boxes[at].disk.was_struck() {
            return self
                .found(Finding::new("store thread failed", format!("box {at}: nothing was wrong with its disk")));
        }
        if self.boxes[at].power_fails {
            self.trace.rare("power cut inside a flush");
            self.power_off(at);
            let delay = self.between(1_000, 20_000);
            self.after(delay, move |world| world.boot(at));
        } else {
            // The store is opened again at once, in the same process: the link goes on if the name is the same.
            self.trace.rare("failed flush");
            self.boxes[at].boots -= 1;
            self.boot(at);
        }
    }

    /// The kitchen's screen comes back and shows what it has seen: sometimes before anybody orders, sometimes it is off.
    fn screen_comes(&mut self, at: usize) {
        let boots = self.boxes[at].boots;
        let Some(seen) = self.seen.filter(|_| at == self.main) else { return };
        if self.chance(300) {
            return;
        }
        let delay = self.between(100, 3_000);
        self.after(delay, move |world| {
            let Some(replica) = world.boxes[at].replica.as_ref().filter(|_| world.boxes[at].boots == boots) else {
                return;
            };
            let Ok(Some(parted)) = gone_back::judge(replica, &seen) else { return };
            world.note(format_args!("box {at}: its screen has seen {}", seen.head.seq));
            world.trace.rare("rolled-back disk noticed by a screen");
            let (job, mut outcome) = job_of_parting(parted);
            let then = Box::new(move |world: &mut Self, at| {
                if outcome.try_recv().is_ok_and(|noted| noted.is_ok()) {
                    world.fork_noticed(at);
                }
            });
            world.queue_job(at, job, then);
        });
    }

    /// What a flushed group changes for those who watch.
    fn published(&mut self, at: usize, flushed: &Flushed) {
        let (own, name) = (flushed.position.origin, SEATS[self.boxes[at].seat]);
        if at == self.main && !self.wifi_is_bad() {
            self.seen = Some(flushed.position);
        }
        for (id, order) in &flushed.orders {
            checks::order(self, name, id, order);
        }
        if flushed.whole || flushed.orders.iter().any(|(_, order)| accept::may_wait(&order.view, &own)) {
            self.tend_soon(at);
        }
        checks::stock(self, at);
        self.tell_head(at);
    }

    fn wifi_is_bad(&mut self) -> bool {
        self.plays(Fault::Wifi) && self.chance(50)
    }

    fn tend_soon(&mut self, at: usize) {
        if !self.boxes[at].tending {
            self.boxes[at].tending = true;
            self.tend_in(at, 20);
        }
    }

    fn tend_in(&mut self, at: usize, delay_ms: u64) {
        let node = &mut self.boxes[at];
        node.tends += 1;
        let (boots, tends) = (node.boots, node.tends);
        self.after(delay_ms, move |world| {
            let node = &world.boxes[at];
            // One that is due sooner has come before it otherwise.
            if node.boots == boots && node.tends == tends && node.replica.is_some() {
                world.tend(at);
            }
        });
    }

    /// Shares new stock with the relay and does what its orders wait for.
    fn tend(&mut self, at: usize) {
        self.boxes[at].tending = false;
        let shares = |replica: &Replica, _| {
            Ok::<_, PlanError<Infallible>>(NodePlan::new(Actor::System, share::first_shares(replica), |_| ()))
        };
        self.ask(at, shares, |_, _, _| {});
        self.close_due(at);
        self.ask(at, tenders::answering, |world, at, outcome| {
            if let Ok(Some(did)) = outcome {
                world.trace.rare(did);
                world.tend_soon(at);
            }
        });
        let last_held = self.boxes[at].last_held;
        let tended = move |replica: &Replica, now| accept::plan(replica, now, last_held);
        self.ask(at, tended, |world, at, outcome| {
            let mut wait_ms = TEND_MS;
            if let Ok(tended) = outcome {
                if tended.last_held.is_some() && tended.last_held != world.boxes[at].last_held {
                    world.trace.rare("held order released to the kitchen");
                }
                world.boxes[at].last_held = tended.last_held;
                if tended.again_at.is_some() {
                    wait_ms = 5_000;
                }
            }
            if world.boxes[at].replica.is_some() && !world.boxes[at].tending {
                world.tend_in(at, wait_ms);
            }
        });
    }

    /// The relay would like to have more rights.
    pub(super) fn wished(&mut self, at: usize, by: OriginId, wishes: Vec<(IngredientId, u64)>) {
        let now_ms = self.now_ms;
        let known = &mut self.boxes[at].wishes;
        known.retain(|_, since| now_ms - *since < WISH_MS);
        let new: Vec<(IngredientId, u64)> =
            wishes.into_iter().filter(|(ingredient, _)| !known.contains_key(ingredient)).collect();
        known.extend(new.iter().map(|(ingredient, _)| (*ingredient, now_ms)));
        if !new.is_empty() {
            self.trace.rare("rights asked for");
            self.ask(at, move |replica, _| share::plan(replica, by, &new), |_, _, _| {});
        }
    }

    // ---- The relay's machines ----

    /// Starts the process on a machine.
    pub fn start_relay(&mut self, at: usize) -> anyhow::Result<()> {
        if self.machines[at].process.is_some() {
            return Ok(());
        }
        let clock = Clock::manual(self.shown(self.machines[at].skew_ms));
        self.machines[at].process = Some(Process::start(&self.database, clock)?);
        self.machines[at].starts += 1;
        self.machines[at].working = false;
        self.note(format_args!("relay {at} is up"));
        let delay = self.between(50, 1_000);
        self.rounds_in(at, delay);
        self.work_soon(at);
        Ok(())
    }

    /// The process dies where it is.
    pub fn crash_relay(&mut self, at: usize) {
        if self.machines[at].process.take().is_some() {
            self.note(format_args!("relay {at} is killed"));
            self.drop_wires_at(at);
            let delay = self.between(500, 8_000);
            self.after(delay, move |world| {
                // A healed world has one process.
                if world.healed && world.machines.iter().any(|machine| machine.process.is_some()) {
                    return;
                }
                if let Err(error) = world.start_relay(at) {
                    world.found(Finding::new("relay does not start", format!("{error:#}")));
                }
            });
        }
    }

    /// Does a step in a process; `None` when there is none, or when it dies in the middle.
    pub fn at_relay<A>(&mut self, at: usize, step: impl FnOnce(&mut Process) -> Option<A>) -> Option<A> {
        let now = self.shown(self.machines[at].skew_ms);
        let process = self.machines[at].process.as_mut()?;
        process.clock.set(now);
        let done = step(process);
        if done.is_none() {
            self.trace.rare("relay killed inside a transaction");
            self.crash_relay(at);
            return None;
        }
        self.after_relay(at);
        done
    }

    /// What a step in a process has changed for others.
    fn after_relay(&mut self, at: usize) {
        let Some(process) = self.machines[at].process.as_mut() else { return };
        let (changes, asked) = (process.take_changes(), process.take_asked());
        for change in &changes {
            for (id, order) in &change.orders {
                checks::order(self, "relay", id, order);
            }
        }
        for one in asked {
            self.call_bank(at, one);
        }
        if !changes.is_empty() {
            self.work_soon(at);
        }
        self.tell_wires_at(at);
    }

    fn rounds_in(&mut self, at: usize, delay_ms: u64) {
        let starts = self.machines[at].starts;
        self.after(delay_ms, move |world| {
            if world.machines[at].starts != starts || world.machines[at].process.is_none() {
                return;
            }
            if let Some(Err(error)) = world.at_relay(at, Process::rounds) {
                world.found(Finding::new("relay's rounds failed", format!("{error:#}")));
            }
            world.work_soon(at);
            world.rounds_in(at, ROUNDS_MS);
        });
    }

    /// The effects' worker looks soon.
    pub fn work_soon(&mut self, at: usize) {
        if self.machines[at].working || self.machines[at].process.is_none() {
            return;
        }
        self.machines[at].working = true;
        let starts = self.machines[at].starts;
        self.after(60, move |world| {
            if world.machines[at].starts != starts {
                return;
            }
            world.machines[at].working = false;
            match world.at_relay(at, Process::claim) {
                Some(Ok(0)) | None => {}
                Some(Ok(claimed)) => {
                    world.note(format_args!("relay {at} does {claimed} effects"));
                    world.work_soon(at);
                }
                Some(Err(error)) => world.found(Finding::new("effects could not be claimed", format!("{error:#}"))),
            }
        });
    }

    // ---- The bank ----

    fn call_bank(&mut self, machine: usize, asked: Asked) {
        let bad = !self.healed && self.now_ms < self.bank_bad_until_ms;
        let (lost_request, lost_answer) = match (self.plays(Fault::LostAnswers), bad) {
            (false, _) => (0, 0),
            (true, false) => (15, 25),
            (true, true) => (250, 250),
        };
        let slow = bad && self.plays(Fault::SlowGateway);
        let there = if slow { self.between(500, 20_000) } else { self.between(20, 300) };
        let back = if slow { self.between(500, 20_000) } else { self.between(20, 300) };
        let (lost_request, lost_answer) = (self.chance(lost_request), self.chance(lost_answer));
        let declines = !self.healed && self.chance(40);
        let (key, operation) = (asked.key.clone(), asked.operation.clone());
        let call = self.calls_made;
        self.calls_made += 1;
        let starts = self.machines[machine].starts;
        self.calls.insert(call, Call { machine, starts, asked });
        self.after(BANK_MS_MAX, move |world| world.bank_answers(call, None));
        if lost_request {
            self.trace.rare("request to the bank lost");
            return;
        }
        self.after(there, move |world| {
            let answer = world.ledger.answer(&key, operation.as_ref(), declines);
            world.note(format_args!("bank: {key} {} -> {answer:?}", operation.as_ref().map_or("query", |_| "does")));
            if lost_answer {
                world.trace.rare("answer of the bank lost");
            } else {
                world.after(back, move |world| world.bank_answers(call, Some(answer)));
            }
        });
    }

    fn bank_answers(&mut self, call: u64, answer: Option<Answer>) {
        let Some(Call { machine, starts, asked }) = self.calls.remove(&call) else { return };
        if self.machines[machine].starts != starts || self.machines[machine].process.is_none() {
            self.trace.rare("answer of the bank for a dead process");
            return;
        }
        if answer.is_none() {
            self.trace.rare("unknown payment outcome");
            self.note(format_args!("relay {machine} gave up waiting for {}", asked.key));
        }
        let claim = asked.claim;
        // The task is there: its process lives.
        let _there = asked.reply.send(answer);
        self.at_relay(machine, |process| process.settle(claim));
        self.work_soon(machine);
    }
}
