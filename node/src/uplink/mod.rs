//! The links to the relay and to the site's other nodes: dials them, keeps the connections, says how they are. Without an enrolment
//! nothing is dialled.

pub mod backoff;
pub mod enrol;
pub mod link_core;
pub(crate) mod link_loop;
pub mod link_state;
pub mod pass;
pub mod siblings;

use crate::config::LinkConfig;
use crate::opening::Paths;
use crate::store::StoreError;
use crate::store::store_handle::StoreHandle;
use crate::uplink::backoff::Backoff;
use crate::uplink::enrol::{EnrolError, Enrolment, trust, whole};
use crate::uplink::link_core::{LinkCore, LinkFault, config};
pub use crate::uplink::link_loop::Heads;
use crate::uplink::link_loop::{Driver, LinkClock, LinkEnd, Told, serve};
use crate::uplink::link_state::LinkBoard;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use pilotlight_edge::clock::Clock;
use pilotlight_edge::tokens;
use pilotlight_sync::domain::id::{IngredientId, OriginId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::FRAME_BYTES_MAX;
use pilotlight_sync::protocol::{Opened, Session, Side, TooManyOrigins, Want};
use rustls::pki_types::ServerName;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;

/// Name, connection, TLS and WebSocket must be there within this time.
const DIAL_MS_MAX: Duration = Duration::from_secs(10);
/// A connection that lasted this long was a good one.
const GOOD_MS_MIN: u64 = 10_000;
/// The socket's own buffer, above which it is waited for.
const WRITE_BYTES: usize = 64 * 1024;
/// Wishes of others that wait to be answered; those beyond are made again.
const WISHES_WAITING_MAX: usize = 64;

/// What the links are made of: told once, when the node starts.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The store.
    pub store: StoreHandle,
    /// Where the logs end.
    pub heads: watch::Receiver<Arc<Heads>>,
    /// Whose site it is.
    pub site: SiteId,
    /// The time.
    pub clock: Clock,
    /// Cancelled when the node stops.
    pub stopping: CancellationToken,
    /// Timers.
    pub config: LinkConfig,
    /// Rights that this node would like to have.
    pub asks: watch::Receiver<Vec<Want>>,
}

/// Wishes for stock rights: those of others, by whom, and those of this node.
#[derive(Debug)]
pub struct Wishes {
    others: mpsc::Sender<(OriginId, Vec<Want>)>,
    own: watch::Sender<Vec<Want>>,
}

/// Where the wishes of others come out.
pub type WishesOfOthers = mpsc::Receiver<(OriginId, Vec<Want>)>;

impl Wishes {
    /// None yet.
    pub fn new() -> (Arc<Self>, WishesOfOthers) {
        let (others, of_others) = mpsc::channel(WISHES_WAITING_MAX);
        (Arc::new(Self { others, own: watch::Sender::new(Vec::new()) }), of_others)
    }

    /// Asks for stock rights; what was asked before and not yet sent is forgotten.
    pub fn ask(&self, wishes: Vec<(IngredientId, u64)>) {
        let wants = wishes.into_iter().map(|(ingredient, amount)| Want { ingredient, amount });
        self.own.send_replace(wants.collect());
    }

    /// What this node asks for.
    pub fn asked(&self) -> watch::Receiver<Vec<Want>> {
        self.own.subscribe()
    }

    pub(crate) fn wanted(&self, by: OriginId, wants: Vec<Want>) {
        // Who gets no answer asks again.
        let _full = self.others.try_send((by, wants));
    }
}

/// The link to the relay.
#[derive(Debug)]
pub struct Uplink {
    board: LinkBoard,
    enrolment: watch::Sender<Option<Enrolment>>,
    wishes: Arc<Wishes>,
    path: PathBuf,
}

/// Why the relay, or another node, could not be dialled, or the connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialEnd {
    #[error(transparent)]
    Trust(#[from] EnrolError),
    #[error("it does not answer in time")]
    TooSlow,
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it does not take this node in: {0}")]
    Unwelcome(String),
    #[error(transparent)]
    Origins(#[from] TooManyOrigins),
    #[error(transparent)]
    Link(#[from] LinkEnd),
}

impl Uplink {
    /// The link as it was left: enrolled, or not.
    pub fn open(paths: &Paths, wishes: Arc<Wishes>) -> Result<Self, StoreError> {
        let path = paths.uplink();
        let enrolment = Enrolment::load(&path)?;
        Ok(Self { board: LinkBoard::new(), enrolment: watch::Sender::new(enrolment), wishes, path })
    }

    /// How the link is.
    pub fn board(&self) -> &LinkBoard {
        &self.board
    }

    /// The relay this node belongs to, if any.
    pub fn relay_url(&self) -> Option<String> {
        self.enrolment.borrow().as_ref().map(|enrolment| enrolment.relay_url.clone())
    }

    /// Keeps what the relay has answered, durably, and dials it.
    pub fn enrolled(&self, enrolment: Enrolment, now: Timestamp) -> Result<(), StoreError> {
        enrolment.save(&self.path)?;
        self.board.dialling(&enrolment.relay_url, now);
        self.enrolment.send_replace(Some(enrolment));
        Ok(())
    }

    /// Dials and serves until the node stops.
    pub async fn run(&self, parts: Parts) {
        keep(&parts, self.enrolment.subscribe(), self, "relay").await;
    }
}

impl Told for Uplink {
    fn dialling(&self, url: &str, now: Timestamp) {
        self.board.dialling(url, now);
    }

    fn online(&self, _: &Opened, now: Timestamp) {
        self.board.online(now);
    }

    fn acked(&self, origin: OriginId, seq: u64) {
        self.board.acked(origin, seq);
    }

    fn forked(&self) {
        self.board.forked();
    }

    fn wanted(&self, by: OriginId, wants: Vec<Want>) {
        self.wishes.wanted(by, wants);
    }

    fn lost(&self, why: String, now: Timestamp) {
        self.board.lost(now, why);
    }
}

/// Dials whom the enrolment names, and serves, until the node stops. `whom` is for the log.
pub(crate) async fn keep(
    parts: &Parts,
    mut enrolments: watch::Receiver<Option<Enrolment>>,
    told: &dyn Told,
    whom: &'static str,
) {
    let mut backoff = Backoff::new(parts.config.backoff_max_ms);
    let mut last_why = None;
    loop {
        let Some(enrolment) = enrolments.borrow_and_update().clone() else {
            tokio::select! {
                () = parts.stopping.cancelled() => return,
                changed = enrolments.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            }
        };
        told.dialling(&enrolment.relay_url, parts.clock.now());
        let clock = LinkClock::start(parts.clock.real());
        let end = tokio::select! {
            end = connect(parts, &enrolment, clock, told) => end,
            // Another enrolment: this connection's token is worth nothing any more.
            changed = enrolments.changed() => {
                if changed.is_err() {
                    return;
                }
                backoff.reset();
                continue;
            }
        };
        if parts.stopping.is_cancelled() {
            return;
        }
        told.lost(end.to_string(), parts.clock.now());
        metrics::counter!("pilotlight_link_ended_total", "whom" => whom).increment(1);
        if clock.lasted_ms() >= GOOD_MS_MIN {
            backoff.reset();
            last_why = None;
        }
        let random = tokens::random().map_or(u64::MAX, u64::from_le_bytes);
        let wait = match &end {
            DialEnd::Link(LinkEnd::Busy(ms)) => Backoff::asked_ms(*ms, random),
            DialEnd::Trust(_)
            | DialEnd::TooSlow
            | DialEnd::Unreachable(_)
            | DialEnd::Unwelcome(_)
            | DialEnd::Origins(_)
            | DialEnd::Link(_) => backoff.next_ms(random),
        };
        let (why, url) = (whole(&end), &enrolment.relay_url);
        if last_why.as_ref() == Some(&why) {
            tracing::debug!(why, whom, url, wait_ms = wait, "dialled again");
        } else {
            tracing::warn!(why, whom, url, "a link is down; it is dialled again, and told when the reason changes");
            last_why = Some(why);
        }
        tokio::select! {
            () = parts.stopping.cancelled() => return,
            changed = enrolments.changed() => match changed {
                Ok(()) => backoff.reset(),
                Err(_) => return,
            },
            () = async { let _over = timeout(Duration::from_millis(wait), std::future::pending::<()>()).await; } => {}
        }
    }
}

async fn connect(parts: &Parts, enrolment: &Enrolment, clock: LinkClock, told: &dyn Told) -> DialEnd {
    // The machine's CAs are files: they are read beside the others' work, and again each time, because they change.
    let ca_pem = enrolment.ca_pem.clone();
    let tls = match tokio::task::spawn_blocking(move || trust(ca_pem.as_deref())).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return error.into(),
        Err(_) => return LinkEnd::Closed.into(),
    };
    let dialled = timeout(DIAL_MS_MAX, dial(enrolment, tls)).await;
    let socket = match dialled {
        Ok(Ok(socket)) => socket,
        Ok(Err(end)) => return end,
        Err(_) => return DialEnd::TooSlow,
    };
    let core = match begin(parts, Side::Dialer, (enrolment.relay_origin, enrolment.relay_key), clock).await {
        Ok(core) => core,
        Err(end) => return end,
    };
    serve(socket, core, driver(parts, clock), told).await.into()
}

pub(crate) fn driver(parts: &Parts, clock: LinkClock) -> Driver {
    Driver {
        store: parts.store.clone(),
        heads: parts.heads.clone(),
        clock,
        asks: parts.asks.clone(),
        shown: parts.clock.clone(),
        stop: parts.stopping.clone(),
    }
}

async fn dial(
    enrolment: &Enrolment,
    tls: Arc<rustls::ClientConfig>,
) -> Result<WebSocketStream<TlsStream<TcpStream>>, DialEnd> {
    let unreachable = |error: &dyn std::error::Error| DialEnd::Unreachable(whole(error));
    let uri: http::Uri = enrolment.relay_url.parse().map_err(|_| EnrolError::BadUrl(enrolment.relay_url.clone()))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await;
    let stream = stream.map_err(|error| unreachable(&error))?;
    // An acknowledgement is small and wanted at once.
    let _slower = stream.set_nodelay(true);
    let name = ServerName::try_from(host).map_err(|error| unreachable(&error))?;
    let stream = TlsConnector::from(tls).connect(name, stream).await.map_err(|error| unreachable(&error))?;
    let address = enrolment.relay_url.replacen("https://", "wss://", 1) + "/sync";
    let mut request = address.into_client_request().map_err(|error| unreachable(&error))?;
    let token = HeaderValue::try_from(format!("Bearer {}", enrolment.token));
    request.headers_mut().insert(AUTHORIZATION, token.map_err(|error| unreachable(&error))?);
    let limits = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(WRITE_BYTES + 2 * FRAME_BYTES_MAX);
    let upgraded = tokio_tungstenite::client_async_with_config(request, stream, Some(limits)).await;
    match upgraded {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
            Err(DialEnd::Unwelcome(answer.status().to_string()))
        }
        Err(error) => Err(unreachable(&error)),
    }
}

/// A connection that begins where the store's logs end now; `peer` is who the other side was at enrolment.
pub(crate) async fn begin(
    parts: &Parts,
    side: Side,
    peer: (OriginId, [u8; 32]),
    clock: LinkClock,
) -> Result<LinkCore, DialEnd> {
    let (site, timers) = (parts.site, parts.config.clone());
    let read = parts
        .store
        .read(move |replica, _| Ok((config(replica, site, side, peer, &timers), replica.state().heads().clone())));
    let (config, heads) = read.await.map_err(|_| LinkEnd::from(LinkFault::Store))?;
    let own = config.own;
    Ok(LinkCore::new(Session::new(config, heads.clone(), clock.now())?, own, &heads))
}

#[cfg(test)]
mod tests;
