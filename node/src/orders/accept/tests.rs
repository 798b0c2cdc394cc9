//! A shop and a relay in memory: what the node does with orders that were not born there.

use super::*;
use crate::inventory::share;
use crate::orders::{intake, ownership};
use crate::testing::{Shop, Sibling, dough, line};
use pilotlight_sync::crdt::chain::ChainHash;
use pilotlight_sync::doc::order::{Charges, Header};
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::doc::replica::{Loading, ReadStored, Replica};
use pilotlight_sync::doc::site::{Off, Settings};
use pilotlight_sync::domain::id::{MenuItemId, OriginId};
use pilotlight_sync::domain::intake::{IntakeCommand, PauseFor};
use pilotlight_sync::domain::order::{Channel, Fulfilment};
use pilotlight_sync::domain::pricing::price;
use pilotlight_sync::domain::ticket::TicketPhase;
use pilotlight_sync::store::{LogEntry, Seal};
use std::collections::BTreeMap;

/// The relay as a second replica in memory, and what passes between it and the shop.
pub(crate) struct Relay {
    state: Replica,
    log: Vec<LogEntry>,
}

struct NothingStored;

impl ReadStored for NothingStored {
    type Error = Infallible;

    fn read_hash(&self, _: &OriginId, _: u64) -> Result<Option<ChainHash>, Self::Error> {
        Ok(None)
    }

    fn read_order(&self, _: &OrderId) -> Result<Option<Vec<u8>>, Self::Error> {
        Ok(None)
    }
}

impl Relay {
    /// A relay that knows nothing of the shop but its name.
    pub(crate) fn new(shop: &mut Shop) -> Self {
        let origin = OriginId::derived(&["relay"]);
        let loading = Loading::begin([], &BTreeMap::new()).unwrap();
        let mut relay = Self { state: loading.finish(origin, BTreeMap::new()), log: vec![] };
        let card = OriginCard { origin, key: [0; 32], role: OriginRole::Relay, letter: String::new() };
        relay.write(shop, vec![Change::Origin(card)]);
        relay
    }

    /// Writes at the relay, and at once the shop has it.
    pub(crate) fn write(&mut self, shop: &mut Shop, changes: Vec<Change>) {
        let now = shop.clock.now();
        self.state.commit(Actor::System, now, &changes, &NothingStored).unwrap();
        let (writes, _) = self.state.take_writes(|_| [0; 64]);
        let seal = writes.seals[0].clone();
        shop.replica().apply(now, &writes.log, &seal).whole().unwrap();
        shop.replica().flush().unwrap();
        self.log.extend(writes.log);
    }

    pub(crate) fn order(&mut self, shop: &mut Shop, name: &str) -> OrderId {
        let owner = shop.replica().identity().origin;
        self.order_for(shop, name, owner)
    }

    /// An order that this node is to make.
    pub(crate) fn order_for(&mut self, shop: &mut Shop, name: &str, owner: OriginId) -> OrderId {
        let id = OrderId::derived(&[name]);
        let site = shop.replica().site();
        let priced = price(&[line(name, "pizza", 1)], site.menu()).unwrap();
        let header = Header {
            placed_at: shop.clock.now(),
            channel: Channel::Cloud,
            fulfilment: Fulfilment::Delivery,
            table: None,
            note: None,
            lines: priced.lines.into_iter().map(Into::into).collect(),
            currency: priced.currency,
            device: None,
            menu_version: 1,
            owner: Some(owner),
            charges: Charges::default(),
        };
        let placed = Change::Order(id, OrderFact::Placed(Box::new(header)));
        let phase = Change::Order(id, OrderFact::Commercial { phase: CommercialPhase::Placed });
        self.write(shop, vec![placed, phase]);
        id
    }

    pub(crate) fn decide(&mut self, shop: &mut Shop, id: OrderId, phase: CommercialPhase) {
        self.write(shop, vec![Change::Order(id, OrderFact::Commercial { phase })]);
    }
}

pub(crate) fn tend(shop: &mut Shop, last_held: Option<Timestamp>) -> Tended {
    let now = shop.clock.now();
    let plan = plan(shop.replica(), now, last_held).unwrap();
    for changes in std::iter::once(plan.changes).chain(plan.more).filter(|changes| !changes.is_empty()) {
        shop.commit(&changes);
    }
    (plan.answer)(shop.replica())
}

pub(crate) fn seen(shop: &mut Shop, id: &OrderId) -> OrderView {
    shop.replica().order(id).unwrap().unwrap().view.clone()
}

#[test]
fn q1_the_node_accepts_an_order_of_the_relay_and_sends_it_to_the_kitchen_only_when_it_is_confirmed() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let id = relay.order(&mut shop, "one");
    tend(&mut shop, None);
    tend(&mut shop, None);
    let view = seen(&mut shop, &id);
    assert!(view.accepted && !view.sent && view.tickets.is_empty() && view.number.is_none());
    relay.decide(&mut shop, id, CommercialPhase::Confirmed);
    tend(&mut shop, None);
    let view = seen(&mut shop, &id);
    assert!(view.sent && view.on_board());
    assert_eq!(view.number.unwrap().1, "A001");
    let facts = view.facts;
    tend(&mut shop, None);
    assert_eq!(seen(&mut shop, &id).facts, facts, "nothing is done twice");
    shop.reopen();
    assert_eq!(seen(&mut shop, &id).facts, facts);
}

#[test]
fn q1_a_dish_that_staff_took_off_sale_is_rejected_with_its_name_and_a_foreign_order_is_left_alone() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let id = relay.order(&mut shop, "one");
    let off = Off { until: None };
    let change = shop.replica().site().write_eighty_six(MenuItemId::derived(&["pizza"]), Some(off));
    shop.commit(&[change]);
    tend(&mut shop, None);
    let view = seen(&mut shop, &id);
    assert!(view.cancelled.is_some_and(|deed| deed.why.contains("off sale")) && !view.accepted);
}

fn tap(shop: &mut Shop, command: IntakeCommand) {
    let now = shop.clock.now();
    let changes = intake::plan(shop.replica(), now, Actor::System, command).unwrap().changes;
    shop.commit(&changes);
}

fn say(shop: &mut Shop, id: OrderId, rejected: Option<&str>) -> Result<(), DecideRefusal> {
    match decide(shop.replica(), Actor::System, id, rejected.map(str::to_owned)) {
        Ok(plan) => {
            shop.commit(&plan.changes);
            Ok(())
        }
        Err(PlanError::Refused(refusal)) => Err(refusal),
        Err(PlanError::Damaged(error)) => panic!("{error}"),
    }
}

#[test]
fn q6_pb4_while_paused_nothing_is_accepted_by_itself_and_a_person_may_say_yes_or_no() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    tap(&mut shop, IntakeCommand::Pause(PauseFor::Minutes(15)));
    let until = shop.clock.now().plus_ms(15 * 60_000);
    let ids = ["yes", "no", "later"].map(|name| relay.order(&mut shop, name));
    assert_eq!(tend(&mut shop, None).again_at, Some(until), "it is looked at again when the pause is over");
    assert!(ids.iter().all(|id| !seen(&mut shop, id).accepted));
    let now = shop.clock.now();
    assert_eq!(waiting(shop.replica(), now).len(), 3);
    assert_eq!(say(&mut shop, ids[0], None), Ok(()));
    assert_eq!(say(&mut shop, ids[0], None), Ok(()), "again changes nothing");
    assert_eq!(say(&mut shop, ids[0], Some("no oven")), Err(DecideRefusal::Decided(Status::OrderPlaced)));
    assert_eq!(say(&mut shop, ids[1], Some("  ")), Err(DecideRefusal::Why));
    assert_eq!(say(&mut shop, ids[1], Some("no oven")), Ok(()));
    assert_eq!(
        say(&mut shop, OrderId::derived(&["none"]), None),
        Err(DecideRefusal::UnknownOrder(OrderId::derived(&["none"])))
    );
    // The answer may have been lost: the same word is answered as before, another one is refused (SPEC Q6).
    let facts = seen(&mut shop, &ids[1]).facts;
    assert_eq!(say(&mut shop, ids[1], Some(" no oven ")), Ok(()));
    assert_eq!(seen(&mut shop, &ids[1]).facts, facts, "and changes nothing");
    for other in [None, Some("no cook")] {
        assert!(matches!(say(&mut shop, ids[1], other), Err(DecideRefusal::Decided(_))), "{other:?}");
    }
    let (yes, no) = (seen(&mut shop, &ids[0]), seen(&mut shop, &ids[1]));
    assert!(yes.accepted && no.cancelled.is_some_and(|deed| deed.why == "no oven"));
    assert_eq!(waiting(shop.replica(), now).iter().map(|(id, ..)| *id).collect::<Vec<_>>(), [ids[2]]);
    // It ends by itself, and what still waits is accepted; a tap does the same.
    shop.clock.advance(15 * 60_000);
    tend(&mut shop, None);
    assert!(seen(&mut shop, &ids[2]).accepted && waiting(shop.replica(), until).is_empty());
    tap(&mut shop, IntakeCommand::Pause(PauseFor::Tomorrow));
    let last = relay.order(&mut shop, "last");
    tend(&mut shop, None);
    assert!(!seen(&mut shop, &last).accepted);
    tap(&mut shop, IntakeCommand::Open);
    tend(&mut shop, None);
    assert!(seen(&mut shop, &last).accepted);
}

/// The shop takes it over, and its former owner, not knowing, says this of it.
pub(crate) fn take_over(shop: &mut Shop, bar: &mut Sibling, id: OrderId, too_late: OrderFact) {
    shop.run(|replica, _| ownership::plan(replica, Actor::System, id, "the bar is silent")).unwrap();
    bar.write(shop, &[Change::Order(id, too_late)]);
}

#[test]
fn q4_q6_what_a_former_owner_said_is_no_word_that_was_said_before() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let mut bar = Sibling::join(&mut shop, "B");
    let [yes, no] = ["yes", "no"].map(|name| relay.order_for(&mut shop, name, bar.origin));
    take_over(&mut shop, &mut bar, yes, OrderFact::Accepted);
    take_over(&mut shop, &mut bar, no, OrderFact::Rejected { why: "no oven".into() });
    for _ in 0..2 {
        assert_eq!((say(&mut shop, yes, None), say(&mut shop, no, Some("no oven"))), (Ok(()), Ok(())));
        assert!(seen(&mut shop, &yes).accepted && seen(&mut shop, &no).cancelled.is_some());
    }
}

#[test]
fn pb4_a_pause_stops_neither_what_was_accepted_nor_an_answer() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let (cooks, asks) = (relay.order(&mut shop, "cooks"), relay.order(&mut shop, "asks"));
    tend(&mut shop, None);
    tap(&mut shop, IntakeCommand::Pause(PauseFor::Minutes(60)));
    relay.decide(&mut shop, cooks, CommercialPhase::Confirmed);
    relay.decide(&mut shop, asks, CommercialPhase::CancelRequested);
    tend(&mut shop, None);
    assert!(seen(&mut shop, &cooks).sent);
    assert_eq!(seen(&mut shop, &asks).verdict, Some(true));
    shop.reopen();
    let now = shop.clock.now();
    assert!(shop.replica().site().intake().paused_until(now).is_some(), "it is on the disk");
}

#[test]
fn q2_a_cancellation_is_granted_until_somebody_begins_and_answered_once() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let (early, late) = (relay.order(&mut shop, "early"), relay.order(&mut shop, "late"));
    tend(&mut shop, None);
    relay.decide(&mut shop, early, CommercialPhase::CancelRequested);
    relay.decide(&mut shop, late, CommercialPhase::Confirmed);
    tend(&mut shop, None);
    assert_eq!(seen(&mut shop, &early).verdict, Some(true));
    assert!(!seen(&mut shop, &early).sent, "what is cancelled is not sent to the kitchen");
    let ticket = seen(&mut shop, &late).tickets.keys().next().unwrap().clone();
    shop.commit(&[Change::Order(late, OrderFact::Phase { ticket, epoch: 0, phase: TicketPhase::Started })]);
    relay.decide(&mut shop, late, CommercialPhase::CancelRequested);
    tend(&mut shop, None);
    tend(&mut shop, None);
    let view = seen(&mut shop, &late);
    assert_eq!((view.verdict, view.cancelled), (Some(false), None));
}

#[test]
fn q3_held_orders_come_in_the_order_of_placement_at_the_kitchens_pace_and_fresh_ones_at_once() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let mut held = Vec::new();
    for name in ["first", "second", "third"] {
        held.push(relay.order(&mut shop, name));
        shop.clock.advance(1_000);
    }
    shop.clock.advance(20 * 60_000);
    let fresh = relay.order(&mut shop, "fresh");
    for id in held.iter().rev().chain([&fresh]) {
        relay.decide(&mut shop, *id, CommercialPhase::Confirmed);
    }
    let sent = |shop: &mut Shop| held.iter().chain([&fresh]).map(|id| seen(shop, id).sent).collect::<Vec<_>>();
    let tended = tend(&mut shop, None);
    assert_eq!(sent(&mut shop), [true, false, false, true]);
    assert_eq!(tended.again_at, Some(shop.clock.now().plus_ms(20_000)));
    let tended = tend(&mut shop, tended.last_held);
    assert_eq!(sent(&mut shop), [true, false, false, true], "not before its time");
    shop.clock.advance(20_000);
    tend(&mut shop, tended.last_held);
    assert_eq!(sent(&mut shop), [true, true, false, true]);
}

#[test]
fn s7_the_relay_gets_a_share_of_what_is_delivered_and_more_when_it_asks_but_never_all() {
    let mut shop = Shop::open();
    assert_eq!(share::first_shares(shop.replica()), vec![], "there is no relay yet");
    let relay = Relay::new(&mut shop);
    let first = share::first_shares(shop.replica());
    shop.commit(&first);
    let rights = |shop: &mut Shop| {
        let stock = shop.replica().site().stock(&dough()).unwrap().clone();
        (stock.rights(&shop.replica().identity().origin), stock.rights(&relay.state.origin()), stock.stock())
    };
    assert_eq!(rights(&mut shop), (700, 300, 1_000));
    assert_eq!(share::first_shares(shop.replica()), vec![], "once");
    let more = share::plan(shop.replica(), OriginId::derived(&["relay"]), &[(dough(), 10_000)]).unwrap().changes;
    shop.commit(&more);
    assert_eq!(rights(&mut shop), (350, 650, 1_000), "half of what is left here");
    let some = share::plan(shop.replica(), OriginId::derived(&["relay"]), &[(dough(), 50)]).unwrap().changes;
    shop.commit(&some);
    assert_eq!(rights(&mut shop), (300, 700, 1_000));
}

#[test]
fn n2_n5_a_commit_that_is_not_understood_damages_nothing_and_what_its_writer_may_not_write_stays_without_effect() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let id = relay.order(&mut shop, "a");
    relay.write(&mut shop, vec![Change::Order(id, OrderFact::Cancelled { why: "the relay may not".into() })]);
    let bytes = b"no commit that this version knows".to_vec();
    let origin = relay.state.origin();
    let head = relay.state.position().head.then(&bytes);
    let (entry, now) = (LogEntry { origin, head, bytes }, shop.clock.now());
    let seal = Seal { origin, seq: head.seq, signature: [0; 64] };
    assert_eq!(shop.replica().apply(now, std::slice::from_ref(&entry), &seal).whole(), Ok(1));
    shop.replica().flush().unwrap();
    for _ in 0..2 {
        assert_eq!(shop.replica().state().unread_commits(), 1);
        assert_eq!(shop.replica().log(&origin, head.seq, 10).unwrap(), std::slice::from_ref(&entry));
        let order = shop.replica().order(&id).unwrap().unwrap();
        assert_eq!(order.view.cancelled, None, "neither now nor after the check at boot");
        shop.reopen();
    }
    shop.replica = None;
    let report = crate::check::check(&shop.paths()).unwrap();
    // The relay here books no stock.
    let damage = report.problems.iter().find(|problem| !problem.ends_with("an order without its stock use"));
    assert_eq!((report.unread, damage), (1, None));
}

#[test]
fn q7_where_nobody_looks_everything_is_accepted() {
    let mut shop = Shop::open();
    let settings = shop.replica().site().settings().cloned().unwrap();
    let nobody = shop.replica().site().write_settings(Settings { side_by_side: Some(0), ..settings });
    shop.commit(&[nobody]);
    let mut relay = Relay::new(&mut shop);
    let ids: Vec<OrderId> = (0..20).map(|n| relay.order(&mut shop, &format!("order {n}"))).collect();
    tend(&mut shop, None);
    assert!(ids.iter().all(|id| seen(&mut shop, id).accepted));
}

#[test]
fn q7_an_order_that_would_be_late_waits_for_a_person_until_the_kitchen_has_less_to_do() {
    let mut shop = Shop::open();
    let settings = shop.replica().site().settings().cloned().unwrap();
    let one_place = shop.replica().site().write_settings(Settings { side_by_side: Some(1), ..settings });
    shop.commit(&[one_place]);
    let mut relay = Relay::new(&mut shop);
    let mut placed = |shop: &mut Shop, name: &str| {
        shop.clock.advance(1_000);
        relay.order(shop, name)
    };
    // Five minutes each, one at a time; each guest was told fifteen.
    let ids: Vec<OrderId> =
        ["one", "two", "three", "four", "five"].iter().map(|name| placed(&mut shop, name)).collect();
    let tended = tend(&mut shop, None);
    let accepted = |shop: &mut Shop| ids.iter().map(|id| seen(shop, id).accepted).collect::<Vec<_>>();
    assert_eq!(accepted(&mut shop), [true, true, true, false, false]);
    assert_eq!(tended.again_at, Some(shop.clock.now().plus_ms(LOOK_AGAIN_MS)));
    let waits = |shop: &mut Shop| {
        let now = shop.clock.now();
        waiting(shop.replica(), now).into_iter().map(|(id, _, waits)| (id, waits)).collect::<Vec<_>>()
    };
    assert_eq!(waits(&mut shop), [(ids[3], Waits::Late(5)), (ids[4], Waits::Late(5))]);
    // A kitchen that says that it is busy has told its guests so.
    let now = shop.clock.now();
    let busy = intake::plan(shop.replica(), now, Actor::System, IntakeCommand::Busy(10)).unwrap().changes;
    shop.commit(&busy);
    assert_eq!(waits(&mut shop), []);
    let usual = intake::plan(shop.replica(), now, Actor::System, IntakeCommand::Busy(0)).unwrap().changes;
    shop.commit(&usual);

    assert!(shop.run(|replica, _| decide(replica, Actor::System, ids[4], None)).is_ok(), "a person says yes");
    for id in &ids[..3] {
        relay.decide(&mut shop, *id, CommercialPhase::Confirmed);
    }
    tend(&mut shop, None);
    assert_eq!(waits(&mut shop), [(ids[3], Waits::Late(10))], "with what the person has taken on");
    for id in &ids[..2] {
        let ticket = seen(&mut shop, id).tickets.keys().next().unwrap().clone();
        shop.commit(&[Change::Order(*id, OrderFact::Phase { ticket, epoch: 0, phase: TicketPhase::Ready })]);
    }
    tend(&mut shop, None);
    assert_eq!((accepted(&mut shop), waits(&mut shop)), (vec![true; 5], vec![]), "two were made: it is in time");

    // What cannot be made at all is answered, however late it would be.
    let six = relay.order(&mut shop, "six");
    tend(&mut shop, None);
    assert_eq!(waits(&mut shop), [(six, Waits::Late(5))]);
    let change = shop.replica().site().write_eighty_six(MenuItemId::derived(&["pizza"]), Some(Off { until: None }));
    shop.commit(&[change]);
    tend(&mut shop, None);
    let why = seen(&mut shop, &six).cancelled.map(|deed| deed.why);
    assert!(why.is_some_and(|why| why.contains("off sale")) && waits(&mut shop).is_empty());
}
