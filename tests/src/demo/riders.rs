//! Riders: they accept what they are offered, wait at the store, bring it, and say so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::client::Api;
use crate::clock;
use crate::demo::business_clock::BusinessClock;
use crate::demo::journals::{Deed, Journals};
use crate::demo::persistent::ask;
use crate::demo::place::SHOP;
use crate::shop::text;

/// Between two looks at the task.
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// Between two reports of where the rider is, in business milliseconds.
const POSITION_EVERY_MS: u64 = 3 * 60_000;
/// To the store, and to the customer, in business milliseconds.
const RIDE_MS: u64 = 4 * 60_000;

/// One rider on shift.
#[derive(Debug)]
pub struct Rider {
    api: Api,
    clock: Arc<BusinessClock>,
    journals: Arc<Journals>,
    place: (f64, f64),
    seen_ms: u64,
}

impl Rider {
    /// Registers a rider and begins the shift near the shop.
    pub async fn begin(
        relay: &Api,
        number: usize,
        clock: Arc<BusinessClock>,
        journals: Arc<Journals>,
    ) -> anyhow::Result<Self> {
        let new = json!({"name": format!("Rider {number}"), "phone": format!("+1555010{number:04}"), "password": "rides-at-night"});
        let session = relay.post("/api/v1/riders", &new).await?.expect(201)?;
        let api = Api::new(relay.target().clone(), Some(text(&session["token"]).to_owned()));
        #[expect(clippy::cast_precision_loss, reason = "a handful of riders")]
        let aside = number as f64 * 0.000_5;
        let place = (SHOP.0 + aside, SHOP.1);
        let shift = json!({"on": true, "lat": place.0, "lon": place.1});
        let begun = api
            .call("PUT", "/api/v1/rider/shift", &[("content-type", "application/json")], shift.to_string().as_bytes())
            .await?;
        ensure!(begun.status / 100 == 2, "the shift was answered {}: {}", begun.status, begun.text());
        let seen_ms = clock.now();
        Ok(Self { api, clock, journals, place, seen_ms })
    }

    /// Rides until the evening is over.
    pub async fn ride(mut self, over: CancellationToken) {
        while !over.is_cancelled() {
            let step = tokio::select! {
                () = over.cancelled() => return,
                step = self.step() => step,
            };
            if step.is_err() {
                // The relay was killed, or the offer went to somebody else: the next look tells.
                clock::moment(LOOK_EVERY).await;
            }
            clock::moment(LOOK_EVERY).await;
        }
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        let task = self.task().await?;
        let order = text(&task["delivery"]["order"]);
        match text(&task["state"]) {
            "offer" => self.say(&format!("/api/v1/rider/offers/{order}/accept"), order, "accepted").await,
            "to_store" => {
                self.clock.pass(RIDE_MS).await;
                self.deed(order, "at-store").await
            }
            "at_store" if is_ready(&task) => self.deed(order, "picked-up").await,
            "to_customer" => {
                self.clock.pass(RIDE_MS).await;
                self.deed(order, "delivered").await
            }
            _ => Ok(()),
        }
    }

    /// What to do now. A rider's phone says where it is every few minutes, and is told the same.
    async fn task(&mut self) -> anyhow::Result<Value> {
        let now = self.clock.now();
        if now.saturating_sub(self.seen_ms) < POSITION_EVERY_MS {
            return ask(&self.api, "GET", "/api/v1/rider/task", None).await?.answer.expect(200);
        }
        self.seen_ms = now;
        let place = json!({"lat": self.place.0, "lon": self.place.1});
        ask(&self.api, "PUT", "/api/v1/rider/position", Some(&place)).await?.answer.expect(200)
    }

    async fn deed(&self, order: &str, what: &'static str) -> anyhow::Result<()> {
        self.say(&format!("/api/v1/rider/deliveries/{order}/{what}"), order, what).await
    }

    async fn say(&self, path: &str, order: &str, what: &'static str) -> anyhow::Result<()> {
        let asked = ask(&self.api, "POST", path, Some(&json!({}))).await?;
        ensure!(asked.answer.status / 100 == 2, "{path}: {} {}", asked.answer.status, asked.answer.text());
        let (order, ticket) = (order.to_owned(), String::new());
        self.journals.rode(Deed { order, ticket, what, at_ms: clock::unix_millis() });
        Ok(())
    }
}

/// Whether the counter hands the food out: the kitchen has finished it.
fn is_ready(task: &Value) -> bool {
    task["delivery"]["ready"] == true
}
