//! Plays recorded days against the kernel and scores them.

pub mod command;
pub mod day;
pub mod forecast;
pub mod instance;
pub mod lat_lon;
pub mod play;
pub mod score;
mod table;

#[cfg(test)]
mod tests;
