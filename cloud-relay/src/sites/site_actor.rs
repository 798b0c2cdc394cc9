//! One site's queue: takes what waits, does it in one transaction in sequence, commits once, tells, answers all.
//!
//! After a failed transaction or a panic the replica is dropped and read again; whoever waited hears *unknown*. What changed orders
//! is followed by what the relay does of itself, in the same transaction (SPEC E4).

use crate::sites::site_handle::{React, Shared, Shown, SiteChange, SiteHandle, WeakSite};
use crate::store::site_tx::{SiteTx, WorkError};
use crate::store::{Database, StoreError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pilotlight_edge::clock::{Clock, Stopwatch};
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::replica::{Flushed, Replica};
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::GROUP_COMMITS_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, watch};

/// How often what follows may change orders again, in one unit of work.
const ROUNDS_MAX: usize = 8;
/// Orders that may be left out.
const LEFT_OUT_MAX: usize = 1_000;
/// Work of one group.
const GROUP_JOBS_MAX: usize = 256;

/// Answers a request, knowing whether the group became durable.
pub(super) type Answer = Box<dyn FnOnce(bool) + Send>;

/// What a unit of work leaves.
pub(super) struct Done {
    /// Whether what it wrote is to be kept.
    pub(super) keep: bool,
    /// Its answer.
    pub(super) answer: Answer,
}

/// Looks at the state, and leaves an answer.
pub(super) type Read = Box<dyn FnOnce(&Replica, Timestamp) -> Answer + Send>;
/// Does a unit of work.
pub(super) type Work = Box<dyn for<'t> FnOnce(&'t mut SiteTx) -> BoxFuture<'t, Done> + Send>;

/// A request.
pub(super) enum Job {
    /// Looks only.
    Read(Read),
    /// May write; asks for the relay's rows of these orders.
    Work(BTreeSet<OrderId>, Work),
}

/// Where a durable group is told.
pub(super) struct Told {
    pub(super) heads: watch::Sender<Arc<BTreeMap<OriginId, Head>>>,
    pub(super) keys: watch::Sender<Arc<BTreeMap<OriginId, [u8; 32]>>>,
    pub(super) shown: watch::Sender<Arc<Shown>>,
    pub(super) changes: broadcast::Sender<Arc<SiteChange>>,
}

struct SiteActor {
    site: WeakSite,
    facts: Arc<crate::sites::site_handle::SiteFacts>,
    queue: mpsc::Receiver<Job>,
    database: Database,
    clock: Clock,
    react: Arc<dyn React>,
    told: Told,
    /// The state after the last turn, and its number; none after a failure.
    known: Option<(Replica, u64)>,
    follows: Follows,
    /// What the gauge was told of commits that are not understood.
    unread: u64,
}

/// How what follows is called. One broken order must not stop its site for ever: once something that is no fault of the database
/// has failed, orders are looked at one by one, and the one that fails is left out until the relay is started again.
#[derive(Debug, Default)]
struct Follows {
    one_by_one: bool,
    left_out: BTreeSet<OrderId>,
}

impl Follows {
    /// Which orders are looked at together.
    fn sets(&self, changed: BTreeSet<OrderId>) -> Vec<BTreeSet<OrderId>> {
        let fit: BTreeSet<OrderId> = changed.difference(&self.left_out).copied().collect();
        match (self.one_by_one, fit.is_empty()) {
            (_, true) => Vec::new(),
            (false, false) => vec![fit],
            (true, false) => fit.into_iter().map(|id| BTreeSet::from([id])).collect(),
        }
    }

    /// Remembers a failure.
    fn failed(&mut self, set: &BTreeSet<OrderId>) {
        self.one_by_one = true;
        if let (1, Some(order)) = (set.len(), set.first())
            && self.left_out.len() < LEFT_OUT_MAX
        {
            tracing::error!(%order, "nothing follows from this order's facts any more: look at its rows, then start the relay again");
            metrics::counter!("pilotlight_orders_left_out_total").increment(1);
            self.left_out.insert(*order);
        }
    }
}

/// Why a group leaves nothing.
#[derive(Debug, thiserror::Error)]
enum GroupError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a unit of work panicked")]
    Panicked,
    #[error("a unit of work refused after it had committed")]
    RefusedLate,
    #[error("what follows could not be written: {0}")]
    Follows(WorkError<Infallible>),
}

/// Reads the site and starts its queue.
pub(super) async fn start(
    site: &SiteHandle,
    queue: mpsc::Receiver<Job>,
    shared: &Shared,
    told: Told,
) -> Result<(), StoreError> {
    let mut actor = SiteActor {
        site: site.downgrade(),
        facts: site.facts.clone(),
        queue,
        database: shared.database.clone(),
        clock: shared.clock.clone(),
        react: shared.react.clone(),
        told,
        known: None,
        follows: Follows::default(),
        unread: 0,
    };
    let (tx, _) = actor.begin(BTreeSet::new()).await?;
    if tx.commits() > 0 {
        actor.end(tx).await?;
    } else {
        // Nothing to write: a thousand sites are opened without a thousand syncs.
        let more = tx.is_staged();
        let (replica, turn) = tx.abandon();
        actor.tell(&replica, None);
        // What this version understands and the last one did not is written, with what follows from it, as the first group's.
        actor.known = if more { None } else { Some((replica, turn)) };
    }
    tokio::spawn(actor.run());
    Ok(())
}

/// Looks at the state. Who panics over it hears *unknown*; the others go on.
fn look(read: Read, replica: &Replica, now: Timestamp) -> Option<Answer> {
    let looked = std::panic::catch_unwind(AssertUnwindSafe(|| read(replica, now)));
    looked.inspect_err(|_| tracing::error!("a look at a site panicked")).ok()
}

impl SiteActor {
    async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            let watch = Stopwatch::start();
            let group = self.drain(first);
            let mut answers = Vec::with_capacity(group.len());
            let durable = match self.run_group(group, &mut answers).await {
                Ok(()) => true,
                Err(error) => {
                    // The replica in memory may be ahead of the database: it is read again with the next work.
                    self.known = None;
                    tracing::error!(site = %self.facts.id, %error, source = ?std::error::Error::source(&error), "a group of work was not written");
                    metrics::counter!("pilotlight_site_groups_failed_total").increment(1);
                    false
                }
            };
            answers.into_iter().for_each(|answer: Answer| answer(durable));
            metrics::histogram!("pilotlight_site_group_seconds").record(watch.elapsed().as_secs_f64());
        }
    }

    fn drain(&mut self, first: Job) -> Vec<Job> {
        let mut group = vec![first];
        while group.len() < GROUP_JOBS_MAX
            && let Ok(next) = self.queue.try_recv()
        {
            group.push(next);
        }
        group
    }

    /// Does a group. Jobs that were not begun are dropped after an error: their callers hear *unknown*.
    async fn run_group(&mut self, group: Vec<Job>, answers: &mut Vec<Answer>) -> Result<(), GroupError> {
        let only_reads = group.iter().all(|job| matches!(job, Job::Read(_)));
        if let (true, Some((replica, _))) = (only_reads, &self.known) {
            let now = self.clock.now();
            for job in group {
                if let Job::Read(read) = job {
                    answers.extend(look(read, replica, now));
                }
            }
            return Ok(());
        }
        let about = |job: &Job| match job {
            Job::Read(_) => BTreeSet::new(),
            Job::Work(orders, _) => orders.clone(),
        };
        let (mut tx, site) = self.begin(group.first().map(about).unwrap_or_default()).await?;
        self.follow(&mut tx, site.as_ref()).await?;
        // Work that is alone needs no place to go back to: its transaction is dropped.
        let alone = group.len() == 1 && !tx.is_staged();
        let mut waiting = group.into_iter();
        while let Some(job) = waiting.next() {
            match job {
                Job::Read(read) => answers.extend(look(read, tx.replica(), tx.now())),
                Job::Work(_, work) => {
                    let (keep, answer) = self.work(&mut tx, site.as_ref(), work, alone).await?;
                    answers.push(answer);
                    if alone && !keep {
                        let (replica, turn) = tx.abandon();
                        // It may have been read anew, with what another process has written.
                        self.tell(&replica, None);
                        self.known = Some((replica, turn));
                        return Ok(());
                    }
                }
            }
            if tx.commits() >= GROUP_COMMITS_MAX && waiting.len() > 0 {
                self.end(tx).await?;
                answers.drain(..).for_each(|answer| answer(true));
                tx = self.begin(BTreeSet::new()).await?.0;
            }
        }
        Ok(self.end(tx).await?)
    }

    /// Begins a transaction; the first one ever introduces the relay's origin.
    async fn begin(&mut self, orders: BTreeSet<OrderId>) -> Result<(SiteTx, Option<SiteHandle>), StoreError> {
        let (known, own) = (self.known.take(), self.facts.identity.origin);
        let mut tx = SiteTx::begin(&self.database, self.facts.no, own, known, orders, self.clock.now()).await?;
        if tx.replica().position().head.seq == 0 {
            let card = Change::Origin(self.facts.identity.card());
            match tx.commit::<Infallible>(Actor::System, &[card]).await {
                Ok(()) => {}
                Err(WorkError::Store(error)) => return Err(error),
                Err(
                    other @ (WorkError::Refused(_) | WorkError::TooLarge(_) | WorkError::Unknown | WorkError::Closed),
                ) => {
                    return Err(StoreError::Damaged { table: "site_origin", why: other.to_string() });
                }
            }
        }
        Ok((tx, self.site.upgrade()))
    }

    /// Commits, and tells what has changed: before anyone is answered, so that who asks next sees it.
    async fn end(&mut self, tx: SiteTx) -> Result<(), StoreError> {
        let (replica, turn, flushed) = tx.finish(|head| self.facts.identity.sign(&head.hash)).await?;
        self.tell(&replica, flushed);
        self.known = Some((replica, turn));
        Ok(())
    }

    fn tell(&mut self, replica: &Replica, flushed: Option<Flushed>) {
        let unread = replica.unread_commits();
        if unread != self.unread {
            metrics::gauge!("pilotlight_unread_commits").increment(unread as f64 - self.unread as f64);
            self.unread = unread;
        }
        let (settings, intake) = (replica.site().settings(), replica.site().intake());
        let shown = self.told.shown.borrow().clone();
        let other_menu = flushed.as_ref().is_some_and(|flushed| flushed.menu) || shown.settings.as_ref() != settings;
        if other_menu || shown.intake != intake {
            let menu = if other_menu { Arc::new(replica.site().menu().clone()) } else { shown.menu.clone() };
            self.told.shown.send_replace(Arc::new(Shown { settings: settings.cloned(), menu, intake }));
        }
        // Guests look at their screens; the nodes only count what has arrived.
        if let Some(flushed) = flushed {
            self.tell_changes(flushed);
        }
        // Whose log has come by one link must be known on the others too, before these hear of it.
        if self.told.keys.borrow().len() < replica.heads().len() {
            self.told.keys.send_replace(Arc::new(replica.keys()));
        }
        let heads = &self.told.heads;
        if **heads.borrow() != *replica.heads() {
            heads.send_replace(Arc::new(replica.heads().clone()));
        }
    }

    fn tell_changes(&self, flushed: Flushed) {
        if !flushed.orders.is_empty() || flushed.menu || flushed.availability {
            let (menu, availability) = (flushed.menu, flushed.availability);
            let change = SiteChange { site: self.facts.id, orders: flushed.orders, menu, availability };
            // Nobody may be listening.
            let _listeners = self.told.changes.send(Arc::new(change));
        }
    }

    /// Does one unit of work and what follows from it. Answers whether what it wrote is to be kept; what one that was `alone` wrote is
    /// dropped with its transaction.
    async fn work(
        &mut self,
        tx: &mut SiteTx,
        site: Option<&SiteHandle>,
        work: Work,
        alone: bool,
    ) -> Result<(bool, Answer), GroupError> {
        let before = tx.commits();
        if !alone {
            tx.mark().await?;
        }
        let done = AssertUnwindSafe(async { work(tx).await }).catch_unwind().await.map_err(|_| GroupError::Panicked)?;
        if !done.keep && tx.commits() > before {
            return Err(GroupError::RefusedLate);
        }
        if !alone {
            tx.unmark(done.keep).await?;
        }
        if done.keep || !alone {
            self.follow(tx, site).await?;
        }
        Ok((done.keep, done.answer))
    }

    /// Does what follows from changed orders.
    async fn follow(&mut self, tx: &mut SiteTx, site: Option<&SiteHandle>) -> Result<(), GroupError> {
        for _ in 0..ROUNDS_MAX {
            let changed = tx.take_touched();
            let Some(site) = site.filter(|_| !changed.is_empty()) else { break };
            for set in self.follows.sets(changed) {
                let follows = AssertUnwindSafe(async { self.react.react(site, tx, &set).await }).catch_unwind().await;
                match follows.map_err(|_| GroupError::Panicked).and_then(|done| done.map_err(GroupError::Follows)) {
                    Ok(()) => {}
                    Err(error @ GroupError::Follows(WorkError::Store(StoreError::Database(_)))) => return Err(error),
                    Err(error) => {
                        self.follows.failed(&set);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }
}
