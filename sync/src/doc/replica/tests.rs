//! Two replicas of one site in memory, without a wire between them.

use super::*;
use crate::crdt::codec::Shared;
use crate::crdt::counter::Row;
use crate::doc::change::RawChange;
use crate::doc::order::{Charges, Header, OrderFact};
use crate::doc::origin::{OriginCard, OriginRole};
use crate::doc::recovered::Recovered;
use crate::doc::site::Settings;
use crate::domain::id::{DeviceId, IngredientId, LineId, MenuItemId, PaymentId, SiteId, VariantId};
use crate::domain::menu::StationId;
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::order::{Channel, Fulfilment, Status};
use crate::domain::payment::{CommercialPhase, PaymentPhase};
use crate::domain::pricing::PricedLine;
use crate::domain::ticket::{TicketKey, TicketPhase};
use ed25519_dalek::SigningKey;
use std::convert::Infallible;

mod convergence;
mod versions;

const NOW: Timestamp = Timestamp(1_000_000);

#[derive(Debug, Default)]
struct Disk {
    docs: BTreeMap<DocKey, Vec<u8>>,
    notes: BTreeMap<Vec<u8>, Vec<u8>>,
    log: Vec<LogEntry>,
    seals: Vec<Seal>,
}

impl ReadStored for Disk {
    type Error = Infallible;

    fn read_hash(&self, origin: &OriginId, seq: u64) -> Result<Option<ChainHash>, Infallible> {
        let found = self.log.iter().find(|entry| entry.origin == *origin && entry.head.seq == seq);
        Ok(found.map(|entry| entry.head.hash))
    }

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
        Self::of_version(name, role, Change::from_raw)
    }

    /// A replica whose version reads changes like this.
    fn of_version(name: &str, role: OriginRole, reader: ReadChange) -> Self {
        let origin = OriginId::derived(&[name]);
        let loading = Loading::begin([], &BTreeMap::new()).unwrap().reading_as(reader);
        let replica = loading.finish(origin, BTreeMap::new());
        let mut side = Self { replica, disk: Disk::default() };
        let key = signing_key(origin).verifying_key().to_bytes();
        side.write(&[Change::Origin(OriginCard { origin, key, role, letter: "A".into() })]);
        side
    }

    fn write(&mut self, changes: &[Change]) {
        self.replica.commit(Actor::System, NOW, changes, &self.disk).unwrap();
        self.flush();
    }

    /// Opens the store again with a version that reads changes like this.
    fn reopen(&mut self, reader: ReadChange) {
        let docs = self.disk.docs.iter().filter(|(key, _)| !matches!(key, DocKey::Order(_) | DocKey::Receipt(_)));
        let docs: Vec<_> = docs.map(|(key, bytes)| (key.clone(), bytes.clone())).collect();
        let mut loading = Loading::begin(docs, &self.disk.notes).unwrap().reading_as(reader);
        let mut heads: BTreeMap<OriginId, Head> = BTreeMap::new();
        for entry in &self.disk.log {
            if entry.head.seq >= loading.tail_from(&entry.origin) {
                loading.take(entry);
            }
            heads.insert(entry.origin, entry.head);
        }
        let mut replica = loading.finish(self.replica.origin(), heads);
        for (key, bytes) in &self.disk.docs {
            if let DocKey::Order(id) = key {
                LiveOrder::from_bytes(bytes).into_iter().for_each(|order| replica.admit(*id, order));
            }
        }
        for span in replica.begin_reread() {
            for entry in self.log(span.origin, span.from).iter().filter(|entry| entry.head.seq <= span.to) {
                replica.reread(entry, &self.disk);
            }
        }
        self.replica = replica;
        if self.replica.is_staged() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let (writes, _) = self.replica.take_writes(|_| [0; 64]);
        self.disk.docs.extend(writes.docs);
        self.disk.notes.extend(writes.notes);
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
        let applied = self.replica.apply(NOW, entries, &seal, &self.disk);
        self.flush();
        applied.whole()
    }

    fn order(&self, id: &OrderId) -> OrderView {
        self.replica.live(id).unwrap().view.clone()
    }
}

fn signing_key(origin: OriginId) -> SigningKey {
    SigningKey::from_bytes(blake3::hash(origin.as_bytes()).as_bytes())
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

fn digest(side: &Side) -> crate::doc::digest::Digest {
    let mut digesting = crate::doc::digest::Digesting::default();
    side.replica.site().docs().for_each(|(key, bytes)| digesting.add(&key, &bytes));
    digesting.finish()
}

#[test]
fn n4_replicas_with_equal_logs_have_equal_digests_and_others_have_not() {
    let (mut node, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    pass(&node, &mut relay);
    pass(&relay, &mut node);
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
    let seal = Seal { origin: log[1].origin, seq: 2, signature: [0; 64] };
    let applied = third.replica.apply(NOW, &log, &seal, &third.disk);
    assert!(matches!(applied, Applied { new: 1, refused: Some(ApplyError::NotYet { seq: 2, needs_seq: 1, .. }) }));
    assert!(third.replica.is_staged(), "the one before it is staged");
    third.flush();
    assert!(matches!(third.take(&log), Err(ApplyError::NotYet { needs_seq: 1, .. })));
    pass(&relay, &mut third);
    assert_eq!(third.take(&log), Ok(1), "the one before it was taken");
    relay.write(&[]);
}

#[test]
fn d5_a_report_counts_only_where_the_logs_are_those_that_it_looked_at() {
    use crate::doc::books::Closing;
    use crate::doc::site::Day;
    use ed25519_dalek::Signer;
    let day = Day { number: DayNumber(1), date: 20_261_122 };
    let closed = |side: &Side| {
        let me = side.replica.origin();
        let mut closing = Closing::begin(day.number, side.replica.understood());
        closing.name_logs(|origin, seq| side.replica.hash_at(origin, seq, &side.disk)).unwrap();
        let report = closing.report(side.replica.site().books(), day, (me, 0), Actor::System, NOW);
        Change::DayClosed(SignedReport::sign(&report, |hash| signing_key(me).sign(hash).to_bytes()))
    };
    // The bar has another log of the shop than the relay, which has gone on since.
    let (mut shop, mut branch) = (Side::new("shop", OriginRole::Node), Side::new("shop", OriginRole::Node));
    let mut relay = Side::new("relay", OriginRole::Relay);
    shop.write(&[shop.replica.site().write_settings(settings("one"))]);
    branch.write(&[branch.replica.site().write_settings(settings("other"))]);
    for (name, has, counts) in [("bar", &branch, 0), ("terrace", &shop, 1)] {
        let mut keeper = Side::new(name, OriginRole::Node);
        pass(has, &mut keeper);
        let close = closed(&keeper);
        // In one group with what comes after what it looked at.
        keeper.write(&[Change::Day(day), close]);
        assert_eq!(keeper.replica.site().books().reports().count(), 1, "{name}: there it is what the logs say");
        pass(&shop, &mut relay);
        pass(&keeper, &mut relay);
        let known = relay.replica.site();
        assert_eq!(
            (known.books().reports().count(), known.day_of(day.number).unwrap().all().count() > counts),
            (counts, true)
        );
    }
    relay.reopen(Change::from_raw);
    let known = relay.replica.site();
    let kept = known.day_of(day.number).unwrap();
    assert_eq!((known.books().reports().count(), kept.reports.len(), kept.all().count()), (1, 1, 2));
}

#[test]
fn d5_a_report_that_names_what_its_writer_never_heard_counts_from_when_the_logs_are_so() {
    use crate::doc::books::Closing;
    use crate::doc::site::Day;
    use ed25519_dalek::Signer;
    let day = Day { number: DayNumber(1), date: 20_261_122 };
    let (mut shop, mut bar) = (Side::new("shop", OriginRole::Node), Side::new("bar", OriginRole::Node));
    let mut relay = Side::new("relay", OriginRole::Relay);
    shop.write(&[shop.replica.site().write_settings(settings("one"))]);
    let (own, me) = (shop.replica.origin(), bar.replica.origin());
    // Nothing that the bar's commit says it had seen holds it back.
    let mut closing = Closing::begin(day.number, shop.replica.understood());
    closing.name_logs(|origin, seq| shop.replica.hash_at(origin, seq, &shop.disk)).unwrap();
    let report = closing.report(bar.replica.site().books(), day, (me, 0), Actor::System, NOW);
    let signed = SignedReport::sign(&report, |hash| signing_key(me).sign(hash).to_bytes());
    bar.write(&[Change::Day(day), Change::DayClosed(signed)]);
    pass(&bar, &mut relay);
    assert_eq!(relay.replica.site().books().reports().count(), 0);
    let log = shop.log(own, 1);
    assert_eq!(relay.replica.looks_again(&log[..1]), [].into());
    assert_eq!(relay.replica.looks_again(&log), [(own, 2)].into(), "who reads beforehand reads this");
    relay.take(&log).unwrap();
    assert_eq!(relay.replica.site().books().reports().count(), 1);
    assert_eq!(relay.replica.looks_again(&log), [].into());
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

/// A version that has never heard of settings (an unknown kind), of cancelled orders (a kind whose body it cannot read) and of the
/// third program (a card that it cannot read).
#[expect(clippy::wildcard_enum_match_arm, reason = "it knows everything else")]
fn before(raw: &crate::doc::change::RawChange) -> Result<Change, minicbor::decode::Error> {
    match Change::from_raw(raw)? {
        Change::Settings(_) => Ok(Change::Unknown(raw.clone())),
        Change::Order(_, OrderFact::Cancelled { .. }) => Err(minicbor::decode::Error::message("no such fact")),
        Change::Origin(card) if card.letter == "L" => Err(minicbor::decode::Error::message("no such role")),
        known => Ok(known),
    }
}

fn settings(name: &str) -> Settings {
    let (site, currency) = (SiteId::derived(&["s"]), Currency::USD);
    Settings { site, name: name.into(), currency, time_zone: "UTC".into(), roll_over_hour: 4, side_by_side: None }
}

#[test]
fn n2_n5_what_the_replica_in_the_middle_cannot_read_it_passes_on_and_it_takes_effect_after_an_upgrade() {
    let mut node = Side::new("node", OriginRole::Node);
    let mut middle = Side::of_version("middle", OriginRole::Node, before);
    let mut far = Side::new("far", OriginRole::Node);
    let (mut third, flour) = (Side::new("third", OriginRole::Node), IngredientId::derived(&["flour"]));
    third.disk = Disk::default();
    third.replica = Loading::begin([], &BTreeMap::new()).unwrap().finish(third.replica.origin(), BTreeMap::new());
    let letter = "L".to_owned();
    let card = OriginCard { origin: third.replica.origin(), key: [3; 32], role: OriginRole::Node, letter };
    third.write(&[Change::Origin(card), Change::Stock(flour, Row::default().deliver(3))]);
    third.write(&[Change::Stock(flour, Row::default().deliver(4))]);
    let (gone, kept) = (OrderId::derived(&["gone"]), OrderId::derived(&["kept"]));
    for id in [gone, kept] {
        node.write(&[Change::Order(id, header(None)), Change::Order(id, sent())]);
    }
    node.write(&[
        node.replica.site().write_settings(settings("Trattoria")),
        Change::Stock(flour, Row::default().deliver(5)),
    ]);
    node.write(&[Change::Order(gone, OrderFact::Cancelled { why: "ran out".into() })]);
    node.write(&[Change::Stock(flour, Row::default().deliver(6))]);
    assert_eq!(pass(&node, &mut middle), 6, "each takes its number");
    assert_eq!(pass(&third, &mut middle), 2);
    for origin in [node.replica.origin(), third.replica.origin(), middle.replica.origin()] {
        assert_eq!(far.take(&middle.log(origin, 1)).unwrap() as u64, middle.replica.heads()[&origin].seq);
    }
    pass(&third, &mut node);
    pass(&middle, &mut node);
    pass(&far, &mut node);
    pass(&far, &mut middle);
    assert_eq!(
        (digest(&far), far.disk.docs.get(&DocKey::Order(gone))),
        (digest(&node), node.disk.docs.get(&DocKey::Order(gone)))
    );
    assert_eq!(far.order(&gone).cancelled.unwrap().why, "ran out", "it came by the middle, unchanged");

    assert_eq!(middle.replica.unread_commits(), 4, "settings, cancelled, and both of the third");
    assert!(middle.replica.site().settings().is_none() && middle.order(&gone).cancelled.is_none());
    assert_eq!(middle.order(&kept), node.order(&kept), "what both understand is the same");
    let stock = |side: &Side| side.replica.site().stock(&flour).unwrap().stock();
    assert_eq!(
        (stock(&middle), stock(&node)),
        (6, 10),
        "the known part of the commit took effect, and what came after it"
    );
    assert_eq!(middle.replica.keys()[&third.replica.origin()], [3; 32], "the third's seals can be checked");

    middle.reopen(before);
    assert_eq!((middle.replica.unread_commits(), stock(&middle)), (4, 6), "the same version, the same verdict");
    assert_eq!(middle.replica.keys()[&third.replica.origin()], [3; 32]);
    middle.reopen(Change::from_raw);
    assert_eq!((middle.replica.unread_commits(), stock(&middle)), (0, 10));
    assert_eq!(digest(&middle), digest(&node));
    for id in [gone, kept] {
        assert_eq!(middle.disk.docs.get(&DocKey::Order(id)), node.disk.docs.get(&DocKey::Order(id)));
    }
    let notes = middle.disk.notes.clone();
    middle.reopen(Change::from_raw);
    assert_eq!((digest(&middle), &middle.disk.notes), (digest(&node), &notes), "it is on the disk");
}

/// The version before orders said what was known of them.
fn before_knew(raw: &crate::doc::change::RawChange) -> Result<Change, minicbor::decode::Error> {
    let known = Change::from_raw(raw)?;
    let later = matches!(known, Change::Order(_, OrderFact::Knew { .. }));
    if later { Err(minicbor::decode::Error::message("no such fact")) } else { Ok(known) }
}

#[test]
fn v3_what_was_known_of_an_order_reaches_who_was_of_an_older_version_once_it_is_upgraded() {
    let mut node = Side::new("node", OriginRole::Node);
    let mut old = Side::of_version("old", OriginRole::Node, before_knew);
    let id = OrderId::derived(&["one"]);
    node.write(&[Change::Order(id, header(None)), Change::Order(id, sent())]);
    let seen = vec![crate::doc::change::Seen { origin: OriginId::derived(&["x"]), seq: 4 }];
    let cancelled = Change::Order(id, OrderFact::Cancelled { why: "guest left".into() });
    node.write(&[cancelled, Change::Order(id, OrderFact::Knew { seen })]);
    pass(&node, &mut old);
    pass(&old, &mut node);
    assert!(old.order(&id).cancelled.is_some(), "what it knows takes effect");
    assert_eq!(old.replica.unread_commits(), 1);
    old.reopen(Change::from_raw);
    assert_eq!((old.replica.unread_commits(), digest(&old)), (0, digest(&node)));
    assert_eq!(old.disk.docs.get(&DocKey::Order(id)), node.disk.docs.get(&DocKey::Order(id)));
}

#[test]
fn n2_a_commit_that_is_no_commit_at_all_takes_its_number_and_the_link_goes_on() {
    let (mut node, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    pass(&node, &mut relay);
    let origin = relay.replica.origin();
    pass(&relay, &mut node);
    let mut head = relay.replica.heads()[&origin];
    let mut entry = |bytes: &[u8]| {
        head = head.then(bytes);
        LogEntry { origin, head, bytes: bytes.to_vec() }
    };
    let (noise, empty) = (entry(&[0xff, 0, 1]), entry(&[]));
    let flour = IngredientId::derived(&["flour"]);
    let commit = |seq, changes: &[Change], seen| {
        let changes = changes.iter().map(Change::to_raw).collect();
        Commit { origin, seq, at: Hlc(9), clock_trusted: true, by: Actor::System, seen, changes }
    };
    // Caused by somebody whom this version does not know: it waits for what it builds on all the same.
    let somebody = {
        let needs = Seen { origin: node.replica.origin(), seq: 2 };
        let bytes = commit(4, &[Change::Stock(flour, Row::default().deliver(2))], vec![needs]).to_bytes().unwrap();
        let system = minicbor::to_vec(Actor::System).unwrap();
        let at =
            bytes.windows(system.len() + 1).position(|window| window[0] == 0xf5 && window[1..] == system[..]).unwrap();
        entry(&[&bytes[..=at], &[0x82, 0x18, 99, 0x80], &bytes[at + 1 + system.len()..]].concat())
    };
    let known = entry(&commit(5, &[Change::Stock(flour, Row::default().deliver(5))], vec![]).to_bytes().unwrap());
    let batch = [noise, empty, somebody, known];
    assert!(matches!(node.replica.position().head.seq, 1));
    let mut other = Side::new("other", OriginRole::Node);
    pass(&relay, &mut other);
    assert!(matches!(other.take(&batch), Err(ApplyError::NotYet { seq: 4, needs_seq: 2, .. })));
    assert_eq!(other.replica.heads()[&origin].seq, 3, "noise has no patience");
    node.write(&[]);
    pass(&node, &mut other);
    assert_eq!(other.take(&batch), Ok(2));
    assert_eq!(node.take(&batch), Ok(4));
    for side in [&node, &other] {
        assert_eq!((side.replica.unread_commits(), side.replica.heads()[&origin].seq), (3, 5));
        assert_eq!(side.replica.site().stock(&flour).unwrap().stock(), 5);
    }
    pass(&other, &mut node);
    node.reopen(Change::from_raw);
    assert_eq!((node.replica.unread_commits(), digest(&node)), (3, digest(&other)));
}

#[test]
fn n3_what_comes_before_a_commit_that_waits_is_taken_so_that_batches_cannot_wait_for_each_other() {
    let (mut a, mut b) = (Side::new("a", OriginRole::Node), Side::new("b", OriginRole::Node));
    pass(&b, &mut a);
    for round in 0..4 {
        pass(&a, &mut b);
        b.write(&[Change::Fence(OriginId::derived(&["b", &round.to_string()]))]);
        pass(&b, &mut a);
        a.write(&[Change::Fence(OriginId::derived(&["a", &round.to_string()]))]);
    }
    pass(&a, &mut b);
    // A third replica gets each log as one batch.
    let mut third = Side::new("third", OriginRole::Node);
    let logs = [a.log(a.replica.origin(), 1), b.log(b.replica.origin(), 1)];
    let mut rounds = 0;
    while logs.iter().any(|log| third.replica.heads().get(&log[0].origin) != log.last().map(|entry| &entry.head)) {
        let before = third.replica.heads().clone();
        for log in &logs {
            match third.take(log) {
                Ok(_) => {}
                Err(refused) => {
                    let head = third.replica.heads().get(&log[0].origin).map_or(0, |head| head.seq);
                    assert!(
                        matches!(refused, ApplyError::NotYet { seq, .. } if seq == head + 1),
                        "{refused:?} after {head}"
                    );
                }
            }
        }
        assert_ne!(third.replica.heads(), &before, "they wait for each other for ever");
        rounds += 1;
    }
    assert!(rounds > 1, "they do wait");
    let seals = third.disk.seals.iter().filter(|seal| seal.origin != third.replica.origin()).count();
    assert_eq!(seals, 2, "a seal is kept when all that it closes is here");
    assert!(third.replica.site().is_fenced(&OriginId::derived(&["a", "3"])));
}

#[test]
fn y3_the_seal_of_a_batch_of_which_the_end_waits_is_kept_for_who_passes_the_log_on() {
    let (mut node, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    let fence = |n: u64| Change::Fence(OriginId::derived(&["old", &n.to_string()]));
    node.write(&[fence(1)]);
    pass(&relay, &mut node);
    node.write(&[fence(2)]);
    let log = node.log(node.replica.origin(), 1);
    let seal = |last: &LogEntry| Seal { origin: last.origin, seq: last.head.seq, signature: [7; 64] };
    let mut third = Side::new("third", OriginRole::Node);
    let applied = third.replica.apply(NOW, &log, &seal(&log[2]), &third.disk);
    assert_eq!(applied.new, 2, "the last one waits for the relay's");
    third.flush();
    // A longer batch that begins later does not take its place: from the last seal to that end it may be too far for one batch.
    third.reopen(Change::from_raw);
    pass(&relay, &mut third);
    for n in 3..6 {
        node.write(&[fence(n)]);
    }
    let rest = node.log(node.replica.origin(), 3);
    let applied = third.replica.apply(NOW, &rest, &seal(&rest[3]), &third.disk);
    assert_eq!(applied.whole(), Ok(4));
    third.flush();
    let of_node = third.disk.seals.iter().filter(|seal| seal.origin == node.replica.origin());
    assert_eq!(of_node.map(|seal| (seal.seq, seal.signature)).collect::<Vec<_>>(), [(3, [7; 64]), (6, [7; 64])]);
    relay.write(&[]);
}

#[test]
fn y3_a_seal_over_what_came_otherwise_is_never_passed_on() {
    let (mut node, relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    pass(&relay, &mut node);
    let mut twin = Side::new("node", OriginRole::Node);
    let waits = |side: &mut Side, name: &str| side.write(&[Change::Fence(OriginId::derived(&[name]))]);
    waits(&mut node, "one");
    let log = node.log(node.replica.origin(), 1);
    let mut third = Side::new("third", OriginRole::Node);
    let seal = Seal { origin: log[1].origin, seq: 2, signature: [7; 64] };
    assert_eq!(third.replica.apply(NOW, &log, &seal, &third.disk).new, 1);
    // The twin has the same first commit and another second one.
    waits(&mut twin, "another");
    waits(&mut twin, "third");
    assert_eq!(third.take(&twin.log(twin.replica.origin(), 2)), Ok(2));
    assert!(third.disk.seals.iter().all(|seal| seal.signature != [7; 64]), "{:?}", third.disk.seals);
}

/// What a branch of `side`'s store did, told as by who still has it.
fn told(side: &Side, from: u64) -> Vec<Change> {
    let entries = side.log(side.replica.origin(), from);
    let commits = entries.iter().map(|entry| Commit::from_bytes(&entry.bytes).unwrap());
    commits.flat_map(|commit| Recovered::of(&commit)).map(Change::Recovered).collect()
}

fn docs(side: &Side) -> BTreeMap<DocKey, Vec<u8>> {
    let mut docs: BTreeMap<DocKey, Vec<u8>> = side.replica.site().docs().collect();
    docs.extend(
        side.disk.docs.iter().filter(|(key, _)| key.is_order()).map(|(key, bytes)| (key.clone(), bytes.clone())),
    );
    docs
}

#[test]
fn i8_what_a_branch_did_counts_once_however_many_tell_it_and_touches_no_stock_row() {
    let (mut branch, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    let (flour, id, cash) =
        (IngredientId::derived(&["flour"]), OrderId::derived(&["order"]), PaymentId::derived(&["cash"]));
    branch.write(&[Change::Stock(flour, Row::default().deliver(500))]);
    pass(&branch, &mut relay);
    // From here on the relay never hears of it under this name.
    let row = Row::default().deliver(500).spend(200, 500).unwrap();
    branch.write(&[Change::Order(id, header(None)), Change::Order(id, sent()), Change::Stock(flour, row)]);
    let paid = OrderFact::Payment { payment: cash, phase: PaymentPhase::Captured, amount_minor: 2_000 };
    branch.write(&[Change::Order(id, paid)]);
    let changes = told(&branch, 3);
    assert_eq!(changes.len(), 2, "one a commit");
    let mut heirs = [Side::new("heir", OriginRole::Node), Side::new("another", OriginRole::Node)];
    for heir in &mut heirs {
        heir.take(&relay.log(branch.replica.origin(), 1)).unwrap_or_default();
        let origin = branch.replica.origin();
        let cut = branch.log(origin, 1).into_iter().filter(|entry| entry.head.seq <= 2).collect::<Vec<_>>();
        heir.take(&cut).unwrap();
        heir.write(&changes);
    }
    let before = relay.replica.site().stock(&flour).unwrap().row(&branch.replica.origin());
    for heir in &heirs {
        pass(heir, &mut relay);
    }
    let [mut heir, another] = heirs;
    pass(&another, &mut heir);
    pass(&relay, &mut heir);
    let view = relay.order(&id);
    assert_eq!(view.facts, 3, "header, number and payment, once");
    assert_eq!((view.captured_minor, view.number.clone()), (2_000, Some((DayNumber(1), "A001".to_owned()))));
    assert!(view.recovered && view.is_history() && !view.on_board() && !view.is_open(), "no ticket");
    assert_eq!(relay.replica.site().stock(&flour).unwrap().row(&branch.replica.origin()), before);
    assert_eq!(docs(&relay), docs(&heir), "equal logs, equal documents");
}

#[test]
fn i8_of_a_branch_only_a_node_tells_and_no_card_no_row_and_no_telling_in_it_counts() {
    let (mut branch, mut relay) = (Side::new("node", OriginRole::Node), Side::new("relay", OriginRole::Relay));
    let (flour, id) = (IngredientId::derived(&["flour"]), OrderId::derived(&["order"]));
    branch.write(&[Change::Order(id, header(None)), Change::Order(id, sent())]);
    let forged = |changes: Vec<Change>| {
        let commit = Commit::from_bytes(&branch.log(branch.replica.origin(), 2)[0].bytes).unwrap();
        let changes = changes.iter().map(Change::to_raw).collect();
        let Recovered { origin, seq, at, clock_trusted, by, first, .. } = Recovered::of(&commit).remove(0);
        Change::Recovered(Recovered { origin, seq, at, clock_trusted, by, first, changes })
    };
    let card =
        OriginCard { origin: OriginId::derived(&["x"]), key: [1; 32], role: OriginRole::Node, letter: "B".into() };
    let nested = forged(vec![Change::Fence(relay.replica.origin())]);
    let nothing = forged(vec![Change::Origin(card), Change::Stock(flour, Row::default().deliver(9)), nested]);
    relay.write(&told(&branch, 2));
    assert!(relay.replica.live(&id).is_none(), "the relay has no branch to tell of");
    let mut node = Side::new("other", OriginRole::Node);
    let before = docs(&node);
    node.write(std::slice::from_ref(&nothing));
    assert_eq!(docs(&node), before);
    pass(&node, &mut relay);
    assert!(relay.replica.site().stock(&flour).is_none() && !relay.replica.site().is_fenced(&relay.replica.origin()));
    // The relay's own confirmation is no node's to tell.
    node.write(&[forged(vec![Change::Order(id, OrderFact::Commercial { phase: CommercialPhase::Confirmed })])]);
    assert!(!node.disk.docs.contains_key(&DocKey::Order(id)));
}

#[test]
fn i8_any_commit_can_be_told_in_parts_that_fit() {
    let big = RawChange { kind: 60_000, body: vec![7; 30_000].into() };
    let commit = Commit {
        origin: OriginId::derived(&["o"]),
        seq: 9,
        at: Hlc(5),
        clock_trusted: true,
        by: Actor::System,
        seen: vec![],
        changes: vec![big; 3],
    };
    commit.to_bytes().unwrap();
    let mut largest = commit.clone();
    largest.changes = vec![RawChange { kind: 60_000, body: vec![7; crate::limits::OWN_COMMIT_BYTES_MAX - 100].into() }];
    for commit in [commit, largest] {
        let parts = Recovered::of(&commit);
        let told: Vec<RawChange> = parts.iter().flat_map(|part| part.changes.clone()).collect();
        assert_eq!(told, commit.changes, "unknown kinds too, byte for byte");
        for part in parts {
            let seen = vec![Seen { origin: OriginId::derived(&["o"]), seq: u64::MAX }; crate::limits::ORIGINS_MAX];
            let telling = Commit { seen, changes: vec![Change::Recovered(part).to_raw()], ..commit.clone() };
            telling.to_bytes().unwrap();
        }
    }
}

#[test]
fn i9_a_recovered_order_goes_on_where_the_kitchen_says_so() {
    let mut branch = Side::new("node", OriginRole::Node);
    let id = OrderId::derived(&["order"]);
    branch.write(&[Change::Order(id, header(None)), Change::Order(id, sent())]);
    let mut heir = Side::new("heir", OriginRole::Node);
    heir.write(&told(&branch, 2));
    assert!(!heir.order(&id).on_board());
    heir.write(&[Change::Order(id, OrderFact::Resumed)]);
    let view = heir.order(&id);
    assert!(view.on_board() && view.is_open() && !view.is_history());
    assert_eq!(view.number, branch.order(&id).number);
}

#[test]
fn i9_an_order_that_is_let_go_and_goes_on_in_one_group_stays() {
    let mut branch = Side::new("node", OriginRole::Node);
    let ids: Vec<OrderId> = (0..30).map(|n| OrderId::derived(&["order", &n.to_string()])).collect();
    for id in &ids {
        branch.write(&[Change::Order(*id, header(None)), Change::Order(*id, sent())]);
    }
    let mut heir = Side::new("heir", OriginRole::Node);
    let resumed = ids.iter().map(|id| Change::Order(*id, OrderFact::Resumed));
    let changes: Vec<Change> = told(&branch, 2).into_iter().chain(resumed).collect();
    // More history than is kept for the recall strip; then all of it is on the board again.
    heir.write(&changes);
    assert!(ids.iter().all(|id| heir.replica.live(id).is_some_and(|order| order.view.on_board())));
}
