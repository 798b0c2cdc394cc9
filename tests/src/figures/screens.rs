//! From a tap to the frame on every screen, against a bare WebSocket fan-out of the same bytes to as many clients.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::floors::BareServer;
use super::load::{Measured, histogram, microseconds};
use super::{Figure, Plan};
use crate::client::{Api, Screen, Target};
use crate::clock;
use crate::seeded::Seeded;
use crate::shop::{Shop, text};
use crate::writers::{bump_all, kitchen_actions};

const RATE: f64 = 20.0;

/// What is needed of a frame.
#[derive(Debug, Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    orders: Vec<Order>,
    #[serde(default)]
    last: bool,
}

#[derive(Debug, Deserialize)]
struct Order {
    id: String,
}

/// Which taps are under way, since when, and how many screens have yet to show each.
#[derive(Debug, Default)]
struct Taps {
    due: BTreeMap<String, (Instant, usize)>,
}

#[derive(Debug)]
struct Board {
    taps: Mutex<Taps>,
    every: Mutex<Histogram<u64>>,
    last: Mutex<Histogram<u64>>,
    frame_bytes: Mutex<Histogram<u64>>,
    shown: mpsc::Sender<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    fn new() -> anyhow::Result<(Arc<Self>, mpsc::Receiver<()>)> {
        let (shown, all_shown) = mpsc::channel(1 << 16);
        let board = Self {
            taps: Mutex::default(),
            every: Mutex::new(histogram()?),
            last: Mutex::new(histogram()?),
            frame_bytes: Mutex::new(Histogram::new_with_max(1 << 20, 2)?),
            shown,
        };
        Ok((Arc::new(board), all_shown))
    }

    fn tapped(&self, id: &str, due: Instant, screens: usize) {
        lock(&self.taps).due.insert(id.to_owned(), (due, screens));
    }

    /// A screen has a frame with this tap; later frames about the same order are other news.
    fn show(&self, id: &str, at: Instant, bytes: usize) {
        let mut taps = lock(&self.taps);
        let Some((due, left)) = taps.due.get_mut(id) else { return };
        let latency = microseconds(*due, at);
        lock(&self.every).saturating_record(latency);
        lock(&self.frame_bytes).saturating_record(bytes as u64);
        *left -= 1;
        if *left == 0 {
            lock(&self.last).saturating_record(latency);
            taps.due.remove(id);
            // Bounded by more than the taps of a run.
            let _full = self.shown.try_send(());
        }
    }

    fn measured(&self, rate: f64) -> (Measured, Measured) {
        (
            Measured { latency: lock(&self.every).clone(), rate, answer_bytes: 0 },
            Measured { latency: lock(&self.last).clone(), rate, answer_bytes: 0 },
        )
    }
}

/// Runs the benchmark.
pub async fn run(plan: &Plan) -> anyhow::Result<Vec<Figure>> {
    let (screens, open, taps) = (plan.choose(50, 5), plan.choose(200, 10), plan.choose(600, 20));
    let home = tempfile::tempdir()?;
    let node = plan.start(&home.path().join("data"))?;
    let shop = Shop::open(node.ready()).await?;
    let cook = shop.pair("staff", "Counter").await?;
    let mut ids = Seeded::from_system()?;
    let mut queue = VecDeque::new();
    for index in 0..open {
        let order = shop.carts[index % shop.carts.len()].order(&mut ids);
        queue.push_back(cook.post("/api/v1/orders", &order).await?.expect(201)?);
    }
    let (board, mut all_shown) = Board::new()?;
    let mut tasks = JoinSet::new();
    for index in 0..screens {
        let device = shop.pair("kitchen", &format!("Screen {index}")).await?;
        let mut screen = device.screen("kitchen", &Value::Null).await?;
        after_snapshot(&mut screen).await?;
        tasks.spawn(watch(screen, board.clone()));
    }
    tap_orders(&shop, &cook, &board, (screens, taps), &mut queue).await?;
    for _ in 0..taps {
        clock::within("frame on every screen", clock::PATIENCE, all_shown.recv())
            .await?
            .context("the board is here")?;
    }
    tasks.abort_all();
    node.stop()?;
    let frame_bytes = usize::try_from(lock(&board.frame_bytes).value_at_quantile(0.5))?;
    let (every, last) = board.measured(RATE);
    let floor = fan_out_floor(screens, taps, frame_bytes).await?;
    let against = format!("bare TLS WebSocket fan-out to {screens}, {frame_bytes} B");
    let name = |what: &str| format!("tap to {what}, {screens} screens, {open} open orders, {RATE:.0}/s");
    Ok(vec![
        Figure::new(name("a screen p50"), "ms", every.ms(0.5), &against, floor.0.ms(0.5)),
        Figure::new(name("a screen p99"), "ms", every.ms(0.99), &against, floor.0.ms(0.99)),
        Figure::new(name("the last screen p50"), "ms", last.ms(0.5), &against, floor.1.ms(0.5)),
        Figure::new(name("the last screen p99"), "ms", last.ms(0.99), &against, floor.1.ms(0.99)),
        Figure::new(name("the last screen p99"), "ms", last.ms(0.99), "limit", 25.0),
    ])
}

async fn after_snapshot(screen: &mut Screen) -> anyhow::Result<()> {
    screen.until(|frame| frame["type"] == "snapshot" && frame["last"] == true).await?;
    Ok(())
}

async fn watch(mut screen: Screen, board: Arc<Board>) -> anyhow::Result<()> {
    loop {
        let text = screen.next_text().await?;
        let at = clock::now();
        let frame: Frame = serde_json::from_str(&text)?;
        ensure!(frame.kind != "bye" && !frame.last, "the screen was dropped: {text}");
        if frame.kind == "delta" {
            frame.orders.iter().for_each(|order| board.show(&order.id, at, text.len()));
        }
    }
}

/// One order placed at every beat, and the oldest handed over, so that as many stay open.
async fn tap_orders(
    shop: &Shop,
    cook: &Api,
    board: &Board,
    (screens, taps): (usize, usize),
    queue: &mut VecDeque<Value>,
) -> anyhow::Result<()> {
    let kiosk = shop.pair("customer", "Kiosk").await?;
    let (mut ids, mut beat) = (Seeded::from_system()?, tokio::time::interval(Duration::from_secs_f64(1.0 / RATE)));
    for index in 0..taps {
        let due = beat.tick().await.into_std();
        let order = shop.carts[(index * 7) % shop.carts.len()].order(&mut ids);
        board.tapped(text(&order["id"]), due, screens);
        queue.push_back(kiosk.post("/api/v1/orders", &order).await?.expect(201)?);
        let oldest = queue.pop_front().context("orders are open")?;
        cook.post("/api/v1/kitchen/actions", &bump_all(&oldest)?).await?.expect(200)?;
        cook.post("/api/v1/kitchen/actions", &kitchen_actions(&oldest, &json!({"type": "hand_over"}))?)
            .await?
            .expect(200)?;
    }
    Ok(())
}

/// The same taps through a server that only repeats them.
async fn fan_out_floor(screens: usize, taps: usize, frame_bytes: usize) -> anyhow::Result<(Measured, Measured)> {
    let server = BareServer::fan_out(frame_bytes, None).await?;
    let target = Target::new(server.address, &server.ca())?;
    let (board, mut all_shown) = Board::new()?;
    let mut tasks = JoinSet::new();
    for _ in 0..screens {
        let mut screen = target.bare_screen().await?;
        let board = board.clone();
        tasks.spawn(async move {
            while let Ok(frame) = screen.next_text().await {
                let id = frame.split(' ').next().unwrap_or_default();
                board.show(id, clock::now(), frame.len());
            }
        });
    }
    let mut tapper = target.bare_screen().await?;
    let mut beat = tokio::time::interval(Duration::from_secs_f64(1.0 / RATE));
    for index in 0..taps {
        let due = beat.tick().await.into_std();
        let id = format!("tap-{index}");
        board.tapped(&id, due, screens);
        tapper.send_text(format!("{id} ")).await?;
        clock::within("frame on every screen", clock::PATIENCE, all_shown.recv())
            .await?
            .context("the board is here")?;
    }
    tasks.abort_all();
    Ok(board.measured(RATE))
}
