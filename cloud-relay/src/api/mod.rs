//! HTTP and WebSocket: the only folder that names warp and JSON shapes.

pub mod call;
pub mod health;
pub mod json;
pub mod live;
pub mod openapi;
pub mod orders;
pub mod payments;
pub mod people;
pub mod problem;
pub mod restaurants;
pub mod riders;
pub mod routes;
pub mod sites;
mod to_json;
pub mod uplink;

#[cfg(test)]
mod tests;
