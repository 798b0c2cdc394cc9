//! All paths of the relay on one page. Every group ends in `.boxed()`, or the types take minutes to compile.

use crate::api::call::respond;
use crate::api::call::{Call, Request, Response, id};
use crate::api::live::{self, Shows};
use crate::api::{health, openapi, orders, payments, people, restaurants, riders, sites, uplink};
use crate::app::App;
use pilotlight_edge::api::routes::{self, Route, Service, run, run_at};
use std::sync::Arc;
use warp::filters::BoxedFilter;
use warp::reply::Reply;
use warp::{Filter, path};

/// The relay as one service.
pub fn service(app: &Arc<App>) -> Service {
    routes::service([
        order_routes(app),
        restaurant_routes(app),
        rider_routes(app),
        people_routes(app),
        live_routes(app),
        site_routes(app),
        operation_routes(app),
    ])
}

fn order_routes(app: &Arc<App>) -> Route {
    let place = path!("api" / "v1" / "restaurants" / String / "orders").and(warp::post()).and(call(app));
    let list = path!("api" / "v1" / "orders").and(warp::get()).and(call(app)).then(run(orders::list));
    let get = path!("api" / "v1" / "orders" / String).and(warp::get()).and(call(app)).then(run_at(orders::get));
    let preview = path!("api" / "v1" / "orders" / String / "cancel-preview").and(warp::post()).and(call(app));
    let cancel = path!("api" / "v1" / "orders" / String / "cancel").and(warp::post()).and(call(app));
    let amend = path!("api" / "v1" / "orders" / String / "amendments").and(warp::post()).and(call(app));
    let amend = amend.then(run_at(orders::amend));
    let webhook = path!("api" / "v1" / "payments" / "webhook").and(warp::post()).and(call(app));
    let (place, webhook) = (place.then(run_at(orders::place)), webhook.then(run(payments::webhook)));
    let (preview, cancel) = (preview.then(run_at(orders::preview)), cancel.then(run_at(orders::cancel)));
    let first = place.boxed().or(list).unify().boxed().or(get).unify().boxed();
    first.or(preview).unify().boxed().or(cancel).unify().boxed().or(amend).unify().boxed().or(webhook).unify().boxed()
}

fn restaurant_routes(app: &Arc<App>) -> Route {
    let near = path!("api" / "v1" / "restaurants").and(warp::get()).and(call(app)).then(run(restaurants::near));
    let menu = path!("api" / "v1" / "restaurants" / String / "menu").and(warp::get()).and(call(app));
    let quote = path!("api" / "v1" / "restaurants" / String / "quotes").and(warp::post()).and(call(app));
    let get_terms = path!("api" / "v1" / "sites" / String / "terms").and(warp::get()).and(call(app));
    let set_terms = path!("api" / "v1" / "sites" / String / "terms").and(warp::put()).and(call(app));
    let (menu, quote) = (menu.then(run_at(restaurants::menu)), quote.then(run_at(restaurants::quote)));
    let get_terms = get_terms.then(run_at(restaurants::get_terms));
    let set_terms = set_terms.then(run_at(restaurants::set_terms));
    let first = near.boxed().or(menu).unify().boxed().or(quote).unify().boxed();
    first.or(get_terms).unify().boxed().or(set_terms).unify().boxed()
}

fn rider_routes(app: &Arc<App>) -> Route {
    let shift = path!("api" / "v1" / "rider" / "shift").and(warp::put()).and(call(app)).then(run(riders::shift));
    let position = path!("api" / "v1" / "rider" / "position").and(warp::put()).and(call(app));
    let task = path!("api" / "v1" / "rider" / "task").and(warp::get()).and(call(app)).then(run(riders::task));
    let accept = path!("api" / "v1" / "rider" / "offers" / String / "accept").and(warp::post()).and(call(app));
    let decline = path!("api" / "v1" / "rider" / "offers" / String / "decline").and(warp::post()).and(call(app));
    let at_store = path!("api" / "v1" / "rider" / "deliveries" / String / "at-store").and(warp::post()).and(call(app));
    let picked = path!("api" / "v1" / "rider" / "deliveries" / String / "picked-up").and(warp::post()).and(call(app));
    let delivered =
        path!("api" / "v1" / "rider" / "deliveries" / String / "delivered").and(warp::post()).and(call(app));
    let failed = path!("api" / "v1" / "rider" / "deliveries" / String / "failed").and(warp::post()).and(call(app));
    let (position, accept) = (position.then(run(riders::position)), accept.then(run_at(riders::accept)));
    let (decline, at_store) = (decline.then(run_at(riders::decline)), at_store.then(run_at(riders::at_store)));
    let (picked, delivered) = (picked.then(run_at(riders::picked_up)), delivered.then(run_at(riders::delivered)));
    let failed = failed.then(run_at(riders::failed));
    let first = shift.boxed().or(position).unify().boxed().or(task).unify().boxed().or(accept).unify().boxed();
    let second = first.or(decline).unify().boxed().or(at_store).unify().boxed().or(picked).unify().boxed();
    second.or(delivered).unify().boxed().or(failed).unify().boxed()
}

fn people_routes(app: &Arc<App>) -> Route {
    let register = path!("api" / "v1" / "customers").and(warp::post()).and(call(app)).then(run(people::register));
    let guest = path!("api" / "v1" / "customers" / "guest").and(warp::post()).and(call(app)).then(run(people::guest));
    let sign_in = path!("api" / "v1" / "sessions").and(warp::post()).and(call(app)).then(run(people::sign_in));
    let sign_out = path!("api" / "v1" / "sessions" / "current").and(warp::delete()).and(call(app));
    let me = path!("api" / "v1" / "me").and(warp::get()).and(call(app)).then(run(people::me));
    let rider = path!("api" / "v1" / "riders").and(warp::post()).and(call(app)).then(run(people::register_rider));
    let rider_in = path!("api" / "v1" / "rider" / "sessions").and(warp::post()).and(call(app));
    let (sign_out, rider_in) = (sign_out.then(run(people::sign_out)), rider_in.then(run(people::sign_in_rider)));
    let first = register.boxed().or(guest).unify().boxed().or(sign_in).unify().boxed().or(sign_out).unify().boxed();
    first.or(me).unify().boxed().or(rider).unify().boxed().or(rider_in).unify().boxed()
}

fn live_routes(app: &Arc<App>) -> Route {
    let order = path!("api" / "v1" / "orders" / String / "live").and(warp::ws()).and(call(app));
    let order = order.map(|order: String, ws: warp::ws::Ws, call: Call| match id("id", &order) {
        Ok(order) => socket(ws, call, Shows::Order(order)),
        Err(problem) => respond(Err(problem)),
    });
    let task = path!("api" / "v1" / "rider" / "live").and(warp::ws()).and(call(app));
    let task = task.map(|ws: warp::ws::Ws, call: Call| socket(ws, call, Shows::Task));
    order.boxed().or(task).unify().boxed()
}

fn socket(ws: warp::ws::Ws, call: Call, shows: Shows) -> Response {
    let ws = ws.max_message_size(live::FRAME_BYTES_MAX).max_frame_size(live::FRAME_BYTES_MAX);
    let serve = move |socket| {
        let (app, request) = (call.app, call.request);
        app.sockets.clone().track_future(live::serve(app, request, shows, socket))
    };
    ws.on_upgrade(serve).into_response()
}

fn site_routes(app: &Arc<App>) -> Route {
    let create = path!("api" / "v1" / "sites").and(warp::post()).and(call(app)).then(run(sites::create));
    let list = path!("api" / "v1" / "sites").and(warp::get()).and(call(app)).then(run(sites::list));
    let code = path!("api" / "v1" / "sites" / String / "code").and(warp::post()).and(call(app));
    let code = code.then(run_at(sites::renew_code));
    let digest = path!("api" / "v1" / "sites" / String / "digest").and(warp::get()).and(call(app));
    let digest = digest.then(run_at(sites::digest));
    let orders = path!("api" / "v1" / "sites" / String / "orders").and(warp::get()).and(call(app));
    let orders = orders.then(run_at(sites::orders));
    let deliveries = path!("api" / "v1" / "sites" / String / "deliveries").and(warp::get()).and(call(app));
    let deliveries = deliveries.then(run_at(sites::deliveries));
    let enrol = path!("api" / "v1" / "enrol").and(warp::post()).and(call(app)).then(run(sites::enrol));
    let link = path!("sync").and(warp::ws()).and(call(app)).then(uplink::link);
    let operator = create.boxed().or(list).unify().boxed().or(code).unify().boxed();
    let shown = digest.boxed().or(orders).unify().boxed().or(deliveries).unify().boxed();
    operator.or(shown).unify().boxed().or(enrol).unify().boxed().or(link).unify().boxed()
}

fn operation_routes(app: &Arc<App>) -> Route {
    let health = path!("health").and(warp::get()).and(call(app)).then(run(health::health));
    let ready = path!("ready").and(warp::get()).and(call(app)).then(run(health::ready));
    let metrics = path!("metrics").and(warp::get()).and(call(app)).then(run(health::metrics));
    let ca = path!("ca.crt").and(warp::get()).and(call(app)).then(run(health::get_ca));
    let openapi = path!("api" / "v1" / "openapi.json").and(warp::get()).and(call(app)).then(run(openapi::get_openapi));
    let first = health.boxed().or(ready).unify().boxed().or(metrics).unify().boxed();
    first.or(ca).unify().boxed().or(openapi).unify().boxed()
}

/// Puts a call together.
fn call(app: &Arc<App>) -> BoxedFilter<(Call,)> {
    let app = app.clone();
    routes::request().map(move |request: Request| Call { app: app.clone(), request }).boxed()
}
