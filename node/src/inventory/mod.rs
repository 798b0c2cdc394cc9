//! Stock and what can be sold of it.

pub mod availability;
pub mod eighty_six;
pub mod receive;
