//! HTTP and WebSocket: the only folder that names warp and JSON shapes.

pub mod call;
pub mod devices;
pub mod digest;
pub mod health;
pub mod json;
pub mod kitchen;
pub mod live;
pub mod menu;
pub mod online;
pub mod openapi;
pub mod orders;
pub mod problem;
pub mod recovery;
pub mod render;
pub mod routes;
pub mod siblings;
pub mod staff;
pub mod stock;
pub mod till;
pub mod to_json;
pub mod uplink;
