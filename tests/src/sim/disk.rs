//! A node's disk in memory: what is flushed survives a crash, what is only written may or may not, and each flush can be made to end
//! at any of its points.
//!
//! The port under the node's replica writes and flushes in one call, so a crash is always inside that call or between two: the
//! points are before the transaction, after it but before its sync, after the sync but before the witness, and before the answer.

use pilotlight_node::store::StoreError;
use pilotlight_node::store::branch::PARTED_NOTE;
use pilotlight_node::store::identity::Identity;
use pilotlight_node::store::node_store::{NodeStore, Rewind};
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::store::{CommitError, LogEntry, Seal, Writes};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the next flush ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushEnd {
    /// Before anything is written.
    Nothing,
    /// Written, and the sync fails: the disk kept it all the same.
    Unsynced,
    /// Durable, without the witness knowing.
    NoWitness,
    /// Durable, and nobody is answered.
    NoAnswer,
}

impl FlushEnd {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Unsynced, Self::NoWitness, Self::NoAnswer];
}

/// Everything that is on the disk.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    docs: BTreeMap<DocKey, Vec<u8>>,
    index: BTreeSet<Vec<u8>>,
    logs: BTreeMap<OriginId, Vec<LogEntry>>,
    seals: BTreeMap<(OriginId, u64), [u8; 64]>,
    notes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Files beside the store.
    pub witness: Option<(OriginId, Head)>,
    /// Who writes here.
    pub identity: Option<Identity>,
}

impl Kept {
    /// Where each log ends.
    #[must_use]
    pub fn heads(&self) -> BTreeMap<OriginId, Head> {
        self.logs.iter().filter_map(|(origin, log)| Some((*origin, log.last()?.head))).collect()
    }

    fn give_up(&mut self, rewind: &Rewind) {
        for (origin, end) in &rewind.ends {
            if let Some(log) = self.logs.get_mut(origin) {
                log.retain(|entry| entry.head.seq <= end.seq);
            }
            self.seals.retain(|(of, seq), _| of != origin || *seq <= end.seq);
        }
        self.docs.retain(|key, _| !rewind.docs.contains(key));
    }

    fn write(&mut self, writes: &Writes, forget: &BTreeMap<OrderId, BTreeSet<Vec<u8>>>) {
        for (key, bytes) in &writes.docs {
            self.docs.insert(key.clone(), bytes.clone());
        }
        for (key, put) in &writes.index {
            if *put {
                self.index.insert(key.clone());
            } else {
                self.index.remove(key);
            }
        }
        for entry in &writes.log {
            self.logs.entry(entry.origin).or_default().push(entry.clone());
        }
        for seal in &writes.seals {
            self.seals.insert((seal.origin, seal.seq), seal.signature);
        }
        for (name, bytes) in &writes.notes {
            self.notes.insert(name.clone(), bytes.clone());
        }
        for (id, keys) in forget {
            self.docs.remove(&DocKey::Order(*id));
            self.index.retain(|key| !keys.contains(key));
        }
    }

    /// Whether the store is to be opened again, because its logs and the relay's part.
    #[must_use]
    pub fn is_parted(&self) -> bool {
        self.notes.get(PARTED_NOTE).is_some_and(|note| !note.is_empty())
    }

    /// All documents of orders.
    pub fn orders(&self) -> impl Iterator<Item = (&DocKey, &Vec<u8>)> {
        self.docs.iter().filter(|(key, _)| key.is_order())
    }
}

#[derive(Debug, Default)]
struct Inner {
    kept: Kept,
    next_end: Option<FlushEnd>,
    struck: bool,
}

/// The disk itself: it outlives the store that is opened on it.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk with this on it.
    #[must_use]
    pub fn with(kept: Kept) -> Self {
        let disk = Self::default();
        disk.lock().kept = kept;
        disk
    }

    /// Opens the store on it.
    #[must_use]
    pub fn open(&self) -> MemoryStore {
        MemoryStore { disk: self.clone() }
    }

    /// Everything on it, as a backup or another disk would have it.
    #[must_use]
    pub fn copy(&self) -> Kept {
        self.lock().kept.clone()
    }

    /// Looks at what is on it.
    pub fn look<A>(&self, look: impl FnOnce(&Kept) -> A) -> A {
        look(&self.lock().kept)
    }

    /// Puts something else on it.
    pub fn restore(&self, kept: Kept) {
        self.lock().kept = kept;
    }

    /// Who writes here.
    pub fn set_identity(&self, identity: Identity) {
        self.lock().kept.identity = Some(identity);
    }

    /// The next flush ends there.
    pub fn end_next_flush(&self, end: Option<FlushEnd>) {
        self.lock().next_end = end;
    }

    /// Whether a flush has ended early since this was last asked.
    #[must_use]
    pub fn was_struck(&self) -> bool {
        std::mem::take(&mut self.lock().struck)
    }
}

/// The store that is open on a disk.
#[derive(Debug)]
pub struct MemoryStore {
    disk: Disk,
}

fn broken() -> CommitError<StoreError> {
    let source = std::io::Error::other("the simulated disk said no");
    CommitError::Store(StoreError::Io { what: "syncing".to_owned(), source })
}

impl NodeStore for MemoryStore {
    fn get(&self, key: &DocKey) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.disk.lock().kept.docs.get(key).cloned())
    }

    fn site_docs(&self) -> Result<Vec<(DocKey, Vec<u8>)>, StoreError> {
        let inner = self.disk.lock();
        let site = inner.kept.docs.iter().filter(|(key, _)| !matches!(key, DocKey::Order(_) | DocKey::Receipt(_)));
        Ok(site.map(|(key, bytes)| (key.clone(), bytes.clone())).collect())
    }

    fn index_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let inner = self.disk.lock();
        Ok(inner.kept.index.range(from.to_vec()..to.to_vec()).take(limit).cloned().collect())
    }

    fn index_range_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let inner = self.disk.lock();
        Ok(inner.kept.index.range(from.to_vec()..to.to_vec()).rev().take(limit).cloned().collect())
    }

    fn log_heads(&self) -> Result<BTreeMap<OriginId, Head>, StoreError> {
        Ok(self.disk.lock().kept.heads())
    }

    fn log_from(&self, origin: &OriginId, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let inner = self.disk.lock();
        let log = inner.kept.logs.get(origin).map(Vec::as_slice).unwrap_or_default();
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(log.iter().skip(skip).take(limit).cloned().collect())
    }

    fn seals_between(&self, origin: &OriginId, from: u64, to: u64) -> Result<Vec<Seal>, StoreError> {
        let inner = self.disk.lock();
        let seals = inner.kept.seals.range((*origin, from)..=(*origin, to.max(from)));
        Ok(seals.map(|((origin, seq), signature)| Seal { origin: *origin, seq: *seq, signature: *signature }).collect())
    }

    fn noted(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.disk.lock().kept.notes.get(name).cloned())
    }

    fn size_on_disk(&self) -> u64 {
        0
    }

    fn commit_and_forget(
        &mut self,
        writes: &Writes,
        forget: &BTreeMap<OrderId, BTreeSet<Vec<u8>>>,
    ) -> Result<(), CommitError<StoreError>> {
        self.disk.lock().write(&Rewind::default(), writes, forget)
    }

    fn rewind(&mut self, rewind: &Rewind, writes: &Writes) -> Result<(), CommitError<StoreError>> {
        self.disk.lock().write(rewind, writes, &BTreeMap::new())
    }
}

impl Inner {
    /// One transaction and its sync, or as much of it as the next end allows.
    fn write(
        &mut self,
        rewind: &Rewind,
        writes: &Writes,
        forget: &BTreeMap<OrderId, BTreeSet<Vec<u8>>>,
    ) -> Result<(), CommitError<StoreError>> {
        let inner = self;
        let mut heads = inner.kept.heads();
        for entry in &writes.log {
            let stored = heads.get(&entry.origin).map_or(0, |head| head.seq);
            if entry.head.seq != stored + 1 {
                return Err(CommitError::Gap { origin: entry.origin, stored, found: entry.head.seq });
            }
            heads.insert(entry.origin, entry.head);
        }
        let end = inner.next_end.take();
        inner.struck |= end.is_some();
        if end == Some(FlushEnd::Nothing) {
            return Err(broken());
        }
        inner.kept.give_up(rewind);
        inner.kept.write(writes, forget);
        let own = inner.kept.identity.as_ref().map(|identity| identity.origin);
        let unwitnessed = matches!(end, Some(FlushEnd::Unsynced | FlushEnd::NoWitness));
        if !unwitnessed && let Some((origin, head)) = own.and_then(|own| Some((own, *heads.get(&own)?))) {
            inner.kept.witness = Some((origin, head));
        }
        if end.is_some() { Err(broken()) } else { Ok(()) }
    }
}
