//! An evening's commits as a node writes them, to measure what they take on the wire.

use super::pipe::{Replica, connect, settle};
use super::{NOW, assert_same, node_and_relay};
use crate::crdt::counter::Row;
use crate::crdt::hlc::Hlc;
use crate::doc::change::{Change, Commit};
use crate::doc::order::{Charges, Header, OrderFact};
use crate::domain::business_day::DayNumber;
use crate::domain::id::{DeviceId, IngredientId, LineId, MenuItemId, OrderId, VariantId};
use crate::domain::menu::{RecipeLine, StationId};
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::order::{Channel, Fulfilment};
use crate::domain::pricing::PricedLine;
use crate::domain::role::Actor;
use crate::domain::ticket::{TicketKey, TicketPhase};
use std::collections::{BTreeMap, VecDeque};

const DISHES: [&str; 32] = [
    "Margherita",
    "Marinara",
    "Diavola",
    "Quattro Stagioni",
    "Capricciosa",
    "Prosciutto e Funghi",
    "Bufala",
    "Ortolana",
    "Tonno e Cipolla",
    "Calzone",
    "Napoli",
    "Romana",
    "Vegetariana",
    "Carbonara",
    "Amatriciana",
    "Cacio e Pepe",
    "Lasagne",
    "Tiramisu",
    "Panna Cotta",
    "Insalata Mista",
    "Caprese",
    "Bruschetta",
    "Acqua",
    "Cola",
    "Aranciata",
    "Birra Piccola",
    "Birra Grande",
    "Vino Rosso",
    "Vino Bianco",
    "Espresso",
    "Cappuccino",
    "Grappa",
];

/// Numbers that look random and are always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Version 7, as devices mint them: time, then randomness.
    fn id(&mut self, now_ms: u64) -> [u8; 16] {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&now_ms.to_be_bytes()[2..]);
        id[6] = 0x70;
        for byte in &mut id[7..] {
            *byte = u8::try_from(self.roll(256)).unwrap();
        }
        id
    }
}

struct Evening {
    dice: Dice,
    hlc: Hlc,
    now_ms: u64,
    stock: BTreeMap<IngredientId, Row>,
    kitchen: VecDeque<(OrderId, DeviceId, u8)>,
}

impl Evening {
    fn line(&mut self) -> PricedLine {
        let dish = usize::try_from(self.dice.roll(32)).unwrap();
        let used =
            (0..4 + dish % 4).map(|n| IngredientId::derived(&["ingredient", &((dish * 3 + n * 5) % 40).to_string()]));
        let uses: Vec<RecipeLine> =
            used.map(|ingredient| RecipeLine { ingredient, amount: 40 + dish as u64 * 5 }).collect();
        PricedLine {
            id: LineId::from_bytes(self.dice.id(self.now_ms)),
            item: MenuItemId::derived(&[DISHES[dish]]),
            variant: VariantId::derived(&[DISHES[dish]]),
            quantity: 1 + u32::try_from(self.dice.roll(2)).unwrap(),
            choices: vec![],
            note: (self.dice.roll(12) == 0).then(|| "senza cipolla, per favore".to_owned()),
            name: DISHES[dish].to_owned(),
            kitchen_name: None,
            variant_name: "Normale".to_owned(),
            unit_minor: 700 + i64::try_from(dish).unwrap() * 45,
            tax: BasisPoints(1_000),
            station: StationId::parse(["oven", "pasta", "bar"][dish % 3]).unwrap(),
            prep_s: 300,
            uses,
        }
    }

    fn place(&mut self, counter: u32) -> Vec<Change> {
        let id = OrderId::from_bytes(self.dice.id(self.now_ms));
        let device = DeviceId::derived(&[&self.dice.roll(4).to_string()]);
        let lines: Vec<PricedLine> = (0..1 + self.dice.roll(3)).map(|_| self.line()).collect();
        let mut changes = Vec::new();
        for line in lines.iter().flat_map(|line| &line.uses) {
            let row = self.stock.entry(line.ingredient).or_insert_with(|| Row::default().deliver(90_000_000));
            row.used += line.amount;
            changes.push(Change::Stock(line.ingredient, row.clone()));
        }
        let header = Header {
            placed_at: crate::domain::timestamp::Timestamp(self.now_ms),
            channel: Channel::Counter,
            fulfilment: Fulfilment::DineIn,
            table: Some(self.dice.roll(30).to_string()),
            note: None,
            lines: lines.into_iter().map(Into::into).collect(),
            currency: Currency::USD,
            device: Some(device),
            menu_version: 41,
            owner: None,
            charges: Charges::default(),
        };
        changes.insert(0, Change::Order(id, OrderFact::Placed(Box::new(header))));
        let sent = OrderFact::Sent { day: DayNumber(321), letter: "A".into(), counter };
        changes.insert(1, Change::Order(id, sent));
        self.kitchen.push_back((id, device, 0));
        changes
    }

    fn tap(&mut self) -> Option<Vec<Change>> {
        let (id, device, done) = self.kitchen.pop_front()?;
        let phase = [TicketPhase::Started, TicketPhase::Ready, TicketPhase::HandedOver][usize::from(done)];
        if done < 2 {
            let at = self.kitchen.len().min(10 + usize::try_from(self.dice.roll(20)).unwrap());
            self.kitchen.insert(at, (id, device, done + 1));
        }
        let ticket = TicketKey { station: StationId::parse("oven")?, course: 0 };
        Some(vec![Change::Order(id, OrderFact::Phase { ticket, epoch: 0, phase })])
    }

    fn commit(&mut self, node: &mut Replica, changes: &[Change]) {
        self.now_ms += 900 + self.dice.roll(2_000);
        self.hlc = self.hlc.tick(crate::domain::timestamp::Timestamp(self.now_ms));
        let device = DeviceId::derived(&[&self.dice.roll(4).to_string()]);
        let commit = Commit {
            origin: node.own,
            seq: node.head().seq + 1,
            at: self.hlc,
            clock_trusted: true,
            by: Actor::Device(device),
            seen: vec![],
            changes: changes.iter().map(Change::to_raw).collect(),
        };
        node.append(commit.to_bytes().unwrap());
    }
}

/// Orders placed, begun, bumped and handed over: four commits each.
fn evening(node: &mut Replica, orders: u32) {
    let mut evening =
        Evening { dice: Dice(7), hlc: Hlc::default(), now_ms: NOW.0, stock: BTreeMap::new(), kitchen: VecDeque::new() };
    for counter in 1..=orders {
        let placed = evening.place(counter);
        evening.commit(node, &placed);
        while evening.kitchen.len() > 25 {
            let taps = evening.tap().unwrap();
            evening.commit(node, &taps);
        }
    }
    while let Some(taps) = evening.tap() {
        evening.commit(node, &taps);
    }
}

/// Ten thousand orders, offline, must come within 4 MB: four commits each, 100 bytes a commit.
#[test]
fn y6_a_commit_of_an_evening_takes_less_than_a_hundred_bytes_on_the_wire() {
    let (mut node, relay) = node_and_relay();
    evening(&mut node, 2_000);
    let commits = node.logs[&node.own].len();
    assert_eq!(commits, 8_000);
    let plain: usize = node.logs[&node.own].iter().map(|entry| entry.bytes.len()).sum();
    let (mut a, mut b) = connect(node, relay);
    settle(&mut a, &mut b);
    assert_same(&a.replica, &b.replica);
    let wire = a.sent_bytes + b.sent_bytes;
    assert!(wire <= 100 * commits, "{} bytes a commit on the wire, {} before", wire / commits, plain / commits);
}
