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

use crate::store::replica::{LiveOrder, Replica};
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::limits::NOTE_CHARS_MAX;
use std::sync::Arc;

/// An order with its id, as an answer.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Facts and view.
    pub live: Arc<LiveOrder>,
}

impl Order {
    /// The order as it is once the plan that it is for is done.
    pub(crate) fn after(id: OrderId, before: Arc<LiveOrder>) -> impl FnOnce(&Replica) -> Self + Send + 'static {
        move |replica| Self { id, live: replica.order(&id).ok().flatten().unwrap_or(before) }
    }
}

/// A person's reason as it is kept; `None` when there is none in it, or too much.
pub(crate) fn reason(said: &str) -> Option<String> {
    let said = said.trim();
    (!said.is_empty() && said.chars().count() <= NOTE_CHARS_MAX).then(|| said.to_owned())
}

#[cfg(test)]
mod tests;
