//! What a store does when the site has another log of it: it ends its logs where both part, and tells again, under its own name, what it
//! alone has (SPEC I8). Nothing of it is lost on the way: note, end of the logs and telling are durable one after the other.
//!
//! Everything that builds on a branch is a branch too: a later origin of this store that has seen it is ended with it.

use crate::archive::Archive;
use crate::store::StoreError;
use crate::store::identity::Identity;
use crate::store::joined::Joined;
use crate::store::node_store::{NodeStore, Rewind};
use crate::store::replica::{LiveOrder, Replica, each_entry};
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::crdt::counter::{BranchRow, Row};
use pilotlight_sync::crdt::facts::FactId;
use pilotlight_sync::doc::change::{Change, Commit, CommitTooLarge};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::order::{OrderDoc, OrderFact};
use pilotlight_sync::doc::reading::orders_of;
use pilotlight_sync::doc::recovered::Recovered;
use pilotlight_sync::doc::replica::{Loading, NOTES, ReadStored, index_keys, order_of_key};
use pilotlight_sync::domain::id::{BranchId, IngredientId, OrderId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::Parted;
use pilotlight_sync::store::LogEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The note that says where logs part, until it was seen to.
pub const PARTED_NOTE: &[u8] = b"parted";
/// Changes of a branch that are told in one commit, at most so many and of so many bytes.
const TOLD_CHANGES_MAX: usize = 256;
const TOLD_BYTES_MAX: usize = 64 * 1024;

/// Where logs of this store must end.
pub type Ends = BTreeMap<OriginId, u64>;

/// What only this store has.
#[derive(Debug, Default)]
pub(crate) struct Branch {
    ends: Ends,
    /// Those of them that the site has another log of; the others build on these.
    forked: BTreeSet<OriginId>,
    entries: BTreeMap<OriginId, Vec<LogEntry>>,
    /// Index entries that orders had, and those of them that somebody was working on.
    keys: BTreeMap<OrderId, BTreeSet<Vec<u8>>>,
    open: BTreeSet<OrderId>,
    gone: BTreeSet<DocKey>,
}

/// Where this store's logs and the site's part, as it was told and has not seen to yet.
fn parted(store: &dyn NodeStore) -> Result<Option<Parted>, StoreError> {
    let noted = store.noted(PARTED_NOTE)?.filter(|bytes| !bytes.is_empty());
    let damaged = |error: minicbor::decode::Error| StoreError::Damaged {
        tree: "notes-1",
        why: format!("where logs part: {error}"),
    };
    noted.map(|bytes| minicbor::decode(&bytes).map_err(damaged)).transpose()
}

/// Where logs must end before this store may go on; nothing when it has no branch.
pub fn ends(store: &dyn NodeStore) -> Result<Ends, StoreError> {
    let Some(parted) = parted(store)? else { return Ok(Ends::new()) };
    let heads = store.log_heads()?;
    let mut ends: Ends = parted.cuts.into_iter().filter(|(origin, _)| heads.contains_key(origin)).collect();
    // Of these the site has what is left; the others it may not have.
    let found: BTreeSet<OriginId> = ends.keys().copied().collect();
    // What builds on what ends here ends too; and that may be what something before it in this round builds on.
    loop {
        let mut lowered = false;
        for origin in heads.keys().filter(|origin| !found.contains(*origin)) {
            let shared = parted.shared.get(origin).copied().unwrap_or(0);
            let end = ends.get(origin).copied().unwrap_or(u64::MAX);
            let mut first = None;
            each_entry(store, origin, shared + 1, end, &mut |entry| {
                let builds = |commit: Commit| {
                    commit.seen.iter().any(|seen| ends.get(&seen.origin).is_some_and(|end| seen.seq > *end))
                };
                if first.is_none() && Commit::from_bytes(&entry.bytes).is_ok_and(builds) {
                    first = Some(entry.head.seq);
                }
            })?;
            if let Some(first) = first {
                ends.insert(*origin, signed_end(store, origin, shared, first - 1)?);
                lowered = true;
            }
        }
        if !lowered {
            return Ok(ends);
        }
    }
}

/// Where a log that must end by `last` can: where its origin has signed, or where the site has it. What is kept beyond could not be passed on,
/// because its name writes no more. Another store that has more of its signatures ends it later: all that is told of it counts once all the same.
fn signed_end(store: &dyn NodeStore, origin: &OriginId, shared: u64, last: u64) -> Result<u64, StoreError> {
    let seals = store.seals_between(origin, shared + 1, last)?;
    Ok(seals.iter().map(|seal| seal.seq).filter(|seq| *seq <= last).max().unwrap_or(shared))
}

/// Reads orders without what a branch did to them.
pub(super) struct Without<'a> {
    pub(super) joined: &'a Joined<'a>,
    pub(super) ends: &'a Ends,
}

impl Without<'_> {
    fn cut(&self, bytes: &[u8]) -> Result<OrderDoc, StoreError> {
        let doc: OrderDoc = minicbor::decode(bytes)
            .map_err(|error| StoreError::Damaged { tree: "orders-1", why: error.to_string() })?;
        let mut left = OrderDoc::default();
        let stays = |id: &FactId| self.ends.get(&id.origin).is_none_or(|end| id.seq <= *end);
        for fact in doc.in_order().iter().filter(|fact| stays(&fact.id)) {
            left.insert(fact.as_ref().clone());
        }
        Ok(left)
    }
}

impl ReadStored for Without<'_> {
    type Error = StoreError;

    fn read_hash(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, StoreError> {
        let stays = self.ends.get(origin).is_none_or(|end| seq <= *end);
        if stays { self.joined.read_hash(origin, seq) } else { Ok(None) }
    }

    fn read_order(&self, id: &OrderId) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self.joined.read_order(id)?;
        stored.map(|bytes| Ok(minicbor::to_vec(self.cut(&bytes)?).unwrap_or_default())).transpose()
    }
}

/// Reads the replica as it is without its branch, and the branch. The store still has both.
pub(crate) fn read_without(
    store: &dyn NodeStore,
    archive: &Archive,
    own: OriginId,
    ends: Ends,
) -> Result<(pilotlight_sync::doc::replica::Replica, Branch, Vec<OrderId>), StoreError> {
    let mut notes = BTreeMap::new();
    for name in NOTES {
        notes.extend(store.noted(name)?.map(|bytes| (name.to_vec(), bytes)));
    }
    let forked = parted(store)?.map(|parted| parted.cuts.into_keys().collect()).unwrap_or_default();
    let mut branch = Branch { ends, forked, ..Branch::default() };
    let mut loading = Loading::anew(&notes, &branch.ends);
    let mut heads: BTreeMap<OriginId, Head> = BTreeMap::new();
    for origin in store.log_heads()?.keys() {
        let end = branch.ends.get(origin).copied().unwrap_or(u64::MAX);
        each_entry(store, origin, 1, end, &mut |entry| {
            loading.take(entry);
            heads.insert(*origin, entry.head);
        })?;
        let beyond = branch.entries.entry(*origin).or_default();
        if end < u64::MAX {
            each_entry(store, origin, end + 1, u64::MAX, &mut |entry| beyond.push(entry.clone()))?;
        }
    }
    let joined = Joined::new(store, archive);
    let without = Without { joined: &joined, ends: &branch.ends };
    loading.check_reports(&without)?;
    let mut state = loading.finish(own, heads);
    for key in store.index_range(b"o", b"p", usize::MAX)? {
        let Some(id) = order_of_key(&key) else { continue };
        let left = without.read_order(&id)?.and_then(|bytes| LiveOrder::from_bytes(&bytes).ok());
        left.into_iter().for_each(|order| state.admit(id, order));
    }
    let mut nothing_left = BTreeSet::new();
    let touched: BTreeSet<OrderId> = branch.entries.values().flatten().flat_map(orders_of).collect();
    for id in touched {
        let was = joined.read_order(&id)?.and_then(|bytes| LiveOrder::from_bytes(&bytes).ok());
        let keys = was.as_ref().map(|order| index_keys(&id, &order.view)).unwrap_or_default();
        branch.keys.insert(id, keys);
        branch.open.extend(was.filter(|order| order.view.is_open()).map(|_| id));
        // What is left of it is written, also where nothing is told of it: another's log may come again.
        match without.read_order(&id)?.map(|bytes| minicbor::decode::<OrderDoc>(&bytes)) {
            Some(Ok(left)) if left.is_empty() => drop(nothing_left.insert(DocKey::Order(id))),
            Some(_) => state.mend_order(&id, Vec::new(), &without),
            None => {}
        }
    }
    state.restage_site();
    let here: BTreeSet<DocKey> = state.site().docs().map(|(key, _)| key).collect();
    branch.gone = store.site_docs()?.into_iter().map(|(key, _)| key).filter(|key| !here.contains(key)).collect();
    branch.gone.extend(nothing_left);
    state.note(PARTED_NOTE, Vec::new());
    Ok((state, branch, joined.taken_from_archive()))
}

impl Branch {
    /// Where logs end now.
    pub(crate) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// How many commits only this store has.
    pub(crate) fn commits(&self) -> usize {
        self.entries.values().map(Vec::len).sum()
    }

    /// What the store gives up. Documents that are told again are written with the same transaction.
    pub(crate) fn rewind(&self, heads: &BTreeMap<OriginId, Head>) -> Rewind {
        let head = |origin: &OriginId| heads.get(origin).copied().unwrap_or_else(|| Head::start(origin));
        Rewind { ends: self.ends.keys().map(|origin| (*origin, head(origin))).collect(), docs: self.gone.clone() }
    }

    /// Index entries to put and to remove, now that it was told.
    pub(crate) fn index(&self, state: &pilotlight_sync::doc::replica::Replica) -> BTreeMap<Vec<u8>, bool> {
        let mut index = BTreeMap::new();
        for (id, was) in &self.keys {
            let is = state.live(id).map(|order| index_keys(id, &order.view)).unwrap_or_default();
            index.extend(was.difference(&is).map(|key| (key.clone(), false)));
            index.extend(is.into_iter().map(|key| (key, true)));
        }
        index
    }

    /// Everything that it did, as changes of a few commits.
    fn told(&self) -> Vec<Vec<Change>> {
        let mut all = Vec::new();
        for entry in self.entries.values().flatten() {
            let Ok(commit) = Commit::from_bytes(&entry.bytes) else {
                tracing::error!(origin = %entry.origin, seq = entry.head.seq, "a commit of the branch cannot be read: it cannot be told");
                continue;
            };
            // What it had itself told is told again as it was.
            let retold = commit.changes.iter().filter_map(|raw| Change::from_raw(raw).ok());
            let retold = retold.filter(|change| matches!(change, Change::Recovered(_) | Change::Branch(..)));
            all.extend(Recovered::of(&commit).into_iter().map(Change::Recovered).chain(retold));
        }
        packed(all)
    }

    /// What it did to the stock since it began; and how the rows of what only builds on it stand, because another store may keep more of
    /// these logs, or less.
    fn rows(&self, replica: &Replica) -> Vec<Change> {
        let mut changes = Vec::new();
        for (origin, entries) in &self.entries {
            let Some(first) = entries.first() else { continue };
            let mut last: BTreeMap<IngredientId, Row> = BTreeMap::new();
            for commit in entries.iter().filter_map(|entry| Commit::from_bytes(&entry.bytes).ok()) {
                for change in commit.changes.iter().filter_map(|raw| Change::from_raw(raw).ok()) {
                    if let Change::Stock(ingredient, row) = change {
                        last.insert(ingredient, row);
                    }
                }
            }
            for (ingredient, row) in last {
                if !self.forked.contains(origin) {
                    changes.push(Change::Branch(ingredient, BranchRow::of_log(*origin, &row)));
                    continue;
                }
                let was = replica.site().stock(&ingredient).map(|stock| stock.row(origin)).unwrap_or_default();
                let row = BranchRow::beyond(BranchId::of(first), *origin, &row, &was);
                changes.push(Change::Branch(ingredient, row));
            }
        }
        changes
    }
}

/// Changes as those of a few commits.
fn packed(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let mut commits: Vec<Vec<Change>> = vec![Vec::new()];
    let mut bytes = 0;
    for change in changes {
        let size = change.to_raw().body.len();
        let full = bytes + size > TOLD_BYTES_MAX || commits.last().is_some_and(|last| last.len() >= TOLD_CHANGES_MAX);
        if full && commits.last().is_some_and(|last| !last.is_empty()) {
            commits.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(last) = commits.last_mut() {
            last.push(change);
        }
    }
    commits
}

/// Tells what only this store had, in commits of its own that are staged: first what it did, then its stock, then which orders its
/// kitchen goes on with, because it had them on its board all the time (SPEC I9).
pub(crate) fn tell(replica: &mut Replica, branch: &Branch, now: Timestamp) -> Result<(), StoreError> {
    let too_large = |error: CommitTooLarge| StoreError::Damaged { tree: "log-1", why: error.to_string() };
    let mut commits = branch.told();
    commits.extend(packed(branch.rows(replica)));
    for changes in commits.iter().filter(|changes| !changes.is_empty()) {
        replica.commit(Actor::System, now, changes).map_err(too_large)?;
    }
    let history = |id: &&OrderId| replica.state().live(id).is_some_and(|order| order.view.is_history());
    let resumed: Vec<Change> =
        branch.open.iter().filter(history).map(|id| Change::Order(*id, OrderFact::Resumed)).collect();
    for changes in resumed.chunks(TOLD_CHANGES_MAX) {
        replica.commit(Actor::System, now, changes).map_err(too_large)?;
    }
    Ok(())
}

/// A replica that has ended its logs where they part, with what only it had staged to be told.
pub(crate) fn open_without(
    store: impl NodeStore + 'static,
    identity: Identity,
    archive: Arc<Archive>,
    ends: Ends,
) -> Result<Replica, StoreError> {
    let (state, branch, from_archive) = read_without(&store, &archive, identity.origin, ends)?;
    tracing::error!(
        origin = %identity.origin,
        commits = branch.commits(),
        "the site has another log of this store: it goes on from where both part, and tells what only it had"
    );
    Ok(Replica::rewound(Box::new(store), identity, archive, state, branch, from_archive))
}
