//! What tests of the relay share: the real sandbox gateway on a free port, and a market with one restaurant, its node and its till.

use crate::app::App;
use crate::config::{GatewayConfig, RunConfig};
use crate::effects::worker::Worker;
use crate::geo::Place;
use crate::ordering::desk::{PlaceRefusal, PlaceRequest, Placed, Seen};
use crate::ordering::quote::QuoteRequest;
use crate::payments::sandbox::faults::Faults;
use crate::payments::sandbox::server::Sandbox;
use crate::sites::enrolment::Enrol;
use crate::sites::site_handle::SiteHandle;
use crate::sites::testing::{LINKS, NOW, Node, begin_session, link_down, link_up};
use crate::store::checkouts::Quote;
use crate::store::effects;
use crate::store::people::{self, Address, Rider};
use crate::store::site_rows::{NewSite, NodeSession};
use crate::store::terms::{self, Terms};
use futures_util::FutureExt;
use pilotlight_edge::clock::Clock;
use pilotlight_sync::crdt::counter::Row;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::site::Settings;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{
    CategoryId, CustomerId, IngredientId, LineId, MenuItemId, OrderId, OriginId, PaymentId, RiderId, VariantId,
};
use pilotlight_sync::domain::menu::{Ingredient, MenuItem, RecipeLine, StationId, Unit, Variant};
use pilotlight_sync::domain::money::{BasisPoints, Currency};
use pilotlight_sync::domain::order::Fulfilment;
use pilotlight_sync::domain::pricing::CartLine;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::ticket::{TicketKey, TicketPhase};
use pilotlight_sync::store::SiteStore;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A sandbox that serves until it is dropped.
pub(crate) struct SandboxServer {
    pub(crate) url: String,
    pub(crate) sandbox: Arc<Sandbox>,
    _dir: tempfile::TempDir,
    _stop: DropGuard,
}

impl SandboxServer {
    pub(crate) const SECRET: &str = "the webhook's secret";

    pub(crate) async fn start(faults: Faults) -> Self {
        Self::start_at(faults, Clock::machine()).await
    }

    pub(crate) async fn start_at(faults: Faults, clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Another test may have installed it already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let journal = dir.path().join("journal.jsonl");
        let sandbox = Sandbox::open(&journal, faults, Self::SECRET.to_owned(), clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stopping = CancellationToken::new();
        tokio::spawn(Arc::clone(&sandbox).serve(listener, None, stopping.clone()));
        Self { url, sandbox, _dir: dir, _stop: stopping.drop_guard() }
    }

    /// Everything that was truly executed.
    pub(crate) async fn journal(&self) -> Vec<Value> {
        let text = self.get("journal").await;
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What was executed of an order, in words: `authorise 1470 done`.
    pub(crate) async fn executed(&self, order: &OrderId) -> Vec<String> {
        let of_order = |entry: &Value| entry["key"].as_str().unwrap().starts_with(&order.to_string());
        let words = |entry: Value| {
            let amount = entry["amount_minor"].as_i64().map(|minor| format!(" {minor}")).unwrap_or_default();
            format!("{}{amount} {}", entry["operation"].as_str().unwrap(), entry["outcome"].as_str().unwrap())
        };
        self.journal().await.into_iter().filter(of_order).map(words).collect()
    }

    /// How often each fault struck.
    pub(crate) async fn struck(&self) -> Value {
        serde_json::from_str::<Value>(&self.get("faults").await).unwrap()["struck"].clone()
    }

    /// Dials other faults.
    pub(crate) async fn dial(&self, faults: &Faults) {
        let client = reqwest::Client::new();
        let sent = client.put(format!("{}/faults", self.url)).json(faults).send().await.unwrap();
        assert!(sent.status().is_success());
    }

    async fn get(&self, path: &str) -> String {
        reqwest::get(format!("{}/{path}", self.url)).await.unwrap().text().await.unwrap()
    }
}

/// A relay with one restaurant whose node is in memory, and a gateway. Nothing runs by itself: tests move clock, effects and logs.
pub(crate) struct Market {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Clock,
    pub(crate) site: SiteHandle,
    pub(crate) node: Node,
    pub(crate) gateway: SandboxServer,
    pub(crate) worker: Worker,
    pub(crate) config: RunConfig,
    session: NodeSession,
    token: String,
    _dir: tempfile::TempDir,
}

/// Who orders in most tests.
pub(crate) fn ada() -> CustomerId {
    CustomerId::derived(&["ada"])
}

pub(crate) fn dough() -> IngredientId {
    IngredientId::derived(&["dough"])
}

/// A line of this dish.
pub(crate) fn line(id: &str, dish: &str, quantity: u32) -> CartLine {
    let (id, item) = (LineId::derived(&[id]), MenuItemId::derived(&[dish]));
    CartLine { id, item, variant: None, quantity, choices: vec![], note: None }
}

/// One pizza (10.50) brought, with a tip: with packaging and delivery 14.70, as in the worked examples of the refund table.
pub(crate) fn cart(lines: Vec<CartLine>) -> QuoteRequest {
    let address = Address { street: "Way 1".into(), city: "Town".into(), lat: 45.41, lon: 9.2, note: None };
    QuoteRequest { fulfilment: Fulfilment::Delivery, lines, tip_minor: 100, address: Some(address), note: None }
}

impl Market {
    /// A market whose restaurant is open. The relay may sell three pizzas.
    pub(crate) async fn open(faults: Faults) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let gateway = SandboxServer::start_at(faults, clock.clone()).await;
        let config = RunConfig {
            data: dir.path().to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            host_names: vec![],
            database_url: None,
            clock_file: None,
            links: LINKS,
            gateway: GatewayConfig {
                gateway_url: Some(gateway.url.clone()),
                gateway_ca: None,
                gateway_secret: SandboxServer::SECRET.to_owned(),
            },
            ready_file: None,
            log_json: false,
        };
        let app = App::start(&config, clock.clone(), String::new(), None).await.unwrap();
        let mut node = Node::new("node");
        let code = app.sites.create(NewSite { name: "Trattoria".into(), lat: 45.4, lon: 9.2 }).await.unwrap();
        let enrol = Enrol { code: code.code, site: Some(node.site), protocol: 1, cards: vec![node.card()] };
        let enrolled = app.sites.enrol(enrol).await.unwrap();
        let site = app.sites.get(&node.site).unwrap();
        let token = enrolled.uplink_token;
        let session = begin_session(&app.sites, &token).await;
        let opening = opening_changes(&node, enrolled.relay.origin);
        node.write(&opening);
        let terms = Terms { delivery_fee_minor: 300, packaging_minor: 20, ..Terms::default() };
        let mut tx = app.database.begin().await.unwrap();
        terms::set(&mut tx, &node.site, &terms).await.unwrap();
        tx.commit().await.unwrap();
        let worker = worker(&app);
        let mut market = Self { app, clock, site, node, gateway, worker, config, session, token, _dir: dir };
        market.sync().await;
        market.connect();
        market
    }

    /// The relay is killed and started again: nothing of its memory is left.
    pub(crate) async fn restart(&mut self) {
        self.app = App::start(&self.config, self.clock.clone(), String::new(), None).await.unwrap();
        self.site = self.app.sites.get(&self.node.site).unwrap();
        self.session = begin_session(&self.app.sites, &self.token).await;
        self.worker = worker(&self.app);
        let mut tx = self.app.database.begin().await.unwrap();
        effects::open_again(&mut tx, self.clock.real()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The link comes up.
    pub(crate) fn connect(&self) {
        link_up(&self.site, self.session, self.node.origin(), self.clock.now());
    }

    /// The link is cut, and that is noticed.
    pub(crate) async fn cut(&mut self) {
        link_down(&self.site, self.session, self.clock.now());
        self.session = begin_session(&self.app.sites, &self.token).await;
        self.app.desk.hold(&self.site).await.unwrap();
    }

    /// What each side has and the other lacks goes over, as if by the link.
    pub(crate) async fn sync(&mut self) {
        let now = self.clock.now();
        let own = self.site.facts.identity.origin;
        let store = self.site.store(&self.app.database);
        let from = self.node.replica.heads().get(&own).map_or(0, |head| head.seq) + 1;
        let entries = store.log(&own, from, 1_000).await.unwrap();
        if let Some(last) = entries.last() {
            let seals = store.seals(&own, last.head.seq, last.head.seq).await.unwrap();
            self.node.apply_at(now, &entries, &seals[0]);
        }
        let known = self.site.heads().borrow().get(&self.node.origin()).map_or(0, |head| head.seq);
        if self.node.replica.position().head.seq > known {
            let (entries, seal) = self.node.batch(known + 1);
            self.site.apply(self.session, entries, seal).await.unwrap().whole().unwrap();
        }
    }

    /// The node says this of an order, and the relay hears it.
    pub(crate) async fn node_says(&mut self, order: OrderId, fact: OrderFact) {
        self.sync().await;
        self.node.write_at(self.clock.now(), &[Change::Order(order, fact)]);
        self.sync().await;
    }

    /// The relay says this of an order, as a rider's step would make it.
    pub(crate) async fn relay_says(&mut self, order: OrderId, fact: OrderFact) {
        let changes = [Change::Order(order, fact)];
        let said = self
            .site
            .run(move |tx| async move { tx.commit::<std::convert::Infallible>(Actor::System, &changes).await }.boxed());
        said.await.unwrap();
        self.sync().await;
    }

    /// The node accepts, the relay confirms, the money is taken, the kitchen has it.
    pub(crate) async fn cook(&mut self, order: OrderId) {
        self.node_says(order, OrderFact::Accepted).await;
        self.effects().await;
        self.node_says(order, OrderFact::Sent { day: DayNumber(1), letter: "A".into(), counter: 1 }).await;
    }

    /// The oven's ticket reaches a phase.
    pub(crate) async fn oven(&mut self, order: OrderId, phase: TicketPhase) {
        let ticket = TicketKey { station: StationId::parse("oven").unwrap(), course: 0 };
        self.node_says(order, OrderFact::Phase { ticket, epoch: 0, phase }).await;
    }

    /// Does effects until none is open, or a person must look; time passes when one waits.
    pub(crate) async fn effects(&self) {
        for _ in 0..2_000 {
            if !self.some_effects().await && self.no_effects_left().await {
                return;
            }
        }
        panic!("effects do not come to an end");
    }

    async fn no_effects_left(&self) -> bool {
        let (open, parked) = effects::count_open(&self.app.database).await.unwrap();
        open == parked
    }

    /// Does the effects that are due; lets a little time pass when none is. Answers whether any was.
    pub(crate) async fn some_effects(&self) -> bool {
        let claimed = self.worker.claim(32).await.unwrap();
        let any = !claimed.is_empty();
        for claimed in claimed {
            self.worker.one(claimed).await;
        }
        if !any {
            self.clock.advance(10);
            // Lets the others have their turn.
            let _over = tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
        }
        any
    }

    pub(crate) async fn quote(&self, request: QuoteRequest) -> Result<Quote, PlaceRefusal> {
        self.app.desk.quote(&self.site, ada(), request).await.map(|(quote, _)| quote)
    }

    /// Places with this card while effects go on.
    pub(crate) async fn place(&self, request: PlaceRequest) -> Result<Placed, PlaceRefusal> {
        let place = self.app.desk.place(&self.site, ada(), request);
        tokio::pin!(place);
        loop {
            let effects = self.some_effects();
            tokio::pin!(effects);
            tokio::select! {
                placed = &mut place => {
                    // An effect that was claimed is done: nobody else would.
                    effects.await;
                    return placed;
                }
                _any = &mut effects => {}
            }
        }
    }

    /// A pizza that is quoted, paid and placed.
    pub(crate) async fn order(&self, name: &str) -> OrderId {
        let quote = self.quote(cart(vec![line(name, "pizza", 1)])).await.unwrap();
        let request = request(name, &quote, "tok_ok");
        let order = request.order;
        assert!(matches!(self.place(request).await.unwrap(), Placed::Now(placed) if placed == order));
        order
    }

    pub(crate) async fn seen(&self, order: &OrderId) -> Seen {
        self.app.desk.order(ada(), order).await.unwrap().unwrap()
    }

    pub(crate) async fn view(&self, order: &OrderId) -> OrderView {
        self.seen(order).await.live.view.clone()
    }

    /// What the relay may still sell of dough.
    pub(crate) async fn rights(&self) -> u64 {
        let rights = |replica: &pilotlight_sync::doc::replica::Replica, _| {
            replica.site().sellable(&dough(), &replica.origin()).unwrap()
        };
        self.site.read(rights).await.unwrap()
    }

    /// A rider on shift, so far north of the restaurant in degrees.
    pub(crate) async fn rider(&self, name: &str, north: f64) -> RiderId {
        let id = RiderId::derived(&[name]);
        let rider = Rider {
            id,
            name: name.to_owned(),
            phone: name.to_owned(),
            password_hash: String::new(),
            on_shift: false,
            place: None,
            seen_at: NOW,
        };
        let mut tx = self.app.database.begin().await.unwrap();
        people::add_rider(&mut tx, &rider, NOW).await.unwrap();
        tx.commit().await.unwrap();
        self.app.riders.place(&id, Place { lat: 45.4 + north, lon: 9.2 }, Some(true)).await.unwrap();
        id
    }
}

fn worker(app: &Arc<App>) -> Worker {
    let (database, clock) = (app.database.clone(), app.clock.clone());
    Worker::new(database, clock, app.gateway.clone(), app.desk.clone(), app.wake.clone())
}

/// Ids named after the order.
pub(crate) fn request(name: &str, quote: &Quote, card: &str) -> PlaceRequest {
    PlaceRequest {
        order: OrderId::derived(&[name]),
        quote: quote.id,
        payment: PaymentId::derived(&[name]),
        card: card.to_owned(),
    }
}

/// A pizza costs 10.50 and uses 200 g of dough; a cola costs 3.00 and uses nothing. One kilogram is here, 600 g are the relay's.
fn opening_changes(node: &Node, relay: OriginId) -> Vec<Change> {
    let dish = |name: &str, price_minor, station: &str, recipe: Vec<RecipeLine>| MenuItem {
        id: MenuItemId::derived(&[name]),
        category: CategoryId::derived(&["all"]),
        position: 0,
        name: name.to_owned(),
        kitchen_name: name.to_owned(),
        description: String::new(),
        station: StationId::parse(station).unwrap(),
        prep_s: 600,
        tax: BasisPoints(500),
        variants: vec![Variant { id: VariantId::derived(&[name]), name: String::new(), price_minor, recipe }],
        groups: vec![],
        tags: vec![],
        allergens: vec![],
        quantity_min: 1,
    };
    let pizza = dish("pizza", 1_050, "oven", vec![RecipeLine { ingredient: dough(), amount: 200 }]);
    let cola = dish("cola", 300, "drinks", vec![]);
    let flour = Ingredient { id: dough(), name: "Dough".into(), unit: Unit::Gram, enforced: true };
    let settings = Settings {
        site: node.site,
        name: "Trattoria".into(),
        currency: Currency::USD,
        time_zone: "Europe/Rome".into(),
        roll_over_hour: 4,
        side_by_side: None,
    };
    let site = node.replica.site();
    let mut changes = vec![site.write_settings(settings)];
    changes.extend(site.write_item(pizza.id, Some(pizza)));
    changes.extend(site.write_item(cola.id, Some(cola)));
    changes.push(site.write_ingredient(dough(), Some(flour)));
    changes.push(Change::Stock(dough(), Row::default().deliver(1_000).give(relay, 600, 1_000).unwrap()));
    changes
}
