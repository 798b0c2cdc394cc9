//! People on shared devices: a PIN widens what a device may do, guessing is slowed down, and who left may do nothing.

use anyhow::Context as _;
use pilotlight_tests::client::Api;
use pilotlight_tests::node_process::NodeOptions;
use pilotlight_tests::shop::{Shop, text};
use serde_json::{Value, json};

/// Wrong PINs that cost nothing but the answer.
const FREE_FAILURES: usize = 5;

async fn sign_in(device: &Api, staff: &Value, pin: &str) -> anyhow::Result<pilotlight_tests::client::Answer> {
    device.post("/api/v1/sign-in", &json!({"staff": staff["id"], "pin": pin})).await
}

#[tokio::test]
async fn a_pin_widens_a_device_until_the_person_signs_out_or_leaves() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let shop = Shop::open(node.ready()).await?;
    let tablet = shop.pair("kitchen", "Kitchen tablet").await?;
    let new = json!({"name": "Rosa", "role": "manager", "pin": "4711"});
    let rosa = shop.admin.post("/api/v1/staff", &new).await?.expect(201)?;
    assert!(!rosa.to_string().contains("4711"), "no answer tells a PIN");

    let receipts = {
        let stock = shop.admin.get("/api/v1/stock").await?.expect(200)?;
        format!("/api/v1/stock/{}/receipts", text(&stock["ingredients"][0]["id"]))
    };
    let receipt = json!({"id": pilotlight_tests::shop::fresh_id()?, "amount": 5});
    assert_eq!(tablet.post(&receipts, &receipt).await?.status, 403, "a kitchen books no deliveries");
    let session = sign_in(&tablet, &rosa, "4711").await?.expect(200)?;
    let as_rosa = Api::new(tablet.target().clone(), session["token"].as_str().map(str::to_owned));
    assert_eq!(as_rosa.get("/api/v1/whoami").await?.expect(200)?["role"], "manager");
    assert_eq!(as_rosa.post(&receipts, &receipt).await?.status / 100, 2, "a manager does");
    assert_eq!(tablet.post(&receipts, &receipt).await?.status, 403, "the tablet itself still does not");

    assert_eq!(as_rosa.post("/api/v1/sign-out", &json!({})).await?.status / 100, 2);
    assert_eq!(as_rosa.post(&receipts, &receipt).await?.status, 401, "signed out");
    assert_eq!(tablet.get("/api/v1/whoami").await?.expect(200)?["role"], "kitchen", "the device stays paired");

    let session = sign_in(&tablet, &rosa, "4711").await?.expect(200)?;
    let as_rosa = Api::new(tablet.target().clone(), session["token"].as_str().map(str::to_owned));
    let removed = shop.admin.call("DELETE", &format!("/api/v1/staff/{}", text(&rosa["id"])), &[], &[]).await?;
    assert_eq!(removed.status / 100, 2, "{}", removed.text());
    let left = as_rosa.post(&receipts, &receipt).await?.status;
    assert!(left == 401 || left == 403, "who left books nothing: {left}");
    assert_eq!(sign_in(&tablet, &rosa, "4711").await?.expect(403)?["code"], "wrong_pin");
    node.stop()
}

#[tokio::test]
async fn guessing_a_pin_is_slowed_down_on_that_device_only() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let admin = Shop::pair_first(node.ready()).await?;
    let code = admin.post("/api/v1/pairing-codes", &json!({"role": "kitchen"})).await?.expect(201)?;
    let pair = json!({"code": code["code"], "name": "Tablet"});
    let paired = Api::new(admin.target().clone(), None).post("/api/v1/pair", &pair).await?.expect(201)?;
    let tablet = Api::new(admin.target().clone(), paired["token"].as_str().map(str::to_owned));
    let rosa =
        admin.post("/api/v1/staff", &json!({"name": "Rosa", "role": "staff", "pin": "4711"})).await?.expect(201)?;
    let mut statuses = Vec::new();
    for guess in 0..FREE_FAILURES + 1 {
        statuses.push(sign_in(&tablet, &rosa, &format!("{guess:04}")).await?.status);
    }
    assert_eq!(statuses[..FREE_FAILURES], [403; FREE_FAILURES], "wrong");
    assert_eq!(statuses[FREE_FAILURES], 429, "slowed down");
    let locked = sign_in(&tablet, &rosa, "4711").await?;
    let seconds: u64 = locked.header("retry-after").context("Retry-After")?.parse()?;
    assert!((1..=900).contains(&seconds), "{seconds} s");
    assert_eq!(locked.expect(429)?["code"], "locked", "the right PIN does not help while it is locked");
    assert_eq!(sign_in(&admin, &rosa, "4711").await?.status, 200, "another device is not locked out");
    node.stop()
}

#[tokio::test]
async fn a_pin_is_four_to_eight_digits() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let admin = Shop::pair_first(node.ready()).await?;
    for pin in ["", "123", "123456789", "12a4", "４７１１"] {
        let problem = admin.post("/api/v1/staff", &json!({"name": "Rosa", "role": "staff", "pin": pin})).await?;
        let problem = problem.expect(400).with_context(|| format!("PIN {pin:?}"))?;
        assert_eq!(problem["field"], "pin", "{problem}");
    }
    assert_eq!(admin.get("/api/v1/staff").await?.expect(200)?["staff"], json!([]), "nobody was added");
    node.stop()
}
