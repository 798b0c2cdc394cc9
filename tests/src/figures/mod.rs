//! The project's benchmarks: each compares the shipped node with a floor or a limit measured or named in the same run.
//!
//! - Loads are open-loop: arrivals do not wait for answers, and latency counts from the moment a request was due.
//! - The floors do the same grouping, bytes and syncs as the node; their code is in `floors.rs`.
//! - Generator, floor and node share the machine's cores.

pub mod catch_up;
pub mod cloud_order;
pub mod dispatch;
pub mod dispatch_plot;
pub mod draw;
pub mod floors;
pub mod history;
mod linked;
pub mod load;
pub mod menu;
pub mod merge;
pub mod place_order;
pub mod rest;
pub mod screens;

use serde::Serialize;

use crate::demo::scene::Programs;
use crate::node_process::{NodeOptions, NodeProcess};

/// One line of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured.
    pub figure: String,
    /// Its unit.
    pub unit: &'static str,
    /// The node's.
    pub ours: f64,
    /// What it is compared with.
    pub against: String,
    /// The other's.
    pub value: f64,
    /// Ours divided by the other's.
    pub ratio: f64,
}

impl Figure {
    /// A line of a table.
    #[must_use]
    pub fn new(
        figure: impl Into<String>,
        unit: &'static str,
        ours: f64,
        against: impl Into<String>,
        value: f64,
    ) -> Self {
        Self { figure: figure.into(), unit, ours, against: against.into(), value, ratio: ours / value }
    }
}

/// How long and how much, and which program.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Everything short: to see that it runs, not what it measures.
    pub quick: bool,
    /// What is under test.
    pub programs: Programs,
}

impl Plan {
    /// The full number, or the quick one.
    #[must_use]
    pub fn choose<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Starts the node under test over a directory.
    pub fn start(&self, data: &std::path::Path) -> anyhow::Result<NodeProcess> {
        NodeOptions::new(data)?.program(&self.programs.node).start()
    }
}

/// Microseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a latency in microseconds is far below 2^53")]
#[must_use]
pub fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1_000.0
}
