//! All paths of the node on one page. Every group ends in `.boxed()`, or the types take minutes to compile.

use crate::api::call::{Answer, Call, respond};
use crate::api::problem::Problem;
use crate::api::{devices, health, kitchen, live, menu, openapi, orders, screens, staff, stock};
use crate::app::App;
use crate::server::Connection;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use warp::filters::BoxedFilter;
use warp::reject::Rejection;
use warp::reply::{Reply, Response};
use warp::{Filter, path};

type Route = BoxedFilter<(Response,)>;

/// Everything the node serves.
pub fn all(
    app: &Arc<App>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static + use<> {
    order_routes(app)
        .or(kitchen_routes(app))
        .unify()
        .or(menu_routes(app))
        .unify()
        .or(device_routes(app))
        .unify()
        .or(staff_routes(app))
        .unify()
        .or(operation_routes(app))
        .unify()
        .or(screen_routes(app))
        .unify()
        .boxed()
        .recover(rejected)
        .unify()
        .boxed()
        .recover(|_: Rejection| async { Ok::<_, Infallible>(StatusCode::INTERNAL_SERVER_ERROR.into_response()) })
        .unify()
}

fn order_routes(app: &Arc<App>) -> Route {
    let place = path!("api" / "v1" / "orders").and(warp::post()).and(call(app)).then(run(orders::place_order));
    let list = path!("api" / "v1" / "orders").and(warp::get()).and(call(app)).then(run(orders::list_orders));
    let get = path!("api" / "v1" / "orders" / String).and(warp::get()).and(call(app)).then(run_at(orders::get_order));
    let amend = path!("api" / "v1" / "orders" / String / "amendments").and(warp::post()).and(call(app));
    let cancel = path!("api" / "v1" / "orders" / String / "cancellation").and(warp::post()).and(call(app));
    let (amend, cancel) = (amend.then(run_at(orders::amend_order)), cancel.then(run_at(orders::cancel_order)));
    place.boxed().or(list).unify().boxed().or(get).unify().boxed().or(amend).unify().boxed().or(cancel).unify().boxed()
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
    let stock_list = path!("api" / "v1" / "stock").and(warp::get()).and(call(app)).then(run(stock::get_stock));
    let receive = path!("api" / "v1" / "stock" / String / "receipts").and(warp::post()).and(call(app));
    let enforce = path!("api" / "v1" / "stock" / String / "enforced").and(warp::put()).and(call(app));
    let (receive, enforce) = (receive.then(run_at(stock::receive)), enforce.then(run_at(stock::enforce)));
    let menus = get.boxed().or(import).unify().boxed().or(availability).unify().boxed().or(set).unify().boxed();
    menus.or(stock_list).unify().boxed().or(receive).unify().boxed().or(enforce).unify().boxed()
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
    health.boxed().or(ready).unify().boxed().or(metrics).unify().boxed().or(openapi).unify().boxed()
}

fn screen_routes(app: &Arc<App>) -> Route {
    let file = warp::get().and(warp::path::full()).and(call(app));
    file.then(|path: warp::path::FullPath, call: Call| async move {
        respond(screens::file(call, path.as_str().trim_start_matches('/').to_owned()).await)
    })
    .boxed()
}

/// Puts a request together.
fn call(app: &Arc<App>) -> BoxedFilter<(Call,)> {
    let app = app.clone();
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::header::headers_cloned()
        .and(query)
        .and(warp::ext::optional::<Arc<Connection>>())
        .and(warp::body::bytes())
        .map(move |headers: HeaderMap, query: String, connection: Option<Arc<Connection>>, body: Bytes| Call {
            app: app.clone(),
            connection,
            headers,
            query,
            body,
        })
        .boxed()
}

fn run<F: Future<Output = Answer> + Send>(
    handle: impl Fn(Call) -> F + Clone + Send + Sync + 'static,
) -> impl Fn(Call) -> futures_util::future::BoxFuture<'static, Response> + Clone + Send + Sync + 'static
where
    F: 'static,
{
    move |call| {
        let answer = handle(call);
        Box::pin(async move { respond(answer.await) })
    }
}

fn run_at<F: Future<Output = Answer> + Send>(
    handle: impl Fn(Call, String) -> F + Clone + Send + Sync + 'static,
) -> impl Fn(String, Call) -> futures_util::future::BoxFuture<'static, Response> + Clone + Send + Sync + 'static
where
    F: 'static,
{
    move |at, call| {
        let answer = handle(call, at);
        Box::pin(async move { respond(answer.await) })
    }
}

/// What no route took.
async fn rejected(rejection: Rejection) -> Result<Response, Rejection> {
    let problem = if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path takes another method")
            .remedy("see /api/v1/openapi.json")
    } else if rejection.is_not_found() {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
            .remedy("see /api/v1/openapi.json")
    } else {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is over the limit, or broke off")
            .at("body")
            .remedy("send at most 64 KiB; an import at most 8 MiB")
    };
    Ok(respond(Err(problem)))
}
