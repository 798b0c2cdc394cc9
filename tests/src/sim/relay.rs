//! The relay in the simulated world: the real sites, desk, effects and riders of two processes over one real SQLite database, which lies
//! in memory. Each process has a runtime of one thread that only runs while a step waits for it, so that a seed gives one order of things.
//!
//! What a process has in memory dies with it: a crash drops its runtime wherever its tasks were.

use crate::sim::gateway::{Asked, Bank};
use anyhow::Context as _;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pilotlight_edge::clock::Clock;
use pilotlight_edge::tokens;
use pilotlight_relay::config::LinkConfig;
use pilotlight_relay::dispatch::desk::RiderDesk;
use pilotlight_relay::effects::worker::Worker;
use pilotlight_relay::geo::Place;
use pilotlight_relay::ordering::desk::Desk;
use pilotlight_relay::payments::gateway::Gateway;
use pilotlight_relay::sites::identity::Identity;
use pilotlight_relay::sites::node_registry::Sites;
use pilotlight_relay::sites::site_handle::{React, SiteChange, SiteHandle};
use pilotlight_relay::store::Database;
use pilotlight_relay::store::people::{self, Rider};
use pilotlight_relay::store::site_rows::{self, NewSecrets, NewSite};
use pilotlight_relay::store::site_tx::{SiteTx, WorkError};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::replica::order_of_key;
use pilotlight_sync::domain::id::{OrderId, OriginId, RiderId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::store::SiteStore;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;

/// The links' timers, slower than in the shop: idle pings would be most of a run.
pub const LINKS: LinkConfig = LinkConfig { ping_ms: 30_000, dead_ms: 75_000, steady_ms: 30_000 };
/// What opens the uplink of the node at each place of the restaurant.
pub const TOKENS: [&str; 3] = ["plt_sim", "plt_bar", "plt_spare"];
/// Where the restaurant is.
pub const PLACE: Place = Place { lat: 45.4, lon: 9.2 };
/// A step that takes longer, in real time, never ends.
const HUNG: Duration = Duration::from_secs(60);

/// The one restaurant.
#[must_use]
pub fn site() -> SiteId {
    SiteId::derived(&["sim"])
}

/// Who the relay is there.
#[must_use]
pub fn identity() -> Identity {
    Identity::new(OriginId::derived(&["sim relay"]), &[7; 32])
}

/// The riders.
#[must_use]
pub fn riders() -> [RiderId; 2] {
    [RiderId::derived(&["mo"]), RiderId::derived(&["jo"])]
}

/// The database as every run finds it: tables, the restaurant, two riders. Made once.
fn template() -> anyhow::Result<&'static [u8]> {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(bytes) = TEMPLATE.get() {
        return Ok(bytes);
    }
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("relay.db");
    let runtime = runtime()?;
    runtime.block_on(async {
        let database = Database::open(&format!("sqlite://{}", path.display())).await?;
        let now = Timestamp(0);
        let secrets = NewSecrets {
            own_origin: OriginId::derived(&["sim relay"]),
            own_key: [7; 32],
            code_hash: [1; 32],
            code_expires_at: Timestamp(1),
        };
        let new = NewSite { name: "Trattoria".to_owned(), lat: PLACE.lat, lon: PLACE.lon };
        let no = site_rows::create(&database, &new, &secrets, now).await?;
        let mut tx = database.begin().await?;
        site_rows::enrol(&mut tx, no, &site(), now).await?;
        for token in TOKENS {
            let origin = OriginId::derived(&["enrolled", token]);
            site_rows::enrol_node(&mut tx, no, &origin, &tokens::hash(token), now).await?;
        }
        for (n, id) in riders().into_iter().enumerate() {
            let place = Some((PLACE.lat + 0.001 * n as f64, PLACE.lon));
            let (name, phone) = (format!("rider {n}"), format!("{n}"));
            let rider = Rider { id, name, phone, password_hash: String::new(), on_shift: true, place, seen_at: now };
            people::add_rider(&mut tx, &rider, now).await?;
            people::place_rider(&mut tx, &id, (PLACE.lat + 0.001 * n as f64, PLACE.lon), Some(true), now).await?;
        }
        tx.commit().await?;
        database.close().await;
        anyhow::Ok(())
    })?;
    let bytes = std::fs::read(&path).context("reading the template database")?;
    Ok(TEMPLATE.get_or_init(|| bytes))
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?)
}

/// Where the desk's reactions break off, when they are told to: in the middle of a transaction.
#[derive(Debug)]
struct Tripwire {
    desk: Arc<Desk>,
    armed: AtomicBool,
    tripped: Notify,
}

impl React for Tripwire {
    fn react<'t>(
        &'t self,
        site: &'t SiteHandle,
        tx: &'t mut SiteTx,
        changed: &'t BTreeSet<OrderId>,
    ) -> BoxFuture<'t, Result<(), WorkError<Infallible>>> {
        async move {
            self.desk.react(site, tx, changed).await?;
            if self.armed.swap(false, Ordering::SeqCst) {
                self.tripped.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(())
        }
        .boxed()
    }
}

/// One process of the relay.
#[derive(Debug)]
pub struct Process {
    runtime: Runtime,
    /// Its machine's clock.
    pub clock: Clock,
    /// The restaurants.
    pub sites: Arc<Sites>,
    /// The one there is.
    pub site: SiteHandle,
    /// What customers do.
    pub desk: Arc<Desk>,
    /// What riders do.
    pub riders: RiderDesk,
    /// Its database.
    pub database: Database,
    worker: Worker,
    bank: Arc<Bank>,
    wire: Arc<Tripwire>,
    changes: broadcast::Receiver<Arc<SiteChange>>,
    /// Effects under way, by the number of their claim.
    running: BTreeMap<u64, JoinHandle<()>>,
    claims: u64,
    /// What the rounds know of links.
    known: BTreeMap<SiteId, bool>,
}

/// Every document of the site.
pub fn docs(process: &mut Process) -> Option<Option<BTreeMap<DocKey, Vec<u8>>>> {
    let (site, store) = (process.site.clone(), process.site.store(&process.database));
    process.block(async move {
        let mut docs: BTreeMap<DocKey, Vec<u8>> = site.read(|replica, _| replica.site().docs().collect()).await.ok()?;
        for key in store.index(b"s", b"t", usize::MAX).await.ok()? {
            let key = DocKey::Order(order_of_key(&key)?);
            let bytes = store.load(std::slice::from_ref(&key)).await.ok()?.pop()??;
            docs.insert(key, bytes);
        }
        Some(docs)
    })
}

impl Process {
    /// Starts a process over the database at this path.
    pub fn start(path: &Path, clock: Clock) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let url = format!("sqlite://{}", path.display());
        let bank = Arc::new(Bank::default());
        let (of_worker, of_bank) = (clock.clone(), bank.clone());
        let opened = runtime.block_on(async {
            let database = Database::open(&url).await?;
            let wake = Arc::new(Notify::new());
            let desk = Arc::new(Desk::new(database.clone(), of_worker.clone(), wake.clone()));
            let wire = Arc::new(Tripwire { desk: desk.clone(), armed: AtomicBool::new(false), tripped: Notify::new() });
            let sites = Sites::start(database.clone(), of_worker.clone(), LINKS, wire.clone()).await?;
            desk.serve(&sites);
            let gateway = Arc::new(Gateway::new(Some(of_bank), of_worker.clone()));
            let worker = Worker::new(database.clone(), of_worker.clone(), gateway, desk.clone(), wake);
            worker.take_over().await?;
            let riders = RiderDesk::new(database.clone(), of_worker, sites.clone());
            anyhow::Ok((database, desk, wire, sites, worker, riders))
        });
        let (database, desk, wire, sites, worker, riders) = opened?;
        let site = sites.get(&site()).context("the site is not there")?;
        let changes = sites.changes();
        let (running, known) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self {
            runtime,
            clock,
            sites,
            site,
            desk,
            riders,
            database,
            worker,
            bank,
            wire,
            changes,
            running,
            claims: 0,
            known,
        })
    }

    /// Runs one step to its end; `None` when the process crashed in the middle of it.
    pub fn block<A>(&self, step: impl Future<Output = A>) -> Option<A> {
        self.runtime.block_on(async {
            let either = async {
                tokio::select! {
                    biased;
                    done = step => Some(done),
                    () = self.wire.tripped.notified() => None,
                }
            };
            #[expect(clippy::expect_used, reason = "a step that hangs is a finding: the batch names the seed")]
            tokio::time::timeout(HUNG, either).await.expect("a step of the relay hangs")
        })
    }

    /// The next reaction breaks off in the middle of its transaction.
    pub fn arm(&self, armed: bool) {
        self.wire.armed.store(armed, Ordering::SeqCst);
    }

    /// Holds, releases and wishes as links come and go; then what is due.
    pub fn rounds(&mut self) -> Option<anyhow::Result<()>> {
        let mut known = std::mem::take(&mut self.known);
        let (sites, desk, riders) = (self.sites.clone(), self.desk.clone(), &self.riders);
        let done = self.block(async {
            pilotlight_relay::rounds::follow_links(&sites, &desk, &mut known).await;
            desk.sweep().await?;
            riders.round().await?;
            anyhow::Ok(())
        });
        self.known = known;
        done
    }

    /// Claims what is due and begins it. Answers with how many were claimed.
    pub fn claim(&mut self) -> Option<anyhow::Result<usize>> {
        let worker = self.worker.clone();
        let claimed = match self.block(worker.claim(8))? {
            Ok(claimed) => claimed,
            Err(error) => return Some(Err(error.into())),
        };
        let count = claimed.len();
        for one in claimed {
            let (worker, number) = (self.worker.clone(), self.claims);
            self.claims += 1;
            let task = {
                let _in = self.runtime.enter();
                self.runtime.spawn(async move { worker.one(one).await })
            };
            self.running.insert(number, task);
            self.settle(number)?;
        }
        Some(Ok(count))
    }

    /// Lets an effect go on until it waits for the bank, or is done.
    pub fn settle(&mut self, number: u64) -> Option<()> {
        let Some(mut task) = self.running.remove(&number) else { return Some(()) };
        let bank = self.bank.clone();
        let over = self.block(async {
            tokio::select! {
                biased;
                _done = &mut task => true,
                () = bank.asked(number) => false,
            }
        })?;
        if !over {
            self.running.insert(number, task);
        }
        Some(())
    }

    /// What was asked of the bank since this was last called.
    pub fn take_asked(&self) -> Vec<Asked> {
        self.bank.take()
    }

    /// Orders that changed since this was last called.
    pub fn take_changes(&mut self) -> Vec<Arc<SiteChange>> {
        let mut changes = Vec::new();
        loop {
            match self.changes.try_recv() {
                Ok(change) => changes.push(change),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => return changes,
            }
        }
    }
}

/// Lays the database out for a run.
pub fn lay_out(dir: &Path) -> anyhow::Result<std::path::PathBuf> {
    let path = dir.join("relay.db");
    std::fs::write(&path, template()?).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
