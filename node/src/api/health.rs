//! `/health`, `/ready`, `/metrics`.

use crate::api::call::{Answer, Call, json, with_type};
use crate::api::json::HealthJson;
use http::StatusCode;

/// A group that takes longer than this shows a store that is stuck, in milliseconds.
const STUCK_MS: u64 = 5_000;

/// How the node is. Always 200 while the process answers.
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "operations", responses((status = 200, body = HealthJson)), security(()))]
pub async fn health(call: Call) -> Answer {
    Ok(json(StatusCode::OK, &health_json(&call)))
}

/// Whether orders can be taken: 503 while the store is closed or stuck.
#[utoipa::path(get, path = "/ready", operation_id = "get_ready", tag = "operations", responses((status = 200, body = HealthJson), (status = 503, body = HealthJson)), security(()))]
pub async fn ready(call: Call) -> Answer {
    let health = health_json(&call);
    let status = if health.status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(json(status, &health))
}

fn health_json(call: &Call) -> HealthJson {
    let store = call.app.store.health();
    let stuck = store.busy_since().is_some_and(|since| call.now().ms_since(since) > STUCK_MS);
    let word = match (store.is_closed(), stuck, call.app.disk_is_full()) {
        (true, _, _) => "closed",
        (false, true, _) => "stuck",
        (false, false, true) => "disk full",
        (false, false, false) => "ok",
    };
    HealthJson {
        status: if word == "ok" { "ok" } else { "degraded" }.to_owned(),
        store: word.to_owned(),
        open_orders: u32::try_from(store.live_orders()).unwrap_or(u32::MAX),
        unread_commits: store.unread_commits(),
        screens: u32::try_from(call.app.feed.screens()).unwrap_or(u32::MAX),
        overdue_day: call.app.overdue_day().map(|number| number.0),
        archived_orders: call.app.archive.orders(),
        archive_problems: call.app.archive.problems(),
        uptime_ms: call.app.uptime_ms(),
    }
}

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "operations", responses((status = 200, content_type = "text/plain")), security(()))]
pub async fn metrics(call: Call) -> Answer {
    let health = health_json(&call);
    metrics::gauge!("pilotlight_open_orders").set(health.open_orders);
    metrics::gauge!("pilotlight_archived_orders").set(health.archived_orders as f64);
    metrics::gauge!("pilotlight_archive_damaged_files").set(health.archive_problems.len() as f64);
    metrics::gauge!("pilotlight_unread_commits").set(health.unread_commits as f64);
    metrics::gauge!("pilotlight_day_overdue").set(u32::from(health.overdue_day.is_some()));
    metrics::gauge!("pilotlight_screens").set(health.screens);
    metrics::counter!("pilotlight_store_groups_total").absolute(call.app.store.health().groups());
    let text = call.app.metrics.as_ref().map(metrics_exporter_prometheus::PrometheusHandle::render).unwrap_or_default();
    Ok(with_type(StatusCode::OK, "text/plain; version=0.0.4", text.into()))
}
