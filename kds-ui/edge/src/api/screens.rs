//! The embedded screens: hashed assets for ever, pages always asked again.

use crate::api::problem::Problem;
use crate::api::request::{Answer, with_type};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::borrow::Cow;

/// One page talks to its own program only.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self' wss:; \
    frame-ancestors 'self'; base-uri 'none'; form-action 'self'";

/// A file of the screens, or the page that finds its way itself.
pub fn file(asked: &HeaderMap, path: &str) -> Answer {
    let missing =
        || Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is nothing at {path:?}")).at("path");
    let file = pilotlight_ui::file(path).ok_or_else(missing)?;
    let etag = HeaderValue::from_str(&format!("\"{}\"", file.etag)).map_err(|_| missing())?;
    let known = asked.get(IF_NONE_MATCH).is_some_and(|sent| sent == etag);
    let body = match (known, file.data) {
        (true, _) => Bytes::new(),
        (false, Cow::Borrowed(data)) => Bytes::from_static(data),
        (false, Cow::Owned(data)) => Bytes::from(data),
    };
    let status = if known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = with_type(status, file.content_type, body);
    let cached = if file.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(ETAG, etag);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}
