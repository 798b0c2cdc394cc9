//! Effects: rows that say what is to be done outside, and the worker that does each of them once.

pub mod retry;
pub mod worker;

use crate::store::effects::{Claimed, Performed};
use futures_util::future::BoxFuture;
use std::fmt::Debug;

/// Does what an effect says: calls the gateway, or asks it what it did.
pub trait Perform: Debug + Send + Sync + 'static {
    /// Never fails: what is not known is an answer too.
    fn perform<'a>(&'a self, claimed: &'a Claimed) -> BoxFuture<'a, Performed>;
}

/// Records what became of an effect, with everything that follows, in one transaction.
pub trait Record: Debug + Send + Sync + 'static {
    /// Durable when it is done. After an error nothing was written, or nobody knows: the effect is tried again, and queried first.
    fn record<'a>(&'a self, claimed: &'a Claimed, performed: &'a Performed) -> BoxFuture<'a, anyhow::Result<()>>;
}
