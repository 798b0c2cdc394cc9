//! Restaurants near a place, their menus with what can be ordered now, prices, and their terms.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::api::to_json;
use crate::geo::{Place, nearest_first, ride_ms};
use crate::ordering::desk::PlaceRefusal;
use crate::ordering::quote::QuoteRequest;
use crate::sites::link_state::Link;
use crate::sites::site_handle::{Shown, SiteHandle};
use crate::store::people::Address;
use crate::store::terms::{self, Terms};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};
use pilotlight_edge::api::menu::{MenuPage, availability_json};
use pilotlight_edge::api::text;
use pilotlight_edge::api::to_json::{cart_line, intake};
use pilotlight_edge::availability::unavailable;
use pilotlight_sync::domain::id::SiteId;
use pilotlight_sync::domain::order::Fulfilment;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Minutes that a restaurant takes when nothing is known of the cart.
const MAKING_MINUTES: u32 = 15;

/// Menus as they are sent, rendered once for each version.
#[derive(Debug, Default)]
pub struct MenuPages(Mutex<BTreeMap<SiteId, Rendered>>);

/// A page, and what it shows.
type Rendered = (Arc<Shown>, Arc<MenuPage>);

impl MenuPages {
    fn of(&self, site: &SiteHandle) -> Arc<MenuPage> {
        let shown = site.shown().borrow().clone();
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match pages.get(&site.facts.id) {
            Some((of, page)) if Arc::ptr_eq(of, &shown) => page.clone(),
            Some(_) | None => {
                let page = Arc::new(MenuPage::of(&shown.menu));
                pages.insert(site.facts.id, (shown, page.clone()));
                page
            }
        }
    }
}

/// Restaurants within five kilometres of a place, the nearest first.
#[utoipa::path(get, path = "/api/v1/restaurants", operation_id = "list_restaurants", tag = "restaurants", security(()),
    params(("lat" = f64, Query), ("lon" = f64, Query)), responses((status = 200, body = RestaurantsJson), (status = 400, body = ProblemJson)))]
pub async fn near(call: Call) -> Answer {
    let degrees = |name: &str| call.query(name).and_then(|text| text.parse::<f64>().ok());
    let here = degrees("lat").zip(degrees("lon")).and_then(|(lat, lon)| Place::new(lat, lon));
    let here = here.ok_or_else(|| Problem::bad_field("lat", "no place on earth", "send lat and lon in degrees"))?;
    let sites = call.app.desk.sites().into_iter();
    let known = sites.filter(|site| site.shown().borrow().settings.is_some());
    let placed = known.map(|site| {
        let place = Place { lat: site.facts.lat, lon: site.facts.lon };
        (site, place)
    });
    let mut restaurants = Vec::new();
    for (distance_m, site) in nearest_first(&here, placed) {
        let terms = terms::of(&call.app.database, &site.facts.id).await?;
        restaurants.push(restaurant_json(&call, &site, &terms, distance_m));
    }
    Ok(json(StatusCode::OK, &RestaurantsJson { restaurants }))
}

fn restaurant_json(call: &Call, site: &SiteHandle, terms: &Terms, distance_m: u32) -> RestaurantJson {
    let (reached, shown, now) = (call.app.desk.is_open(site), site.shown().borrow().clone(), call.now());
    let paused = shown.intake.paused_until(now).is_some();
    let open = reached && !paused;
    let waits =
        if terms.accepts_held { "orders wait until it is back, and can be cancelled free" } else { "try later" };
    let open_reason = match site.link.now() {
        _ if open => None,
        _ if paused => Some("it takes no orders for now".to_owned()),
        Link::Up { .. } => Some(format!("it has just come back: {waits}")),
        Link::Never | Link::Down { .. } | Link::RelayWentBack { .. } => {
            Some(format!("it cannot be reached just now: {waits}"))
        }
    };
    let ride_minutes = u32::try_from(ride_ms(distance_m).div_ceil(60_000)).unwrap_or(u32::MAX);
    let minutes_min = MAKING_MINUTES.saturating_add(ride_minutes).saturating_add(shown.intake.busy_minutes(now));
    let settings = shown.settings.as_ref();
    RestaurantJson {
        site: site.facts.id.to_string(),
        name: settings.map_or_else(|| site.facts.name.clone(), |settings| settings.name.clone()),
        distance_m,
        open,
        open_reason,
        minutes_min,
        minutes_max: minutes_min.saturating_add(minutes_min / 2),
        delivery_fee_minor: terms.delivery_fee_minor,
        currency: shown.menu.currency.to_string(),
        intake: intake(&shown.intake, now),
    }
}

/// The restaurant of a path.
pub fn site_of(call: &Call, site: &str) -> Result<SiteHandle, Problem> {
    let site: SiteId = id("site", site)?;
    call.app.desk.site(&site).ok_or_else(|| PlaceRefusal::UnknownSite.into())
}

/// A restaurant's menu with what cannot be ordered now. Conditional: `If-None-Match` answers 304.
#[utoipa::path(get, path = "/api/v1/restaurants/{site}/menu", operation_id = "get_restaurant_menu", tag = "restaurants", security(()),
    params(("site" = String, Path)), responses((status = 200, body = RestaurantMenuJson), (status = 304), (status = 400, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn menu(call: Call, site: String) -> Answer {
    let site = site_of(&call, &site)?;
    let page = call.app.menus.of(&site);
    let read = site.read(|replica, now| {
        let intake = intake(&replica.site().intake(), now);
        (unavailable(replica.site(), &replica.origin(), now), intake)
    });
    let (gone, intake) = read.await?;
    let intake = serde_json::to_string(&intake).unwrap_or_default();
    let availability = serde_json::to_string(&availability_json(&gone)).unwrap_or_default();
    let mut body = b"{\"menu\":".to_vec();
    body.extend_from_slice(&page.plain);
    body.extend_from_slice(format!(",\"availability\":{availability},\"intake\":{intake}}}").as_bytes());
    let etag = format!("\"{}\"", &blake3::hash(&body).to_hex()[..16]);
    let same = call.headers.get_all(IF_NONE_MATCH).iter().any(|sent| {
        sent.to_str().is_ok_and(|sent| sent.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag))
    });
    let mut response = if same {
        with_type(StatusCode::NOT_MODIFIED, "application/json", Bytes::new())
    } else {
        with_type(StatusCode::OK, "application/json", body.into())
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\"")));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Prices a cart; the price holds for ten minutes.
#[utoipa::path(post, path = "/api/v1/restaurants/{site}/quotes", operation_id = "quote", tag = "restaurants", params(("site" = String, Path)),
    request_body = QuoteRequestJson, responses((status = 201, body = QuoteJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn quote(call: Call, site: String) -> Answer {
    let customer = call.customer().await?;
    let site = site_of(&call, &site)?;
    let sent: QuoteRequestJson = call.json()?;
    text::note("note", sent.note.as_deref().unwrap_or_default())?;
    let address = sent.address.map(|address| address_of("address", address)).transpose()?;
    let lines = sent.lines.iter().enumerate().map(|(at, line)| cart_line(&format!("lines[{at}]"), line));
    let request = QuoteRequest {
        fulfilment: match sent.fulfilment {
            OrderFulfilmentJson::Delivery => Fulfilment::Delivery,
            OrderFulfilmentJson::Takeaway => Fulfilment::Takeaway,
        },
        lines: lines.collect::<Result<_, _>>()?,
        tip_minor: sent.tip_minor,
        address,
        note: sent.note,
    };
    let (quote, quoted) = call.app.desk.quote(&site, customer, request).await?;
    Ok(json(StatusCode::CREATED, &to_json::quote(&quote, &quoted, call.now())))
}

/// The address of a request, without what no screen can show.
pub fn address_of(field: &str, sent: AddressJson) -> Result<Address, Problem> {
    text::one_line(format!("{field}.street"), &sent.street)?;
    text::one_line(format!("{field}.city"), &sent.city)?;
    text::note(format!("{field}.note"), sent.note.as_deref().unwrap_or_default())?;
    Ok(Address { street: sent.street, city: sent.city, lat: sent.lat, lon: sent.lon, note: sent.note })
}

/// What a restaurant asks online. For the operator.
#[utoipa::path(get, path = "/api/v1/sites/{site}/terms", operation_id = "get_terms", tag = "sites", params(("site" = String, Path)),
    responses((status = 200, body = TermsJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn get_terms(call: Call, site: String) -> Answer {
    call.allow_operator().await?;
    let site = site_of(&call, &site)?;
    Ok(json(StatusCode::OK, &terms_json(&terms::of(&call.app.database, &site.facts.id).await?)))
}

/// Sets what a restaurant asks online. For the operator.
#[utoipa::path(put, path = "/api/v1/sites/{site}/terms", operation_id = "set_terms", tag = "sites", params(("site" = String, Path)),
    request_body = TermsJson, responses((status = 200, body = TermsJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson)))]
pub async fn set_terms(call: Call, site: String) -> Answer {
    call.allow_operator().await?;
    let site = site_of(&call, &site)?;
    let sent: TermsJson = call.json()?;
    for (field, minor) in [
        ("delivery_fee_minor", sent.delivery_fee_minor),
        ("packaging_minor", sent.packaging_minor),
        ("service_minor", sent.service_minor),
    ] {
        if !(0..=1_000_000).contains(&minor) {
            return Err(Problem::bad_field(field, "no such fee", "send 0 to 1000000"));
        }
    }
    let terms = Terms {
        delivery_fee_minor: sent.delivery_fee_minor,
        packaging_minor: sent.packaging_minor,
        service_minor: sent.service_minor,
        accepts_held: sent.accepts_held,
        hold_ms: sent.hold_ms,
        accept_ms: sent.accept_ms,
        verdict_ms: sent.verdict_ms,
    };
    let mut tx = call.app.database.begin().await?;
    terms::set(&mut tx, &site.facts.id, &terms).await?;
    tx.commit().await?;
    Ok(json(StatusCode::OK, &terms_json(&terms)))
}

fn terms_json(terms: &Terms) -> TermsJson {
    TermsJson {
        delivery_fee_minor: terms.delivery_fee_minor,
        packaging_minor: terms.packaging_minor,
        service_minor: terms.service_minor,
        accepts_held: terms.accepts_held,
        hold_ms: terms.hold_ms,
        accept_ms: terms.accept_ms,
        verdict_ms: terms.verdict_ms,
    }
}
