//! The port behind which a replica keeps its documents and logs: sled at the node, SQL at the relay, memory in simulation.
//!
//! Plans are synchronous and see memory; a store only loads and commits. A commit is all or nothing, and durable when it returns.

use crate::crdt::chain::Head;
use crate::doc::key::DocKey;
use crate::domain::id::OriginId;
use std::collections::BTreeMap;
use std::future::Future;

/// A commit as it goes into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Whose log.
    pub origin: OriginId,
    /// Its number and the chain's hash after it.
    pub head: Head,
    /// Canonical bytes of the commit.
    pub bytes: Vec<u8>,
}

/// An origin's signature over the chain's hash at the end of a flushed group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Whose log.
    pub origin: OriginId,
    /// The last commit of the group.
    pub seq: u64,
    /// Ed25519 over the chain's hash.
    pub signature: [u8; 64],
}

/// Everything that one store transaction writes.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// Log entries; of each origin in sequence, without gaps, after what is stored.
    pub log: Vec<LogEntry>,
    /// Signatures over them.
    pub seals: Vec<Seal>,
    /// Documents, whole.
    pub docs: BTreeMap<DocKey, Vec<u8>>,
    /// Index entries to put (`true`) and to remove (`false`).
    pub index: BTreeMap<Vec<u8>, bool>,
    /// The store's own notes: clock, identity.
    pub notes: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError<E> {
    /// The log does not continue what is stored. Nothing was written.
    #[error("log entry {found} of {origin} does not follow {stored}")]
    Gap {
        /// Whose log.
        origin: OriginId,
        /// The last stored number.
        stored: u64,
        /// The number that was to be written.
        found: u64,
    },
    /// The store failed. Whether it was written is unknown: reopen and look.
    #[error("the store failed")]
    Store(#[source] E),
}

/// One replica's store.
pub trait SiteStore {
    /// What can go wrong in it.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Where each stored log ends.
    fn heads(&self) -> impl Future<Output = Result<BTreeMap<OriginId, Head>, Self::Error>> + Send;

    /// These documents, in this order; `None` where there is none.
    fn load(&self, keys: &[DocKey]) -> impl Future<Output = Result<Vec<Option<Vec<u8>>>, Self::Error>> + Send;

    /// All documents but orders and receipts.
    fn load_site(&self) -> impl Future<Output = Result<Vec<(DocKey, Vec<u8>)>, Self::Error>> + Send;

    /// Index entries from `from` up to, not including, `to`; the lowest first, at most `limit`.
    fn index(
        &self,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, Self::Error>> + Send;

    /// An origin's log from this number on, at most `limit` entries.
    fn log(
        &self,
        origin: &OriginId,
        from: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<LogEntry>, Self::Error>> + Send;

    /// The signatures over an origin's log, from one number up to and with another.
    fn seals(
        &self,
        origin: &OriginId,
        from: u64,
        to: u64,
    ) -> impl Future<Output = Result<Vec<Seal>, Self::Error>> + Send;

    /// A note, if it was ever written.
    fn note(&self, name: &[u8]) -> impl Future<Output = Result<Option<Vec<u8>>, Self::Error>> + Send;

    /// Writes all of it, or nothing, and returns when it would survive a power cut.
    fn commit(&mut self, writes: Writes) -> impl Future<Output = Result<(), CommitError<Self::Error>>> + Send;
}
