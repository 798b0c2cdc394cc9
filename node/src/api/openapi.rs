//! The API's own description, served at `/api/v1/openapi.json`; a test calls every path in it.

use crate::api::call::{Answer, Call, with_type};
use crate::api::json::{FromScreenJson, ToScreenJson};
use crate::api::{devices, digest, health, kitchen, menu, online, orders, siblings, staff, stock, till, uplink};
use http::StatusCode;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Pilotlight node", description = "The computer in the restaurant. Live changes come over a WebSocket at /api/v1/live: \
        send FromScreenJson, receive ToScreenJson."),
    paths(
        orders::place_order, orders::get_order, orders::list_orders, orders::amend_order, orders::cancel_order, orders::take_tender, orders::take_over, orders::get_log,
        kitchen::actions,
        online::get_online, online::set_intake, online::decide, online::answer,
        menu::get_menu, menu::get_availability, menu::put_availability, menu::import_menu, menu::get_conflicts, menu::change_item,
        stock::get_stock, stock::receive, stock::enforce, stock::adopt_stock, stock::count_stock, stock::waste,
        till::get_till, till::open_shift, till::move_cash, till::close_shift, till::name_keeper, till::get_day, till::close_day,
        devices::get_site, devices::pair, devices::create_code, devices::who_am_i, devices::list, devices::revoke, devices::get_ca,
        staff::list, staff::add, staff::remove, staff::sign_in, staff::sign_out,
        uplink::get_uplink, uplink::enrol,
        siblings::list, siblings::create_code, siblings::join, siblings::enrol,
        health::health, health::ready, health::metrics, digest::get_digest,
        get_openapi
    ),
    components(schemas(FromScreenJson, ToScreenJson)),
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
