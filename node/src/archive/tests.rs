//! Orders that leave sled and come back, on a real store: the steps of a move done by hand, cut between any two.

use super::archiver::{Frontier, Terms, ripe};
use super::taking::{Stored, Taken};
use super::*;
use crate::check::check;
use crate::store::replica::Replica;
use crate::testing::{Shop, line, order};
use crate::till::day;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::business_day::{DayNumber, DayRule};
use pilotlight_sync::domain::id::{IntentId, PaymentId};
use pilotlight_sync::domain::payment::PaymentPhase;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::ticket::TicketPhase;
use std::fs;

const DAY_MS: u64 = 86_400_000;

fn id(name: &str) -> OrderId {
    OrderId::derived(&[name])
}

/// Sells colas and hands them over.
fn sell(shop: &mut Shop, names: &[&str]) {
    for name in names {
        shop.clock.advance(1_000);
        shop.place(order(name, vec![line(name, "cola", 2), line(&format!("{name}2"), "cola", 1)])).unwrap();
        hand_over(shop, name);
    }
}

fn hand_over(shop: &mut Shop, name: &str) {
    let tickets = view(shop, name).tickets;
    let over = |(ticket, view): (&pilotlight_sync::domain::ticket::TicketKey, _)| {
        let _: &pilotlight_sync::doc::order_view::TicketView = view;
        let fact = OrderFact::Phase { ticket: ticket.clone(), epoch: view.epoch, phase: TicketPhase::HandedOver };
        Change::Order(id(name), fact)
    };
    let changes: Vec<Change> = tickets.iter().map(over).collect();
    shop.commit(&changes);
}

fn view(shop: &mut Shop, name: &str) -> OrderView {
    shop.replica().order(&id(name)).unwrap().unwrap().view.clone()
}

fn pay(name: &str, phase: PaymentPhase) -> Change {
    let payment = PaymentId::derived(&[name]);
    Change::Order(id(name), OrderFact::Payment { payment, phase, amount_minor: 900 })
}

fn rule() -> DayRule {
    DayRule::new("Europe/Berlin", 4).unwrap()
}

fn terms(shop: &Shop) -> Terms {
    Terms { rule: rule(), after_days: 2, frontier: None, now: shop.clock.now() }
}

/// What may go now; orders that were just worked on are in memory, so the node has been started since.
fn ripe_orders(shop: &mut Shop, terms: &Terms) -> Vec<Stored> {
    shop.close_days();
    ripe_now(shop, terms)
}

/// The same without booking them.
fn ripe_now(shop: &mut Shop, terms: &Terms) -> Vec<Stored> {
    shop.reopen();
    let (mut found, mut next) = (Vec::new(), Some(Replica::first_closed()));
    while let Some(from) = next.take() {
        let page = shop.replica().closed_page(from, terms.until(), 2).unwrap();
        found.extend(ripe(page.orders, terms));
        next = page.next;
    }
    found
}

fn let_go(shop: &mut Shop, taken: &[Taken]) -> usize {
    let gone = shop.replica().let_go(taken).unwrap();
    if shop.replica().is_staged() {
        shop.replica().flush().unwrap();
    }
    gone
}

/// A whole run.
fn move_all(shop: &mut Shop) -> usize {
    let terms = terms(shop);
    let orders = ripe_orders(shop, &terms);
    let archive = shop.replica().archive().clone();
    assert!(archive.make_ready().unwrap());
    let taken = archive.take_in(orders, &terms.rule);
    let gone = let_go(shop, &taken);
    archive.sweep().unwrap();
    gone
}

/// What people see of these orders, however they ask.
fn seen(shop: &mut Shop, names: &[&str]) -> (Vec<OrderView>, Vec<OrderId>) {
    let views: Vec<OrderView> = names.iter().map(|name| view(shop, name)).collect();
    for (name, view) in names.iter().zip(&views) {
        let (day, number) = view.number.clone().unwrap();
        assert_eq!(shop.replica().order_by_number(day, &number).unwrap(), Some(id(name)), "{name} by number");
    }
    let mut list = Vec::new();
    let mut before = Timestamp(u64::MAX);
    loop {
        let page = shop.replica().orders_before(before, 2).unwrap();
        let Some(last) = page.last() else { return (views, list) };
        before = shop.replica().order(last).unwrap().unwrap().view.header.placed_at;
        list.extend(page);
    }
}

fn problems(shop: &mut Shop) -> Vec<String> {
    shop.replica = None;
    let problems = check(&shop.paths()).unwrap().problems;
    shop.reopen();
    problems
}

fn stored(shop: &mut Shop) -> u64 {
    shop.replica = None;
    let orders = check(&shop.paths()).unwrap().orders;
    shop.reopen();
    orders
}

const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];

/// Two days with orders, long ago.
fn old_shop() -> Shop {
    let mut shop = Shop::open();
    sell(&mut shop, &NAMES[..3]);
    shop.clock.advance(DAY_MS);
    sell(&mut shop, &NAMES[3..]);
    shop.clock.advance(4 * DAY_MS);
    shop
}

fn names_of(archive: &Archive) -> Vec<String> {
    archive.files().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn z1_archived_orders_are_answered_as_before_by_id_by_number_and_in_lists() {
    let mut shop = old_shop();
    let before = seen(&mut shop, &NAMES);
    assert_eq!(before.1, ["five", "four", "three", "two", "one"].map(id));
    assert_eq!(move_all(&mut shop), 5);
    assert_eq!(stored(&mut shop), 0, "nothing is left in sled");
    assert_eq!(names_of(shop.replica().archive()), ["2026-11-21-g1.parquet", "2026-11-22-g1.parquet"]);
    assert_eq!(seen(&mut shop, &NAMES), before);
    assert!(shop.replica().order(&id("nobody")).unwrap().is_none());
    let again = shop.place(order("two", vec![line("two", "cola", 2), line("two2", "cola", 1)])).unwrap();
    assert!(matches!(again, crate::orders::place::Placed::Before(_)), "its id is known for ever");
    sell(&mut shop, &["six"]);
    let list = seen(&mut shop, &["six", "one"]).1;
    assert_eq!(list, ["six", "five", "four", "three", "two", "one"].map(id));
    assert_eq!(problems(&mut shop), Vec::<String>::new());
    assert_eq!(move_all(&mut shop), 0, "and there is nothing more to move");
}

#[test]
fn z1_many_orders_of_a_day_are_read_row_by_row_and_page_by_page() {
    let mut shop = old_shop();
    let archive = shop.replica().archive().clone();
    archive.make_ready().unwrap();
    let one = shop.replica().order(&id("one")).unwrap().unwrap();
    let document = minicbor::to_vec(&one.doc).unwrap();
    let placed_at = one.view.header.placed_at;
    let name = |n: usize| id(&format!("copy {n}"));
    let orders = (0..5_000).map(|n| Stored { id: name(n), placed_at, document: document.clone() }).collect();
    assert_eq!(archive.take_in(orders, &rule()).len(), 5_000);
    let archive = Archive::open(&shop.paths().archive());
    for n in [0, 1, 2_047, 2_048, 4_999] {
        assert_eq!(archive.get(&name(n)).unwrap().as_ref(), Some(&document));
    }
    let all: Vec<OrderId> = (0..5_000).map(name).collect();
    assert_eq!(archive.get_many(&all).len(), 5_000);
    assert_eq!(archive.latest_before(Timestamp(u64::MAX), 10_000).len(), 5_000);
    assert_eq!(archive.latest_before(placed_at, 10), []);
    let (mut walked, mut after) = (0, None);
    loop {
        let page = archive.documents_after(after, 700);
        let Some(last) = page.last() else { break };
        after = Some((last.placed_at, last.id));
        walked += page.len();
    }
    assert_eq!(walked, 5_000);
    assert!(archive.verify(|_, _| {}).is_empty());
}

/// The steps of a move, up to the one where the machine was switched off.
fn move_until(shop: &mut Shop, cut: usize) {
    let terms = terms(shop);
    let orders = ripe_orders(shop, &terms);
    let archive = shop.replica().archive().clone();
    archive.make_ready().unwrap();
    let dir = shop.paths().archive();
    if cut <= 2 {
        let rows: Vec<row::Row> =
            orders.iter().take(3).map(|order| row::Row::of(order.id, order.document.clone()).unwrap()).collect();
        let prepared = archive.prepare(20_261_121, rows).unwrap();
        let path = dir.join("2026-11-21-g1.parquet");
        match cut {
            0 => fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap(),
            1 => {}
            _ => archive.publish(prepared).unwrap(),
        }
        return;
    }
    let taken = archive.take_in(orders, &terms.rule);
    let some = if cut == 3 { 2 } else { taken.len() };
    let_go(shop, &taken[..some]);
    if cut == 5 {
        // An index is not synced: after a power cut it may be anything.
        fs::write(dir.join("2026-11-21-g1.ids"), b"half").unwrap();
        fs::remove_file(dir.join("2026-11-22-g1.ids")).unwrap();
    }
}

#[test]
fn z2_a_cut_between_any_two_steps_loses_no_order_and_shows_none_twice() {
    for cut in 0..=5 {
        let mut shop = old_shop();
        let before = seen(&mut shop, &NAMES);
        move_until(&mut shop, cut);
        shop.reopen();
        assert_eq!(seen(&mut shop, &NAMES), before, "after a cut at step {cut}");
        assert_eq!(problems(&mut shop), Vec::<String>::new(), "after a cut at step {cut}");
        move_all(&mut shop);
        assert_eq!(seen(&mut shop, &NAMES), before, "after the next run, step {cut}");
        assert_eq!(stored(&mut shop), 0, "the next run finishes step {cut}");
        let days = fs::read_dir(shop.paths().archive()).unwrap().flatten();
        let days = days.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "parquet")).count();
        assert_eq!(days, 2, "nothing is left over of step {cut}");
        assert_eq!(problems(&mut shop), Vec::<String>::new());
    }
}

#[test]
fn z2_what_changes_while_its_file_is_written_stays() {
    let mut shop = old_shop();
    let terms = terms(&shop);
    let orders = ripe_orders(&mut shop, &terms);
    let archive = shop.replica().archive().clone();
    archive.make_ready().unwrap();
    let taken = archive.take_in(orders, &terms.rule);
    shop.commit(&[pay("two", PaymentPhase::Captured)]);
    shop.reopen();
    assert_eq!(let_go(&mut shop, &taken), 4);
    assert_eq!(view(&mut shop, "two").captured_minor, 900);
    assert_eq!(stored(&mut shop), 1);
    assert_eq!(problems(&mut shop), Vec::<String>::new());
}

#[test]
fn z3_what_is_open_not_settled_young_or_not_acknowledged_stays() {
    let mut shop = Shop::open();
    sell(&mut shop, &["closed", "paying", "paid", "touched"]);
    shop.place(order("open", vec![line("open", "cola", 3)])).unwrap();
    shop.commit(&[pay("paying", PaymentPhase::Authorized)]);
    shop.commit(&[pay("paid", PaymentPhase::Captured)]);
    shop.clock.advance(DAY_MS);
    sell(&mut shop, &["later"]);
    shop.commit(&[pay("touched", PaymentPhase::Captured)]);
    let ripe_names = |shop: &mut Shop, frontier: Option<Frontier>| {
        let terms = Terms { frontier, ..terms(shop) };
        let found = ripe_orders(shop, &terms);
        let all = ["closed", "paying", "paid", "touched", "open", "later"];
        all.into_iter().filter(|name| found.iter().any(|order| order.id == id(name))).collect::<Vec<_>>()
    };
    shop.clock.advance(DAY_MS);
    assert_eq!(ripe_names(&mut shop, None), Vec::<&str>::new(), "its business day is not two days ago");
    shop.clock.advance(DAY_MS);
    assert_eq!(ripe_names(&mut shop, None), ["closed", "paid"], "what happened lately counts too");
    let origin = shop.replica().identity().origin;
    let payment = shop.replica().order(&id("paid")).unwrap().unwrap().doc.in_order().last().unwrap().id.seq;
    let has = |seq| Some(Frontier([(origin, seq)].into()));
    assert_eq!(ripe_names(&mut shop, Some(Frontier::default())), Vec::<&str>::new(), "the relay has nothing");
    assert_eq!(ripe_names(&mut shop, has(payment - 1)), ["closed"]);
    assert_eq!(ripe_names(&mut shop, has(payment)), ["closed", "paid"]);
    shop.clock.advance(DAY_MS);
    assert_eq!(ripe_names(&mut shop, None), ["closed", "paid", "touched", "later"]);
}

#[test]
fn z3_d4_what_no_report_has_booked_stays_also_before_the_first_close() {
    let mut shop = old_shop();
    shop.commit(&[pay("two", PaymentPhase::Captured)]);
    shop.clock.advance(4 * DAY_MS);
    let terms = terms(&shop);
    assert_eq!(ripe_now(&mut shop, &terms), []);
    shop.run(|replica, now| day::plan(replica, now, Actor::System, DayNumber(1))).unwrap();
    assert_eq!(ripe_now(&mut shop, &terms).len(), 3, "those of its day");
    shop.close_days();
    assert_eq!(ripe_now(&mut shop, &terms).len(), 5);
}

#[test]
fn z4_an_archived_order_that_is_touched_comes_back_whole_and_is_archived_again() {
    let mut shop = old_shop();
    shop.commit(&[pay("two", PaymentPhase::Captured)]);
    shop.clock.advance(4 * DAY_MS);
    let list = seen(&mut shop, &NAMES).1;
    move_all(&mut shop);
    let refund = |name: &str| {
        let (payment, intent) = (PaymentId::derived(&[name]), IntentId::derived(&[name]));
        Change::Order(id(name), OrderFact::Refunded { payment, intent, amount_minor: 300 })
    };
    let before = view(&mut shop, "two");
    shop.commit(&[refund("two")]);
    let after = view(&mut shop, "two");
    assert_eq!((after.refunded_minor, after.facts), (300, before.facts + 1), "no headerless ghost");
    assert_eq!(stored(&mut shop), 1, "it is in the store again");
    assert_eq!(seen(&mut shop, &NAMES).1, list, "in its place, once");
    assert_eq!(problems(&mut shop), Vec::<String>::new(), "with its index entries");
    assert_eq!(move_all(&mut shop), 0, "what happened lately stays a while");
    shop.clock.advance(4 * DAY_MS);
    assert_eq!(move_all(&mut shop), 1);
    assert_eq!(names_of(shop.replica().archive()), ["2026-11-21-g2.parquet", "2026-11-22-g1.parquet"]);
    assert!(!shop.paths().archive().join("2026-11-21-g1.parquet").exists());
    assert_eq!(view(&mut shop, "two"), after);
    assert_eq!(seen(&mut shop, &NAMES).1, list);
    assert_eq!(problems(&mut shop), Vec::<String>::new());
}

#[test]
fn z4_who_reads_while_a_day_is_replaced_sees_the_order_and_names_nothing() {
    let mut shop = old_shop();
    move_all(&mut shop);
    let archive = shop.replica().archive().clone();
    let document = archive.get(&id("two")).unwrap().unwrap();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while archive.files()[0].generation < 30 {
                        assert_eq!(archive.get(&id("two")).unwrap().as_ref(), Some(&document));
                        assert_eq!(archive.latest_before(Timestamp(u64::MAX), 3).len(), 3);
                    }
                })
            })
            .collect();
        for _ in 0..30 {
            let prepared = archive.prepare(20_261_121, Vec::new()).unwrap();
            archive.publish(prepared).unwrap();
            archive.sweep().unwrap();
        }
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(archive.problems(), Vec::<String>::new());
}

/// Flips a bit in the middle of a day file.
fn spoil(shop: &mut Shop, name: &str) {
    shop.replica = None;
    let path = shop.paths().archive().join(name);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle..middle + 40].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(&path, bytes).unwrap();
    shop.reopen();
}

#[test]
fn z5_a_damaged_file_is_named_and_the_rest_goes_on() {
    let mut shop = old_shop();
    move_all(&mut shop);
    for broken in ["bits", "footer", "gone"] {
        let path = shop.paths().archive().join("2026-11-21-g1.parquet");
        let good = fs::read(&path).unwrap();
        match broken {
            "bits" => spoil(&mut shop, "2026-11-21-g1.parquet"),
            "footer" => fs::write(&path, &good[..good.len() - 9]).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        shop.reopen();
        let archive = shop.replica().archive().clone();
        archive.prove_some(0, 8);
        assert!(archive.problems().iter().any(|problem| problem.contains("2026-11-21-g1")), "{broken}: named");
        assert_eq!(view(&mut shop, "four").status.clone(), view(&mut shop, "five").status, "{broken}: the other day");
        let found = problems(&mut shop);
        assert!(found.iter().any(|problem| problem.contains("2026-11-21-g1")), "{broken}: {found:?}");
        sell(&mut shop, &[broken]);
        if broken != "bits" {
            let refused = shop.replica().order(&id("one"));
            assert!(refused.is_err(), "{broken}: an order that cannot be read is no unknown order");
        }
        fs::write(&path, &good).unwrap();
        shop.reopen();
        assert!(shop.replica().archive().problems().is_empty());
    }
}

#[test]
fn z5_without_a_manifest_that_can_be_believed_nothing_is_written_or_removed() {
    let mut shop = old_shop();
    move_all(&mut shop);
    let path = shop.paths().archive().join(manifest::NAME);
    let good = fs::read_to_string(&path).unwrap();
    for bad in [None, Some(good.replace("\"rows\": 3", "\"rows\": 4")), Some("{".to_owned())] {
        match bad {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        shop.reopen();
        let archive = shop.replica().archive().clone();
        assert_eq!(archive.problems().len(), 1);
        assert!(!archive.make_ready().unwrap());
        assert!(shop.paths().archive().join("2026-11-21-g1.parquet").exists());
        let found = problems(&mut shop);
        assert!(found[0].contains("manifest"), "{found:?}");
    }
    fs::write(&path, good).unwrap();
    assert_eq!(problems(&mut shop), Vec::<String>::new());
}

#[test]
fn z7_the_check_finds_an_archive_that_disagrees_with_store_or_log() {
    let mut shop = old_shop();
    let terms = terms(&shop);
    let orders = ripe_orders(&mut shop, &terms);
    move_all(&mut shop);
    let archive = shop.replica().archive().clone();
    // The document of one order under the id of another, and one that nobody has placed.
    let swapped = Stored { id: orders[0].id, ..orders[1].clone() };
    archive.take_in(vec![swapped, Stored { id: id("ghost"), ..orders[1].clone() }], &terms.rule);
    let found = problems(&mut shop);
    assert!(found.iter().any(|problem| problem.contains(&id("ghost").to_string())), "{found:?}");
    assert!(found.iter().any(|problem| problem.contains(&orders[0].id.to_string())), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[tokio::test]
async fn z3_the_archiver_moves_what_may_go_and_begins_again_where_it_stopped() {
    let mut shop = old_shop();
    shop.close_days();
    shop.reopen();
    let archive = shop.replica().archive().clone();
    let mut first = shop.replica.take();
    let open = move || first.take().ok_or_else(|| crate::store::StoreError::Panicked("once".to_owned()));
    let store = crate::store::store_handle::StoreHandle::start(open, |_, _| {}, shop.clock.clone()).unwrap();
    let moved = archiver::run(&store, &archive, &terms(&shop), 0).await.unwrap();
    assert_eq!(moved.orders, 5);
    assert_eq!(archive.orders(), 5);
    assert_eq!(archiver::run(&store, &archive, &terms(&shop), 0).await.unwrap().orders, 0);
    let two = store.read(|replica, _| replica.order(&id("two"))).await.unwrap();
    assert!(two.is_some());
}
