//! A disk that lost or changed something: the node says so, keeps what is left, and never opens an empty shop in silence.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::Context as _;
use pilotlight_tests::client::{Api, Target};
use pilotlight_tests::node_process::{NodeOptions, NodeProcess, Recovery};
use pilotlight_tests::power_cut::Image;
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::{Shop, text};
use serde_json::{Value, json};

/// A shop that took some orders and was closed in order.
async fn closed_shop(data: &Path, orders: usize) -> anyhow::Result<(Shop, Vec<Value>)> {
    let node = NodeOptions::new(data)?.start()?;
    let shop = Shop::open(node.ready()).await?;
    let placed = place(&shop, &shop.admin, orders).await?;
    node.stop()?;
    Ok((shop, placed))
}

async fn place(shop: &Shop, api: &Api, orders: usize) -> anyhow::Result<Vec<Value>> {
    let mut ids = Seeded::from_system()?;
    let mut placed = Vec::new();
    for index in 0..orders {
        placed.push(api.post("/api/v1/orders", &shop.carts[index].order(&mut ids)).await?.expect(201)?);
    }
    Ok(placed)
}

/// The same device on another start of the node.
fn again(shop: &Shop, node: &NodeProcess) -> anyhow::Result<Api> {
    Ok(Api::new(Target::of(node.ready())?, Some(shop.admin.token().to_owned())))
}

/// What a node that waits for a decision serves, and that a manager's decision opens it.
async fn waits_for_a_decision(data: &Path, mut node: NodeProcess, recovery: Recovery) -> anyhow::Result<()> {
    let address = recovery.url.strip_prefix("https://").context("an https URL")?.parse()?;
    let nobody = Api::new(Target::new(address, &data.join("tls/ca.pem"))?, None);
    let health = nobody.get("/health").await?.expect(503)?;
    assert_eq!((text(&health["status"]), text(&health["store"])), ("degraded", "recovery"));
    let refused = nobody.post("/api/v1/orders", &json!({})).await?.expect(503)?;
    assert!(refused["code"] == "recovery" && !text(&refused["remedy"]).is_empty(), "{refused}");
    let page = nobody.get("/").await?.text();
    assert!(page.contains("Nothing was deleted") && page.contains("Begin anew"), "{page}");
    assert!(!page.contains(&recovery.code), "the code is on the console only");

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let wrong = nobody.call("POST", "/recovery/begin-anew", &form, b"code=AAAA-AAAA").await?;
    assert_eq!(wrong.expect(403)?["code"], "wrong_code");
    let right =
        nobody.call("POST", "/recovery/begin-anew", &form, format!("code={}", recovery.code).as_bytes()).await?;
    assert_eq!(right.status, 200, "{}", right.text());
    node.wait_until_ready()?;
    let admin = Shop::pair_first(node.ready()).await?;
    assert_eq!(admin.get("/api/v1/menu").await?.expect(200)?["items"], json!([]), "a new beginning");
    Ok(())
}

#[tokio::test]
async fn a_store_whose_bits_changed_is_moved_aside_and_a_manager_decides() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    closed_shop(&data, 20).await?;
    let db = File::options().read(true).write(true).open(data.join("store/db"))?;
    let (mut dice, length) = (Seeded::new(3), usize::try_from(db.metadata()?.len())?);
    for _ in 0..2_000 {
        db.write_all_at(&[0xA5], dice.below(length) as u64)?;
    }
    let before = std::fs::read(data.join("store/db"))?;
    let (node, recovery) = NodeOptions::new(&data)?.start_damaged()?;
    let aside = std::fs::read_dir(&data)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.to_string_lossy().contains("store.damaged-"))
        .with_context(|| format!("the store was not moved aside: {}", recovery.note))?;
    assert!(recovery.note.contains("moved aside"), "{}", recovery.note);
    // sled itself writes while it tries to open; what it had is at least not thrown away.
    assert!(std::fs::read(aside.join("db"))?.len() >= before.len(), "nothing was deleted");
    waits_for_a_decision(&data, node, recovery).await
}

#[tokio::test]
async fn a_store_that_has_gone_is_noticed_and_asked_about_again_at_the_next_start() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    closed_shop(&data, 3).await?;
    std::fs::remove_dir_all(data.join("store"))?;
    let (node, _) = NodeOptions::new(&data)?.start_damaged()?;
    node.kill_nine()?;
    let (node, recovery) = NodeOptions::new(&data)?.start_damaged()?;
    assert!(recovery.note.contains("taken orders before"), "{}", recovery.note);
    waits_for_a_decision(&data, node, recovery).await
}

#[tokio::test]
async fn a_disk_that_went_back_goes_on_as_a_new_origin_and_keeps_what_it_has() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let (shop, kept) = closed_shop(&data, 5).await?;
    let then = Image::of_directory(&data.join("store"))?;

    let node = NodeOptions::new(&data)?.start()?;
    let api = again(&shop, &node)?;
    let origin = api.get("/api/v1/site").await?.expect(200)?["origin"].clone();
    let lost = place(&shop, &api, 3).await?;
    let mut screen = api.screen("kitchen", &Value::Null).await?;
    let position = screen.until(|frame| frame["last"] == true).await?.pop().context("a board")?["position"].clone();
    node.stop()?;

    std::fs::remove_dir_all(data.join("store"))?;
    std::fs::create_dir(data.join("store"))?;
    then.write_to(&data.join("store"))?;
    let node = NodeOptions::new(&data)?.start()?;
    assert!(node.log_text()?.contains("its disk went back"), "the log says it:\n{}", node.log_text()?);
    let api = again(&shop, &node)?;
    assert_ne!(api.get("/api/v1/site").await?.expect(200)?["origin"], origin, "a new origin");
    for order in &kept {
        let now = api.get(&format!("/api/v1/orders/{}", text(&order["id"]))).await?.expect(200)?;
        assert_eq!((&now["number"], &now["lines"]), (&order["number"], &order["lines"]), "what is left is served");
    }
    let gone = api.get(&format!("/api/v1/orders/{}", text(&lost[0]["id"]))).await?;
    assert_eq!(gone.status, 404, "what the disk lost is not invented");
    let mut screen = api.screen("kitchen", &position).await?;
    assert_eq!(screen.next().await?["resumed"], false, "a screen that saw more gets the whole board");
    let numbers: Vec<&str> = kept.iter().chain(&lost).map(|order| text(&order["number"])).collect();
    shop_reopens(&shop, &api, &numbers).await
}

/// Sales go on after the stock was counted, under numbers that nobody has been given before.
async fn shop_reopens(shop: &Shop, api: &Api, numbers: &[&str]) -> anyhow::Result<()> {
    let stock = api.get("/api/v1/stock").await?.expect(200)?;
    for ingredient in stock["ingredients"].as_array().context("ingredients")? {
        let path = format!("/api/v1/stock/{}/receipts", text(&ingredient["id"]));
        let counted = json!({"id": pilotlight_tests::shop::fresh_id()?, "amount": 100_000});
        assert_eq!(api.post(&path, &counted).await?.status / 100, 2);
    }
    let order = place(shop, api, 1).await?.pop().context("an order")?;
    assert!(!numbers.contains(&text(&order["number"])), "{} was given before: {numbers:?}", order["number"]);
    Ok(())
}
