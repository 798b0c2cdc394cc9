//! The node's replica: the live state of `sync`, on its store. What the store thread runs plans on.
//!
//! A plan sees a replica that includes every plan before it in the group; nothing of a group is confirmed before all of it is
//! on the disk. When a write fails the replica is dropped and read again.

use crate::archive::archiver::Page;
use crate::archive::taking::{Stored, Taken};
use crate::archive::{Archive, latest_of_both};
use crate::store::StoreError;
use crate::store::board_check;
use crate::store::branch::{self, Branch, PARTED_NOTE, Without};
use crate::store::identity::Identity;
use crate::store::joined::{self, Joined};
use crate::store::node_store::NodeStore;
use pilotlight_sync::crdt::chain::ChainHash;
use pilotlight_sync::doc::books::Cover;
use pilotlight_sync::doc::change::{Change, CommitTooLarge};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::order::OrderDoc;
use pilotlight_sync::doc::reading::{self, Effect, orders_of};
use pilotlight_sync::doc::replica::{
    Applied, Loading, NOTES, Replica as State, UnreadableOrder, index_keys, number_key, order_of_key,
};
use pilotlight_sync::doc::site::{Receipt, Site};
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{IntentId, OrderId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::Parted;
use pilotlight_sync::store::{CommitError, LogEntry, Seal, Writes};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use pilotlight_sync::doc::replica::{Flushed, LiveOrder, Position};

/// Log entries read at once.
const LOG_PAGE: usize = 1_000;
/// Bytes of commits of the last group that stay at hand.
const TAIL_BYTES_MAX: usize = 64 * 1024;

/// The site as this node knows it.
#[derive(Debug)]
pub struct Replica {
    identity: Identity,
    store: Box<dyn NodeStore>,
    archive: Arc<Archive>,
    state: State,
    /// Archived orders that what is staged may write: their index entries went with them, and come back with them.
    brought_back: BTreeSet<OrderId>,
    /// Archived orders that leave sled with the next group, with their index entries.
    leaving: BTreeMap<OrderId, BTreeSet<Vec<u8>>>,
    /// What only this store has: it ends its logs with the next group, which tells it.
    branch: Option<Arc<Branch>>,
    /// It is to be opened again: its logs and the site's part.
    parted: bool,
    /// What the last group wrote into the own log.
    tail: Arc<Tail>,
}

/// The end of a log, as it was just written: who passes it on need not read it again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail {
    /// Commits that follow each other.
    pub entries: Vec<LogEntry>,
    /// Their signatures.
    pub seals: Vec<Seal>,
}

impl Tail {
    fn of(own: OriginId, writes: Writes) -> Self {
        let mut tail = Self { entries: writes.log, seals: writes.seals };
        tail.entries.retain(|entry| entry.origin == own);
        tail.seals.retain(|seal| seal.origin == own);
        if tail.bytes() <= TAIL_BYTES_MAX { tail } else { Self::default() }
    }

    fn bytes(&self) -> usize {
        self.entries.iter().map(|entry| entry.bytes.len()).sum()
    }

    /// All from this number on, when it begins here and is no larger.
    pub fn page(
        &self,
        origin: &OriginId,
        from: u64,
        commits_max: usize,
        bytes_max: usize,
    ) -> Option<(Vec<LogEntry>, Vec<Seal>)> {
        let start = self.entries.iter().position(|entry| entry.origin == *origin && entry.head.seq == from)?;
        let entries = self.entries.get(start..)?;
        let fits = entries.len() <= commits_max && self.bytes() <= bytes_max;
        let seals = self.seals.iter().filter(|seal| seal.seq >= from).cloned();
        fits.then(|| (entries.to_vec(), seals.collect()))
    }
}

impl Replica {
    /// Reads everything live from the store, and compares the open orders with index and log (SPEC X7).
    pub fn load(
        store: impl NodeStore + 'static,
        identity: Identity,
        archive: Arc<Archive>,
    ) -> Result<Self, StoreError> {
        let state = load_tail(&store)?.finish(identity.origin, store.log_heads()?);
        let (brought_back, leaving) = (BTreeSet::new(), BTreeMap::new());
        let store = Box::new(store);
        let (branch, parted, tail) = (None, false, Arc::default());
        let mut replica = Self { identity, store, archive, state, brought_back, leaving, branch, parted, tail };
        let mut broken = Vec::new();
        for key in replica.store.index_range(b"o", b"p", usize::MAX)? {
            let Some(id) = order_of_key(&key) else { continue };
            // One broken order must not keep the kitchen from opening: it is named, and put together again from the log.
            match replica.read_stored(&id) {
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
        let joined = Joined::new(replica.store.as_ref(), &replica.archive);
        for span in replica.state.begin_reread() {
            each_entry(replica.store.as_ref(), &span.origin, span.from, span.to, &mut |entry| {
                replica.state.reread(entry, &joined);
            })?;
        }
        board_check::mend(replica.store.as_ref(), &joined, &mut replica.state, broken)?;
        replica.brought_back.extend(joined.taken_from_archive());
        if replica.is_staged() {
            replica.flush()?;
        }
        Ok(replica)
    }

    /// A replica without its branch, which the next group tells.
    pub(super) fn rewound(
        store: Box<dyn NodeStore>,
        identity: Identity,
        archive: Arc<Archive>,
        state: State,
        branch: Branch,
        from_archive: Vec<OrderId>,
    ) -> Self {
        let (brought_back, leaving) = (from_archive.into_iter().collect(), BTreeMap::new());
        let (branch, parted, tail) = (Some(Arc::new(branch)), false, Arc::default());
        Self { identity, store, archive, state, brought_back, leaving, branch, parted, tail }
    }

    /// Stages what only this store had, as commits of its own.
    pub(crate) fn tell_branch(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let branch = self.branch.clone();
        branch.map_or(Ok(()), |branch| branch::tell(self, &branch, now))
    }

    /// Notes where this store's logs and the relay's part: with the next group, after which it must be opened again.
    pub(crate) fn part(&mut self, parted: &Parted) {
        self.state.note(PARTED_NOTE, minicbor::to_vec(parted).unwrap_or_default());
        self.parted = true;
    }

    /// Whether it must be opened again, because its logs and the relay's part.
    pub fn is_parted(&self) -> bool {
        self.parted
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

    /// What has left sled.
    pub fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// An order, from memory, disk or archive.
    pub fn order(&self, id: &OrderId) -> Result<Option<Arc<LiveOrder>>, StoreError> {
        if let Some(order) = self.order_here(id)? {
            return Ok(Some(order));
        }
        let archived = self.archive.get(id)?;
        let order = archived.map(|bytes| LiveOrder::from_bytes(&bytes)).transpose();
        order.map(|order| order.map(Arc::new)).map_err(|error| unreadable(id, &error))
    }

    /// An order, from memory or sled: without waiting for the archive's files.
    pub fn order_here(&self, id: &OrderId) -> Result<Option<Arc<LiveOrder>>, StoreError> {
        match self.state.live(id) {
            Some(order) => Ok(Some(order.clone())),
            None => Ok(self.read_stored(id)?.map(Arc::new)),
        }
    }

    /// Orders placed before a moment, the latest first, at most `limit`: their ids.
    pub fn orders_before(&self, before: Timestamp, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let there = self.archive.latest_before(before, limit);
        let both = latest_of_both(self.latest_here(before, limit)?, there, limit);
        Ok(both.into_iter().map(|(_, id)| id).collect())
    }

    /// The same of sled alone, with the moments.
    pub fn latest_here(&self, before: Timestamp, limit: usize) -> Result<Vec<(Timestamp, OrderId)>, StoreError> {
        let to = [&b"s"[..], &before.0.to_be_bytes()].concat();
        let keys = self.store.index_range_back(b"s", &to, limit)?;
        Ok(keys.iter().filter_map(|key| Some((placed_of_key(key)?, order_of_key(key)?))).collect())
    }

    /// Documents of orders in sled in the order of placement, after one of them (`None`: from the first), at most `limit`.
    pub fn order_docs_after(
        &self,
        after: Option<(Timestamp, OrderId)>,
        limit: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let key = |(at, id): (Timestamp, OrderId)| [&b"s"[..], &at.0.to_be_bytes(), id.as_bytes(), &[0]].concat();
        let keys = self.store.index_range(&after.map_or_else(|| b"s".to_vec(), key), b"t", limit)?;
        let mut docs = Vec::with_capacity(keys.len());
        for key in keys {
            let Some((placed_at, id)) = placed_of_key(&key).zip(order_of_key(&key)) else { continue };
            if let Some(order) = self.order_here(&id)? {
                docs.push(Stored { id, placed_at, document: minicbor::to_vec(&order.doc).unwrap_or_default() });
            }
        }
        Ok(docs)
    }

    /// Every order in memory and sled, read one after the other; what this group has staged included, as in the heads. Answers those
    /// that cannot be read.
    pub fn each_order(&self, look: &mut dyn FnMut(&LiveOrder)) -> Result<BTreeSet<OrderId>, StoreError> {
        let mut broken = BTreeSet::new();
        let mut unindexed: BTreeSet<OrderId> = self.state.live_orders().map(|(id, _)| *id).collect();
        for key in self.store.index_range(b"s", b"t", usize::MAX)? {
            let Some(id) = order_of_key(&key) else { continue };
            unindexed.remove(&id);
            match self.order_here(&id) {
                Ok(order) => order.iter().for_each(|order| look(order)),
                Err(error) => {
                    tracing::error!(order = %id, %error, "a stored order cannot be read");
                    broken.insert(id);
                }
            }
        }
        unindexed.iter().filter_map(|id| self.state.live(id)).for_each(|order| look(order));
        Ok(broken)
    }

    /// Orders that commits after one vector and up to another are about; what this group has staged included.
    pub fn orders_between(&self, after: &Cover, upto: &Cover) -> Result<BTreeSet<OrderId>, StoreError> {
        let mut orders = BTreeSet::new();
        for origin in self.state.heads().keys() {
            let take = &mut |entry: &LogEntry| orders.extend(orders_of(entry));
            each_entry(self.store.as_ref(), origin, after.upto(origin).saturating_add(1), upto.upto(origin), take)?;
        }
        let between = |entry: &&LogEntry| {
            after.upto(&entry.origin) < entry.head.seq && entry.head.seq <= upto.upto(&entry.origin)
        };
        orders.extend(self.state.staged_log().iter().filter(between).flat_map(orders_of));
        Ok(orders)
    }

    /// Orders that have a number of a day after this one, up to and with another; what this group has staged included.
    pub fn orders_of_days(&self, after: DayNumber, upto: DayNumber) -> Result<BTreeSet<OrderId>, StoreError> {
        let behind = |day: DayNumber| match day.0.checked_add(1) {
            Some(next) => [&b"n"[..], &next.to_be_bytes()].concat(),
            None => b"o".to_vec(),
        };
        let keys = self.store.index_range(&behind(after), &behind(upto), usize::MAX)?;
        let mut orders: BTreeSet<OrderId> = keys.iter().filter_map(|key| order_of_key(key)).collect();
        let of_these = |order: &LiveOrder| order.view.numbers().any(|(day, _)| after < *day && *day <= upto);
        orders.extend(self.state.live_orders().filter(|(_, order)| of_these(order)).map(|(id, _)| *id));
        Ok(orders)
    }

    /// Orders as the logs tell them: of those whose documents cannot be read.
    pub fn orders_of_logs(&self, broken: &BTreeSet<OrderId>) -> Result<Vec<OrderDoc>, StoreError> {
        let mut docs: BTreeMap<OrderId, OrderDoc> = BTreeMap::new();
        let mut take = |entry: &LogEntry| {
            let effects = reading::read(entry, self.site()).effects;
            for (id, fact) in effects.into_iter().filter_map(Effect::into_fact).filter(|(id, _)| broken.contains(id)) {
                docs.entry(id).or_default().insert(fact);
            }
        };
        if broken.is_empty() {
            return Ok(Vec::new());
        }
        for origin in self.state.heads().keys() {
            each_entry(self.store.as_ref(), origin, 1, u64::MAX, &mut take)?;
        }
        self.state.staged_log().iter().for_each(take);
        Ok(docs.into_values().collect())
    }

    /// The order that has this number on this day.
    pub fn order_by_number(&self, day: DayNumber, number: &str) -> Result<Option<OrderId>, StoreError> {
        let from = number_key(day, number);
        let mut to = from.clone();
        to.extend_from_slice(&[0xff; 17]);
        let keys = self.store.index_range(&from, &to, 1)?;
        let here = keys.first().and_then(|key| order_of_key(key));
        Ok(here.or_else(|| self.archive.by_number(day, number)))
    }

    /// Where the pages of stored orders begin.
    pub fn first_closed() -> Vec<u8> {
        b"s".to_vec()
    }

    /// Stored orders from an index entry on that were placed before a moment, that nobody is working on and that are in the books.
    pub fn closed_page(&self, from: Vec<u8>, until: Timestamp, limit: usize) -> Result<Page, StoreError> {
        let to = [&b"s"[..], &until.0.to_be_bytes()].concat();
        if from >= to {
            return Ok(Page::default());
        }
        let keys = self.store.index_range(&from, &to, limit)?;
        let mut page = Page::default();
        for key in &keys {
            let Some((placed_at, id)) = placed_of_key(key).zip(order_of_key(key)) else { continue };
            // What is in memory is open, or just was.
            let stored = if self.state.live(&id).is_none() { self.store.get(&DocKey::Order(id)) } else { Ok(None) };
            match stored {
                Ok(document) => {
                    let booked = document.filter(|document| self.is_booked(document));
                    page.orders.extend(booked.map(|document| Stored { id, placed_at, document }));
                }
                Err(error) => tracing::error!(order = %id, %error, "a stored order cannot be read: it stays"),
            }
        }
        page.next = keys.last().filter(|_| keys.len() == limit).map(|last| [last, &[0][..]].concat());
        Ok(page)
    }

    /// Whether the reports of closed days have all of it: what is in the archive a close does not look for.
    fn is_booked(&self, document: &[u8]) -> bool {
        let books = self.site().books();
        // What cannot be read is named by the archiver.
        let has_all = |order: LiveOrder| books.has_all(&order.doc, &order.view);
        LiveOrder::from_bytes(document).is_ok_and(has_all)
    }

    /// Lets sled forget orders that are in the archive, with the next group. One that has changed since, or that somebody is working
    /// on, stays. Answers how many go.
    pub fn let_go(&mut self, taken: &[Taken]) -> Result<usize, StoreError> {
        let mut leave = 0;
        for Taken { id, digest } in taken {
            let Some(document) = self.store.get(&DocKey::Order(*id))? else { continue };
            let unchanged = blake3::hash(&document) == *digest && self.state.live(id).is_none();
            if unchanged && self.archive.holds(id) {
                let order = LiveOrder::from_bytes(&document).map_err(|error| unreadable(id, &error))?;
                self.leaving.insert(*id, index_keys(id, &order.view));
                leave += 1;
            }
        }
        Ok(leave)
    }

    /// The delivery that was booked under this id, here or in this group.
    pub fn receipt(&self, intent: &IntentId) -> Result<Option<Receipt>, StoreError> {
        let key = DocKey::Receipt(*intent);
        let stored = match self.state.staged_receipt(intent) {
            Some(staged) => Some(staged.to_vec()),
            None => self.store.get(&key)?,
        };
        let damaged = |error: minicbor::decode::Error| StoreError::Damaged {
            tree: "docs-1",
            why: format!("receipt {intent}: {error}"),
        };
        stored.map(|bytes| minicbor::decode(&bytes).map_err(damaged)).transpose()
    }

    /// Bytes of the store on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.store.size_on_disk()
    }

    /// An origin's log from this number on, at most `limit` entries: what others are sent.
    pub fn log(&self, origin: &OriginId, from: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.store.log_from(origin, from, limit)
    }

    /// The chain's hash after this commit, if the stored log has it: what others are told.
    pub fn stored_hash(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, StoreError> {
        joined::read_hash(self.store.as_ref(), origin, seq)
    }

    /// The chain's hash after this commit, if the log has it; what this group has staged included.
    pub fn hash_at(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, StoreError> {
        self.state.hash_at(origin, seq, &Joined::new(self.store.as_ref(), &self.archive))
    }

    /// The seals of an origin's log from this number on, up to and with another.
    pub fn seals(&self, origin: &OriginId, from: u64, to: u64) -> Result<Vec<Seal>, StoreError> {
        self.store.seals_between(origin, from, to)
    }

    /// Applies changes as one commit of this node and stages it. Nothing is durable, or may be told, before the group is flushed.
    pub fn commit(&mut self, by: Actor, now: Timestamp, changes: &[Change]) -> Result<(), CommitTooLarge> {
        let joined = Joined::new(self.store.as_ref(), &self.archive);
        let done = match self.branch.as_deref().map(Branch::ends) {
            None => self.state.commit(by, now, changes, &joined),
            Some(ends) => self.state.commit(by, now, changes, &Without { joined: &joined, ends }),
        };
        self.brought_back.extend(joined.taken_from_archive());
        done
    }

    /// Applies verified commits of another origin and stages them, up to one that is refused.
    pub fn apply(&mut self, now: Timestamp, entries: &[LogEntry], seal: &Seal) -> Applied {
        let joined = Joined::new(self.store.as_ref(), &self.archive);
        let done = self.state.apply(now, entries, seal, &joined);
        self.brought_back.extend(joined.taken_from_archive());
        done
    }

    /// Whether there is anything to write.
    pub fn is_staged(&self) -> bool {
        self.state.is_staged() || !self.leaving.is_empty()
    }

    /// What the last group wrote into the own log.
    pub fn tail(&self) -> Arc<Tail> {
        self.tail.clone()
    }

    /// Writes what is staged. Durable when it returns; after an error the replica must be dropped.
    pub fn flush(&mut self) -> Result<Flushed, StoreError> {
        let index = self.branch.as_ref().map(|branch| branch.index(&self.state)).unwrap_or_default();
        let identity = &self.identity;
        let back = std::mem::take(&mut self.brought_back).into_iter();
        let back: Vec<(OrderId, BTreeSet<Vec<u8>>)> =
            back.filter_map(|id| Some((id, index_keys(&id, &self.state.live(&id)?.view)))).collect();
        let (mut writes, flushed) = self.state.take_writes(|head| identity.sign(&head.hash));
        for (_, keys) in back.into_iter().filter(|(id, _)| writes.docs.contains_key(&DocKey::Order(*id))) {
            writes.index.extend(keys.into_iter().map(|key| (key, true)));
        }
        writes.index.extend(index);
        let broke = |error: CommitError<StoreError>| match error {
            CommitError::Store(error) => error,
            gap @ CommitError::Gap { .. } => StoreError::Damaged { tree: "log-1", why: gap.to_string() },
        };
        if let Some(branch) = self.branch.take() {
            self.store.rewind(&branch.rewind(self.state.heads()), &writes).map_err(broke)?;
            self.tail = Arc::default();
            return Ok(flushed);
        }
        let mut leaving = std::mem::take(&mut self.leaving);
        leaving.retain(|id, _| !writes.docs.contains_key(&DocKey::Order(*id)));
        self.store.commit_and_forget(&writes, &leaving).map_err(broke)?;
        self.tail = Arc::new(Tail::of(self.identity.origin, writes));
        Ok(flushed)
    }

    fn read_stored(&self, id: &OrderId) -> Result<Option<LiveOrder>, StoreError> {
        let bytes = self.store.get(&DocKey::Order(*id))?;
        match bytes.map(|bytes| LiveOrder::from_bytes(&bytes)).transpose() {
            // Only facts that wait for it: nothing yet.
            Err(UnreadableOrder::NoHeader) => Ok(None),
            read => read.map_err(|error| unreadable(id, &error)),
        }
    }
}

fn unreadable(id: &OrderId, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged { tree: "orders-1", why: format!("order {id}: {error}") }
}

/// When the order of an index entry `s` was placed.
fn placed_of_key(key: &[u8]) -> Option<Timestamp> {
    let at = key.get(1..9)?.try_into().ok()?;
    Some(Timestamp(u64::from_be_bytes(at)))
}

/// The small documents: as they are stored, and what the logs' tails add to the hot ones.
pub(crate) fn load_tail(store: &dyn NodeStore) -> Result<Loading, StoreError> {
    let mut notes = BTreeMap::new();
    for name in NOTES {
        notes.extend(store.noted(name)?.map(|bytes| (name.to_vec(), bytes)));
    }
    let loading = Loading::begin(store.site_docs()?, &notes);
    let mut loading = loading.map_err(|error| StoreError::Damaged { tree: "docs-1", why: error.to_string() })?;
    for origin in store.log_heads()?.keys() {
        each_entry(store, origin, loading.tail_from(origin), u64::MAX, &mut |entry| loading.take(entry))?;
    }
    Ok(loading)
}

/// Reads an origin's log from a number up to and with another, page by page.
pub(super) fn each_entry(
    store: &dyn NodeStore,
    origin: &OriginId,
    from: u64,
    to: u64,
    take: &mut dyn FnMut(&LogEntry),
) -> Result<(), StoreError> {
    let mut next = from;
    while next <= to {
        let limit = usize::try_from(to - next).unwrap_or(usize::MAX).saturating_add(1).min(LOG_PAGE);
        let page = store.log_from(origin, next, limit)?;
        let Some(last) = page.last() else { break };
        next = last.head.seq.saturating_add(1);
        page.iter().for_each(&mut *take);
    }
    Ok(())
}
