//! Nouns and rules of a restaurant: no IO, no clock, no randomness, no merging.

pub mod amendment;
pub mod asked;
pub mod business_day;
pub mod forecast;
pub mod id;
pub mod intake;
pub mod item_field;
pub mod menu;
pub mod money;
pub mod order;
pub mod payment;
pub mod pricing;
pub mod refund_policy;
pub mod role;
pub mod routing;
pub mod stock;
pub mod ticket;
pub mod timestamp;
