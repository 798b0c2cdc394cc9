//! What a replica understands of a commit, and which commits it must look at again when it understands more (SPEC N2, N5).
//!
//! What counts of a commit follows from the logs alone: its bytes, and the card that its origin's first commit begins with. So every
//! replica of one version comes to the same verdict, whenever it asks.

use crate::crdt::facts::{Fact, FactId, Way};
use crate::crdt::hlc::Hlc;
use crate::doc::change::{Change, Commit, RawChange, Seen};
use crate::doc::order::StampedOrderFact;
use crate::doc::origin::OriginRole;
use crate::doc::recovered::Recovered;
use crate::doc::site::Site;
use crate::domain::id::{OrderId, OriginId};
use crate::domain::role::Actor;
use crate::limits::UNREAD_COMMITS_MAX;
use crate::store::LogEntry;
use minicbor::decode::Error as DecodeError;
use minicbor::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet};

/// Reads one stored change: `Change::from_raw`, or in tests what an older version made of it.
pub(crate) type ReadChange = fn(&RawChange) -> Result<Change, DecodeError>;

/// What is understood of one commit.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The commit; `None` when its bytes are no commit that this version can read.
    pub commit: Option<Commit>,
    /// Its changes that have an effect: known, readable, and of a kind that its writer may write.
    pub effects: Vec<Effect>,
    /// Nothing in it is left to understand. What its writer may not write is understood.
    pub whole: bool,
    /// Nothing is left to understand in which there may be amounts.
    pub amounts: bool,
    /// Changes of known kinds that their writer may not write.
    pub forbidden: usize,
}

/// One change that counts, and as whose.
#[derive(Debug, Clone)]
pub struct Effect {
    /// The change's name.
    pub id: FactId,
    /// Who did it; of what was recovered, the origin that was ended.
    pub writer: OriginId,
    /// When, by that writer's hybrid clock.
    pub at: Hlc,
    /// Whether that clock was trusted.
    pub clock_trusted: bool,
    /// Who caused it.
    pub by: Actor,
    /// How it came; `None`: in its writer's log.
    pub way: Option<Way>,
    /// What.
    pub change: Change,
}

impl Effect {
    /// A commit's `index`-th change.
    pub fn of(commit: &Commit, index: usize, change: Change) -> Self {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let id = FactId { origin: commit.origin, seq: commit.seq, index };
        let (writer, at, clock_trusted, by) = (commit.origin, commit.at, commit.clock_trusted, commit.by);
        Self { id, writer, at, clock_trusted, by, way: None, change }
    }

    /// The order that it is about, and what happened to it.
    pub fn into_fact(self) -> Option<(OrderId, StampedOrderFact)> {
        let Change::Order(order, what) = self.change else { return None };
        Some((order, Fact { id: self.id, at: self.at, by: self.by, what, way: self.way }))
    }
}

/// Reads a commit as a replica that knows these documents does.
pub fn read(entry: &LogEntry, site: &Site) -> Reading {
    read_as(entry, site, Change::from_raw)
}

pub(crate) fn read_as(entry: &LogEntry, site: &Site, reader: ReadChange) -> Reading {
    commit_of(entry).map(|commit| of_commit(commit, site, reader)).unwrap_or_default()
}

/// The entry's commit, when its bytes are one and of just this number.
pub(crate) fn commit_of(entry: &LogEntry) -> Option<Commit> {
    let commit = Commit::from_bytes(&entry.bytes).ok()?;
    (commit.origin == entry.origin && commit.seq == entry.head.seq).then_some(commit)
}

pub(crate) fn of_commit(commit: Commit, site: &Site, reader: ReadChange) -> Reading {
    let Some(role) = role_of(&commit, site, reader) else {
        return Reading { commit: Some(commit), ..Reading::default() };
    };
    let mut reading = Reading { whole: true, amounts: true, ..Reading::default() };
    for (index, raw) in commit.changes.iter().enumerate() {
        reading.take(&commit, index, reader(raw), role, reader);
    }
    Reading { commit: Some(commit), ..reading }
}

/// The effects of a commit that is made here, of these changes: what others would not let take effect must not take effect here either.
pub(crate) fn effects_of(commit: &Commit, changes: &[Change], site: &Site, reader: ReadChange) -> Vec<Effect> {
    let Some(role) = role_of(commit, site, reader) else { return Vec::new() };
    let mut reading = Reading::default();
    for (index, change) in changes.iter().enumerate() {
        reading.take(commit, index, Ok(change.clone()), role, reader);
    }
    reading.effects
}

impl Reading {
    fn take(
        &mut self,
        commit: &Commit,
        index: usize,
        change: Result<Change, DecodeError>,
        role: OriginRole,
        reader: ReadChange,
    ) {
        match change {
            Ok(Change::Unknown(_)) | Err(_) => self.leave(commit.changes.get(index)),
            Ok(change) if !is_permitted(commit, index, &change, role) => self.forbidden += 1,
            Ok(Change::Recovered(recovered)) => self.take_recovered(&recovered, reader),
            Ok(change) => self.effects.push(Effect::of(commit, index, change)),
        }
    }

    fn leave(&mut self, raw: Option<&RawChange>) {
        self.whole = false;
        self.amounts &= !raw.is_none_or(RawChange::has_amounts);
    }

    /// What a node tells of a branch counts as a node's, whoever it was: so the verdict does not hang on what else has come.
    fn take_recovered(&mut self, recovered: &Recovered, reader: ReadChange) {
        for (index, raw) in recovered.changes.iter().enumerate() {
            match reader(raw) {
                Ok(Change::Unknown(_)) | Err(_) => self.leave(Some(raw)),
                Ok(change) if change.is_recoverable() && change.is_permitted(OriginRole::Node) => {
                    self.effects.push(recovered.effect(index, raw, change));
                }
                Ok(_) => self.forbidden += 1,
            }
        }
    }
}

/// The orders that a commit may change.
pub fn orders_of(entry: &LogEntry) -> impl Iterator<Item = OrderId> {
    let changes = commit_of(entry).map(|commit| commit.changes).unwrap_or_default();
    // What cannot be read has no effect, so it touches no order.
    changes.into_iter().filter_map(|raw| Some(Change::from_raw(&raw).ok()?.orders())).flatten()
}

/// What must be read before a commit can be applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// The orders that it may change.
    pub orders: BTreeSet<OrderId>,
    /// After which commits it needs the chain's hash: up to where its report has looked at logs.
    pub hashes: BTreeSet<(OriginId, u64)>,
}

impl Needs {
    /// Of this commit.
    pub fn of(entry: &LogEntry) -> Self {
        let mut needs = Self::default();
        // What cannot be read has no effect, so it needs nothing.
        for raw in commit_of(entry).map(|commit| commit.changes).unwrap_or_default() {
            let Ok(change) = Change::from_raw(&raw) else { continue };
            needs.orders.extend(change.orders());
            if let Change::DayClosed(signed) = &change {
                let logs = signed.read().into_iter().flat_map(|report| report.seen);
                let logs = logs.filter(|upto| upto.hash.is_some());
                needs.hashes.extend(logs.map(|upto| (upto.origin, upto.seq)));
            }
        }
        needs
    }
}

impl FromIterator<Needs> for Needs {
    fn from_iter<I: IntoIterator<Item = Needs>>(all: I) -> Self {
        let mut sum = Self::default();
        for needs in all {
            sum.orders.extend(needs.orders);
            sum.hashes.extend(needs.hashes);
        }
        sum
    }
}

/// Whether a change of this commit counts.
pub(crate) fn is_permitted(commit: &Commit, index: usize, change: &Change, role: OriginRole) -> bool {
    match change {
        Change::Origin(card) => (commit.seq, index, card.origin) == (1, 0, commit.origin),
        Change::Order(..)
        | Change::Stock(..)
        | Change::Fence(_)
        | Change::Recovered(_)
        | Change::Branch(..)
        | Change::Adopted(..)
        | Change::Short(..)
        | Change::Item(_)
        | Change::ItemFields(_)
        | Change::Category(_)
        | Change::Group(_)
        | Change::Ingredient(_)
        | Change::Station(_)
        | Change::EightySix(_)
        | Change::Device(_)
        | Change::Person(_)
        | Change::Receipt(..)
        | Change::Day(_)
        | Change::Settings(_)
        | Change::Intake(_)
        | Change::Till(..)
        | Change::DayClosed(_)
        | Change::Keeper(_)
        | Change::Unknown(_) => change.is_permitted(role),
    }
}

/// What kind of program wrote a commit, by the card that begins its log. Without one nothing of it counts: a later version may have
/// written a card that cannot be read here.
pub(crate) fn role_of(commit: &Commit, site: &Site, reader: ReadChange) -> Option<OriginRole> {
    if let Some(card) = site.origin(&commit.origin) {
        return Some(card.role);
    }
    let first = commit.changes.first().filter(|_| commit.seq == 1)?;
    match reader(first) {
        Ok(Change::Origin(card)) if card.origin == commit.origin => Some(card.role),
        Ok(_) | Err(_) => None,
    }
}

/// The part of a commit that says when it may be applied: read also where the rest cannot be.
#[derive(Debug, Clone, Decode)]
pub(crate) struct Envelope {
    #[n(0)]
    origin: OriginId,
    #[n(1)]
    seq: u64,
    #[n(2)]
    pub(crate) at: Hlc,
    #[n(5)]
    pub(crate) seen: Vec<Seen>,
}

impl Envelope {
    pub(crate) fn of(entry: &LogEntry) -> Option<Self> {
        let envelope: Self = minicbor::decode(&entry.bytes).ok()?;
        (envelope.origin == entry.origin && envelope.seq == entry.head.seq).then_some(envelope)
    }
}

/// The key of an origin's card, whatever else it says.
#[derive(Debug, Clone, Decode)]
struct CardKey {
    #[n(0)]
    origin: OriginId,
    #[cbor(n(1), with = "minicbor::bytes")]
    key: [u8; 32],
}

/// The changes of a commit, whoever caused it.
#[derive(Debug, Clone, Decode)]
struct Body {
    #[n(6)]
    changes: Vec<RawChange>,
}

/// The key that an origin brings: the first change of its first commit is its card. Also of a card, and in a commit, that a later
/// version wrote: what cannot be read is checked and passed on all the same.
pub(crate) fn key_in(first: &LogEntry) -> Option<[u8; 32]> {
    const CARD: u16 = 4;
    let body: Body = minicbor::decode(&first.bytes).ok().filter(|_| first.head.seq == 1)?;
    let raw = body.changes.first().filter(|raw| raw.kind == CARD)?;
    let card: CardKey = minicbor::decode(raw.body.as_slice()).ok()?;
    (card.origin == first.origin).then_some(card.key)
}

/// Commits that hold something this version does not understand: kept, passed on, and read again when a store is opened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub(crate) struct Unread(#[n(0)] BTreeMap<OriginId, UnreadLog>);

#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
struct UnreadLog {
    /// Their numbers, each with how many of its changes took effect.
    #[n(0)]
    commits: BTreeMap<u64, u32>,
    /// Where those begin that are not listed, and how many they are: from there on the log is read again.
    #[n(1)]
    beyond: Option<Beyond>,
    /// The first in which there may be amounts: up to it the log can be booked.
    #[n(2)]
    held: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
struct Beyond {
    #[n(0)]
    from: u64,
    #[n(1)]
    commits: u64,
}

/// Commits of one origin, from a number up to and with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Whose.
    pub origin: OriginId,
    /// The first.
    pub from: u64,
    /// The last; there may be fewer.
    pub to: u64,
}

impl Unread {
    /// Every commit of these origins: when nobody knows any more which.
    pub(crate) fn whole_logs<'o>(origins: impl IntoIterator<Item = &'o OriginId>) -> Self {
        let beyond = Some(Beyond { from: 1, commits: 0 });
        let whole = UnreadLog { commits: BTreeMap::new(), beyond, held: Some(1) };
        Self(origins.into_iter().map(|origin| (*origin, whole.clone())).collect())
    }

    /// Forgets what lies beyond this number of a log.
    pub(crate) fn cut(&mut self, origin: OriginId, upto: u64) {
        let Some(log) = self.0.get_mut(&origin) else { return };
        log.commits.retain(|seq, _| *seq <= upto);
        log.beyond = log.beyond.filter(|beyond| beyond.from <= upto);
        log.held = log.held.filter(|held| *held <= upto);
        if log.commits.is_empty() && log.beyond.is_none() {
            self.0.remove(&origin);
        }
    }

    /// Notes one that came; of each origin in sequence.
    pub(crate) fn add(&mut self, origin: OriginId, seq: u64, effects: usize) {
        let log = self.0.entry(origin).or_default();
        if log.commits.len() < UNREAD_COMMITS_MAX {
            log.commits.insert(seq, u32::try_from(effects).unwrap_or(u32::MAX));
        } else {
            let beyond = log.beyond.get_or_insert(Beyond { from: seq, commits: 0 });
            beyond.commits += 1;
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        let count = |log: &UnreadLog| log.commits.len() as u64 + log.beyond.map_or(0, |beyond| beyond.commits);
        self.0.values().map(count).sum()
    }

    /// Whether there is one of this origin.
    pub(crate) fn has(&self, origin: &OriginId) -> bool {
        self.0.contains_key(origin)
    }

    /// Notes that there may be amounts in one.
    pub(crate) fn hold(&mut self, origin: OriginId, seq: u64) {
        let held = &mut self.0.entry(origin).or_default().held;
        *held = Some(held.map_or(seq, |held| held.min(seq)));
    }

    /// The first one of this origin in which there may be amounts.
    pub(crate) fn held(&self, origin: &OriginId) -> Option<u64> {
        self.0.get(origin)?.held
    }

    /// How many changes of it took effect when it was last read; `None` when that is not known.
    pub(crate) fn effects(&self, origin: &OriginId, seq: u64) -> Option<u32> {
        self.0.get(origin)?.commits.get(&seq).copied()
    }

    /// Where they are: of each origin in sequence.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let of = |(origin, log): (&OriginId, &UnreadLog)| {
            let origin = *origin;
            let listed = log.commits.keys().map(move |seq| Span { origin, from: *seq, to: *seq });
            let beyond = log.beyond.map(|beyond| Span { origin, from: beyond.from, to: u64::MAX });
            listed.chain(beyond).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests;
