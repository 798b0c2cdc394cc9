//! A card gateway to try things on: a real HTTP server, in a process of its own, that keeps its word and loses messages.
//!
//! It executes each idempotency key at most once and answers it the same for ever; what it truly executed is in a journal on disk,
//! which tests and the demo compare with what the relay believes. Faults are dialled in: latency, declines, requests lost before
//! they were executed, answers lost after.

pub mod book;
pub mod callback;
pub mod faults;
pub mod journal;
pub mod server;
