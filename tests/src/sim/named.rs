//! Seeds that once failed, each with what it showed: they are run in every batch's test and never removed.

use crate::sim::world::Mode;

/// A seed that failed before something was mended.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The seed.
    pub seed: u64,
    /// How it was run.
    pub mode: Mode,
    /// With so many steps.
    pub steps: u32,
    /// What it showed.
    pub why: &'static str,
}

/// All of them.
pub const NAMED: &[Named] = &[];
