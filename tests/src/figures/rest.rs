//! A node with a full day behind it: what it needs at rest, and how long from exec to the first order answered.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Figure, Plan};
use crate::client::{Api, Target};
use crate::clock;
use crate::seeded::Seeded;
use crate::shop::{Cart, Shop, text};
use crate::writers::{all_done, kitchen_actions};

/// Cashiers who work side by side.
const CASHIERS: usize = 16;
/// Orders of one cashier that are handed over together: two taps each, a hundred taps a request.
const HANDED_OVER: usize = 25;

/// Whether guests pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paid {
    /// At the counter, when they order.
    InCash,
    /// Not yet.
    Not,
}

/// Runs the benchmark.
pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let orders = plan.choose(20_000, 200);
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let node = plan.start(&data)?;
    let shop = Shop::open(node.ready()).await?;
    serve_guests(&shop, orders, Paid::Not).await?;
    node.stop()?;

    let mut ids = Seeded::from_system()?;
    let order = shop.carts[0].order(&mut ids);
    let exec = clock::now();
    let node = plan.start(&data)?;
    let api = Api::new(Target::of(node.ready())?, Some(shop.admin.token().to_owned()));
    api.post("/api/v1/orders", &order).await?.expect(201)?;
    let first_answer_ms = exec.elapsed().as_secs_f64() * 1_000.0;
    drop(api);

    let idle = Duration::from_secs(plan.choose(60, 2));
    clock::moment(idle).await;
    let megabytes = resident_megabytes(node.pid())?;
    let boot_ms = node.ready().boot_ms;
    node.stop()?;
    let with = format!("with {orders} orders");
    let boot_ms = u32::try_from(boot_ms).map(f64::from)?;
    Ok(vec![
        Figure::new(format!("exec to the first order answered, {with}"), "ms", first_answer_ms, "limit", 1_000.0),
        Figure::new(format!("exec to serving, by the node's own clock, {with}"), "ms", boot_ms, "limit", 1_000.0),
        Figure::new(format!("RSS after {} s idle, {with}", idle.as_secs()), "MB", megabytes, "limit", 60.0),
    ])
}

/// Places that many orders, has them cooked and hands them over, but for the last of each cashier, which stay open.
pub(super) async fn serve_guests(shop: &Shop, orders: usize, paid: Paid) -> anyhow::Result<()> {
    let mut cashiers = JoinSet::new();
    for index in 0..CASHIERS {
        let device = shop.pair("staff", &format!("Cashier {index}")).await?;
        let (carts, share) = (shop.carts.clone(), orders / CASHIERS);
        cashiers.spawn(serve_share(device, carts, index, share, paid));
    }
    while let Some(served) = cashiers.join_next().await {
        served??;
    }
    Ok(())
}

async fn serve_share(device: Api, carts: Arc<[Cart]>, cashier: usize, share: usize, paid: Paid) -> anyhow::Result<()> {
    let mut ids = Seeded::from_system()?;
    let mut waiting = Vec::new();
    for index in 0..share {
        let cart = &carts[(index * CASHIERS + cashier) % carts.len()];
        let order = device.post("/api/v1/orders", &cart.order(&mut ids)).await?.expect(201)?;
        if paid == Paid::InCash {
            let tender = json!({"id": ids.uuid(), "amount_minor": cart.total_minor()});
            device.post(&format!("/api/v1/orders/{}/payments", text(&order["id"])), &tender).await?.expect(200)?;
        }
        waiting.push(order);
        if waiting.len() == HANDED_OVER {
            for action in ["bump", "hand_over"] {
                let mut taps = Vec::new();
                for order in &waiting {
                    let one = kitchen_actions(order, &json!({"type": action}))?;
                    taps.extend(one["actions"].as_array().cloned().unwrap_or_default());
                }
                all_done(&device.post("/api/v1/kitchen/actions", &json!({"actions": taps})).await?.expect(200)?)?;
            }
            waiting.clear();
        }
    }
    Ok(())
}

/// Resident memory of a process.
pub(super) fn resident_megabytes(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS in /proc")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1_024.0)
}
