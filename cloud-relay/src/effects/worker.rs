//! The effects' worker: claims what is due, does it, records it. Killed in between, it finds its claims again and asks first.
//!
//! It is woken by whoever writes effects and looks at the clock besides. Times are real ones.

use crate::effects::retry::wait_ms;
use crate::effects::{Perform, Record};
use crate::store::effects::{self, Claimed, EffectState, Performed};
use crate::store::{Database, StoreError};
use pilotlight_edge::clock::Clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Effects under way at the same time.
const RUNNING_MAX: usize = 32;
/// Looks at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An effect whose outcome could not be recorded is looked at again after this time.
const RECORD_AGAIN_MS: u64 = 250;

/// Does effects until it is told to stop.
#[derive(Debug, Clone)]
pub struct Worker {
    database: Database,
    clock: Clock,
    perform: Arc<dyn Perform>,
    record: Arc<dyn Record>,
    wake: Arc<Notify>,
}

impl Worker {
    /// A worker over this database. `wake` is notified when there may be something to do.
    pub fn new(
        database: Database,
        clock: Clock,
        perform: Arc<dyn Perform>,
        record: Arc<dyn Record>,
        wake: Arc<Notify>,
    ) -> Self {
        Self { database, clock, perform, record, wake }
    }

    /// Takes over what an earlier process left, then works until it is told to stop. What is under way then is left to the next start.
    pub async fn run(self, stopping: CancellationToken) {
        if let Err(error) = self.take_over().await {
            tracing::error!(%error, "the effects of an earlier run could not be taken over");
        }
        // Tasks of their own: one that holds the writing connection goes on while this loop waits for it.
        let mut running = JoinSet::new();
        loop {
            match self.claim(RUNNING_MAX - running.len()).await {
                Ok(claimed) => {
                    for claimed in claimed {
                        let worker = self.clone();
                        running.spawn(async move { worker.one(claimed).await });
                    }
                }
                Err(error) => tracing::error!(%error, "effects could not be claimed"),
            }
            let look = self.until_next().await;
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.wake.notified() => {}
                Some(done) = running.join_next(), if !running.is_empty() => {
                    if let Err(error) = done {
                        tracing::error!(%error, "an effect broke off: it stays claimed until its time is over");
                    }
                }
                () = async { let _over = tokio::time::timeout(look, std::future::pending::<()>()).await; } => {}
            }
        }
    }

    /// Takes over what an earlier process left: at the start of the one process that works here.
    pub async fn take_over(&self) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        let opened = effects::open_again(&mut tx, self.clock.real()).await?;
        tx.commit().await?;
        if opened > 0 {
            tracing::info!(opened, "effects of an earlier run are taken up again");
        }
        self.count().await
    }

    async fn count(&self) -> Result<(), StoreError> {
        let (open, parked) = effects::count_open(&self.database).await?;
        metrics::gauge!("pilotlight_effects_open").set(open as f64);
        metrics::gauge!("pilotlight_effects_parked").set(parked as f64);
        Ok(())
    }

    /// Claims what is due. The writing connection is only taken when something is.
    pub async fn claim(&self, limit: usize) -> Result<Vec<Claimed>, StoreError> {
        let now = self.clock.real();
        let due = effects::next_due(&self.database).await?;
        if limit == 0 || due.is_none_or(|due| due > now) {
            return Ok(Vec::new());
        }
        let mut tx = self.database.begin().await?;
        let claimed = effects::claim(&mut tx, now, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    async fn until_next(&self) -> Duration {
        let due = effects::next_due(&self.database).await.ok().flatten();
        let wait = due.map_or(LOOK_EVERY, |due| Duration::from_millis(due.ms_since(self.clock.real())));
        // What is due and cannot be claimed waits for an effect before it, whose end wakes us.
        wait.clamp(Duration::from_millis(20), LOOK_EVERY)
    }

    /// Does one effect and records it.
    pub async fn one(&self, claimed: Claimed) {
        let performed = self.perform.perform(&claimed).await;
        if let Err(error) = self.settle(&claimed, &performed).await {
            tracing::error!(effect = %claimed.effect.id, error = %format!("{error:#}"), "an effect's outcome could not be recorded");
            let retry_at = self.clock.real().plus_ms(RECORD_AGAIN_MS);
            if let Err(error) = self.put_back(&claimed, retry_at, true, "not recorded").await {
                tracing::error!(effect = %claimed.effect.id, %error, "an effect stays claimed until its time is over");
            }
        }
    }

    async fn settle(&self, claimed: &Claimed, performed: &Performed) -> anyhow::Result<()> {
        let kind = claimed.effect.id.kind.word();
        match performed {
            Performed::Done { .. } | Performed::Declined { .. } | Performed::Refused { .. } => {
                self.record.record(claimed, performed).await?;
                metrics::counter!("pilotlight_effects_settled_total", "kind" => kind).increment(1);
            }
            Performed::NotNow { retry_at } => self.put_back(claimed, *retry_at, false, "not sent").await?,
            Performed::Unknown { seen } => {
                metrics::counter!("pilotlight_effects_unknown_total", "kind" => kind).increment(1);
                match wait_ms(claimed.tries) {
                    Some(wait_ms) => {
                        self.put_back(claimed, self.clock.real().plus_ms(wait_ms), true, seen).await?;
                    }
                    None => self.park(claimed, seen).await?,
                }
            }
        }
        Ok(())
    }

    async fn put_back(
        &self,
        claimed: &Claimed,
        retry_at: pilotlight_sync::domain::timestamp::Timestamp,
        sent: bool,
        seen: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        effects::put_back(&mut tx, claimed, retry_at, sent, seen).await?;
        tx.commit().await
    }

    async fn park(&self, claimed: &Claimed, seen: &str) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        effects::settle(&mut tx, claimed, EffectState::Parked, seen, self.clock.real()).await?;
        tx.commit().await?;
        tracing::error!(effect = %claimed.effect.id, tries = claimed.tries, seen, "an effect is parked: a person must look");
        self.count().await
    }
}

#[cfg(test)]
mod tests;
