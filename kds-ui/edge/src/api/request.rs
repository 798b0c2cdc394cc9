//! One request as handlers see it: connection, headers, query, body; and how answers become responses.

use crate::api::problem::Problem;
use crate::server::Connection;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
pub use warp::reply::Response;

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The connection it came on; none in tests of single routes.
    pub connection: Option<Arc<Connection>>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its query, undecoded.
    pub query: String,
    /// Its body.
    pub body: Bytes,
}

/// What a handler answers.
pub type Answer = Result<Response, Problem>;

impl Request {
    /// The bearer token, if one was sent.
    pub fn token(&self) -> Option<&str> {
        bearer(&self.headers)
    }

    /// It has shown a good token: its connection is no stranger's any more.
    pub fn mark_known(&self) {
        if let Some(connection) = &self.connection {
            connection.mark_known();
        }
    }

    /// Where it came from, for slowing down guesses.
    pub fn from(&self) -> String {
        self.connection.as_ref().map_or_else(|| "local".to_owned(), |connection| whence(connection.peer.ip()))
    }

    /// The body as this shape, or a problem that says where it is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut read = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut read).map_err(|error| {
            let path = error.path().to_string();
            bad_json(error.inner(), (path != ".").then_some(path))
        })?;
        read.end().map_err(|error| bad_json(&error, None))?;
        Ok(value)
    }

    /// One parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// One place of the network: of version 6 whoever has one address has all of its network.
fn whence(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The bearer token of these headers.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// Says where a body is not what it must be. Of a field that is missing, serde gives the name in its words only.
fn bad_json(error: &serde_json::Error, path: Option<String>) -> Problem {
    let said = error.to_string();
    let missing = said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()).map(str::to_owned);
    let field = match (path, missing) {
        (Some(path), Some(missing)) => format!("{path}.{missing}"),
        (Some(path), None) => path,
        (None, Some(missing)) => missing,
        (None, None) => "body".to_owned(),
    };
    let problem = Problem::new(StatusCode::BAD_REQUEST, "bad_json", said).at(field);
    problem.remedy("send JSON of the shape that /api/v1/openapi.json describes")
}

/// Reads an id out of a field.
pub fn id<T: FromStr>(field: impl Into<String>, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        let remedy = "send the id as it was given; a new one is a UUID of version 7";
        Problem::bad_field(field, format!("{shown:?} is not a UUID, or is the nil one"), remedy)
    })
}

/// A JSON answer.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => with_type(status, "application/json", bytes.into()),
        Err(error) => respond(Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unwritable", error.to_string()))),
    }
}

/// An answer of this type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = http::Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer, or the problem as a document.
pub fn respond(answer: Answer) -> Response {
    match answer {
        Ok(response) => response,
        Err(problem) => {
            if problem.status == StatusCode::BAD_GATEWAY {
                // Somebody else does not answer: nothing is broken here.
                tracing::warn!(code = problem.code, detail = problem.detail, "another server did not do its part");
            } else if problem.status.is_server_error() {
                tracing::error!(code = problem.code, detail = problem.detail, "a request failed");
            }
            let body = serde_json::to_vec(&problem.to_json()).unwrap_or_default();
            let mut response = with_type(problem.status, "application/problem+json", body.into());
            if let Some(seconds) = problem.retry_after_s {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r5_addresses_of_one_network_are_one_place() {
        let place = |text: &str| whence(text.parse().unwrap());
        assert_eq!(place("2001:db8:1:2::1"), place("2001:db8:1:2:ffff::9"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_eq!(place("::ffff:192.0.2.1"), place("192.0.2.1"));
        assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
    }
}
