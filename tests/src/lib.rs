//! What the end-to-end tests, the fault tests and the benchmarks share.
//!
//! - They know the node as a program and by its API only, so they test what is shipped; only the simulated world (`sim`) runs the
//!   libraries of node and relay, because it owns their disks, cables and clocks.
//! - Nothing waits by the clock: a ready file, a socket, a child's end.

pub mod build;
pub mod client;
pub mod clock;
pub mod counts;
pub mod demo;
pub mod figures;
pub mod fixtures;
pub mod hostile;
pub mod node_process;
pub mod power_cut;
pub mod process;
pub mod scale;
pub mod seeded;
pub mod shop;
pub mod sim;
pub mod writers;
