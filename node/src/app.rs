//! Joins everything: the one place that knows the whole.

use crate::answering;
use crate::api::json::ToScreenJson;
use crate::api::menu::{MenuPage, availability_json};
use crate::api::online::online_json;
use crate::api::render::{RenderJson, frame};
use crate::api::uplink::uplink_json;
use crate::archive::Archive;
use crate::archive::archiver::{self, Frontier, Terms};
use crate::config::{LinkConfig, RunConfig};
use crate::devices::doors::Doors;
use crate::devices::pairing::PairingDesk;
use crate::inventory::share;
use crate::live::screen_feed::ScreenFeed;
use crate::opening::{self, OpenError, Paths};
use crate::orders::accept;
use crate::store::StoreError;
use crate::store::replica::{Flushed, LiveOrder, Position, Replica};
use crate::store::store_handle::{Plan, PlanError, StoreHandle};
use crate::till::day;
use crate::uplink::siblings::Siblings;
use crate::uplink::{self, Uplink, Wishes, WishesOfOthers};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use pilotlight_edge::availability::unavailable;
use pilotlight_edge::clock::{Clock, Stopwatch};
use pilotlight_edge::throttle::Throttle;
use pilotlight_edge::tokens;
use pilotlight_sync::doc::change::{Change, Write};
use pilotlight_sync::doc::site::Settings;
use pilotlight_sync::domain::business_day::{DayNumber, DayRule};
use pilotlight_sync::domain::id::{IngredientId, OriginId, SiteId};
use pilotlight_sync::domain::role::{Actor, Role};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Below this many free bytes new orders are refused; payments, bumps and voids go on.
const FREE_BYTES_MIN: u64 = 200 * 1024 * 1024;
/// How often free space is looked at.
const DISK_LOOK: Duration = Duration::from_secs(5);
/// Orders of the relay are looked at when one changes; and this often, whatever was missed.
const RELAY_LOOK: Duration = Duration::from_secs(30);
/// How long is waited at most while one of them waits for its time: business time may run faster than the machine's.
const RELAY_AGAIN: Duration = Duration::from_millis(500);
/// So many answers for other nodes, then the rest is tended.
const ANSWERS_AT_ONCE: usize = 256;
/// Closed orders are looked at once in so much business time.
const ARCHIVE_EVERY_MS: u64 = 3_600_000;
/// How often it is seen whether that time has come: business time may run faster than the machine's.
const ARCHIVE_LOOK: Duration = Duration::from_secs(5);
/// How often it is seen whether a day is to be closed: business time may run faster than the machine's.
const DAY_LOOK: Duration = Duration::from_secs(5);
/// Reads of archived orders that run at the same time.
const ARCHIVE_READS_MAX: usize = 2;
/// What can be ordered is told at most this often.
const AVAILABILITY_EVERY: Duration = Duration::from_millis(200);
/// The relay gets more of one ingredient at most this often.
const WISH_EVERY: Duration = Duration::from_secs(5);
/// The link to the relay is told at most this often.
const LINK_EVERY: Duration = Duration::from_millis(250);

/// Everything the node can do.
#[derive(Debug)]
pub struct App {
    /// The store.
    pub store: StoreHandle,
    /// What screens hear.
    pub feed: Arc<ScreenFeed>,
    /// Who may come in.
    pub doors: Arc<Doors>,
    /// Codes for new devices.
    pub pairing: PairingDesk,
    /// Failed PINs.
    pub pins: Mutex<Throttle>,
    /// Where the own log ends: changes with every flushed group.
    pub head: watch::Receiver<Position>,
    /// Where all logs end: changes with every flushed group.
    pub heads: watch::Receiver<Arc<uplink::Heads>>,
    /// The link to the relay.
    pub uplink: Arc<Uplink>,
    /// The links to the site's other nodes.
    pub siblings: Arc<Siblings>,
    /// Codes for other nodes.
    pub sibling_codes: PairingDesk,
    /// Wishes for stock rights.
    pub wishes: Arc<Wishes>,
    /// What the order numbers of this node begin with.
    pub letter: String,
    /// The menu as it is sent.
    pub menu: watch::Receiver<Arc<MenuPage>>,
    /// The time.
    pub clock: Clock,
    /// What the site is.
    pub settings: Settings,
    /// Who writes here.
    pub origin: OriginId,
    /// What devices must trust.
    pub ca_pem: String,
    /// Cancelled when the node stops.
    pub stopping: CancellationToken,
    /// Open sockets.
    pub sockets: TaskTracker,
    /// Closed orders that have left the store.
    pub archive: Arc<Archive>,
    /// What the relay has acknowledged; `None` until it has said so. The uplink tells.
    pub relay_has: watch::Sender<Option<Frontier>>,
    /// Renders metrics.
    pub metrics: Option<PrometheusHandle>,
    data: PathBuf,
    disk_full: AtomicBool,
    /// The number of a day that should have been closed long ago; 0 when there is none.
    overdue_day: AtomicU32,
    started: Stopwatch,
    url: OnceLock<String>,
    slow: Semaphore,
    archive_after_days: u32,
    archive_reads: Semaphore,
    availability_changed: Arc<Notify>,
    online_changed: Arc<Notify>,
    relay_work: Arc<Notify>,
    links: LinkConfig,
    wishes_of_others: Mutex<Option<WishesOfOthers>>,
}

struct Shared {
    feed: Arc<ScreenFeed>,
    doors: Arc<Doors>,
    menu: watch::Sender<Arc<MenuPage>>,
    head: watch::Sender<Position>,
    heads: watch::Sender<Arc<uplink::Heads>>,
    availability_changed: Arc<Notify>,
    online_changed: Arc<Notify>,
    relay_work: Arc<Notify>,
    /// So many others have introduced themselves: the relay and other nodes.
    others_known: AtomicUsize,
}

impl Shared {
    /// Tells everyone of a flushed group. Runs on the store thread, after the answers.
    fn publish(&self, replica: &Replica, flushed: &Flushed) {
        self.head.send_replace(flushed.position);
        self.heads.send_replace(Arc::new(uplink::Heads::of(replica)));
        if flushed.people {
            self.doors.refresh(replica.site());
        }
        if flushed.whole {
            self.feed.reset(flushed);
        } else {
            self.feed.publish(flushed);
        }
        if flushed.menu {
            let page = Arc::new(MenuPage::of(replica.site().menu()));
            let version = page.version.clone();
            self.menu.send_replace(page);
            self.feed.notice(frame(&ToScreenJson::Menu { version }).into());
        }
        if flushed.availability || flushed.menu {
            self.availability_changed.notify_one();
        }
        let online = |(_, order): &(_, Arc<LiveOrder>)| order.view.header.owner.is_some();
        if flushed.whole || flushed.availability || flushed.orders.iter().any(online) {
            self.online_changed.notify_one();
        }
        // Who has just come in gets a share now: until then it cannot sell what is counted.
        let others = share::others(replica);
        let came = self.others_known.swap(others, Ordering::Relaxed) < others;
        let own = replica.identity().origin;
        if came || flushed.whole || flushed.orders.iter().any(|(_, order)| accept::may_wait(&order.view, &own)) {
            self.relay_work.notify_one();
        }
    }
}

impl App {
    /// Opens the data of this replica and starts its store thread.
    pub fn start(
        first: Replica,
        paths: &Paths,
        config: &RunConfig,
        clock: Clock,
        ca_pem: String,
        metrics: Option<PrometheusHandle>,
    ) -> anyhow::Result<Arc<Self>> {
        let started = Stopwatch::start();
        let mut first = first;
        let settings = settle(&mut first, paths, config, &clock)?;
        opening::keep_site(paths, &settings.site)?;
        let (origin, letter) = (first.identity().origin, first.identity().letter.clone());
        let (wishes, of_others) = Wishes::new();
        let uplink = Arc::new(Uplink::open(paths, wishes.clone())?);
        let siblings = Arc::new(Siblings::open(paths, wishes.clone())?);
        let feed = Arc::new(ScreenFeed::new(Box::new(RenderJson)));
        let doors = Arc::new(Doors::default());
        let page = Arc::new(MenuPage::of(first.site().menu()));
        let (menu_sender, menu) = watch::channel(page);
        let (head_sender, head) = watch::channel(first.position());
        let (heads_sender, heads) = watch::channel(Arc::new(uplink::Heads::of(&first)));
        let notify = || Arc::new(Notify::new());
        let (availability_changed, online_changed, relay_work) = (notify(), notify(), notify());
        let shared = Shared {
            feed: feed.clone(),
            doors: doors.clone(),
            menu: menu_sender,
            head: head_sender,
            heads: heads_sender,
            availability_changed: availability_changed.clone(),
            online_changed: online_changed.clone(),
            relay_work: relay_work.clone(),
            others_known: AtomicUsize::new(0),
        };
        let archive = first.archive().clone();
        let open = opener(first, paths, &clock);
        let store = StoreHandle::start(open, move |replica, flushed| shared.publish(replica, flushed), clock.clone())?;
        Ok(Arc::new(Self {
            store,
            feed,
            doors,
            pairing: PairingDesk::default(),
            pins: Mutex::default(),
            head,
            heads,
            uplink,
            siblings,
            sibling_codes: PairingDesk::default(),
            wishes,
            letter,
            menu,
            clock,
            settings,
            origin,
            ca_pem,
            archive,
            relay_has: watch::Sender::new(None),
            stopping: CancellationToken::new(),
            sockets: TaskTracker::new(),
            metrics,
            data: paths.data.clone(),
            disk_full: AtomicBool::new(false),
            overdue_day: AtomicU32::new(0),
            started,
            url: OnceLock::new(),
            slow: Semaphore::new(1),
            archive_after_days: config.archive_after_days,
            archive_reads: Semaphore::new(ARCHIVE_READS_MAX),
            availability_changed,
            online_changed,
            relay_work,
            links: config.link.clone(),
            wishes_of_others: Mutex::new(Some(of_others)),
        }))
    }

    /// The address that devices use.
    pub fn url(&self) -> &str {
        self.url.get().map_or("", String::as_str)
    }

    /// Says under which address the node is served; the first word counts.
    pub fn set_url(&self, url: String) {
        self.url.get_or_init(|| url);
    }

    /// Since the start, in milliseconds.
    pub fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether new orders must be refused for lack of space.
    pub fn disk_is_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed)
    }

    /// The day that should have been closed long ago, as it was last looked for.
    pub fn overdue_day(&self) -> Option<DayNumber> {
        Some(DayNumber(self.overdue_day.load(Ordering::Relaxed))).filter(|number| number.0 > 0)
    }

    /// Gives out the code of the first admin, when there is none yet.
    pub fn first_admin_code(&self) -> anyhow::Result<Option<String>> {
        if self.doors.has_role(Role::Admin) {
            return Ok(None);
        }
        Ok(Some(self.pairing.give_out(Role::Admin, None, self.clock.now())?))
    }

    /// Runs what is slow on purpose, one at a time, where blocking is allowed.
    pub async fn slowly<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A, crate::api::problem::Problem> {
        let broke = || {
            crate::api::problem::Problem::new(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "broke",
                "a computation broke off",
            )
        };
        let _one = self.slow.acquire().await.map_err(|_| broke())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| broke())
    }

    /// Reads archived orders where blocking is allowed: neither the store's thread nor a connection waits for their files.
    pub async fn archived<A: Send + 'static>(
        &self,
        read: impl FnOnce(&Archive) -> A + Send + 'static,
    ) -> Result<A, crate::api::problem::Problem> {
        let broke = || {
            let status = http::StatusCode::INTERNAL_SERVER_ERROR;
            crate::api::problem::Problem::new(status, "broke", "reading the archive broke off")
        };
        let _place = self.archive_reads.acquire().await.map_err(|_| broke())?;
        let archive = self.archive.clone();
        tokio::task::spawn_blocking(move || read(&archive)).await.map_err(|_| broke())
    }

    /// Moves closed orders into the archive, at the start and once an hour of business time, until the node stops.
    pub async fn tend_archive(self: Arc<Self>) {
        let (mut last, mut proved) = (None, 0);
        loop {
            let now = self.clock.now();
            if last.is_none_or(|last| now.ms_since(last) >= ARCHIVE_EVERY_MS) {
                last = Some(now);
                tokio::select! {
                    () = self.stopping.cancelled() => return,
                    moved = self.archive_once(now, proved) => proved = moved.unwrap_or(proved),
                }
            }
            if tokio::time::timeout(ARCHIVE_LOOK, self.stopping.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Closes days that nobody has closed in time, until the node stops.
    pub async fn tend_days(self: Arc<Self>) {
        loop {
            self.close_due().await;
            self.look_overdue().await;
            if tokio::time::timeout(DAY_LOOK, self.stopping.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    async fn close_due(&self) {
        loop {
            match self.store.run(day::plan_due).await {
                Ok(Some(number)) => tracing::info!(day = number.0, "the day was closed: nobody had"),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "a day that is over could not be closed; it is tried again");
                    return;
                }
            }
        }
    }

    async fn look_overdue(&self) {
        let overdue = self.store.read(|replica, now| Ok(day::overdue(replica.site(), now))).await;
        let Ok(overdue) = overdue else { return };
        let number = overdue.map_or(0, |number| number.0);
        if number != self.overdue_day.swap(number, Ordering::Relaxed) && number > 0 {
            tracing::error!(
                day = number,
                "over for more than three days and not closed: what was sold since stays in the store"
            );
        }
    }

    /// One run. Answers where the next one goes on comparing day files; `None` when it was broken off.
    async fn archive_once(&self, now: Timestamp, proved: usize) -> Option<usize> {
        // What is in the archive no report looks at.
        self.close_due().await;
        let site = self.store.read(|replica, _| Ok((replica.site().settings().cloned(), replica.site().relay())));
        let (settings, relay) = site.await.ok()?;
        let rule = settings.and_then(|settings| DayRule::new(&settings.time_zone, settings.roll_over_hour).ok());
        // A relay that has not said what it has may lack everything.
        let frontier = self.relay_has.borrow().clone().or_else(|| relay.map(|_| Frontier::default()));
        let terms = Terms { rule: rule?, after_days: self.archive_after_days, frontier, now };
        match archiver::run(&self.store, &self.archive, &terms, proved).await {
            Ok(moved) => {
                if moved.orders > 0 {
                    tracing::info!(
                        orders = moved.orders,
                        archived = self.archive.orders(),
                        "closed orders were archived"
                    );
                }
                Some(moved.proved_to)
            }
            Err(error) => {
                tracing::error!(%error, "archiving broke off; the next run goes on");
                None
            }
        }
    }

    /// Tells screens what can be ordered, whenever that may have changed, until the node stops.
    pub async fn tell_availability(self: Arc<Self>) {
        let mut last = None;
        loop {
            let read = self.store.read(|replica, now| {
                let origin = replica.identity().origin;
                Ok((
                    unavailable(replica.site(), &origin, now),
                    replica.site().next_return(now).map(|at| at.ms_since(now)),
                ))
            });
            let mut wait = Duration::from_secs(3_600);
            if let Ok((list, next_return)) = read.await {
                wait = next_return.map_or(wait, Duration::from_millis).min(wait);
                if last.as_ref() != Some(&list) {
                    let availability = availability_json(&list);
                    self.feed.availability(frame(&ToScreenJson::Availability { availability }).into());
                    last = Some(list);
                }
            }
            let changed = async {
                // The return of an item is a moment, not an event: it is waited for, then looked at again.
                let _returned = tokio::time::timeout(wait, self.availability_changed.notified()).await;
            };
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = changed => {}
            }
            let pause = tokio::time::timeout(AVAILABILITY_EVERY, self.stopping.cancelled());
            if pause.await.is_ok() {
                return;
            }
        }
    }

    /// Tells the screens of the restaurant's people how orders from home are taken and which wait for a person, whenever that may have
    /// changed, until the node stops.
    pub async fn tell_online(self: Arc<Self>) {
        let mut last = None;
        loop {
            let read = self.store.read(|replica, now| {
                let ends = replica.site().intake().next_end(now).map(|at| at.ms_since(now));
                Ok((online_json(replica, now), ends))
            });
            // Whether one would be late changes with each ticket that is made, and with time alone: no fact of an order says so.
            let mut wait = RELAY_LOOK;
            if let Ok((online, ends)) = read.await {
                // Business time may run faster than the machine's: the end is looked for as often as orders of the relay are.
                wait = ends.map_or(wait, |ms| Duration::from_millis(ms).min(RELAY_AGAIN));
                if last.as_ref() != Some(&online) {
                    self.feed.online(frame(&ToScreenJson::Online(online.clone())).into());
                    last = Some(online);
                }
            }
            tokio::select! {
                () = self.stopping.cancelled() => return,
                _looked = tokio::time::timeout(wait, self.online_changed.notified()) => {}
            }
            if tokio::time::timeout(AVAILABILITY_EVERY, self.stopping.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Something has happened that the relay may have a share in: a delivery, or the relay is there.
    pub fn look_after_relay(&self) {
        self.relay_work.notify_one();
    }

    /// Answers what people at other nodes have asked, so many at a time: who else waits is not kept waiting.
    async fn answer_others(&self) {
        for _ in 0..ANSWERS_AT_ONCE {
            match self.store.run(answering::plan).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::warn!(%error, "what other nodes have asked could not be answered"),
            }
        }
        self.relay_work.notify_one();
    }

    /// Does what orders of the relay wait for, and shares new stock with it, until the node stops.
    pub async fn tend_relay_orders(self: Arc<Self>) {
        let mut last_held = None;
        loop {
            let shared = self.store.run(|replica, _| {
                Ok::<_, PlanError<Infallible>>(Plan::new(Actor::System, share::first_shares(replica), |_| ()))
            });
            let shared =
                shared.await.map_err(|error| tracing::warn!(%error, "stock could not be shared with the relay"));
            let tended = self.store.run(move |replica, now| accept::plan(replica, now, last_held)).await;
            self.answer_others().await;
            let mut wait = RELAY_LOOK;
            match (tended, shared) {
                (Ok(tended), Ok(())) => {
                    last_held = tended.last_held;
                    let due = tended.again_at.map(|at| Duration::from_millis(at.ms_since(self.clock.now())));
                    wait = due.map_or(wait, |due| due.min(RELAY_AGAIN));
                }
                (Err(error), _) => {
                    tracing::warn!(%error, "orders of the relay could not be tended");
                    wait = RELAY_AGAIN;
                }
                (Ok(_), Err(())) => wait = RELAY_AGAIN,
            }
            tokio::select! {
                () = self.stopping.cancelled() => return,
                // What was missed, or waits for its time, is looked at after a while.
                _looked = tokio::time::timeout(wait, self.relay_work.notified()) => {}
            }
        }
    }

    /// What every link is made of.
    pub fn link_parts(&self) -> uplink::Parts {
        uplink::Parts {
            store: self.store.clone(),
            heads: self.heads.clone(),
            site: self.settings.site,
            clock: self.clock.clone(),
            stopping: self.stopping.clone(),
            config: self.links.clone(),
            asks: self.wishes.asked(),
        }
    }

    /// Keeps the link to the relay until the node stops.
    pub async fn keep_uplink(self: Arc<Self>) {
        self.uplink.run(self.link_parts()).await;
    }

    /// Keeps the links to the site's other nodes until the node stops.
    pub async fn keep_siblings(self: Arc<Self>) {
        self.siblings.clone().run(self.link_parts()).await;
    }

    /// Gives the relay and other nodes of what they ask for, each ingredient at most every five seconds, until the node stops.
    pub async fn answer_wishes(self: Arc<Self>) {
        let waiting = self.wishes_of_others.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = waiting else { return };
        let mut answered: BTreeMap<(OriginId, IngredientId), Stopwatch> = BTreeMap::new();
        loop {
            let wished = tokio::select! {
                () = self.stopping.cancelled() => return,
                wished = waiting.recv() => wished,
            };
            let Some((by, wants)) = wished else { return };
            answered.retain(|_, since| since.elapsed() < WISH_EVERY);
            let new = wants.iter().filter(|want| !answered.contains_key(&(by, want.ingredient)));
            let wishes: Vec<(IngredientId, u64)> = new.map(|want| (want.ingredient, want.amount)).collect();
            answered.extend(wishes.iter().map(|(ingredient, _)| ((by, *ingredient), Stopwatch::start())));
            if let Err(error) = self.store.run(move |replica, _| share::plan(replica, by, &wishes)).await {
                tracing::warn!(%error, "wishes for stock could not be answered; they are made again");
            }
        }
    }

    /// Tells screens how the link to the relay is and on how many replicas all is safe, whenever that has changed, until the node stops.
    pub async fn tell_link(self: Arc<Self>) {
        let (mut link, mut head) = (self.uplink.board().watch(), self.head.clone());
        let mut siblings = self.siblings.links();
        let mut last = None;
        loop {
            let own = *head.borrow_and_update();
            siblings.borrow_and_update();
            let now = uplink_json(&link.borrow_and_update(), self.siblings.safe_on(&own), &own);
            let acked = link.borrow().acked();
            self.note_frontier(acked).await;
            metrics::gauge!("pilotlight_link_waiting_commits").set(now.waiting_commits as f64);
            if last.as_ref() != Some(&now) {
                self.feed.link(frame(&ToScreenJson::Link(now.clone())).into());
                last = Some(now);
            }
            let changed = async {
                // The senders live as long as the app: an error cannot come before the end.
                tokio::select! {
                    _told = link.changed() => {}
                    _grown = head.changed() => {}
                    _nodes = siblings.changed() => {}
                }
            };
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = changed => {}
            }
            if tokio::time::timeout(LINK_EVERY, self.stopping.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Notes up to where the relay has each log: what it has acknowledged of ours, and its own. The archiver goes no further.
    async fn note_frontier(&self, acked: Option<(OriginId, u64)>) {
        let Some((own, seq)) = acked else { return };
        let known = self.relay_has.borrow().as_ref().and_then(|frontier| frontier.0.get(&own).copied());
        if known == Some(seq) {
            return;
        }
        let relay = self.store.read(|replica, _| {
            let relay = replica.site().relay();
            Ok(relay.and_then(|relay| Some((relay, replica.state().heads().get(&relay)?.seq))))
        });
        let Ok(relay) = relay.await else { return };
        self.relay_has.send_replace(Some(Frontier(BTreeMap::from_iter(relay.into_iter().chain([(own, seq)])))));
    }

    /// Looks at free space until the node stops.
    pub async fn watch_disk(self: Arc<Self>) {
        loop {
            if let Ok(space) = rustix::fs::statvfs(&self.data) {
                let free = space.f_bavail.saturating_mul(space.f_frsize);
                let full = free < FREE_BYTES_MIN;
                metrics::gauge!("pilotlight_disk_free_bytes").set(free as f64);
                if full != self.disk_full.swap(full, Ordering::Relaxed) {
                    tracing::error!(free, full, "free disk space crossed 200 MB");
                }
            }
            if tokio::time::timeout(DISK_LOOK, self.stopping.cancelled()).await.is_ok() {
                return;
            }
        }
    }
}

/// Gives the store thread this replica first, and after a failure what the disk has.
fn opener(
    first: Replica,
    paths: &Paths,
    clock: &Clock,
) -> impl FnMut() -> Result<Replica, StoreError> + Send + 'static + use<> {
    let (paths, clock, archive) = (paths.clone(), clock.clone(), first.archive().clone());
    let mut first = Some(first);
    move || match first.take() {
        Some(replica) => Ok(replica),
        None => opening::open_with(&paths, &clock, &archive).map_err(not_again),
    }
}

/// Writes the settings at the first start; afterwards they are what the site says. A store that was begun anew says them so that whatever
/// the site has said before overrules it.
fn settle(replica: &mut Replica, paths: &Paths, config: &RunConfig, clock: &Clock) -> anyhow::Result<Settings> {
    if let Some(settings) = replica.site().settings() {
        return Ok(settings.clone());
    }
    config.day_rule()?;
    let kept = opening::kept_site(paths)?;
    let settings = Settings {
        site: match kept {
            Some(site) => site,
            None => SiteId::from_bytes(tokens::random()?),
        },
        name: config.name.clone(),
        currency: config.currency,
        time_zone: config.time_zone.clone(),
        roll_over_hour: config.roll_over_hour,
        side_by_side: config.side_by_side,
    };
    let change = match kept {
        Some(_) => Change::Settings(Write { key: (), value: Some(settings.clone()), version: 0 }),
        None => replica.site().write_settings(settings.clone()),
    };
    replica.commit(Actor::System, clock.now(), &[change])?;
    replica.flush().context("writing the settings")?;
    Ok(settings)
}

/// After a failure in the middle of service: what would need a person at the start keeps the store closed.
fn not_again(error: OpenError) -> StoreError {
    match error {
        OpenError::Store(error) => error,
        other @ (OpenError::InUse | OpenError::NeedsRecovery(_) | OpenError::NoRandom(_)) => {
            StoreError::Panicked(other.to_string())
        }
    }
}
