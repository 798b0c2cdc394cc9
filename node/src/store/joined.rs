//! Orders read from sled, and from the archive those that have left sled.

use crate::archive::Archive;
use crate::store::StoreError;
use crate::store::node_store::NodeStore;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::replica::ReadOrder;
use pilotlight_sync::domain::id::OrderId;
use std::cell::RefCell;

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

impl ReadOrder for Joined<'_> {
    type Error = StoreError;

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
