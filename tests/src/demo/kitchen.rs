//! The cook: one kitchen screen over the live feed; every ticket is begun, made and handed out. The screen comes back after a kill.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::client::Api;
use crate::clock;
use crate::demo::business_clock::BusinessClock;
use crate::demo::journals::{Deed, Journals};
use crate::demo::persistent::ask;
use crate::seeded::Seeded;
use crate::shop::text;
use crate::writers::kitchen_actions;

/// Before the screen is dialled again.
const AGAIN_AFTER: Duration = Duration::from_millis(80);
/// From the ticket's arrival to the first move, at most, in business milliseconds.
const LOOK_MS: usize = 120_000;
/// For making a ticket: this, and up to as much again.
const MAKE_MS: usize = 240_000;

/// The kitchen.
#[derive(Debug)]
pub struct Kitchen {
    api: Api,
    clock: Arc<BusinessClock>,
    journals: Arc<Journals>,
    cancelled: Mutex<BTreeSet<String>>,
    seed: u64,
}

impl Kitchen {
    /// A kitchen with this paired screen.
    #[must_use]
    pub fn new(api: Api, clock: Arc<BusinessClock>, journals: Arc<Journals>, seed: u64) -> Arc<Self> {
        Arc::new(Self { api, clock, journals, cancelled: Mutex::default(), seed })
    }

    /// Watches and cooks until the evening is over.
    pub async fn work(self: Arc<Self>, over: CancellationToken) {
        while !over.is_cancelled() {
            tokio::select! {
                () = over.cancelled() => return,
                // The node was killed, or has dropped a slow screen: the screen comes back.
                _ended = self.watch() => clock::moment(AGAIN_AFTER).await,
            }
        }
    }

    async fn watch(self: &Arc<Self>) -> anyhow::Result<()> {
        let mut screen = self.api.screen("kitchen", &Value::Null).await?;
        loop {
            let frame = screen.next().await?;
            for order in frame["orders"].as_array().into_iter().flatten() {
                self.see(order);
            }
        }
    }

    fn see(self: &Arc<Self>, order: &Value) {
        let id = text(&order["id"]).to_owned();
        let ended = matches!(text(&order["status"]), "CANCELLED" | "REFUNDED");
        if ended && self.lock().insert(id.clone()) {
            let (kitchen, order) = (self.clone(), order.clone());
            tokio::spawn(async move { kitchen.clear(&order).await });
        }
        if self.journals.shown(&id, clock::unix_millis()) && !ended {
            let (kitchen, order) = (self.clone(), order.clone());
            tokio::spawn(async move {
                if let Err(error) = kitchen.cook(&id, &order).await {
                    eprintln!("the cook gave up on {id}: {error:#}");
                }
            });
        }
    }

    async fn cook(&self, id: &str, order: &Value) -> anyhow::Result<()> {
        let mut dice = Seeded::new(self.seed ^ id.bytes().map(u64::from).sum::<u64>());
        self.clock.pass(dice.below(LOOK_MS) as u64).await;
        if !self.act(id, order, "start").await? {
            return Ok(());
        }
        self.clock.pass((MAKE_MS + dice.below(MAKE_MS)) as u64).await;
        let ready = self.act(id, order, "bump").await?;
        if ready && text(&order["fulfilment"]) != "delivery" {
            self.clock.pass(dice.below(LOOK_MS) as u64).await;
            self.act(id, order, "hand_over").await?;
        }
        Ok(())
    }

    /// Does one thing to every ticket of the order; answers whether all of it was done.
    async fn act(&self, id: &str, order: &Value, what: &'static str) -> anyhow::Result<bool> {
        if self.lock().contains(id) {
            return Ok(false);
        }
        let actions = kitchen_actions(order, &json!({"type": what}))?;
        let outcomes = ask(&self.api, "POST", "/api/v1/kitchen/actions", Some(&actions)).await?.answer.expect(200)?;
        let mut all = true;
        for (action, outcome) in actions["actions"]
            .as_array()
            .into_iter()
            .flatten()
            .zip(outcomes["outcomes"].as_array().into_iter().flatten())
        {
            match text(&outcome["outcome"]) {
                "done" => {
                    let (order, ticket) = (id.to_owned(), format!("{} {}", text(&action["station"]), action["epoch"]));
                    self.journals.cooked(Deed { order, ticket, what, at_ms: clock::unix_millis() });
                }
                // Asked again after a kill: it had been done before.
                "already" => {}
                _ => all = false,
            }
        }
        Ok(all)
    }

    /// Takes note of a cancelled order, so that it leaves the board.
    async fn clear(&self, order: &Value) {
        for ticket in order["tickets"].as_array().into_iter().flatten() {
            for line in ticket["lines"].as_array().into_iter().flatten() {
                let one = json!({"tickets": [ticket], "id": order["id"]});
                let Ok(actions) = kitchen_actions(&one, &json!({"type": "seen", "line": line["id"]})) else { continue };
                // A board that is not cleared is only untidy.
                drop(ask(&self.api, "POST", "/api/v1/kitchen/actions", Some(&actions)).await);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
