//! A node with years behind it: what a million archived orders cost at its start, in memory, and when one of them is asked for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use pilotlight_sync::domain::id::OrderId;
use serde_json::json;

use super::rest::resident_megabytes;
use super::{Figure, Plan, milliseconds};
use crate::client::{Api, Target};
use crate::seeded::Seeded;
use crate::shop::Shop;
use crate::writers::{all_done, kitchen_actions};
use crate::{build, clock};

/// Orders that are asked for, one after the other.
const ASKED: usize = 2_000;

/// Runs the benchmark.
pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let (orders, days) = plan.choose((1_000_000, 1_000), (5_000, 10));
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let node = plan.start(&data)?;
    let shop = Shop::open(node.ready()).await?;
    serve_one(&shop).await?;
    node.stop()?;
    fill(&generator(plan)?, &data, orders, days)?;

    let node = plan.start(&data)?;
    let boot_ms = f64::from(u32::try_from(node.ready().boot_ms)?);
    let at_start = resident_megabytes(node.pid())?;
    let api = Api::new(Target::of(node.ready())?, Some(shop.admin.token().to_owned()));
    let health = api.get("/health").await?.expect(200)?;
    ensure!(health["archived_orders"] == orders, "the archive was not filled: {health}");
    let mut dice = Seeded::new(3);
    let bare = ask(&api, 200, || "site".to_owned()).await?;
    let known = ask(&api, 200, || format!("orders/{}", old_order(dice.below(orders)))).await?;
    let unknown = ask(&api, 404, || format!("orders/{}", old_order(orders + 1 + dice.below(orders)))).await?;
    let newest = clock::unix_seconds() * 1_000;
    let span = 86_400_000 * days as u64;
    let mut page =
        || format!("orders?state=all&limit=50&before={}", newest - dice.below(1_000) as u64 * (span / 1_000));
    let pages = ask(&api, 200, &mut page).await?;
    let megabytes = resident_megabytes(node.pid())?;
    node.stop()?;
    let with = format!("with {orders} orders in {days} day files");
    let at = |histogram: &Histogram<u64>, quantile| milliseconds(histogram.value_at_quantile(quantile));
    Ok(vec![
        Figure::new(format!("exec to serving, {with}"), "ms", boot_ms, "limit", 2_000.0),
        Figure::new("RSS at the start", "MB", at_start, "limit", 256.0),
        Figure::new("RSS after reading", "MB", megabytes, "limit", 256.0),
        Figure::new("an old order by id, p50", "ms", at(&known, 0.5), "GET /site", at(&bare, 0.5)),
        Figure::new("an old order by id, p99", "ms", at(&known, 0.99), "GET /site", at(&bare, 0.99)),
        Figure::new("an old order by id, p99", "ms", at(&known, 0.99), "limit", 1.0),
        Figure::new("an unknown order, p50", "ms", at(&unknown, 0.5), "GET /site", at(&bare, 0.5)),
        Figure::new("an unknown order, p99", "ms", at(&unknown, 0.99), "GET /site", at(&bare, 0.99)),
        Figure::new("50 orders of some day, p99", "ms", at(&pages, 0.99), "limit", 50.0),
    ])
}

/// The id that the generator gives an order.
fn old_order(number: usize) -> OrderId {
    OrderId::derived(&["old order", &number.to_string()])
}

/// Places the order that the generator copies, and hands it over.
async fn serve_one(shop: &Shop) -> anyhow::Result<()> {
    let order = shop.carts[0].order(&mut Seeded::from_system()?);
    let order = shop.admin.post("/api/v1/orders", &order).await?.expect(201)?;
    for action in ["bump", "hand_over"] {
        let taps = kitchen_actions(&order, &json!({"type": action}))?;
        all_done(&shop.admin.post("/api/v1/kitchen/actions", &taps).await?.expect(200)?)?;
    }
    Ok(())
}

/// The program that writes old orders: beside the node, or built as that is shipped.
fn generator(plan: &Plan) -> anyhow::Result<PathBuf> {
    let beside = plan.programs.node.with_file_name("examples").join("old_orders");
    if beside.exists() { Ok(beside) } else { build::build_example("old_orders") }
}

fn fill(generator: &Path, data: &Path, orders: usize, days: usize) -> anyhow::Result<()> {
    let (orders, days) = (orders.to_string(), days.to_string());
    let status = Command::new(generator).arg(data).args([orders, days]).status().context("the generator")?;
    ensure!(status.success(), "the generator ended with {status}");
    Ok(())
}

/// Asks one after the other; how long each took, in microseconds.
async fn ask(api: &Api, status: u16, mut path: impl FnMut() -> String) -> anyhow::Result<Histogram<u64>> {
    let mut took = Histogram::new(3)?;
    for _ in 0..ASKED {
        let path = format!("/api/v1/{}", path());
        let asked = clock::now();
        let answer = api.get(&path).await?;
        took.record(u64::try_from(asked.elapsed().as_micros())?)?;
        ensure!(answer.status == status, "{path} is answered {}: {}", answer.status, answer.text());
    }
    Ok(took)
}
