//! Placing, changing and cancelling orders: pure plans over the live state.

pub mod accept;
pub mod amend;
pub mod asked;
pub mod cancel;
pub mod intake;
mod numbers;
pub mod ownership;
pub mod place;
pub mod requests;
pub mod returns;

use crate::store::replica::LiveOrder;
use pilotlight_sync::domain::id::OrderId;
use std::sync::Arc;

/// An order with its id, as an answer.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Facts and view.
    pub live: Arc<LiveOrder>,
}

#[cfg(test)]
mod tests;
