//! All paths of the relay on one page. Every group ends in `.boxed()`, or the types take minutes to compile.

use crate::api::call::{Call, Request};
use crate::api::{health, openapi, sites, uplink};
use crate::app::App;
use pilotlight_edge::api::routes::{self, Route, Service, run, run_at};
use std::sync::Arc;
use warp::filters::BoxedFilter;
use warp::{Filter, path};

/// The relay as one service.
pub fn service(app: &Arc<App>) -> Service {
    routes::service([site_routes(app), operation_routes(app)])
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
    let enrol = path!("api" / "v1" / "enrol").and(warp::post()).and(call(app)).then(run(sites::enrol));
    let link = path!("sync").and(warp::ws()).and(call(app)).then(uplink::link);
    let operator = create.boxed().or(list).unify().boxed().or(code).unify().boxed();
    operator.or(digest).unify().boxed().or(orders).unify().boxed().or(enrol).unify().boxed().or(link).unify().boxed()
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
