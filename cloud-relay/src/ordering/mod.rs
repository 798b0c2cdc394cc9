//! Cloud orders: price, pay, place, hold, confirm, cancel. Plans are pure; the site's actor carries them out in one transaction.

pub mod amend;
pub mod cancel;
pub mod carry;
pub mod desk;
pub mod place;
pub mod quote;
pub mod react;
pub mod wishes;
pub mod work;

#[cfg(test)]
mod tests;
