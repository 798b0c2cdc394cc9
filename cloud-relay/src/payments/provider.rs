//! The port to a card gateway: what is asked of it, and the few things it can answer.
//!
//! Every request carries the effect's own key. An answer that did not come is `Unknown`: the gateway is asked what it did under
//! that key, and when it has never heard of it, called again under the same key. Never under a new one (SPEC A1).

use futures_util::future::BoxFuture;
use std::fmt::Debug;

/// What is asked of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Reserve money on a card.
    Authorise {
        /// How much, in minor units.
        amount_minor: i64,
        /// ISO code.
        currency: String,
        /// The card's token at this gateway.
        card: String,
    },
    /// Take what was reserved.
    Capture {
        /// The gateway's name of the charge.
        charge: String,
        /// How much, in minor units.
        amount_minor: i64,
    },
    /// Let go what was reserved.
    Void {
        /// The gateway's name of the charge.
        charge: String,
    },
    /// Give back what was taken, or a part.
    Refund {
        /// The gateway's name of the charge.
        charge: String,
        /// How much, in minor units.
        amount_minor: i64,
    },
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done {
        /// The gateway's name of the charge.
        charge: String,
    },
    /// The bank said no; nothing was moved.
    Declined {
        /// In the gateway's word.
        reason: String,
    },
    /// The gateway says that it makes no sense; asking again would be answered the same.
    Refused {
        /// In the gateway's word.
        reason: String,
    },
    /// No answer, or none that can be read: it may have been done.
    Unknown {
        /// What was seen instead.
        seen: String,
    },
}

/// What a gateway knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queried {
    /// This became of it.
    Known(Outcome),
    /// Nothing was executed under it.
    NeverHeard,
    /// No answer.
    Unknown {
        /// What was seen instead.
        seen: String,
    },
}

/// A card gateway that honours idempotency keys.
pub trait Provider: Debug + Send + Sync {
    /// Does it, at most once for this key.
    fn perform<'a>(&'a self, key: &'a str, operation: &'a Operation) -> BoxFuture<'a, Outcome>;

    /// Says what became of this key.
    fn query<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Queried>;
}

/// Does it for the first time, or finds out what became of the time before (SPEC A1).
pub async fn perform_once(provider: &dyn Provider, key: &str, operation: &Operation, tried_before: bool) -> Outcome {
    if tried_before {
        match provider.query(key).await {
            Queried::Known(outcome) => return outcome,
            Queried::Unknown { seen } => return Outcome::Unknown { seen },
            Queried::NeverHeard => {}
        }
    }
    provider.perform(key, operation).await
}
