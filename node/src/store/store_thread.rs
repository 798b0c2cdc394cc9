//! The one thread that writes: takes what is queued, runs it on the replica in sequence, flushes once, tells the screens, answers all.
//!
//! After a failed flush or a panic the replica is dropped and read again from the disk; whoever waited hears *unknown*.

use crate::store::StoreError;
use crate::store::replica::{Flushed, Replica};
use pilotlight_edge::clock::Clock;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::GROUP_COMMITS_MAX;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Answers a request, knowing whether the group became durable.
pub type Answer = Box<dyn FnOnce(bool) + Send>;
/// A request: changes the replica, and leaves what is to be answered.
pub type Job = Box<dyn FnOnce(&mut Replica, Timestamp) -> Answer + Send>;
type Open = Box<dyn FnMut() -> Result<Replica, StoreError> + Send>;
type Publish = Box<dyn FnMut(&Replica, &Flushed) + Send>;

/// How the store thread is, for health and metrics.
#[derive(Debug, Default)]
pub struct StoreHealth {
    closed: AtomicBool,
    busy_since_ms: AtomicU64,
    live_orders: AtomicU64,
    unread_commits: AtomicU64,
    groups: AtomicU64,
}

impl StoreHealth {
    /// Whether the store could not be opened again after a failure.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Since when the thread has been busy with one group; `None` while it waits for work.
    pub fn busy_since(&self) -> Option<Timestamp> {
        Some(self.busy_since_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0).map(Timestamp)
    }

    /// Orders in memory.
    pub fn live_orders(&self) -> u64 {
        self.live_orders.load(Ordering::Relaxed)
    }

    /// Commits that hold something this version does not understand.
    pub fn unread_commits(&self) -> u64 {
        self.unread_commits.load(Ordering::Relaxed)
    }

    /// Groups flushed since the start.
    pub fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }

    fn of(&self, replica: Option<&Replica>) {
        let (live, unread) = replica.map_or((0, 0), |replica| (replica.live_count(), replica.state().unread_commits()));
        self.live_orders.store(live as u64, Ordering::Relaxed);
        self.unread_commits.store(unread, Ordering::Relaxed);
    }
}

struct StoreThread {
    queue: mpsc::Receiver<Job>,
    open: Open,
    publish: Publish,
    clock: Clock,
    health: Arc<StoreHealth>,
}

/// Opens the store and starts the thread. It ends when the last handle is dropped, after finishing what was queued.
pub(crate) fn spawn(
    queue: mpsc::Receiver<Job>,
    mut open: Open,
    mut publish: Publish,
    clock: Clock,
) -> Result<Arc<StoreHealth>, StoreError> {
    let replica = open()?;
    let health = Arc::new(StoreHealth::default());
    health.of(Some(&replica));
    publish(&replica, &everything(&replica));
    let thread = StoreThread { queue, open, publish, clock, health: health.clone() };
    std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || thread.run(replica))
        .map_err(StoreError::io("starting the store thread"))?;
    Ok(health)
}

/// What screens are told at the start and after the state was read again: all of it.
fn everything(replica: &Replica) -> Flushed {
    Flushed {
        position: replica.position(),
        orders: replica.live_orders().map(|(id, order)| (*id, order.clone())).collect(),
        gone: Vec::new(),
        menu: true,
        availability: true,
        people: true,
        whole: true,
    }
}

/// Runs a group in sequence, flushes once, tells, answers all. `None` when the replica can no longer be trusted: it must be read
/// again from its store. The thread's step, and the simulated world's.
pub fn run_group(
    mut replica: Replica,
    group: Vec<Job>,
    now: Timestamp,
    publish: &mut dyn FnMut(&Replica, &Flushed),
) -> Option<Replica> {
    let mut answers: Vec<Answer> = Vec::with_capacity(group.len());
    for job in group {
        match catch_unwind(AssertUnwindSafe(|| job(&mut replica, now))) {
            Ok(answer) => answers.push(answer),
            Err(_) => {
                tracing::error!("a request panicked in the store thread; the state is read again from the disk");
                answers.into_iter().for_each(|answer| answer(false));
                return None;
            }
        }
    }
    if !replica.is_staged() {
        answers.into_iter().for_each(|answer| answer(true));
        return Some(replica);
    }
    match catch_unwind(AssertUnwindSafe(|| replica.flush())) {
        Ok(Ok(flushed)) => {
            // Tokens and menus that the group wrote must be known before anyone is told that they are there.
            publish(&replica, &flushed);
            answers.into_iter().for_each(|answer| answer(true));
            if replica.is_parted() {
                tracing::error!(
                    "the relay has another log of this store: it is opened again, and goes on from where both part"
                );
                return None;
            }
            Some(replica)
        }
        Ok(Err(error)) => {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "a flush failed; the store is closed and opened again");
            answers.into_iter().for_each(|answer| answer(false));
            None
        }
        Err(_) => {
            tracing::error!("a flush panicked; the store is closed and opened again");
            answers.into_iter().for_each(|answer| answer(false));
            None
        }
    }
}

impl StoreThread {
    fn run(mut self, replica: Replica) {
        let mut replica = Some(replica);
        while let Some(first) = self.queue.blocking_recv() {
            self.health.busy_since_ms.store(self.clock.now().0.max(1), Ordering::Relaxed);
            let group = self.drain(first);
            match replica.take() {
                Some(open) => replica = self.run_group(open, group),
                // Dropping a job drops its reply: the caller hears `Unknown` and asks again.
                None => drop(group),
            }
            if replica.is_none() {
                replica = self.reopen();
            }
            self.health.of(replica.as_ref());
            self.health.busy_since_ms.store(0, Ordering::Relaxed);
        }
    }

    fn drain(&mut self, first: Job) -> Vec<Job> {
        let mut group = Vec::with_capacity(32);
        group.push(first);
        while group.len() < GROUP_COMMITS_MAX
            && let Ok(next) = self.queue.try_recv()
        {
            group.push(next);
        }
        group
    }

    /// Runs and flushes a group. `None` when the replica can no longer be trusted.
    fn run_group(&mut self, replica: Replica, group: Vec<Job>) -> Option<Replica> {
        let (publish, health) = (&mut self.publish, &self.health);
        run_group(replica, group, self.clock.now(), &mut |replica, flushed| {
            publish(replica, flushed);
            health.groups.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn reopen(&mut self) -> Option<Replica> {
        let opened = catch_unwind(AssertUnwindSafe(|| (self.open)()));
        match opened {
            Ok(Ok(replica)) => {
                self.health.closed.store(false, Ordering::Relaxed);
                (self.publish)(&replica, &everything(&replica));
                Some(replica)
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the store could not be opened again; tried once more with the next request");
                self.health.closed.store(true, Ordering::Relaxed);
                None
            }
            Err(_) => {
                tracing::error!("the store panicked while it was opened again; tried once more with the next request");
                self.health.closed.store(true, Ordering::Relaxed);
                None
            }
        }
    }
}
