//! Many seeds: on all cores, with a progress bar, failures shrunk and printed with the command that repeats them.

use crate::sim::checks::{self, Finding};
use crate::sim::faults::{Fault, Faults};
use crate::sim::till;
use crate::sim::world::{Mode, Plan, World};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a batch of so many seeds must have seen: otherwise it checked less than it seems to.
const BATCH_MIN: u64 = 100;
/// And its seeds at least so many steps: in less, some things do not come to pass.
const BATCH_STEPS_MIN: u32 = 2_000;
/// Situations that each batch must have met.
pub const RARE: &[&str] = &[
    "answer of the bank for a dead process",
    "answer of the bank lost",
    "answer to a device lost",
    "asked by another node and answered",
    "booked late for a closed day",
    "branch told again",
    "cancel refused by the kitchen",
    "cancel requested",
    "cancelled early",
    "check changed by a waiter",
    "clock off by days",
    "clock off by more than ten minutes",
    "close refused at another node",
    "count found a shortage",
    "cut with frames under way",
    "day closed",
    "day closed by itself",
    "delivered",
    "delivery booked",
    "double tap",
    "double tap at home",
    "drawer booked what another node took",
    "failed flush",
    "fence",
    "fork noticed",
    "found on the shelf",
    "gap or cross-dependency at the node",
    "half-open connection",
    "held order released to the kitchen",
    "item off sale refused",
    "keeper named",
    "long outage",
    "menu field written in two places",
    "nodes linked without the relay",
    "online order placed",
    "order cancelled in the restaurant",
    "order sent again",
    "other cart under one id",
    "paid with another card",
    "passed on to the keeper",
    "paused, busy or opened",
    "power cut between flushes",
    "power cut inside a flush",
    "promise kept by the relay alone",
    "promise lost with its only disk",
    "refused while paused",
    "refused: another node keeps the stock",
    "relay handover",
    "relay killed between transactions",
    "relay killed inside a transaction",
    "report that counts nothing",
    "request to the bank lost",
    "restored from a backup",
    "right refused",
    "right refused online",
    "rights asked for",
    "rights taken over",
    "rolled-back disk noticed by a screen",
    "session superseded",
    "shift closed",
    "silent peer given up",
    "rights given to a node that asked",
    "sold out while paying",
    "stock counted",
    "store behind its witness",
    "taken over by a higher term",
    "tender answered by its owner",
    "tender asked of the owner",
    "the keeper's answer was lost",
    "two boxes with one identity",
    "two nodes changed one order",
    "two relay processes",
    "unknown answered",
    "unknown payment outcome",
    "waste beyond the books refused",
    "waste booked",
    "whole disk went back",
    "wish granted",
];
/// One seed in so many is run twice, and both must leave the same trace.
const TWICE_EVERY: u64 = 50;
/// A healed world is quiet after so much virtual time.
const QUIET_MS_MAX: u64 = 90 * 60_000;
const LOOK_MS: u64 = 20_000;

/// What one run left.
#[derive(Debug)]
pub struct Outcome {
    /// Over all that happened.
    pub hash: String,
    /// Steps done.
    pub steps: u32,
    /// Virtual time, in milliseconds.
    pub ms: u64,
    /// Rare situations.
    pub rare: BTreeMap<&'static str, u64>,
    /// What must not be, if anything.
    pub finding: Option<Finding>,
    /// The last lines of the trace.
    pub last: Vec<String>,
}

/// Runs a plan to its end. A panic of the product is a finding too.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    let nothing = |finding| Outcome {
        hash: String::new(),
        steps: 0,
        ms: 0,
        rare: BTreeMap::new(),
        finding: Some(finding),
        last: Vec::new(),
    };
    let mut world = match World::new(plan.clone()) {
        Ok(world) => world,
        Err(error) => return nothing(Finding::new("the world cannot begin", format!("{error:#}"))),
    };
    let ran = catch_unwind(AssertUnwindSafe(|| {
        world.run(plan.steps);
        match plan.mode {
            Mode::Safety => world.look_at_disks(),
            Mode::Liveness => world.heal_and_settle(),
        }
        till::ended(&mut world);
    }));
    if let Err(panic) = ran {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        world.found(Finding::new("panic", text));
    }
    Outcome {
        hash: world.trace.hash(),
        steps: world.steps,
        ms: world.now_ms,
        rare: world.trace.rare.clone(),
        finding: world.finding.clone(),
        last: world.trace.last(),
    }
}

impl World {
    /// The end of a safety run: every machine is switched off and on again, and has what it promised.
    fn look_at_disks(&mut self) {
        self.healed = true;
        for at in 0..self.boxes.len() {
            if self.finding.is_none() && !self.boxes[at].retired {
                self.boxes[at].disk.end_next_flush(None);
                if self.boxes[at].replica.is_some() {
                    self.power_off(at);
                }
                self.boot(at);
            }
        }
    }

    /// Heals the world and demands a good end within bounded time.
    fn heal_and_settle(&mut self) {
        if self.finding.is_some() {
            return;
        }
        self.heal();
        let until_ms = self.now_ms + QUIET_MS_MAX;
        loop {
            self.run_until(self.now_ms + LOOK_MS);
            if self.finding.is_some() {
                return;
            }
            let Some(unrest) = checks::unrest(self) else { return checks::settled(self) };
            if self.now_ms >= until_ms {
                return self.found(Finding::new("no progress", unrest));
            }
        }
    }

    fn heal(&mut self) {
        self.healed = true;
        self.note(format_args!("healed"));
        self.outage_until_ms = 0;
        self.bank_bad_until_ms = 0;
        self.boxes.iter_mut().for_each(|node| {
            node.skew_ms = 0;
            node.power_fails = false;
            node.disk.end_next_flush(None);
        });
        self.machines.iter_mut().for_each(|machine| machine.skew_ms = 0);
        let ids: Vec<u32> = self.wires.keys().copied().collect();
        ids.into_iter().for_each(|id| self.cut(id));
        self.lan_outage_until_ms = 0;
        let ids: Vec<u32> = self.lan.keys().copied().collect();
        ids.into_iter().for_each(|id| self.cut_lan(id));
        self.end_of_two();
        for at in 0..self.boxes.len() {
            self.boot(at);
        }
        // One process: several do not yet tell each other what they have written.
        let left = self.machines.iter().position(|machine| machine.process.is_some());
        for at in 0..self.machines.len() {
            if let Some(process) = &self.machines[at].process {
                process.arm(false);
            }
            if left.is_some_and(|left| left != at) {
                self.machines[at].process = None;
                self.machines[at].starts += 1;
            }
        }
        if let Err(error) = left.map_or_else(|| self.start_relay(0), |_| Ok(())) {
            self.found(Finding::new("relay does not start", format!("{error:#}")));
        }
        for at in self.mains() {
            self.dial_soon(at);
        }
    }
}

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// `None`: every other seed in each mode.
    pub mode: Option<Mode>,
    /// Steps with faults.
    pub steps: u32,
    /// `None`: one node, two, or three, by the seed.
    pub nodes: Option<usize>,
    /// Whether they are connected with each other; `None`: by the seed.
    pub lan: Option<bool>,
    /// Which faults.
    pub faults: Faults,
    /// Nothing more is begun once a seed has failed.
    pub until_found: bool,
}

/// What a batch has shown.
#[derive(Debug, Default)]
pub struct Report {
    /// Seeds that failed, as they were run, and what they showed.
    pub failed: Vec<(Plan, Outcome)>,
    /// Rare situations over all.
    pub rare: BTreeMap<&'static str, u64>,
    /// Seeds that were run.
    pub seeds: u64,
    /// Steps over all.
    pub steps: u64,
    /// Virtual time over all, in milliseconds.
    pub ms: u64,
    /// Listed situations that never occurred, of a batch that is large enough to say so.
    pub missing: Vec<&'static str>,
}

impl Batch {
    /// How a seed is run.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        let by_turns = if seed.is_multiple_of(2) { Mode::Safety } else { Mode::Liveness };
        let mode = self.mode.unwrap_or(by_turns);
        // In each mode one seed in four has one node, one has three, and two have two: one of these over the relay alone.
        let (nodes, lan) = [(1, false), (2, true), (2, false), (3, true)][usize::try_from(seed / 2 % 4).unwrap_or(0)];
        let (nodes, lan) = (self.nodes.unwrap_or(nodes), self.lan.unwrap_or(lan));
        Plan { seed, mode, steps: self.steps, nodes, lan, faults: self.faults, loud: false }
    }

    /// Runs all seeds on all cores.
    #[must_use]
    pub fn run(&self) -> Report {
        let bar = ProgressBar::new(self.seeds);
        let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {pos}/{len} seeds, {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let (next, shared) = (AtomicU64::new(0), Mutex::new(Report::default()));
        let cores = cores();
        let (next, report, bar) = (&next, &shared, &bar);
        std::thread::scope(|scope| {
            for core in cores {
                scope.spawn(move || {
                    stay_on(core);
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        let over = self.until_found && !lock(report).failed.is_empty();
                        if number >= self.seeds || over {
                            return;
                        }
                        let plan = self.plan(self.from + number);
                        let outcome = twice(&plan);
                        let mut report = lock(report);
                        report.seeds += 1;
                        report.steps += u64::from(outcome.steps);
                        report.ms += outcome.ms;
                        for (name, times) in &outcome.rare {
                            *report.rare.entry(name).or_default() += times;
                        }
                        if outcome.finding.is_some() {
                            report.failed.push((plan, outcome));
                        }
                        bar.set_message(format!("{} failed", report.failed.len()));
                        bar.inc(1);
                    }
                });
            }
        });
        bar.finish();
        let mut report = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.failed.sort_by_key(|(plan, _)| plan.seed);
        let all = self.nodes.is_none() && self.lan.is_none() && self.faults == Faults::ALL;
        if report.seeds >= BATCH_MIN && self.steps >= BATCH_STEPS_MIN && all {
            report.missing = RARE.iter().copied().filter(|name| !report.rare.contains_key(name)).collect();
        }
        report
    }
}

/// The cores that this process may use; `None`: wherever the system likes.
fn cores() -> Vec<Option<usize>> {
    match sched_getaffinity(None) {
        Ok(set) if set.count() > 0 => (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).map(Some).collect(),
        Ok(_) | Err(_) => vec![None; std::thread::available_parallelism().map_or(1, std::num::NonZero::get)],
    }
}

/// Keeps this thread, and those it starts for a seed, on one core. A seed's threads only ever run by turns (the databases have their own), and to
/// wake one on another core that is asleep takes longer than most statements.
fn stay_on(core: Option<usize>) {
    if let Some(core) = core {
        let mut only = CpuSet::new();
        only.set(core);
        // Only slower otherwise.
        let _pinned = sched_setaffinity(None, &only);
    }
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a plan; one in so many a second time, which must be the same.
fn twice(plan: &Plan) -> Outcome {
    let mut outcome = run(plan);
    if plan.seed.is_multiple_of(TWICE_EVERY) && outcome.finding.is_none() {
        let again = run(plan);
        if again.hash != outcome.hash {
            let what = format!("{} and {}, {} and {} steps", outcome.hash, again.hash, outcome.steps, again.steps);
            outcome.finding = Some(Finding::new("a seed is not one run", what));
        }
    }
    outcome
}

/// The smallest plan that still shows the same finding: fewer steps, then fewer kinds of faults.
#[must_use]
pub fn shrink(plan: &Plan, outcome: &Outcome) -> (Plan, Outcome) {
    let name = outcome.finding.as_ref().map(|finding| finding.name);
    let same = |plan: &Plan| Some(run(plan)).filter(|run| run.finding.as_ref().map(|finding| finding.name) == name);
    let mut best = (plan.clone(), None);
    let try_plan = |best: &mut (Plan, Option<Outcome>), plan: Plan| {
        let shown = same(&plan);
        let shows = shown.is_some();
        if shows {
            *best = (plan, shown);
        }
        shows
    };
    if outcome.steps < plan.steps {
        best.0.steps = outcome.steps;
    }
    for nodes in 1..best.0.nodes {
        let fewer = Plan { nodes, ..best.0.clone() };
        if try_plan(&mut best, fewer) {
            break;
        }
    }
    let mut cut = best.0.steps / 2;
    while cut >= 16 {
        let steps = best.0.steps - cut;
        let smaller = Plan { steps, ..best.0.clone() };
        if !try_plan(&mut best, smaller) {
            cut /= 2;
        }
        cut = cut.min(best.0.steps / 2);
    }
    for fault in Fault::ALL {
        let fewer = Plan { faults: best.0.faults.without(*fault), ..best.0.clone() };
        try_plan(&mut best, fewer);
    }
    let (plan, shown) = best;
    let shown = shown.unwrap_or_else(|| run(&plan));
    (plan, shown)
}

/// The command that repeats a plan.
#[must_use]
pub fn command(plan: &Plan) -> String {
    let mode = if plan.mode == Mode::Safety { "safety" } else { "liveness" };
    let Plan { seed, steps, nodes, .. } = plan;
    let mut command = format!("cargo sim --seeds 1 --from {seed} --mode {mode} --steps {steps} --nodes {nodes}");
    command.push_str(if plan.lan { " --lan true" } else { " --lan false" });
    let missing: Vec<&str> = plan.faults.missing().map(Fault::word).collect();
    if !missing.is_empty() {
        command.push_str(&format!(" --without {}", missing.join(",")));
    }
    command
}
