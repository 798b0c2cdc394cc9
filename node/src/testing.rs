//! A tiny shop for tests: a real store in a temporary directory, two dishes, one of them counted.

use crate::opening::{self, Paths};
use crate::orders::place::{self, NewOrder, PlaceRefusal, Placed};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use crate::till::day;
use crate::till::shifts::{self, Begin};
use ed25519_dalek::{Signer, SigningKey};
use pilotlight_edge::clock::Clock;
use pilotlight_sync::crdt::chain::ChainHash;
use pilotlight_sync::crdt::counter::Row;
use pilotlight_sync::doc::books::{Closing, SignedReport};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::doc::replica::{Loading, ReadStored};
use pilotlight_sync::doc::site::{Day, Settings};
use pilotlight_sync::domain::id::{
    CategoryId, IngredientId, LineId, MenuItemId, OrderId, OriginId, ShiftId, SiteId, VariantId,
};
use pilotlight_sync::domain::menu::{Ingredient, MenuItem, RecipeLine, StationId, Unit, Variant};
use pilotlight_sync::domain::money::{BasisPoints, Currency};
use pilotlight_sync::domain::order::{Channel, Fulfilment};
use pilotlight_sync::domain::pricing::CartLine;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::store::{LogEntry, Seal};
use std::collections::BTreeMap;
use std::convert::Infallible;

/// 2026-11-21T18:00:00Z.
pub(crate) const EVENING: Timestamp = Timestamp(1_795_284_000_000);

pub(crate) struct Shop {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Clock,
    pub(crate) replica: Option<Replica>,
}

pub(crate) fn dough() -> IngredientId {
    IngredientId::derived(&["dough"])
}

pub(crate) fn line(id: &str, dish: &str, quantity: u32) -> CartLine {
    CartLine {
        id: LineId::derived(&[id]),
        item: MenuItemId::derived(&[dish]),
        variant: None,
        quantity,
        choices: vec![],
        note: None,
    }
}

/// A pizza costs 10.00 and uses 200 g of dough; a cola costs 3.00 and uses nothing.
pub(crate) fn order(id: &str, lines: Vec<CartLine>) -> NewOrder {
    let price = |line: &CartLine| if line.item == MenuItemId::derived(&["pizza"]) { 1_000 } else { 300 };
    NewOrder {
        id: OrderId::derived(&[id]),
        channel: Channel::Kiosk,
        fulfilment: Fulfilment::Takeaway,
        table: None,
        note: None,
        expected_total_minor: lines.iter().map(|line| price(line) * i64::from(line.quantity)).sum(),
        lines,
    }
}

impl Shop {
    pub(crate) fn open() -> Self {
        let mut shop = Self { dir: tempfile::tempdir().unwrap(), clock: Clock::manual(EVENING), replica: None };
        shop.reopen();
        let changes = shop.opening_changes();
        shop.commit(&changes);
        shop
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths { data: self.dir.path().join("data") }
    }

    /// Drops what is in memory and reads the disk.
    pub(crate) fn reopen(&mut self) {
        self.replica = None;
        self.replica = Some(opening::open(&self.paths(), &self.clock).unwrap());
    }

    pub(crate) fn replica(&mut self) -> &mut Replica {
        self.replica.as_mut().unwrap()
    }

    /// Commits of another origin come, closed by this seal.
    pub(crate) fn hear(&mut self, entries: &[LogEntry], seal: &Seal) {
        let now = self.clock.now();
        self.replica().apply(now, entries, seal).whole().unwrap();
        self.replica().flush().unwrap();
    }

    pub(crate) fn commit(&mut self, changes: &[Change]) {
        let now = self.clock.now();
        self.replica().commit(Actor::System, now, changes).unwrap();
        self.replica().flush().unwrap();
    }

    #[expect(clippy::unwrap_in_result, reason = "in a test only the plan's refusal is an outcome")]
    /// Carries a plan out as the store thread does: applied, flushed, answered.
    pub(crate) fn run<A, R>(
        &mut self,
        plan: impl FnOnce(&Replica, Timestamp) -> Result<Plan<A>, PlanError<R>>,
    ) -> Result<A, R> {
        let now = self.clock.now();
        let replica = self.replica();
        let plan = match plan(replica, now) {
            Ok(plan) => plan,
            Err(PlanError::Refused(refusal)) => return Err(refusal),
            Err(PlanError::Damaged(error)) => panic!("{error}"),
        };
        if !plan.changes.is_empty() {
            replica.commit(plan.by, now, &plan.changes).unwrap();
        }
        let answer = (plan.answer)(replica);
        if replica.is_staged() {
            replica.flush().unwrap();
        }
        Ok(answer)
    }

    pub(crate) fn place(&mut self, new: NewOrder) -> Result<Placed, PlaceRefusal> {
        self.run(|replica, now| place::plan(replica, now, Actor::System, new))
    }

    /// Books everything so far: every day is closed, and one more for what came late.
    pub(crate) fn close_days(&mut self) {
        let now = self.clock.now();
        if let Some((day, true)) = self.replica().site().business_day(now) {
            self.commit(&[Change::Day(day)]);
        }
        while let Some(next) = self.replica().site().closable() {
            self.run(|replica, now| day::plan(replica, now, Actor::System, next.number)).unwrap();
        }
    }

    /// Somebody begins a shift of a drawer of this node.
    pub(crate) fn begin_shift(&mut self, name: &str, drawer: &str, float_minor: i64) -> ShiftId {
        let shift = ShiftId::derived(&[name]);
        let begin = Begin { shift, drawer: drawer.to_owned(), float_minor };
        self.run(move |replica, now| shifts::open(replica, now, Actor::System, begin)).unwrap();
        shift
    }

    pub(crate) fn rights(&mut self) -> u64 {
        let origin = self.replica().identity().origin;
        self.replica().site().stock(&dough()).map_or(0, |stock| stock.rights(&origin))
    }

    /// One kilogram of dough: five pizzas.
    fn opening_changes(&mut self) -> Vec<Change> {
        let dish = |name: &str, price_minor, station: &str, recipe: Vec<RecipeLine>| MenuItem {
            id: MenuItemId::derived(&[name]),
            category: CategoryId::derived(&["all"]),
            position: 0,
            name: name.to_owned(),
            kitchen_name: name.to_owned(),
            description: String::new(),
            station: StationId::parse(station).unwrap(),
            prep_s: 300,
            tax: BasisPoints(700),
            variants: vec![Variant { id: VariantId::derived(&[name]), name: String::new(), price_minor, recipe }],
            groups: vec![],
            tags: vec![],
            allergens: vec![],
            quantity_min: 1,
        };
        let pizza = dish("pizza", 1_000, "oven", vec![RecipeLine { ingredient: dough(), amount: 200 }]);
        let cola = dish("cola", 300, "drinks", vec![]);
        let flour = Ingredient { id: dough(), name: "Dough".into(), unit: Unit::Gram, enforced: true };
        let settings = Settings {
            site: SiteId::derived(&["shop"]),
            name: "Trattoria".into(),
            currency: Currency::USD,
            time_zone: "Europe/Berlin".into(),
            roll_over_hour: 4,
            side_by_side: None,
        };
        let site = self.replica().site();
        let mut changes = vec![site.write_settings(settings)];
        changes.extend(site.write_item(pizza.id, Some(pizza)));
        changes.extend(site.write_item(cola.id, Some(cola)));
        changes.push(site.write_ingredient(dough(), Some(flour)));
        changes.push(Change::Stock(dough(), Row::default().deliver(1_000)));
        changes
    }
}

/// Another node of the site, in memory, whose log the shop has.
pub(crate) struct Sibling {
    state: pilotlight_sync::doc::replica::Replica,
    pub(crate) origin: OriginId,
    /// Its clock shows so much more than the shop's,
    pub(crate) ahead_ms: u64,
    /// or less.
    pub(crate) behind_ms: u64,
}

/// Nothing of it is stored.
struct NoDisk;

impl ReadStored for NoDisk {
    type Error = Infallible;

    fn read_hash(&self, _: &OriginId, _: u64) -> Result<Option<ChainHash>, Infallible> {
        Ok(None)
    }

    fn read_order(&self, _: &OrderId) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(None)
    }
}

impl Sibling {
    /// It comes, with this letter.
    pub(crate) fn join(shop: &mut Shop, letter: &str) -> Self {
        Self::join_as(shop, letter, OriginRole::Node)
    }

    /// The same of the site's relay, as far as its log is looked at.
    pub(crate) fn relay(shop: &mut Shop) -> Self {
        Self::join_as(shop, "", OriginRole::Relay)
    }

    fn join_as(shop: &mut Shop, letter: &str, role: OriginRole) -> Self {
        let origin = OriginId::derived(&["sibling", letter]);
        let loading = Loading::begin([], &BTreeMap::new()).unwrap();
        let mut sibling = Self { state: loading.finish(origin, BTreeMap::new()), origin, ahead_ms: 0, behind_ms: 0 };
        let key = sibling.key().verifying_key().to_bytes();
        let card = OriginCard { origin, key, role, letter: letter.to_owned() };
        sibling.write(shop, &[Change::Origin(card)]);
        sibling
    }

    /// What it signs with.
    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::from_bytes(blake3::hash(self.origin.as_bytes()).as_bytes())
    }

    /// It writes, and at once the shop has it.
    pub(crate) fn write(&mut self, shop: &mut Shop, changes: &[Change]) {
        let there = Timestamp(shop.clock.now().0 + self.ahead_ms - self.behind_ms);
        self.write_at(shop, there, changes);
    }

    /// The same by a clock of its own.
    pub(crate) fn write_at(&mut self, shop: &mut Shop, at: Timestamp, changes: &[Change]) {
        self.state.commit(Actor::System, at, changes, &NoDisk).unwrap();
        let (writes, _) = self.state.take_writes(|_| [0; 64]);
        shop.hear(&writes.log, &writes.seals[0]);
    }

    /// It hears commits of another origin.
    pub(crate) fn hear(&mut self, now: Timestamp, entries: &[LogEntry], seal: &Seal) {
        self.state.apply(now, entries, seal, &NoDisk).whole().unwrap();
    }

    /// A report of this day up to where it has the logs.
    pub(crate) fn closes(&self, now: Timestamp, day: Day) -> Change {
        let mut closing = Closing::begin(day.number, self.state.understood());
        closing.name_logs(|origin, seq| self.state.hash_at(origin, seq, &NoDisk)).unwrap();
        let report = closing.report(self.state.site().books(), day, (self.origin, 0), Actor::System, now);
        Change::DayClosed(SignedReport::sign(&report, |hash| self.key().sign(hash).to_bytes()))
    }

    /// It writes, hears all that the shop has, writes again, and closes both commits with one signature.
    pub(crate) fn write_around_what_the_shop_has(
        &mut self,
        shop: &mut Shop,
        changes: [Change; 2],
    ) -> (Vec<LogEntry>, Seal) {
        let (now, theirs) = (shop.clock.now(), shop.replica().identity().origin);
        let entries = shop.replica().log(&theirs, 1, usize::MAX).unwrap();
        let seal = shop.replica().seals(&theirs, 1, entries.len() as u64).unwrap().pop().unwrap();
        for (at, change) in changes.into_iter().enumerate() {
            if at == 1 {
                self.state.apply(now, &entries, &seal, &NoDisk).whole().unwrap();
            }
            self.state.commit(Actor::System, now, &[change], &NoDisk).unwrap();
        }
        let (writes, _) = self.state.take_writes(|_| [0; 64]);
        let own: Vec<_> = writes.log.into_iter().filter(|entry| entry.origin == self.origin).collect();
        let seal = writes.seals.into_iter().find(|seal| seal.origin == self.origin).unwrap();
        (own, seal)
    }
}
