//! Moves bytes between one socket, one session and a site's queue. It decides nothing: what comes next is the session's word.
//!
//! Reading, writing, applying and reading the log go on beside one another; the session's window bounds what is under way. A session
//! has a number in the site's row: once a newer one has begun, in whatever process, an older one's commits are refused (SPEC E5).

use crate::sites::link_state::Link;
use crate::sites::node_registry::Sites;
use crate::sites::site_handle::SiteHandle;
use crate::store::StoreError;
use crate::store::site_rows::{self, SiteRow};
use crate::store::site_store::SqlSiteStore;
use crate::store::site_tx::{OldSession, WorkError};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use pilotlight_edge::clock::Stopwatch;
use pilotlight_edge::tokens;
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::doc::replica::ApplyError;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{BATCH_COMMITS_MAX, WINDOW_BYTES_MAX};
use pilotlight_sync::protocol::{BadLog, Config, Event, ForkKind, Session, Side, Violation};
use pilotlight_sync::store::{LogEntry, Seal, SiteStore};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A frame must be taken within this time.
const SEND_MS_MAX: Duration = Duration::from_secs(10);
/// The goodbye must be taken within this time.
const GOODBYE_MS_MAX: Duration = Duration::from_secs(1);
/// A batch of so many commits is part of a long log, and waits for a permit.
const BULK_COMMITS: usize = BATCH_COMMITS_MAX / 2;

/// A message of the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A frame of the protocol.
    Frame(Vec<u8>),
    /// The other side says goodbye, or this one does: a code and a word.
    Close(u16, String),
    /// Something that is no business of the protocol.
    Other,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkEnd {
    /// The relay stops.
    #[error("the relay stops")]
    Stopping,
    /// A newer session of this node has begun.
    #[error("a newer session of this node has begun")]
    Superseded,
    /// The node did what the protocol forbids, or has fallen silent.
    #[error("the node broke the protocol: {0}")]
    Broken(Violation),
    /// The node closed the connection, or it was lost.
    #[error("the node has gone ({0})")]
    Gone(u16),
    /// The node takes nothing any more.
    #[error("the node takes nothing any more")]
    Stuck,
    /// The relay's log cannot be sent.
    #[error(transparent)]
    Log(#[from] BadLog),
    /// What came cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The database does not confirm: after a new greeting it is asked anew where the logs end.
    #[error("the database does not confirm")]
    Store,
}

impl LinkEnd {
    /// The close code and word; none when nobody listens.
    fn goodbye(&self) -> Option<(u16, &'static str)> {
        match self {
            Self::Stopping => Some((1001, "stopping")),
            Self::Superseded => Some((4000, "superseded")),
            Self::Broken(violation) => Some((violation.code(), violation.word())),
            Self::Log(_) | Self::Apply(_) | Self::Store => Some((1011, "store")),
            Self::Gone(_) | Self::Stuck => None,
        }
    }

    /// The word for logs and metrics.
    fn word(&self) -> &'static str {
        match self {
            Self::Apply(ApplyError::Gap { .. }) => "gap",
            Self::Apply(ApplyError::Fork { .. }) => "fork",
            Self::Apply(ApplyError::NotYet { .. }) => "not_yet",
            Self::Apply(ApplyError::Ours { .. }) => "ours",
            Self::Gone(_) => "gone",
            Self::Stuck => "stuck",
            Self::Stopping | Self::Superseded | Self::Broken(_) | Self::Log(_) | Self::Store => {
                self.goodbye().map_or("gone", |(_, word)| word)
            }
        }
    }
}

/// What the queue or the database has done.
enum Done {
    Page {
        origin: OriginId,
        from: u64,
        entries: Vec<LogEntry>,
        seals: Vec<Seal>,
    },
    Hash {
        origin: OriginId,
        hash: Option<ChainHash>,
    },
    Applied {
        origin: OriginId,
        head: Head,
    },
    /// It builds on what has not come; the log still ends here.
    NotTaken {
        origin: OriginId,
        head: Head,
    },
    Failed(LinkEnd),
}

/// Tasks of their own: a read that has a connection ends while this link waits for a slow socket.
type Work = JoinSet<Done>;

/// Time of one connection: real, and never going back.
#[derive(Debug, Clone, Copy)]
struct LinkClock {
    began: Timestamp,
    since: Stopwatch,
}

impl LinkClock {
    fn now(&self) -> Timestamp {
        self.began.plus_ms(u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// One node's connection.
struct Hub {
    sites: Arc<Sites>,
    site: SiteHandle,
    store: SqlSiteStore,
    session: Session,
    number: u64,
    clock: LinkClock,
    work: Work,
    /// Batches that wait: one after the other, because each continues the one before.
    batches: VecDeque<(Vec<LogEntry>, Seal)>,
    applying: bool,
    told: BTreeMap<OriginId, u64>,
}

impl Sites {
    /// The site whose uplink this token opens.
    pub async fn uplink(&self, token: &str) -> Result<Option<SiteRow>, StoreError> {
        site_rows::by_uplink_token(self.database(), &tokens::hash(token)).await
    }

    /// Serves one connection of a site's node to its end.
    pub async fn serve_link<S, E>(self: Arc<Self>, row: SiteRow, socket: S, stopping: CancellationToken)
    where
        S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
        E: Send,
    {
        let mut socket = socket;
        metrics::gauge!("pilotlight_links").increment(1.0);
        let end = match self.begin(&row).await {
            Err(error) => {
                tracing::error!(%error, source = ?std::error::Error::source(&error), "a link could not begin");
                LinkEnd::Store
            }
            Ok(mut hub) => {
                let end = hub.run(&mut socket, &stopping).await;
                hub.site.link.down(hub.number, self.clock().now());
                hub.tell_end(&end);
                end
            }
        };
        metrics::gauge!("pilotlight_links").decrement(1.0);
        metrics::counter!("pilotlight_links_ended_total", "why" => end.word()).increment(1);
        if let Some((code, word)) = end.goodbye() {
            // The other side may be gone already; nothing depends on the goodbye.
            let _gone = tokio::time::timeout(GOODBYE_MS_MAX, socket.send(Message::Close(code, word.to_owned()))).await;
        }
    }

    /// Begins a session: every older one of this site is over.
    async fn begin(self: &Arc<Self>, row: &SiteRow) -> Result<Hub, StoreError> {
        let missing =
            || StoreError::Damaged { table: "site", why: "a token of a site that is not enrolled".to_owned() };
        let site = self.open(row).await?.ok_or_else(missing)?;
        let number = site_rows::begin_session(self.database(), site.facts.no).await?;
        let store = site.store(self.database());
        let heads = store.heads().await?;
        let identity = site.facts.identity.clone();
        let mut keys: BTreeMap<OriginId, [u8; 32]> = BTreeMap::from([(identity.origin, identity.card().key)]);
        let enrolled = site_rows::cards(self.database(), site.facts.no).await?;
        keys.extend(enrolled.into_iter().map(|card| (card.origin, card.key)));
        let introduced = site.read(|replica, _| replica.keys());
        let introduced =
            introduced.await.map_err(|error| StoreError::Damaged { table: "site", why: error.to_string() })?;
        keys.extend(introduced);
        let clock = LinkClock { began: self.clock().real(), since: Stopwatch::start() };
        let config = Config {
            side: Side::Listener { epoch: number },
            role: OriginRole::Relay,
            site: site.facts.id,
            own: identity.origin,
            sign: Box::new(move |hash| identity.sign(hash)),
            keys,
            capabilities: BTreeSet::new(),
            window_bytes: WINDOW_BYTES_MAX as u64 / 2,
            ping_ms: self.links.ping_ms,
            dead_ms: self.links.dead_ms,
        };
        let told = heads.iter().map(|(origin, head)| (*origin, head.seq)).collect();
        let session = Session::new(config, heads, clock.now())
            .map_err(|error| StoreError::Damaged { table: "site_head", why: error.to_string() })?;
        let work = Work::new();
        Ok(Hub {
            sites: self.clone(),
            site,
            store,
            session,
            number,
            clock,
            work,
            batches: VecDeque::new(),
            applying: false,
            told,
        })
    }
}

impl Hub {
    async fn run<S, E>(&mut self, socket: &mut S, stopping: &CancellationToken) -> LinkEnd
    where
        S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin,
    {
        let (mut heads, mut wants, mut link) = (self.site.heads(), self.site.wants(), self.site.link.watch());
        // A commit between reading the heads and here is told at once; so is a wish that no link has carried yet.
        heads.mark_changed();
        wants.mark_changed();
        loop {
            if let Err(end) = self.advance(socket).await {
                return end;
            }
            let deadline = self.session.poll_timeout().map(|(at, _)| at.ms_since(self.clock.now()));
            let wait = deadline.map_or(Duration::MAX, Duration::from_millis);
            let step = tokio::select! {
                () = stopping.cancelled() => Err(LinkEnd::Stopping),
                heard = socket.next() => self.hear(heard),
                Some(done) = self.work.join_next(), if !self.work.is_empty() => {
                    self.take(done.unwrap_or_else(|error| broken(&error)))
                }
                changed = heads.changed() => changed.map_err(|_| LinkEnd::Stopping).map(|()| {
                    let heads = heads.borrow_and_update().clone();
                    self.durable(&heads);
                }),
                changed = wants.changed() => changed.map_err(|_| LinkEnd::Stopping).map(|()| {
                    let wanted = wants.borrow_and_update().clone();
                    if !wanted.is_empty() {
                        self.session.want(wanted);
                    }
                }),
                changed = link.changed() => changed.map_err(|_| LinkEnd::Stopping).and_then(|()| match *link.borrow_and_update() {
                    Link::Up { session, .. } if session > self.number => Err(LinkEnd::Superseded),
                    Link::Never | Link::Up { .. } | Link::Down { .. } | Link::RelayWentBack { .. } => Ok(()),
                }),
                () = async { let _over = tokio::time::timeout(wait, std::future::pending::<()>()).await; } => {
                    self.session.handle_timeout(self.clock.now()).map_err(LinkEnd::Broken)
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Does what the session wants done, and sends what it has to say.
    async fn advance<S, E>(&mut self, socket: &mut S) -> Result<(), LinkEnd>
    where
        S: Sink<Message, Error = E> + Unpin,
    {
        loop {
            while let Some(event) = self.session.poll_event() {
                self.do_event(event);
            }
            let Some(frame) = self.session.poll_frame()? else { return Ok(()) };
            metrics::counter!("pilotlight_link_bytes_total", "direction" => "out").increment(frame.len() as u64);
            let sent = tokio::time::timeout(SEND_MS_MAX, socket.send(Message::Frame(frame))).await;
            sent.map_err(|_| LinkEnd::Stuck)?.map_err(|_| LinkEnd::Gone(1006))?;
        }
    }

    fn do_event(&mut self, event: Event) {
        match event {
            Event::Opened(peer) => {
                tracing::info!(site = %self.site.facts.id, session = self.number, node = %peer.own, "a node's link is open");
                self.site.link.up(self.number, self.sites.clock().now());
            }
            Event::NeedLog { origin, from, commits_max, bytes_max } => {
                self.work.spawn(page(self.store.clone(), origin, from, commits_max, bytes_max));
            }
            Event::NeedHash { origin, seq } => {
                self.work.spawn(hash(self.store.clone(), origin, seq));
            }
            Event::Apply { entries, seal } => {
                self.batches.push_back((entries, seal));
                self.next_batch();
            }
            Event::Acked { origin, seq } => {
                if origin == self.site.facts.identity.origin {
                    metrics::counter!("pilotlight_link_acks_total").increment(1);
                    tracing::trace!(site = %self.site.facts.id, seq, "the node has the relay's log");
                }
            }
            Event::Forked(fork) => {
                let own = fork.origin == self.site.facts.identity.origin;
                let rolled_back = fork.kind == ForkKind::RolledBack;
                tracing::error!(site = %self.site.facts.id, origin = %fork.origin, seq = fork.seq, rolled_back, own, "the node has another log of this origin");
                metrics::counter!("pilotlight_link_forks_total").increment(1);
                if own {
                    self.site.link.relay_went_back(self.sites.clock().now());
                }
            }
            // The node gives rights; it asks for none: it takes back nothing of what it gave.
            Event::Wanted(wants) => {
                tracing::debug!(site = %self.site.facts.id, wants = wants.len(), "a node's wishes are not granted")
            }
            // The node's open orders come as commits too; nothing here needs them sooner.
            Event::OpenSet(_) => {}
        }
    }

    fn hear<E>(&mut self, heard: Option<Result<Message, E>>) -> Result<(), LinkEnd> {
        match heard {
            None | Some(Err(_)) => Err(LinkEnd::Gone(1006)),
            Some(Ok(Message::Close(code, _))) => Err(LinkEnd::Gone(code)),
            Some(Ok(Message::Other)) => Ok(()),
            Some(Ok(Message::Frame(bytes))) => {
                metrics::counter!("pilotlight_link_bytes_total", "direction" => "in").increment(bytes.len() as u64);
                self.session.handle_frame(&bytes, self.clock.now()).map_err(LinkEnd::Broken)
            }
        }
    }

    /// Applies the next batch, unless one is being applied.
    fn next_batch(&mut self) {
        if !self.applying
            && let Some((entries, seal)) = self.batches.pop_front()
        {
            self.applying = true;
            self.work.spawn(apply(self.sites.clone(), self.site.clone(), self.number, entries, seal));
        }
    }

    fn take(&mut self, done: Done) -> Result<(), LinkEnd> {
        if matches!(done, Done::Applied { .. } | Done::NotTaken { .. }) {
            self.applying = false;
        }
        match done {
            Done::Page { origin, from, entries, seals } => self.session.handle_log(origin, from, entries, &seals)?,
            Done::Hash { origin, hash } => self.session.handle_hash(origin, hash, self.clock.now()),
            Done::Applied { origin, head } => {
                // Also what was known already: its share of the window is free again.
                self.session.handle_durable(origin, head);
            }
            Done::NotTaken { origin, head } => {
                // What continues it would not be taken either: all of it is asked for again.
                self.batches.retain(|(_, seal)| seal.origin != origin);
                self.session.handle_dropped(origin, head);
                // What came before it was taken.
                self.session.handle_durable(origin, head);
            }
            Done::Failed(end) => return Err(end),
        }
        self.next_batch();
        Ok(())
    }

    /// The logs have grown, by whatever way.
    fn durable(&mut self, heads: &BTreeMap<OriginId, Head>) {
        for (origin, head) in heads {
            self.grown(*origin, *head);
        }
    }

    fn grown(&mut self, origin: OriginId, head: Head) {
        let told = self.told.entry(origin).or_default();
        if head.seq > *told {
            *told = head.seq;
            self.session.handle_durable(origin, head);
        }
    }

    /// Says once why a node was refused: one that comes again and again does not fill the log.
    fn tell_end(&self, end: &LinkEnd) {
        let site = self.site.facts.id;
        match end {
            LinkEnd::Broken(_) | LinkEnd::Apply(_) if self.site.link.first_time(end.word()) => {
                tracing::warn!(%site, session = self.number, word = end.word(), %end, "a node was refused; told once for each word");
            }
            LinkEnd::Log(_) | LinkEnd::Store => tracing::error!(%site, session = self.number, %end, "a link ended"),
            LinkEnd::Broken(_)
            | LinkEnd::Apply(_)
            | LinkEnd::Stopping
            | LinkEnd::Superseded
            | LinkEnd::Gone(_)
            | LinkEnd::Stuck => {
                tracing::info!(%site, session = self.number, %end, "a link ended");
            }
        }
    }
}

fn broken(error: &tokio::task::JoinError) -> Done {
    tracing::error!(%error, "a link's work broke off");
    Done::Failed(LinkEnd::Store)
}

async fn page(store: SqlSiteStore, origin: OriginId, from: u64, commits_max: usize, bytes_max: usize) -> Done {
    let read = async {
        let entries = store.log_page(&origin, from, commits_max, bytes_max).await?;
        let seals = store.seals(&origin, from, from + entries.len() as u64).await?;
        Ok::<_, StoreError>(Done::Page { origin, from, entries, seals })
    };
    read.await.unwrap_or_else(|error| failed(&error))
}

async fn hash(store: SqlSiteStore, origin: OriginId, seq: u64) -> Done {
    match store.hash_at(&origin, seq).await {
        Ok(hash) => Done::Hash { origin, hash },
        Err(error) => failed(&error),
    }
}

fn failed(error: &StoreError) -> Done {
    tracing::error!(%error, source = ?std::error::Error::source(error), "a site's log cannot be read");
    Done::Failed(LinkEnd::Store)
}

async fn apply(sites: Arc<Sites>, site: SiteHandle, session: u64, entries: Vec<LogEntry>, seal: Seal) -> Done {
    let origin = seal.origin;
    let Some(head) = entries.last().map(|entry| entry.head) else { return Done::Failed(LinkEnd::Store) };
    let long = entries.len() >= BULK_COMMITS;
    // A semaphore that is never closed gives its permit in the end.
    let _permit = if long { sites.bulk.acquire().await.ok() } else { None };
    let watch = Stopwatch::start();
    let outcome = site.apply(session, entries, seal).await;
    metrics::histogram!("pilotlight_link_apply_seconds").record(watch.elapsed().as_secs_f64());
    match outcome {
        Ok(applied) => {
            metrics::counter!("pilotlight_link_commits_applied_total").increment(applied.new as u64);
            match applied.refused {
                None => Done::Applied { origin, head },
                Some(ApplyError::NotYet { .. } | ApplyError::Gap { .. }) => {
                    let known = site.heads().borrow().get(&origin).copied();
                    Done::NotTaken { origin, head: known.unwrap_or_else(|| Head::start(&origin)) }
                }
                Some(refused @ (ApplyError::Fork { .. } | ApplyError::Ours { .. })) => Done::Failed(refused.into()),
            }
        }
        Err(WorkError::Refused(OldSession { .. })) => Done::Failed(LinkEnd::Superseded),
        Err(WorkError::TooLarge(_) | WorkError::Store(_) | WorkError::Unknown | WorkError::Closed) => {
            Done::Failed(LinkEnd::Store)
        }
    }
}
