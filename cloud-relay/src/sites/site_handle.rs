//! Sends work to a site's queue, the only writer of its replica in this process.

use crate::sites::identity::Identity;
use crate::sites::link_state::LinkState;
use crate::sites::site_actor::{self, Done, Job};
use crate::store::site_rows::NodeSession;
use crate::store::site_store::{SiteNo, SqlSiteStore};
use crate::store::site_tx::{OldSession, SiteTx, WorkError, closed_order};
use crate::store::{Database, StoreError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pilotlight_edge::clock::Clock;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::doc::reading;
use pilotlight_sync::doc::replica::{Applied, LiveOrder, Replica};
use pilotlight_sync::doc::site::Settings;
use pilotlight_sync::domain::id::{OrderId, OriginId, SiteId};
use pilotlight_sync::domain::intake::Intake;
use pilotlight_sync::domain::menu::Menu;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::Want;
use pilotlight_sync::store::{LogEntry, Seal};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Work that may wait for one site.
const JOBS_MAX: usize = 1_024;
/// Orders whose rows are read when a unit of work begins: more are read when they are needed.
const ORDERS_READ_AHEAD: usize = 16;

/// What the relay does of itself when orders have changed, in the transaction that changed them.
pub trait React: Send + Sync + Debug + 'static {
    /// Looks at these orders and writes what follows; called again for what it changed. Asking twice must do nothing twice. It runs
    /// in the site's queue: whoever asks the queue from in here waits for itself.
    fn react<'t>(
        &'t self,
        site: &'t SiteHandle,
        tx: &'t mut SiteTx,
        changed: &'t BTreeSet<OrderId>,
    ) -> BoxFuture<'t, Result<(), WorkError<Infallible>>>;
}

/// Does nothing.
#[derive(Debug)]
pub struct NoReactions;

impl React for NoReactions {
    fn react<'t>(
        &'t self,
        _site: &'t SiteHandle,
        _tx: &'t mut SiteTx,
        _changed: &'t BTreeSet<OrderId>,
    ) -> BoxFuture<'t, Result<(), WorkError<Infallible>>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// What a durable group has changed at a site.
#[derive(Debug, Clone)]
pub struct SiteChange {
    /// Where.
    pub site: SiteId,
    /// Orders as they are now.
    pub orders: Vec<(OrderId, Arc<LiveOrder>)>,
    /// There is another menu.
    pub menu: bool,
    /// Something may be sold out, or back.
    pub availability: bool,
}

/// What is shown of a site without asking its queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its settings; `None` until its node has sent them.
    pub settings: Option<Settings>,
    /// Its menu.
    pub menu: Arc<Menu>,
    /// Whether it takes orders from home, as it was last tapped there.
    pub intake: Intake,
}

/// What never changes about a site while the relay runs.
#[derive(Debug, Clone)]
pub struct SiteFacts {
    /// Its id.
    pub id: SiteId,
    /// Its row.
    pub no: SiteNo,
    /// What guests call it.
    pub name: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// Who the relay is there.
    pub identity: Identity,
}

/// What a site's queue is started with.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) react: Arc<dyn React>,
    pub(crate) changes: broadcast::Sender<Arc<SiteChange>>,
}

/// One site: its queue, and what is told about it.
#[derive(Debug, Clone)]
pub struct SiteHandle {
    /// What never changes.
    pub facts: Arc<SiteFacts>,
    /// How its nodes' links are.
    pub link: Arc<LinkState>,
    jobs: mpsc::Sender<Job>,
    heads: watch::Receiver<Arc<BTreeMap<OriginId, Head>>>,
    keys: watch::Receiver<Arc<BTreeMap<OriginId, [u8; 32]>>>,
    shown: watch::Receiver<Arc<Shown>>,
    wants: Arc<watch::Sender<Vec<Want>>>,
}

impl SiteHandle {
    /// Reads the site and starts its queue; it ends when the last handle is dropped.
    pub(crate) async fn start(facts: SiteFacts, shared: &Shared) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(JOBS_MAX);
        let (heads_sender, heads) = watch::channel(Arc::default());
        let (keys_sender, keys) = watch::channel(Arc::default());
        let menu = Arc::new(Menu::empty(pilotlight_sync::domain::money::Currency::USD));
        let nothing = Shown { settings: None, menu, intake: Intake::default() };
        let (shown_sender, shown) = watch::channel(Arc::new(nothing));
        let handle = Self {
            facts: Arc::new(facts),
            link: Arc::new(LinkState::default()),
            jobs,
            heads,
            keys,
            shown,
            wants: Arc::new(watch::Sender::new(Vec::new())),
        };
        let told = site_actor::Told {
            heads: heads_sender,
            keys: keys_sender,
            shown: shown_sender,
            changes: shared.changes.clone(),
        };
        site_actor::start(&handle, queue, shared, told).await?;
        Ok(handle)
    }

    /// A handle that does not keep the queue alive, for the queue itself.
    pub(crate) fn downgrade(&self) -> WeakSite {
        WeakSite { handle: Self { jobs: mpsc::channel(1).0, ..self.clone() }, jobs: self.jobs.downgrade() }
    }

    /// Does a unit of work and answers once what it wrote would survive a power cut.
    ///
    /// The work sees the site as it is after all work before it. It may read and write rows over `SiteTx::sql`, and must not commit
    /// before it knows that it will not refuse.
    pub async fn run<A, R, W>(&self, work: W) -> Result<A, WorkError<R>>
    where
        A: Send + 'static,
        R: Send + 'static,
        W: for<'t> FnOnce(&'t mut SiteTx) -> BoxFuture<'t, Result<A, WorkError<R>>> + Send + 'static,
    {
        self.run_about(BTreeSet::new(), work).await
    }

    /// The same; it will ask for the relay's rows of these orders.
    async fn run_about<A, R, W>(&self, orders: BTreeSet<OrderId>, work: W) -> Result<A, WorkError<R>>
    where
        A: Send + 'static,
        R: Send + 'static,
        W: for<'t> FnOnce(&'t mut SiteTx) -> BoxFuture<'t, Result<A, WorkError<R>>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let work: site_actor::Work = Box::new(move |tx| {
            work(tx)
                .map(move |outcome| Done {
                    keep: outcome.is_ok(),
                    answer: Box::new(move |durable| {
                        // A caller that has gone away asks again with the same id.
                        let _gone = reply.send(if durable { outcome } else { Err(WorkError::Unknown) });
                    }),
                })
                .boxed()
        });
        self.send(Job::Work(orders, work)).await?;
        answer.await.map_err(|_| WorkError::Unknown)?
    }

    /// Reads the live state, after everything that was asked before is durable.
    pub async fn read<A: Send + 'static>(
        &self,
        read: impl FnOnce(&Replica, Timestamp) -> A + Send + 'static,
    ) -> Result<A, WorkError<Infallible>> {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |replica: &Replica, now| -> site_actor::Answer {
            let outcome = read(replica, now);
            Box::new(move |durable| {
                let _gone = reply.send(if durable { Ok(outcome) } else { Err(WorkError::Unknown) });
            })
        });
        self.send(Job::Read(read)).await?;
        answer.await.map_err(|_| WorkError::Unknown)?
    }

    /// An order, from memory or disk.
    pub async fn order(
        &self,
        database: &Database,
        id: OrderId,
    ) -> Result<Option<Arc<LiveOrder>>, WorkError<Infallible>> {
        match self.read(move |replica, _| replica.live(&id).cloned()).await? {
            Some(order) => Ok(Some(order)),
            None => Ok(closed_order(&self.store(database), &id).await?),
        }
    }

    /// Applies commits of the node, received in this session, up to one that is refused, with everything that follows from them.
    pub async fn apply(
        &self,
        session: NodeSession,
        entries: Vec<LogEntry>,
        seal: Seal,
    ) -> Result<Applied, WorkError<OldSession>> {
        self.apply_all(session, vec![(entries, seal)]).await
    }

    /// The same for batches that continue each other, all in one unit of work. After one that is refused no later one is tried.
    pub async fn apply_all(
        &self,
        session: NodeSession,
        batches: Vec<(Vec<LogEntry>, Seal)>,
    ) -> Result<Applied, WorkError<OldSession>> {
        let orders = batches
            .iter()
            .flat_map(|(entries, _)| entries)
            .flat_map(reading::orders_of)
            .take(ORDERS_READ_AHEAD)
            .collect();
        self.run_about(orders, move |tx| {
            async move {
                let mut all = Applied { new: 0, refused: None };
                for (entries, seal) in &batches {
                    let one = tx.apply(session, entries, seal).await?;
                    all.new += one.new;
                    all.refused = one.refused;
                    if all.refused.is_some() {
                        break;
                    }
                }
                Ok(all)
            }
            .boxed()
        })
        .await
    }

    /// Where each log ends durably; tells when one has grown.
    pub fn heads(&self) -> watch::Receiver<Arc<BTreeMap<OriginId, Head>>> {
        self.heads.clone()
    }

    /// The keys of all origins that have introduced themselves, those of `heads` among them.
    pub fn keys(&self) -> Arc<BTreeMap<OriginId, [u8; 32]>> {
        self.keys.borrow().clone()
    }

    /// Menu and settings; tells when they change.
    pub fn shown(&self) -> watch::Receiver<Arc<Shown>> {
        self.shown.clone()
    }

    /// Asks the node for stock rights; what was asked before and not yet sent is replaced.
    pub fn want(&self, wants: Vec<Want>) {
        self.wants.send_replace(wants);
    }

    /// What the relay would like to have of the node.
    pub fn wants(&self) -> watch::Receiver<Vec<Want>> {
        self.wants.subscribe()
    }

    /// The site's logs, for reading beside the queue.
    pub fn store(&self, database: &Database) -> SqlSiteStore {
        SqlSiteStore::new(database.clone(), self.facts.no)
    }

    async fn send<R>(&self, job: Job) -> Result<(), WorkError<R>> {
        self.jobs.send(job).await.map_err(|_| WorkError::Closed)
    }
}

/// A site whose queue may have ended.
#[derive(Debug, Clone)]
pub(crate) struct WeakSite {
    /// Everything but the queue.
    handle: SiteHandle,
    jobs: mpsc::WeakSender<Job>,
}

impl WeakSite {
    /// The handle, while anyone else holds one.
    pub(crate) fn upgrade(&self) -> Option<SiteHandle> {
        Some(SiteHandle { jobs: self.jobs.upgrade()?, ..self.handle.clone() })
    }
}
