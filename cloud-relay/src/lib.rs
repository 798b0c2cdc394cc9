//! The relay in the cloud: a replica of every site, and the one writer of customers, payments and delivery.
//!
//! `api` calls use cases, which plan over `sites` and `store`; never back. `app` joins them. What is put in front of the screens is
//! `pilotlight_edge`. Only `store/` names a database, only `api` names warp.

pub mod api;
pub mod app;
pub mod config;
pub mod customers;
pub mod dispatch;
pub mod effects;
pub mod geo;
pub mod ordering;
pub mod payments;
pub mod rounds;
pub mod serving;
pub mod sites;
pub mod store;
#[cfg(test)]
mod testing;
