//! What the gateway tells by webhook. It says *look*: what happened is asked of the gateway itself.

use crate::api::call::{Answer, Call, with_type};
use crate::api::problem::Problem;
use crate::payments::signature::{SIGNATURE_HEADER, SignatureRefusal, verify};
use crate::store::effects;
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use std::sync::atomic::Ordering;

/// The part of a message that is used: which effect to look at.
#[derive(Debug, Deserialize)]
struct Message {
    key: String,
}

/// Takes a message of the gateway, when its signature is the gateway's.
#[utoipa::path(post, path = "/api/v1/payments/webhook", operation_id = "payment_webhook", tag = "payments", security(()),
    params(("pilotlight-signature" = String, Header)), responses((status = 204), (status = 400, body = crate::api::json::ProblemJson), (status = 401, body = crate::api::json::ProblemJson)))]
pub async fn webhook(call: Call) -> Answer {
    let body = &call.body;
    let header = call.headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    let secret = call.app.webhook_secret.as_bytes();
    // Without a secret nobody could be told from anybody.
    let checked = if secret.is_empty() {
        Err(SignatureRefusal::Wrong)
    } else {
        verify(secret, header, body, call.app.clock.real().0)
    };
    if let Err(refusal) = checked {
        metrics::counter!("pilotlight_webhooks_refused_total").increment(1);
        // Whoever repeats it does not fill the log.
        if !call.app.webhook_refused.swap(true, Ordering::SeqCst) {
            tracing::warn!(from = call.from(), %refusal, "a payment webhook was refused; further ones are only counted");
        }
        return Err(refusal.into());
    }
    let message: Message = serde_json::from_slice(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_json", error.to_string()).at("body"))?;
    let mut tx = call.app.database.begin().await?;
    let hurried = effects::hurry(&mut tx, &message.key, call.app.clock.real()).await?;
    tx.commit().await?;
    if hurried {
        call.app.wake.notify_one();
    }
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}
