//! The computer in the restaurant: takes orders, feeds the kitchen and counts stock, with or without the internet.
//!
//! `api` calls use cases (`orders`, `kitchen`, `inventory`, `menu`, `devices`), which plan over `store`; never back. `app` joins
//! them. What it puts in front of the screens is `pilotlight_edge`. Only `store/sled_store` names sled, only `api` names warp.

pub mod answering;
pub mod api;
pub mod app;
pub mod archive;
pub mod check;
pub mod config;
pub mod devices;
pub mod inventory;
pub mod joining;
pub mod kitchen;
pub mod live;
pub mod menu;
pub mod opening;
pub mod orders;
pub mod recovery;
pub mod server;
pub mod store;
pub mod till;
pub mod uplink;

#[cfg(test)]
mod testing;
