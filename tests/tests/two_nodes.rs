//! Two nodes of one restaurant on its LAN, without any relay: the second joins with a code of the first, and each is the other's copy.

use anyhow::Context as _;
use pilotlight_tests::build;
use pilotlight_tests::client::{Api, Target};
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

async fn equal(one: &Api, other: &Api) -> anyhow::Result<()> {
    let wanted = one.get("/api/v1/digest").await?.expect(200)?;
    until(other, "/api/v1/digest", |digest| digest["digest"] == wanted["digest"]).await.map(drop)
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

    // The bar decides about its order until the bar is gone and a manager says so.
    let cancel = format!("{path}/cancellation");
    let refused = shop.admin.post(&cancel, &json!({"why": "no oven"})).await?;
    assert_eq!((refused.status, refused.json()?["code"].as_str()), (409, Some("other_node")));
    bar.kill_nine()?;
    until(&shop.admin, "/api/v1/siblings", |list| list["siblings"][0]["up"] == false).await?;
    let over = shop.admin.post(&format!("{path}/take-over"), &json!({"why": "the bar is dark"})).await?.expect(200)?;
    assert_eq!(over["term"], 1);
    let gone = shop.admin.post(&cancel, &json!({"why": "no oven"})).await?.expect(200)?;
    assert_eq!(gone["status"], "CANCELLED");

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
