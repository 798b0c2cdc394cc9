//! The node's replica: the live state of `sync`, on sled. What the store thread runs plans on.
//!
//! A plan sees a replica that includes every plan before it in the group; nothing of a group is confirmed before all of it is
//! on the disk. When a write fails the replica is dropped and read again.

use crate::store::StoreError;
use crate::store::board_check;
use crate::store::identity::Identity;
use crate::store::sled_store::SledStore;
use pilotlight_sync::doc::change::{Change, CommitTooLarge};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::replica::{
    ApplyError, HLC_NOTE, HOT_NOTE, Loading, ReadOrder, Replica as State, number_key, order_of_key,
};
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{IntentId, OrderId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::store::{CommitError, LogEntry, Seal, SiteStore};
use std::sync::Arc;

pub use pilotlight_sync::doc::replica::{Flushed, LiveOrder, Position};

/// Log entries read at once.
const LOG_PAGE: usize = 1_000;

/// An index entry, the order that it names, and that order's document.
pub type IndexedDoc = (Vec<u8>, OrderId, Vec<u8>);

/// The site as this node knows it.
#[derive(Debug)]
pub struct Replica {
    identity: Identity,
    store: SledStore,
    state: State,
}

impl ReadOrder for SledStore {
    type Error = StoreError;

    fn read_order(&self, id: &OrderId) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&DocKey::Order(*id))
    }
}

impl Replica {
    /// Reads everything live from the store, and compares the open orders with index and log (SPEC X7).
    pub fn load(store: SledStore, identity: Identity) -> Result<Self, StoreError> {
        let state = load_tail(&store)?.finish(identity.origin, store.log_heads()?);
        let mut replica = Self { identity, store, state };
        let mut broken = Vec::new();
        for key in replica.store.index_range(b"o", b"p", usize::MAX)? {
            let Some(id) = order_of_key(&key) else { continue };
            // One broken order must not keep the kitchen from opening: it is named, and put together again from the log.
            match replica.read_order(&id) {
                Ok(Some(order)) => replica.state.admit(id, order),
                Ok(None) => {
                    tracing::error!(order = %id, "the index names an open order that is not stored");
                    broken.push(id);
                }
                Err(error) => {
                    tracing::error!(order = %id, %error, "an open order cannot be read");
                    broken.push(id);
                }
            }
        }
        board_check::mend(&replica.store, &mut replica.state, broken)?;
        if replica.is_staged() {
            replica.flush()?;
        }
        Ok(replica)
    }

    /// From now on every sync fails.
    #[cfg(test)]
    pub(crate) fn break_sync(&mut self) {
        self.store.break_sync();
    }

    /// The small documents.
    pub fn site(&self) -> &Site {
        self.state.site()
    }

    /// Who writes here.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where the own log ends.
    pub fn position(&self) -> Position {
        self.state.position()
    }

    /// The live state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Orders in memory, by id.
    pub fn live_orders(&self) -> impl Iterator<Item = (&OrderId, &Arc<LiveOrder>)> {
        self.state.live_orders()
    }

    /// How many orders are in memory.
    pub fn live_count(&self) -> usize {
        self.state.live_count()
    }

    /// An order, from memory or disk.
    pub fn order(&self, id: &OrderId) -> Result<Option<Arc<LiveOrder>>, StoreError> {
        match self.state.live(id) {
            Some(order) => Ok(Some(order.clone())),
            None => Ok(self.read_order(id)?.map(Arc::new)),
        }
    }

    /// Orders placed before a moment, the latest first, at most `limit`: their ids.
    pub fn orders_before(&self, before: Timestamp, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let mut to = vec![b's'];
        to.extend_from_slice(&before.0.to_be_bytes());
        let keys = self.store.index_range_back(b"s", &to, limit)?;
        Ok(keys.iter().filter_map(|key| order_of_key(key)).collect())
    }

    /// Documents of orders in the order of placement, after an index entry of `s` (empty: from the first), at most `limit`: each
    /// with its entry.
    pub fn order_docs_after(&self, after: &[u8], limit: usize) -> Result<Vec<IndexedDoc>, StoreError> {
        let from = if after.is_empty() { b"s".to_vec() } else { [after, &[0]].concat() };
        let keys = self.store.index_range(&from, b"t", limit)?;
        let mut docs = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(id) = order_of_key(&key) else { continue };
            if let Some(order) = self.order(&id)? {
                docs.push((key, id, minicbor::to_vec(&order.doc).unwrap_or_default()));
            }
        }
        Ok(docs)
    }

    /// The order that has this number on this day.
    pub fn order_by_number(&self, day: DayNumber, number: &str) -> Result<Option<OrderId>, StoreError> {
        let from = number_key(day, number);
        let mut to = from.clone();
        to.extend_from_slice(&[0xff; 17]);
        let keys = self.store.index_range(&from, &to, 1)?;
        Ok(keys.first().and_then(|key| order_of_key(key)))
    }

    /// Whether this delivery was booked, here or in this group.
    pub fn has_receipt(&self, intent: &IntentId) -> Result<bool, StoreError> {
        let key = DocKey::Receipt(*intent);
        Ok(self.state.has_staged_receipt(intent) || self.store.get(&key)?.is_some())
    }

    /// Bytes of the store on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.store.size_on_disk()
    }

    /// An origin's log from this number on, at most `limit` entries: what others are sent.
    pub fn log(&self, origin: &OriginId, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.store.log_from(origin, from, limit)
    }

    /// The seals of an origin's log from this number on, up to and with another.
    pub fn seals(&self, origin: &OriginId, from: u64, to: u64) -> Result<Vec<Seal>, StoreError> {
        self.store.seals_between(origin, from, to)
    }

    /// Applies changes as one commit of this node and stages it. Nothing is durable, or may be told, before the group is flushed.
    pub fn commit(&mut self, by: Actor, now: Timestamp, changes: &[Change]) -> Result<(), CommitTooLarge> {
        self.state.commit(by, now, changes, &self.store)
    }

    /// Applies verified commits of another origin and stages them. Answers how many were new.
    pub fn apply(&mut self, now: Timestamp, entries: &[LogEntry], seal: &Seal) -> Result<usize, ApplyError> {
        self.state.apply(now, entries, seal, &self.store)
    }

    /// Whether there is anything to write.
    pub fn is_staged(&self) -> bool {
        self.state.is_staged()
    }

    /// Writes what is staged. Durable when it returns; after an error the replica must be dropped.
    pub fn flush(&mut self) -> Result<Flushed, StoreError> {
        let identity = &self.identity;
        let (writes, flushed) = self.state.take_writes(|head| identity.sign(&head.hash));
        match futures_util::FutureExt::now_or_never(SiteStore::commit(&mut self.store, writes)) {
            Some(Ok(())) => Ok(flushed),
            Some(Err(CommitError::Store(error))) => Err(error),
            Some(Err(gap @ CommitError::Gap { .. })) => {
                Err(StoreError::Damaged { tree: "log-1", why: gap.to_string() })
            }
            None => Err(StoreError::Damaged { tree: "log-1", why: "sled did not answer at once".to_owned() }),
        }
    }

    fn read_order(&self, id: &OrderId) -> Result<Option<LiveOrder>, StoreError> {
        let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged {
            tree: "orders-1",
            why: format!("order {id}: {error}"),
        };
        let bytes = self.store.get(&DocKey::Order(*id))?;
        bytes.map(|bytes| LiveOrder::from_bytes(&bytes)).transpose().map_err(|error| damaged(&error))
    }
}

/// The small documents: as they are stored, and what the logs' tails add to the hot ones.
pub(crate) fn load_tail(store: &SledStore) -> Result<Loading, StoreError> {
    let note = |name| futures_util::FutureExt::now_or_never(SiteStore::note(store, name)).transpose();
    let (hot, hlc) = (note(HOT_NOTE)?.flatten(), note(HLC_NOTE)?.flatten());
    let loading = Loading::begin(store.site_docs()?, hot.as_deref(), hlc.as_deref());
    let mut loading = loading.map_err(|error| StoreError::Damaged { tree: "docs-1", why: error.to_string() })?;
    for origin in store.log_heads()?.keys() {
        let mut next = loading.tail_from(origin);
        loop {
            let page = store.log_from(origin, next, LOG_PAGE)?;
            let Some(last) = page.last() else { break };
            next = last.head.seq + 1;
            for entry in &page {
                loading.take(entry).map_err(|error| StoreError::Damaged { tree: "log-1", why: error.to_string() })?;
            }
        }
    }
    Ok(loading)
}
