//! Placement, durable and answered: latency at a given rate, the saturation curve, and the same bytes and syncs without a node.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;

use super::load::{Measured, arrivals, closed_loop, connect_all, open_loop};
use super::{Figure, Plan, floors};
use crate::client::{Api, request};
use crate::seeded::Seeded;
use crate::shop::Shop;

/// Devices that share the connections, as the tablets of a large restaurant would.
const DEVICES: usize = 50;
/// Answers to a placement that count.
const PLACED: &[u16] = &[201];
/// Upper bound of what a closed loop can place in a second here; requests are made before the clock runs.
const CLOSED_LOOP_RATE_MAX: usize = 12_000;
const SEED: u64 = 2015;

/// Runs the benchmark.
pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let home = tempfile::tempdir()?;
    let node = plan.start(&home.path().join("data"))?;
    let shop = Shop::open(node.ready()).await?;
    let mut devices = Vec::new();
    for index in 0..plan.choose(DEVICES, 4) {
        devices.push(shop.pair("staff", &format!("Kiosk {index}")).await?);
    }
    let connections = connect_all(shop.admin.target(), plan.choose(500, 20), shop.admin.token()).await?;
    let (rate, length) = (plan.choose(1_000.0, 50.0), Duration::from_secs(plan.choose(30, 2)));
    let mut orders = Orders { dice: Seeded::from_system()?, devices: &devices, shop: &shop, next: 0 };

    // Half a second of the same beforehand: caches and code are warm in a node that has been open for a while.
    let warm_up = arrivals(rate, Duration::from_millis(500), SEED + 1);
    let count = warm_up.len();
    open_loop(connect_all(shop.admin.target(), 20, shop.admin.token()).await?, warm_up, orders.take(count), PLACED)
        .await?;

    let due = arrivals(rate, length, SEED);
    let bytes_before = written_bytes(node.pid())?;
    let requests = orders.take(due.len());
    let ours = open_loop(connections, due.clone(), requests, PLACED).await?;
    let order_bytes = bytes_an_order(node.pid(), bytes_before, &ours)?;

    let (floor_dir, floor_due) = (home.path().to_path_buf(), due);
    let floor =
        tokio::task::spawn_blocking(move || floors::append_open_loop(&floor_dir, &floor_due, order_bytes)).await??;
    let against = format!("raw append of {order_bytes} B an order + 2 fdatasync a group");
    let mut figures =
        vec![Figure::new("answers a second", "1/s", ours.rate, format!("{rate:.0} arrivals a second"), rate)];
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let figure = format!("placement {name} at {rate:.0}/s");
        figures.push(Figure::new(figure, "ms", ours.ms(quantile), &against, floor.ms(quantile)));
    }
    figures.push(Figure::new(format!("placement p99 at {rate:.0}/s"), "ms", ours.ms(0.99), "limit", 25.0));
    figures.extend(saturation(plan, &mut orders, home.path(), node.pid()).await?);
    node.stop()?;
    Ok(figures)
}

/// More and more clients, each with one order under way: where the rate stops to rise.
async fn saturation(plan: &Plan, orders: &mut Orders<'_>, home: &Path, pid: u32) -> anyhow::Result<Vec<Figure>> {
    let length = Duration::from_secs(plan.choose(5, 1));
    let mut figures = Vec::new();
    let mut best: f64 = 0.0;
    for clients in plan.choose(vec![1, 8, 64, 256, 500], vec![1, 8]) {
        let connections = connect_all(orders.shop.admin.target(), clients, orders.shop.admin.token()).await?;
        let seconds = usize::try_from(length.as_secs())?;
        let requests = orders.take(plan.choose(CLOSED_LOOP_RATE_MAX, 1_000) * seconds);
        let bytes_before = written_bytes(pid)?;
        let (measured, _) = closed_loop(connections, requests, length, PLACED).await?;
        let order_bytes = bytes_an_order(pid, bytes_before, &measured)?;
        let floor_home = home.to_path_buf();
        let floor =
            tokio::task::spawn_blocking(move || floors::append_closed_loop(&floor_home, clients, length, order_bytes))
                .await??;
        best = best.max(measured.rate);
        let against = format!("raw append of {order_bytes} B an order, same clients");
        figures.push(Figure::new(
            format!("orders a second, {clients} clients"),
            "1/s",
            measured.rate,
            &against,
            floor.rate,
        ));
        figures.push(Figure::new(
            format!("placement p99, {clients} clients"),
            "ms",
            measured.ms(0.99),
            against,
            floor.ms(0.99),
        ));
    }
    figures.push(Figure::new("saturation", "1/s", best, "wanted", 5_000.0));
    Ok(figures)
}

/// Real carts as ready requests, from one device after the other.
struct Orders<'a> {
    dice: Seeded,
    devices: &'a [Api],
    shop: &'a Shop,
    next: usize,
}

impl Orders<'_> {
    fn take(&mut self, count: usize) -> Vec<Bytes> {
        let host = self.shop.admin.target().address().to_string();
        (0..count)
            .map(|_| {
                let cart = &self.shop.carts[self.next % self.shop.carts.len()];
                let device = &self.devices[self.next % self.devices.len()];
                self.next += 1;
                place_request(&host, device, &cart.order(&mut self.dice))
            })
            .collect()
    }
}

/// The bytes that place an order.
#[must_use]
pub fn place_request(host: &str, device: &Api, order: &serde_json::Value) -> Bytes {
    let bearer = format!("Bearer {}", device.token());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    request("POST", host, "/api/v1/orders", &headers, order.to_string().as_bytes()).into()
}

/// Bytes that the node has written to its files for each of these orders: the floor writes as many.
fn bytes_an_order(pid: u32, before: u64, measured: &Measured) -> anyhow::Result<usize> {
    let to_files = written_bytes(pid)?.saturating_sub(before).saturating_sub(measured.answer_bytes);
    Ok(usize::try_from(to_files / measured.latency.len().max(1))?.max(1))
}

/// Bytes that a process has handed to the system, to files and sockets. What reached the disk is no measure: the kernel
/// counts whole folios as soon as a byte of them is dirty.
fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).context("wchar in /proc")?;
    Ok(line.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_come_at_their_rate_and_are_the_same_for_everyone() {
        let due = arrivals(1_000.0, Duration::from_secs(10), SEED);
        assert!((9_700..10_300).contains(&due.len()), "{} arrivals", due.len());
        assert!(due.is_sorted());
        assert_eq!(due, arrivals(1_000.0, Duration::from_secs(10), SEED));
    }
}
