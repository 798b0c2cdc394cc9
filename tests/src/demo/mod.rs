//! One real evening through an outage: real guests' carts at their own minutes, three programs, and a report of what was lost.
//!
//! Everybody keeps a journal of what they were told; the report compares those with both replicas and with the bank.

pub mod business_clock;
pub mod evenings;
pub mod here;
pub mod home;
pub mod journals;
pub mod kitchen;
pub mod persistent;
pub mod place;
pub mod play;
pub mod plot;
pub mod proxy;
pub mod report;
pub mod riders;
pub mod scene;
