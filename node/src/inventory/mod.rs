//! Stock and what can be sold of it.

pub mod eighty_six;
pub mod receive;
pub mod share;
