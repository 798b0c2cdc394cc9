//! The built screens, embedded: each file with its strong ETag, its type and how long it may be kept.

use std::borrow::Cow;
use std::fmt::Write as _;

use rust_embed::RustEmbed;

#[derive(Debug, RustEmbed)]
#[folder = "dist"]
struct Dist;

/// The page that every app route is served.
const INDEX: &str = "index.html";

/// First segments of the addresses that the screens' own router knows.
const APP_ROUTES: [&str; 8] = ["", "kitchen", "kiosk", "owner", "order", "ride", "pair", "stories"];

/// One embedded file, ready to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub data: Cow<'static, [u8]>,
    /// SHA-256 of the bytes in hex: a strong ETag, without its quotes.
    pub etag: String,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The name carries a hash of the content: it may be kept for ever. Otherwise it must be asked for again (`no-cache`).
    pub immutable: bool,
}

/// The file for a request path, with or without its leading slash; app routes get the page. `None`: there is no such file.
pub fn file(path: &str) -> Option<File> {
    let path = path.trim_start_matches('/');
    let name = if is_app_route(path) { INDEX } else { path };
    let embedded = Dist::get(name)?;
    let mut etag = String::with_capacity(64);
    for byte in embedded.metadata.sha256_hash() {
        // Writing to a string cannot fail.
        let _ = write!(etag, "{byte:02x}");
    }
    Some(File { data: embedded.data, etag, content_type: content_type(name), immutable: name.starts_with("assets/") })
}

fn is_app_route(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    APP_ROUTES.contains(&first)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_routes_get_the_page_and_it_is_asked_for_again() {
        let page = file("/").expect("the page is embedded");
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(!page.immutable);
        assert_eq!(page.etag.len(), 64);
        for route in [
            "kitchen",
            "/kitchen",
            "/kiosk",
            "/owner",
            "/order",
            "/order/o/1",
            "/ride",
            "/pair",
            "/stories",
            "/stories/kitchen",
        ] {
            assert_eq!(file(route), Some(page.clone()), "{route}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_the_page() {
        for path in ["/api/v1/menu", "/kitchens", "/assets/none.js", "/../Cargo.toml", "/index.htm"] {
            assert_eq!(file(path), None, "{path}");
        }
    }

    #[test]
    fn hashed_files_are_kept_for_ever_and_the_service_worker_is_not() {
        let page = file("/").expect("the page is embedded");
        let text = String::from_utf8(page.data.into_owned()).expect("html is text");
        let script = text
            .split('"')
            .find(|part| part.starts_with("/assets/") && part.ends_with(".js"))
            .expect("the page has a script");
        let script = file(script).expect("the script is embedded");
        assert!(script.immutable);
        assert_eq!(script.content_type, "text/javascript; charset=utf-8");
        let worker = file("/sw.js").expect("the service worker is embedded");
        assert!(!worker.immutable);
        assert_ne!(worker.etag, script.etag);
    }
}
