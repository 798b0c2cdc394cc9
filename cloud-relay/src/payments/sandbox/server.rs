//! The sandbox over HTTP: charges, keys, journal, faults. Its connections can be cut in the middle of an answer.

use crate::payments::sandbox::book::{Answer, Book, Entry, Operation, Outcome};
use crate::payments::sandbox::callback::{CallbackSettings, Callbacks};
use crate::payments::sandbox::faults::{Dice, Faults};
use crate::payments::sandbox::journal::Journal;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pilotlight_edge::clock::Clock;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Bytes of one request's body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Characters of an idempotency key.
const KEY_CHARS_MAX: usize = 255;

/// Cuts the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

type Reply = Result<Response<Full<Bytes>>, Cut>;

struct Desk {
    journal: Journal,
    book: Book,
    dice: Dice,
}

/// The sandbox, ready to serve.
pub struct Sandbox {
    desk: Mutex<Desk>,
    callbacks: Callbacks,
    clock: Clock,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens its journal. `secret` signs webhooks.
    pub fn open(journal: &Path, faults: Faults, secret: String, clock: Clock) -> anyhow::Result<Arc<Self>> {
        let (journal, book) = Journal::open(journal)?;
        let desk = Mutex::new(Desk { journal, book, dice: Dice::new(faults) });
        Ok(Arc::new(Self { desk, callbacks: Callbacks::start(secret, clock.clone()), clock }))
    }

    /// Sends webhooks there from now on.
    pub fn call_back(&self, settings: &CallbackSettings) -> anyhow::Result<()> {
        self.callbacks.set(settings)
    }

    /// Serves connections until it is told to stop; over TLS when it has a certificate.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        stopping: CancellationToken,
    ) {
        // HTTP/1.1 alone: a fault cuts the connection in the middle of one answer, not of a stream among others.
        let tls = tls.map(|tls| {
            let mut tls = rustls::ServerConfig::clone(&tls);
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(tls))
        });
        loop {
            let accepted = tokio::select! {
                () = stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, _) = match accepted {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    continue;
                }
            };
            let (sandbox, tls, stopping) = (Arc::clone(&self), tls.clone(), stopping.clone());
            tokio::spawn(async move {
                let serving = async {
                    match tls {
                        None => sandbox.serve_one(stream).await,
                        // Whoever does not trust the certificate is gone; nobody is told.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                sandbox.serve_one(stream).await;
                            }
                        }
                    }
                };
                tokio::select! {
                    () = serving => {}
                    () = stopping.cancelled() => {}
                }
            });
        }
    }

    async fn serve_one(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(move |request| Arc::clone(&self).answer(request));
        // A connection that was cut on purpose ends here, and one that the other side dropped.
        let _ended = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return Ok(problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "at most 64 KiB"));
        };
        let body = body.to_bytes();
        let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
        match (&parts.method, path.as_slice()) {
            (&Method::GET, ["health"]) => Ok(reply(StatusCode::OK, &json!({"status": "ok"}))),
            (&Method::GET, ["journal"]) => Ok(self.read_journal()),
            (&Method::GET, ["faults"]) => Ok(self.read_faults()),
            (&Method::PUT, ["faults"]) => Ok(read(&body).map_or_else(|no| *no, |faults| self.dial(faults))),
            (&Method::PUT, ["callback"]) => {
                Ok(read(&body).map_or_else(|no| *no, |settings| self.set_callback(&settings)))
            }
            (&Method::GET, ["v1", "charges", charge]) => Ok(self.read_charge(charge)),
            (&Method::GET, ["v1", "operations", key]) => Ok(self.read_key(key)),
            (&Method::POST, ["v1", "charges", ..]) => match operation(&path[2..], &body) {
                Err(no) => Ok(*no),
                Ok(operation) => self.execute(&parts.headers, operation).await,
            },
            _ => Ok(problem(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")),
        }
    }

    async fn execute(&self, headers: &http::HeaderMap, operation: Operation) -> Reply {
        let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
        if key.is_empty() || key.len() > KEY_CHARS_MAX {
            return Ok(problem(StatusCode::BAD_REQUEST, "no_key", "send an Idempotency-Key of 1 to 255 characters"));
        }
        let (fate, latency_ms) = {
            let mut desk = self.desk();
            (desk.dice.fate(), desk.dice.faults().latency_ms)
        };
        if latency_ms > 0 {
            wait(Duration::from_millis(latency_ms)).await;
        }
        if fate.request_lost {
            return Err(Cut);
        }
        let answer = self.run(key, operation, fate.declined);
        if fate.answer_lost {
            return Err(Cut);
        }
        Ok(match answer {
            Ok(Answer::Executed(entry)) => entry_reply(&entry),
            Ok(Answer::KeyReused) => {
                problem(StatusCode::CONFLICT, "key_reused", "this key was used for another operation")
            }
            Err(error) => {
                tracing::error!(%error, "the journal cannot be written");
                problem(StatusCode::INTERNAL_SERVER_ERROR, "journal", "the journal cannot be written")
            }
        })
    }

    /// Executes under the key, once: the journal has it before anyone is told.
    fn run(&self, key: &str, operation: Operation, decline: bool) -> anyhow::Result<Answer> {
        let mut desk = self.desk();
        let (answer, entry) = desk.book.plan(key, operation, self.clock.now().0, decline);
        if let Some(entry) = entry {
            desk.journal.append(&entry)?;
            if decline && matches!(entry.outcome, Outcome::Declined { .. }) {
                desk.dice.declined();
            }
            self.callbacks.tell(&entry);
            desk.book.apply(entry);
        }
        Ok(answer)
    }

    fn read_journal(&self) -> Response<Full<Bytes>> {
        match self.desk().journal.text() {
            Ok(text) => typed(StatusCode::OK, "application/x-ndjson", text.into()),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, "journal", &error.to_string()),
        }
    }

    fn read_faults(&self) -> Response<Full<Bytes>> {
        let desk = self.desk();
        reply(StatusCode::OK, &json!({"faults": desk.dice.faults(), "struck": desk.dice.struck()}))
    }

    fn dial(&self, faults: Faults) -> Response<Full<Bytes>> {
        if let Some(share) = faults.wrong_share() {
            return problem(StatusCode::BAD_REQUEST, "bad_share", &format!("{share} is not between 0 and 1"));
        }
        self.desk().dice.dial(faults);
        self.read_faults()
    }

    fn set_callback(&self, settings: &CallbackSettings) -> Response<Full<Bytes>> {
        match self.call_back(settings) {
            Ok(()) => reply(StatusCode::OK, &json!({"url": settings.url})),
            Err(error) => problem(StatusCode::BAD_REQUEST, "bad_callback", &format!("{error:#}")),
        }
    }

    fn read_charge(&self, id: &str) -> Response<Full<Bytes>> {
        match self.desk().book.charge(id) {
            Some(charge) => reply(StatusCode::OK, &json!(charge)),
            None => problem(StatusCode::NOT_FOUND, "unknown_charge", "there is no such charge"),
        }
    }

    fn read_key(&self, key: &str) -> Response<Full<Bytes>> {
        match self.desk().book.by_key(key) {
            Some(entry) => entry_reply(entry),
            None => problem(StatusCode::NOT_FOUND, "unknown_key", "nothing was executed under this key"),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthoriseBody {
    amount_minor: i64,
    currency: String,
    card: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AmountBody {
    amount_minor: i64,
}

fn operation(path: &[&str], body: &[u8]) -> Result<Operation, Box<Response<Full<Bytes>>>> {
    match path {
        [] => read::<AuthoriseBody>(body).map(|sent| Operation::Authorise {
            amount_minor: sent.amount_minor,
            currency: sent.currency,
            card: sent.card,
        }),
        [charge, "capture"] => read::<AmountBody>(body)
            .map(|sent| Operation::Capture { charge: (*charge).to_owned(), amount_minor: sent.amount_minor }),
        [charge, "void"] => Ok(Operation::Void { charge: (*charge).to_owned() }),
        [charge, "refunds"] => read::<AmountBody>(body)
            .map(|sent| Operation::Refund { charge: (*charge).to_owned(), amount_minor: sent.amount_minor }),
        _ => Err(Box::new(problem(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path"))),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Box<Response<Full<Bytes>>>> {
    serde_json::from_slice(body)
        .map_err(|error| Box::new(problem(StatusCode::BAD_REQUEST, "bad_json", &error.to_string())))
}

fn entry_reply(entry: &Entry) -> Response<Full<Bytes>> {
    let status = match entry.outcome {
        Outcome::Done => StatusCode::OK,
        Outcome::Declined { .. } => StatusCode::PAYMENT_REQUIRED,
        Outcome::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    };
    reply(status, &json!(entry))
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response<Full<Bytes>> {
    reply(status, &json!({"code": code, "detail": detail}))
}

fn reply(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    typed(status, "application/json", body.to_string().into())
}

fn typed(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

#[expect(clippy::disallowed_methods, reason = "the latency that was dialled")]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}
