//! Two replicas of one site in memory, without a wire between them.

use super::*;
use crate::crdt::codec::Shared;
use crate::crdt::counter::Row;
use crate::doc::order::{Charges, Header, OrderFact};
use crate::doc::origin::OriginCard;
use crate::domain::id::{DeviceId, IngredientId, LineId, MenuItemId, VariantId};
use crate::domain::menu::StationId;
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::order::{Channel, Fulfilment, Status};
use crate::domain::payment::CommercialPhase;
use crate::domain::pricing::PricedLine;
use crate::domain::ticket::{TicketKey, TicketPhase};
use std::convert::Infallible;

const NOW: Timestamp = Timestamp(1_000_000);

#[derive(Debug, Default)]
struct Disk {
    docs: BTreeMap<DocKey, Vec<u8>>,
    log: Vec<LogEntry>,
    seals: Vec<Seal>,
}

impl ReadOrder for Disk {
    type Error = Infallible;

    fn read_order(&self, id: &OrderId) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.docs.get(&DocKey::Order(*id)).cloned())
    }
}

struct Side {
    replica: Replica,
    disk: Disk,
}

impl Side {
    fn new(name: &str, role: OriginRole) -> Self {
        let origin = OriginId::derived(&[name]);
        let replica = Loading::begin([], None, None).unwrap().finish(origin, BTreeMap::new());
        let mut side = Self { replica, disk: Disk::default() };
        side.write(&[Change::Origin(OriginCard { origin, key: [0; 32], role, letter: "A".into() })]);
        side
    }

    fn write(&mut self, changes: &[Change]) {
        self.replica.commit(Actor::System, NOW, changes, &self.disk).unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        let (writes, _) = self.replica.take_writes(|_| [0; 64]);
        self.disk.docs.extend(writes.docs);
        self.disk.log.extend(writes.log);
        self.disk.seals.extend(writes.seals);
    }

    /// What this side has of an origin, from a number on.
    fn log(&self, origin: OriginId, from: u64) -> Vec<LogEntry> {
        self.disk.log.iter().filter(|entry| entry.origin == origin && entry.head.seq >= from).cloned().collect()
    }

    fn take(&mut self, entries: &[LogEntry]) -> Result<usize, ApplyError> {
        let Some(last) = entries.last() else { return Ok(0) };
        let seal = Seal { origin: last.origin, seq: last.head.seq, signature: [0; 64] };
        let new = self.replica.apply(NOW, entries, &seal, &self.disk)?;
        self.flush();
        Ok(new)
    }

    fn order(&self, id: &OrderId) -> OrderView {
        self.replica.live(id).unwrap().view.clone()
    }
}

fn pass(from: &Side, to: &mut Side) -> usize {
    let origin = from.replica.origin();
    let known = to.replica.heads().get(&origin).map_or(0, |head| head.seq);
    to.take(&from.log(origin, known + 1)).unwrap()
}

fn header(owner: Option<OriginId>) -> OrderFact {
    let line = PricedLine {
        id: LineId::derived(&["line"]),
        item: MenuItemId::derived(&["item"]),
        variant: VariantId::derived(&["variant"]),
        quantity: 2,
        choices: vec![],
        note: None,
        name: "Margherita".to_owned(),
        kitchen_name: None,
        variant_name: String::new(),
        unit_minor: 1_000,
        tax: BasisPoints(700),
        station: StationId::parse("oven").unwrap(),
        prep_s: 300,
        uses: vec![],
    };
    OrderFact::Placed(Box::new(Header {
        placed_at: NOW,
        channel: Channel::Cloud,
        fulfilment: Fulfilment::Delivery,
        table: None,
        note: None,
        lines: vec![Shared::from(line)],
        currency: Currency::USD,
        device: Some(DeviceId::derived(&["phone"])),
        menu_version: 1,
        owner,
        charges: Charges { delivery_minor: 300, tip_minor: 100, ..Charges::default() },
    }))
}

fn sent() -> OrderFact {
    OrderFact::Sent { day: DayNumber(1), letter: "A".into(), counter: 1 }
}

#[test]
fn q1_an_order_of_the_relay_is_cooked_only_after_accepted_and_confirmed_and_both_sides_tell_the_same() {
    let (mut node, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    pass(&node, &mut relay);
    pass(&relay, &mut node);
    let id = OrderId::derived(&["order"]);
    let order = |fact| Change::Order(id, fact);
    let owner = Some(node.replica.origin());
    relay.write(&[order(header(owner)), order(OrderFact::Commercial { phase: CommercialPhase::Placed })]);
    pass(&relay, &mut node);
    let view = node.order(&id);
    assert_eq!((view.status, view.on_board(), view.is_open()), (Status::OrderPlaced, false, true));
    assert!(view.tickets.is_empty(), "nothing is in the kitchen yet");
    assert_eq!(view.total_minor(), 2 * 1_000 + 300 + 100);
    node.write(&[order(OrderFact::Accepted)]);
    assert_eq!(node.order(&id).status, Status::OrderPlaced, "an acceptance is no confirmation");
    pass(&node, &mut relay);
    relay.write(&[order(OrderFact::Commercial { phase: CommercialPhase::Confirmed })]);
    pass(&relay, &mut node);
    node.write(&[order(sent())]);
    let ticket = TicketKey { station: StationId::parse("oven").unwrap(), course: 0 };
    node.write(&[order(OrderFact::Phase { ticket: ticket.clone(), epoch: 0, phase: TicketPhase::Ready })]);
    node.write(&[order(OrderFact::Phase { ticket, epoch: 0, phase: TicketPhase::HandedOver })]);
    pass(&node, &mut relay);
    let (here, there) = (node.order(&id), relay.order(&id));
    assert_eq!(here, there, "the word and its history are the same on both sides");
    let words: Vec<Status> = here.history.iter().map(|change| change.to).collect();
    use Status as S;
    assert_eq!(words, [S::OrderPlaced, S::OrderConfirmed, S::ReadyForPickup], "handed over, but no rider has it yet");
    assert_eq!(node.disk.docs.get(&DocKey::Order(id)), relay.disk.docs.get(&DocKey::Order(id)), "the same bytes");
}

#[test]
fn n4_replicas_with_equal_logs_have_equal_digests_and_others_have_not() {
    let (mut node, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    pass(&node, &mut relay);
    pass(&relay, &mut node);
    let digest = |side: &Side| {
        let mut digesting = crate::doc::digest::Digesting::default();
        side.replica.site().docs().for_each(|(key, bytes)| digesting.add(&key, &bytes));
        digesting.finish()
    };
    assert_eq!(digest(&node), digest(&relay));
    let ingredient = IngredientId::derived(&["flour"]);
    node.write(&[Change::Stock(ingredient, Row::default().deliver(7))]);
    relay.write(&[Change::Stock(ingredient, Row::default().deliver(5))]);
    assert_ne!(digest(&node), digest(&relay));
    pass(&node, &mut relay);
    pass(&relay, &mut node);
    assert_eq!(digest(&node), digest(&relay));
}

#[test]
fn n1_what_is_known_is_skipped_and_a_gap_or_a_fork_stages_nothing() {
    let (mut node, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    let ingredient = IngredientId::derived(&["flour"]);
    for n in 1..=4 {
        node.write(&[Change::Stock(ingredient, Row::default().deliver(n))]);
    }
    let origin = node.replica.origin();
    let log = node.log(origin, 1);
    assert_eq!(relay.take(&log[..3]), Ok(3));
    let heads = relay.replica.heads().clone();
    assert_eq!(relay.take(&log[..2]), Ok(0), "known already");
    assert_eq!(relay.take(&log[4..]), Err(ApplyError::Gap { origin, known: 3, found: 5 }));
    let mut forged = log[3].clone();
    forged.bytes.push(0);
    assert_eq!(relay.take(&[forged]), Err(ApplyError::Fork { origin, seq: 4 }));
    assert_eq!(relay.replica.heads(), &heads);
    assert!(!relay.replica.is_staged());
    assert_eq!(relay.take(&log[1..]), Ok(2), "an overlap brings just what is new");
    let ours = LogEntry { origin: relay.replica.origin(), ..log[4].clone() };
    assert_eq!(relay.take(&[ours]), Err(ApplyError::Ours { seq: 5 }), "nobody else writes our log");
}

#[test]
fn n3_a_commit_waits_for_what_its_writer_had_seen() {
    let (mut node, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    pass(&relay, &mut node);
    node.write(&[Change::Fence(OriginId::derived(&["old"]))]);
    let mut third = Side::new("third", OriginRole::Node);
    let log = node.log(node.replica.origin(), 1);
    assert!(matches!(third.take(&log), Err(ApplyError::NotYet { needs_seq: 1, .. })));
    pass(&relay, &mut third);
    assert_eq!(third.take(&log), Ok(2));
    relay.write(&[]);
}

#[test]
fn n2_a_change_that_its_kind_of_writer_may_not_make_takes_its_number_and_has_no_effect() {
    let (mut node, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    let id = OrderId::derived(&["order"]);
    node.write(&[Change::Order(id, header(None)), Change::Order(id, sent())]);
    pass(&node, &mut relay);
    relay.write(&[Change::Order(id, OrderFact::Cancelled { why: "the relay may not".into() })]);
    assert_eq!(pass(&relay, &mut node), 2, "its number is taken");
    assert_eq!((node.order(&id).cancelled, relay.order(&id).cancelled), (None, None), "the same verdict on both sides");
    assert_eq!(node.replica.heads().get(&relay.replica.origin()).unwrap().seq, 2);
}
