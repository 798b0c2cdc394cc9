//! Two nodes of one restaurant on its LAN, without any relay: the second joins with a code of the first, and each is the other's copy.

use anyhow::Context as _;
use pilotlight_tests::build;
use pilotlight_tests::client::{Answer, Api, Target};
use pilotlight_tests::clock;
use pilotlight_tests::node_process::{NodeOptions, NodeProcess, check, problems};
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::{Shop, text};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// Joins the node at `data` to the site of another one, with a fresh code of that.
async fn join(admin: &Api, data: &Path) -> anyhow::Result<String> {
    let code = admin.post("/api/v1/siblings/codes", &json!({})).await?.expect(201)?;
    let ca = data.with_file_name("ca.pem");
    std::fs::write(&ca, text(&code["ca_pem"]))?;
    let mut command = Command::new(build::node_bin()?);
    command.args(["join", "--with", text(&code["url"]), "--code", text(&code["code"]), "--ca"]).arg(&ca);
    let output = command.arg("--data").arg(data).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

/// The same person at another node.
fn at(node: &NodeProcess, admin: &Api) -> anyhow::Result<Api> {
    Ok(Api::new(Target::of(node.ready())?, Some(admin.token().to_owned())))
}

/// Waits until this holds of what the path answers.
async fn until(api: &Api, path: &str, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let looking = async {
        loop {
            let seen = api.get(path).await?.expect(200)?;
            if holds(&seen) {
                return anyhow::Ok(seen);
            }
            clock::moment(std::time::Duration::from_millis(50)).await;
        }
    };
    clock::within(path, clock::PATIENCE, looking).await?
}

/// What the node that decides says: until it has, the request is the same one, and waits there.
async fn answered(asker: &Api, path: &str, body: &Value) -> anyhow::Result<Answer> {
    loop {
        let told = asker.post(path, body).await?;
        if told.status != 202 {
            return Ok(told);
        }
    }
}

async fn equal(one: &Api, other: &Api) -> anyhow::Result<()> {
    // Both are read each time: what is on its way to the one changes it yet.
    let looking = async {
        loop {
            let (here, there) = (one.get("/api/v1/digest").await?, other.get("/api/v1/digest").await?);
            if here.expect(200)?["digest"] == there.expect(200)?["digest"] {
                return anyhow::Ok(());
            }
            clock::moment(std::time::Duration::from_millis(50)).await;
        }
    };
    clock::within("both are the same", clock::PATIENCE, looking).await?
}

#[tokio::test]
async fn y13_a_second_node_joins_over_the_lan_and_each_is_the_others_copy() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let (first, second) = (home.path().join("counter"), home.path().join("bar"));
    let counter = NodeOptions::new(&first)?.start()?;
    let shop = Shop::open(counter.ready()).await?;
    let mut ids = Seeded::from_system()?;
    let before = shop.admin.post("/api/v1/orders", &shop.carts[0].order(&mut ids)).await?.expect(201)?;
    let said = join(&shop.admin, &second).await?;
    assert!(said.starts_with("joined Pilotlight as node B"), "{said}");
    let again = join(&shop.admin, &second).await;
    assert!(again.is_err_and(|error| error.to_string().contains("empty directory")), "a site's data is left alone");

    let bar = NodeOptions::new(&second)?.start()?;
    assert!(bar.ready().admin_code.is_none(), "the site has an admin");
    let there = at(&bar, &shop.admin)?;
    // Rights come with the first share; until then the bar has nothing to sell.
    until(&there, "/api/v1/availability", |now| now["unavailable"].as_array().is_some_and(Vec::is_empty)).await?;
    let taken = there.post("/api/v1/orders", &shop.carts[1].order(&mut ids)).await?.expect(201)?;
    assert!(text(&taken["number"]).starts_with('B') && text(&before["number"]).starts_with("A0"), "{taken}");
    let path = format!("/api/v1/orders/{}", text(&taken["id"]));
    let seen = loop {
        let seen = shop.admin.get(&path).await?;
        if seen.status == 200 {
            break seen.json()?;
        }
        clock::moment(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!((&seen["number"], &seen["owner"]), (&taken["number"], &taken["owner"]));
    equal(&shop.admin, &there).await?;
    for api in [&shop.admin, &there] {
        until(api, "/api/v1/uplink", |link| link["safe_on"] == 2).await.context("everything is on both disks")?;
    }

    // The bar decides about its order: it is asked, and says no or does it. Neither way of the link matters.
    let cancel = format!("{path}/cancellation");
    let pay = |amount: i64| json!({"id": pilotlight_tests::shop::fresh_id().unwrap_or_default().to_string(), "amount_minor": amount});
    let total = taken["total_minor"].as_i64().context("total")?;
    let refused = answered(&shop.admin, &format!("{path}/payments"), &pay(total + 1)).await?;
    let problem = refused.json()?;
    assert_eq!((refused.status, problem["code"].as_str()), (409, Some("owner_refused")), "{problem}");
    let paid = answered(&shop.admin, &format!("{path}/payments"), &pay(100)).await?.expect(200)?;
    assert_eq!((&paid["paid_minor"], &paid["owner"]), (&json!(100), &taken["owner"]));
    let gone = there.post("/api/v1/orders", &shop.carts[0].order(&mut ids)).await?.expect(201)?;
    let elsewhere = format!("/api/v1/orders/{}", text(&gone["id"]));
    equal(&shop.admin, &there).await?;
    let sold = json!({"why": "sold twice"});
    let gone = answered(&shop.admin, &format!("{elsewhere}/cancellation"), &sold).await?.expect(200)?;
    assert_eq!(gone["status"], "CANCELLED");
    let at_counter = before["id"].clone();
    let path_there = format!("/api/v1/orders/{}/cancellation", text(&at_counter));
    let gone = answered(&there, &path_there, &json!({"why": "x"})).await?;
    assert_eq!(gone.expect(200)?["status"], "CANCELLED", "the bar asks the counter too");
    equal(&shop.admin, &there).await?;

    // Until the bar is gone and a manager says so.
    bar.kill_nine()?;
    let waits = shop.admin.post(&cancel, &json!({"why": "no oven"})).await?;
    assert_eq!((waits.status, &waits.json()?["status"]), (202, &taken["status"]), "nobody answers: it is asked");
    until(&shop.admin, "/api/v1/siblings", |list| list["siblings"][0]["up"] == false).await?;
    let over = shop.admin.post(&format!("{path}/take-over"), &json!({"why": "the bar is dark"})).await?.expect(200)?;
    assert_eq!(over["term"], 1);
    until(&shop.admin, &path, |order| order["status"] == "CANCELLED").await.context("who takes it over does it")?;

    // It comes back and hears of it.
    let bar = NodeOptions::new(&second)?.start()?;
    let there = at(&bar, &shop.admin)?;
    until(&there, &path, |order| order["status"] == "CANCELLED").await?;
    equal(&shop.admin, &there).await?;
    bar.stop()?;
    counter.stop()?;
    for data in [&first, &second] {
        assert_eq!(problems(&check(data)?), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test]
async fn s12_d3_what_the_keeper_books_is_passed_on_to_it_and_refused_by_name_when_it_is_away() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let (first, second) = (home.path().join("counter"), home.path().join("bar"));
    let counter = NodeOptions::new(&first)?.start()?;
    let shop = Shop::open(counter.ready()).await?;
    let mut ids = Seeded::from_system()?;
    join(&shop.admin, &second).await?;
    let bar = NodeOptions::new(&second)?.start()?;
    let there = at(&bar, &shop.admin)?;
    let stock = until(&there, "/api/v1/stock", |stock| stock["ingredients"][0]["enforced"] == true).await?;
    until(&there, "/api/v1/availability", |now| now["unavailable"].as_array().is_some_and(Vec::is_empty)).await?;
    let ingredient = text(&stock["ingredients"][0]["id"]).to_owned();
    let path = |what: &str| format!("/api/v1/stock/{ingredient}/{what}");
    let id = || pilotlight_tests::shop::fresh_id().map(|id| id.to_string());
    let (delivery, burnt) = (json!({"id": id()?, "amount": 77}), json!({"id": id()?, "amount": 7, "why": "burnt"}));

    // The bar's own drawer, whoever keeps the days.
    let float = json!({"id": id()?, "drawer": "bar", "float_minor": 5_000});
    let shift = there.post("/api/v1/till/shifts", &float).await?.expect(200)?;
    let taken = there.post("/api/v1/orders", &shop.carts[0].order(&mut ids)).await?.expect(201)?;
    let (order, total) = (text(&taken["id"]), taken["total_minor"].as_i64().context("total")?);
    let payment = json!({"id": id()?, "amount_minor": total});
    there.post(&format!("/api/v1/orders/{order}/payments"), &payment).await?.expect(200)?;
    let drawer = until(&shop.admin, "/api/v1/till", |till| till["shifts"][0]["taken_minor"] == total).await?;
    assert_eq!(drawer["shifts"][0]["expected_minor"], 5_000 + total, "{drawer}");

    // What is entered at the bar is booked at the counter, once.
    for _ in 0..2 {
        assert_eq!(there.post(&path("receipts"), &delivery).await?.status, 204);
        assert_eq!(there.post(&path("waste"), &burnt).await?.status, 204);
    }
    let missing = there.post(&path("waste"), &json!({"id": id()?, "amount": 7, "why": " "})).await?;
    assert_eq!((missing.status, missing.json()?["field"].as_str()), (400, Some("why")), "the counter's own words");
    let number = drawer["closable"]["number"].as_u64().context("a day is open")?;
    let close = format!("/api/v1/days/{number}/close");
    let open = there.post(&close, &json!({})).await?;
    assert_eq!((open.status, open.json()?["code"].as_str()), (409, Some("shift_open")));
    let count = format!("/api/v1/till/shifts/{}/close", text(&shift["id"]));
    there.post(&count, &json!({"counted_minor": 5_000 + total - 20})).await?.expect(200)?;
    until(&shop.admin, "/api/v1/till", |till| till["shifts"][0]["counted_minor"].is_i64()).await?;
    let report = there.post(&close, &json!({})).await?.expect(200)?;
    assert_eq!((&report["totals"]["till_minor"], &report["totals"]["orders"]), (&json!(total), &json!(1)), "{report}");
    assert_eq!(report["shifts"][0]["counted_minor"], 5_000 + total - 20);
    let kept = until(&shop.admin, "/api/v1/till", |till| till["closed"][0]["over_minor"] == -20).await?;
    assert_eq!((&kept["keeper"]["here"], &kept["closable"]), (&json!(true), &Value::Null));

    // Without the counter the bar says whose it is, until a manager says that it is the bar's.
    counter.kill_nine()?;
    let refused = there.post(&path("receipts"), &json!({"id": id()?, "amount": 5})).await?;
    let problem = refused.json()?;
    assert_eq!((refused.status, problem["code"].as_str()), (409, Some("other_keeper")), "{problem}");
    assert!(text(&problem["remedy"]).contains("PUT /api/v1/till/keeper"), "{problem}");
    let own = there.get("/api/v1/site").await?.expect(200)?;
    let body = json!({"origin": own["origin"]}).to_string();
    let json_body = [("content-type", "application/json")];
    let named = there.call("PUT", "/api/v1/till/keeper", &json_body, body.as_bytes()).await?;
    assert_eq!(named.status, 204, "{}", named.text());
    assert_eq!(there.post(&path("receipts"), &json!({"id": id()?, "amount": 5})).await?.status, 204);
    bar.stop()
}
