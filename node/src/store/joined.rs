//! Orders read from sled, and from the archive those that have left sled.

use crate::archive::Archive;
use crate::store::StoreError;
use crate::store::node_store::NodeStore;
use pilotlight_sync::crdt::chain::ChainHash;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::replica::ReadStored;
use pilotlight_sync::domain::id::{OrderId, OriginId};
use std::cell::RefCell;

/// The chain's hash after this commit, if the stored log has it.
pub(super) fn read_hash(store: &dyn NodeStore, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, StoreError> {
    let entry = store.log_from(origin, seq, 1)?.into_iter().next();
    Ok(entry.filter(|entry| entry.head.seq == seq).map(|entry| entry.head.hash))
}

/// Reads through both, and remembers what it had to take from the archive: when that is written, its index entries are written too.
#[derive(Debug)]
pub(super) struct Joined<'a> {
    store: &'a dyn NodeStore,
    archive: &'a Archive,
    from_archive: RefCell<Vec<OrderId>>,
}

impl<'a> Joined<'a> {
    /// Reads this store first.
    pub(super) fn new(store: &'a dyn NodeStore, archive: &'a Archive) -> Self {
        Self { store, archive, from_archive: RefCell::default() }
    }

    /// Orders that were not in sled, but in the archive.
    pub(super) fn taken_from_archive(self) -> Vec<OrderId> {
        self.from_archive.into_inner()
    }
}

impl ReadStored for Joined<'_> {
    type Error = StoreError;

    fn read_hash(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, StoreError> {
        read_hash(self.store, origin, seq)
    }

    fn read_order(&self, id: &OrderId) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(document) = self.store.get(&DocKey::Order(*id))? {
            return Ok(Some(document));
        }
        let archived = self.archive.get(id)?;
        if archived.is_some() {
            self.from_archive.borrow_mut().push(*id);
        }
        Ok(archived)
    }
}
