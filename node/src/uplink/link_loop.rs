//! Moves bytes between one WebSocket, one connection's core and the store thread. It decides nothing: what comes next is the core's word.
//!
//! Reading, writing, applying and reading the log go on beside one another; the session's window bounds what is under way.

use crate::store::store_handle::StoreHandle;
use crate::uplink::link_core::{Done, Errand, LinkCore, LinkFault, News, read_hash, read_page};
use crate::uplink::link_state::LinkBoard;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, SplitSink};
use futures_util::{FutureExt, SinkExt, StreamExt};
use pilotlight_edge::clock::{Clock, Stopwatch};
use pilotlight_sync::doc::replica::Position;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::{Violation, Want};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_util::sync::CancellationToken;

/// The goodbye must be taken within this time.
const GOODBYE_MS_MAX: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkEnd {
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
    Lost(#[from] Box<SocketError>),
}

impl From<SocketError> for LinkEnd {
    fn from(error: SocketError) -> Self {
        Self::Lost(Box::new(error))
    }
}

/// Time of one connection: real, and never going back.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkClock {
    began: Timestamp,
    since: Stopwatch,
}

impl LinkClock {
    pub(super) fn start(now: Timestamp) -> Self {
        Self { began: now, since: Stopwatch::start() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.began.plus_ms(self.lasted_ms())
    }

    pub(super) fn lasted_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

type Work = FuturesUnordered<BoxFuture<'static, Done>>;

/// Everything that a connection needs beside its socket and session.
#[derive(Debug, Clone)]
pub(super) struct Driver {
    pub(super) store: StoreHandle,
    /// Where the own log ends.
    pub(super) head: watch::Receiver<Position>,
    pub(super) clock: LinkClock,
    /// What people are told the time by.
    pub(super) shown: Clock,
    pub(super) stop: CancellationToken,
}

/// Frames on their way out: one at most, and the socket's own buffer.
struct Outbox<S> {
    sink: SplitSink<WebSocketStream<S>, Message>,
    next: Option<Message>,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outbox<S> {
    fn is_busy(&self) -> bool {
        self.next.is_some() || self.unflushed
    }

    /// One step; may be broken off at any time.
    async fn step(&mut self) -> Result<(), SocketError> {
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

/// Serves one connection to its end. Wishes of the relay for stock rights go to `wants`.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(
    socket: WebSocketStream<S>,
    mut core: LinkCore,
    mut driver: Driver,
    board: &LinkBoard,
    wants: &watch::Sender<Vec<Want>>,
) -> LinkEnd {
    let (sink, mut stream) = socket.split();
    let mut outbox = Outbox { sink, next: None, unflushed: false };
    let mut work = Work::new();
    // A commit between reading the heads and here is told at once.
    driver.head.mark_changed();
    let end = loop {
        if let Err(end) = advance(&mut core, &driver, &mut work, &mut outbox.next, board, wants) {
            break end;
        }
        let wait =
            core.poll_timeout().map_or(Duration::MAX, |(at, _)| Duration::from_millis(at.ms_since(driver.clock.now())));
        let step = tokio::select! {
            () = driver.stop.cancelled() => Err(LinkEnd::Closed),
            heard = stream.next() => hear(&mut core, heard, driver.clock.now()),
            Some(done) = work.next(), if !work.is_empty() => core.done(done, driver.clock.now()).map_err(LinkEnd::from),
            changed = driver.head.changed() => match changed {
                Ok(()) => core.own_head(&driver.head.borrow_and_update()).map_err(LinkEnd::from),
                Err(_) => Err(LinkEnd::Closed),
            },
            sent = outbox.step(), if outbox.is_busy() => sent.map_err(LinkEnd::from),
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
    board: &LinkBoard,
    wants: &watch::Sender<Vec<Want>>,
) -> Result<(), LinkEnd> {
    while let Some(news) = core.poll_news() {
        match news {
            News::Open(peer) => {
                tracing::info!(epoch = peer.epoch, relay = %peer.own, "the link to the relay is open");
                board.online(driver.shown.now());
            }
            News::Acked { origin, seq } => board.acked(origin, seq),
            News::Forked => board.forked(),
            News::Wanted(wanted) => drop(wants.send_replace(wanted)),
            News::RetryAfter(ms) => return Err(LinkEnd::Busy(ms)),
        }
    }
    while let Some(errand) = core.poll_errand() {
        work.push(run(driver.store.clone(), errand));
    }
    if next.is_none() {
        *next = core.poll_frame()?.map(|frame| Message::Binary(frame.into()));
    }
    Ok(())
}

fn hear(core: &mut LinkCore, heard: Option<Result<Message, SocketError>>, now: Timestamp) -> Result<(), LinkEnd> {
    match heard {
        None => Err(LinkEnd::Gone(1006)),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(Message::Binary(bytes))) => {
            metrics::counter!("pilotlight_link_bytes_total", "direction" => "in").increment(bytes.len() as u64);
            core.hear(&bytes, now)?;
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

fn run(store: StoreHandle, errand: Errand) -> BoxFuture<'static, Done> {
    match errand {
        Errand::Page { origin, from, commits_max, bytes_max } => async move {
            let page = store.read(move |replica, _| read_page(replica, &origin, from, commits_max, bytes_max));
            page.await.map_or(Done::Failed, |(entries, seals)| Done::Page { origin, from, entries, seals })
        }
        .boxed(),
        Errand::Hash { origin, seq } => async move {
            let found = store.read(move |replica, _| read_hash(replica, &origin, seq)).await;
            found.map_or(Done::Failed, |hash| Done::Hash { origin, seq, hash })
        }
        .boxed(),
        Errand::Apply(batches) => async move { store.apply(batches).await.map_or(Done::Failed, Done::Applied) }.boxed(),
    }
}
