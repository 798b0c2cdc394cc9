//! The narrow port under the node's replica: exactly what it asks of whatever keeps its bytes. sled in the shop, memory in the
//! simulated world, where what is written and what is flushed can differ.

use crate::store::StoreError;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::store::{CommitError, LogEntry, Seal, Writes};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// What a store gives up.
#[derive(Debug, Clone, Default)]
pub struct Rewind {
    /// Where logs end now.
    pub ends: BTreeMap<OriginId, Head>,
    /// Documents that are there no more.
    pub docs: BTreeSet<DocKey>,
}

/// Keeps the documents and logs of one node. Reads see everything that was written before them.
pub trait NodeStore: Debug + Send {
    /// A document.
    fn get(&self, key: &DocKey) -> Result<Option<Vec<u8>>, StoreError>;

    /// All documents but orders and receipts.
    fn site_docs(&self) -> Result<Vec<(DocKey, Vec<u8>)>, StoreError>;

    /// Index entries of a range, the lowest first.
    fn index_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Index entries of a range, the highest first.
    fn index_range_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Where each log ends.
    fn log_heads(&self) -> Result<BTreeMap<OriginId, Head>, StoreError>;

    /// Log entries from a number on.
    fn log_from(&self, origin: &OriginId, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError>;

    /// The signatures that close groups, from one number up to and with another.
    fn seals_between(&self, origin: &OriginId, from: u64, to: u64) -> Result<Vec<Seal>, StoreError>;

    /// A note, if it was ever written.
    fn noted(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Bytes on disk.
    fn size_on_disk(&self) -> u64;

    /// Writes all of it and forgets these orders with their index entries, in one transaction; durable when it returns, the witness
    /// included. After an error nobody knows whether it was written: the store must be dropped and opened again (SPEC X5).
    fn commit_and_forget(
        &mut self,
        writes: &Writes,
        forget: &BTreeMap<OrderId, BTreeSet<Vec<u8>>>,
    ) -> Result<(), CommitError<StoreError>>;

    /// The same when logs end earlier than they did: what lies behind these ends is gone, and with it these documents. In one
    /// transaction with what is written.
    fn rewind(&mut self, rewind: &Rewind, writes: &Writes) -> Result<(), CommitError<StoreError>>;

    /// From now on every sync fails.
    #[cfg(test)]
    fn break_sync(&mut self);
}
