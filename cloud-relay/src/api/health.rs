//! `/health`, `/ready`, `/metrics`, and the certificate to trust.

use crate::api::call::{Answer, Call, json, with_type};
use crate::api::json::RelayHealthJson;
use crate::store::effects;
use http::StatusCode;

/// How the relay is. Always 200 while the process answers.
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "operations", responses((status = 200, body = RelayHealthJson)), security(()))]
pub async fn health(call: Call) -> Answer {
    Ok(json(StatusCode::OK, &health_json(&call).await))
}

/// Whether orders can be taken: 503 while the database does not answer.
#[utoipa::path(get, path = "/ready", operation_id = "get_ready", tag = "operations", responses((status = 200, body = RelayHealthJson), (status = 503, body = RelayHealthJson)), security(()))]
pub async fn ready(call: Call) -> Answer {
    let health = health_json(&call).await;
    let status = if health.status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(json(status, &health))
}

async fn health_json(call: &Call) -> RelayHealthJson {
    let answers = call.app.database.answers().await;
    let (pending_effects, parked_effects) = effects::count_open(&call.app.database).await.unwrap_or_default();
    RelayHealthJson {
        status: if answers { "ok" } else { "degraded" }.to_owned(),
        store: if answers { "ok" } else { "closed" }.to_owned(),
        uptime_ms: call.app.uptime_ms(),
        pending_effects,
        parked_effects,
    }
}

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "operations", responses((status = 200, content_type = "text/plain")), security(()))]
pub async fn metrics(call: Call) -> Answer {
    let text = call.app.metrics.as_ref().map(metrics_exporter_prometheus::PrometheusHandle::render).unwrap_or_default();
    Ok(with_type(StatusCode::OK, "text/plain; version=0.0.4", text.into()))
}

/// The relay's own authority, PEM: what nodes and phones must trust when no public one signed its certificate.
#[utoipa::path(get, path = "/ca.crt", operation_id = "get_ca", tag = "operations", responses((status = 200, content_type = "application/x-x509-ca-cert")), security(()))]
pub async fn get_ca(call: Call) -> Answer {
    Ok(with_type(StatusCode::OK, "application/x-x509-ca-cert", call.app.ca_pem.clone().into()))
}
