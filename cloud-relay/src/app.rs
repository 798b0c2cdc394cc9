//! Joins everything: the one place that knows the whole.

use crate::api::restaurants::MenuPages;
use crate::config::{GatewayConfig, RunConfig};
use crate::customers::accounts::Accounts;
use crate::dispatch::desk::RiderDesk;
use crate::effects::worker::Worker;
use crate::effects::{Perform, Record};
use crate::ordering::desk::Desk;
use crate::payments::gateway::Gateway;
use crate::payments::provider::Provider;
use crate::payments::sandbox_provider::SandboxProvider;
use crate::rounds;
use crate::sites::node_registry::Sites;
use crate::store::Database;
use crate::store::effects::{Claimed, Performed};
use crate::store::operators::Operators;
use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use pilotlight_edge::clock::{Clock, Stopwatch};
use pilotlight_edge::throttle::Throttle;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Everything the relay can do.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub database: Database,
    /// The operator's tokens.
    pub operators: Operators,
    /// The restaurants.
    pub sites: Arc<Sites>,
    /// Customers' and riders' accounts.
    pub accounts: Accounts,
    /// Customers' orders.
    pub desk: Arc<Desk>,
    /// Riders' work.
    pub riders: RiderDesk,
    /// The gateway that takes card payments.
    pub gateway: Arc<Gateway>,
    /// What the gateway signs its messages with.
    pub webhook_secret: String,
    /// A webhook was refused once, and that was logged.
    pub webhook_refused: AtomicBool,
    /// Menus as they are sent.
    pub menus: MenuPages,
    /// Wakes the effects' worker.
    pub wake: Arc<Notify>,
    /// Failed codes and passwords, by address.
    pub guesses: Mutex<Throttle>,
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
        let wake = Arc::new(Notify::new());
        let desk = Arc::new(Desk::new(database.clone(), clock.clone(), wake.clone()));
        let sites = Sites::start(database.clone(), clock.clone(), config.links, desk.clone()).await?;
        desk.serve(&sites);
        Ok(Arc::new(Self {
            accounts: Accounts::new(database.clone())?,
            riders: RiderDesk::new(database.clone(), clock.clone(), sites.clone()),
            gateway: Arc::new(Gateway::new(provider(&config.gateway)?, clock.clone())),
            webhook_secret: config.gateway.gateway_secret.clone(),
            webhook_refused: AtomicBool::new(false),
            menus: MenuPages::default(),
            guesses: Mutex::default(),
            stopping: CancellationToken::new(),
            sockets: TaskTracker::new(),
            database,
            operators,
            sites,
            desk,
            wake,
            clock,
            ca_pem,
            metrics,
            started,
        }))
    }

    /// Starts what runs beside requests, until the relay stops.
    pub fn start_tasks(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        let (database, clock) = (self.database.clone(), self.clock.clone());
        let worker = Worker::new(database, clock, self.gateway.clone(), self.desk.clone(), self.wake.clone());
        vec![
            tokio::spawn(self.clock.clone().follow(self.stopping.clone())),
            tokio::spawn(worker.run(self.stopping.clone())),
            tokio::spawn(wake_on_changes(self.clone())),
            tokio::spawn(rounds::run(self.clone())),
        ]
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

/// What follows from a node's commit may be an effect: it is looked for once the commit is durable.
async fn wake_on_changes(app: Arc<App>) {
    let mut changes = app.sites.changes();
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            // Also after having fallen behind.
            _heard = changes.recv() => app.wake.notify_one(),
        }
    }
}

fn provider(config: &GatewayConfig) -> anyhow::Result<Option<Arc<dyn Provider>>> {
    let Some(url) = &config.gateway_url else { return Ok(None) };
    let ca_pem = config.gateway_ca.as_ref().map(std::fs::read).transpose().context("reading --gateway-ca")?;
    Ok(Some(Arc::new(SandboxProvider::new(url, ca_pem.as_deref())?)))
}

impl Perform for Gateway {
    fn perform<'a>(&'a self, claimed: &'a Claimed) -> BoxFuture<'a, Performed> {
        Gateway::perform(self, claimed).boxed()
    }
}

impl Record for Desk {
    fn record<'a>(&'a self, claimed: &'a Claimed, performed: &'a Performed) -> BoxFuture<'a, anyhow::Result<()>> {
        Desk::record(self, claimed, performed).boxed()
    }
}
