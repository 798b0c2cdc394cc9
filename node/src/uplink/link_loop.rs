//! Moves bytes between one WebSocket, to the relay or to another node, one connection's core and the store thread. It decides nothing:
//! what comes next is the core's word.
//!
//! Reading, writing, applying and reading the log go on beside one another; the session's window bounds what is under way.

use crate::store::replica::{Replica, Tail};
use crate::store::store_handle::{RunError, StoreHandle};
use crate::uplink::link_core::{Done, Errand, LinkCore, LinkFault, News, read_page};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, SplitSink};
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use pilotlight_edge::clock::{Clock, Stopwatch};
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::{Opened, Violation, Want};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::sync::CancellationToken;

/// The goodbye must be taken within this time.
const GOODBYE_MS_MAX: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkEnd {
    /// The node stops, or the link is to be made anew.
    #[error("the link was closed here")]
    Closed,
    /// The session or the store cannot go on.
    #[error(transparent)]
    Fault(#[from] LinkFault),
    /// The relay closed the connection, with a word of the protocol.
    #[error("the relay refused: {0}")]
    Refused(Violation),
    /// The relay closed the connection.
    #[error("the relay closed the connection ({0})")]
    Gone(u16),
    /// The relay is busy: it asks to be dialled again after so many milliseconds.
    #[error("the relay is busy")]
    Busy(u64),
    /// The connection was lost.
    #[error("the connection was lost")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl LinkEnd {
    fn lost(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Lost(Box::new(error))
    }
}

/// Who hears how a link is.
pub(crate) trait Told: Send + Sync {
    /// Somebody is dialled, or has dialled.
    fn dialling(&self, url: &str, now: Timestamp);
    /// Both have greeted.
    fn online(&self, peer: &Opened, now: Timestamp);
    /// The other side's disk has this log up to here.
    fn acked(&self, origin: OriginId, seq: u64);
    /// The other side has another log of this node's.
    fn forked(&self);
    /// The other side would like to have rights.
    fn wanted(&self, by: OriginId, wants: Vec<Want>);
    /// The connection was lost, or could not be made.
    fn lost(&self, why: String, now: Timestamp);
}

/// Time of one connection: real, and never going back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkClock {
    began: Timestamp,
    since: Stopwatch,
}

impl LinkClock {
    pub(crate) fn start(now: Timestamp) -> Self {
        Self { began: now, since: Stopwatch::start() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.began.plus_ms(self.lasted_ms())
    }

    pub(crate) fn lasted_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Where the logs end on this node's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    /// Which is the own one.
    pub own: OriginId,
    /// All of them.
    pub all: BTreeMap<OriginId, Head>,
    /// What their seals are checked with.
    pub keys: BTreeMap<OriginId, [u8; 32]>,
    /// The end of the own one.
    pub tail: Arc<Tail>,
}

impl Heads {
    /// Of this replica, after a flushed group.
    pub fn of(replica: &Replica) -> Self {
        let state = replica.state();
        let own = replica.identity().origin;
        Self { own, all: state.heads().clone(), keys: state.keys(), tail: replica.tail() }
    }
}

type Work = FuturesUnordered<BoxFuture<'static, Done>>;

/// Everything that a connection needs beside its socket and session.
#[derive(Debug, Clone)]
pub(crate) struct Driver {
    pub(super) store: StoreHandle,
    /// Where the logs end, and which is the own one.
    pub(super) heads: watch::Receiver<Arc<Heads>>,
    pub(super) clock: LinkClock,
    /// Rights that this node would like to have.
    pub(super) asks: watch::Receiver<Vec<Want>>,
    /// What people are told the time by.
    pub(super) shown: Clock,
    pub(super) stop: CancellationToken,
}

/// Frames on their way out: one at most, and the socket's own buffer.
struct Outbox<W> {
    sink: SplitSink<W, Message>,
    next: Option<Message>,
    unflushed: bool,
}

impl<E, W: Sink<Message, Error = E> + Unpin> Outbox<W> {
    fn is_busy(&self) -> bool {
        self.next.is_some() || self.unflushed
    }

    /// One step; may be broken off at any time.
    async fn step(&mut self) -> Result<(), E> {
        if self.next.is_none() {
            self.sink.flush().await?;
            self.unflushed = false;
            return Ok(());
        }
        std::future::poll_fn(|context| self.sink.poll_ready_unpin(context)).await?;
        if let Some(message) = self.next.take() {
            metrics::counter!("pilotlight_link_bytes_total", "direction" => "out").increment(message.len() as u64);
            self.sink.start_send_unpin(message)?;
            self.unflushed = true;
        }
        Ok(())
    }

    /// Says goodbye with a word of the protocol, if the other side still listens.
    async fn close(mut self, why: &LinkEnd) {
        let (code, word) = match why {
            LinkEnd::Fault(LinkFault::Broken(violation)) => (violation.code(), violation.word()),
            LinkEnd::Fault(LinkFault::Silent) => (Violation::Silent.code(), Violation::Silent.word()),
            LinkEnd::Fault(LinkFault::Log(_) | LinkFault::Apply(_) | LinkFault::Store) => (1011, "store"),
            LinkEnd::Closed => (1001, "stopping"),
            LinkEnd::Refused(_) | LinkEnd::Gone(_) | LinkEnd::Busy(_) | LinkEnd::Lost(_) => return,
        };
        let frame = CloseFrame { code: code.into(), reason: word.into() };
        let _gone = tokio::time::timeout(GOODBYE_MS_MAX, self.sink.send(Message::Close(Some(frame)))).await;
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve<W, E>(socket: W, mut core: LinkCore, mut driver: Driver, told: &dyn Told) -> LinkEnd
where
    W: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut peer = None;
    let (sink, mut stream) = socket.split();
    let mut outbox = Outbox { sink, next: None, unflushed: false };
    let mut work = Work::new();
    // A commit between reading the heads and here is told at once.
    driver.heads.mark_changed();
    let end = loop {
        if let Err(end) = advance(&mut core, &driver, &mut work, &mut outbox.next, told, &mut peer) {
            break end;
        }
        let wait =
            core.poll_timeout().map_or(Duration::MAX, |(at, _)| Duration::from_millis(at.ms_since(driver.clock.now())));
        let step = tokio::select! {
            () = driver.stop.cancelled() => Err(LinkEnd::Closed),
            heard = stream.next() => hear(&mut core, heard, &driver),
            Some(done) = work.next(), if !work.is_empty() => core.done(done, driver.clock.now()).map_err(LinkEnd::from),
            changed = driver.heads.changed() => match changed {
                Ok(()) => {
                    let heads = driver.heads.borrow_and_update().clone();
                    core.durable(heads.own, &heads.all, &heads.keys).map_err(LinkEnd::from)
                }
                Err(_) => Err(LinkEnd::Closed),
            },
            changed = driver.asks.changed() => match changed {
                Ok(()) => {
                    core.want(driver.asks.borrow_and_update().clone());
                    Ok(())
                }
                Err(_) => Err(LinkEnd::Closed),
            },
            sent = outbox.step(), if outbox.is_busy() => sent.map_err(LinkEnd::lost),
            () = async { let _over = tokio::time::timeout(wait, std::future::pending::<()>()).await; } => {
                core.handle_timeout(driver.clock.now()).map_err(LinkEnd::from)
            }
        };
        if let Err(end) = step {
            break end;
        }
    };
    outbox.close(&end).await;
    end
}

/// Tells what is new, sends the store on its errands, and fetches the next frame if there is room for it.
fn advance(
    core: &mut LinkCore,
    driver: &Driver,
    work: &mut Work,
    next: &mut Option<Message>,
    told: &dyn Told,
    peer: &mut Option<OriginId>,
) -> Result<(), LinkEnd> {
    while let Some(news) = core.poll_news() {
        match news {
            News::Open(opened) => {
                tracing::info!(epoch = opened.epoch, peer = %opened.own, "a link is open");
                *peer = Some(opened.own);
                told.online(&opened, driver.shown.now());
            }
            News::Acked { origin, seq } => told.acked(origin, seq),
            News::Forked => told.forked(),
            News::Wanted(wants) => {
                if let Some(by) = peer {
                    told.wanted(*by, wants);
                }
            }
            News::Parted(parted) => {
                // The store ends, tells and begins again under another name; then this connection ends too.
                let store = driver.store.clone();
                let noted = async move {
                    match store.part(parted).await {
                        Ok(()) => Done::Parted,
                        // It has had too many names: the other logs go on.
                        Err(RunError::Closed) => Done::NotParted,
                        Err(_) => Done::Failed,
                    }
                };
                work.push(noted.boxed());
            }
            News::RetryAfter(ms) => return Err(LinkEnd::Busy(ms)),
        }
    }
    while let Some(errand) = core.poll_errand() {
        let tail = driver.heads.borrow().tail.clone();
        work.push(run(driver.store.clone(), &tail, errand));
    }
    if next.is_none() {
        *next = core.poll_frame()?.map(|frame| Message::Binary(frame.into()));
    }
    Ok(())
}

fn hear<E: std::error::Error + Send + Sync + 'static>(
    core: &mut LinkCore,
    heard: Option<Result<Message, E>>,
    driver: &Driver,
) -> Result<(), LinkEnd> {
    match heard {
        None => Err(LinkEnd::Gone(1006)),
        Some(Err(error)) => Err(LinkEnd::lost(error)),
        Some(Ok(Message::Binary(bytes))) => {
            metrics::counter!("pilotlight_link_bytes_total", "direction" => "in").increment(bytes.len() as u64);
            let heads = driver.heads.borrow().clone();
            core.hear(&bytes, heads.own, &heads.all, &heads.keys, driver.clock.now())?;
            if let Some(ms) = core.round_trip_ms() {
                metrics::gauge!("pilotlight_link_round_trip_ms").set(ms as f64);
            }
            Ok(())
        }
        Some(Ok(Message::Close(frame))) => {
            let code = frame.map_or(1005, |frame| frame.code.into());
            Err(Violation::from_code(code).map_or(LinkEnd::Gone(code), LinkEnd::Refused))
        }
        Some(Ok(Message::Text(_))) => Err(LinkFault::Broken(Violation::Malformed).into()),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
    }
}

fn run(store: StoreHandle, tail: &Tail, errand: Errand) -> BoxFuture<'static, Done> {
    match errand {
        Errand::Page { origin, from, commits_max, bytes_max } => {
            // What has just been written is at hand.
            let tail = tail.page(&origin, from, commits_max, bytes_max);
            let read = async move {
                if let Some((entries, seals)) = tail {
                    return Done::Page { origin, from, entries, seals };
                }
                let page = store.read(move |replica, _| read_page(replica, &origin, from, commits_max, bytes_max));
                page.await.map_or(Done::Failed, |(entries, seals)| Done::Page { origin, from, entries, seals })
            };
            read.boxed()
        }
        Errand::Hash { origin, seq } => async move {
            let found = store.read(move |replica, _| replica.stored_hash(&origin, seq)).await;
            found.map_or(Done::Failed, |hash| Done::Hash { origin, seq, hash })
        }
        .boxed(),
        Errand::Apply(batches) => async move { store.apply(batches).await.map_or(Done::Failed, Done::Applied) }.boxed(),
    }
}
