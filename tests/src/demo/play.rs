//! Plays an evening: opens the shop, lets the guests come, cuts the line, kills each program once, and gathers the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::{Api, Target};
use crate::clock;
use crate::demo::business_clock::BusinessClock;
use crate::demo::evenings::{EVENING_MS, Guest, Place, guests, shelves};
use crate::demo::here::{self, Devices};
use crate::demo::home::{self, Customer, Mind, Town};
use crate::demo::journals::Journals;
use crate::demo::kitchen::Kitchen;
use crate::demo::proxy::{Open, Proxy};
use crate::demo::report::{Chances, Evidence, Kept};
use crate::demo::riders::Rider;
use crate::demo::scene::{Gateway, Node, Programs, Relay, SETTLE, enrol, in_step, look, node_options};
use crate::seeded::Seeded;
use crate::shop::{Recipes, Shop, fresh_id, text};

/// Friday, 2026-11-20, 17:00 UTC, in milliseconds since 1970.
const OPENING_MS: u64 = 1_795_194_000_000;
const MINUTE: u64 = 60_000;
/// The internet is gone, counted from opening.
pub const OUTAGE: (u64, u64) = (150 * MINUTE, 190 * MINUTE);
/// Before that, only the way up is dead: the relay still thinks that the restaurant is there, for so long at most.
const ONE_WAY: Duration = Duration::from_millis(1_200);
/// Between two looks at the journals.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Guests who order at the same moment, at the kiosks, when the node is killed.
const RUSH: usize = 12;
/// So many of them have their answer when it happens.
const RUSH_ANSWERED: usize = 4;
/// Customers whose orders fall into that second, and who cancel at once.
const IMPATIENT: usize = 4;
/// The node is killed.
const NODE_KILL: u64 = 80 * MINUTE;
/// The relay is killed.
const RELAY_KILL: u64 = 230 * MINUTE;
/// Riders on shift.
const RIDERS: usize = 8;
/// People who have signed up.
const CUSTOMERS: usize = 16;
/// One gateway answer in twenty is lost.
const LOST_ANSWERS: f64 = 0.05;

/// How to play.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Evenings overlaid on one clock, of 52.
    pub evenings: usize,
    /// Chooses evenings, places, double taps, minds.
    pub seed: u64,
    /// Business time against real time.
    pub speed: f64,
    /// The outage takes at least so many real seconds.
    pub outage_s: f64,
    /// Address and port of the node.
    pub listen: String,
    /// Whether to draw a progress bar.
    pub progress: bool,
}

/// What is left standing after an evening.
#[derive(Debug)]
pub struct Standing {
    /// The node.
    pub node: Node,
    /// The relay.
    pub relay: Relay,
    /// The gateway.
    pub gateway: Gateway,
    /// The node's first device.
    pub admin: Api,
    /// The site.
    pub site: String,
    /// The line between them.
    pub proxy: Proxy,
}

/// What an evening has shown.
#[derive(Debug)]
pub struct Evening {
    /// For the report.
    pub evidence: Evidence,
    /// How often each fault could have done harm.
    pub chances: Chances,
    /// Ingredients that ran short.
    pub short: Vec<String>,
    /// Seconds from the return of the internet until both logs were equal.
    pub catch_up_s: f64,
    /// Bytes over the line for that.
    pub catch_up_bytes: u64,
    /// The programs, still up.
    pub standing: Standing,
}

struct Stage {
    setting: Setting,
    clock: Arc<BusinessClock>,
    journals: Arc<Journals>,
    guests: Vec<Guest>,
    shelves: BTreeMap<String, u64>,
    short: Vec<String>,
    devices: Arc<Devices>,
    town: Town,
    standing: Standing,
    over: CancellationToken,
}

/// Plays one evening with these programs and data under `home`.
pub async fn play(setting: Setting, programs: &Programs, home: &Path) -> anyhow::Result<Evening> {
    let mut stage = open(setting, programs, home).await?;
    let bar = progress(&stage);
    let mut visits = JoinSet::new();
    let (catch_up_s, catch_up_bytes, killed) = timetable(&mut stage, &mut visits, &bar).await?;
    while let Some(visit) = visits.join_next().await {
        visit??;
    }
    settle(&stage, &bar).await?;
    stage.over.cancel();
    home::look_again(&stage.town).await?;
    bar.finish_and_clear();
    let evidence = evidence(&stage).await?;
    let mut chances = chances(&evidence, &stage).await?;
    (chances.killed_under, chances.just_answered) = (killed.under_way, killed.just_answered);
    Ok(Evening { evidence, chances, short: stage.short, catch_up_s, catch_up_bytes, standing: stage.standing })
}

async fn open(setting: Setting, programs: &Programs, home: &Path) -> anyhow::Result<Stage> {
    let mut dice = Seeded::new(setting.seed);
    // The shop is opened an hour before the first guest; business time stands nearly still for that.
    let clock = Arc::new(BusinessClock::begin(&home.join("clock.json"), OPENING_MS - 60 * MINUTE, 1.0)?);
    let gateway = Gateway::start(&programs.gateway, home, LOST_ANSWERS, setting.seed)?;
    let relay = Relay::start(&programs.relay, home, &gateway, &clock)?;
    let proxy = Proxy::start(relay.address()?).await?;
    let node = Node::start(node_options(programs, home, &setting.listen, &clock)?)?;
    let shop = Shop::open_with_stock(node.process.ready(), None).await?;
    let recipes = Recipes::read()?;
    let guests = guests(&shop.carts, setting.evenings, &mut dice);
    ensure!(!guests.is_empty(), "no guest comes in {} evenings", setting.evenings);
    let (shelves, short) = shelves(&guests, &recipes, &mut dice);
    fill(&shop.admin, &shelves).await?;
    let site = enrol(&relay, &proxy, &shop.admin).await?;
    let journals = Arc::new(Journals::in_file(&home.join("journals.jsonl"))?);
    let devices = Arc::new(devices(&shop).await?);
    let over = CancellationToken::new();
    let kitchen = Kitchen::new(shop.pair("kitchen", "Kitchen").await?, clock.clone(), journals.clone(), setting.seed);
    tokio::spawn(kitchen.work(over.clone()));
    let nobody = Api::new(relay.operator.target().clone(), None);
    let mut customers = Vec::new();
    for number in 0..CUSTOMERS {
        customers.push(Customer::sign_up(&nobody, number).await?);
    }
    for number in 0..RIDERS {
        let rider = Rider::begin(&nobody, number, clock.clone(), journals.clone()).await?;
        tokio::spawn(rider.ride(over.clone()));
    }
    let town = Town {
        customers: Arc::new(customers),
        site: site.clone(),
        clock: clock.clone(),
        journals: journals.clone(),
        node: Arc::new(Api::new(shop.admin.target().clone(), Some(shop.admin.token().to_owned()))),
        line_dead: watch::channel(false).0,
        seed: setting.seed,
    };
    let standing = Standing { node, relay, gateway, admin: shop.admin, site, proxy };
    in_step(&standing.admin).await?;
    Ok(Stage { setting, clock, journals, guests, shelves, short, devices, town, standing, over })
}

/// Books what is on the shelves.
async fn fill(admin: &Api, shelves: &BTreeMap<String, u64>) -> anyhow::Result<()> {
    let stock = admin.get("/api/v1/stock").await?.expect(200)?;
    for ingredient in stock["ingredients"].as_array().context("ingredients")? {
        // What nobody will want is there too: an empty shelf would take dishes off sale.
        let grams = shelves.get(text(&ingredient["name"])).copied().unwrap_or(10_000);
        let path = format!("/api/v1/stock/{}/receipts", text(&ingredient["id"]));
        let booked = admin.post(&path, &json!({"id": fresh_id()?, "amount": grams})).await?;
        ensure!(booked.status / 100 == 2, "a receipt was answered {}: {}", booked.status, booked.text());
    }
    Ok(())
}

async fn devices(shop: &Shop) -> anyhow::Result<Devices> {
    let (mut kiosks, mut tills) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        kiosks.push(two(shop.pair("customer", &format!("Kiosk {number}")).await?));
    }
    for number in 1..=2 {
        tills.push(two(shop.pair("staff", &format!("Counter {number}")).await?));
    }
    Ok(Devices { kiosks, tills })
}

fn two(device: Api) -> [Api; 2] {
    let other = Api::new(device.target().clone(), Some(device.token().to_owned()));
    [device, other]
}

fn progress(stage: &Stage) -> ProgressBar {
    if !stage.setting.progress {
        return ProgressBar::hidden();
    }
    let style = "{prefix} [{bar:40}] {msg}";
    let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(EVENING_MS / MINUTE).with_style(style).with_prefix("evening")
}

/// Something that happens at its minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Guest(usize),
    KillNode,
    Cut,
    Heal,
    KillRelay,
}

/// The evening's events in their order.
fn events(guests: &[Guest]) -> Vec<(u64, Event)> {
    let mut events: Vec<(u64, Event)> =
        guests.iter().enumerate().map(|(index, guest)| (guest.at_ms, Event::Guest(index))).collect();
    events.extend([
        (NODE_KILL, Event::KillNode),
        (OUTAGE.0, Event::Cut),
        (OUTAGE.1, Event::Heal),
        (RELAY_KILL, Event::KillRelay),
    ]);
    events.sort_by_key(|(at, _)| *at);
    events
}

async fn timetable(
    stage: &mut Stage,
    visits: &mut JoinSet<anyhow::Result<()>>,
    bar: &ProgressBar,
) -> anyhow::Result<(f64, u64, Killed)> {
    stage.clock.set_speed(stage.setting.speed * 6.0)?;
    stage.clock.until(OPENING_MS).await;
    stage.clock.set_speed(stage.setting.speed)?;
    let impatient = impatient(&stage.guests);
    let (mut catch_up, mut killed_under) = ((0.0, 0), Killed::default());
    let events = events(&stage.guests);
    for (at, (at_ms, event)) in events.iter().copied().enumerate() {
        stage.clock.until(OPENING_MS + at_ms).await;
        bar.set_position(at_ms / MINUTE);
        bar.set_message(format!("{:02}:{:02}", 17 + at_ms / 3_600_000, at_ms / MINUTE % 60));
        match event {
            // They came in the first second of the outage.
            Event::Guest(index) if impatient.contains(&index) || killed_under.rush.contains(&index) => {}
            Event::Guest(index) => come(stage, visits, index, Mind::Open),
            Event::KillNode => {
                killed_under.rush = rush(&stage.guests, &events[at..]);
                killed_under.just_answered = answer_rush(stage, visits, &killed_under.rush).await;
                killed_under.under_way += under_way(visits)?;
                kill_node(stage)?;
            }
            Event::KillRelay => {
                killed_under.under_way += under_way(visits)?;
                kill_relay(stage)?;
            }
            Event::Cut => cut(stage, visits, &impatient).await?,
            Event::Heal => catch_up = heal(stage).await?,
        }
    }
    stage.clock.until(OPENING_MS + EVENING_MS).await;
    Ok((catch_up.0, catch_up.1, killed_under))
}

/// What the kills met.
#[derive(Debug, Default)]
struct Killed {
    /// Guests who came together when the node was killed.
    rush: BTreeSet<usize>,
    /// Of those, the ones that had their answer at that moment.
    just_answered: usize,
    /// Visits that had not come to their end.
    under_way: usize,
}

/// The next guests at the kiosks.
fn rush(guests: &[Guest], events: &[(u64, Event)]) -> BTreeSet<usize> {
    let at_kiosk = |(_, event): &(u64, Event)| match event {
        Event::Guest(index) if guests[*index].place == Place::Kiosk => Some(*index),
        Event::Guest(_) | Event::KillNode | Event::Cut | Event::Heal | Event::KillRelay => None,
    };
    events.iter().filter_map(at_kiosk).take(RUSH).collect()
}

/// Lets them come all at once, and returns as soon as some have their answer: how many.
async fn answer_rush(stage: &Stage, visits: &mut JoinSet<anyhow::Result<()>>, rush: &BTreeSet<usize>) -> usize {
    rush.iter().for_each(|index| come(stage, visits, *index, Mind::Open));
    let answered = || {
        let told = |order: &&crate::demo::journals::HereOrder| order.number.is_some() && rush.contains(&order.guest);
        stage.journals.copy().here.values().filter(told).count()
    };
    let some = async {
        while answered() < RUSH_ANSWERED.min(rush.len()) {
            clock::moment(Duration::from_millis(1)).await;
        }
    };
    // When nobody is answered the evening has had no chance, which its report says.
    drop(clock::within("answer to the rush", SETTLE, some).await);
    answered()
}

/// The first customers of the outage: they order in its first second and do not wait.
fn impatient(guests: &[Guest]) -> Vec<usize> {
    let in_outage = |guest: &Guest| guest.place == Place::Home && guest.at_ms >= OUTAGE.0 && guest.at_ms < OUTAGE.1;
    (0..guests.len()).filter(|index| in_outage(&guests[*index])).take(IMPATIENT).collect()
}

fn come(stage: &Stage, visits: &mut JoinSet<anyhow::Result<()>>, index: usize, mind: Mind) {
    let guest = stage.guests[index].clone();
    match guest.place {
        Place::Home => drop(visits.spawn(home::visit(stage.town.clone(), index, guest, mind))),
        Place::Kiosk | Place::Counter => {
            let (devices, journals, seed) = (stage.devices.clone(), stage.journals.clone(), stage.setting.seed);
            drop(visits.spawn(here::visit(devices, journals, index, guest, seed)));
        }
    }
}

/// Visits that have not come to their end.
fn under_way(visits: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<usize> {
    while let Some(visit) = visits.try_join_next() {
        visit??;
    }
    Ok(visits.len())
}

fn kill_node(stage: &mut Stage) -> anyhow::Result<()> {
    tokio::task::block_in_place(|| stage.standing.node.kill_and_restart())
}

fn kill_relay(stage: &mut Stage) -> anyhow::Result<()> {
    tokio::task::block_in_place(|| stage.standing.relay.kill_and_restart())
}

/// The way up dies first, and the way down once the orders of some customers are at the restaurant; then those cancel.
async fn cut(stage: &Stage, visits: &mut JoinSet<anyhow::Result<()>>, impatient: &[usize]) -> anyhow::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "minutes")]
    let business_s = (OUTAGE.1 - OUTAGE.0) as f64 / 1_000.0;
    stage.clock.set_speed(stage.setting.speed.min(business_s / stage.setting.outage_s))?;
    stage.standing.proxy.set(Open { up: false, down: true });
    for index in impatient {
        come(stage, visits, *index, Mind::Impatient);
    }
    let arrive = async {
        let there = |order: &&crate::demo::journals::HomeOrder| order.reached && impatient.contains(&order.guest);
        while stage.journals.copy().home.values().filter(there).count() < impatient.len() {
            clock::moment(LOOK_EVERY).await;
        }
    };
    // Whose order takes longer cancels one that the restaurant has not got: no chance, but no fault either.
    drop(clock::within("arrival of the last orders", ONE_WAY, arrive).await);
    stage.standing.proxy.set(Open { up: false, down: false });
    stage.town.line_dead.send_replace(true);
    Ok(())
}

/// The internet is back: how long until both logs are equal, and how many bytes that takes.
async fn heal(stage: &Stage) -> anyhow::Result<(f64, u64)> {
    home::look_again(&stage.town).await?;
    let proxy = &stage.standing.proxy;
    let (began, bytes) = (clock::now(), proxy.bytes());
    proxy.set(Open { up: true, down: true });
    in_step(&stage.standing.admin).await?;
    let caught_up = (began.elapsed().as_secs_f64(), proxy.bytes() - bytes);
    stage.clock.set_speed(stage.setting.speed)?;
    Ok(caught_up)
}

/// Waits until every order has come to its end and both logs are equal; what does not is the report's to tell.
async fn settle(stage: &Stage, bar: &ProgressBar) -> anyhow::Result<()> {
    let began = clock::now();
    while began.elapsed() < SETTLE {
        bar.set_message("the last orders");
        let open = |kept: &Kept| !matches!(kept.status.as_str(), "COMPLETED" | "CANCELLED" | "REFUNDED");
        let (relay, node) = (relay_orders(&stage.standing).await?, node_orders(&stage.standing).await?);
        let health = look(&stage.standing.relay.operator, "/health").await?;
        if !relay.values().any(open) && relay == node && health["pending_effects"] == 0 {
            break;
        }
        clock::moment(Duration::from_millis(200)).await;
    }
    in_step(&stage.standing.admin).await
}

/// All orders of the node, page by page.
async fn node_orders(standing: &Standing) -> anyhow::Result<BTreeMap<String, Kept>> {
    let mut all = BTreeMap::new();
    let mut before = u64::MAX;
    loop {
        let page = look(&standing.admin, &format!("/api/v1/orders?state=all&limit=200&before={before}")).await?;
        let orders = page["orders"].as_array().context("orders")?;
        let known = all.len();
        all.extend(orders.iter().map(|order| (text(&order["id"]).to_owned(), kept(order))));
        // Two orders of one millisecond may lie on both sides of a page: the next one begins with it.
        let oldest = orders.iter().filter_map(|order| order["placed_at"].as_u64()).min();
        match oldest {
            Some(oldest) if all.len() > known => before = oldest + 1,
            Some(_) | None => return Ok(all),
        }
    }
}

/// All orders of the site at the relay, page by page.
async fn relay_orders(standing: &Standing) -> anyhow::Result<BTreeMap<String, Kept>> {
    let mut all = BTreeMap::new();
    let mut after = String::new();
    loop {
        let path = format!("/api/v1/sites/{}/orders?after={after}", standing.site);
        let page = look(&standing.relay.operator, &path).await?;
        for order in page["orders"].as_array().context("orders")? {
            all.insert(text(&order["id"]).to_owned(), kept(order));
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return Ok(all),
        }
    }
}

fn kept(order: &Value) -> Kept {
    Kept {
        status: text(&order["status"]).to_owned(),
        number: order["number"].as_str().map(str::to_owned),
        total_minor: order["total_minor"].as_i64().unwrap_or(0),
        paid_minor: order["paid_minor"].as_i64().unwrap_or(0),
    }
}

async fn evidence(stage: &Stage) -> anyhow::Result<Evidence> {
    let standing = &stage.standing;
    let stock = look(&standing.admin, "/api/v1/stock").await?;
    let of = |ingredient: &Value| Some((text(&ingredient["name"]).to_owned(), ingredient["used"].as_u64()?));
    let used = stock["ingredients"].as_array().context("ingredients")?.iter().filter_map(of).collect();
    let digest = |answer: Value| text(&answer["digest"]).to_owned();
    let node = digest(look(&standing.admin, "/api/v1/digest").await?);
    let path = format!("/api/v1/sites/{}/digest", standing.site);
    let relay = digest(look(&standing.relay.operator, &path).await?);
    Ok(Evidence {
        guests: stage.guests.clone(),
        journals: stage.journals.copy(),
        bank: standing.gateway.executed()?,
        node: node_orders(standing).await?,
        relay: relay_orders(standing).await?,
        shelves: stage.shelves.clone(),
        used,
        digests: [node, relay],
    })
}

async fn chances(evidence: &Evidence, stage: &Stage) -> anyhow::Result<Chances> {
    let journals = &evidence.journals;
    let home = || journals.home.values().filter(|order| order.placed);
    let ended = |order: &&crate::demo::journals::HomeOrder| {
        evidence.relay.get(&order.id).is_some_and(|kept| kept.status == "COMPLETED")
    };
    let refused = journals.here.values().filter_map(|order| order.refused.as_deref());
    let refused = refused.chain(journals.home.values().filter_map(|order| order.refused.as_deref()));
    let unconfirmed = |order: &&crate::demo::journals::HomeOrder| {
        let history = order.last["history"].as_array();
        order.reached
            && order.cancelled_ms.is_some()
            && history.is_some_and(|history| history.iter().all(|change| change["to"] != "ORDER_CONFIRMED"))
    };
    let struck = stage.standing.gateway.struck().await?;
    Ok(Chances {
        repeated: journals.here.values().filter(|order| order.sends > 1).count()
            + home().filter(|order| order.sends > 1).count(),
        killed_under: 0,
        just_answered: 0,
        lost_answers: struck["lost_answers"].as_u64().unwrap_or(0),
        held: home().filter(|order| order.held).count(),
        released: home().filter(|order| order.held).filter(ended).count(),
        cancelled_unconfirmed: home().filter(unconfirmed).count(),
        sold_out: refused.filter(|code| *code == "sold_out").count(),
    })
}

/// The address of the node's API, for what is printed.
#[must_use]
pub fn node_url(standing: &Standing) -> &str {
    &standing.node.process.ready().url
}

/// Where the node is, for further devices.
pub fn node_target(standing: &Standing) -> anyhow::Result<Target> {
    Target::of(standing.node.process.ready())
}
