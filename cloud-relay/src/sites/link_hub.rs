//! Moves bytes between one socket, one connection's core and a site's queue. It decides nothing: what comes next is the core's word.
//!
//! Reading, writing, applying and reading the log go on beside one another; the session's window bounds what is under way. A session
//! has a number in its node's row: once a newer one has begun, in whatever process, an older one's commits are refused (SPEC E5).

use crate::sites::grant;
use crate::sites::link_core::{self, Done, Errand, LinkCore, LinkEnd, News};
use crate::sites::node_registry::Sites;
use crate::sites::site_handle::SiteHandle;
use crate::store::StoreError;
use crate::store::site_rows::{self, NodeSession, Uplink};
use crate::store::site_tx::WorkError;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use pilotlight_edge::clock::Stopwatch;
use pilotlight_edge::tokens;
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{BATCH_COMMITS_MAX, LOOKS_UP, WINDOW_BYTES_MAX};
use pilotlight_sync::protocol::{Config, Session, Side, retry_after};
use pilotlight_sync::store::SiteStore;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A frame must be taken within this time.
const SEND_MS_MAX: Duration = Duration::from_secs(10);
/// The goodbye must be taken within this time.
const GOODBYE_MS_MAX: Duration = Duration::from_secs(1);
/// A node that comes while too many others do is asked to come again after this time; each adds up to as much by chance.
const RETRY_AFTER_MS: u64 = 2_000;
/// What such a connection is closed with: *try again later*.
const BUSY: u16 = 1013;
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
    core: LinkCore,
    clock: LinkClock,
    work: Work,
}

impl Sites {
    /// The node whose uplink this token opens, and its site.
    pub async fn uplink(&self, token: &str) -> Result<Option<Uplink>, StoreError> {
        site_rows::by_uplink_token(self.database(), &tokens::hash(token)).await
    }

    /// Serves one connection of a site's node to its end.
    pub async fn serve_link<S, E>(self: Arc<Self>, uplink: Uplink, socket: S, stopping: CancellationToken)
    where
        S: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
        E: Send,
    {
        let mut socket = socket;
        let Ok(beginning) = self.beginning.try_acquire() else {
            metrics::counter!("pilotlight_links_turned_away_total").increment(1);
            let away = [Message::Frame(retry_after(RETRY_AFTER_MS)), Message::Close(BUSY, "busy".to_owned())];
            for message in away {
                // The other side may be gone already; it comes again by itself.
                let _gone = tokio::time::timeout(GOODBYE_MS_MAX, socket.send(message)).await;
            }
            return;
        };
        metrics::gauge!("pilotlight_links").increment(1.0);
        let clock = LinkClock { began: self.clock().real(), since: Stopwatch::start() };
        let begun = self.begin_link(&uplink, clock.now()).await;
        drop(beginning);
        let end = match begun {
            Err(error) => {
                tracing::error!(%error, source = ?std::error::Error::source(&error), "a link could not begin");
                LinkEnd::Store
            }
            Ok((site, core)) => {
                let mut hub = Hub { sites: self.clone(), site, core, clock, work: Work::new() };
                let end = hub.run(&mut socket, &stopping).await;
                hub.site.link.down(hub.core.number(), self.clock().now());
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

    /// Begins a session: every older one of this node is over. `now` is the connection's own time.
    pub async fn begin_link(&self, uplink: &Uplink, now: Timestamp) -> Result<(SiteHandle, LinkCore), StoreError> {
        let missing =
            || StoreError::Damaged { table: "site", why: "a token of a site that is not enrolled".to_owned() };
        let site = self.open(&uplink.site).await?.ok_or_else(missing)?;
        let number = site_rows::begin_session(self.database(), uplink.node).await?;
        let heads = site.store(self.database()).heads().await?;
        let identity = site.facts.identity.clone();
        let mut keys: BTreeMap<OriginId, [u8; 32]> = BTreeMap::from([(identity.origin, identity.card().key)]);
        let enrolled = site_rows::cards(self.database(), site.facts.no).await?;
        keys.extend(enrolled.into_iter().map(|card| (card.origin, card.key)));
        // In a unit of work: what another process has taken in since is known then, its new origins too.
        let introduced = site.run(|tx| {
            let keys = tx.replica().keys();
            std::future::ready(Ok::<_, WorkError<Infallible>>(keys)).boxed()
        });
        let introduced =
            introduced.await.map_err(|error| StoreError::Damaged { table: "site", why: error.to_string() })?;
        keys.extend(introduced);
        let own = identity.origin;
        let config = Config {
            side: Side::Listener { epoch: number.number },
            role: OriginRole::Relay,
            site: site.facts.id,
            own,
            sign: Box::new(move |hash| identity.sign(hash)),
            keys,
            capabilities: BTreeSet::from([LOOKS_UP]),
            window_bytes: WINDOW_BYTES_MAX as u64 / 2,
            ping_ms: self.links.ping_ms,
            dead_ms: self.links.dead_ms,
        };
        let session = Session::new(config, heads.clone(), now)
            .map_err(|error| StoreError::Damaged { table: "site_head", why: error.to_string() })?;
        Ok((site, LinkCore::new(session, number, own, &heads)))
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
            let deadline = self.core.poll_timeout().map(|(at, _)| at.ms_since(self.clock.now()));
            let wait = deadline.map_or(Duration::MAX, Duration::from_millis);
            let step = tokio::select! {
                () = stopping.cancelled() => Err(LinkEnd::Stopping),
                heard = socket.next() => self.hear(heard),
                Some(done) = self.work.join_next(), if !self.work.is_empty() => {
                    self.core.done(done.unwrap_or_else(|error| broken(&error)), self.clock.now())
                }
                changed = heads.changed() => changed.map_err(|_| LinkEnd::Stopping).map(|()| {
                    let heads = heads.borrow_and_update().clone();
                    self.core.durable(&heads, &self.site.keys());
                }),
                changed = wants.changed() => changed.map_err(|_| LinkEnd::Stopping).map(|()| {
                    self.core.want(wants.borrow_and_update().clone());
                }),
                changed = link.changed() => changed.map_err(|_| LinkEnd::Stopping).and_then(|()| {
                    self.core.links_are(&link.borrow_and_update())
                }),
                () = async { let _over = tokio::time::timeout(wait, std::future::pending::<()>()).await; } => {
                    self.core.handle_timeout(self.clock.now())
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
            while let Some(news) = self.core.poll_news() {
                self.tell(news);
            }
            while let Some(errand) = self.core.poll_errand() {
                self.work.spawn(run(self.sites.clone(), self.site.clone(), self.core.number(), errand));
            }
            let Some(frame) = self.core.poll_frame()? else { return Ok(()) };
            metrics::counter!("pilotlight_link_bytes_total", "direction" => "out").increment(frame.len() as u64);
            let sent = tokio::time::timeout(SEND_MS_MAX, socket.send(Message::Frame(frame))).await;
            sent.map_err(|_| LinkEnd::Stuck)?.map_err(|_| LinkEnd::Gone(1006))?;
        }
    }

    fn tell(&self, news: News) {
        let (site, number) = (self.site.facts.id, self.core.number());
        let session = number.number;
        match news {
            News::Open(peer) => {
                tracing::info!(%site, session, node = %peer.own, "a node's link is open");
                self.site.link.up(number, peer.own, self.sites.clock().now());
            }
            News::WentBack => {
                tracing::error!(%site, session, "the relay's own log is behind what its node has: the site is closed");
                self.site.link.relay_went_back(self.sites.clock().now());
            }
            News::Wanted { by, wants } => {
                let site = self.site.clone();
                // Beside the link: what was not given is asked for again.
                tokio::spawn(async move {
                    if let Err(error) = grant::give(&site, by, wants).await {
                        tracing::warn!(site = %site.facts.id, %error, "a node's wishes for stock could not be answered");
                    }
                });
            }
        }
    }

    fn hear<E>(&mut self, heard: Option<Result<Message, E>>) -> Result<(), LinkEnd> {
        match heard {
            None | Some(Err(_)) => Err(LinkEnd::Gone(1006)),
            Some(Ok(Message::Close(code, _))) => Err(LinkEnd::Gone(code)),
            Some(Ok(Message::Other)) => Ok(()),
            Some(Ok(Message::Frame(bytes))) => {
                metrics::counter!("pilotlight_link_bytes_total", "direction" => "in").increment(bytes.len() as u64);
                let heads = self.site.heads().borrow().clone();
                self.core.hear(&bytes, &heads, &self.site.keys(), self.clock.now())
            }
        }
    }

    /// Says once why a node was refused: one that comes again and again does not fill the log.
    fn tell_end(&self, end: &LinkEnd) {
        let site = self.site.facts.id;
        match end {
            LinkEnd::Broken(_) | LinkEnd::Apply(_) if self.site.link.first_time(end.word()) => {
                tracing::warn!(%site, session = self.core.number().number, word = end.word(), %end, "a node was refused; told once for each word");
            }
            LinkEnd::Log(_) | LinkEnd::Store => {
                tracing::error!(%site, session = self.core.number().number, %end, "a link ended")
            }
            LinkEnd::Broken(_)
            | LinkEnd::Apply(_)
            | LinkEnd::Stopping
            | LinkEnd::Superseded
            | LinkEnd::Gone(_)
            | LinkEnd::Stuck => {
                tracing::info!(%site, session = self.core.number().number, %end, "a link ended");
            }
        }
    }
}

fn broken(error: &tokio::task::JoinError) -> Done {
    tracing::error!(%error, "a link's work broke off");
    Done::Failed(LinkEnd::Store)
}

async fn run(sites: Arc<Sites>, site: SiteHandle, session: NodeSession, errand: Errand) -> Done {
    let store = site.store(sites.database());
    let Errand::Apply(batches) = &errand else { return link_core::run(&site, &store, session, errand).await };
    // A semaphore that is never closed gives its permit in the end.
    let commits: usize = batches.iter().map(|(entries, _)| entries.len()).sum();
    let _permit = if commits >= BULK_COMMITS { sites.bulk.acquire().await.ok() } else { None };
    let watch = Stopwatch::start();
    let done = link_core::run(&site, &store, session, errand).await;
    metrics::histogram!("pilotlight_link_apply_seconds").record(watch.elapsed().as_secs_f64());
    done
}
