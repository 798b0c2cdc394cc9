//! Moves bytes: accepts TLS connections, bounds what strangers may hold, and hands requests to the routes.
//!
//! A connection is a stranger's until a request on it has shown a good token. Strangers are few: when there are too many, the
//! one that has been here longest is closed; none stays longer than `STRANGER_MS_MAX`.

use crate::api::routes::Service;
use crate::body;
use anyhow::Context;
use http::HeaderMap;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that have not shown a good token.
const STRANGERS_MAX: usize = 512;
/// How long one may stay without showing a good token.
const STRANGER_MS_MAX: Duration = Duration::from_secs(30);
/// A TLS handshake must be done within this time.
pub const HANDSHAKE_MS_MAX: Duration = Duration::from_secs(5);
/// A request's head must be there within this time of its first byte, or of the last answer.
const HEAD_MS_MAX: Duration = Duration::from_secs(120);
/// HTTP/2 streams of one connection.
const STREAMS_MAX: u32 = 64;
/// Bytes of a body without a good token.
pub const STRANGER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a body with one.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// One accepted connection.
#[derive(Debug)]
pub struct Connection {
    /// Where it comes from.
    pub peer: SocketAddr,
    known: AtomicBool,
    close: CancellationToken,
}

impl Connection {
    /// A request on it has shown a good token: it is no stranger's any more.
    pub fn mark_known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Strangers(Mutex<VecDeque<Arc<Connection>>>);

impl Strangers {
    /// Takes a new connection in, and closes the oldest stranger when there are too many.
    fn enter(&self, peer: SocketAddr) -> Arc<Connection> {
        let connection = Arc::new(Connection { peer, known: AtomicBool::new(false), close: CancellationToken::new() });
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(connection.clone());
        if waiting.len() > STRANGERS_MAX {
            waiting.retain(|one| !one.is_known() && !one.close.is_cancelled());
        }
        while waiting.len() > STRANGERS_MAX {
            if let Some(oldest) = waiting.pop_front() {
                oldest.close.cancel();
                metrics::counter!("pilotlight_strangers_closed_total").increment(1);
            }
        }
        connection
    }

    fn leave(&self, connection: &Arc<Connection>) {
        connection.close.cancel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| !Arc::ptr_eq(one, connection));
    }
}

/// Binds the listener, so that its port is known before anything is served.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    };
    let socket = socket.context("making a socket")?;
    socket.set_reuseaddr(true).context("SO_REUSEADDR")?;
    socket.bind(address).with_context(|| format!("binding {address}: choose another with --listen"))?;
    socket.listen(BACKLOG).with_context(|| format!("listening on {address}"))
}

/// How many bytes the body of a request with these headers, to this path, may have.
pub type BodyLimit = Arc<dyn Fn(&HeaderMap, &str) -> usize + Send + Sync>;

/// A program that is served.
#[derive(Clone)]
pub struct Served {
    /// Its routes.
    pub service: Service,
    /// Its limit for bodies.
    pub body_limit: BodyLimit,
    /// Cancelled when it stops.
    pub stopping: CancellationToken,
    /// Its open WebSockets, which outlive the requests that opened them.
    pub sockets: TaskTracker,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("sockets", &self.sockets.len()).finish_non_exhaustive()
    }
}

/// Serves until the program stops, then lets requests in progress and sockets end.
pub async fn serve(served: Served, listener: TcpListener, tls: Arc<rustls::ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    let strangers = Arc::new(Strangers::default());
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = served.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors: strangers leave in time, and accepting goes on.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::task::yield_now().await;
                continue;
            }
        };
        let connection = strangers.enter(peer);
        let serving = Serving { served: served.clone(), acceptor: acceptor.clone(), connection };
        let strangers = strangers.clone();
        tasks.spawn(async move {
            let connection = serving.connection.clone();
            serving.run(stream).await;
            strangers.leave(&connection);
        });
    }
    tasks.close();
    served.sockets.close();
    let all_ended = async {
        tasks.wait().await;
        served.sockets.wait().await;
    };
    if tokio::time::timeout(Duration::from_secs(5), all_ended).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

struct Serving {
    served: Served,
    acceptor: TlsAcceptor,
    connection: Arc<Connection>,
}

impl Serving {
    async fn run(self, stream: TcpStream) {
        // Answers are small and wanted at once.
        let _slower = stream.set_nodelay(true);
        let handshake = tokio::time::timeout(HANDSHAKE_MS_MAX, self.acceptor.accept(stream));
        let tls = tokio::select! {
            () = self.connection.close.cancelled() => return,
            tls = handshake => match tls {
                Ok(Ok(tls)) => tls,
                Ok(Err(_)) | Err(_) => return,
            },
        };
        let (connection, body_limit) = (self.connection.clone(), self.served.body_limit.clone());
        let (inner, stopping) = (self.served.service.clone(), self.served.stopping.clone());
        let service = tower::service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            let limit = body_limit(request.headers(), request.uri().path());
            body::answer(inner.clone(), request, limit, stopping.clone())
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_MS_MAX).max_buf_size(64 * 1024);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(STREAMS_MAX);
        let serving = builder.serve_connection_with_upgrades(TokioIo::new(tls), TowerToHyperService::new(service));
        tokio::pin!(serving);
        let mut stranger_since = Some(Box::pin(tokio::time::timeout(STRANGER_MS_MAX, std::future::pending::<()>())));
        loop {
            tokio::select! {
                // A broken connection is the other side's business.
                _ended = serving.as_mut() => return,
                () = self.connection.close.cancelled(), if !self.connection.is_known() => return,
                () = async { if let Some(since) = &mut stranger_since { let _over = since.await; } }, if stranger_since.is_some() => {
                    stranger_since = None;
                    if !self.connection.is_known() {
                        metrics::counter!("pilotlight_strangers_closed_total").increment(1);
                        return;
                    }
                }
                () = self.served.stopping.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    let _ended = serving.as_mut().await;
                    return;
                }
            }
        }
    }
}
