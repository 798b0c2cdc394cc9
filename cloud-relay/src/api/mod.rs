//! HTTP and WebSocket: the only folder that names warp and JSON shapes.

pub mod call;
pub mod health;
pub mod json;
pub mod openapi;
pub mod problem;
pub mod routes;
pub mod sites;
pub mod uplink;
