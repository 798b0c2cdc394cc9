//! The simulated world: a restaurant, its relay and everybody around them, from one seed.
//!
//! The node's replica, plans, store group, opening and link, and the relay's sites, desk, effects and riders are the product's own
//! code; disks, cables, clocks, people and the bank are models. A reference notes what people were told, and the checks compare.
//! How to read a failing seed: `README.md` in this folder.

pub mod batch;
pub mod checks;
pub mod disk;
pub mod faults;
pub mod gateway;
pub mod lan;
pub mod named;
pub mod people;
pub mod reference;
pub mod relay;
pub mod stockroom;
pub mod tenders;
pub mod till;
pub mod trace;
pub mod wire;
pub mod world;
