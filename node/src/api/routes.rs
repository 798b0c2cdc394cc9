//! All paths of the node on one page. Every group ends in `.boxed()`, or the types take minutes to compile.

use crate::api::call::{Answer, Call, respond};
use crate::api::problem::Problem;
use crate::api::{devices, health, kitchen, live, menu, openapi, orders, screens, staff, stock};
use crate::app::App;
use crate::recovery::RecoveryDesk;
use crate::server::Connection;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use warp::filters::BoxedFilter;
use warp::reject::Rejection;
use warp::reply::{Reply, Response};
use warp::{Filter, path};

type Route = BoxedFilter<(Response,)>;
/// The node as one service over requests whose bodies are bounded.
pub type Service = BoxCloneSyncService<http::Request<Limited<Incoming>>, http::Response<ResponseBody>, Infallible>;
/// The body of an answer.
pub type ResponseBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Puts the routes behind what every request goes through: panics are caught, what is large is compressed.
pub fn service(app: &Arc<App>) -> Service {
    let layered = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(CompressionLayer::new().gzip(true).compress_when(SizeAbove::new(1024)))
        .service(warp::service(all(app)));
    BoxCloneSyncService::new(tower::util::MapResponse::new(layered, |response: http::Response<_>| {
        response.map(boxed_body)
    }))
}

/// Puts the recovery page behind the same type.
pub fn recovery_service(desk: &Arc<RecoveryDesk>) -> Service {
    let routes = warp::service(super::recovery::routes(desk));
    BoxCloneSyncService::new(tower::util::MapResponse::new(routes, |response: http::Response<_>| {
        response.map(boxed_body)
    }))
}

/// Any body as the body of an answer.
pub fn boxed_body<B>(body: B) -> ResponseBody
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    body.map_err(Into::into).boxed_unsync()
}

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
    // Not `warp::get()`: what is nowhere must be *not found* for every method, and a path of the API keeps its *wrong method*.
    let path = warp::method().and(warp::path::full()).and_then(
        |method: http::Method, path: warp::path::FullPath| async move {
            let path = path.as_str().trim_start_matches('/').to_owned();
            if method == http::Method::GET && !path.starts_with("api/") {
                Ok(path)
            } else {
                Err(warp::reject::not_found())
            }
        },
    );
    let file = path.and(call(app));
    file.then(|path: String, call: Call| async move { respond(screens::file(&call, &path)) }).boxed()
}

/// Puts a request together.
fn call(app: &Arc<App>) -> BoxedFilter<(Call,)> {
    let app = app.clone();
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    // A body that is too large or breaks off is told by the handler that wants it, as a problem that names it.
    let body = warp::body::bytes().map(Some).or_else(|_| async { Ok::<_, Rejection>((None,)) });
    warp::header::headers_cloned()
        .and(query)
        .and(warp::ext::optional::<Arc<Connection>>())
        .and(body)
        .map(move |headers: HeaderMap, query: String, connection: Option<Arc<Connection>>, body: Option<Bytes>| Call {
            app: app.clone(),
            connection,
            headers,
            query,
            body,
        })
        .boxed()
}

fn run<F>(
    handle: impl Fn(Call) -> F + Clone + Send + Sync + 'static,
) -> impl Fn(Call) -> futures_util::future::BoxFuture<'static, Response> + Clone + Send + Sync + 'static
where
    F: Future<Output = Answer> + Send + 'static,
{
    move |call| {
        let answer = handle(call);
        Box::pin(async move { respond(answer.await) })
    }
}

fn run_at<F>(
    handle: impl Fn(Call, String) -> F + Clone + Send + Sync + 'static,
) -> impl Fn(String, Call) -> futures_util::future::BoxFuture<'static, Response> + Clone + Send + Sync + 'static
where
    F: Future<Output = Answer> + Send + 'static,
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
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", "this request cannot be understood")
            .remedy("see /api/v1/openapi.json")
    };
    Ok(respond(Err(problem)))
}
