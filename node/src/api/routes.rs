//! All paths of the node on one page. Every group ends in `.boxed()`, or the types take minutes to compile.

use crate::api::call::{Call, Request};
use crate::api::{
    devices, digest, health, kitchen, live, menu, online, openapi, orders, siblings, staff, stock, till, uplink,
};
use crate::app::App;
use crate::recovery::RecoveryDesk;
use pilotlight_edge::api::routes::{self, Route, Service, run, run_at};
use pilotlight_edge::server::Connection;
use std::sync::Arc;
use warp::filters::BoxedFilter;
use warp::reply::Reply;
use warp::{Filter, path};

/// The node as one service.
pub fn service(app: &Arc<App>) -> Service {
    let groups = [
        order_routes(app),
        kitchen_routes(app),
        online_routes(app),
        menu_routes(app),
        device_routes(app),
        staff_routes(app),
        operation_routes(app),
        sibling_routes(app),
        till_routes(app),
    ];
    routes::service(groups)
}

/// The recovery page behind the same type.
pub fn recovery_service(desk: &Arc<RecoveryDesk>) -> Service {
    routes::bare_service(super::recovery::routes(desk))
}

fn order_routes(app: &Arc<App>) -> Route {
    let place = path!("api" / "v1" / "orders").and(warp::post()).and(call(app)).then(run(orders::place_order));
    let list = path!("api" / "v1" / "orders").and(warp::get()).and(call(app)).then(run(orders::list_orders));
    let get = path!("api" / "v1" / "orders" / String).and(warp::get()).and(call(app)).then(run_at(orders::get_order));
    let amend = path!("api" / "v1" / "orders" / String / "amendments").and(warp::post()).and(call(app));
    let cancel = path!("api" / "v1" / "orders" / String / "cancellation").and(warp::post()).and(call(app));
    let tender = path!("api" / "v1" / "orders" / String / "payments").and(warp::post()).and(call(app));
    let tender = tender.then(run_at(orders::take_tender));
    let over = path!("api" / "v1" / "orders" / String / "take-over").and(warp::post()).and(call(app));
    let over = over.then(run_at(orders::take_over));
    let log = path!("api" / "v1" / "orders" / String / "log").and(warp::get()).and(call(app));
    let log = log.then(run_at(orders::get_log));
    let (amend, cancel) = (amend.then(run_at(orders::amend_order)), cancel.then(run_at(orders::cancel_order)));
    place
        .boxed()
        .or(list)
        .unify()
        .boxed()
        .or(get)
        .unify()
        .boxed()
        .or(amend)
        .unify()
        .boxed()
        .or(cancel)
        .unify()
        .boxed()
        .or(tender)
        .unify()
        .boxed()
        .or(over)
        .unify()
        .boxed()
        .or(log)
        .unify()
        .boxed()
}

fn online_routes(app: &Arc<App>) -> Route {
    let get = path!("api" / "v1" / "online").and(warp::get()).and(call(app)).then(run(online::get_online));
    let set = path!("api" / "v1" / "online" / "intake").and(warp::put()).and(call(app)).then(run(online::set_intake));
    let decide = path!("api" / "v1" / "orders" / String / "decision").and(warp::post()).and(call(app));
    let decide = decide.then(run_at(online::decide));
    let answer = path!("api" / "v1" / "online" / "requests" / String).and(warp::post()).and(call(app));
    let answer = answer.then(run_at(online::answer));
    get.boxed().or(set).unify().boxed().or(decide).unify().boxed().or(answer).unify().boxed()
}

fn kitchen_routes(app: &Arc<App>) -> Route {
    let actions =
        path!("api" / "v1" / "kitchen" / "actions").and(warp::post()).and(call(app)).then(run(kitchen::actions));
    let shared = app.clone();
    let socket = path!("api" / "v1" / "live").and(warp::ws()).and(warp::ext::optional::<Arc<Connection>>()).map(
        move |ws: warp::ws::Ws, connection: Option<Arc<Connection>>| {
            let app = shared.clone();
            let ws = ws.max_message_size(live::FRAME_BYTES_MAX).max_frame_size(live::FRAME_BYTES_MAX);
            ws.on_upgrade(move |socket| app.clone().sockets.clone().track_future(live::serve(app, connection, socket)))
                .into_response()
        },
    );
    actions.boxed().or(socket).unify().boxed()
}

fn menu_routes(app: &Arc<App>) -> Route {
    let get = path!("api" / "v1" / "menu").and(warp::get()).and(call(app)).then(run(menu::get_menu));
    let import = path!("api" / "v1" / "menu" / "imports").and(warp::post()).and(call(app)).then(run(menu::import_menu));
    let availability =
        path!("api" / "v1" / "availability").and(warp::get()).and(call(app)).then(run(menu::get_availability));
    let set = path!("api" / "v1" / "items" / String / "availability").and(warp::put()).and(call(app));
    let set = set.then(run_at(menu::put_availability));
    let conflicts = path!("api" / "v1" / "menu" / "conflicts").and(warp::get()).and(call(app));
    let conflicts = conflicts.then(run(menu::get_conflicts));
    let change = path!("api" / "v1" / "items" / String).and(warp::patch()).and(call(app));
    let change = change.then(run_at(menu::change_item)).or(conflicts).unify().boxed();
    let stock_list = path!("api" / "v1" / "stock").and(warp::get()).and(call(app)).then(run(stock::get_stock));
    let receive = path!("api" / "v1" / "stock" / String / "receipts").and(warp::post()).and(call(app));
    let enforce = path!("api" / "v1" / "stock" / String / "enforced").and(warp::put()).and(call(app));
    let adopt =
        path!("api" / "v1" / "stock" / "adoptions").and(warp::post()).and(call(app)).then(run(stock::adopt_stock));
    let count = path!("api" / "v1" / "stock" / String / "counts").and(warp::post()).and(call(app));
    let count = count.then(run_at(stock::count_stock));
    let waste = path!("api" / "v1" / "stock" / String / "waste").and(warp::post()).and(call(app));
    let waste = waste.then(run_at(stock::waste));
    let (receive, enforce) = (receive.then(run_at(stock::receive)), enforce.then(run_at(stock::enforce)));
    let menus = get.boxed().or(import).unify().boxed().or(availability).unify().boxed().or(set).unify().boxed();
    let menus = menus.or(change).unify().boxed();
    menus
        .or(stock_list)
        .unify()
        .boxed()
        .or(receive)
        .unify()
        .boxed()
        .or(enforce)
        .unify()
        .boxed()
        .or(count)
        .unify()
        .boxed()
        .or(adopt)
        .unify()
        .boxed()
        .or(waste)
        .unify()
        .boxed()
}

fn device_routes(app: &Arc<App>) -> Route {
    let site = path!("api" / "v1" / "site").and(warp::get()).and(call(app)).then(run(devices::get_site));
    let pair = path!("api" / "v1" / "pair").and(warp::post()).and(call(app)).then(run(devices::pair));
    let code = path!("api" / "v1" / "pairing-codes").and(warp::post()).and(call(app)).then(run(devices::create_code));
    let who = path!("api" / "v1" / "whoami").and(warp::get()).and(call(app)).then(run(devices::who_am_i));
    let list = path!("api" / "v1" / "devices").and(warp::get()).and(call(app)).then(run(devices::list));
    let revoke =
        path!("api" / "v1" / "devices" / String).and(warp::delete()).and(call(app)).then(run_at(devices::revoke));
    let ca = path!("ca.crt").and(warp::get()).and(call(app)).then(run(devices::get_ca));
    let public = site.boxed().or(pair).unify().boxed().or(ca).unify().boxed();
    public.or(code).unify().boxed().or(who).unify().boxed().or(list).unify().boxed().or(revoke).unify().boxed()
}

fn staff_routes(app: &Arc<App>) -> Route {
    let list = path!("api" / "v1" / "staff").and(warp::get()).and(call(app)).then(run(staff::list));
    let add = path!("api" / "v1" / "staff").and(warp::post()).and(call(app)).then(run(staff::add));
    let remove = path!("api" / "v1" / "staff" / String).and(warp::delete()).and(call(app)).then(run_at(staff::remove));
    let sign_in = path!("api" / "v1" / "sign-in").and(warp::post()).and(call(app)).then(run(staff::sign_in));
    let sign_out = path!("api" / "v1" / "sign-out").and(warp::post()).and(call(app)).then(run(staff::sign_out));
    let people = list.boxed().or(add).unify().boxed().or(remove).unify().boxed();
    people.or(sign_in).unify().boxed().or(sign_out).unify().boxed()
}

fn operation_routes(app: &Arc<App>) -> Route {
    let health = path!("health").and(warp::get()).and(call(app)).then(run(health::health));
    let ready = path!("ready").and(warp::get()).and(call(app)).then(run(health::ready));
    let metrics = path!("metrics").and(warp::get()).and(call(app)).then(run(health::metrics));
    let openapi = path!("api" / "v1" / "openapi.json").and(warp::get()).and(call(app)).then(run(openapi::get_openapi));
    let digest = path!("api" / "v1" / "digest").and(warp::get()).and(call(app)).then(run(digest::get_digest));
    let link = path!("api" / "v1" / "uplink").and(warp::get()).and(call(app)).then(run(uplink::get_uplink));
    let enrol = path!("api" / "v1" / "uplink").and(warp::post()).and(call(app)).then(run(uplink::enrol));
    let links = link.boxed().or(enrol).unify().boxed().or(digest).unify().boxed();
    links.or(health).unify().boxed().or(ready).unify().boxed().or(metrics).unify().boxed().or(openapi).unify().boxed()
}

fn sibling_routes(app: &Arc<App>) -> Route {
    let list = path!("api" / "v1" / "siblings").and(warp::get()).and(call(app)).then(run(siblings::list));
    let join = path!("api" / "v1" / "siblings").and(warp::post()).and(call(app)).then(run(siblings::join));
    let code = path!("api" / "v1" / "siblings" / "codes").and(warp::post()).and(call(app));
    let code = code.then(run(siblings::create_code));
    let enrol = path!("api" / "v1" / "enrol").and(warp::post()).and(call(app)).then(run(siblings::enrol));
    let link = path!("sync").and(warp::ws()).and(call(app)).then(siblings::link);
    let known = list.boxed().or(join).unify().boxed().or(code).unify().boxed();
    known.or(enrol).unify().boxed().or(link).unify().boxed()
}

fn till_routes(app: &Arc<App>) -> Route {
    let get = path!("api" / "v1" / "till").and(warp::get()).and(call(app)).then(run(till::get_till));
    let open = path!("api" / "v1" / "till" / "shifts").and(warp::post()).and(call(app)).then(run(till::open_shift));
    let cash = path!("api" / "v1" / "till" / "shifts" / String / "cash").and(warp::post()).and(call(app));
    let end = path!("api" / "v1" / "till" / "shifts" / String / "close").and(warp::post()).and(call(app));
    let keeper = path!("api" / "v1" / "till" / "keeper").and(warp::put()).and(call(app)).then(run(till::name_keeper));
    let day = path!("api" / "v1" / "days" / String).and(warp::get()).and(call(app)).then(run_at(till::get_day));
    let close = path!("api" / "v1" / "days" / String / "close").and(warp::post()).and(call(app));
    let (cash, end) = (cash.then(run_at(till::move_cash)), end.then(run_at(till::close_shift)));
    let close = close.then(run_at(till::close_day));
    let shifts = get.boxed().or(open).unify().boxed().or(cash).unify().boxed().or(end).unify().boxed();
    shifts.or(keeper).unify().boxed().or(day).unify().boxed().or(close).unify().boxed()
}

/// Puts a call together.
fn call(app: &Arc<App>) -> BoxedFilter<(Call,)> {
    let app = app.clone();
    routes::request().map(move |request: Request| Call { app: app.clone(), request }).boxed()
}
