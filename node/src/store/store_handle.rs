//! Sends work to the store thread, the only writer of this node's data.

use crate::archive::taking::Taken;
use crate::store::StoreError;
use crate::store::replica::{Flushed, Replica};
use crate::store::store_thread::{self, Job, StoreHealth};
use pilotlight_edge::clock::Clock;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::doc::change::{Change, CommitTooLarge};
use pilotlight_sync::doc::replica::ApplyError;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{COMMIT_CHANGES_MAX, OWN_COMMIT_BYTES_MAX};
use pilotlight_sync::protocol::Parted;
use pilotlight_sync::store::{LogEntry, Seal};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::{mpsc, oneshot};

/// How often a store may take another name while its program runs.
const NAMES_ENDED_MAX: u8 = 8;
/// Requests that may wait for the store thread.
pub const REQUESTS_MAX: usize = 4096;

/// What a plan wants written, and what it answers once that is durable.
pub struct Plan<A> {
    /// Who causes it.
    pub by: Actor,
    /// One commit; with no changes nothing is written.
    pub changes: Vec<Change>,
    /// Further commits, durable together with the first: for what is too much for one.
    pub more: Vec<Vec<Change>>,
    /// Reads the answer from the state after the changes; it is sent when they are durable.
    pub answer: Box<dyn FnOnce(&Replica) -> A + Send>,
}

impl<A> std::fmt::Debug for Plan<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").field("by", &self.by).field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

impl<A: Send + 'static> Plan<A> {
    /// Writes one commit and answers from the state after it.
    pub fn new(by: Actor, changes: Vec<Change>, answer: impl FnOnce(&Replica) -> A + Send + 'static) -> Self {
        Self { by, changes, more: Vec::new(), answer: Box::new(answer) }
    }

    /// Writes nothing and answers this.
    pub fn answer_only(by: Actor, answer: A) -> Self {
        Self::new(by, Vec::new(), move |_| answer)
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError<R> {
    /// The plan says no. Nothing was written.
    #[error("refused")]
    Refused(R),
    /// The changes do not fit into one commit. Nothing was written.
    #[error(transparent)]
    TooLarge(#[from] CommitTooLarge),
    /// Whether it was written is unknown: ask again with the same id.
    #[error("the disk did not confirm; whether it was written is unknown")]
    Unknown,
    /// The store is closed, or so busy that the request was not taken. Nothing was written.
    #[error("the store takes no requests now")]
    Closed,
    /// Stored data could not be read. Nothing was written.
    #[error("stored data could not be read")]
    Damaged(#[source] Arc<StoreError>),
}

/// Why a plan could not be made: it was refused, or what it needs cannot be read.
#[derive(Debug)]
pub enum PlanError<R> {
    /// The plan says no.
    Refused(R),
    /// Stored data could not be read.
    Damaged(StoreError),
}

impl<R> From<StoreError> for PlanError<R> {
    fn from(error: StoreError) -> Self {
        Self::Damaged(error)
    }
}

/// What became of batches of other origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Where the logs of their origins end now.
    pub heads: BTreeMap<OriginId, Head>,
    /// Origins of which something was not taken, and why.
    pub refused: BTreeMap<OriginId, ApplyError>,
}

impl Applied {
    fn of(replica: &mut Replica, now: Timestamp, batches: &[(Vec<LogEntry>, Seal)]) -> Self {
        let mut applied = Self { heads: BTreeMap::new(), refused: BTreeMap::new() };
        for (entries, seal) in batches {
            if !applied.refused.contains_key(&seal.origin) {
                let refused = replica.apply(now, entries, seal).refused;
                applied.refused.extend(refused.map(|refused| (seal.origin, refused)));
            }
        }
        for (_, seal) in batches {
            let head = replica.state().heads().get(&seal.origin).copied();
            applied.heads.insert(seal.origin, head.unwrap_or_else(|| Head::start(&seal.origin)));
        }
        applied
    }
}

/// Sends work to the store thread.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    jobs: mpsc::Sender<Job>,
    health: Arc<StoreHealth>,
    names_ended: Arc<AtomicU8>,
}

impl StoreHandle {
    /// Starts the store thread. `open` is called now and again after each failure; `publish` hears of each flushed group.
    pub fn start(
        open: impl FnMut() -> Result<Replica, StoreError> + Send + 'static,
        publish: impl FnMut(&Replica, &Flushed) + Send + 'static,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(REQUESTS_MAX);
        let health = store_thread::spawn(queue, Box::new(open), Box::new(publish), clock)?;
        Ok(Self { jobs, health, names_ended: Arc::default() })
    }

    /// Runs a plan and resolves once what it wrote would survive a power cut.
    pub async fn run<A, R>(
        &self,
        plan: impl FnOnce(&Replica, Timestamp) -> Result<Plan<A>, PlanError<R>> + Send + 'static,
    ) -> Result<A, RunError<R>>
    where
        A: Send + 'static,
        R: Send + 'static,
    {
        let (job, answer) = job_of(plan);
        self.jobs.send(job).await.map_err(|_| RunError::Closed)?;
        answer.await.map_err(|_| RunError::Unknown)?
    }

    /// Applies verified batches of other origins, in this order, in one group, and resolves once that would survive a power cut. After a
    /// commit that is refused no later one of its origin is tried.
    pub async fn apply(&self, batches: Vec<(Vec<LogEntry>, Seal)>) -> Result<Applied, RunError<Infallible>> {
        let (job, answer) = job_of_batches(batches);
        self.jobs.send(job).await.map_err(|_| RunError::Closed)?;
        answer.await.map_err(|_| RunError::Unknown)?
    }

    /// Notes durably where the relay's logs and ours part. The store is opened again at once: then it goes on from there, and tells what
    /// it alone has.
    ///
    /// A program does so a few times at most: a site has not names without number, and who is told so again and again has another
    /// trouble. Then it is `Closed`, and the store goes on as it is.
    pub async fn part(&self, parted: Parted) -> Result<(), RunError<Infallible>> {
        if self.names_ended.fetch_add(1, Ordering::Relaxed) >= NAMES_ENDED_MAX {
            return Err(RunError::Closed);
        }
        let (job, answer) = job_of_parting(parted);
        self.jobs.send(job).await.map_err(|_| RunError::Closed)?;
        answer.await.map_err(|_| RunError::Unknown)?
    }

    /// Lets sled forget orders that are in the archive, and resolves once that is durable; answers how many went.
    pub async fn let_go(&self, taken: Vec<Taken>) -> Result<usize, RunError<Infallible>> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |replica, _| {
            let outcome = replica.let_go(&taken).map_err(|error| RunError::Damaged(Arc::new(error)));
            Box::new(move |flushed| {
                let answered = if flushed { outcome } else { Err(RunError::Unknown) };
                // An archiver that has stopped begins again with what is still here.
                let _gone = reply.send(answered);
            })
        });
        self.jobs.send(job).await.map_err(|_| RunError::Closed)?;
        answer.await.map_err(|_| RunError::Unknown)?
    }

    /// Reads the live state, after everything that was asked before is durable.
    pub async fn read<A: Send + 'static>(
        &self,
        read: impl FnOnce(&Replica, Timestamp) -> Result<A, StoreError> + Send + 'static,
    ) -> Result<A, RunError<Infallible>> {
        self.run(move |replica, now| Ok(Plan::answer_only(Actor::System, read(replica, now)?))).await
    }

    /// How the thread is.
    pub fn health(&self) -> &StoreHealth {
        &self.health
    }
}

/// What a caller waits for.
pub type Awaited<A, R> = oneshot::Receiver<Result<A, RunError<R>>>;

/// A plan as the store thread runs it, and where its answer comes.
pub fn job_of<A: Send + 'static, R: Send + 'static>(
    plan: impl FnOnce(&Replica, Timestamp) -> Result<Plan<A>, PlanError<R>> + Send + 'static,
) -> (Job, Awaited<A, R>) {
    let (reply, answer) = oneshot::channel();
    let job: Job = Box::new(move |replica, now| {
        let outcome = carry_out(replica, now, plan);
        Box::new(move |flushed| {
            let answered = if flushed { outcome } else { Err(RunError::Unknown) };
            // A caller that has gone away asks again with the same id.
            let _gone = reply.send(answered);
        })
    });
    (job, answer)
}

/// Batches of other origins as the store thread applies them, and where the outcome comes.
pub fn job_of_batches(batches: Vec<(Vec<LogEntry>, Seal)>) -> (Job, Awaited<Applied, Infallible>) {
    let (reply, answer) = oneshot::channel();
    let job: Job = Box::new(move |replica, now| {
        let applied = Applied::of(replica, now, &batches);
        Box::new(move |flushed| {
            // An uplink that has gone away asks what is here when it comes back.
            let _gone = reply.send(if flushed { Ok(applied) } else { Err(RunError::Unknown) });
        })
    });
    (job, answer)
}

/// The note of where logs part as the store thread takes it, and where the outcome comes.
pub fn job_of_parting(parted: Parted) -> (Job, Awaited<(), Infallible>) {
    let (reply, answer) = oneshot::channel();
    let job: Job = Box::new(move |replica, _| {
        replica.part(&parted);
        Box::new(move |flushed| {
            // A link that has gone away finds out again.
            let _gone = reply.send(if flushed { Ok(()) } else { Err(RunError::Unknown) });
        })
    });
    (job, answer)
}

fn carry_out<A, R>(
    replica: &mut Replica,
    now: Timestamp,
    plan: impl FnOnce(&Replica, Timestamp) -> Result<Plan<A>, PlanError<R>>,
) -> Result<A, RunError<R>> {
    let plan = match plan(replica, now) {
        Ok(plan) => plan,
        Err(PlanError::Refused(refusal)) => return Err(RunError::Refused(refusal)),
        Err(PlanError::Damaged(error)) => {
            tracing::error!(%error, "stored data could not be read");
            return Err(RunError::Damaged(Arc::new(error)));
        }
    };
    let commits: Vec<Vec<Change>> = std::iter::once(plan.changes).chain(plan.more).collect();
    // A single commit is checked where it is made, before anything is staged: its changes need not be encoded twice.
    if commits.len() > 1 {
        for changes in commits.iter().filter(|changes| !changes.is_empty()) {
            check_size(changes)?;
        }
    }
    for changes in commits.iter().filter(|changes| !changes.is_empty()) {
        replica.commit(plan.by, now, changes)?;
    }
    Ok((plan.answer)(replica))
}

/// Refuses what will not fit before anything is staged: half a plan must never be.
fn check_size(changes: &[Change]) -> Result<(), CommitTooLarge> {
    const HEADER_BYTES_MAX: usize = 256;
    const CHANGE_OVERHEAD_BYTES_MAX: usize = 16;
    if changes.len() > COMMIT_CHANGES_MAX {
        return Err(CommitTooLarge::Changes { changes: changes.len() });
    }
    let bodies: usize = changes.iter().map(|change| change.to_raw().body.len() + CHANGE_OVERHEAD_BYTES_MAX).sum();
    let bytes = HEADER_BYTES_MAX + bodies;
    if bytes > OWN_COMMIT_BYTES_MAX { Err(CommitTooLarge::Bytes { bytes }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
