//! What both sides of Pilotlight believe: nouns, rules, replicated documents and the store's port.
//!
//! Nothing here does IO, reads a clock or draws a random number: time and ids are arguments.
//! `domain` and `crdt` do not know each other; `doc` joins them, `protocol` carries logs between replicas. The rules are numbered in `SPEC.md`.

pub mod crdt;
pub mod doc;
pub mod domain;
pub mod limits;
pub mod protocol;
pub mod store;
pub mod store_contract;
