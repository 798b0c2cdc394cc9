//! Moves bytes between one WebSocket, one session and the store thread. It decides nothing: what comes next is the session's word.
//!
//! Reading, writing, applying and reading the log go on beside one another; the session's window bounds what is under way.

use crate::store::store_handle::{Applied, StoreHandle};
use crate::uplink::link_state::LinkBoard;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, SplitSink};
use futures_util::{FutureExt, SinkExt, StreamExt};
use pilotlight_edge::clock::{Clock, Stopwatch};
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::replica::ApplyError;
use pilotlight_sync::doc::replica::Position;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::GROUP_COMMITS_MAX;
use pilotlight_sync::protocol::{BadLog, Event, ForkKind, Session, Violation, Want};
use pilotlight_sync::store::{LogEntry, Seal};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_util::sync::CancellationToken;

/// Log entries read in one turn of the store thread: orders wait behind it.
const READ_COMMITS_MAX: usize = 512;
/// Log entries read at once, so that bytes are counted before many are in memory.
const READ_STEP: usize = 64;
/// The goodbye must be taken within this time.
const GOODBYE_MS_MAX: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkEnd {
    /// The node stops, or the link is to be made anew.
    #[error("the link was closed here")]
    Closed,
    /// The relay has said nothing for too long.
    #[error("the relay has fallen silent")]
    Silent,
    /// The relay did what the protocol forbids.
    #[error("the relay broke the protocol: {0}")]
    Broken(Violation),
    /// The relay closed the connection, with a word of the protocol.
    #[error("the relay refused: {0}")]
    Refused(Violation),
    /// The relay closed the connection.
    #[error("the relay closed the connection ({0})")]
    Gone(u16),
    /// The connection was lost.
    #[error("the connection was lost")]
    Lost(#[from] Box<SocketError>),
    /// The own log cannot be sent.
    #[error(transparent)]
    Log(#[from] BadLog),
    /// What came cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The store is closed, or opened again: it is asked anew where its logs end.
    #[error("the store did not confirm")]
    Store,
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

/// What the store thread has done.
enum Done {
    Page { origin: OriginId, from: u64, entries: Vec<LogEntry>, seals: Vec<Seal> },
    Hash { origin: OriginId, seq: u64, hash: Option<ChainHash> },
    Applied(Applied),
    Failed(LinkEnd),
}

type Work = FuturesUnordered<BoxFuture<'static, Done>>;

/// Everything that a connection needs beside its socket and session.
#[derive(Debug, Clone)]
pub(super) struct Driver {
    pub(super) store: StoreHandle,
    /// Where the own log ends.
    pub(super) head: watch::Receiver<Position>,
    pub(super) own: OriginId,
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
            LinkEnd::Broken(violation) => (violation.code(), violation.word()),
            LinkEnd::Silent => (Violation::Silent.code(), Violation::Silent.word()),
            LinkEnd::Closed => (1001, "stopping"),
            LinkEnd::Log(_) | LinkEnd::Apply(_) | LinkEnd::Store => (1011, "store"),
            LinkEnd::Refused(_) | LinkEnd::Gone(_) | LinkEnd::Lost(_) => return,
        };
        let frame = CloseFrame { code: code.into(), reason: word.into() };
        let _gone = tokio::time::timeout(GOODBYE_MS_MAX, self.sink.send(Message::Close(Some(frame)))).await;
    }
}

/// Serves one connection to its end. Wishes of the relay for stock rights go to `wants`.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(
    socket: WebSocketStream<S>,
    mut session: Session,
    mut driver: Driver,
    board: &LinkBoard,
    wants: &watch::Sender<Vec<Want>>,
) -> LinkEnd {
    let (sink, mut stream) = socket.split();
    let mut outbox = Outbox { sink, next: None, unflushed: false };
    let (mut work, mut batches) = (Work::new(), Batches::default());
    // A commit between reading the heads and here is told at once.
    driver.head.mark_changed();
    let end = loop {
        if let Err(end) = advance(&mut session, &driver, &mut work, &mut batches, &mut outbox.next, board, wants) {
            break end;
        }
        let wait = session
            .poll_timeout()
            .map_or(Duration::MAX, |(at, _)| Duration::from_millis(at.ms_since(driver.clock.now())));
        let step = tokio::select! {
            () = driver.stop.cancelled() => Err(LinkEnd::Closed),
            heard = stream.next() => hear(&mut session, heard, driver.clock.now()),
            Some(done) = work.next(), if !work.is_empty() => take(&mut session, &mut batches, done, driver.clock.now()),
            changed = driver.head.changed() => match changed {
                Ok(()) => own_head(&mut session, &driver.head.borrow_and_update(), &driver.own),
                Err(_) => Err(LinkEnd::Closed),
            },
            sent = outbox.step(), if outbox.is_busy() => sent.map_err(LinkEnd::from),
            () = async { let _over = tokio::time::timeout(wait, std::future::pending::<()>()).await; } => {
                session.handle_timeout(driver.clock.now()).map_err(|_silent| LinkEnd::Silent)
            }
        };
        if let Err(end) = step {
            break end;
        }
    };
    outbox.close(&end).await;
    end
}

/// Does what the session wants done, and fetches the next frame if there is room for it.
fn advance(
    session: &mut Session,
    driver: &Driver,
    work: &mut Work,
    batches: &mut Batches,
    next: &mut Option<Message>,
    board: &LinkBoard,
    wants: &watch::Sender<Vec<Want>>,
) -> Result<(), LinkEnd> {
    while let Some(event) = session.poll_event() {
        match event {
            Event::Opened(peer) => {
                tracing::info!(epoch = peer.epoch, relay = %peer.own, "the link to the relay is open");
                board.online(driver.shown.now());
            }
            Event::NeedLog { origin, from, commits_max, bytes_max } => {
                work.push(page(driver.store.clone(), origin, from, commits_max, bytes_max));
            }
            Event::NeedHash { origin, seq } => work.push(hash(driver.store.clone(), origin, seq)),
            Event::Apply { entries, seal } => {
                metrics::counter!("pilotlight_link_commits_applied_total").increment(entries.len() as u64);
                batches.waiting.push_back((entries, seal));
            }
            Event::Acked { origin, seq } if origin == driver.own => board.acked(origin, seq),
            Event::Acked { .. } => {}
            Event::Forked(fork) => {
                let rolled_back = fork.kind == ForkKind::RolledBack;
                tracing::error!(origin = %fork.origin, seq = fork.seq, rolled_back, "the relay has another log of this origin");
                metrics::counter!("pilotlight_link_forks_total").increment(1);
                if fork.origin == driver.own {
                    board.forked();
                }
            }
            Event::Wanted(wanted) => drop(wants.send_replace(wanted)),
            // The relay's open orders come as commits too; until then nothing here needs them sooner.
            Event::OpenSet(_) => {}
        }
    }
    work.extend(batches.next(&driver.store));
    if next.is_none() {
        *next = session.poll_frame()?.map(|frame| Message::Binary(frame.into()));
    }
    Ok(())
}

fn hear(session: &mut Session, heard: Option<Result<Message, SocketError>>, now: Timestamp) -> Result<(), LinkEnd> {
    match heard {
        None => Err(LinkEnd::Gone(1006)),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(Message::Binary(bytes))) => {
            metrics::counter!("pilotlight_link_bytes_total", "direction" => "in").increment(bytes.len() as u64);
            session.handle_frame(&bytes, now).map_err(LinkEnd::Broken)?;
            if let Some(ms) = session.round_trip_ms() {
                metrics::gauge!("pilotlight_link_round_trip_ms").set(ms as f64);
            }
            Ok(())
        }
        Some(Ok(Message::Close(frame))) => {
            let code = frame.map_or(1005, |frame| frame.code.into());
            Err(Violation::from_code(code).map_or(LinkEnd::Gone(code), LinkEnd::Refused))
        }
        Some(Ok(Message::Text(_))) => Err(LinkEnd::Broken(Violation::Malformed)),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
    }
}

fn take(session: &mut Session, batches: &mut Batches, done: Done, now: Timestamp) -> Result<(), LinkEnd> {
    match done {
        Done::Page { origin, from, entries, seals } => session.handle_log(origin, from, entries, &seals)?,
        Done::Hash { origin, seq, hash } => {
            tracing::debug!(%origin, seq, "looked up where the relay's log ends");
            session.handle_hash(origin, hash, now);
        }
        Done::Applied(applied) => batches.done(session, applied)?,
        Done::Failed(end) => return Err(end),
    }
    Ok(())
}

/// The own log has grown, or is another's: the store went on under a new name.
fn own_head(session: &mut Session, position: &Position, own: &OriginId) -> Result<(), LinkEnd> {
    if position.origin != *own {
        return Err(LinkEnd::Store);
    }
    session.handle_durable(position.origin, position.head);
    Ok(())
}

fn page(
    store: StoreHandle,
    origin: OriginId,
    from: u64,
    commits_max: usize,
    bytes_max: usize,
) -> BoxFuture<'static, Done> {
    let read = async move {
        let page = store.read(move |replica, _| {
            let (mut entries, mut bytes) = (Vec::new(), 0);
            while entries.len() < commits_max.min(READ_COMMITS_MAX) {
                let step = replica.log(&origin, from + entries.len() as u64, READ_STEP)?;
                let (found, before) = (step.len(), entries.len());
                for entry in step {
                    bytes += entry.bytes.len();
                    if bytes > bytes_max && !entries.is_empty() {
                        break;
                    }
                    entries.push(entry);
                }
                if found < READ_STEP || entries.len() < before + found {
                    break;
                }
            }
            let to = from + entries.len() as u64;
            let seals = replica.seals(&origin, from, to)?;
            Ok((entries, seals))
        });
        match page.await {
            Ok((entries, seals)) => Done::Page { origin, from, entries, seals },
            Err(_) => Done::Failed(LinkEnd::Store),
        }
    };
    read.boxed()
}

fn hash(store: StoreHandle, origin: OriginId, seq: u64) -> BoxFuture<'static, Done> {
    let read = async move {
        let found = store.read(move |replica, _| Ok(replica.log(&origin, seq, 1)?.into_iter().next()));
        match found.await {
            Ok(entry) => {
                let entry = entry.filter(|entry| entry.head.seq == seq);
                Done::Hash { origin, seq, hash: entry.map(|entry| entry.head.hash) }
            }
            Err(_) => Done::Failed(LinkEnd::Store),
        }
    };
    read.boxed()
}

/// Batches that wait to be applied: in the order they came, one group at a time, so that none overtakes.
#[derive(Debug, Default)]
struct Batches {
    waiting: VecDeque<(Vec<LogEntry>, Seal)>,
    busy: bool,
}

impl Batches {
    /// The next group, when none is under way: as many as one store transaction takes.
    fn next(&mut self, store: &StoreHandle) -> Option<BoxFuture<'static, Done>> {
        if self.busy {
            return None;
        }
        let (mut group, mut commits) = (Vec::new(), 0);
        while let Some((entries, _)) = self.waiting.front() {
            commits += entries.len();
            if commits > GROUP_COMMITS_MAX && !group.is_empty() {
                break;
            }
            group.extend(self.waiting.pop_front());
        }
        if group.is_empty() {
            return None;
        }
        self.busy = true;
        let store = store.clone();
        let apply = async move { store.apply(group).await.map_or(Done::Failed(LinkEnd::Store), Done::Applied) };
        Some(apply.boxed())
    }

    /// A group is done: what is durable is told to the session, what was not taken is asked for again.
    fn done(&mut self, session: &mut Session, applied: Applied) -> Result<(), LinkEnd> {
        self.busy = false;
        for (origin, refused) in applied.refused {
            match refused {
                ApplyError::NotYet { .. } | ApplyError::Gap { .. } => {}
                ApplyError::Fork { .. } | ApplyError::Ours { .. } => return Err(refused.into()),
            }
            self.waiting.retain(|(_, seal)| seal.origin != origin);
            session.handle_dropped(origin, applied.heads.get(&origin).copied().unwrap_or_else(|| Head::start(&origin)));
        }
        for (origin, head) in applied.heads {
            session.handle_durable(origin, head);
        }
        Ok(())
    }
}
