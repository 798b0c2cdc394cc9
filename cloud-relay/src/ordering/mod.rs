//! Cloud orders: price, pay, place, hold, confirm, cancel. Plans are pure; the site's actor carries them out in one transaction.

pub mod react;
