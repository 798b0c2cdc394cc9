//! Joining a relay, as far as a node alone can be asked: what is refused, and what screens hear.

use pilotlight_tests::client::Api;
use pilotlight_tests::node_process::NodeOptions;
use pilotlight_tests::shop::Shop;
use serde_json::{Value, json};

#[tokio::test]
async fn y11_a_relay_that_cannot_be_is_refused_by_name_without_an_error_in_the_log_and_the_node_stays_alone()
-> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let admin = Shop::pair_first(node.ready()).await?;
    let nobody = Api::new(admin.target().clone(), None);
    // Nobody listens on a port that was just given back.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let enrol = |url: &str, ca: Value| json!({"relay_url": url, "code": "ABCD-EFGH", "ca_pem": ca});
    for (body, status, code, field) in [
        (enrol("http://relay.example", Value::Null), 400, "bad_field", "relay_url"),
        (enrol("https://relay.example/path", Value::Null), 400, "bad_field", "relay_url"),
        (enrol("https://relay.example", json!("no certificate")), 400, "bad_field", "ca_pem"),
        (enrol(&format!("https://{closed}"), Value::Null), 502, "relay_unreachable", ""),
        (
            // A node takes other nodes in, with its own codes.
            enrol(node.ready().url.as_str(), json!(std::fs::read_to_string(&node.ready().ca)?)),
            422,
            "relay_refused",
            "code",
        ),
    ] {
        let problem = admin.post("/api/v1/uplink", &body).await?.expect(status)?;
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{problem}");
    }
    let stranger = admin.post("/api/v1/uplink", &enrol(node.ready().url.as_str(), Value::Null)).await?.expect(422)?;
    assert_eq!((&stranger["code"], &stranger["field"]), (&json!("relay_untrusted"), &json!("ca_pem")));
    assert!(stranger["remedy"].as_str().is_some_and(|remedy| remedy.contains("ca.crt")), "{stranger}");
    assert_eq!(nobody.post("/api/v1/uplink", &enrol("https://relay.example", Value::Null)).await?.status, 401);
    assert_eq!(nobody.get("/api/v1/uplink").await?.status, 401);
    let link = admin.get("/api/v1/uplink").await?.expect(200)?;
    let alone = json!({"state": "none", "relay_url": null, "since": null, "waiting_commits": 0, "safe_on": 1, "last_online": null, "why": null});
    assert_eq!(link, alone);
    node.stop()
}

#[tokio::test]
async fn the_kitchen_hears_of_the_link_and_a_kiosk_does_not() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let admin = Shop::pair_first(node.ready()).await?;
    let mut kitchen = admin.screen("kitchen", &Value::Null).await?;
    let heard = kitchen.until(|frame| frame["type"] == "link").await?;
    assert_eq!(heard.last().map(|frame| &frame["state"]), Some(&json!("none")));
    let mut kiosk = admin.screen("kiosk", &Value::Null).await?;
    kiosk.send(&json!({"type": "ping"})).await?;
    let heard = kiosk.until(|frame| frame["type"] == "pong").await?;
    assert!(heard.iter().all(|frame| frame["type"] != "link"), "{heard:?}");
    node.stop()
}
