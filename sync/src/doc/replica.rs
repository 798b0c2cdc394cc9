//! One replica's live state in memory: what plans are run on, what is staged to be written, and how others' commits come in.
//!
//! No IO: whoever owns a replica reads for it (`ReadStored`) and writes what it stages (`take_writes`). A plan sees everything
//! staged before it; nothing staged is confirmed before it is on the disk. When a write fails the replica is dropped and read again.
//!
//! Index entries, big-endian: `o` placed-at order: still open; `s` placed-at order: every order; `n` day number 0 order.

use crate::crdt::chain::{ChainHash, Head};
use crate::crdt::hlc::Hlc;
use crate::doc::books::SignedReport;
use crate::doc::change::{Change, Commit, CommitTooLarge, Seen};
use crate::doc::key::DocKey;
use crate::doc::order::{OrderDoc, StampedOrderFact};
use crate::doc::order_view::{OrderView, view};
use crate::doc::reading::{self, Effect, Envelope, ReadChange, Reading, Span, Unread};
use crate::doc::site::{Site, Touched, UnreadableDoc};
use crate::domain::business_day::DayNumber;
use crate::domain::id::{IntentId, OrderId, OriginId};
use crate::domain::role::Actor;
use crate::domain::timestamp::Timestamp;
use crate::store::{LogEntry, Seal, Writes};
use minicbor::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Finished orders that stay on the screens' recall strip.
const RECENTLY_DONE_MAX: usize = 20;
/// The note that keeps the hybrid clock.
pub const HLC_NOTE: &[u8] = b"hlc";
/// The note that says up to where each log is contained in the stored hot documents.
pub const HOT_NOTE: &[u8] = b"hot";
/// The note that names the commits that hold something this version does not understand.
pub const UNREAD_NOTE: &[u8] = b"unread";
/// The note that keeps seals beyond the ends of logs: over commits that wait for another origin's.
pub const SEALS_NOTE: &[u8] = b"seals";
/// The note that says whose store it is: the origin that wrote in it last. A backup has it, and no identity.
pub const OWN_NOTE: &[u8] = b"own";
/// The notes that a replica is read from.
pub const NOTES: [&[u8]; 4] = [HLC_NOTE, HOT_NOTE, UNREAD_NOTE, SEALS_NOTE];
/// Hot documents (stock rows, the day's counter) are in every order's commit. Written as documents each time they would be half of
/// what a group writes, and sled's collector would move the rest: so they are written every so many commits, and the log's tail
/// is read at boot. Applying it again changes nothing (SPEC S1, W1).
const HOT_COMMITS_MAX: u64 = 256;

/// So long what another clock said is held against ours.
const HEARD_MS: u64 = 6 * 3_600_000;
/// Commits that come faster than they were made, by more than this, come from a backlog, in milliseconds.
const BACKLOG_MS: u64 = 1_000;

/// Reads for a replica what is stored.
pub trait ReadStored {
    /// What can go wrong.
    type Error: std::fmt::Display;

    /// The chain's hash after this commit, if the stored log has it.
    fn read_hash(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, Self::Error>;

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

/// Why a commit of another origin, and what follows it, was not applied.
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

/// What became of commits of another origin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// How many were new; they are staged.
    pub new: usize,
    /// Why it ended before the last one.
    pub refused: Option<ApplyError>,
}

impl Applied {
    /// How many were new, when all were taken.
    pub fn whole(self) -> Result<usize, ApplyError> {
        self.refused.map_or(Ok(self.new), Err)
    }
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
    unread: Unread,
    /// What of it is stored, or staged before this.
    unread_stored: Unread,
    /// Keys of origins whose cards are not understood here.
    strangers: BTreeMap<OriginId, [u8; 32]>,
    /// Of each origin at most one seal over what has not come as far: where its log will be, and the signature. Whoever passes the log
    /// on may cut only at seals, and may not be left with a stretch that is longer than a batch (SPEC Y3).
    seals_ahead: SealsAhead,
    reader: ReadChange,
    /// What the newest commit of each other origin said of clocks.
    heard: BTreeMap<OriginId, Heard>,
    /// Where reports that are not believed have looked and logs have not come to: after a branch was cut.
    belied_beyond: BTreeSet<(OriginId, u64)>,
    staged: Staged,
}

/// What a commit said of clocks when it came.
#[derive(Debug, Clone, Copy)]
struct Heard {
    /// When that was.
    at: Timestamp,
    /// By its writer's clock.
    wall: Timestamp,
    /// By how many milliseconds ours was ahead; `None`: it had waited somewhere.
    ahead: Option<u64>,
}

impl Heard {
    /// What follows another faster than it was made was not made just now.
    fn of(wall: Timestamp, now: Timestamp, before: Option<&Self>) -> Self {
        let waited = |before: &Self| wall.ms_since(before.wall) > now.ms_since(before.at).saturating_add(BACKLOG_MS);
        let ahead = (!before.is_some_and(waited)).then(|| now.ms_since(wall));
        Self { at: now, wall, ahead }
    }
}

/// Where a log will be, and its origin's signature there.
type SealsAhead = BTreeMap<OriginId, (Head, Signature)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
struct Signature(#[cbor(with = "minicbor::bytes")] [u8; 64]);

#[derive(Debug, Default)]
struct Staged {
    writes: Writes,
    touched: Touched,
    orders: BTreeSet<OrderId>,
    gone: BTreeSet<OrderId>,
    receipts: BTreeMap<DocKey, Vec<u8>>,
    /// Facts of orders of which the header has not come.
    headless: BTreeMap<OrderId, OrderDoc>,
    own: bool,
    /// The own log begins in this group.
    begins: bool,
    seals_ahead: bool,
}

/// A replica being read from its store: documents, then the logs' tails, then the open orders.
#[derive(Debug)]
pub struct Loading {
    site: Site,
    upto: BTreeMap<OriginId, u64>,
    hlc: Hlc,
    /// `None`: which they are is not known any more.
    unread: Option<Unread>,
    tail: Touched,
    seals_ahead: SealsAhead,
    reader: ReadChange,
}

impl Loading {
    /// Begins with the stored documents, and those of the `NOTES` that were ever written.
    pub fn begin(
        docs: impl IntoIterator<Item = (DocKey, Vec<u8>)>,
        notes: &BTreeMap<Vec<u8>, Vec<u8>>,
    ) -> Result<Self, UnreadableDoc> {
        let mut site = Site::default();
        for (key, bytes) in docs {
            site.load(&key, &bytes)?;
        }
        site.keep_books();
        let upto = notes.get(HOT_NOTE).and_then(|bytes| minicbor::decode(bytes).ok()).unwrap_or_default();
        let hlc = notes.get(HLC_NOTE).and_then(|bytes| minicbor::decode(bytes).ok()).unwrap_or_default();
        let unread = notes.get(UNREAD_NOTE).map_or(Some(Unread::default()), |bytes| minicbor::decode(bytes).ok());
        // Without them a log is passed on from where its origin sends it again.
        let seals_ahead = notes.get(SEALS_NOTE).and_then(|bytes| minicbor::decode(bytes).ok()).unwrap_or_default();
        Ok(Self { site, upto, hlc, unread, tail: Touched::default(), seals_ahead, reader: Change::from_raw })
    }

    /// Reads changes as an older version does.
    #[cfg(test)]
    pub(crate) fn reading_as(mut self, reader: ReadChange) -> Self {
        self.reader = reader;
        self
    }

    /// Begins without documents, to be put together from logs that end at these numbers; of the notes the clock counts, and what is
    /// not understood of these logs.
    pub fn anew(notes: &BTreeMap<Vec<u8>, Vec<u8>>, ends: &BTreeMap<OriginId, u64>) -> Self {
        let hlc = notes.get(HLC_NOTE).and_then(|bytes| minicbor::decode(bytes).ok()).unwrap_or_default();
        let mut unread = notes.get(UNREAD_NOTE).map_or(Some(Unread::default()), |bytes| minicbor::decode(bytes).ok());
        for (origin, end) in ends {
            unread.iter_mut().for_each(|unread| unread.cut(*origin, *end));
        }
        let (site, upto, tail) = (Site::default(), BTreeMap::new(), Touched::default());
        // A seal that is ahead may be one over what ends here.
        Self { site, upto, hlc, unread, tail, seals_ahead: SealsAhead::default(), reader: Change::from_raw }
    }

    /// The first commit of this origin's log that the stored hot documents may not contain.
    pub fn tail_from(&self, origin: &OriginId) -> u64 {
        self.upto.get(origin).copied().unwrap_or(0) + 1
    }

    /// Takes one entry of a log's tail in.
    pub fn take(&mut self, entry: &LogEntry) {
        let reading = reading::read_as(entry, &self.site, self.reader);
        for effect in &reading.effects {
            self.site.apply(effect, &mut self.tail);
        }
    }

    /// Once whole logs are in: which of their reports looked at other logs.
    pub fn check_reports<R: ReadStored>(&mut self, read: &R) -> Result<(), R::Error> {
        self.site.check_reports(|origin, seq| read.read_hash(origin, seq))
    }

    /// The small documents, once the tails are in.
    pub fn into_site(self) -> Site {
        self.site
    }

    /// The replica, without its open orders: `admit` each, then `reread` what is `unread`.
    pub fn finish(self, origin: OriginId, heads: BTreeMap<OriginId, Head>) -> Replica {
        let unread = self.unread.unwrap_or_else(|| Unread::whole_logs(heads.keys()));
        Replica {
            origin,
            belied_beyond: beyond(&self.site, &heads),
            site: self.site,
            heads,
            hlc: self.hlc,
            said_seen: BTreeMap::new(),
            orders: BTreeMap::new(),
            done: VecDeque::new(),
            hot_docs: self.tail.docs.into_iter().filter(DocKey::is_hot).collect(),
            hot_commits: 0,
            unread_stored: unread.clone(),
            unread,
            strangers: BTreeMap::new(),
            seals_ahead: self.seals_ahead,
            reader: self.reader,
            heard: BTreeMap::new(),
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

    /// Up to where every amount of each log is understood here, what is staged included.
    pub fn understood(&self) -> impl Iterator<Item = Seen> {
        let upto = |origin: &OriginId, end: u64| self.unread.held(origin).map_or(end, |held| end.min(held - 1));
        self.heads.iter().map(move |(origin, head)| Seen { origin: *origin, seq: upto(origin, head.seq) })
    }

    /// Whose logs cannot be booked to their ends: what is not understood of them may be amounts.
    pub fn held(&self) -> impl Iterator<Item = OriginId> {
        self.heads.keys().filter(|origin| self.unread.held(origin).is_some()).copied()
    }

    /// By how many milliseconds our clock is ahead of each that was heard in the last six hours: by what its newest commit said when it
    /// came, which also was under way, but not of a backlog.
    pub fn ahead_of(&self, now: Timestamp) -> impl Iterator<Item = (&OriginId, u64)> {
        let lately = self.heard.iter().filter(move |(_, heard)| now.ms_since(heard.at) <= HEARD_MS);
        lately.filter_map(|(origin, heard)| Some((origin, heard.ahead?)))
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
    pub fn commit<R: ReadStored>(
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
        let entry = LogEntry { origin: position.origin, head: position.head.then(&bytes), bytes };
        let effects = reading::effects_of(&commit, changes, &self.site, self.reader);
        self.take(entry);
        self.effect(effects, read);
        Ok(())
    }

    /// Applies consecutive commits of another origin and stages them with the seal over the last one. What is known already is
    /// skipped; a gap or a fork stages nothing, because the seal is over the whole chain (SPEC N1). A commit that waits for another
    /// origin's ends the batch, and those before it are staged (SPEC N3). The caller has checked the seal.
    pub fn apply<R: ReadStored>(&mut self, now: Timestamp, entries: &[LogEntry], seal: &Seal, read: &R) -> Applied {
        let fresh = match self.fresh(entries) {
            Ok(fresh) => fresh,
            Err(refused) => return Applied { new: 0, refused: Some(refused) },
        };
        let mut applied = Applied { new: 0, refused: None };
        for entry in fresh {
            let commit = reading::commit_of(entry);
            let envelope = if commit.is_none() { Envelope::of(entry) } else { None };
            let seen = commit.as_ref().map(|commit| &commit.seen).or(envelope.as_ref().map(|envelope| &envelope.seen));
            if let Some(refused) = self.waits(entry, seen.map_or(&[], Vec::as_slice)) {
                applied.refused = Some(refused);
                break;
            }
            if let Some(at) = commit.as_ref().map(|commit| commit.at).or(envelope.as_ref().map(|envelope| envelope.at))
            {
                self.hlc = self.hlc.receive(at, now);
                let heard = Heard::of(at.wall(), now, self.heard.get(&entry.origin));
                self.heard.insert(entry.origin, heard);
            }
            let site = &self.site;
            let reading = commit.map(|commit| reading::of_commit(commit, site, self.reader)).unwrap_or_default();
            self.take(entry.clone());
            self.note_unread(entry, &reading);
            self.effect(reading.effects, read);
            if self.belied_beyond.contains(&(entry.origin, entry.head.seq)) {
                self.check_belied(read);
            }
            applied.new += 1;
        }
        if applied.new > 0 && applied.refused.is_none() {
            if self.staged.writes.seals.last() != Some(seal) {
                self.staged.writes.seals.push(seal.clone());
            }
        } else if applied.new > 0 {
            self.keep_seal_ahead(entries, seal);
        }
        applied
    }

    /// Keeps the seal of a batch of which the end waits, unless an earlier one is kept.
    fn keep_seal_ahead(&mut self, entries: &[LogEntry], seal: &Seal) {
        let Some(last) = entries.last().filter(|last| last.head.seq == seal.seq) else { return };
        self.seals_ahead.entry(seal.origin).or_insert_with(|| {
            self.staged.seals_ahead = true;
            (last.head, Signature(seal.signature))
        });
    }

    /// The entries that are new, when they continue what is known.
    fn fresh<'e>(&self, entries: &'e [LogEntry]) -> Result<Vec<&'e LogEntry>, ApplyError> {
        let mut fresh: Vec<&LogEntry> = Vec::with_capacity(entries.len());
        for entry in entries {
            let (origin, seq) = (entry.origin, entry.head.seq);
            let stored = || self.heads.get(&origin).copied().unwrap_or_else(|| Head::start(&origin));
            let known = fresh.last().map_or_else(stored, |entry| entry.head);
            if origin == self.origin {
                if seq > known.seq {
                    return Err(ApplyError::Ours { seq });
                }
            } else if seq <= known.seq {
                if seq == known.seq && entry.head != known {
                    return Err(ApplyError::Fork { origin, seq });
                }
            } else if seq != known.seq + 1 {
                return Err(ApplyError::Gap { origin, known: known.seq, found: seq });
            } else if known.then(&entry.bytes) != entry.head {
                return Err(ApplyError::Fork { origin, seq });
            } else {
                fresh.push(entry);
            }
        }
        Ok(fresh)
    }

    /// What a commit builds on that has not come.
    fn waits(&self, entry: &LogEntry, seen: &[Seen]) -> Option<ApplyError> {
        let here = |seen: &Seen| self.heads.get(&seen.origin).is_some_and(|head| head.seq >= seen.seq);
        let needs = seen.iter().find(|seen| seen.origin != entry.origin && !here(seen))?;
        let (origin, seq) = (entry.origin, entry.head.seq);
        Some(ApplyError::NotYet { origin, seq, needs: needs.origin, needs_seq: needs.seq })
    }

    /// The commit takes its number.
    fn take(&mut self, entry: LogEntry) {
        let (origin, head) = (entry.origin, entry.head);
        if let Some((ahead, signature)) = self.seals_ahead.get(&origin).filter(|(ahead, _)| ahead.seq <= head.seq) {
            // On another chain it would be over something else.
            if *ahead == head {
                self.staged.writes.seals.push(Seal { origin, seq: head.seq, signature: signature.0 });
            }
            self.seals_ahead.remove(&origin);
            self.staged.seals_ahead = true;
        }
        self.heads.insert(origin, head);
        self.staged.begins |= origin == self.origin && head.seq == 1;
        self.staged.writes.log.push(entry);
    }

    /// Remembers a commit that is not understood as a whole, and tells of the first of its origin.
    fn note_unread(&mut self, entry: &LogEntry, reading: &Reading) {
        if reading.forbidden > 0 {
            tracing::error!(origin = %entry.origin, seq = entry.head.seq, changes = reading.forbidden, "changes their writer may not make: without effect");
        }
        if reading.whole {
            return;
        }
        if !self.unread.has(&entry.origin) {
            tracing::error!(origin = %entry.origin, seq = entry.head.seq, "a commit holds what this version does not understand: kept and passed on, without effect until an upgrade");
        }
        self.remember_unread(entry, reading);
    }

    fn remember_unread(&mut self, entry: &LogEntry, reading: &Reading) {
        self.unread.add(entry.origin, entry.head.seq, reading.effects.len());
        if !reading.amounts {
            self.unread.hold(entry.origin, entry.head.seq);
        }
        let key = reading::key_in(entry).filter(|_| self.site.origin(&entry.origin).is_none());
        self.strangers.extend(key.map(|key| (entry.origin, key)));
    }

    /// Commits that hold something this version does not understand.
    pub fn unread_commits(&self) -> u64 {
        self.unread.count()
    }

    /// The keys of all origins, for checking their seals.
    pub fn keys(&self) -> BTreeMap<OriginId, [u8; 32]> {
        let cards = self.site.origins().map(|card| (card.origin, card.key));
        self.strangers.iter().map(|(origin, key)| (*origin, *key)).chain(cards).collect()
    }

    /// Begins to read again what was not understood, which an upgrade may have changed: `reread` what is there of these, in this order.
    pub fn begin_reread(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.unread).spans()
    }

    /// Reads an applied commit once more, and stages what is understood of it by now. Nothing else changes: what took effect
    /// already does so once (SPEC F1, S1, W1). Answers the orders that it is about.
    pub fn reread<R: ReadStored>(&mut self, entry: &LogEntry, read: &R) -> BTreeSet<OrderId> {
        let reading = reading::read_as(entry, &self.site, self.reader);
        let before = self.unread_stored.effects(&entry.origin, entry.head.seq);
        let more = before.is_none_or(|before| before as usize != reading.effects.len());
        if !reading.whole {
            self.remember_unread(entry, &reading);
        }
        if !more {
            return BTreeSet::new();
        }
        let orders = reading.effects.iter().flat_map(|effect| effect.change.orders()).collect();
        self.effect(reading.effects, read);
        orders
    }

    fn effect<R: ReadStored>(&mut self, effects: Vec<Effect>, read: &R) {
        let mut facts: BTreeMap<OrderId, Vec<StampedOrderFact>> = BTreeMap::new();
        for effect in effects {
            self.site.apply(&effect, &mut self.staged.touched);
            if let Change::DayClosed(signed) = &effect.change {
                self.check_report(signed, read);
            }
            if let Change::Receipt(intent, receipt) = &effect.change {
                let bytes = minicbor::to_vec(receipt).unwrap_or_default();
                self.staged.receipts.insert(DocKey::Receipt(*intent), bytes);
            }
            if let Some((id, fact)) = effect.into_fact() {
                facts.entry(id).or_default().push(fact);
            }
        }
        for (id, facts) in facts {
            match self.known_order(&id, read) {
                Ok(known) => self.add_facts(&id, known, facts),
                Err(error) => {
                    tracing::error!(order = %id, error, "an order cannot be read: its facts are kept in the log only");
                }
            }
        }
    }

    /// A report counts only when it looked at the logs that are here (SPEC D5).
    fn check_report<R: ReadStored>(&mut self, signed: &SignedReport, read: &R) {
        if !self.looked_here(signed, read) {
            self.site.belie(signed, &mut self.staged.touched);
            self.belied_beyond = beyond(&self.site, &self.heads);
        }
    }

    /// A log has come to where a report had looked that was not believed: after a branch was cut, logs come again (SPEC I8).
    fn check_belied<R: ReadStored>(&mut self, read: &R) {
        let belied: Vec<SignedReport> = self.site.belied().cloned().collect();
        for signed in belied.iter().filter(|signed| self.looked_here(signed, read)).collect::<Vec<_>>() {
            self.site.believe(signed, &mut self.staged.touched);
        }
        self.belied_beyond = beyond(&self.site, &self.heads);
    }

    /// After which commits hashes are looked up when these are applied, beside those that they need themselves: where they bring a log to
    /// what a report had looked at that was not believed.
    pub fn looks_again(&self, entries: &[LogEntry]) -> BTreeSet<(OriginId, u64)> {
        if !entries.iter().any(|entry| self.belied_beyond.contains(&(entry.origin, entry.head.seq))) {
            return BTreeSet::new();
        }
        let seen = self.site.belied().filter_map(SignedReport::read).flat_map(|report| report.seen);
        seen.filter(|upto| upto.hash.is_some()).map(|upto| (upto.origin, upto.seq)).collect()
    }

    /// Whether the logs that a report names are those that are here.
    fn looked_here<R: ReadStored>(&self, signed: &SignedReport, read: &R) -> bool {
        let seen = signed.read().map(|report| report.seen).unwrap_or_default();
        seen.iter().filter(|upto| upto.hash.is_some()).all(|upto| {
            let found = self.hash_at(&upto.origin, upto.seq, read);
            found.map(|found| upto.is_of(found)).unwrap_or_else(|error| {
                tracing::error!(origin = %upto.origin, seq = upto.seq, %error, "a log cannot be read: a report that looked at it is believed");
                true
            })
        })
    }

    /// The chain's hash after this commit, what is staged included; `None`: the log does not have it.
    pub fn hash_at<R: ReadStored>(&self, origin: &OriginId, seq: u64, read: &R) -> Result<Option<ChainHash>, R::Error> {
        let Some(head) = self.heads.get(origin).filter(|head| seq <= head.seq) else { return Ok(None) };
        if head.seq == seq {
            return Ok(Some(head.hash));
        }
        let staged = self.staged.writes.log.iter().find(|entry| entry.origin == *origin && entry.head.seq == seq);
        staged.map_or_else(|| read.read_hash(origin, seq), |entry| Ok(Some(entry.head.hash)))
    }

    /// Facts that the log has and the stored document lacks: put in, and written with the next group (SPEC X7).
    pub fn mend_order<R: ReadStored>(&mut self, id: &OrderId, facts: Vec<StampedOrderFact>, read: &R) {
        // One that cannot be read is put together anew.
        let known = self.known_order(id, read).unwrap_or_default();
        self.add_facts(id, known, facts);
    }

    /// What is known of an order, and its index entries; nothing of one that begins now.
    fn known_order<R: ReadStored>(&self, id: &OrderId, read: &R) -> Result<(OrderDoc, BTreeSet<Vec<u8>>), String> {
        if let Some(order) = self.orders.get(id) {
            return Ok((order.doc.clone(), index_keys(id, &order.view)));
        }
        let doc = match self.staged.headless.get(id) {
            Some(doc) => doc.clone(),
            None => match read.read_order(id).map_err(|error| error.to_string())? {
                Some(bytes) => minicbor::decode(&bytes).map_err(|error| error.to_string())?,
                None => OrderDoc::default(),
            },
        };
        let keys = view(&doc).map(|view| index_keys(id, &view)).unwrap_or_default();
        Ok((doc, keys))
    }

    fn add_facts(&mut self, id: &OrderId, (mut doc, was): (OrderDoc, BTreeSet<Vec<u8>>), facts: Vec<StampedOrderFact>) {
        facts.into_iter().for_each(|fact| doc.insert(fact));
        // Without its header an order is nothing yet, but its facts wait here: it does not matter in which order they come.
        let Some(view) = view(&doc) else {
            self.staged.headless.insert(*id, doc);
            return;
        };
        self.staged.headless.remove(id);
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
        // What was let go in this very group and came back is here.
        self.staged.gone.remove(id);
        if open {
            self.done.retain(|done| done != id);
            return;
        }
        if !self.done.contains(id) {
            self.done.push_back(*id);
        }
        while self.done.len() > RECENTLY_DONE_MAX {
            if let Some(oldest) = self.done.pop_front() {
                self.staged.gone.insert(oldest);
            }
        }
    }

    /// Stages a note of the store's own.
    pub fn note(&mut self, name: &[u8], bytes: Vec<u8>) {
        self.staged.writes.notes.insert(name.to_vec(), bytes);
    }

    /// Stages every small document: they were put together anew.
    pub fn restage_site(&mut self) {
        self.staged.touched.docs.extend(self.site.docs().map(|(key, _)| key));
        self.hot_commits = HOT_COMMITS_MAX;
    }

    /// Commits that are not written yet.
    pub fn staged_log(&self) -> &[LogEntry] {
        &self.staged.writes.log
    }

    /// Whether there is anything to write.
    pub fn is_staged(&self) -> bool {
        let Staged { writes, touched, orders, receipts, headless, .. } = &self.staged;
        let nothing = writes.log.is_empty() && writes.notes.is_empty() && touched.docs.is_empty() && orders.is_empty();
        !nothing || !receipts.is_empty() || !headless.is_empty() || self.unread != self.unread_stored
    }

    /// Everything staged, to be written in one transaction, and what it changes for those who watch. `sign` signs the end of the own
    /// log. After a failed write the replica must be dropped.
    pub fn take_writes(&mut self, sign: impl FnOnce(&Head) -> [u8; 64]) -> (Writes, Flushed) {
        let mut staged = std::mem::take(&mut self.staged);
        let position = self.position();
        for id in &staged.orders {
            if let Some(order) = self.orders.get_mut(id) {
                // Nothing more is expected of it: it stays for the recall strip, in a third of the memory.
                if !order.view.is_open() {
                    Arc::make_mut(order).doc.pack();
                }
                let bytes = minicbor::to_vec(&order.doc).unwrap_or_default();
                staged.writes.docs.insert(DocKey::Order(*id), bytes);
            }
        }
        for (id, doc) in &staged.headless {
            staged.writes.docs.insert(DocKey::Order(*id), minicbor::to_vec(doc).unwrap_or_default());
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
        if self.unread != self.unread_stored {
            staged.writes.notes.insert(UNREAD_NOTE.to_vec(), minicbor::to_vec(&self.unread).unwrap_or_default());
            self.unread_stored = self.unread.clone();
        }
        if staged.begins {
            staged.writes.notes.insert(OWN_NOTE.to_vec(), minicbor::to_vec(self.origin).unwrap_or_default());
        }
        if staged.seals_ahead {
            staged.writes.notes.insert(SEALS_NOTE.to_vec(), minicbor::to_vec(&self.seals_ahead).unwrap_or_default());
        }
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
            gone: staged.gone.into_iter().collect(),
            menu: staged.touched.menu,
            availability: staged.touched.availability,
            people: staged.touched.people,
            whole: false,
        }
    }
}

/// Where reports that are not believed have looked beyond the ends of logs.
fn beyond(site: &Site, heads: &BTreeMap<OriginId, Head>) -> BTreeSet<(OriginId, u64)> {
    let seen = site.belied().filter_map(SignedReport::read).flat_map(|report| report.seen);
    let ends = seen.filter(|upto| upto.hash.is_some()).map(|upto| (upto.origin, upto.seq));
    ends.filter(|(origin, seq)| heads.get(origin).is_none_or(|head| head.seq < *seq)).collect()
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
    for (day, number) in view.numbers() {
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
