//! The provider that talks to the sandbox gateway.

use crate::payments::provider::{Operation, Outcome, Provider, Queried};
use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// An answer that takes longer did not come.
const ANSWER_MS_MAX: Duration = Duration::from_secs(10);

/// The sandbox at an address.
#[derive(Debug)]
pub struct SandboxProvider {
    base: String,
    client: Client,
}

/// An operation as the gateway tells it.
#[derive(Debug, Deserialize)]
struct Told {
    outcome: Word,
    #[serde(default)]
    reason: Option<String>,
    charge_after: Option<ToldCharge>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Done,
    Declined,
    Refused,
}

#[derive(Debug, Deserialize)]
struct ToldCharge {
    id: String,
}

impl Told {
    fn outcome(self) -> Outcome {
        let reason = self.reason.unwrap_or_default();
        match (self.outcome, self.charge_after) {
            (Word::Done, Some(charge)) => Outcome::Done { charge: charge.id },
            (Word::Done, None) => Outcome::Unknown { seen: "done, and no charge was named".to_owned() },
            (Word::Declined, _) => Outcome::Declined { reason },
            (Word::Refused, _) => Outcome::Refused { reason },
        }
    }
}

impl SandboxProvider {
    /// The gateway at this address; `ca_pem` signed its certificate when no public authority did.
    pub fn new(base: &str, ca_pem: Option<&[u8]>) -> anyhow::Result<Self> {
        let mut client = Client::builder().timeout(ANSWER_MS_MAX).pool_max_idle_per_host(32);
        if let Some(pem) = ca_pem {
            let ca = reqwest::Certificate::from_pem(pem).context("the gateway's CA certificate")?;
            client = client.tls_certs_only([ca]);
        }
        Ok(Self { base: base.trim_end_matches('/').to_owned(), client: client.build()? })
    }

    fn request(&self, operation: &Operation) -> RequestBuilder {
        let post = |path: String, body: Option<Value>| {
            let request = self.client.post(format!("{}/v1/charges{path}", self.base));
            match body {
                Some(body) => request.json(&body),
                None => request,
            }
        };
        match operation {
            Operation::Authorise { amount_minor, currency, card } => {
                post(String::new(), Some(json!({"amount_minor": amount_minor, "currency": currency, "card": card})))
            }
            Operation::Capture { charge, amount_minor } => {
                post(format!("/{charge}/capture"), Some(json!({"amount_minor": amount_minor})))
            }
            Operation::Void { charge } => post(format!("/{charge}/void"), None),
            Operation::Refund { charge, amount_minor } => {
                post(format!("/{charge}/refunds"), Some(json!({"amount_minor": amount_minor})))
            }
        }
    }
}

/// Status and body, or what was seen instead.
async fn exchange(request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_vec()))
}

fn read(status: StatusCode, body: &[u8]) -> Outcome {
    match serde_json::from_slice::<Told>(body) {
        Ok(told) => told.outcome(),
        // The key was taken by another operation: nothing will ever become of this one.
        Err(_) if status == StatusCode::CONFLICT => Outcome::Refused { reason: "key_reused".to_owned() },
        Err(_) if status.is_client_error() => Outcome::Refused { reason: format!("http_{}", status.as_u16()) },
        Err(error) => Outcome::Unknown { seen: format!("{status}: {error}") },
    }
}

impl Provider for SandboxProvider {
    fn perform<'a>(&'a self, key: &'a str, operation: &'a Operation) -> BoxFuture<'a, Outcome> {
        let request = self.request(operation).header("idempotency-key", key);
        async move {
            match exchange(request).await {
                Ok((status, body)) => read(status, &body),
                Err(seen) => Outcome::Unknown { seen },
            }
        }
        .boxed()
    }

    fn query<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Queried> {
        let request = self.client.get(format!("{}/v1/operations/{key}", self.base));
        async move {
            match exchange(request).await {
                Ok((StatusCode::NOT_FOUND, _)) => Queried::NeverHeard,
                Ok((status, body)) => match read(status, &body) {
                    Outcome::Unknown { seen } => Queried::Unknown { seen },
                    known @ (Outcome::Done { .. } | Outcome::Declined { .. } | Outcome::Refused { .. }) => {
                        Queried::Known(known)
                    }
                },
                Err(seen) => Queried::Unknown { seen },
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
