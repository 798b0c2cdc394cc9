//! Seeds that once failed, each with what it showed: they are run in every `cargo xtest` and never removed.
//!
//! A change of the world itself deals a seed other cards: what a seed showed is also under a test of its own where it was mended.

use crate::sim::faults::Faults;
use crate::sim::world::{Mode, Plan};

/// A seed that failed before something was mended.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The seed.
    pub seed: u64,
    /// How it was run.
    pub mode: Mode,
    /// With so many steps.
    pub steps: u32,
    /// In a restaurant with so many nodes.
    pub nodes: usize,
    /// Which are connected with each other.
    pub lan: bool,
    /// What it showed.
    pub why: &'static str,
}

impl Named {
    /// How it is run.
    #[must_use]
    pub const fn plan(&self) -> Plan {
        let Self { seed, mode, steps, nodes, lan, .. } = *self;
        Plan { seed, mode, steps, nodes, lan, faults: Faults::ALL, loud: false }
    }
}

/// All of them.
pub const NAMED: &[Named] = &[
    Named {
        seed: 10,
        mode: Mode::Safety,
        steps: 1_551,
        nodes: 1,
        lan: false,
        why: "a number was given twice: after a restart the log that opened the day was read after the one that gave numbers on it",
    },
    Named {
        seed: 11,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "a node that went on as a new origin ended the relay's origin too: nothing counted could be sold online any more",
    },
    Named {
        seed: 9,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "unknown_origin: a relay process greeted a node by what it knew before another process had taken the node's new origin in",
    },
    Named {
        seed: 4,
        mode: Mode::Safety,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "an order was confirmed before it was placed, in its history: a clock that was a day behind had accepted it",
    },
    Named {
        seed: 5,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "two logs of which each waits in the middle for the other were never taken: a batch was all or nothing",
    },
    Named {
        seed: 113,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "no rider was called for a day: the node's clock was a day ahead when the food was ready",
    },
    Named {
        seed: 85,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "an effect that a process held when it was shut down was never taken over by the other one",
    },
    Named {
        seed: 2,
        mode: Mode::Safety,
        steps: 2_000,
        nodes: 2,
        lan: true,
        why: "unknown_origin: a node went on with the log of another one, whose beginning had come by that one's own link",
    },
    Named {
        seed: 205_258,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 2,
        lan: true,
        why: "a relay that wrote while it greeted was taken for one that went back: the other node had brought that sooner",
    },
    Named {
        seed: 200_392,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "a confirmed order whose node was put out of service before it sent it to the kitchen stayed open for ever",
    },
    Named {
        seed: 201_265,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "a guest held a number that no screen showed: the order was made twice under one id, and joined",
    },
    Named {
        seed: 300_753,
        mode: Mode::Safety,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "the same, found while faults go on",
    },
    Named {
        seed: 1_000_912,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "a report had looked at a branch and was believed: what the site's log has under those numbers was in no report",
    },
    Named {
        seed: 1_011_841,
        mode: Mode::Safety,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "the same, found while faults go on",
    },
    Named {
        seed: 1_001_723,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 2,
        lan: true,
        why: "what a session had dropped was never asked for again, because another one had brought some of it",
    },
    Named {
        seed: 1_102_128,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 1,
        lan: false,
        why: "an order of which nothing was told of a branch lost its place in the index",
    },
    Named {
        seed: 1_104_706,
        mode: Mode::Liveness,
        steps: 2_000,
        nodes: 2,
        lan: true,
        why: "a report that counts was not believed where a branch had been cut before the log came again",
    },
];
