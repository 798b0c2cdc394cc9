//! Orders over a real store: placed, repeated, changed, cancelled, and what the stock says after each.

use super::amend::{AddLine, AmendRefusal, Amendment, AmendmentField, VoidLine};
use super::place::{CartField, PlaceRefusal, Placed};
use super::{Order, amend, cancel, place};
use crate::kitchen::act::{self, ActRefusal, KitchenAction, Outcome, Tap};
use crate::testing::{Shop, Sibling, dough, line, order};
use pilotlight_edge::availability::{Unavailable, unavailable};
use pilotlight_sync::doc::change::{Change, Seen};
use pilotlight_sync::doc::merge_log::merge_log;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::site::Receipt;
use pilotlight_sync::domain::id::{DeviceId, IntentId, LineId, MenuItemId, OrderId};
use pilotlight_sync::domain::menu::StationId;
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::ticket::{TicketCommand, TicketKey, TicketPhase};

fn now_placed(placed: Result<Placed, PlaceRefusal>) -> Order {
    match placed {
        Ok(Placed::Now(order)) => order,
        other => panic!("expected a new order, got {other:?}"),
    }
}

fn tap(order: &str, station: &str, epoch: u32, tap: Tap) -> KitchenAction {
    let ticket = TicketKey { station: StationId::parse(station).unwrap(), course: 0 };
    KitchenAction { order: OrderId::derived(&[order]), ticket, epoch, tap }
}

fn act(shop: &mut Shop, action: KitchenAction) -> Result<Outcome, ActRefusal> {
    shop.run(|replica, now| act::plan(replica, now, Actor::System, action))
}

fn amendment(order: &str, intent: &str, void: &[&str], add: Vec<AddLine>) -> Amendment {
    let void = void.iter().map(|line| VoidLine { line: LineId::derived(&[line]), why: "dropped".into() }).collect();
    Amendment { order: OrderId::derived(&[order]), intent: IntentId::derived(&[intent]), void, add }
}

fn amend(shop: &mut Shop, amendment: Amendment) -> Result<Order, AmendRefusal> {
    shop.run(|replica, now| amend::plan(replica, now, Actor::System, amendment))
}

fn cancel(shop: &mut Shop, order: &str) -> Result<Order, cancel::CancelRefusal> {
    let id = OrderId::derived(&[order]);
    shop.run(|replica, _| cancel::plan(replica, Actor::System, id, "guest left", None))
}

#[test]
fn o3_an_order_with_its_number_tickets_and_stock_is_there_after_reopening() {
    let mut shop = Shop::open();
    let placed = now_placed(shop.place(order("one", vec![line("a", "pizza", 2), line("b", "cola", 1)])));
    shop.reopen();
    let id = OrderId::derived(&["one"]);
    let read = shop.replica().order(&id).unwrap().unwrap();
    assert_eq!(read.view, placed.live.view);
    assert_eq!(read.view.status, Status::OrderConfirmed);
    assert_eq!(read.view.number.as_ref().unwrap().1, "A001");
    assert_eq!(read.view.tickets.len(), 2);
    assert_eq!(shop.rights(), 600);
    let day = shop.replica().site().day().day().unwrap();
    assert_eq!(shop.replica().order_by_number(day.number, "A001").unwrap(), Some(id));
    let second = now_placed(shop.place(order("two", vec![line("c", "cola", 1)])));
    assert_eq!(second.live.view.number.as_ref().unwrap().1, "A002");
}

#[test]
fn o4_an_order_is_found_by_every_number_that_was_given_for_it() {
    let mut shop = Shop::open();
    now_placed(shop.place(order("one", vec![line("a", "pizza", 1)])));
    let id = OrderId::derived(&["one"]);
    let day = shop.replica().site().day().day().unwrap().number;
    shop.commit(&[Change::Order(id, OrderFact::Sent { day, letter: "ACV".into(), counter: 2 })]);
    shop.reopen();
    for number in ["A001", "ACV002"] {
        assert_eq!(shop.replica().order_by_number(day, number).unwrap(), Some(id), "{number}");
    }
    let shown = crate::api::to_json::board_order(&id, &shop.replica().order(&id).unwrap().unwrap());
    assert_eq!((shown.number.as_deref(), shown.also.as_slice()), (Some("A001"), &["ACV002".to_owned()][..]));
}

#[test]
fn d2_the_first_order_after_the_roll_over_opens_a_day_and_a_clock_that_goes_back_opens_none() {
    let mut shop = Shop::open();
    let hour = 3_600_000;
    let number = |shop: &mut Shop, id: &str| {
        let view = &now_placed(shop.place(order(id, vec![line(id, "cola", 1)]))).live.view;
        let (day, number) = view.number.clone().unwrap();
        (day.0, number)
    };
    assert_eq!(number(&mut shop, "evening"), (1, "A001".into()));
    shop.clock.advance(8 * hour);
    assert_eq!(number(&mut shop, "after midnight"), (1, "A002".into()), "3 o'clock in Berlin is the same day");
    shop.clock.advance(2 * hour);
    assert_eq!(number(&mut shop, "morning"), (2, "A001".into()));
    shop.clock = pilotlight_edge::clock::Clock::manual(crate::testing::EVENING);
    assert_eq!(number(&mut shop, "clock back"), (2, "A002".into()));
}

#[test]
fn o5_the_same_order_again_is_answered_as_before_even_when_the_dish_has_sold_out_since() {
    let mut shop = Shop::open();
    let all = || order("all", vec![line("a", "pizza", 5)]);
    let first = now_placed(shop.place(all()));
    assert_eq!(shop.rights(), 0);
    let Ok(Placed::Before(again)) = shop.place(all()) else { panic!("a repetition is an answer") };
    assert_eq!(again.live.view, first.live.view);
    shop.reopen();
    assert!(matches!(shop.place(all()), Ok(Placed::Before(_))));
    assert_eq!(shop.rights(), 0);
}

#[test]
fn o5_the_same_id_with_another_cart_names_the_field_that_differs() {
    let mut shop = Shop::open();
    let base = || order("one", vec![line("a", "pizza", 1), line("b", "cola", 1)]);
    now_placed(shop.place(base()));
    let field = |shop: &mut Shop, other| match shop.place(other) {
        Err(PlaceRefusal::SameIdOtherCart { field, .. }) => field,
        outcome => panic!("{outcome:?}"),
    };
    let mut other = base();
    other.lines[1].quantity = 2;
    assert_eq!(field(&mut shop, other), CartField::Line(1));
    let mut other = base();
    other.lines.pop();
    assert_eq!(field(&mut shop, other), CartField::LineCount);
    let mut other = base();
    other.note = Some("no onions".into());
    assert_eq!(field(&mut shop, other), CartField::Note);
    let mut other = base();
    other.table = Some("7".into());
    assert_eq!(field(&mut shop, other), CartField::Table);
    assert_eq!(shop.rights(), 800);
}

#[test]
fn s2_the_last_portion_is_sold_once_and_a_refusal_writes_nothing() {
    let mut shop = Shop::open();
    now_placed(shop.place(order("four", vec![line("a", "pizza", 4)])));
    let position = shop.replica().position();
    let refusal = shop.place(order("two", vec![line("b", "cola", 1), line("c", "pizza", 2)])).unwrap_err();
    let expected =
        PlaceRefusal::SoldOut { line: 1, item_name: "pizza".into(), left_portions: 1, ingredient_name: "Dough".into() };
    assert_eq!(refusal, expected);
    assert_eq!(shop.replica().position(), position);
    assert!(shop.replica().order(&OrderId::derived(&["two"])).unwrap().is_none());
    now_placed(shop.place(order("last", vec![line("d", "pizza", 1)])));
    assert_eq!(shop.rights(), 0);
}

#[test]
fn s2_two_orders_of_one_group_see_each_others_use() {
    let mut shop = Shop::open();
    let now = shop.clock.now();
    let replica = shop.replica();
    let plan = |replica: &crate::store::replica::Replica, id: &str| {
        super::place::plan(replica, now, Actor::System, order(id, vec![line(id, "pizza", 3)]))
    };
    let first = plan(replica, "first").unwrap();
    replica.commit(first.by, now, &first.changes).unwrap();
    assert!(plan(replica, "second").is_err(), "three of five are gone before anything is flushed");
}

#[test]
fn s6_what_cannot_be_made_is_derived_from_rights_and_from_what_staff_said() {
    let mut shop = Shop::open();
    let list = |shop: &mut Shop| {
        let (now, origin) = (shop.clock.now(), shop.replica().identity().origin);
        unavailable(shop.replica().site(), &origin, now)
    };
    assert_eq!(list(&mut shop), []);
    now_placed(shop.place(order("all", vec![line("a", "pizza", 5)])));
    assert_eq!(list(&mut shop), [Unavailable::Item(MenuItemId::derived(&["pizza"]))]);
    cancel(&mut shop, "all").unwrap();
    assert_eq!(list(&mut shop), []);
    let cola = MenuItemId::derived(&["cola"]);
    let off = shop.replica().site().write_eighty_six(cola, Some(pilotlight_sync::doc::site::Off { until: None }));
    shop.commit(&[off]);
    assert_eq!(list(&mut shop), [Unavailable::EightySix(cola, None)]);
    let refused = shop.place(order("cola", vec![line("b", "cola", 1)]));
    assert!(matches!(refused, Err(PlaceRefusal::EightySixed { line: 0, .. })));
}

#[test]
fn s3_a_cancelled_order_gives_back_what_nobody_has_begun_and_only_once() {
    let mut shop = Shop::open();
    now_placed(shop.place(order("one", vec![line("a", "pizza", 2)])));
    for _ in 0..2 {
        let order = cancel(&mut shop, "one").unwrap();
        assert_eq!(order.live.view.status, Status::Cancelled);
        assert_eq!(shop.rights(), 1_000);
    }
    now_placed(shop.place(order("begun", vec![line("b", "pizza", 2)])));
    act(&mut shop, tap("begun", "oven", 0, Tap::Command(TicketCommand::Start))).unwrap();
    cancel(&mut shop, "begun").unwrap();
    assert_eq!(shop.rights(), 600, "what was begun is gone");
}

#[test]
fn s3_a_guest_cancels_only_the_own_order_and_only_until_somebody_begins() {
    let mut shop = Shop::open();
    let (kiosk, other) = (DeviceId::derived(&["kiosk"]), DeviceId::derived(&["other"]));
    let new = order("mine", vec![line("a", "pizza", 1)]);
    shop.run(|replica, now| super::place::plan(replica, now, Actor::Device(kiosk), new)).unwrap();
    let id = OrderId::derived(&["mine"]);
    let by = |device| {
        move |replica: &_, _| cancel::plan(replica, Actor::Device(device), id, "changed my mind", Some(device))
    };
    assert_eq!(shop.run(by(other)).unwrap_err(), cancel::CancelRefusal::UnknownOrder(id));
    act(&mut shop, tap("mine", "oven", 0, Tap::Command(TicketCommand::Start))).unwrap();
    assert_eq!(shop.run(by(kiosk)).unwrap_err(), cancel::CancelRefusal::Begun);
}

#[test]
fn q6_a_guest_who_did_not_hear_that_it_was_cancelled_is_answered_as_before_also_when_a_cook_has_tapped_since() {
    let mut shop = Shop::open();
    let kiosk = DeviceId::derived(&["kiosk"]);
    let new = order("mine", vec![line("a", "pizza", 1)]);
    shop.run(|replica, now| super::place::plan(replica, now, Actor::Device(kiosk), new)).unwrap();
    let id = OrderId::derived(&["mine"]);
    let by = || move |replica: &_, _| cancel::plan(replica, Actor::Device(kiosk), id, "no time", Some(kiosk));
    shop.run(by()).unwrap();
    // The cook had begun at another node, and that is heard now.
    let ticket = TicketKey { station: StationId::parse("oven").unwrap(), course: 0 };
    shop.commit(&[Change::Order(id, OrderFact::Phase { ticket, epoch: 0, phase: TicketPhase::Started })]);
    assert_eq!(shop.run(by()).unwrap().live.view.status, Status::Cancelled);
}

#[test]
fn v1_an_amendment_voids_by_name_adds_and_returns_stock_and_is_done_once() {
    let mut shop = Shop::open();
    now_placed(shop.place(order("one", vec![line("a", "pizza", 2), line("b", "cola", 1)])));
    let replacement = AddLine { line: line("c", "pizza", 3), replaces: Some(LineId::derived(&["a"])) };
    let change = amendment("one", "first", &["a"], vec![replacement]);
    for _ in 0..2 {
        let changed = amend(&mut shop, change.clone()).unwrap();
        assert_eq!((changed.live.view.lines.len(), changed.live.view.total_minor()), (3, 3_300));
        assert_eq!(shop.rights(), 400);
    }
    let refused = |shop: &mut Shop, change| amend(shop, change).unwrap_err();
    assert_eq!(refused(&mut shop, amendment("one", "x", &["b", "c"], vec![])), AmendRefusal::NothingLeft);
    assert_eq!(refused(&mut shop, amendment("one", "x", &[], vec![])), AmendRefusal::Empty);
    let line_a = LineId::derived(&["a"]);
    assert_eq!(
        refused(&mut shop, amendment("one", "x", &["a"], vec![])),
        AmendRefusal::AlreadyVoided { at: 0, line: line_a }
    );
    let mut silent = amendment("one", "x", &["b"], vec![]);
    silent.void[0].why = "  ".into();
    assert_eq!(refused(&mut shop, silent), AmendRefusal::Why { at: 0 });
    let again = AddLine { line: line("c", "cola", 1), replaces: None };
    assert_eq!(refused(&mut shop, amendment("one", "x", &[], vec![again])), AmendRefusal::LineIdTwice { at: 0 });
    let too_many = AddLine { line: line("d", "pizza", 9), replaces: None };
    assert!(matches!(
        refused(&mut shop, amendment("one", "x", &["c"], vec![too_many])),
        AmendRefusal::Place(PlaceRefusal::SoldOut { .. })
    ));
    assert_eq!(shop.rights(), 400, "a refused amendment returns nothing");
}

#[test]
fn v3_what_is_changed_here_says_what_of_the_other_nodes_was_known() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    now_placed(shop.place(order("one", vec![line("a", "pizza", 1), line("b", "cola", 1), line("c", "cola", 1)])));
    let (id, own) = (OrderId::derived(&["one"]), shop.replica().identity().origin);
    let there = |name: &str, seen: Vec<Seen>| {
        let added = OrderFact::LinesAdded { intent: IntentId::derived(&[name]), lines: Vec::new() };
        [Change::Order(id, added), Change::Order(id, OrderFact::Knew { seen })]
    };
    amend(&mut shop, amendment("one", "here first", &["a"], vec![])).unwrap();
    bar.write(&mut shop, &there("it has heard of nothing", Vec::new()));
    amend(&mut shop, amendment("one", "here second", &["b"], vec![])).unwrap();
    let seq = shop.replica().state().heads()[&own].seq;
    cancel(&mut shop, "one").unwrap();
    bar.write(&mut shop, &there("nor of the end", vec![Seen { origin: own, seq }]));
    let live = shop.replica().order(&id).unwrap().unwrap();
    let here = merge_log(&live.doc).entries.into_iter().filter(|entry| entry.origin == own);
    let told: Vec<(String, bool)> = here.map(|entry| (entry.what, entry.concurrent)).collect();
    let at_once: Vec<bool> = told.iter().map(|(_, concurrent)| *concurrent).collect();
    assert_eq!(at_once, [false, false, true, false, true], "{told:?}");
}

#[test]
fn o6_an_amendment_under_a_known_id_is_the_same_one_or_refused_by_the_field() {
    let mut shop = Shop::open();
    let lines = vec![line("a", "cola", 1), line("b", "cola", 2), line("c", "cola", 3)];
    now_placed(shop.place(order("one", lines)));
    let replacement = || AddLine { line: line("d", "pizza", 1), replaces: Some(LineId::derived(&["b"])) };
    let made = || amendment("one", "first", &["b", "a"], vec![replacement()]);
    for _ in 0..2 {
        assert_eq!(amend(&mut shop, made()).unwrap().live.view.lines.len(), 4);
    }
    let mut other_why = made();
    other_why.void[1].why = "another reason".into();
    let mut other_add = made();
    other_add.add[0].line.quantity = 2;
    for (other, field) in [
        (amendment("one", "first", &["b"], vec![replacement()]), AmendmentField::VoidCount),
        (amendment("one", "first", &["b", "c"], vec![replacement()]), AmendmentField::Void(1)),
        (other_why, AmendmentField::Void(1)),
        (amendment("one", "first", &["b", "a"], vec![]), AmendmentField::AddCount),
        (other_add, AmendmentField::Add(0)),
    ] {
        assert_eq!(amend(&mut shop, other).unwrap_err(), AmendRefusal::SameIdOther(field));
    }
}

#[test]
fn k2_a_line_added_after_the_bump_opens_an_epoch_for_itself() {
    let mut shop = Shop::open();
    now_placed(shop.place(order("one", vec![line("a", "pizza", 1), line("b", "cola", 1)])));
    act(&mut shop, tap("one", "oven", 0, Tap::Command(TicketCommand::Bump))).unwrap();
    let more = AddLine { line: line("c", "pizza", 1), replaces: None };
    let view = amend(&mut shop, amendment("one", "i", &[], vec![more])).unwrap().live.view.clone();
    let oven = TicketKey { station: StationId::parse("oven").unwrap(), course: 0 };
    assert_eq!(view.tickets[&oven].epoch, 1);
    assert_eq!(view.shown_on(&oven, &view.tickets[&oven]).count(), 1);
    cancel(&mut shop, "one").unwrap();
    assert_eq!(shop.rights(), 800, "the added pizza goes back, the bumped one does not");
}

#[test]
fn t2_taps_of_two_screens_and_late_taps_are_answered_already() {
    let mut shop = Shop::open();
    now_placed(shop.place(order("one", vec![line("a", "pizza", 1)])));
    let bump = |epoch| tap("one", "oven", epoch, Tap::Command(TicketCommand::Bump));
    assert_eq!(act(&mut shop, bump(0)), Ok(Outcome::Done));
    assert_eq!(act(&mut shop, bump(0)), Ok(Outcome::Already));
    assert_eq!(act(&mut shop, tap("one", "oven", 0, Tap::Recall)), Ok(Outcome::Done));
    assert_eq!(act(&mut shop, tap("one", "oven", 0, Tap::Recall)), Ok(Outcome::Already), "a double tap recalls once");
    assert_eq!(
        act(&mut shop, bump(0)),
        Ok(Outcome::Already),
        "a bump that waited in a tablet does not bump what was recalled"
    );
    assert_eq!(act(&mut shop, bump(7)), Err(ActRefusal::UnknownEpoch { now: 1, seen: 7 }));
    assert_eq!(act(&mut shop, bump(1)), Ok(Outcome::Done));
    assert_eq!(shop.rights(), 800, "a recall uses no stock");
    assert_eq!(act(&mut shop, tap("one", "oven", 1, Tap::Remake)), Ok(Outcome::Done));
    assert_eq!(shop.rights(), 600, "a remake does");
    assert!(matches!(act(&mut shop, tap("one", "grill", 0, Tap::Recall)), Err(ActRefusal::UnknownTicket(_))));
}

#[test]
fn k3_nothing_is_handed_over_or_remade_for_a_cancelled_order() {
    let mut shop = Shop::open();
    now_placed(shop.place(order("one", vec![line("a", "pizza", 1)])));
    cancel(&mut shop, "one").unwrap();
    for refused in [Tap::Command(TicketCommand::HandOver), Tap::Command(TicketCommand::Start), Tap::Recall, Tap::Remake]
    {
        assert_eq!(act(&mut shop, tap("one", "oven", 0, refused)), Err(ActRefusal::Cancelled));
    }
    assert_eq!(shop.replica().live_count(), 1);
    assert_eq!(act(&mut shop, tap("one", "oven", 0, Tap::Command(TicketCommand::Bump))), Ok(Outcome::Done));
}

#[test]
fn x1_stock_and_numbers_are_right_after_reopening_however_many_orders_ago_they_were_stored() {
    let mut shop = Shop::open();
    for at in 0..300 {
        let dish = if at % 100 == 0 { "pizza" } else { "cola" };
        now_placed(shop.place(order(&at.to_string(), vec![line(&at.to_string(), dish, 1)])));
        if [0, 254, 255, 256, 257, 299].contains(&at) {
            shop.reopen();
            let used = 200 * (at as u64 / 100 + 1);
            assert_eq!(shop.rights(), 1_000 - used, "after order {at}");
        }
    }
    let last = now_placed(shop.place(order("last", vec![line("last", "cola", 1)])));
    assert_eq!(last.live.view.number.as_ref().unwrap().1, "A301");
}

#[test]
fn s10_we_have_it_adds_what_was_found_in_the_orders_own_commit_once() {
    let mut shop = Shop::open();
    shop.place(order("all", vec![line("a", "pizza", 5)])).unwrap();
    let found = |amount, why: &str| {
        let receipt = Receipt { found: Some(why.to_owned()), ..Receipt::delivered(dough(), amount) };
        vec![(IntentId::derived(&["found", &amount.to_string()]), receipt)]
    };
    let mut place = |id: &str, quantity, found: Vec<(IntentId, Receipt)>| {
        let new = order(id, vec![line(id, "pizza", quantity)]);
        let placed = shop.run(|replica, now| place::plan_finding(replica, now, Actor::System, new, &found));
        (placed, shop.replica().position().head.seq, shop.rights())
    };
    assert!(matches!(place("none", 1, vec![]).0, Err(PlaceRefusal::SoldOut { .. })));
    let (refused, before, _) = place("more", 3, found(400, "second shelf"));
    assert!(matches!(refused, Err(PlaceRefusal::SoldOut { .. })), "two pizzas were found, not three");
    let (placed, seq, rights) = place("two", 2, found(400, "second shelf"));
    assert!(matches!(placed, Ok(Placed::Now(_))));
    assert_eq!((seq, rights), (before + 1, 0), "one commit, and nothing is left over");
    assert!(matches!(place("two", 2, found(400, "second shelf")).0, Ok(Placed::Before(_))));
    assert!(matches!(place("third", 2, found(400, "second shelf")).0, Err(PlaceRefusal::SoldOut { .. })), "found once");
    assert!(matches!(place("zero", 1, found(0, "nowhere")).0, Err(PlaceRefusal::NothingFound { .. })));
    let booked = shop.replica().receipt(&IntentId::derived(&["found", "400"])).unwrap().unwrap();
    assert_eq!(booked.found.as_deref(), Some("second shelf"));
}
