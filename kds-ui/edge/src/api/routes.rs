//! What every program's routes go through: panics are caught, what is large is compressed, what no route took is a problem.

use crate::api::problem::Problem;
use crate::api::request::{Answer, Request, respond};
use crate::api::screens;
use crate::server::Connection;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use tower::ServiceBuilder;
use tower::util::BoxCloneSyncService;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reject::Rejection;
use warp::reply::{Reply, Response};

/// A group of routes.
pub type Route = BoxedFilter<(Response,)>;
/// A program as one service over requests whose bodies were taken in.
pub type Service = BoxCloneSyncService<http::Request<Full<Bytes>>, http::Response<ResponseBody>, Infallible>;
/// The body of an answer.
pub type ResponseBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Puts these groups, then the embedded screens, behind what every request goes through.
pub fn service(groups: impl IntoIterator<Item = Route>) -> Service {
    let routes = groups.into_iter().reduce(|all, group| all.or(group).unify().boxed());
    let routes = routes.map_or_else(screens, |all| all.or(screens()).unify().boxed());
    let total = routes
        .recover(rejected)
        .unify()
        .boxed()
        .recover(|_: Rejection| async { Ok::<_, Infallible>(StatusCode::INTERNAL_SERVER_ERROR.into_response()) })
        .unify();
    let layered = ServiceBuilder::new()
        .layer(CatchPanicLayer::new())
        .layer(CompressionLayer::new().gzip(true).compress_when(SizeAbove::new(1024)))
        .service(warp::service(total));
    BoxCloneSyncService::new(tower::util::MapResponse::new(layered, |response: http::Response<_>| {
        response.map(boxed_body)
    }))
}

/// These routes and nothing else, behind the same type.
pub fn bare_service(
    routes: impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static,
) -> Service {
    BoxCloneSyncService::new(tower::util::MapResponse::new(warp::service(routes), |response: http::Response<_>| {
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

/// The embedded screens, at every path that is nobody else's.
fn screens() -> Route {
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
    let file = path.and(warp::header::headers_cloned());
    file.map(|path: String, headers: HeaderMap| respond(screens::file(&headers, &path))).boxed()
}

/// Puts a request together.
pub fn request() -> BoxedFilter<(Request,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::header::headers_cloned()
        .and(query)
        .and(warp::ext::optional::<Arc<Connection>>())
        .and(warp::body::bytes())
        .map(|headers: HeaderMap, query: String, connection: Option<Arc<Connection>>, body: Bytes| Request {
            connection,
            headers,
            query,
            body,
        })
        .boxed()
}

/// Runs a handler of a path without parameters.
pub fn run<C: 'static, F>(
    handle: impl Fn(C) -> F + Clone + Send + Sync + 'static,
) -> impl Fn(C) -> futures_util::future::BoxFuture<'static, Response> + Clone + Send + Sync + 'static
where
    F: Future<Output = Answer> + Send + 'static,
{
    move |call| {
        let answer = handle(call);
        Box::pin(async move { respond(answer.await) })
    }
}

/// Runs a handler of a path with one parameter.
pub fn run_at<C: 'static, F>(
    handle: impl Fn(C, String) -> F + Clone + Send + Sync + 'static,
) -> impl Fn(String, C) -> futures_util::future::BoxFuture<'static, Response> + Clone + Send + Sync + 'static
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
