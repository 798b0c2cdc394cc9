//! `/api/v1/sites` for the operator, `/api/v1/enrol` for nodes.

use crate::api::call::{Answer, Call, id, json};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::api::to_json;
use crate::sites::enrolment::{CreateRefusal, Enrol, EnrolRefusal, SiteCode};
use crate::sites::link_state::Link;
use crate::sites::listing::After;
use crate::sites::site_handle::SiteHandle;
use crate::store::site_rows::NewSite;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_edge::api::to_json::status;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::doc::replica::LiveOrder;
use pilotlight_sync::domain::id::{OrderId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;

/// Orders on one page.
const PAGE_MAX: usize = 200;
/// Deliveries that are shown.
const DELIVERIES_MAX: u32 = 200;

/// Creates a restaurant, and the code that its node enrols with. Its id is its node's own, and is known once that has enrolled. For the
/// operator.
#[utoipa::path(post, path = "/api/v1/sites", operation_id = "create_site", tag = "sites", request_body = NewSiteJson,
    responses((status = 201, body = SiteCodeJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson)))]
pub async fn create(call: Call) -> Answer {
    call.allow_operator().await?;
    let sent: NewSiteJson = call.json()?;
    text::one_line("name", &sent.name)?;
    let name = sent.name.trim().to_owned();
    let code = call.app.sites.create(NewSite { name: name.clone(), lat: sent.lat, lon: sent.lon }).await?;
    Ok(json(StatusCode::CREATED, &code_json(None, name, code)))
}

/// All enrolled restaurants and their links. For the operator.
#[utoipa::path(get, path = "/api/v1/sites", operation_id = "list_sites", tag = "sites",
    responses((status = 200, body = SitesJson), (status = 401, body = ProblemJson)))]
pub async fn list(call: Call) -> Answer {
    call.allow_operator().await?;
    let sites = call.app.sites.all();
    let sites = sites.iter().map(|site| site_json(site, call.app.sites.is_open(site))).collect();
    Ok(json(StatusCode::OK, &SitesJson { sites }))
}

/// Another code for a restaurant: for a further node of it, or for one that lost its token. For the operator.
#[utoipa::path(post, path = "/api/v1/sites/{id}/code", operation_id = "renew_site_code", tag = "sites", params(("id" = String, Path)),
    responses((status = 201, body = SiteCodeJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn renew_code(call: Call, site: String) -> Answer {
    call.allow_operator().await?;
    let site = call.app.sites.get(&id("id", &site)?).ok_or(CreateRefusal::UnknownSite)?;
    let code = call.app.sites.renew_code(&site.facts.id).await?;
    Ok(json(StatusCode::CREATED, &code_json(Some(&site.facts.id), site.facts.name.clone(), code)))
}

/// Takes a node in: the code is used up, the token is shown once.
#[utoipa::path(post, path = "/api/v1/enrol", operation_id = "enrol_node", tag = "sites", request_body = EnrolJson, security(()),
    responses((status = 200, body = EnrolledJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 409, body = ProblemJson), (status = 429, body = ProblemJson)))]
pub async fn enrol(call: Call) -> Answer {
    let sent: EnrolJson = call.json()?;
    call.may_guess("code")?;
    let cards = sent.origins.iter().enumerate().map(|(at, card)| from_card(at, card)).collect::<Result<_, _>>()?;
    let site = sent.site.as_deref().map(|site| id("site", site)).transpose()?;
    let enrol = Enrol { code: sent.code, site, protocol: sent.protocol, cards };
    let outcome = call.app.sites.enrol(enrol).await;
    call.guessed("code", !matches!(outcome, Err(EnrolRefusal::WrongCode)));
    let enrolled = outcome?;
    call.mark_known();
    let relay = card_json(&enrolled.relay);
    let (site, letter) = (enrolled.site.to_string(), enrolled.letter);
    Ok(json(StatusCode::OK, &EnrolledJson { uplink_token: enrolled.uplink_token, site, letter, relay }))
}

/// One hash over a restaurant's documents here, to be compared with its node's. For the operator.
#[utoipa::path(get, path = "/api/v1/sites/{id}/digest", operation_id = "get_site_digest", tag = "sites", params(("id" = String, Path)),
    responses((status = 200, body = DigestJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn digest(call: Call, site: String) -> Answer {
    call.allow_operator().await?;
    let site = call.app.sites.get(&id("id", &site)?).ok_or(CreateRefusal::UnknownSite)?;
    let (digest, orders) = call.app.sites.digest(&site).await?;
    Ok(json(StatusCode::OK, &DigestJson { digest: digest.to_string(), orders }))
}

/// All orders of a restaurant, those of its own guests too, in the order in which they were placed. For the operator.
#[utoipa::path(get, path = "/api/v1/sites/{id}/orders", operation_id = "list_site_orders", tag = "sites",
    params(("id" = String, Path), ("after" = Option<String>, Query), ("limit" = Option<u16>, Query)),
    responses((status = 200, body = SiteOrdersJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn orders(call: Call, site: String) -> Answer {
    call.allow_operator().await?;
    let site = call.app.sites.get(&id("id", &site)?).ok_or(CreateRefusal::UnknownSite)?;
    let after = After::parse(call.query("after").unwrap_or_default());
    let after = after.ok_or_else(|| Problem::bad_field("after", "no such place", "send what was given as next"))?;
    let limit = call.query("limit").map_or(Ok(PAGE_MAX), str::parse);
    let limit = limit.ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    let limit =
        limit.ok_or_else(|| Problem::bad_field("limit", "not a page's size", format!("ask for 1 to {PAGE_MAX}")))?;
    let (orders, next) = call.app.sites.orders_after(&site, &after, limit).await?;
    let orders = orders.iter().map(|(id, order)| order_json(id, order)).collect();
    Ok(json(StatusCode::OK, &SiteOrdersJson { orders, next: next.map(|next| next.to_text()) }))
}

/// A restaurant's deliveries: who is asked or has them and why, or why nobody is asked. For the operator.
#[utoipa::path(get, path = "/api/v1/sites/{id}/deliveries", operation_id = "list_site_deliveries", tag = "sites", params(("id" = String, Path)),
    responses((status = 200, body = SiteDeliveriesJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn deliveries(call: Call, site: String) -> Answer {
    call.allow_operator().await?;
    let site = call.app.sites.get(&id("id", &site)?).ok_or(CreateRefusal::UnknownSite)?;
    let known = call.app.riders.of_site(&site.facts.id, DELIVERIES_MAX).await?;
    let deliveries = known.iter().map(|(delivery, rider)| to_json::site_delivery(delivery, rider.as_ref())).collect();
    Ok(json(StatusCode::OK, &SiteDeliveriesJson { deliveries }))
}

fn order_json(id: &OrderId, order: &LiveOrder) -> SiteOrderJson {
    let view = &order.view;
    SiteOrderJson {
        id: id.to_string(),
        number: view.number.as_ref().map(|(_, number)| number.clone()),
        also: view.also.iter().map(|(_, number)| number.clone()).collect(),
        status: status(view.status),
        placed_at: view.header.placed_at.0,
        total_minor: view.total_minor(),
        paid_minor: view.captured_minor - view.refunded_minor,
        currency: view.header.currency.to_string(),
    }
}

fn code_json(site: Option<&SiteId>, name: String, code: SiteCode) -> SiteCodeJson {
    SiteCodeJson { site: site.map(ToString::to_string), name, site_code: code.code, expires_at: code.expires_at }
}

fn site_json(site: &SiteHandle, open: bool) -> SiteLinkJson {
    let (link, since): (LinkWordJson, Option<Timestamp>) = match site.link.now() {
        Link::Never => (LinkWordJson::Never, None),
        Link::Down { since } => (LinkWordJson::Down, Some(since)),
        Link::Up { since } => (LinkWordJson::Up, Some(since)),
        Link::RelayWentBack { since } => (LinkWordJson::RelayWentBack, Some(since)),
    };
    SiteLinkJson {
        site: site.facts.id.to_string(),
        name: site.facts.name.clone(),
        lat: site.facts.lat,
        lon: site.facts.lon,
        link,
        since: since.map(|since| since.0),
        open,
        commits: site.heads().borrow().values().map(|head| head.seq).sum(),
    }
}

fn card_json(card: &OriginCard) -> OriginCardJson {
    OriginCardJson {
        origin: card.origin.to_string(),
        key: card.key.iter().map(|byte| format!("{byte:02x}")).collect(),
        role: match card.role {
            OriginRole::Node => "node",
            OriginRole::Relay => "relay",
        }
        .to_owned(),
        letter: card.letter.clone(),
    }
}

fn from_card(at: usize, card: &OriginCardJson) -> Result<OriginCard, Problem> {
    let mut key = [0u8; 32];
    let bad =
        |field: &str, detail: &str, remedy: &str| Problem::bad_field(format!("origins[{at}].{field}"), detail, remedy);
    let no_key = || bad("key", "not an Ed25519 key", "send its 32 bytes as 64 hexadecimal digits");
    if card.key.len() != 64 {
        return Err(no_key());
    }
    for (at, byte) in key.iter_mut().enumerate() {
        let digits = card.key.get(2 * at..2 * at + 2).ok_or_else(no_key)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| no_key())?;
    }
    let role = match card.role.as_str() {
        "node" => OriginRole::Node,
        "relay" => OriginRole::Relay,
        _ => return Err(bad("role", "no such role", "send node")),
    };
    Ok(OriginCard {
        origin: id(format!("origins[{at}].origin"), &card.origin)?,
        key,
        role,
        letter: card.letter.clone(),
    })
}
