//! The live state in memory: what the store thread runs plans on, and what it has staged to be written.
//!
//! A plan sees a replica that includes every plan before it in the group; nothing of a group is confirmed before all of it is
//! on the disk. When a write fails the replica is dropped and read again.
//!
//! Index entries, big-endian: `o` placed-at order: on the board; `s` placed-at order: every order; `n` day number 0 order.

use crate::store::StoreError;
use crate::store::identity::Identity;
use crate::store::sled_store::SledStore;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::crdt::facts::{Fact, FactId};
use pilotlight_sync::crdt::hlc::Hlc;
use pilotlight_sync::doc::change::{Change, Commit, CommitTooLarge};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::order::OrderDoc;
use pilotlight_sync::doc::order_view::{OrderView, view};
use pilotlight_sync::doc::site::{Site, Touched, UnreadableDoc};
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{IntentId, OrderId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::store::{LogEntry, Seal, Writes};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Finished orders that stay on the screens' recall strip.
const RECENTLY_DONE_MAX: usize = 20;
/// The note that keeps the hybrid clock.
const HLC_NOTE: &[u8] = b"hlc";
/// The note that says up to where each log is contained in the stored hot documents.
const HOT_NOTE: &[u8] = b"hot";
/// Hot documents (stock rows, the day's counter) are in every order's commit. Written as documents each time they would be half of
/// what a group writes, and sled's collector would move the rest: so they are written every so many commits, and the log's tail
/// is read at boot. Applying it again changes nothing (SPEC S1, W1).
const HOT_COMMITS_MAX: u64 = 256;
/// Log entries read at once.
const LOG_PAGE: usize = 1_000;

/// One order in memory.
#[derive(Debug, Clone)]
pub struct LiveOrder {
    /// Its facts.
    pub doc: OrderDoc,
    /// What they mean.
    pub view: OrderView,
}

/// Where the own log ends: what screens remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// This store.
    pub origin: OriginId,
    /// Its last commit.
    pub head: Head,
}

/// What a flushed group has changed, for the screens.
#[derive(Debug, Clone)]
pub struct Flushed {
    /// After the group.
    pub position: Position,
    /// Orders that changed and are on the board or just left it.
    pub orders: Vec<(OrderId, Arc<LiveOrder>)>,
    /// Orders that left the screens.
    pub gone: Vec<OrderId>,
    /// There is another menu.
    pub menu: bool,
    /// Something may be sold out, or back.
    pub availability: bool,
    /// A device or person came, changed or left.
    pub people: bool,
    /// It is everything: the start, or the state was read again.
    pub whole: bool,
}

/// The site as this node knows it.
#[derive(Debug)]
pub struct Replica {
    identity: Identity,
    store: SledStore,
    site: Site,
    heads: BTreeMap<OriginId, Head>,
    hlc: Hlc,
    orders: BTreeMap<OrderId, Arc<LiveOrder>>,
    done: VecDeque<OrderId>,
    hot_docs: BTreeSet<DocKey>,
    hot_commits: u64,
    staged: Staged,
}

#[derive(Debug, Default)]
struct Staged {
    writes: Writes,
    touched: Touched,
    orders: BTreeSet<OrderId>,
    gone: Vec<OrderId>,
    receipts: BTreeMap<DocKey, Vec<u8>>,
}

impl Replica {
    /// Reads everything live from the store.
    pub fn load(store: SledStore, identity: Identity) -> Result<Self, StoreError> {
        let mut tail = Touched::default();
        let site = load_site(&store, &mut tail)?;
        let heads = store.log_heads()?;
        let hlc = futures_util::FutureExt::now_or_never(pilotlight_sync::store::SiteStore::note(&store, HLC_NOTE));
        let hlc = hlc.transpose()?.flatten().and_then(|bytes| minicbor::decode(&bytes).ok()).unwrap_or_default();
        let mut replica = Self {
            identity,
            store,
            site,
            heads,
            hlc,
            orders: BTreeMap::new(),
            done: VecDeque::new(),
            hot_docs: tail.docs.into_iter().filter(DocKey::is_hot).collect(),
            hot_commits: 0,
            staged: Staged::default(),
        };
        for key in replica.store.index_range(b"o", b"p", usize::MAX)? {
            let Some(id) = key.last_chunk::<16>().map(|id| OrderId::from_bytes(*id)) else { continue };
            // One broken order must not keep the kitchen from opening: it is named, and its facts are in the log.
            match replica.read_order(&id) {
                Ok(Some(order)) => drop(replica.orders.insert(id, Arc::new(order))),
                Ok(None) => {
                    tracing::error!(order = %id, "the board's index names an order that is not stored: run the check")
                }
                Err(error) => {
                    tracing::error!(order = %id, %error, "an order on the board cannot be read: run the check")
                }
            }
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
        &self.site
    }

    /// Who writes here.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where the own log ends.
    pub fn position(&self) -> Position {
        let origin = self.identity.origin;
        Position { origin, head: self.heads.get(&origin).copied().unwrap_or_else(|| Head::start(&origin)) }
    }

    /// Orders on the screens, by id.
    pub fn live_orders(&self) -> impl Iterator<Item = (&OrderId, &Arc<LiveOrder>)> {
        self.orders.iter()
    }

    /// How many orders are on the screens.
    pub fn live_count(&self) -> usize {
        self.orders.len()
    }

    /// An order, from memory or disk.
    pub fn order(&self, id: &OrderId) -> Result<Option<Arc<LiveOrder>>, StoreError> {
        match self.orders.get(id) {
            Some(order) => Ok(Some(order.clone())),
            None => Ok(self.read_order(id)?.map(Arc::new)),
        }
    }

    /// Orders placed before a moment, the latest first, at most `limit`: their ids.
    pub fn orders_before(&self, before: Timestamp, limit: usize) -> Result<Vec<OrderId>, StoreError> {
        let mut to = vec![b's'];
        to.extend_from_slice(&before.0.to_be_bytes());
        let keys = self.store.index_range_back(b"s", &to, limit)?;
        Ok(keys.iter().filter_map(|key| key.last_chunk::<16>()).map(|id| OrderId::from_bytes(*id)).collect())
    }

    /// The order that has this number on this day.
    pub fn order_by_number(&self, day: DayNumber, number: &str) -> Result<Option<OrderId>, StoreError> {
        let from = number_key(day, number);
        let mut to = from.clone();
        to.extend_from_slice(&[0xff; 17]);
        let keys = self.store.index_range(&from, &to, 1)?;
        Ok(keys.first().and_then(|key| key.last_chunk::<16>()).map(|id| OrderId::from_bytes(*id)))
    }

    /// Whether this delivery was booked, here or in this group.
    pub fn has_receipt(&self, intent: &IntentId) -> Result<bool, StoreError> {
        let key = DocKey::Receipt(*intent);
        Ok(self.staged.receipts.contains_key(&key) || self.store.get(&key)?.is_some())
    }

    /// Bytes of the store on disk.
    pub fn size_on_disk(&self) -> u64 {
        self.store.size_on_disk()
    }

    /// Applies changes as one commit of this node and stages it. Nothing is durable, or may be told, before the group is flushed.
    pub fn commit(&mut self, by: Actor, now: Timestamp, changes: &[Change]) -> Result<(), CommitTooLarge> {
        let at = self.hlc.tick(now);
        let position = self.position();
        let commit = Commit {
            origin: position.origin,
            seq: position.head.seq + 1,
            at,
            clock_trusted: true,
            by,
            seen: Vec::new(),
            changes: changes.iter().map(Change::to_raw).collect(),
        };
        let bytes = commit.to_bytes()?;
        self.hlc = at;
        let head = position.head.then(&bytes);
        self.heads.insert(commit.origin, head);
        self.staged.writes.log.push(LogEntry { origin: commit.origin, head, bytes });
        for (index, change) in changes.iter().enumerate() {
            self.apply(&commit, index, change);
        }
        Ok(())
    }

    fn apply(&mut self, commit: &Commit, index: usize, change: &Change) {
        self.site.apply(commit, change, &mut self.staged.touched);
        match change {
            Change::Order(id, what) => {
                let id_of_fact =
                    FactId { origin: commit.origin, seq: commit.seq, index: u32::try_from(index).unwrap_or(u32::MAX) };
                self.touch_order(id, |doc| {
                    doc.insert(Fact { id: id_of_fact, at: commit.at, by: commit.by, what: what.clone() });
                });
            }
            Change::Receipt(intent, receipt) => {
                let bytes = minicbor::to_vec(receipt).unwrap_or_default();
                self.staged.receipts.insert(DocKey::Receipt(*intent), bytes);
            }
            Change::Stock(..)
            | Change::Fence(_)
            | Change::Item(_)
            | Change::Category(_)
            | Change::Group(_)
            | Change::Ingredient(_)
            | Change::Station(_)
            | Change::EightySix(_)
            | Change::Device(_)
            | Change::Person(_)
            | Change::Day(_)
            | Change::Settings(_)
            | Change::Unknown(_) => {}
        }
    }

    fn touch_order(&mut self, id: &OrderId, edit: impl FnOnce(&mut OrderDoc)) {
        // An order that is neither here nor on disk begins with this fact; one that cannot be read is left alone.
        let known = match self.order(id) {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(order = %id, %error, "an order cannot be read: the fact is kept in the log only");
                return;
            }
        };
        let was = known.as_ref().map(|order| index_keys(id, &order.view)).unwrap_or_default();
        let mut doc = known.map(|order| order.doc.clone()).unwrap_or_default();
        edit(&mut doc);
        let Some(view) = view(&doc) else { return };
        let is = index_keys(id, &view);
        for key in was.difference(&is) {
            self.staged.writes.index.insert(key.clone(), false);
        }
        for key in is.difference(&was) {
            self.staged.writes.index.insert(key.clone(), true);
        }
        let on_board = view.on_board();
        self.orders.insert(*id, Arc::new(LiveOrder { doc, view }));
        self.staged.orders.insert(*id);
        self.keep_recent(id, on_board);
    }

    /// Keeps the last finished orders in memory and lets the older ones go.
    fn keep_recent(&mut self, id: &OrderId, on_board: bool) {
        if on_board {
            self.done.retain(|done| done != id);
            return;
        }
        if !self.done.contains(id) {
            self.done.push_back(*id);
        }
        while self.done.len() > RECENTLY_DONE_MAX {
            if let Some(oldest) = self.done.pop_front() {
                self.staged.gone.push(oldest);
            }
        }
    }

    /// Whether there is anything to write.
    pub fn is_staged(&self) -> bool {
        !self.staged.writes.log.is_empty()
    }

    /// Writes what is staged. Durable when it returns; after an error the replica must be dropped.
    pub fn flush(&mut self) -> Result<Flushed, StoreError> {
        let mut staged = std::mem::take(&mut self.staged);
        let position = self.position();
        for id in &staged.orders {
            if let Some(order) = self.orders.get(id) {
                let bytes = minicbor::to_vec(&order.doc).unwrap_or_default();
                staged.writes.docs.insert(DocKey::Order(*id), bytes);
            }
        }
        let (hot, cold): (BTreeSet<DocKey>, _) = staged.touched.docs.iter().cloned().partition(DocKey::is_hot);
        self.hot_docs.extend(hot);
        self.hot_commits += staged.writes.log.len() as u64;
        let mut docs: BTreeSet<DocKey> = cold;
        if self.hot_commits >= HOT_COMMITS_MAX {
            docs.append(&mut self.hot_docs);
            self.hot_commits = 0;
            let upto: BTreeMap<OriginId, u64> = self.heads.iter().map(|(origin, head)| (*origin, head.seq)).collect();
            staged.writes.notes.insert(HOT_NOTE.to_vec(), minicbor::to_vec(upto).unwrap_or_default());
        }
        for key in docs {
            if let Some(bytes) = self.site.encode(&key) {
                staged.writes.docs.insert(key, bytes);
            }
        }
        staged.writes.docs.extend(std::mem::take(&mut staged.receipts));
        staged.writes.notes.insert(HLC_NOTE.to_vec(), minicbor::to_vec(self.hlc).unwrap_or_default());
        let signature = self.identity.sign(&position.head.hash);
        staged.writes.seals.push(Seal { origin: position.origin, seq: position.head.seq, signature });
        let written = futures_util::FutureExt::now_or_never(pilotlight_sync::store::SiteStore::commit(
            &mut self.store,
            std::mem::take(&mut staged.writes),
        ));
        match written {
            Some(Ok(())) => {}
            Some(Err(pilotlight_sync::store::CommitError::Store(error))) => return Err(error),
            Some(Err(gap @ pilotlight_sync::store::CommitError::Gap { .. })) => {
                return Err(StoreError::Damaged { tree: "log-1", why: gap.to_string() });
            }
            None => return Err(StoreError::Damaged { tree: "log-1", why: "sled did not answer at once".to_owned() }),
        }
        Ok(self.flushed(position, &staged))
    }

    fn flushed(&mut self, position: Position, staged: &Staged) -> Flushed {
        let orders = staged.orders.iter().filter(|id| !staged.gone.contains(id));
        let orders = orders.filter_map(|id| Some((*id, self.orders.get(id)?.clone()))).collect();
        for id in &staged.gone {
            self.orders.remove(id);
        }
        Flushed {
            position,
            orders,
            gone: staged.gone.clone(),
            menu: staged.touched.menu,
            availability: staged.touched.availability,
            people: staged.touched.people,
            whole: false,
        }
    }

    fn read_order(&self, id: &OrderId) -> Result<Option<LiveOrder>, StoreError> {
        let Some(bytes) = self.store.get(&DocKey::Order(*id))? else { return Ok(None) };
        let doc: OrderDoc = minicbor::decode(&bytes)
            .map_err(|error| StoreError::Damaged { tree: "orders-1", why: format!("order {id}: {error}") })?;
        let damaged = || StoreError::Damaged { tree: "orders-1", why: format!("order {id} has no header") };
        let view = view(&doc).ok_or_else(damaged)?;
        Ok(Some(LiveOrder { doc, view }))
    }
}

/// The small documents: as they are stored, and what the logs' tails add to the hot ones.
pub(crate) fn load_site(store: &SledStore, touched: &mut Touched) -> Result<Site, StoreError> {
    let mut site = Site::default();
    for (key, bytes) in store.site_docs()? {
        let damaged = |error: UnreadableDoc| StoreError::Damaged { tree: "docs-1", why: error.to_string() };
        site.load(&key, &bytes).map_err(damaged)?;
    }
    let note = futures_util::FutureExt::now_or_never(pilotlight_sync::store::SiteStore::note(store, HOT_NOTE));
    let upto: BTreeMap<OriginId, u64> =
        note.transpose()?.flatten().and_then(|bytes| minicbor::decode(&bytes).ok()).unwrap_or_default();
    for origin in store.log_heads()?.keys() {
        let mut next = upto.get(origin).copied().unwrap_or(0) + 1;
        loop {
            let page = store.log_from(origin, next, LOG_PAGE)?;
            let Some(last) = page.last() else { break };
            next = last.head.seq + 1;
            for entry in &page {
                let damaged = |why: String| StoreError::Damaged { tree: "log-1", why };
                let commit = Commit::from_bytes(&entry.bytes).map_err(|error| damaged(error.to_string()))?;
                for change in commit.changes().map_err(|error| damaged(error.to_string()))? {
                    site.apply(&commit, &change, touched);
                }
            }
        }
    }
    Ok(site)
}

/// The index entries that an order has.
pub(crate) fn index_keys(id: &OrderId, view: &OrderView) -> BTreeSet<Vec<u8>> {
    let timed = |kind: u8| {
        let mut key = vec![kind];
        key.extend_from_slice(&view.header.placed_at.0.to_be_bytes());
        key.extend_from_slice(id.as_bytes());
        key
    };
    let mut keys = BTreeSet::from([timed(b's')]);
    if view.on_board() {
        keys.insert(timed(b'o'));
    }
    if let Some((day, number)) = &view.number {
        let mut key = number_key(*day, number);
        key.extend_from_slice(id.as_bytes());
        keys.insert(key);
    }
    keys
}

fn number_key(day: DayNumber, number: &str) -> Vec<u8> {
    let mut key = vec![b'n'];
    key.extend_from_slice(&day.0.to_be_bytes());
    key.extend_from_slice(number.as_bytes());
    key.push(0);
    key
}
