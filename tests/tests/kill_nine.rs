//! SIGKILL at random moments under sixteen writers: no answered order is lost, and no commit is half there.

use std::time::Duration;

use pilotlight_tests::client::Target;
use pilotlight_tests::clock;
use pilotlight_tests::node_process::{self, NodeOptions};
use pilotlight_tests::scale::scaled;
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::Shop;
use pilotlight_tests::writers::{Promised, Writers, broken_promises};

const WRITERS: usize = 16;
/// One shop is killed so often; then another opens, because every kill is followed by a check of all that a shop ever took.
const KILLS_A_SHOP: usize = 20;
/// The longest that writers work before a kill, beyond the order that set it off.
const MOMENT_US_MAX: usize = 30_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x6_no_answered_order_is_lost_and_no_commit_is_half_there() -> anyhow::Result<()> {
    let kills = scaled(10, 200);
    for first in (0..kills).step_by(KILLS_A_SHOP) {
        kill_one_shop(first as u64..(first + KILLS_A_SHOP).min(kills) as u64).await?;
    }
    Ok(())
}

/// Opens a shop and kills its node once for every seed.
async fn kill_one_shop(seeds: std::ops::Range<u64>) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let mut node = NodeOptions::new(&data)?.start()?;
    let shop = Shop::open(node.ready()).await?;
    let writers = Writers::pair(&shop, WRITERS, None).await?;
    let mut promises: Vec<Promised> = Vec::new();
    for seed in seeds {
        let mut dice = Seeded::new(seed);
        let mut working = writers.begin(&Target::of(node.ready())?, seed);
        clock::within("orders", clock::PATIENCE, working.until_answered(dice.below(150))).await??;
        clock::moment(Duration::from_micros(dice.below(MOMENT_US_MAX) as u64)).await;
        node.kill_nine()?;
        let new = working.promises().await?;

        let problems = node_process::problems(&node_process::check(&data)?);
        assert!(problems.is_empty(), "kill {seed}: {}", problems.join("\n"));
        node = NodeOptions::new(&data)?.start()?;
        let reader = writers.reader(&Target::of(node.ready())?);
        let broken = broken_promises(&reader, &new, u64::MAX).await?;
        assert!(broken.is_empty(), "kill {seed}: {}", broken.join("\n"));
        promises.extend(new);
    }
    let reader = writers.reader(&Target::of(node.ready())?);
    let broken = broken_promises(&reader, &promises, u64::MAX).await?;
    assert!(broken.is_empty(), "after all kills: {}", broken.join("\n"));
    assert!(promises.iter().any(|promise| promise.then.is_some()), "writers also bumped and cancelled");
    node.stop()
}
