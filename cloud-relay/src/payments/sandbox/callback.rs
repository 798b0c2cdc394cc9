//! Signed webhooks of the sandbox: told after an operation was executed, tried a few times, in order, from a bounded queue.

use crate::payments::sandbox::book::{Entry, Operation, Outcome};
use crate::payments::signature::{SIGNATURE_HEADER, sign};
use anyhow::Context;
use pilotlight_edge::clock::Clock;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Messages that wait; more are dropped, as a real gateway gives up on a callback that does not answer.
const WAITING_MAX: usize = 1_024;
/// Tries of one message.
const TRIES_MAX: u32 = 4;
/// Before the second try; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(200);

/// Where to, set while running: relay and gateway need each other's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackSettings {
    /// The webhook's address.
    pub url: String,
    /// Who signed its certificate, when no public authority did.
    #[serde(default)]
    pub ca_pem: Option<String>,
}

/// What a webhook says: something happened under this key; ask for the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The journal's number: the same message again has the same one.
    pub n: u64,
    /// `authorise`, `capture`, `void` or `refund`.
    pub operation: String,
    /// `done`, `declined` or `refused`.
    pub outcome: String,
    /// The idempotency key.
    pub key: String,
    /// The charge, if there is one.
    pub charge: Option<String>,
}

impl Event {
    /// Of a journal entry.
    pub fn of(entry: &Entry) -> Self {
        let operation = match entry.operation {
            Operation::Authorise { .. } => "authorise",
            Operation::Capture { .. } => "capture",
            Operation::Void { .. } => "void",
            Operation::Refund { .. } => "refund",
        };
        let outcome = match entry.outcome {
            Outcome::Done => "done",
            Outcome::Declined { .. } => "declined",
            Outcome::Refused { .. } => "refused",
        };
        Self {
            n: entry.n,
            operation: operation.to_owned(),
            outcome: outcome.to_owned(),
            key: entry.key.clone(),
            charge: entry.charge_after.as_ref().map(|charge| charge.id.clone()),
        }
    }
}

#[derive(Debug)]
struct Target {
    url: String,
    client: reqwest::Client,
}

/// Sends webhooks.
#[derive(Debug, Clone)]
pub struct Callbacks {
    queue: mpsc::Sender<Event>,
    target: Arc<Mutex<Option<Arc<Target>>>>,
}

impl Callbacks {
    /// Starts the sender.
    pub fn start(secret: String, clock: Clock) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let target = Arc::new(Mutex::new(None));
        tokio::spawn(send_all(waiting, Arc::clone(&target), secret, clock));
        Self { queue, target }
    }

    /// Sends to this address from now on.
    pub fn set(&self, settings: &CallbackSettings) -> anyhow::Result<()> {
        let mut client = reqwest::Client::builder().timeout(Duration::from_secs(5));
        if let Some(pem) = &settings.ca_pem {
            let ca = reqwest::Certificate::from_pem(pem.as_bytes()).context("ca_pem")?;
            client = client.tls_certs_only([ca]);
        }
        let target = Target { url: settings.url.clone(), client: client.build()? };
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(target));
        Ok(())
    }

    /// Tells of an entry, when there is somebody to tell and room to wait.
    pub fn tell(&self, entry: &Entry) {
        if self.queue.try_send(Event::of(entry)).is_err() {
            tracing::warn!(n = entry.n, "a webhook was dropped: too many wait");
        }
    }
}

async fn send_all(
    mut waiting: mpsc::Receiver<Event>,
    target: Arc<Mutex<Option<Arc<Target>>>>,
    secret: String,
    clock: Clock,
) {
    while let Some(event) = waiting.recv().await {
        let known = target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(target) = known else { continue };
        let Ok(body) = serde_json::to_vec(&event) else { continue };
        let mut backoff = BACKOFF;
        for attempt in 1..=TRIES_MAX {
            let signature = sign(secret.as_bytes(), clock.now().0, &body);
            let request = target.client.post(&target.url).header(SIGNATURE_HEADER, signature);
            let sent = request.header("content-type", "application/json").body(body.clone()).send().await;
            match sent {
                Ok(answer) if answer.status().is_success() => break,
                Ok(answer) => tracing::debug!(n = event.n, attempt, status = %answer.status(), "a webhook was refused"),
                Err(error) => tracing::debug!(n = event.n, attempt, %error, "a webhook was not delivered"),
            }
            wait(backoff).await;
            backoff *= 2;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the pause between two tries of a message is what is meant")]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}
