//! Decides which rider fetches what, and when: state in, plan out. No clock, no store, no randomness from outside.

mod cover;
pub mod decide;
pub mod demand;
pub mod explain;
pub mod metric;
mod problem;
mod search;
pub mod settings;
pub mod world;

#[cfg(test)]
mod tests;
