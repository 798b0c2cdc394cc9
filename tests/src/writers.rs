//! Guests and cooks who keep a node busy until it is gone, and what it had promised them by then.
//!
//! Every answer is written down with how far the recorder's log had got when it arrived: a promise holds for every cut behind that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Api, Target};
use crate::seeded::Seeded;
use crate::shop::{Cart, Shop, fresh_id, text};

/// What the node has said of one order.
#[derive(Debug, Clone)]
pub struct Promised {
    /// The answer to the placement.
    pub placed: Value,
    /// Log bytes recorded when the placement was answered.
    pub placed_at: u64,
    /// What was done to it afterwards and answered, with the log bytes then.
    pub then: Option<(Afterwards, u64)>,
}

/// What a writer did to its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// All its tickets were bumped.
    Bumped,
    /// It was cancelled.
    Cancelled,
}

/// A crowd of devices, each with a token of its own.
#[derive(Debug)]
pub struct Writers {
    tokens: Vec<String>,
    carts: Arc<[Cart]>,
    log: Option<PathBuf>,
}

/// A crowd at work.
#[derive(Debug)]
pub struct Working {
    tasks: JoinSet<anyhow::Result<Vec<Promised>>>,
    answered: watch::Receiver<usize>,
}

impl Writers {
    /// Pairs that many devices; `log` is the recorder's, where there is one.
    pub async fn pair(shop: &Shop, count: usize, log: Option<&Path>) -> anyhow::Result<Self> {
        let mut tokens = Vec::new();
        for index in 0..count {
            tokens.push(shop.pair("manager", &format!("Writer {index}")).await?.token().to_owned());
        }
        Ok(Self { tokens, carts: shop.carts.clone(), log: log.map(Path::to_path_buf) })
    }

    /// Sets all to work on a node; each ends when its connection does.
    #[must_use]
    pub fn begin(&self, target: &Target, seed: u64) -> Working {
        let (tell, answered) = watch::channel(0);
        let (tell, count) = (Arc::new(tell), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for (index, token) in self.tokens.iter().enumerate() {
            let writer = Writer {
                api: Api::new(target.clone(), Some(token.clone())),
                carts: self.carts.clone(),
                log: self.log.clone(),
                dice: Seeded::new(seed.wrapping_mul(1_000).wrapping_add(index as u64)),
            };
            let (tell, count) = (tell.clone(), count.clone());
            tasks.spawn(writer.work(move || {
                tell.send_replace(count.fetch_add(1, Ordering::Relaxed) + 1);
            }));
        }
        Working { tasks, answered }
    }

    /// A device of the crowd on another node over the same data.
    #[must_use]
    pub fn reader(&self, target: &Target) -> Api {
        Api::new(target.clone(), self.tokens.first().cloned())
    }
}

impl Working {
    /// Resolves once that many orders were answered.
    pub async fn until_answered(&mut self, orders: usize) -> anyhow::Result<()> {
        self.answered.wait_for(|count| *count >= orders).await.context("every writer ended before")?;
        Ok(())
    }

    /// What the node had promised, once every writer has noticed that it is gone.
    pub async fn promises(mut self) -> anyhow::Result<Vec<Promised>> {
        let mut promises = Vec::new();
        while let Some(written) = self.tasks.join_next().await {
            promises.extend(written??);
        }
        Ok(promises)
    }
}

struct Writer {
    api: Api,
    carts: Arc<[Cart]>,
    log: Option<PathBuf>,
    dice: Seeded,
}

impl Writer {
    /// Places orders one after another until the node is gone; a refusal is a failure.
    async fn work(mut self, answered: impl Fn()) -> anyhow::Result<Vec<Promised>> {
        let mut ids = Seeded::from_system()?;
        let mut promises = Vec::new();
        loop {
            let cart = &self.carts[self.dice.below(self.carts.len())];
            let Ok(answer) = self.api.post("/api/v1/orders", &cart.order(&mut ids)).await else {
                return Ok(promises);
            };
            let placed = answer.expect(201)?;
            let index = promises.len();
            promises.push(Promised { placed_at: self.log_bytes()?, placed, then: None });
            answered();
            let afterwards = match self.dice.below(8) {
                0 | 1 => Afterwards::Bumped,
                2 => Afterwards::Cancelled,
                _ => continue,
            };
            let Ok(answer) = self.after(afterwards, &promises[index].placed).await else {
                return Ok(promises);
            };
            ensure!(answer.status / 100 == 2, "{afterwards:?} was answered {}: {}", answer.status, answer.text());
            if afterwards == Afterwards::Bumped {
                all_done(&answer.json()?)?;
            }
            promises[index].then = Some((afterwards, self.log_bytes()?));
        }
    }

    async fn after(&self, what: Afterwards, order: &Value) -> anyhow::Result<crate::client::Answer> {
        match what {
            Afterwards::Bumped => self.api.post("/api/v1/kitchen/actions", &bump_all(order)?).await,
            Afterwards::Cancelled => {
                self.api
                    .post(&format!("/api/v1/orders/{}/cancellation", text(&order["id"])), &json!({"why": "guest left"}))
                    .await
            }
        }
    }

    fn log_bytes(&self) -> anyhow::Result<u64> {
        Ok(self.log.as_ref().map_or(Ok(0), |log| std::fs::metadata(log).map(|log| log.len()))?)
    }
}

/// The actions that bump every ticket of an order.
pub fn bump_all(order: &Value) -> anyhow::Result<Value> {
    kitchen_actions(order, &json!({"type": "bump"}))
}

/// One action for every ticket of an order.
pub fn kitchen_actions(order: &Value, action: &Value) -> anyhow::Result<Value> {
    let tickets = order["tickets"].as_array().context("an order has tickets")?;
    ensure!(!tickets.is_empty(), "an order without tickets: {order}");
    let mut actions = Vec::new();
    for ticket in tickets {
        actions.push(json!({
            "id": fresh_id()?, "order": order["id"], "station": ticket["station"], "course": ticket["course"],
            "epoch": ticket["epoch"], "action": action,
        }));
    }
    Ok(json!({ "actions": actions }))
}

/// Fails unless every action of an answer was done.
pub fn all_done(outcomes: &Value) -> anyhow::Result<()> {
    let outcomes = outcomes["outcomes"].as_array().context("a list of outcomes")?;
    ensure!(!outcomes.is_empty(), "no outcome");
    ensure!(outcomes.iter().all(|outcome| outcome["outcome"] == "done"), "not all done: {outcomes:?}");
    Ok(())
}

/// What must be as it was. A cancellation that was under way at the cut may have happened: it voids lines and takes the total away.
fn kept_fields(order: &Value, cancelled: bool) -> Value {
    let mut order = order.clone();
    if cancelled {
        order["total_minor"] = Value::Null;
        if let Some(lines) = order["lines"].as_array_mut() {
            lines.iter_mut().for_each(|line| line["voided"] = Value::Null);
        }
    }
    order
}

/// Compares a node's answer now with what it had promised before a cut; says what is wrong.
pub async fn broken_promise(reader: &Api, promise: &Promised, log_bytes: u64) -> anyhow::Result<Option<String>> {
    let id = text(&promise.placed["id"]);
    let answer = reader.get(&format!("/api/v1/orders/{id}")).await?;
    if answer.status != 200 {
        return Ok(Some(format!("order {id} is answered {}: {}", answer.status, answer.text())));
    }
    let now = answer.json()?;
    let cancelled = now["status"] == "CANCELLED";
    let (wanted, found) = (kept_fields(&promise.placed, cancelled), kept_fields(&now, cancelled));
    for field in ["id", "number", "lines", "total_minor", "placed_at", "channel"] {
        if found[field] != wanted[field] {
            return Ok(Some(format!("order {id}: {field} was {} and is {}", wanted[field], found[field])));
        }
    }
    let kept = match promise.then {
        Some((Afterwards::Bumped, at)) if at <= log_bytes => {
            now["tickets"].as_array().is_some_and(|all| all.iter().all(|ticket| ticket["phase"] == "ready"))
        }
        Some((Afterwards::Cancelled, at)) if at <= log_bytes => now["status"] == "CANCELLED",
        // Nothing else was asked of it, unless its writer was waiting for an answer when the node went.
        Some(_) | None => true,
    };
    Ok((!kept).then(|| format!("order {id}: {:?} was answered and is undone: {now}", promise.then)))
}

/// All promises that were given within `log_bytes` and do not hold.
pub async fn broken_promises(reader: &Api, promises: &[Promised], log_bytes: u64) -> anyhow::Result<Vec<String>> {
    let mut broken = Vec::new();
    for promise in promises.iter().filter(|promise| promise.placed_at <= log_bytes) {
        broken.extend(broken_promise(reader, promise, log_bytes).await?);
    }
    Ok(broken)
}
