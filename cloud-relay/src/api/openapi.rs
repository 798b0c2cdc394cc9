//! The API's own description, served at `/api/v1/openapi.json`; a test calls every path in it.

use crate::api::call::{Answer, Call, with_type};
use crate::api::{health, orders, payments, people, restaurants, riders, sites};
use http::StatusCode;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Pilotlight relay", description = "The relay in the cloud: customers, riders, operators and the uplinks of nodes."),
    paths(
        sites::create, sites::list, sites::renew_code, sites::digest, sites::orders, sites::deliveries, sites::enrol,
        health::health, health::ready, health::metrics, health::get_ca,
        people::register, people::guest, people::sign_in, people::sign_out, people::me, people::register_rider, people::sign_in_rider,
        restaurants::near, restaurants::menu, restaurants::quote, restaurants::get_terms, restaurants::set_terms,
        orders::place, orders::list, orders::get, orders::preview, orders::cancel, orders::amend,
        riders::shift, riders::position, riders::task, riders::accept, riders::decline,
        riders::at_store, riders::picked_up, riders::delivered, riders::failed,
        payments::webhook,
        get_openapi
    ),
    security(("token" = [])),
    modifiers(&Token)
)]
struct Description;

struct Token;

impl Modify for Token {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        openapi.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// The description as JSON.
pub fn document() -> String {
    Description::openapi().to_pretty_json().unwrap_or_default()
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "get_openapi", tag = "operations", responses((status = 200, content_type = "application/json")), security(()))]
pub async fn get_openapi(_call: Call) -> Answer {
    Ok(with_type(StatusCode::OK, "application/json", document().into()))
}
