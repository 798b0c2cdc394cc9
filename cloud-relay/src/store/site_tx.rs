//! A unit of work on one site: commits, applied batches and any other rows, all in one transaction, or nothing.
//!
//! Whoever works with it decides first and commits then: what refuses after it has committed makes the whole group fail, because a
//! replica in memory cannot take a commit back. Orders that are not in memory are read before a commit needs them.

use crate::store::cloud_orders::{self, Placed};
use crate::store::site_rows::NodeSession;
use crate::store::site_store::{self, SiteNo, SqlSiteStore, Turn};
use crate::store::{Database, StoreError, Tx};
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::change::{Change, CommitTooLarge};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::reading::Needs;
use pilotlight_sync::doc::replica::{
    Applied, Flushed, LiveOrder, Loading, NOTES, ReadStored, Replica, UnreadableOrder, order_of_key,
};
use pilotlight_sync::doc::site::{Site, UnreadableDoc};
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::store::{CommitError, LogEntry, Seal, SiteStore};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Log entries read at once while a site is loaded.
const LOG_PAGE: usize = 1_000;

/// Why a unit of work gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum WorkError<R> {
    /// It says no. Nothing was written.
    #[error("refused")]
    Refused(R),
    /// The changes do not fit into one commit. Nothing was written.
    #[error(transparent)]
    TooLarge(#[from] CommitTooLarge),
    /// Stored rows could not be read or written. Nothing was written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whether it was written is unknown: ask again with the same id.
    #[error("the database did not confirm; whether it was written is unknown")]
    Unknown,
    /// The site takes no work now. Nothing was written.
    #[error("the site takes no work now")]
    Closed,
}

/// Another origin's commits were not taken: a newer session of this node has begun.
#[derive(Debug, thiserror::Error)]
#[error("session {} was followed by session {newest:?} of that node", session.number)]
pub struct OldSession {
    /// Whose commits these are.
    pub session: NodeSession,
    /// The one that counts; `None`: the site has no such node any more.
    pub newest: Option<u64>,
}

/// What is read for the replica before it asks.
#[derive(Debug, Default)]
struct Fetched {
    orders: BTreeMap<OrderId, Option<Vec<u8>>>,
    /// Of logs, after these commits.
    hashes: BTreeMap<(OriginId, u64), Option<ChainHash>>,
}

/// Something was needed that nobody had read.
#[derive(Debug, thiserror::Error)]
#[error("it was not read beforehand")]
struct NotFetched;

impl ReadStored for Fetched {
    type Error = NotFetched;

    fn read_hash(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, NotFetched> {
        self.hashes.get(&(*origin, seq)).copied().ok_or(NotFetched)
    }

    fn read_order(&self, id: &OrderId) -> Result<Option<Vec<u8>>, NotFetched> {
        self.orders.get(id).cloned().ok_or(NotFetched)
    }
}

/// One transaction over one site.
#[derive(Debug)]
pub struct SiteTx {
    tx: Tx,
    site: SiteNo,
    turn: Turn,
    now: Timestamp,
    replica: Replica,
    fetched: Fetched,
    touched: BTreeSet<OrderId>,
    commits: usize,
    /// The relay's rows of these orders as they were when this unit began; none once a row may have been written.
    begun_with: Option<(BTreeSet<OrderId>, Vec<Placed>)>,
}

impl SiteTx {
    /// Begins: takes the site's row, reads what the relay has of these orders and, unless `known` is the state after the last turn, the site.
    pub(crate) async fn begin(
        database: &Database,
        site: SiteNo,
        own: OriginId,
        known: Option<(Replica, u64)>,
        orders: BTreeSet<OrderId>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let ids: Vec<OrderId> = orders.iter().copied().collect();
        let (tx, turn, rows) = site_store::begin(database, site, &ids).await?;
        let (replica, touched) = match known {
            Some((replica, last)) if last + 1 == turn.turn => (replica, BTreeSet::new()),
            // Nobody else writes while this transaction holds the lock, so what the readers see is what is.
            Some(_) | None => load(&SqlSiteStore::new(database.clone(), site), own).await?,
        };
        let fetched = Fetched::default();
        let begun_with = Some((orders, rows));
        Ok(Self { tx, site, turn, now, replica, fetched, touched, commits: 0, begun_with })
    }

    /// Now, in business.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The small documents: menu, stock, settings; what this unit committed included.
    pub fn site(&self) -> &Site {
        self.replica.site()
    }

    /// The relay's own origin at this site.
    pub fn origin(&self) -> OriginId {
        self.replica.origin()
    }

    /// The live state.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The connection, for rows that belong to this unit of work.
    pub fn sql(&mut self) -> &mut Tx {
        self.begun_with = None;
        &mut self.tx
    }

    /// Those of these orders that the relay placed, by their ids, and who brings each.
    pub(crate) async fn placed(&mut self, orders: &[OrderId]) -> Result<Vec<Placed>, StoreError> {
        match self.begun_with.take() {
            Some((read, rows)) if orders.iter().all(|id| read.contains(id)) => {
                Ok(rows.into_iter().filter(|(kept, _)| orders.contains(&kept.order)).collect())
            }
            Some(_) | None => cloud_orders::among(&mut self.tx, orders).await,
        }
    }

    /// An order as it is now, what this unit committed included.
    pub async fn order(&mut self, id: &OrderId) -> Result<Option<Arc<LiveOrder>>, StoreError> {
        self.fetch([*id]).await?;
        if let Some(order) = self.replica.live(id) {
            return Ok(Some(order.clone()));
        }
        let Some(Some(bytes)) = self.fetched.orders.get(id) else { return Ok(None) };
        stored_order(id, bytes)
    }

    /// Writes one commit of the relay's own. Refuse before, not after.
    pub async fn commit<R>(&mut self, by: Actor, changes: &[Change]) -> Result<(), WorkError<R>> {
        let orders = orders_of(changes);
        self.fetch(orders.iter().copied()).await?;
        self.replica.commit(by, self.now, changes, &self.fetched)?;
        self.touched.extend(orders);
        self.commits += 1;
        Ok(())
    }

    /// Applies consecutive commits of another origin whose seal was checked, received in this session, up to one that is refused.
    pub(crate) async fn apply(
        &mut self,
        session: NodeSession,
        entries: &[LogEntry],
        seal: &Seal,
    ) -> Result<Applied, WorkError<OldSession>> {
        let newest = self.turn.sessions.get(&session.node).copied();
        if newest.is_none_or(|newest| session.number < newest) {
            return Err(WorkError::Refused(OldSession { session, newest }));
        }
        let Needs { orders, hashes } = entries.iter().map(Needs::of).collect();
        self.fetch(orders.iter().copied()).await?;
        for (origin, seq) in hashes.into_iter().chain(self.replica.looks_again(entries)) {
            let hash = site_store::hash_at(&mut *self.tx, self.site, &origin, seq).await?;
            self.fetched.hashes.insert((origin, seq), hash);
        }
        let applied = self.replica.apply(self.now, entries, seal, &self.fetched);
        if applied.new > 0 {
            self.touched.extend(orders);
            self.commits += applied.new;
        }
        Ok(applied)
    }

    /// How many commits this group has taken so far: what cannot be taken back.
    pub(crate) fn commits(&self) -> usize {
        self.commits
    }

    /// Whether there is anything to write.
    pub(crate) fn is_staged(&self) -> bool {
        self.replica.is_staged()
    }

    /// Orders changed since this was last asked.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<OrderId> {
        std::mem::take(&mut self.touched)
    }

    /// Marks a place to go back to.
    pub(crate) async fn mark(&mut self) -> Result<(), StoreError> {
        sqlx::query("SAVEPOINT work").execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Goes on from the mark, keeping (`true`) or dropping what was written since.
    pub(crate) async fn unmark(&mut self, keep: bool) -> Result<(), StoreError> {
        if !keep {
            sqlx::query("ROLLBACK TO work").execute(&mut *self.tx).await?;
        }
        sqlx::query("RELEASE work").execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Writes what is staged and commits. Durable when it returns; then the replica is the state after this turn.
    pub(crate) async fn finish(
        mut self,
        sign: impl FnOnce(&Head) -> [u8; 64],
    ) -> Result<(Replica, u64, Option<Flushed>), StoreError> {
        if !self.replica.is_staged() {
            self.tx.commit().await?;
            return Ok((self.replica, self.turn.turn, None));
        }
        let (writes, told) = self.replica.take_writes(sign);
        match site_store::finish(self.tx, self.site, &self.turn, &writes).await {
            Ok(()) => Ok((self.replica, self.turn.turn, Some(told))),
            Err(CommitError::Store(error)) => Err(error),
            Err(gap @ CommitError::Gap { .. }) => Err(StoreError::Damaged { table: "site_log", why: gap.to_string() }),
        }
    }

    /// Ends without having written anything: the replica is the state before this turn.
    pub(crate) fn abandon(self) -> (Replica, u64) {
        (self.replica, self.turn.turn.saturating_sub(1))
    }

    /// Reads orders that are not in memory.
    async fn fetch(&mut self, ids: impl IntoIterator<Item = OrderId>) -> Result<(), StoreError> {
        let unknown = |id: &OrderId| self.replica.live(id).is_none() && !self.fetched.orders.contains_key(id);
        let ids: Vec<OrderId> = ids.into_iter().filter(unknown).collect();
        let mut stored = site_store::orders(&mut self.tx, self.site, &ids).await?;
        self.fetched.orders.extend(ids.into_iter().map(|id| (id, stored.remove(&id))));
        Ok(())
    }
}

/// An order as its document says.
fn stored_order(id: &OrderId, bytes: &[u8]) -> Result<Option<Arc<LiveOrder>>, StoreError> {
    match LiveOrder::from_bytes(bytes) {
        Ok(order) => Ok(Some(Arc::new(order))),
        // Only facts that wait for it: nothing yet.
        Err(UnreadableOrder::NoHeader) => Ok(None),
        Err(error @ UnreadableOrder::Bytes(_)) => {
            Err(StoreError::Damaged { table: "site_doc", why: format!("order {id}: {error}") })
        }
    }
}

/// An order that is not live, as it was last committed. It waits for nobody.
pub(crate) async fn closed_order(store: &SqlSiteStore, id: &OrderId) -> Result<Option<Arc<LiveOrder>>, StoreError> {
    let stored = store.load(&[DocKey::Order(*id)]).await?.into_iter().next().flatten();
    stored.map_or(Ok(None), |bytes| stored_order(id, &bytes))
}

fn orders_of(changes: &[Change]) -> BTreeSet<OrderId> {
    changes.iter().flat_map(Change::orders).collect()
}

/// Reads everything live of a site. Answers also the orders that say more than before, because this version understands more.
async fn load(store: &SqlSiteStore, own: OriginId) -> Result<(Replica, BTreeSet<OrderId>), StoreError> {
    let mut notes = BTreeMap::new();
    for name in NOTES {
        notes.extend(store.note(name).await?.map(|bytes| (name.to_vec(), bytes)));
    }
    let damaged = |error: UnreadableDoc| StoreError::Damaged { table: "site_doc", why: error.to_string() };
    let mut loading = Loading::begin(store.load_site().await?, &notes).map_err(damaged)?;
    let heads = store.heads().await?;
    for origin in heads.keys() {
        let mut next = loading.tail_from(origin);
        loop {
            let page = store.log(origin, next, LOG_PAGE).await?;
            let Some(last) = page.last() else { break };
            next = last.head.seq + 1;
            page.iter().for_each(|entry| loading.take(entry));
        }
    }
    let mut replica = loading.finish(own, heads);
    for key in store.index(b"o", b"p", usize::MAX).await? {
        let Some(id) = order_of_key(&key) else { continue };
        let read = store.load(&[DocKey::Order(id)]).await?.into_iter().next().flatten();
        // One broken order must not close the restaurant: it is named, and its facts are in the log.
        match read.map(|bytes| LiveOrder::from_bytes(&bytes)) {
            Some(Ok(order)) => replica.admit(id, order),
            Some(Err(error)) => tracing::error!(order = %id, %error, "an open order cannot be read"),
            None => tracing::error!(order = %id, "the index names an open order that is not stored"),
        }
    }
    let touched = reread(store, &mut replica).await?;
    Ok((replica, touched))
}

/// Reads again what an older version did not understand.
async fn reread(store: &SqlSiteStore, replica: &mut Replica) -> Result<BTreeSet<OrderId>, StoreError> {
    let mut touched = BTreeSet::new();
    for span in replica.begin_reread() {
        let mut next = span.from;
        while next <= span.to {
            let limit = usize::try_from(span.to - next).unwrap_or(usize::MAX).saturating_add(1).min(LOG_PAGE);
            let page = store.log(&span.origin, next, limit).await?;
            let Some(last) = page.last() else { break };
            next = last.head.seq.saturating_add(1);
            for entry in &page {
                let mut stored = Fetched::default();
                let needs = Needs::of(entry);
                for id in needs.orders.into_iter().filter(|id| replica.live(id).is_none()) {
                    stored.orders.insert(id, store.load(&[DocKey::Order(id)]).await?.into_iter().next().flatten());
                }
                for (origin, seq) in needs.hashes {
                    stored.hashes.insert((origin, seq), store.hash_at(&origin, seq).await?);
                }
                touched.extend(replica.reread(entry, &stored));
            }
        }
    }
    Ok(touched)
}
