//! Merge laws without domain words: thin wrappers over `crdts`, and what it lacks.
//!
//! Traps of `crdts` 7.3.2 that this module keeps its users from: its `Map` (replicas diverge), its JSON of deferred removals,
//! its bytes (not canonical). Documents are plain structs whose fields are these types.

pub mod chain;
pub mod codec;
pub mod counter;
pub mod facts;
pub mod hlc;
pub mod register;
#[cfg(test)]
mod tripwires;
