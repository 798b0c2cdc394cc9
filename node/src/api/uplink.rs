//! The link to the relay, for the owner's screen, and the call that joins this site to one.

use crate::api::call::{Answer, Call, json};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::uplink::enrol;
use crate::uplink::enrol::EnrolError;
use crate::uplink::link_state::{LinkPhase, LinkState};
use http::StatusCode;
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::doc::replica::Position;
use pilotlight_sync::domain::role::Action;

/// What an owner reads when the relay has another log of this node's.
const FORKED: &str = "the relay has more of this node's orders than the node itself, or other ones: its disk went back, or a copy of it runs";

/// The link as screens read it; so many other nodes have everything.
pub fn uplink_json(link: &LinkState, siblings: u32, own: &Position) -> UplinkJson {
    let (state, since, why) = match &link.phase {
        LinkPhase::None => (UplinkStateJson::None, None, None),
        LinkPhase::Connecting { since } => (UplinkStateJson::Connecting, Some(*since), None),
        LinkPhase::Online { since } => (UplinkStateJson::Online, Some(*since), None),
        LinkPhase::Offline { since, why } => (UplinkStateJson::Offline, Some(*since), Some(why.clone())),
    };
    let why = if link.forked { Some(FORKED.to_owned()) } else { why };
    UplinkJson {
        state,
        relay_url: link.relay_url.clone(),
        since: since.map(|at| at.0),
        waiting_commits: link.waiting_commits(own),
        safe_on: link.safe_on(own) + siblings,
        last_online: link.last_online.map(|at| at.0),
        why,
    }
}

/// How the link to the relay is.
#[utoipa::path(get, path = "/api/v1/uplink", operation_id = "get_uplink", tag = "operations", responses((status = 200, body = UplinkJson), (status = 403, body = ProblemJson)))]
pub async fn get_uplink(call: Call) -> Answer {
    call.allow(Action::ReadOrders)?;
    let own = *call.app.head.borrow();
    Ok(json(StatusCode::OK, &uplink_json(&call.app.uplink.board().now(), call.app.siblings.safe_on(&own), &own)))
}

/// Joins this site to a relay with a one-time code. What the node wrote alone is sent from its first commit on.
#[utoipa::path(post, path = "/api/v1/uplink", operation_id = "enrol", tag = "operations", request_body = EnrolJson,
    responses((status = 200, body = UplinkJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson), (status = 409, body = ProblemJson),
        (status = 422, body = ProblemJson), (status = 429, body = ProblemJson), (status = 502, body = ProblemJson)))]
pub async fn enrol(call: Call) -> Answer {
    call.allow(Action::Administer)?;
    let sent: EnrolJson = call.json()?;
    let app = &call.app;
    let url = enrol::relay_url(&sent.relay_url)?;
    if app.uplink.relay_url().is_some_and(|known| known != url) {
        let detail = "this site belongs to another relay; its log must not go to two";
        return Err(Problem::new(StatusCode::CONFLICT, "other_relay", detail).at("relay_url"));
    }
    let identity = app.store.read(|replica, _| Ok(replica.identity().clone())).await?;
    let settings = &app.settings;
    let ca_pem = sent.ca_pem.filter(|pem| !pem.trim().is_empty());
    let site = Some(&settings.site);
    let joined = enrol::enrol(&url, &sent.code, ca_pem, site, &settings.name, identity.card()).await?;
    if joined.by != OriginRole::Relay {
        let detail = "another node answers there, no relay";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_relay", detail)
            .at("relay_url")
            .remedy("send a node's address to /api/v1/siblings"));
    }
    app.uplink.enrolled(joined.enrolment, call.now()).map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "not_kept", format!("the enrolment cannot be kept: {error}"))
    })?;
    tracing::info!(relay = url, "this site is enrolled");
    let own = *app.head.borrow();
    Ok(json(StatusCode::OK, &uplink_json(&app.uplink.board().now(), app.siblings.safe_on(&own), &own)))
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Self {
        let detail = error.to_string();
        match error {
            EnrolError::BadUrl(_) => {
                Self::bad_field("relay_url", detail, "write https://name or https://name:port, without a path")
            }
            EnrolError::BadCa(_) => Self::bad_field("ca_pem", detail, "send the CA's certificate as PEM text"),
            EnrolError::Unreachable(_) => Self::new(StatusCode::BAD_GATEWAY, "relay_unreachable", detail)
                .remedy("check the address, the internet connection and the CA; the code is still good"),
            EnrolError::Untrusted(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "relay_untrusted", detail)
                .at("ca_pem")
                .remedy("send the relay's CA, which https://RELAY/ca.crt answers, or check the address; the code is still good"),
            EnrolError::Wait { retry_after_s } => Self {
                retry_after_s: Some(retry_after_s),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "relay_busy", detail)
            }
            .remedy(format!("wait {retry_after_s} s and send the same again; the code is still good")),
            EnrolError::Failed(_) => Self::new(StatusCode::BAD_GATEWAY, "relay_failed", detail)
                .remedy("send the same again later; if it stays so, its operator must look"),
            EnrolError::Refused { .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "relay_refused", detail)
                .at("code")
                .remedy("ask the relay's operator for a new code"),
            EnrolError::NoRelay(_) => Self::new(StatusCode::BAD_GATEWAY, "no_relay", detail)
                .at("relay_url")
                .remedy("check the address; a relay of this version must answer there"),
        }
    }
}
