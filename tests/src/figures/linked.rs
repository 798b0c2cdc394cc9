//! A node that has enrolled at a relay, both as shipped, with the sandbox gateway: what the figures of the link begin with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Plan;
use crate::clock;
use crate::demo::business_clock::BusinessClock;
use crate::demo::proxy::Proxy;
use crate::demo::scene::{Gateway, Node, Relay, enrol, in_step, node_options};
use crate::shop::Shop;

/// A link must have been up so long in business time before the restaurant counts as open, and a little more.
const STEADY_MS: u64 = 60_000;
/// How much faster than real time that passes.
const STEADY_SPEED: f64 = 60.0;

/// Programs that are in step.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) shop: Shop,
    pub(super) node: Node,
    pub(super) relay: Relay,
    pub(super) gateway: Gateway,
    pub(super) proxy: Proxy,
    /// The site's id.
    pub(super) site: String,
}

impl Linked {
    /// Starts everything with data under `home`, and waits until the restaurant is open at the relay.
    pub(super) async fn start(plan: &Plan, home: &Path) -> anyhow::Result<Self> {
        let clock = Arc::new(BusinessClock::begin(&home.join("clock.json"), clock::unix_millis() - STEADY_MS, 1.0)?);
        let programs = &plan.programs;
        let gateway = Gateway::start(&programs.gateway, home, 0.0, 1)?;
        let relay = Relay::start(&programs.relay, home, &gateway, &clock)?;
        let proxy = Proxy::start(relay.address()?).await?;
        let node = Node::start(node_options(programs, home, "127.0.0.1:0", &clock)?)?;
        let shop = Shop::open(node.process.ready()).await?;
        let site = enrol(&relay, &proxy, &shop.admin).await?;
        in_step(&shop.admin).await?;
        clock.set_speed(STEADY_SPEED)?;
        clock.pass(STEADY_MS).await;
        clock.set_speed(1.0)?;
        // Writes of the opening are on their way to the disk; they are not what is measured.
        clock::moment(Duration::from_millis(500)).await;
        Ok(Self { shop, node, relay, gateway, proxy, site })
    }

    /// Stops everything, and complains about what should not have been logged.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.node.process.stop()?;
        self.relay.stop()?;
        self.gateway.stop()
    }
}
