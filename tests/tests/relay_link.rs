//! A node and its relay as two programs: what is written at one arrives at the other, whoever is killed when.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use pilotlight_tests::client::{Api, Target};
use pilotlight_tests::node_process::{NodeOptions, NodeProcess};
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::{Shop, text};
use pilotlight_tests::{build, clock};
use serde_json::{Value, json};

/// Both sides notice a cut within this time, and dial again within that.
const TIMERS: [&str; 4] = ["--ping-ms", "200", "--dead-ms", "1000"];
const BACKOFF: [&str; 2] = ["--backoff-max-ms", "500"];
/// Between two looks at whether both hold the same.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Well before the node's look at everything, which comes every half minute.
const SHARED_WITHIN: Duration = Duration::from_secs(10);

/// How the relay is started, over a directory of its own.
fn relay_options(home: &Path) -> anyhow::Result<NodeOptions> {
    let program = build::node_bin()?.with_file_name("pilotlight-relay");
    let options = NodeOptions::new(&home.join("relay"))?.program(&program);
    Ok(TIMERS.into_iter().fold(options, |options, argument| options.argument(argument)))
}

fn node_options(home: &Path) -> anyhow::Result<NodeOptions> {
    let options = NodeOptions::new(&home.join("node"))?;
    Ok(TIMERS.into_iter().chain(BACKOFF).fold(options, |options, argument| options.argument(argument)))
}

/// Where a program listened: it must be there again after a kill.
fn address(process: &NodeProcess) -> anyhow::Result<String> {
    Ok(process.ready().url.strip_prefix("https://").context("an https URL")?.to_owned())
}

/// The relay's operator; the token is told once.
fn operator(home: &Path, relay: &NodeProcess) -> anyhow::Result<Api> {
    let ready: Value = serde_json::from_slice(&std::fs::read(home.join("relay.ready.json"))?)?;
    let token = ready["operator_token"].as_str().context("a first start has an operator's token")?;
    Ok(Api::new(Target::of(relay.ready())?, Some(token.to_owned())))
}

/// Enrols the node; answers with the site's id.
async fn enrol(operator: &Api, relay: &NodeProcess, admin: &Api) -> anyhow::Result<String> {
    let new = json!({"name": "Pizza", "lat": 45.46, "lon": 9.19});
    let code = operator.post("/api/v1/sites", &new).await?.expect(201)?;
    let ca_pem = std::fs::read_to_string(&relay.ready().ca)?;
    let uplink = json!({"relay_url": relay.ready().url, "code": code["site_code"], "ca_pem": ca_pem});
    admin.post("/api/v1/uplink", &uplink).await?.expect(200)?;
    Ok(text(&admin.get("/api/v1/site").await?.expect(200)?["site"]).to_owned())
}

/// Waits until node and relay have the same digest; answers with how many orders both hold.
async fn until_same(admin: &Api, operator: &Api, site: &str) -> anyhow::Result<u64> {
    let looking = async {
        loop {
            let here = admin.get("/api/v1/digest").await?.expect(200)?;
            let there = operator.get(&format!("/api/v1/sites/{site}/digest")).await?.expect(200)?;
            if here == there {
                return here["orders"].as_u64().context("a count of orders");
            }
            clock::moment(LOOK_EVERY).await;
        }
    };
    clock::within("equal digests", clock::PATIENCE, looking).await?
}

/// What the node may still sell, over all ingredients.
async fn rights(admin: &Api) -> anyhow::Result<u64> {
    let stock = admin.get("/api/v1/stock").await?.expect(200)?;
    Ok(stock["ingredients"].as_array().context("ingredients")?.iter().filter_map(|one| one["rights"].as_u64()).sum())
}

/// Waits until the relay has its share of the stock: as soon as it is known (SPEC S7), not when the node next looks around.
async fn until_shared(admin: &Api, alone: u64) -> anyhow::Result<()> {
    let looking = async {
        while rights(admin).await? > alone / 10 * 8 {
            clock::moment(LOOK_EVERY).await;
        }
        anyhow::Ok(())
    };
    clock::within("share of the relay", SHARED_WITHIN, looking).await?
}

async fn sell(shop: &Shop, admin: &Api, ids: &mut Seeded, orders: usize) -> anyhow::Result<()> {
    for cart in shop.carts.iter().take(orders) {
        admin.post("/api/v1/orders", &cart.order(ids)).await?.expect(201)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e8_whoever_is_killed_when_both_end_with_the_same_documents() -> anyhow::Result<()> {
    let (home, mut ids) = (tempfile::tempdir()?, Seeded::from_system()?);
    let home = home.path();
    let mut relay = relay_options(home)?.start()?;
    let mut node = node_options(home)?.start()?;
    let (relay_at, node_at) = (address(&relay)?, address(&node)?);
    let shop = Shop::open(node.ready()).await?;
    let operator = operator(home, &relay)?;
    // What the node took before anyone heard of a relay is sent too.
    sell(&shop, &shop.admin, &mut ids, 50).await?;
    let alone = rights(&shop.admin).await?;
    let site = enrol(&operator, &relay, &shop.admin).await?;
    assert_eq!(until_same(&shop.admin, &operator, &site).await?, 50);
    until_shared(&shop.admin, alone).await?;

    relay.kill_nine()?;
    sell(&shop, &shop.admin, &mut ids, 50).await?;
    let link = shop.admin.get("/api/v1/uplink").await?.expect(200)?;
    assert!(link["waiting_commits"].as_u64() >= Some(50) && link["safe_on"] == 1, "{link}");
    relay = relay_options(home)?.listen(&relay_at).start()?;
    let operator = Api::new(Target::of(relay.ready())?, Some(operator.token().to_owned()));
    assert_eq!(until_same(&shop.admin, &operator, &site).await?, 100);

    sell(&shop, &shop.admin, &mut ids, 50).await?;
    node.kill_nine()?;
    node = node_options(home)?.listen(&node_at).start()?;
    let admin = Api::new(Target::of(node.ready())?, Some(shop.admin.token().to_owned()));
    sell(&shop, &admin, &mut ids, 10).await?;
    assert_eq!(until_same(&admin, &operator, &site).await?, 160);
    let sites = operator.get("/api/v1/sites").await?.expect(200)?;
    assert_eq!((&sites["sites"][0]["link"], sites["sites"].as_array().map(Vec::len)), (&json!("up"), Some(1)));
    node.stop()?;
    relay.stop()
}

#[tokio::test]
async fn e6_an_uplink_without_the_sites_token_is_refused_before_it_opens() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let relay = relay_options(home.path())?.start()?;
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let operator = operator(home.path(), &relay)?;
    for token in [None, Some("plt_nobody".to_owned()), Some(operator.token().to_owned())] {
        let caller = Api::new(Target::of(relay.ready())?, token);
        let answer = caller.call("GET", "/sync", &upgrade, b"").await?;
        assert_eq!((answer.status, answer.json()?["code"].clone()), (401, json!("unauthorised")));
    }
    relay.stop()
}
