//! Stock and what can be sold of it.

pub mod adopt;
pub mod count;
pub mod eighty_six;
pub mod receive;
pub mod share;
