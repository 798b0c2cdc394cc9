//! The store port over sled 0.34.7. The only file that names sled.
//!
//! sled's `flush()` is `sync_file_range` on Linux, not `fsync`; its `conf` file is never synced. So durable means here:
//! `db.flush()`, then `fdatasync` on our own second handle to `<dir>/db`, then the witness. After open: `conf`, `db`, the
//! directory and its parent are synced. Every value carries a schema byte and a CRC. A failed flush is never repeated: the
//! caller drops this store and opens it again.
//!
//! Large values are kept in parts (`packing`): a leaf of sled holds up to 17 values, and what exceeds 128 KiB would go to a blob
//! file that sled never syncs.

use crate::store::StoreError;
use crate::store::node_store::{NodeStore, Rewind};
use crate::store::packing::{Packer, unpack};
use crate::store::witness::Witness;
use pilotlight_edge::clock::Stopwatch;
use pilotlight_edge::files;
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::store::{CommitError, LogEntry, Seal, SiteStore, Writes};
use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Order documents: order id (16) -> facts.
const ORDERS: &str = "orders-1";
/// All other documents: kind (1), id -> document.
const DOCS: &str = "docs-1";
/// Index entries, by their first byte: see `replica`. No values.
const INDEX: &str = "index-1";
/// Logs: origin (16), seq (8, big-endian), 0 -> hash (32), commit; 1 -> signature.
const LOG: &str = "log-1";
/// Notes: name -> bytes; `head` and origin (16) -> where a log ends.
const NOTES: &str = "notes-1";
/// Parts of large values: tree tag (1), key, part (2) -> bytes.
const PARTS: &str = "parts-1";

const HEAD_NOTE: &[u8] = b"head";

/// How long a lock that is held is waited for.
const UNLOCK_MS_MAX: Duration = Duration::from_secs(1);
/// How much memory sled's cache may take, in bytes.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// A store directory, opened for this process only.
#[derive(Debug)]
pub struct SledStore {
    db: sled::Db,
    orders: sled::Tree,
    docs: sled::Tree,
    index: sled::Tree,
    log: sled::Tree,
    notes: sled::Tree,
    parts: sled::Tree,
    db_file: File,
    witness: Option<(OriginId, Witness)>,
    packer: Packer,
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        // sled tells that its file is locked in words only.
        if error.to_string().contains("could not acquire lock") { Self::InUse } else { Self::Engine(Box::new(error)) }
    }
}

impl SledStore {
    /// Opens or creates the store in this directory. Damage that sled answers with a panic is an error here.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        files::create_dir(dir)?;
        // sled lets go of its lock on a thread of its own: a store that was just dropped here is waited for, another process is not.
        let waited = Stopwatch::start();
        loop {
            let opened = catch_unwind(AssertUnwindSafe(|| Self::open_trees(dir)));
            match opened.map_err(|panic| StoreError::Panicked(panic_text(panic.as_ref())))? {
                Err(StoreError::InUse) if waited.elapsed() < UNLOCK_MS_MAX => std::thread::yield_now(),
                opened => return opened,
            }
        }
    }

    fn open_trees(dir: &Path) -> Result<Self, StoreError> {
        let db = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(Some(500)).open()?;
        let db_file = File::open(dir.join("db")).map_err(StoreError::io("opening the database file a second time"))?;
        let store = Self {
            orders: db.open_tree(ORDERS)?,
            docs: db.open_tree(DOCS)?,
            index: db.open_tree(INDEX)?,
            log: db.open_tree(LOG)?,
            notes: db.open_tree(NOTES)?,
            parts: db.open_tree(PARTS)?,
            db,
            db_file,
            witness: None,
            packer: Packer::default(),
        };
        store.db.flush()?;
        let conf = File::open(dir.join("conf")).and_then(|conf| conf.sync_all());
        conf.map_err(StoreError::io("syncing conf"))?;
        store.db_file.sync_all().map_err(StoreError::io("syncing db"))?;
        for synced in [dir.join("blobs"), dir.to_path_buf()] {
            files::sync_dir(&synced)?;
        }
        dir.parent().map_or(Ok(()), files::sync_dir)?;
        Ok(store)
    }

    /// From now on every sync fails, as a dying disk's does: `/dev/null` cannot be synced.
    #[cfg(test)]
    pub(crate) fn break_sync(&mut self) {
        self.db_file = File::open("/dev/null").unwrap();
    }

    /// From now on each commit is also told to this witness, after the database is synced and before it is confirmed.
    pub fn set_witness(&mut self, origin: OriginId, witness: Witness) {
        self.witness = Some((origin, witness));
    }

    /// A document, now.
    pub fn get(&self, key: &DocKey) -> Result<Option<Vec<u8>>, StoreError> {
        let (tag, stored_key) = place(key);
        if key.is_order() {
            return self.read(&self.orders, tag, ORDERS, &stored_key);
        }
        self.read(&self.docs, tag, DOCS, &stored_key)
    }

    /// All documents but orders and receipts, now.
    pub fn site_docs(&self) -> Result<Vec<(DocKey, Vec<u8>)>, StoreError> {
        let receipts = DocKey::parse(11, &[0; 16]).map_or(11, |key| key.kind());
        let mut docs = Vec::new();
        for entry in self.docs.iter() {
            let (stored_key, value) = entry?;
            if stored_key.first() == Some(&receipts) {
                continue;
            }
            let key = stored_key.split_first().and_then(|(kind, id)| DocKey::parse(*kind, id));
            let key = key.ok_or_else(|| StoreError::Damaged { tree: DOCS, why: format!("key {stored_key:02x?}") })?;
            docs.push((key, self.unwrap(DOCS, b'd', &stored_key, &value)?));
        }
        Ok(docs)
    }

    /// Index entries of a range, now.
    pub fn index_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let range = self.index.range(from.to_vec()..to.to_vec()).keys().take(limit);
        range.map(|key| Ok(key?.to_vec())).collect()
    }

    /// Index entries of a range, the highest first, now.
    pub fn index_range_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let range = self.index.range(from.to_vec()..to.to_vec()).rev().take(limit);
        range.map(|entry| Ok(entry?.0.to_vec())).collect()
    }

    /// Where each log ends, now.
    pub fn log_heads(&self) -> Result<BTreeMap<OriginId, Head>, StoreError> {
        let mut heads = BTreeMap::new();
        for entry in self.notes.scan_prefix(HEAD_NOTE) {
            let (key, value) = entry?;
            let damaged = |why: &str| StoreError::Damaged { tree: NOTES, why: why.to_owned() };
            let origin = <[u8; 16]>::try_from(&key[HEAD_NOTE.len()..]).map_err(|_| damaged("a head's key"))?;
            let bytes = self.unwrap(NOTES, b'n', &key, &value)?;
            let head = minicbor::decode(&bytes).map_err(|_| damaged("a head"))?;
            heads.insert(OriginId::from_bytes(origin), head);
        }
        Ok(heads)
    }

    /// Log entries from a number on, now.
    pub fn log_from(&self, origin: &OriginId, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let mut entries = Vec::new();
        for entry in self.log.range(log_key(origin, from, 0)..=log_key(origin, u64::MAX, 0)) {
            let (key, value) = entry?;
            if key.last() != Some(&0) {
                continue;
            }
            if entries.len() == limit {
                break;
            }
            let bytes = self.unwrap(LOG, b'l', &key, &value)?;
            let short = || StoreError::Damaged { tree: LOG, why: "an entry is too short".to_owned() };
            let seq = key.get(16..24).and_then(|seq| seq.try_into().ok()).map(u64::from_be_bytes).ok_or_else(short)?;
            let (hash, commit) = bytes.split_at_checked(32).ok_or_else(short)?;
            let hash = ChainHash(hash.try_into().map_err(|_| short())?);
            entries.push(LogEntry { origin: *origin, head: Head { seq, hash }, bytes: commit.to_vec() });
        }
        Ok(entries)
    }

    /// The signature that closes a group, if one does at this number.
    pub fn seal(&self, origin: &OriginId, seq: u64) -> Result<Option<[u8; 64]>, StoreError> {
        let bytes = self.read(&self.log, b'l', LOG, &log_key(origin, seq, 1))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()))
    }

    /// The signatures that close groups, from one number up to and with another.
    pub fn seals_between(&self, origin: &OriginId, from: u64, to: u64) -> Result<Vec<Seal>, StoreError> {
        let mut seals = Vec::new();
        for entry in self.log.range(log_key(origin, from, 0)..=log_key(origin, to, 1)) {
            let (key, value) = entry?;
            if key.last() != Some(&1) {
                continue;
            }
            let damaged = || StoreError::Damaged { tree: LOG, why: format!("a signature at key {key:02x?}") };
            let signature = self.unwrap(LOG, b'l', &key, &value)?.try_into().map_err(|_| damaged())?;
            let seq =
                key.get(16..24).and_then(|seq| seq.try_into().ok()).map(u64::from_be_bytes).ok_or_else(damaged)?;
            seals.push(Seal { origin: *origin, seq, signature });
        }
        Ok(seals)
    }

    /// All ids of stored orders, in no meaningful order; for checks.
    pub fn order_ids(&self) -> impl Iterator<Item = Result<Vec<u8>, StoreError>> + '_ {
        self.orders.iter().keys().map(|key| Ok(key?.to_vec()))
    }

    /// Bytes on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.db.size_on_disk().unwrap_or(0)
    }

    fn read(&self, tree: &sled::Tree, tag: u8, name: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        tree.get(key)?.map(|value| self.unwrap(name, tag, key, &value)).transpose()
    }

    /// Takes a value out of its packing, and puts parts together.
    fn unwrap(&self, tree: &'static str, tag: u8, key: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let damaged = |why: &str| StoreError::Damaged { tree, why: format!("{why} at key {key:02x?}") };
        let part = |number| Ok(self.parts.get(part_key(tag, key, number))?.map(|part| part.to_vec()));
        unpack(value, part, damaged)
    }

    fn check_gaps(&self, writes: &Writes) -> Result<BTreeMap<OriginId, Head>, CommitError<StoreError>> {
        let mut heads: BTreeMap<OriginId, Head> = BTreeMap::new();
        for entry in &writes.log {
            let stored = match heads.get(&entry.origin) {
                Some(head) => head.seq,
                None => {
                    let mut key = HEAD_NOTE.to_vec();
                    key.extend_from_slice(entry.origin.as_bytes());
                    let bytes = self.read(&self.notes, b'n', NOTES, &key).map_err(CommitError::Store)?;
                    bytes.and_then(|bytes| minicbor::decode::<Head>(&bytes).ok()).map_or(0, |head| head.seq)
                }
            };
            if entry.head.seq != stored + 1 {
                return Err(CommitError::Gap { origin: entry.origin, stored, found: entry.head.seq });
            }
            heads.insert(entry.origin, entry.head);
        }
        Ok(heads)
    }

    /// Writes all of it and forgets these orders with their index entries, in one transaction.
    pub fn commit_and_forget(
        &mut self,
        writes: &Writes,
        forget: &BTreeMap<OrderId, BTreeSet<Vec<u8>>>,
    ) -> Result<(), CommitError<StoreError>> {
        let heads = self.check_gaps(writes)?;
        let batches = Batches::of(&mut self.packer, writes, &heads);
        self.write(batches, forget, &heads).map_err(CommitError::Store)
    }

    /// Ends logs where it says, forgets documents and writes all of it, in one transaction.
    pub fn rewind(&mut self, rewind: &Rewind, writes: &Writes) -> Result<(), CommitError<StoreError>> {
        let heads = self.check_gaps(writes)?;
        let mut batches = Batches::default();
        self.drop_beyond(rewind, &mut batches).map_err(CommitError::Store)?;
        // What is written counts, also where something was dropped.
        batches.fill(&mut self.packer, writes, &heads);
        self.write(batches, &BTreeMap::new(), &heads).map_err(CommitError::Store)
    }

    fn drop_beyond(&mut self, rewind: &Rewind, batches: &mut Batches) -> Result<(), StoreError> {
        for (origin, end) in &rewind.ends {
            let beyond = log_key(origin, end.seq.saturating_add(1), 0)..=log_key(origin, u64::MAX, 1);
            for key in self.log.range(beyond).keys() {
                let key = key?;
                batches.log.remove(key.clone());
                for part in self.parts.scan_prefix([&b"l"[..], &key].concat()).keys() {
                    batches.parts.remove(part?);
                }
            }
            let note = [HEAD_NOTE, origin.as_bytes()].concat();
            if end.seq == 0 {
                batches.notes.remove(note);
            } else {
                let value = batches.pack(&mut self.packer, b'n', &note, &minicbor::to_vec(end).unwrap_or_default());
                batches.notes.insert(note, value);
            }
        }
        for key in &rewind.docs {
            let (tag, stored_key) = place(key);
            let batch = if key.is_order() { &mut batches.orders } else { &mut batches.docs };
            batch.remove(stored_key.clone());
            for part in self.parts.scan_prefix([&[tag][..], &stored_key].concat()).keys() {
                batches.parts.remove(part?);
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        mut batches: Batches,
        forget: &BTreeMap<OrderId, BTreeSet<Vec<u8>>>,
        heads: &BTreeMap<OriginId, Head>,
    ) -> Result<(), StoreError> {
        let mut parts = FlushParts::begin();
        for (id, keys) in forget {
            batches.orders.remove(&id.as_bytes()[..]);
            keys.iter().for_each(|key| batches.index.remove(key.as_slice()));
            for part in self.parts.scan_prefix([&b"o"[..], id.as_bytes()].concat()).keys() {
                batches.parts.remove(part?);
            }
        }
        let trees = (&self.orders, &self.docs, &self.index, &self.log, &self.notes, &self.parts);
        let done: Result<(), TransactionError<()>> = trees.transaction(|(orders, docs, index, log, notes, parts)| {
            orders.apply_batch(&batches.orders)?;
            docs.apply_batch(&batches.docs)?;
            index.apply_batch(&batches.index)?;
            log.apply_batch(&batches.log)?;
            notes.apply_batch(&batches.notes)?;
            parts.apply_batch(&batches.parts)?;
            Ok::<(), ConflictableTransactionError<()>>(())
        });
        match done {
            Ok(()) => {}
            Err(TransactionError::Storage(error)) => return Err(error.into()),
            Err(TransactionError::Abort(())) => {
                return Err(StoreError::Damaged { tree: LOG, why: "a transaction that never aborts did".to_owned() });
            }
        }
        parts.done("transaction");
        self.db.flush()?;
        parts.done("flush");
        self.db_file.sync_data().map_err(StoreError::io("syncing db"))?;
        parts.done("fdatasync");
        if let Some((origin, witness)) = &mut self.witness
            && let Some(head) = heads.get(origin)
        {
            witness.write(origin, head)?;
        }
        parts.done("witness");
        Ok(())
    }
}

/// Where the time of a group goes, for the metrics.
struct FlushParts(Stopwatch);

impl FlushParts {
    fn begin() -> Self {
        Self(Stopwatch::start())
    }

    fn done(&mut self, part: &'static str) {
        metrics::histogram!("pilotlight_flush_seconds", "part" => part).record(self.0.elapsed().as_secs_f64());
        self.0 = Stopwatch::start();
    }
}

#[derive(Default)]
struct Batches {
    orders: sled::Batch,
    docs: sled::Batch,
    index: sled::Batch,
    log: sled::Batch,
    notes: sled::Batch,
    parts: sled::Batch,
}

impl Batches {
    fn of(packer: &mut Packer, writes: &Writes, heads: &BTreeMap<OriginId, Head>) -> Self {
        let mut batches = Self::default();
        batches.fill(packer, writes, heads);
        batches
    }

    fn fill(&mut self, packer: &mut Packer, writes: &Writes, heads: &BTreeMap<OriginId, Head>) {
        let batches = self;
        for (key, bytes) in &writes.docs {
            let (tag, stored_key) = place(key);
            let value = batches.pack(packer, tag, &stored_key, bytes);
            let batch = if key.is_order() { &mut batches.orders } else { &mut batches.docs };
            batch.insert(stored_key, value);
        }
        for (key, put) in &writes.index {
            if *put {
                batches.index.insert(key.as_slice(), &[] as &[u8]);
            } else {
                batches.index.remove(key.as_slice());
            }
        }
        for entry in &writes.log {
            let key = log_key(&entry.origin, entry.head.seq, 0);
            let bytes = [&entry.head.hash.0[..], &entry.bytes].concat();
            let value = batches.pack(packer, b'l', &key, &bytes);
            batches.log.insert(key, value);
        }
        for seal in &writes.seals {
            let key = log_key(&seal.origin, seal.seq, 1);
            let value = batches.pack(packer, b'l', &key, &seal.signature);
            batches.log.insert(key, value);
        }
        for (origin, head) in heads {
            let key = [HEAD_NOTE, origin.as_bytes()].concat();
            let value = batches.pack(packer, b'n', &key, &minicbor::to_vec(head).unwrap_or_default());
            batches.notes.insert(key, value);
        }
        for (name, bytes) in &writes.notes {
            let value = batches.pack(packer, b'n', name, bytes);
            batches.notes.insert(name.as_slice(), value);
        }
    }

    /// Packs a value; its parts, if it has some, go into their tree.
    fn pack(&mut self, packer: &mut Packer, tag: u8, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        let packed = packer.pack(bytes);
        for (number, part) in (0u16..).zip(packed.parts) {
            self.parts.insert(part_key(tag, key, number), part);
        }
        packed.value
    }
}

/// The tag of a document's tree among the parts, and its key in the tree.
fn place(key: &DocKey) -> (u8, Vec<u8>) {
    if key.is_order() { (b'o', key.id_bytes().to_vec()) } else { (b'd', [&[key.kind()], key.id_bytes()].concat()) }
}

fn part_key(tag: u8, key: &[u8], part: u16) -> Vec<u8> {
    let mut stored = vec![tag];
    stored.extend_from_slice(key);
    stored.extend_from_slice(&part.to_be_bytes());
    stored
}

fn log_key(origin: &OriginId, seq: u64, what: u8) -> Vec<u8> {
    let mut key = Vec::with_capacity(25);
    key.extend_from_slice(origin.as_bytes());
    key.extend_from_slice(&seq.to_be_bytes());
    key.push(what);
    key
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// Moves a directory that does not open out of the way, under a name that tells when; answers the new name.
pub fn move_aside(dir: &Path, stamp: u64) -> Result<PathBuf, StoreError> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("store");
    let aside = dir.with_file_name(format!("{name}.damaged-{stamp}"));
    std::fs::rename(dir, &aside).map_err(StoreError::io(format!("moving {} aside", dir.display())))?;
    files::sync_dir(dir.parent().unwrap_or(Path::new(".")))?;
    Ok(aside)
}

impl NodeStore for SledStore {
    fn get(&self, key: &DocKey) -> Result<Option<Vec<u8>>, StoreError> {
        Self::get(self, key)
    }

    fn site_docs(&self) -> Result<Vec<(DocKey, Vec<u8>)>, StoreError> {
        Self::site_docs(self)
    }

    fn index_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        Self::index_range(self, from, to, limit)
    }

    fn index_range_back(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        Self::index_range_back(self, from, to, limit)
    }

    fn log_heads(&self) -> Result<BTreeMap<OriginId, Head>, StoreError> {
        Self::log_heads(self)
    }

    fn log_from(&self, origin: &OriginId, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        Self::log_from(self, origin, from, limit)
    }

    fn seals_between(&self, origin: &OriginId, from: u64, to: u64) -> Result<Vec<Seal>, StoreError> {
        Self::seals_between(self, origin, from, to)
    }

    fn noted(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(&self.notes, b'n', NOTES, name)
    }

    fn size_on_disk(&self) -> u64 {
        Self::size_on_disk(self)
    }

    fn rewind(&mut self, rewind: &Rewind, writes: &Writes) -> Result<(), CommitError<StoreError>> {
        Self::rewind(self, rewind, writes)
    }

    fn commit_and_forget(
        &mut self,
        writes: &Writes,
        forget: &BTreeMap<OrderId, BTreeSet<Vec<u8>>>,
    ) -> Result<(), CommitError<StoreError>> {
        Self::commit_and_forget(self, writes, forget)
    }

    #[cfg(test)]
    fn break_sync(&mut self) {
        Self::break_sync(self);
    }
}

impl SiteStore for SledStore {
    type Error = StoreError;

    async fn heads(&self) -> Result<BTreeMap<OriginId, Head>, StoreError> {
        self.log_heads()
    }

    async fn load(&self, keys: &[DocKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    async fn load_site(&self) -> Result<Vec<(DocKey, Vec<u8>)>, StoreError> {
        self.site_docs()
    }

    async fn index(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.index_range(from, to, limit)
    }

    async fn log(&self, origin: &OriginId, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.log_from(origin, from, limit)
    }

    async fn seals(&self, origin: &OriginId, from: u64, to: u64) -> Result<Vec<Seal>, StoreError> {
        self.seals_between(origin, from, to)
    }

    async fn note(&self, name: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.noted(name)
    }

    async fn commit(&mut self, writes: Writes) -> Result<(), CommitError<StoreError>> {
        self.commit_and_forget(&writes, &BTreeMap::new())
    }
}

#[cfg(test)]
mod tests;
