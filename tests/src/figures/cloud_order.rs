//! An order from home, from the tap until it is paid, accepted, confirmed and on the kitchen's screen; and what the customer hears of
//! the kitchen's taps.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::floors::BareServer;
use super::linked::Linked;
use super::load::{arrivals, histogram, microseconds};
use super::{Figure, Plan, milliseconds};
use crate::client::{Api, Screen, Target};
use crate::clock;
use crate::demo::home::{Customer, wanted};
use crate::seeded::Seeded;
use crate::shop::text;
use crate::writers::{all_done, kitchen_actions};

/// Orders from home in a second.
const RATE: f64 = 10.0;
/// The kitchen's taps in a second.
const TAPS: f64 = 20.0;
/// People who have signed up.
const CUSTOMERS: usize = 16;
const SEED: u64 = 5;
/// Bytes of a customer's frame, about.
const FRAME_BYTES: usize = 2_000;

/// Runs the benchmark.
pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let home = tempfile::tempdir()?;
    let linked = Linked::start(plan, home.path()).await?;
    let nobody = Api::new(linked.relay.operator.target().clone(), None);
    let mut customers = Vec::new();
    for number in 0..plan.choose(CUSTOMERS, 2) {
        customers.push(Arc::new(Customer::sign_up(&nobody, number).await?));
    }
    let due = arrivals(RATE, Duration::from_secs(plan.choose(30, 1)), SEED);
    let quoted = quote(&linked, &customers, due.len()).await?;
    let cook = linked.shop.pair("kitchen", "Kitchen").await?;
    let (answered, shown) = order(&linked, &cook, &quoted, &due).await?;
    let heard = hear(&cook, &quoted).await?;
    linked.stop()?;
    let floor = way_floor(home.path(), heard.behind.len()).await?;
    let at = |histogram: &Histogram<u64>, quantile| milliseconds(histogram.value_at_quantile(quantile));
    let rate = format!("an order from home at {RATE:.0}/s");
    let visible = format!("a kitchen's tap to the customer's screen at {TAPS:.0}/s");
    let own = "its answer in the kitchen";
    let way = "a TLS hop, a sync, a TLS hop";
    Ok(vec![
        Figure::new(format!("{rate}, paid and answered, p50"), "ms", at(&answered, 0.5), "limit", 300.0),
        Figure::new(format!("{rate}, paid and answered, p99"), "ms", at(&answered, 0.99), "limit", 300.0),
        Figure::new(format!("{rate}, accepted, confirmed, in the kitchen, p50"), "ms", at(&shown, 0.5), "limit", 300.0),
        Figure::new(
            format!("{rate}, accepted, confirmed, in the kitchen, p99"),
            "ms",
            at(&shown, 0.99),
            "limit",
            300.0,
        ),
        Figure::new(format!("{visible}, p50"), "ms", at(&heard.screen, 0.5), own, at(&heard.answer, 0.5)),
        Figure::new(format!("{visible}, p99"), "ms", at(&heard.screen, 0.99), own, at(&heard.answer, 0.99)),
        Figure::new("node commit to relay visible, p50", "ms", at(&heard.behind, 0.5), way, at(&floor, 0.5)),
        Figure::new("node commit to relay visible, p99", "ms", at(&heard.behind, 0.99), way, at(&floor, 0.99)),
        Figure::new("node commit to relay visible, p99", "ms", at(&heard.behind, 0.99), "limit", 5.0),
    ])
}

/// An order that has its price.
#[derive(Debug, Clone)]
struct Quoted {
    customer: Arc<Customer>,
    id: String,
    body: Value,
}

async fn quote(linked: &Linked, customers: &[Arc<Customer>], count: usize) -> anyhow::Result<Vec<Quoted>> {
    let mut dice = Seeded::from_system()?;
    let path = format!("/api/v1/restaurants/{}/quotes", linked.site);
    let mut quoted = Vec::with_capacity(count);
    for index in 0..count {
        let customer = customers[index % customers.len()].clone();
        let lines = linked.shop.carts[index % linked.shop.carts.len()].lines(&mut dice);
        let quote = customer.tab().post(&path, &wanted(&lines)).await?.expect(201)?;
        let id = dice.uuid().to_string();
        let body =
            json!({"id": id, "quote": quote["quote"], "payment": dice.uuid(), "card": {"token": format!("tok_{id}")}});
        quoted.push(Quoted { customer, id, body });
    }
    Ok(quoted)
}

/// Places each when it is due. Answers microseconds until the answer, and until the kitchen's screen has the order's tickets.
async fn order(
    linked: &Linked,
    cook: &Api,
    quoted: &[Quoted],
    due: &[Duration],
) -> anyhow::Result<(Histogram<u64>, Histogram<u64>)> {
    let mut kitchen = cook.screen("kitchen", &Value::Null).await?;
    kitchen.until(|frame| frame["type"] == "snapshot" && frame["last"] == true).await?;
    let (say, mut seen) = mpsc::channel(quoted.len().max(1));
    let watching = tokio::spawn(async move { watch(kitchen, say).await });
    let path = format!("/api/v1/restaurants/{}/orders", linked.site);
    let start = clock::now();
    let mut placing = JoinSet::new();
    for (index, (quoted, due)) in quoted.iter().zip(due).enumerate() {
        let (quoted, path, moment) = (quoted.clone(), path.clone(), start + *due);
        clock::moment(moment.saturating_duration_since(clock::now())).await;
        placing.spawn(async move {
            let answer = quoted.customer.tab().post(&path, &quoted.body).await?;
            let at = clock::now();
            ensure!(matches!(answer.status, 200..=202), "an order was answered {}: {}", answer.status, answer.text());
            anyhow::Ok((index, microseconds(moment, at)))
        });
    }
    let (mut answered, mut shown) = (histogram()?, histogram()?);
    while let Some(placed) = placing.join_next().await {
        answered.saturating_record(placed??.1);
    }
    let mut left: std::collections::BTreeMap<&str, Instant> =
        quoted.iter().zip(due).map(|(quoted, due)| (quoted.id.as_str(), start + *due)).collect();
    while !left.is_empty() {
        let (id, at) =
            clock::within("an order in the kitchen", clock::PATIENCE, seen.recv()).await?.context("a screen")?;
        if let Some(due) = left.remove(id.as_str()) {
            shown.saturating_record(microseconds(due, at));
        }
    }
    watching.abort();
    Ok((answered, shown))
}

/// Says when each order's tickets are first on the screen.
async fn watch(mut kitchen: Screen, say: mpsc::Sender<(String, Instant)>) -> anyhow::Result<()> {
    let mut known = std::collections::BTreeSet::new();
    loop {
        let frame = kitchen.next().await?;
        let at = clock::now();
        for order in frame["orders"].as_array().into_iter().flatten() {
            let made = order["tickets"].as_array().is_some_and(|tickets| !tickets.is_empty());
            if made && known.insert(text(&order["id"]).to_owned()) {
                say.send((text(&order["id"]).to_owned(), at)).await?;
            }
        }
    }
}

/// Microseconds from a tap: to its answer, to the customer's screen, and from the one to the other.
#[derive(Debug)]
struct Heard {
    answer: Histogram<u64>,
    screen: Histogram<u64>,
    behind: Histogram<u64>,
}

/// The cook starts and bumps each order, and its customer watches.
async fn hear(cook: &Api, quoted: &[Quoted]) -> anyhow::Result<Heard> {
    let mut heard = Heard { answer: histogram()?, screen: histogram()?, behind: histogram()? };
    let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / TAPS));
    for quoted in quoted {
        let order = cook.get(&format!("/api/v1/orders/{}", quoted.id)).await?.expect(200)?;
        let tab = quoted.customer.tab();
        let mut screen = tab.target().connect().await?.into_follower(tab.token(), &quoted.id).await?;
        screen.next().await?;
        for (tap, status) in [("start", "PREPARING"), ("bump", "READY_FOR_PICKUP")] {
            let actions = kitchen_actions(&order, &json!({"type": tap}))?;
            beat.tick().await;
            let sent = clock::now();
            let seen = async {
                screen.until(|frame| frame["status"] == status).await?;
                anyhow::Ok(clock::now())
            };
            let done = async {
                let answer = cook.post("/api/v1/kitchen/actions", &actions).await?;
                anyhow::Ok((clock::now(), answer))
            };
            let (seen, done) = tokio::join!(seen, done);
            let (seen, (at, answer)) = (seen?, done?);
            all_done(&answer.expect(200)?)?;
            heard.answer.saturating_record(microseconds(sent, at));
            heard.screen.saturating_record(microseconds(sent, seen));
            heard.behind.saturating_record(microseconds(at, seen));
        }
    }
    Ok(heard)
}

/// The same way with nothing on it: a frame over TLS, appended and synced, and over TLS to who watches.
async fn way_floor(directory: &Path, taps: u64) -> anyhow::Result<Histogram<u64>> {
    let server = BareServer::fan_out(FRAME_BYTES, Some(File::create(directory.join("way.log"))?)).await?;
    let target = Target::new(server.address, &server.ca())?;
    let (mut watching, mut tapping) = (target.bare_screen().await?, target.bare_screen().await?);
    let (mut way, mut beat) = (histogram()?, tokio::time::interval(Duration::from_secs_f64(1.0 / TAPS)));
    for tap in 0..taps {
        beat.tick().await;
        let sent = clock::now();
        tapping.send_text(format!("{tap} ")).await?;
        watching.next_text().await?;
        way.saturating_record(microseconds(sent, clock::now()));
    }
    Ok(way)
}
