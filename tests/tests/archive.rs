//! Closed orders move into the archive under SIGKILL and power cuts: each is answered as before, once, wherever it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use pilotlight_tests::client::{Api, Target};
use pilotlight_tests::node_process::{self, NodeOptions, NodeProcess};
use pilotlight_tests::power_cut::{Image, Model, Recording};
use pilotlight_tests::scale::scaled;
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::{Shop, text};
use pilotlight_tests::writers::{all_done, kitchen_actions};
use pilotlight_tests::{build, clock};
use serde_json::{Value, json};

/// Orders that are handed over long ago.
const ORDERS: usize = 120;
/// Finished orders that a node keeps in memory for its screens; these it archives after its next start.
const KEPT: usize = 20;
const DAY_MS: u64 = 86_400_000;
/// 2026-11-21T18:00:00Z.
const EVENING_MS: u64 = 1_795_284_000_000;

/// Business time of a node: so many days after the evening, at the machine's pace.
fn set_clock(file: &Path, days: u64) -> anyhow::Result<()> {
    let rate = json!({
        "real_ms": clock::unix_seconds() * 1_000, "business_ms": EVENING_MS + days * DAY_MS, "speed": 1.0,
    });
    Ok(std::fs::write(file, rate.to_string())?)
}

/// A node over this directory whose business time a file tells.
fn options(data: &Path, clock_file: &Path) -> anyhow::Result<NodeOptions> {
    Ok(NodeOptions::new(data)?.argument("--clock-file").argument(&clock_file.to_string_lossy()))
}

/// Places orders and hands them over; what is answered for each in the end.
async fn serve(shop: &Shop) -> anyhow::Result<Vec<Value>> {
    let staff = shop.pair("staff", "Counter").await?;
    let mut dice = Seeded::new(7);
    let mut served = Vec::new();
    for index in 0..ORDERS {
        let order = shop.carts[index % shop.carts.len()].order(&mut dice);
        let order = staff.post("/api/v1/orders", &order).await?.expect(201)?;
        for action in ["bump", "hand_over"] {
            let taps = kitchen_actions(&order, &json!({"type": action}))?;
            all_done(&staff.post("/api/v1/kitchen/actions", &taps).await?.expect(200)?)?;
        }
        served.push(staff.get(&format!("/api/v1/orders/{}", text(&order["id"]))).await?.expect(200)?);
    }
    Ok(served)
}

/// Waits until so many orders are in the archive.
async fn archived(api: &Api, wanted: usize) -> anyhow::Result<()> {
    let enough = async {
        loop {
            let health = api.get("/health").await?.expect(200)?;
            if health["archived_orders"].as_u64().is_some_and(|orders| orders >= wanted as u64) {
                return anyhow::Ok(());
            }
        }
    };
    clock::within("archived orders", clock::PATIENCE, enough).await?
}

/// What is not answered as it was: one by one, and in the list.
async fn changed(api: &Api, served: &[Value]) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for order in served {
        let id = text(&order["id"]);
        let answer = api.get(&format!("/api/v1/orders/{id}")).await?;
        if answer.status != 200 || &answer.json()? != order {
            wrong.push(format!("order {id} is answered {}: {}", answer.status, answer.text()));
        }
    }
    let list = api.get("/api/v1/orders?state=all").await?.expect(200)?;
    let listed: Vec<&str> = list["orders"].as_array().context("a list")?.iter().map(|one| text(&one["id"])).collect();
    let expected: Vec<&str> = served.iter().rev().map(|order| text(&order["id"])).collect();
    if listed != expected {
        wrong.push(format!("{} orders are listed, in another order or not once each", listed.len()));
    }
    Ok(wrong)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(to)?;
    Image::of_directory(from)?.write_to(to)
}

fn reader(shop: &Shop, node: &NodeProcess) -> anyhow::Result<Api> {
    Ok(Api::new(Target::of(node.ready())?, Some(shop.admin.token().to_owned())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z2_a_node_that_is_killed_while_it_archives_loses_no_order_and_shows_none_twice() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let (data, clock_file) = (home.path().join("data"), home.path().join("clock.json"));
    set_clock(&clock_file, 0)?;
    let node = options(&data, &clock_file)?.start()?;
    let shop = Shop::open(node.ready()).await?;
    let served = serve(&shop).await?;
    // Otherwise the days that pass close it.
    shop.admin.post("/api/v1/days/1/close", &serde_json::json!({})).await?.expect(200)?;
    let digest = shop.admin.get("/api/v1/digest").await?.expect(200)?;
    node.stop()?;
    set_clock(&clock_file, 4)?;
    for seed in 0..scaled(6, 100) as u64 {
        let killed = home.path().join(format!("killed-{seed}"));
        copy(&data, &killed)?;
        let mut dice = Seeded::new(seed);
        for _ in 0..2 {
            let node = options(&killed, &clock_file)?.start()?;
            clock::moment(Duration::from_micros(dice.below(60_000) as u64)).await;
            node.kill_nine()?;
            let problems = node_process::problems(&node_process::check(&killed)?);
            assert!(problems.is_empty(), "seed {seed}: {}", problems.join("\n"));
        }
        let node = options(&killed, &clock_file)?.start()?;
        let api = reader(&shop, &node)?;
        archived(&api, ORDERS).await?;
        let wrong = changed(&api, &served).await?;
        assert!(wrong.is_empty(), "seed {seed}: {}", wrong.join("\n"));
        assert_eq!(api.get("/api/v1/digest").await?.expect(200)?, digest, "seed {seed}: it is the same site");
        node.stop()?;
        let mut report = node_process::check(&killed)?;
        // A run that was broken off once more, by the stop, is finished by the next one.
        for _ in 0..5 {
            if report["orders"] == 0 {
                break;
            }
            let node = options(&killed, &clock_file)?.start()?;
            clock::moment(Duration::from_secs(1)).await;
            node.stop()?;
            report = node_process::check(&killed)?;
        }
        assert_eq!(node_process::problems(&report), Vec::<String>::new(), "seed {seed}");
        assert_eq!((report["orders"].as_u64(), report["archived"].as_u64()), (Some(0), Some(ORDERS as u64)));
        std::fs::remove_dir_all(&killed)?;
    }
    Ok(())
}

/// A node that archives under the recorder.
struct Life {
    recording: Recording,
    served: Vec<Value>,
    shop: Shop,
    /// Where the recording was when the orders had become old.
    old_at: u64,
}

async fn live_under_the_recorder(root: &Path, clock_file: &Path) -> anyhow::Result<Life> {
    let (data, log) = (root.join("data"), root.join("recorder.log"));
    std::fs::create_dir_all(&data)?;
    let variable = |path: PathBuf| path.to_string_lossy().into_owned();
    let options = options(&data, clock_file)?
        .variable("LD_PRELOAD", &variable(build::fault_shim()?))
        .variable("PILOTLIGHT_FAULT_DIR", &variable(data.clone()))
        .variable("PILOTLIGHT_FAULT_LOG", &variable(log.clone()));
    let node = options.start()?;
    let shop = Shop::open(node.ready()).await?;
    let served = serve(&shop).await?;
    let old_at = std::fs::metadata(&log)?.len();
    set_clock(clock_file, 4)?;
    archived(&shop.admin, ORDERS - KEPT).await?;
    // The deletions come after the manifest: an answer says that they are on their way.
    let wrong = changed(&shop.admin, &served).await?;
    assert!(wrong.is_empty(), "before any cut: {}", wrong.join("\n"));
    node.kill_nine()?;
    let recording = Recording::read(&log)?;
    assert_eq!(recording.whole()?.difference(&Image::of_directory(&data)?), None, "the recorder saw all of it");
    Ok(Life { recording, served, shop, old_at })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z2_a_power_cut_while_a_node_archives_loses_no_order_and_shows_none_twice() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let root = home.path().canonicalize()?;
    let clock_file = root.join("clock.json");
    set_clock(&clock_file, 0)?;
    let life = live_under_the_recorder(&root, &clock_file).await?;
    let from = life.recording.cut_behind(life.old_at);
    for seed in 0..scaled(8, 80) as u64 {
        let cut = from + Seeded::new(seed).below(life.recording.len() + 1 - from);
        let model = if seed % 2 == 0 { Model::Ext4 } else { Model::Posix };
        let what = || format!("seed {seed}, cut {cut} of {}, {model:?}", life.recording.len());
        let image = life.recording.after_cut(cut, model, seed)?;
        let (offline, online) = (root.join(format!("offline-{seed}")), root.join(format!("online-{seed}")));
        for directory in [&offline, &online] {
            std::fs::create_dir(directory)?;
            image.write_to(directory)?;
        }
        let problems = node_process::problems(&node_process::check(&offline)?);
        assert!(problems.is_empty(), "{}: {}", what(), problems.join("\n"));
        let node = options(&online, &clock_file)?.start().with_context(what)?;
        let api = reader(&life.shop, &node)?;
        let mut wrong = changed(&api, &life.served).await?;
        archived(&api, ORDERS).await?;
        wrong.extend(changed(&api, &life.served).await?);
        wrong.extend(node.errors()?);
        assert!(wrong.is_empty(), "{}: {}", what(), wrong.join("\n"));
    }
    Ok(())
}
