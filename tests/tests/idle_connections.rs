//! Thousands of connections that say nothing are closed, and paired devices do not notice them.

use std::time::Duration;

use anyhow::Context as _;
use pilotlight_tests::clock;
use pilotlight_tests::figures::load::{histogram, microseconds};
use pilotlight_tests::node_process::NodeOptions;
use pilotlight_tests::shop::Shop;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What the product promises to bear.
const CONNECTIONS: usize = 8_000;
/// Descriptors that this process and the node need for everything else.
const DESCRIPTORS_ELSE: usize = 300;
/// One connection in so many finishes its handshake before it falls silent.
const SECURED_EVERY: usize = 8;
/// A node that has not closed an idle stranger by then does not.
const CLOSED_WITHIN: Duration = Duration::from_secs(100);
const P99_MS_MAX: f64 = 100.0;

/// Files that a process here may have open.
fn descriptors_max() -> anyhow::Result<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).context("a limit of open files")?;
    let soft = line.split_whitespace().nth(3).context("a soft limit")?;
    // "unlimited" is more than enough.
    Ok(soft.parse().unwrap_or(usize::MAX))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_strangers_are_closed_while_paired_devices_stay_quick() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let node = NodeOptions::new(&home.path().join("data"))?.start()?;
    let shop = Shop::open(node.ready()).await?;
    let (target, count) = (shop.admin.target().clone(), CONNECTIONS.min(descriptors_max()? - DESCRIPTORS_ELSE));
    assert!(count >= 500, "only {count} connections by this machine's limit of open files");

    let mut strangers = JoinSet::new();
    for index in 0..count {
        let stream = TcpStream::connect(target.address()).await?;
        let target = target.clone();
        strangers.spawn(async move {
            if index % SECURED_EVERY == 0 {
                // Refused during the handshake is as good as closed after it.
                if let Ok(mut connection) = target.secure(stream).await {
                    connection.closed().await;
                }
            } else {
                let (mut stream, mut byte) = (stream, [0_u8; 1]);
                while stream.read(&mut byte).await.is_ok_and(|bytes| bytes > 0) {}
            }
        });
    }
    let kiosk = shop.pair("customer", "Kiosk").await?;
    let mut latency = histogram()?;
    let mut ids = pilotlight_tests::seeded::Seeded::from_system()?;
    let deadline = clock::now() + CLOSED_WITHIN;
    let mut index = 0;
    while !strangers.is_empty() {
        assert!(
            clock::now() < deadline,
            "{} of {count} idle connections are still open after {CLOSED_WITHIN:?}",
            strangers.len()
        );
        let sent = clock::now();
        kiosk.post("/api/v1/orders", &shop.carts[index % shop.carts.len()].order(&mut ids)).await?.expect(201)?;
        latency.saturating_record(microseconds(sent, clock::now()));
        index += 1;
        while let Some(ended) = strangers.try_join_next() {
            ended?;
        }
        // A guest now and then, not a load: what is measured is the strangers' weight.
        clock::moment(Duration::from_millis(20)).await;
    }
    let p99 = pilotlight_tests::figures::milliseconds(latency.value_at_quantile(0.99));
    assert!(latency.len() >= 20, "only {} orders while the strangers were there", latency.len());
    assert!(p99 <= P99_MS_MAX, "placement p99 {p99} ms beside {count} idle connections");
    node.stop()
}
