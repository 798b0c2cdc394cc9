//! What the node hands to the accept loop, and the recovery page of a node without a store.

use crate::api::call::bearer;
use crate::api::routes;
use crate::app::App;
use crate::recovery::RecoveryDesk;
use http::HeaderMap;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use pilotlight_edge::body;
pub use pilotlight_edge::server::bind;
use pilotlight_edge::server::{BODY_BYTES_MAX, HANDSHAKE_MS_MAX, STRANGER_BYTES_MAX, Served};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Bytes of an import with a good token.
const IMPORT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of what is sent to the recovery page.
const RECOVERY_BYTES_MAX: usize = 1024;

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
            let stopping = decided.clone();
            let service = tower::service_fn(move |request: http::Request<Incoming>| {
                body::answer(routes.clone(), request, RECOVERY_BYTES_MAX, stopping.clone())
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
    let asked = app.clone();
    let served = Served {
        service: routes::service(&app),
        body_limit: Arc::new(move |headers, path| body_limit(&asked, headers, path)),
        stopping: app.stopping.clone(),
        sockets: app.sockets.clone(),
    };
    pilotlight_edge::server::serve(served, listener, tls).await;
}

fn body_limit(app: &App, headers: &HeaderMap, path: &str) -> usize {
    let known = bearer(headers).is_some_and(|token| app.doors.caller(token, app.clock.now()).is_ok());
    match (known, path) {
        (false, _) => STRANGER_BYTES_MAX,
        (true, "/api/v1/menu/imports") => IMPORT_BYTES_MAX,
        (true, _) => BODY_BYTES_MAX,
    }
}
