//! The API's description is true: every path in it is called, and answers what it says.

use std::collections::BTreeSet;

use anyhow::Context as _;
use pilotlight_tests::node_process::NodeOptions;
use pilotlight_tests::shop::{Shop, fresh_id};
use serde_json::Value;

/// Paths that screens and tests rely on; a description without them is not this API's.
const KNOWN: [&str; 14] = [
    "/api/v1/site",
    "/api/v1/pair",
    "/api/v1/pairing-codes",
    "/api/v1/devices",
    "/api/v1/staff",
    "/api/v1/sign-in",
    "/api/v1/menu",
    "/api/v1/menu/imports",
    "/api/v1/stock",
    "/api/v1/stock/{ingredient}/receipts",
    "/api/v1/orders",
    "/api/v1/orders/{id}",
    "/api/v1/orders/{id}/cancellation",
    "/api/v1/kitchen/actions",
];

/// A path with every parameter filled by an id that nothing has.
fn filled(path: &str) -> anyhow::Result<String> {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        out.push_str(&fresh_id()?.to_string());
        rest = behind.split_once('}').map_or("", |(_, behind)| behind);
    }
    out.push_str(rest);
    Ok(out)
}

#[tokio::test]
async fn every_described_path_is_there_and_answers_as_described() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let admin = Shop::pair_first(node.ready()).await?;
    let description = admin.get("/api/v1/openapi.json").await?.expect(200)?;
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "an OpenAPI 3 document");
    let paths = description["paths"].as_object().context("paths")?;
    let missing: Vec<&str> = KNOWN.into_iter().filter(|path| !paths.contains_key(*path)).collect();
    assert!(missing.is_empty(), "not described: {missing:?}; described: {:?}", paths.keys());

    let mut wrong = Vec::new();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().context("operations")? {
            let described: BTreeSet<&str> =
                operation["responses"].as_object().context("responses")?.keys().map(String::as_str).collect();
            if described.contains("101") {
                // The live feed is no request with an answer; `one_order` speaks with it.
                continue;
            }
            let headers = [("content-type", "application/json")];
            let body: &[u8] = if method == "get" { b"" } else { b"{}" };
            let answer = admin.call(&method.to_uppercase(), &filled(path)?, &headers, body).await?;
            let what =
                format!("{method} {path}: {} {}", answer.status, answer.text().chars().take(200).collect::<String>());
            if !described.contains(answer.status.to_string().as_str()) {
                wrong.push(format!("{what} is not among {described:?}"));
            }
            let problem: Value = answer.json().unwrap_or_default();
            if answer.status >= 500 || problem["code"] == "not_found" || answer.status == 405 {
                wrong.push(format!("{what} is not served"));
            }
            if answer.status >= 400 && answer.header("content-type") != Some("application/problem+json") {
                wrong.push(format!("{what} is no problem+json"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    node.stop()
}

#[tokio::test]
async fn health_readiness_and_metrics_need_no_token_and_tell_no_secret() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let admin = Shop::pair_first(node.ready()).await?;
    let nobody = pilotlight_tests::client::Api::new(admin.target().clone(), None);
    for path in ["/health", "/ready", "/metrics", "/api/v1/site"] {
        let answer = nobody.get(path).await?;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(!answer.text().contains(admin.token()), "{path} tells a token");
    }
    assert_eq!(nobody.get("/health").await?.json()?["status"], "ok");
    node.stop()
}
