//! One replica's live state in memory: what plans are run on, what is staged to be written, and how others' commits come in.
//!
//! No IO: whoever owns a replica reads orders for it (`ReadOrder`) and writes what it stages (`take_writes`). A plan sees everything
//! staged before it; nothing staged is confirmed before it is on the disk. When a write fails the replica is dropped and read again.
//!
//! Index entries, big-endian: `o` placed-at order: still open; `s` placed-at order: every order; `n` day number 0 order.

use crate::crdt::chain::Head;
use crate::crdt::facts::{Fact, FactId};
use crate::crdt::hlc::Hlc;
use crate::doc::change::{Change, Commit, CommitTooLarge, Seen};
use crate::doc::key::DocKey;
use crate::doc::order::{OrderDoc, StampedOrderFact};
use crate::doc::order_view::{OrderView, view};
use crate::doc::origin::OriginRole;
use crate::doc::site::{Site, Touched, UnreadableDoc};
use crate::domain::business_day::DayNumber;
use crate::domain::id::{IntentId, OrderId, OriginId};
use crate::domain::role::Actor;
use crate::domain::timestamp::Timestamp;
use crate::store::{LogEntry, Seal, Writes};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Finished orders that stay on the screens' recall strip.
const RECENTLY_DONE_MAX: usize = 20;
/// The note that keeps the hybrid clock.
pub const HLC_NOTE: &[u8] = b"hlc";
/// The note that says up to where each log is contained in the stored hot documents.
pub const HOT_NOTE: &[u8] = b"hot";
/// Hot documents (stock rows, the day's counter) are in every order's commit. Written as documents each time they would be half of
/// what a group writes, and sled's collector would move the rest: so they are written every so many commits, and the log's tail
/// is read at boot. Applying it again changes nothing (SPEC S1, W1).
const HOT_COMMITS_MAX: u64 = 256;

/// Reads stored orders for a replica.
pub trait ReadOrder {
    /// What can go wrong.
    type Error: std::fmt::Display;

    /// The order's document, if it is stored.
    fn read_order(&self, id: &OrderId) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// One order in memory.
#[derive(Debug, Clone)]
pub struct LiveOrder {
    /// Its facts.
    pub doc: OrderDoc,
    /// What they mean.
    pub view: OrderView,
}

/// A stored order that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableOrder {
    /// Its bytes are not an order's.
    #[error("the order's document cannot be read")]
    Bytes(#[from] minicbor::decode::Error),
    /// It has facts, but not the first one.
    #[error("the order has no header")]
    NoHeader,
}

impl LiveOrder {
    /// Reads a stored order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UnreadableOrder> {
        let doc: OrderDoc = minicbor::decode(bytes)?;
        let view = view(&doc).ok_or(UnreadableOrder::NoHeader)?;
        Ok(Self { doc, view })
    }
}

/// Where the own log ends: what screens remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// This store.
    pub origin: OriginId,
    /// Its last commit.
    pub head: Head,
}

/// What a group has changed, for those who watch.
#[derive(Debug, Clone)]
pub struct Flushed {
    /// After the group.
    pub position: Position,
    /// Orders that changed and are open or just ended.
    pub orders: Vec<(OrderId, Arc<LiveOrder>)>,
    /// Orders that left the memory.
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

/// Why commits of another origin were not applied. Nothing of them was staged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Commits before these have not come.
    #[error("commit {found} of {origin} does not follow {known}")]
    Gap {
        /// Whose.
        origin: OriginId,
        /// The last one known.
        known: u64,
        /// The one that came.
        found: u64,
    },
    /// Another commit than the one that is known has this number: the origin went back, or two machines are one.
    #[error("commit {seq} of {origin} is not on the known chain")]
    Fork {
        /// Whose.
        origin: OriginId,
        /// Which.
        seq: u64,
    },
    /// The bytes are not a commit, or another than the entry says.
    #[error("commit {seq} of {origin} cannot be read")]
    Unreadable {
        /// Whose.
        origin: OriginId,
        /// Which.
        seq: u64,
    },
    /// It builds on a commit that has not come.
    #[error("commit {seq} of {origin} builds on commit {needs_seq} of {needs}, which is not here")]
    NotYet {
        /// Whose.
        origin: OriginId,
        /// Which.
        seq: u64,
        /// On whose.
        needs: OriginId,
        /// On which.
        needs_seq: u64,
    },
    /// They are this replica's own: nobody else may write them.
    #[error("commit {seq} says that it is ours, and is not")]
    Ours {
        /// Which.
        seq: u64,
    },
}

/// The site as one replica knows it.
#[derive(Debug)]
pub struct Replica {
    origin: OriginId,
    site: Site,
    heads: BTreeMap<OriginId, Head>,
    hlc: Hlc,
    /// What the own commits have said that they had seen.
    said_seen: BTreeMap<OriginId, u64>,
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
    own: bool,
}

/// A replica being read from its store: documents, then the logs' tails, then the open orders.
#[derive(Debug)]
pub struct Loading {
    site: Site,
    upto: BTreeMap<OriginId, u64>,
    hlc: Hlc,
    tail: Touched,
}

/// A log entry that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("commit {seq} of {origin} cannot be read")]
pub struct UnreadableEntry {
    /// Whose.
    pub origin: OriginId,
    /// Which.
    pub seq: u64,
    /// What the decoder said.
    #[source]
    pub source: minicbor::decode::Error,
}

impl Loading {
    /// Begins with the stored documents and the notes under `HOT_NOTE` and `HLC_NOTE`.
    pub fn begin(
        docs: impl IntoIterator<Item = (DocKey, Vec<u8>)>,
        hot_note: Option<&[u8]>,
        hlc_note: Option<&[u8]>,
    ) -> Result<Self, UnreadableDoc> {
        let mut site = Site::default();
        for (key, bytes) in docs {
            site.load(&key, &bytes)?;
        }
        let upto = hot_note.and_then(|bytes| minicbor::decode(bytes).ok()).unwrap_or_default();
        let hlc = hlc_note.and_then(|bytes| minicbor::decode(bytes).ok()).unwrap_or_default();
        Ok(Self { site, upto, hlc, tail: Touched::default() })
    }

    /// The first commit of this origin's log that the stored hot documents may not contain.
    pub fn tail_from(&self, origin: &OriginId) -> u64 {
        self.upto.get(origin).copied().unwrap_or(0) + 1
    }

    /// Takes one entry of a log's tail in.
    pub fn take(&mut self, entry: &LogEntry) -> Result<(), UnreadableEntry> {
        let unreadable = |source| UnreadableEntry { origin: entry.origin, seq: entry.head.seq, source };
        let commit = Commit::from_bytes(&entry.bytes).map_err(unreadable)?;
        let role = role_of(&self.site, &commit);
        for (_, change) in effective(&commit, role) {
            self.site.apply(&commit, &change, &mut self.tail);
        }
        Ok(())
    }

    /// The small documents, once the tails are in.
    pub fn into_site(self) -> Site {
        self.site
    }

    /// The replica, without its open orders: `admit` each.
    pub fn finish(self, origin: OriginId, heads: BTreeMap<OriginId, Head>) -> Replica {
        Replica {
            origin,
            site: self.site,
            heads,
            hlc: self.hlc,
            said_seen: BTreeMap::new(),
            orders: BTreeMap::new(),
            done: VecDeque::new(),
            hot_docs: self.tail.docs.into_iter().filter(DocKey::is_hot).collect(),
            hot_commits: 0,
            staged: Staged::default(),
        }
    }
}

impl Replica {
    /// Takes a stored open order into memory.
    pub fn admit(&mut self, id: OrderId, order: LiveOrder) {
        self.orders.insert(id, Arc::new(order));
    }

    /// The small documents.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Who writes here.
    pub fn origin(&self) -> OriginId {
        self.origin
    }

    /// Where each log ends, what is staged included.
    pub fn heads(&self) -> &BTreeMap<OriginId, Head> {
        &self.heads
    }

    /// Where the own log ends, what is staged included.
    pub fn position(&self) -> Position {
        let origin = self.origin;
        Position { origin, head: self.heads.get(&origin).copied().unwrap_or_else(|| Head::start(&origin)) }
    }

    /// Orders in memory, by id.
    pub fn live_orders(&self) -> impl Iterator<Item = (&OrderId, &Arc<LiveOrder>)> {
        self.orders.iter()
    }

    /// How many orders are in memory.
    pub fn live_count(&self) -> usize {
        self.orders.len()
    }

    /// An order in memory.
    pub fn live(&self, id: &OrderId) -> Option<&Arc<LiveOrder>> {
        self.orders.get(id)
    }

    /// The delivery that what is staged books under this id, as it will be stored.
    pub fn staged_receipt(&self, intent: &IntentId) -> Option<&[u8]> {
        self.staged.receipts.get(&DocKey::Receipt(*intent)).map(Vec::as_slice)
    }

    /// Applies changes as one commit of this replica and stages it. Nothing is durable, or may be told, before it is written.
    pub fn commit<R: ReadOrder>(
        &mut self,
        by: Actor,
        now: Timestamp,
        changes: &[Change],
        read: &R,
    ) -> Result<(), CommitTooLarge> {
        let at = self.hlc.tick(now);
        let position = self.position();
        let news = |(origin, head): (&OriginId, &Head)| {
            let new = *origin != position.origin && self.said_seen.get(origin).is_none_or(|said| *said < head.seq);
            new.then_some(Seen { origin: *origin, seq: head.seq })
        };
        let commit = Commit {
            origin: position.origin,
            seq: position.head.seq + 1,
            at,
            clock_trusted: true,
            by,
            seen: self.heads.iter().filter_map(news).collect(),
            changes: changes.iter().map(Change::to_raw).collect(),
        };
        let bytes = commit.to_bytes()?;
        self.hlc = at;
        self.said_seen.extend(commit.seen.iter().map(|seen| (seen.origin, seen.seq)));
        self.staged.own = true;
        // What others would not let take effect must not take effect here either.
        let role = role_of(&self.site, &commit);
        let changes = changes.iter().cloned().enumerate().filter(|(_, change)| change.is_permitted(role));
        self.take(&commit, bytes, read, changes.collect());
        Ok(())
    }

    /// Applies consecutive commits of another origin and stages them with the seal over the last one. What is known already is
    /// skipped (SPEC N1); a gap or a fork stages nothing. The caller has checked the seal. Answers how many were new.
    pub fn apply<R: ReadOrder>(
        &mut self,
        now: Timestamp,
        entries: &[LogEntry],
        seal: &Seal,
        read: &R,
    ) -> Result<usize, ApplyError> {
        let mut fresh = Vec::new();
        for entry in entries {
            fresh.extend(
                self.check(entry, fresh.last().map(|(entry, _): &(&LogEntry, Commit)| entry.head))?
                    .map(|commit| (entry, commit)),
            );
        }
        let new = fresh.len();
        for (entry, commit) in fresh {
            self.hlc = self.hlc.receive(commit.at, now);
            let changes = effective(&commit, role_of(&self.site, &commit));
            self.take(&commit, entry.bytes.clone(), read, changes);
        }
        if new > 0 {
            self.staged.writes.seals.push(seal.clone());
        }
        Ok(new)
    }

    /// Whether an entry is the next one (`Some`), known already (`None`), or neither.
    fn check(&self, entry: &LogEntry, before: Option<Head>) -> Result<Option<Commit>, ApplyError> {
        let (origin, seq) = (entry.origin, entry.head.seq);
        if origin == self.origin {
            return if seq <= self.position().head.seq { Ok(None) } else { Err(ApplyError::Ours { seq }) };
        }
        let stored = self.heads.get(&origin).copied().unwrap_or_else(|| Head::start(&origin));
        let known = before.unwrap_or(stored);
        if seq <= known.seq {
            let forked = seq == known.seq && entry.head != known;
            return if forked { Err(ApplyError::Fork { origin, seq }) } else { Ok(None) };
        }
        if seq != known.seq + 1 {
            return Err(ApplyError::Gap { origin, known: known.seq, found: seq });
        }
        if known.then(&entry.bytes) != entry.head {
            return Err(ApplyError::Fork { origin, seq });
        }
        let commit = Commit::from_bytes(&entry.bytes).map_err(|_| ApplyError::Unreadable { origin, seq })?;
        if commit.origin != origin || commit.seq != seq {
            return Err(ApplyError::Unreadable { origin, seq });
        }
        let here = |seen: &Seen| self.heads.get(&seen.origin).is_some_and(|head| head.seq >= seen.seq);
        match commit.seen.iter().find(|seen| seen.origin != origin && !here(seen)) {
            Some(seen) => Err(ApplyError::NotYet { origin, seq, needs: seen.origin, needs_seq: seen.seq }),
            None => Ok(Some(commit)),
        }
    }

    fn take<R: ReadOrder>(&mut self, commit: &Commit, bytes: Vec<u8>, read: &R, changes: Vec<(usize, Change)>) {
        let known = self.heads.get(&commit.origin).copied().unwrap_or_else(|| Head::start(&commit.origin));
        let head = known.then(&bytes);
        self.heads.insert(commit.origin, head);
        self.staged.writes.log.push(LogEntry { origin: commit.origin, head, bytes });
        for (index, change) in changes {
            self.site.apply(commit, &change, &mut self.staged.touched);
            match change {
                Change::Order(id, what) => {
                    let index = u32::try_from(index).unwrap_or(u32::MAX);
                    let name = FactId { origin: commit.origin, seq: commit.seq, index };
                    let fact = Fact { id: name, at: commit.at, by: commit.by, what };
                    self.touch_order(&id, read, |doc| doc.insert(fact));
                }
                Change::Receipt(intent, receipt) => {
                    let bytes = minicbor::to_vec(receipt).unwrap_or_default();
                    self.staged.receipts.insert(DocKey::Receipt(intent), bytes);
                }
                Change::Stock(..)
                | Change::Fence(_)
                | Change::Origin(_)
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
    }

    /// Facts that the log has and the stored document lacks: put in, and written with the next group (SPEC X7).
    pub fn mend_order<R: ReadOrder>(&mut self, id: &OrderId, facts: Vec<StampedOrderFact>, read: &R) {
        let known = self.orders.get(id).cloned().or_else(|| stored(id, read).ok().flatten().map(Arc::new));
        self.edit_order(id, known, |doc| facts.into_iter().for_each(|fact| doc.insert(fact)));
    }

    fn touch_order<R: ReadOrder>(&mut self, id: &OrderId, read: &R, edit: impl FnOnce(&mut OrderDoc)) {
        // An order that is neither here nor on disk begins with this fact; one that cannot be read is left alone.
        let known = match self.orders.get(id) {
            Some(order) => Some(order.clone()),
            None => match stored(id, read) {
                Ok(known) => known.map(Arc::new),
                Err(error) => {
                    tracing::error!(order = %id, error, "an order cannot be read: the fact is kept in the log only");
                    return;
                }
            },
        };
        self.edit_order(id, known, edit);
    }

    fn edit_order(&mut self, id: &OrderId, known: Option<Arc<LiveOrder>>, edit: impl FnOnce(&mut OrderDoc)) {
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
        let open = view.is_open();
        self.orders.insert(*id, Arc::new(LiveOrder { doc, view }));
        self.staged.orders.insert(*id);
        self.keep_recent(id, open);
    }

    /// Keeps the last finished orders in memory and lets the older ones go.
    fn keep_recent(&mut self, id: &OrderId, open: bool) {
        if open {
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
        !self.staged.writes.log.is_empty() || !self.staged.orders.is_empty()
    }

    /// Everything staged, to be written in one transaction, and what it changes for those who watch. `sign` signs the end of the own
    /// log. After a failed write the replica must be dropped.
    pub fn take_writes(&mut self, sign: impl FnOnce(&Head) -> [u8; 64]) -> (Writes, Flushed) {
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
        if staged.own {
            let signature = sign(&position.head);
            staged.writes.seals.push(Seal { origin: position.origin, seq: position.head.seq, signature });
        }
        let writes = std::mem::take(&mut staged.writes);
        (writes, self.flushed(position, staged))
    }

    fn flushed(&mut self, position: Position, staged: Staged) -> Flushed {
        let orders = staged.orders.iter().filter(|id| !staged.gone.contains(id));
        let orders = orders.filter_map(|id| Some((*id, self.orders.get(id)?.clone()))).collect();
        for id in &staged.gone {
            self.orders.remove(id);
        }
        Flushed {
            position,
            orders,
            gone: staged.gone,
            menu: staged.touched.menu,
            availability: staged.touched.availability,
            people: staged.touched.people,
            whole: false,
        }
    }
}

/// The changes of a commit that have an effect, each with its place: known, readable, and of a kind that its writer may write. The
/// verdict is the same on every replica (SPEC N2).
fn effective(commit: &Commit, role: OriginRole) -> Vec<(usize, Change)> {
    let read = |(index, raw): (usize, &crate::doc::change::RawChange)| match Change::from_raw(raw) {
        Ok(change) if change.is_permitted(role) => Some((index, change)),
        Ok(_) => {
            tracing::error!(origin = %commit.origin, seq = commit.seq, kind = raw.kind, "a change its writer may not make: without effect");
            None
        }
        Err(error) => {
            tracing::error!(origin = %commit.origin, seq = commit.seq, kind = raw.kind, %error, "a change that cannot be read: without effect");
            None
        }
    };
    commit.changes.iter().enumerate().filter_map(read).collect()
}

/// What kind of program wrote a commit: what its card says, which may be in this very commit.
fn role_of(site: &Site, commit: &Commit) -> OriginRole {
    let own_card = || commit.changes.first().and_then(|raw| Change::from_raw(raw).ok());
    match (site.origin(&commit.origin), own_card()) {
        (Some(card), _) => card.role,
        (None, Some(Change::Origin(card))) if card.origin == commit.origin => card.role,
        (None, _) => OriginRole::Node,
    }
}

fn stored<R: ReadOrder>(id: &OrderId, read: &R) -> Result<Option<LiveOrder>, String> {
    let bytes = read.read_order(id).map_err(|error| error.to_string())?;
    bytes.map(|bytes| LiveOrder::from_bytes(&bytes)).transpose().map_err(|error| error.to_string())
}

/// The index entries that an order has.
pub fn index_keys(id: &OrderId, view: &OrderView) -> BTreeSet<Vec<u8>> {
    let timed = |kind: u8| {
        let mut key = vec![kind];
        key.extend_from_slice(&view.header.placed_at.0.to_be_bytes());
        key.extend_from_slice(id.as_bytes());
        key
    };
    let mut keys = BTreeSet::from([timed(b's')]);
    if view.is_open() {
        keys.insert(timed(b'o'));
    }
    if let Some((day, number)) = &view.number {
        let mut key = number_key(*day, number);
        key.extend_from_slice(id.as_bytes());
        keys.insert(key);
    }
    keys
}

/// Where the orders with this number on this day begin in the index.
pub fn number_key(day: DayNumber, number: &str) -> Vec<u8> {
    let mut key = vec![b'n'];
    key.extend_from_slice(&day.0.to_be_bytes());
    key.extend_from_slice(number.as_bytes());
    key.push(0);
    key
}

/// The order that an index entry names.
pub fn order_of_key(key: &[u8]) -> Option<OrderId> {
    key.last_chunk::<16>().map(|id| OrderId::from_bytes(*id))
}

#[cfg(test)]
mod tests;
