//! What a node without a store serves: one page, its health, and the decision to begin anew.

use crate::api::call::{respond, with_type};
use crate::api::problem::Problem;
use crate::recovery::{Decision, RecoveryDesk};
use bytes::Bytes;
use http::StatusCode;
use std::convert::Infallible;
use std::sync::Arc;
use warp::reply::{Reply, Response};
use warp::{Filter, path};

/// The few routes of a node without a store.
pub fn routes(
    desk: &Arc<RecoveryDesk>,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static + use<> {
    let (for_page, for_decision) = (desk.clone(), desk.clone());
    let decide = path!("recovery" / "begin-anew").and(warp::post()).and(warp::body::bytes()).map(move |body: Bytes| {
        let text = String::from_utf8_lossy(&body);
        respond(decide(&for_decision, text.strip_prefix("code=").unwrap_or(&text)))
    });
    let health = path!("health").or(path!("ready")).unify().and(warp::get()).map(|| {
        let body = r#"{"status":"degraded","store":"recovery","open_orders":0,"screens":0,"uptime_ms":0}"#;
        with_type(StatusCode::SERVICE_UNAVAILABLE, "application/json", body.into())
    });
    let page = warp::get().and(path::end()).map(move || page(&for_page));
    let rest = warp::any().map(|| {
        let detail = "the store is damaged or gone: only recovery is possible";
        respond(Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "recovery", detail)
            .remedy("open this node's address in a browser and follow the page")))
    });
    decide
        .boxed()
        .or(health)
        .unify()
        .boxed()
        .or(page)
        .unify()
        .boxed()
        .or(rest)
        .unify()
        .boxed()
        .recover(|_| async { Ok::<_, Infallible>(StatusCode::INTERNAL_SERVER_ERROR.into_response()) })
        .unify()
}

fn decide(desk: &RecoveryDesk, code: &str) -> Result<Response, Problem> {
    match desk.begin_anew(code) {
        Decision::Done => {
            let text = "The node begins anew. Its console shows a new admin code in a moment.";
            Ok(with_type(StatusCode::OK, "text/plain; charset=utf-8", text.into()))
        }
        Decision::WrongCode => {
            Err(Problem::new(StatusCode::FORBIDDEN, "wrong_code", "that is not the code on the node's console")
                .at("code")
                .remedy("read the code that the node printed when it started"))
        }
        Decision::Locked { retry_after_s } => {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "locked", "too many wrong codes");
            Err(Problem { retry_after_s: Some(retry_after_s), ..problem })
        }
        Decision::Failed(why) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "recovery_failed", why)),
    }
}

fn page(desk: &RecoveryDesk) -> Response {
    let note: String = desk
        .note
        .chars()
        .flat_map(|letter| match letter {
            '<' => "&lt;".chars().collect::<Vec<_>>(),
            '&' => "&amp;".chars().collect(),
            other => vec![other],
        })
        .collect();
    let html = format!(
        r#"<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Pilotlight needs a decision</title>
<style>body{{font:18px/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem;background:#171412;color:#f4efe9}}
input,button{{font:inherit;padding:12px 16px;border-radius:6px;border:1px solid #777}}button{{background:#2d8cf0;color:#fff;border:0}}</style>
<h1>This node needs a decision</h1><p>{note}</p>
<p>Nothing was deleted. If you have a backup or another node of this restaurant, restore from it: stop this program and put the
files back. Otherwise begin anew: the menu, the devices and the stock must be entered again.</p>
<form method="post" action="/recovery/begin-anew"><label>Code on the node's console<br>
<input name="code" autocomplete="off" required></label> <button>Begin anew</button></form></html>"#
    );
    with_type(StatusCode::OK, "text/html; charset=utf-8", html.into())
}
