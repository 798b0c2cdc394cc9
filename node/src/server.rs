//! Moves bytes: accepts TLS connections, bounds what strangers may hold, and hands requests to the routes.
//!
//! A connection is a stranger's until a request on it has shown a good token. Strangers are few: when there are too many, the
//! one that has been here longest is closed; none stays longer than `STRANGER_MS_MAX`.

use crate::api::call::{bearer, respond};
use crate::api::problem::body_too_large;
use crate::api::routes::{self, Service, boxed_body};
use crate::app::App;
use crate::recovery::RecoveryDesk;
use anyhow::Context;
use http_body_util::Limited;
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
const HANDSHAKE_MS_MAX: Duration = Duration::from_secs(5);
/// A request's head must be there within this time of its first byte, or of the last answer.
const HEAD_MS_MAX: Duration = Duration::from_secs(120);
/// HTTP/2 streams of one connection.
const STREAMS_MAX: u32 = 64;
/// Bytes of a body without a good token, with one, and of an import with one.
const STRANGER_BYTES_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: usize = 256 * 1024;
const IMPORT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// One accepted connection.
#[derive(Debug)]
pub struct Connection {
    /// Where it comes from.
    pub peer: SocketAddr,
    paired: AtomicBool,
    close: CancellationToken,
}

impl Connection {
    /// A request on it has shown a good token: it is no stranger's any more.
    pub fn mark_paired(&self) {
        self.paired.store(true, Ordering::Relaxed);
    }

    fn is_paired(&self) -> bool {
        self.paired.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Strangers(Mutex<VecDeque<Arc<Connection>>>);

impl Strangers {
    /// Takes a new connection in, and closes the oldest stranger when there are too many.
    fn enter(&self, peer: SocketAddr) -> Arc<Connection> {
        let connection = Arc::new(Connection { peer, paired: AtomicBool::new(false), close: CancellationToken::new() });
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back(connection.clone());
        if waiting.len() > STRANGERS_MAX {
            waiting.retain(|one| !one.is_paired() && !one.close.is_cancelled());
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

/// Serves the recovery page of a node without a store, until a manager has decided.
pub async fn serve_recovery(desk: Arc<RecoveryDesk>, listener: TcpListener, tls: Arc<rustls::ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    let routes = routes::recovery_service(&desk);
    loop {
        let accepted = tokio::select! {
            () = desk.decided.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let (acceptor, routes, decided) = (acceptor.clone(), routes.clone(), desk.decided.clone());
        tokio::spawn(async move {
            let Ok(Ok(tls)) = tokio::time::timeout(HANDSHAKE_MS_MAX, acceptor.accept(stream)).await else { return };
            let service = tower::service_fn(move |request: http::Request<Incoming>| {
                tower::ServiceExt::oneshot(routes.clone(), request.map(|body| Limited::new(body, 1024)))
            });
            let builder = Builder::new(TokioExecutor::new());
            let serving = builder.serve_connection(TokioIo::new(tls), TowerToHyperService::new(service));
            tokio::pin!(serving);
            // The page may stay open in a browser: what was asked is answered, then the connection ends.
            tokio::select! {
                _ended = serving.as_mut() => {}
                () = decided.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    let _ended = tokio::time::timeout(HANDSHAKE_MS_MAX, serving).await;
                }
            }
        });
    }
}

/// Serves until the app stops, then lets requests in progress end.
pub async fn serve(app: Arc<App>, listener: TcpListener, tls: Arc<rustls::ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    let service = routes::service(&app);
    let strangers = Arc::new(Strangers::default());
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = app.stopping.cancelled() => break,
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
        let serving = Serving { app: app.clone(), acceptor: acceptor.clone(), service: service.clone(), connection };
        let strangers = strangers.clone();
        tasks.spawn(async move {
            let connection = serving.connection.clone();
            serving.run(stream).await;
            strangers.leave(&connection);
        });
    }
    tasks.close();
    app.sockets.close();
    let all_ended = async {
        tasks.wait().await;
        app.sockets.wait().await;
    };
    if tokio::time::timeout(Duration::from_secs(5), all_ended).await.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

struct Serving {
    app: Arc<App>,
    acceptor: TlsAcceptor,
    service: Service,
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
        let (app, connection, inner) = (self.app.clone(), self.connection.clone(), self.service.clone());
        let service = tower::service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            let limit = body_limit(&app, &request);
            let inner = inner.clone();
            async move {
                if says_too_large(&request, limit) {
                    return Ok(respond(Err(body_too_large())).map(boxed_body));
                }
                tower::ServiceExt::oneshot(inner, request.map(|body| Limited::new(body, limit))).await
            }
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
                () = self.connection.close.cancelled(), if !self.connection.is_paired() => return,
                () = async { if let Some(since) = &mut stranger_since { let _over = since.await; } }, if stranger_since.is_some() => {
                    stranger_since = None;
                    if !self.connection.is_paired() {
                        metrics::counter!("pilotlight_strangers_closed_total").increment(1);
                        return;
                    }
                }
                () = self.app.stopping.cancelled() => {
                    serving.as_mut().graceful_shutdown();
                    let _ended = serving.as_mut().await;
                    return;
                }
            }
        }
    }
}

fn body_limit(app: &App, request: &http::Request<Incoming>) -> usize {
    let known = bearer(request.headers()).is_some_and(|token| app.doors.caller(token, app.clock.now()).is_ok());
    match (known, request.uri().path()) {
        (false, _) => STRANGER_BYTES_MAX,
        (true, "/api/v1/menu/imports") => IMPORT_BYTES_MAX,
        (true, _) => BODY_BYTES_MAX,
    }
}

/// Whether a body says itself that it is over the limit: it is refused before it is read.
fn says_too_large(request: &http::Request<Incoming>, limit: usize) -> bool {
    let said = request.headers().get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    said.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > limit as u64)
}
