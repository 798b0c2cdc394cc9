//! Joins everything: the one place that knows the whole.

use crate::config::RunConfig;
use crate::store::Database;
use crate::store::operators::Operators;
use metrics_exporter_prometheus::PrometheusHandle;
use pilotlight_edge::clock::{Clock, Stopwatch};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Everything the relay can do.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub database: Database,
    /// The operator's tokens.
    pub operators: Operators,
    /// The time.
    pub clock: Clock,
    /// What nodes and devices must trust.
    pub ca_pem: String,
    /// Cancelled when the relay stops.
    pub stopping: CancellationToken,
    /// Open sockets.
    pub sockets: TaskTracker,
    /// Renders metrics.
    pub metrics: Option<PrometheusHandle>,
    started: Stopwatch,
}

impl App {
    /// Opens the database, brings its tables up to date and starts what runs beside requests.
    pub async fn start(
        config: &RunConfig,
        clock: Clock,
        ca_pem: String,
        metrics: Option<PrometheusHandle>,
    ) -> anyhow::Result<Arc<Self>> {
        let started = Stopwatch::start();
        let database = Database::open(&config.database()).await?;
        let operators = Operators::new(database.clone());
        let (stopping, sockets) = (CancellationToken::new(), TaskTracker::new());
        Ok(Arc::new(Self { database, operators, clock, ca_pem, stopping, sockets, metrics, started }))
    }

    /// Makes the operator's token, when there is none yet.
    pub async fn first_operator_token(&self) -> anyhow::Result<Option<String>> {
        Ok(self.operators.first_token(self.clock.now()).await?)
    }

    /// Since the start, in milliseconds.
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Closes the database; nothing is served any more.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
