//! What the end-to-end tests, the fault tests and the benchmarks share.
//!
//! - They know the node as a program and by its API only, so they test what is shipped.
//! - Nothing waits by the clock: a ready file, a socket, a child's end.

pub mod power_cut;
pub mod seeded;
