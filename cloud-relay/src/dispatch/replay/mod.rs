//! Plays recorded days against the kernel and scores them.

pub mod day;
pub mod forecast;
pub mod instance;
pub mod play;
pub mod score;
