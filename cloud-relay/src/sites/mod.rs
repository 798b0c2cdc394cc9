//! The relay's replicas: one site each, enrolled by its nodes, written by one queue, linked by one session of each node at a time.

pub mod digest;
pub mod enrolment;
pub mod grant;
pub mod identity;
pub mod link_core;
pub mod link_hub;
pub mod link_state;
pub mod listing;
pub mod node_registry;
mod site_actor;
pub mod site_handle;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
