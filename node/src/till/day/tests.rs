//! Days that are closed by a person, by the roll-over, and too early.

use super::*;
use crate::orders::place;
use crate::store::sled_store::SledStore;
use crate::testing::{EVENING, Shop, Sibling, line, order};
use crate::till::shifts;
use crate::till::tender::{self, Tender};
use ed25519_dalek::Signer;
use pilotlight_sync::doc::books::{Report, Totals};
use pilotlight_sync::doc::change::RawChange;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::id::{LineId, OrderId, PaymentId};
use pilotlight_sync::domain::payment::PaymentPhase;
use pilotlight_sync::store::Writes;
use std::collections::BTreeMap;

const HOUR: u64 = 3_600_000;

fn close(shop: &mut Shop, number: u32) -> Result<Report, CloseRefusal> {
    let signed = shop.run(|replica, now| plan(replica, now, Actor::System, DayNumber(number)))?;
    let key = shop.replica().identity().card().key;
    assert!(signed.is_signed_by(&key));
    Ok(signed.read().unwrap())
}

fn sell(shop: &mut Shop, name: &str) -> DayNumber {
    shop.place(order(name, vec![line(name, "cola", 1)])).unwrap();
    let id = OrderId::derived(&[name]);
    shop.replica().order(&id).unwrap().unwrap().view.number.clone().unwrap().0
}

fn pay(shop: &mut Shop, name: &str) {
    let (order, payment) = (OrderId::derived(&[name]), PaymentId::derived(&[name]));
    let tender = Tender { order, payment, amount_minor: 300 };
    shop.run(|replica, _| tender::plan(replica, Actor::System, tender)).unwrap();
}

fn due(shop: &mut Shop) -> Option<DayNumber> {
    let closed: Result<_, Infallible> = shop.run(plan_due);
    let Ok(closed) = closed;
    closed
}

#[test]
fn d3_d4_a_close_books_the_day_once_and_what_comes_later_is_late_for_it() {
    let mut shop = Shop::open();
    assert_eq!(close(&mut shop, 1), Err(CloseRefusal::NoDay));
    assert_eq!((sell(&mut shop, "one"), sell(&mut shop, "two")), (DayNumber(1), DayNumber(1)));
    pay(&mut shop, "one");
    assert_eq!(close(&mut shop, 2), Err(CloseRefusal::NotNext { next: DayNumber(1) }));
    let first = close(&mut shop, 1).unwrap();
    assert_eq!((first.totals.orders, first.totals.sales_minor, first.totals.till_minor), (2, 600, 300));
    assert_eq!(close(&mut shop, 1), Ok(first.clone()), "closed is closed");
    // The guest of the second order pays, and somebody else comes: it is the same evening and another day.
    pay(&mut shop, "two");
    assert_eq!(sell(&mut shop, "three"), DayNumber(2));
    let number = shop.replica().order(&OrderId::derived(&["three"])).unwrap().unwrap().view.number.clone().unwrap().1;
    assert!(number.ends_with("001"), "{number}");
    let second = close(&mut shop, 2).unwrap();
    assert_eq!((second.totals.orders, second.totals.till_minor), (1, 0));
    let [late] = second.late.as_slice() else { panic!("{second:?}") };
    assert_eq!((late.day, late.totals.till_minor, late.totals.orders), (DayNumber(1), 300, 0));
    shop.reopen();
    assert_eq!(close(&mut shop, 1), Ok(first), "a signed report never changes");
    assert_eq!(shop.replica().site().closable(), None);
}

#[test]
fn d3_a_day_that_nobody_closes_closes_six_hours_after_the_roll_over() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    // 04:00 in Berlin is nine hours after this evening's 19:00.
    shop.clock.set(EVENING.plus_ms(15 * HOUR - 1));
    assert_eq!(due(&mut shop), None);
    assert_eq!(sell(&mut shop, "breakfast"), DayNumber(2), "the roll-over begins a day, and closes none");
    shop.clock.set(EVENING.plus_ms(15 * HOUR));
    assert_eq!((due(&mut shop), due(&mut shop)), (Some(DayNumber(1)), None));
    let report = close(&mut shop, 1).unwrap();
    assert_eq!((report.by, report.totals.orders), (Actor::System, 1));
    assert_eq!(close(&mut shop, 2).unwrap().totals.orders, 1);
}

#[test]
fn d3_a_person_closes_no_day_with_a_shift_that_nobody_counted_and_the_roll_over_does() {
    let mut shop = Shop::open();
    let shift = shop.begin_shift("shift", "front", 1_000);
    sell(&mut shop, "one");
    pay(&mut shop, "one");
    let letter = shop.replica().identity().letter.clone();
    assert_eq!(close(&mut shop, 1), Err(CloseRefusal::ShiftOpen { drawer: "front".to_owned(), letter }));
    shop.clock.set(EVENING.plus_ms(16 * HOUR));
    assert_eq!(due(&mut shop), Some(DayNumber(1)));
    assert_eq!(close(&mut shop, 1).unwrap().shifts, []);
    shop.run(|replica, _| shifts::close(replica, Actor::System, shift, 1_290)).unwrap();
    sell(&mut shop, "two");
    let next = close(&mut shop, 2).unwrap();
    let [line] = next.shifts.as_slice() else { panic!("{next:?}") };
    let cash = (line.float_minor, line.taken_minor, line.expected_minor, line.counted_minor);
    assert_eq!((line.day, cash), (DayNumber(1), (1_000, 300, 1_300, 1_290)), "late for its day");
}

#[test]
fn s12_d5_one_node_closes_the_days_until_a_manager_names_another() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "0");
    sell(&mut shop, "one");
    let other = CloseRefusal::OtherKeeper { keeper: Some(bar.origin), letter: "0".to_owned() };
    assert_eq!(close(&mut shop, 1), Err(other.clone()), "its letter is the first");
    assert_eq!(close(&mut shop, 7), Err(other), "and it knows which day is the next");
    shop.clock.set(EVENING.plus_ms(40 * HOUR));
    assert_eq!(due(&mut shop), None);
    let own = shop.replica().identity().origin;
    let nobody = OriginId::derived(&["nobody"]);
    let name = |shop: &mut Shop, node| shop.run(|replica, _| plan_keeper(replica, Actor::System, node));
    assert_eq!(name(&mut shop, nobody), Err(KeeperRefusal::NoNode(nobody)));
    name(&mut shop, own).unwrap();
    let report = close(&mut shop, 1).unwrap();
    assert_eq!((report.node, report.keeper_version), (own, 1));
    // The former one had closed it too, and did not know.
    let theirs = Report { node: bar.origin, keeper_version: 0, ..report.clone() };
    let key = bar.key();
    bar.write(&mut shop, &[Change::DayClosed(SignedReport::sign(&theirs, |hash| key.sign(hash).to_bytes()))]);
    assert_eq!(close(&mut shop, 1), Ok(report));
    assert_eq!(shop.replica().site().days().map(|(_, day)| day.reports.len()).sum::<usize>(), 2, "both are kept");
}

#[test]
fn d5_a_close_that_is_said_again_to_the_next_keeper_books_nothing_twice() {
    // The bar keeps the days and closes the first; whether this node has heard of that before it closes it too, or after.
    for heard in [true, false] {
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "0");
        sell(&mut shop, "one");
        pay(&mut shop, "one");
        let (now, site) = (shop.clock.now(), shop.replica().site());
        let (books, day) = (site.books().clone(), site.closable().unwrap());
        let closing = gather(shop.replica(), day.number).unwrap();
        let theirs = closing.report(&books, day, (bar.origin, 0), Actor::System, now);
        let key = bar.key();
        let theirs = SignedReport::sign(&theirs, |hash| key.sign(hash).to_bytes());
        let mut tell = |shop: &mut Shop| bar.write(shop, &[Change::DayClosed(theirs.clone())]);
        if heard {
            tell(&mut shop);
        }
        let own = shop.replica().identity().origin;
        shop.run(|replica, _| plan_keeper(replica, Actor::System, own)).unwrap();
        let again = shop.run(|replica, now| plan(replica, now, Actor::System, DayNumber(1))).unwrap();
        assert_eq!(again == theirs, heard, "what is known is answered");
        if !heard {
            tell(&mut shop);
        }
        sell(&mut shop, "two");
        assert_eq!(close(&mut shop, 2).unwrap().late, []);
        let totals = shop.replica().site().books().reports().map(|booked| booked.report.totals);
        let all = totals.fold(Totals::default(), Totals::plus);
        assert_eq!((all.orders, all.sales_minor, all.till_minor), (2, 600, 300), "heard before: {heard}");
    }
}

#[test]
fn d4_a_close_books_what_its_own_group_has_not_flushed_yet() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    let (now, new) = (shop.clock.now(), order("two", vec![line("two", "cola", 1)]));
    let replica = shop.replica();
    let placed = place::plan(replica, now, Actor::System, new).unwrap_or_else(|_| panic!("it is there"));
    replica.commit(placed.by, now, &placed.changes).unwrap();
    let closing = plan(replica, now, Actor::System, DayNumber(1)).unwrap_or_else(|_| panic!("it is closable"));
    let [Change::DayClosed(signed)] = closing.changes.as_slice() else { panic!("{:?}", closing.changes) };
    assert_eq!(signed.read().unwrap().totals.orders, 2);
}

#[test]
fn d4_a_report_claims_nothing_that_was_not_understood_where_it_was_made() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    sell(&mut shop, "one");
    let paid = |name: &str, amount_minor| {
        let (payment, phase) = (PaymentId::derived(&[name]), PaymentPhase::Captured);
        Change::Order(OrderId::derived(&["one"]), OrderFact::Payment { payment, phase, amount_minor })
    };
    bar.write(&mut shop, &[paid("before", 100)]);
    // Of a later version: what happened to an order is not understood here, and beside and after it there is what is.
    let unknown = |kind| Change::Unknown(RawChange { kind, body: vec![0xff].into() });
    bar.write(&mut shop, &[unknown(1), paid("beside", 20)]);
    bar.write(&mut shop, &[paid("after", 3)]);
    let first = close(&mut shop, 1).unwrap();
    assert_eq!((first.totals.till_minor, first.totals.sales_minor), (100, 300));
    let of_bar = |report: &Report| report.seen.iter().find(|seen| seen.origin == bar.origin).map(|seen| seen.seq);
    assert_eq!(of_bar(&first), Some(2), "its card and the first payment");
    sell(&mut shop, "two");
    let second = close(&mut shop, 2).unwrap();
    assert_eq!((second.late.len(), of_bar(&second)), (0, Some(2)), "as long as it is not understood");
    assert_eq!(shop.replica().state().held().collect::<Vec<_>>(), [bar.origin]);
    // What cannot be booked yet no close looks for.
    let after = |name: &str| bar.write(&mut shop, &[paid(name, 3)]);
    ["a", "b", "c"].into_iter().for_each(after);
    assert_eq!(gather(shop.replica(), DayNumber(3)).unwrap().looked(), 0);
}

#[test]
fn d3_what_is_not_understood_and_has_no_amounts_keeps_no_sale_from_the_books() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    sell(&mut shop, "one");
    let paid = |name: &str, amount_minor| {
        let (payment, phase) = (PaymentId::derived(&[name]), PaymentPhase::Captured);
        Change::Order(OrderId::derived(&["one"]), OrderFact::Payment { payment, phase, amount_minor })
    };
    // A kind of a later version, a menu item of one, and a report.
    for kind in [60_000, 10, 41] {
        bar.write(&mut shop, &[Change::Unknown(RawChange { kind, body: vec![0xff].into() }), paid("beside", 20)]);
    }
    bar.write(&mut shop, &[paid("after", 3)]);
    assert_eq!((shop.replica().state().unread_commits(), shop.replica().state().held().count()), (3, 0));
    let first = close(&mut shop, 1).unwrap();
    let of_bar = first.seen.iter().find(|seen| seen.origin == bar.origin).map(|seen| seen.seq);
    assert_eq!((first.totals.till_minor, of_bar), (23, Some(5)));
}

#[test]
fn d3_where_the_clock_is_ahead_of_all_others_no_day_closes_by_itself_and_never_two_at_once() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    sell(&mut shop, "one");
    let opens = |number| Change::Day(Day { number: DayNumber(number), date: 20_261_121 });
    let told = |shop: &mut Shop| {
        let (now, day) = (shop.clock.now(), shop.replica().site().closable().unwrap());
        closes_at(shop.replica(), now, &day)
    };
    assert_eq!(told(&mut shop), Some(EVENING.plus_ms(15 * HOUR)));
    // Our clock is a day ahead; the bar goes on with the evening.
    shop.clock.set(EVENING.plus_ms(24 * HOUR));
    bar.write_at(&mut shop, EVENING.plus_ms(1), &[opens(1)]);
    assert_eq!((due(&mut shop), told(&mut shop)), (None, Some(EVENING.plus_ms(39 * HOUR - 1))));
    // A person may all the same; and the bar begins the next.
    close(&mut shop, 1).unwrap();
    bar.write_at(&mut shop, EVENING.plus_ms(2), &[opens(2)]);
    // What was heard this morning says nothing of a clock that was set since.
    shop.clock.advance(6 * HOUR + 1);
    assert_eq!(due(&mut shop), None, "six hours after a close");
    shop.clock.advance(6 * HOUR);
    assert_eq!(due(&mut shop), Some(DayNumber(2)));
    bar.write(&mut shop, &[opens(3)]);
    assert_eq!(due(&mut shop), None);
    shop.clock.advance(12 * HOUR);
    assert_eq!(due(&mut shop), Some(DayNumber(3)));
}

#[test]
fn d3_a_clock_that_is_behind_puts_a_close_off_for_a_day_at_most_and_a_backlog_does_not() {
    let opens = || [Change::Day(Day { number: DayNumber(1), date: 20_261_121 })];
    let told = |shop: &mut Shop| {
        let (now, day) = (shop.clock.now(), shop.replica().site().closable().unwrap());
        closes_at(shop.replica(), now, &day)
    };
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    sell(&mut shop, "one");
    // The bar's clock says the time of elsewhere.
    shop.clock.set(EVENING.plus_ms(14 * HOUR));
    bar.write_at(&mut shop, EVENING.plus_ms(12 * HOUR), &opens());
    assert_eq!(told(&mut shop), Some(EVENING.plus_ms(17 * HOUR)));
    // It stands still.
    shop.clock.set(EVENING.plus_ms(100 * HOUR));
    bar.write_at(&mut shop, EVENING.plus_ms(12 * HOUR), &opens());
    let overdue = |shop: &mut Shop| overdue(shop.replica().site(), EVENING.plus_ms(100 * HOUR));
    assert_eq!((told(&mut shop), overdue(&mut shop)), (Some(EVENING.plus_ms(39 * HOUR)), Some(DayNumber(1))));
    assert_eq!((due(&mut shop), overdue(&mut shop)), (Some(DayNumber(1)), None));

    // What was sold in the evening comes in the morning.
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    sell(&mut shop, "one");
    shop.clock.set(EVENING.plus_ms(15 * HOUR));
    bar.write_at(&mut shop, EVENING.plus_ms(60_000), &opens());
    assert_eq!(due(&mut shop), None, "one commit may be of a clock that is behind");
    bar.write_at(&mut shop, EVENING.plus_ms(120_000), &opens());
    assert_eq!(due(&mut shop), Some(DayNumber(1)));
}

#[test]
fn d3_what_the_relay_or_two_others_contradict_closes_no_day_that_runs_however_far_ahead() {
    use crate::testing::dough;
    use pilotlight_sync::crdt::counter::Row;
    let joined: [fn(&mut Shop) -> Vec<Sibling>; 3] = [
        |shop| vec![Sibling::join(shop, "B")],
        |shop| vec![Sibling::join(shop, "B"), Sibling::join(shop, "C")],
        |shop| vec![Sibling::relay(shop)],
    ];
    for (join, closed) in joined.into_iter().zip([Some(DayNumber(1)), None, None]) {
        let mut shop = Shop::open();
        let mut others = join(&mut shop);
        sell(&mut shop, "one");
        // Our clock is 40 hours ahead: by it the day was over yesterday. The others go on with the evening.
        shop.clock.set(EVENING.plus_ms(40 * HOUR));
        for other in &mut others {
            other.write_at(&mut shop, EVENING.plus_ms(1), &[Change::Stock(dough(), Row::default())]);
        }
        assert_eq!(due(&mut shop), closed, "one other may be wrong itself");
        // In the morning, six hours after the end of the day, it closes by itself.
        shop.clock.advance(15 * HOUR);
        for other in &mut others {
            other.write_at(&mut shop, EVENING.plus_ms(15 * HOUR), &[Change::Stock(dough(), Row::default())]);
        }
        assert_eq!(due(&mut shop).or(closed), Some(DayNumber(1)));
    }
}

#[test]
fn d2_a_date_years_ahead_goes_with_the_next_morning_or_with_a_close() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    let years = 3 * 365 * 24 * HOUR;
    let dates = |shop: &mut Shop| shop.replica().site().days_from(DayNumber(1)).map(|day| day.date).collect::<Vec<_>>();
    shop.clock.set(EVENING.plus_ms(years));
    assert_eq!(sell(&mut shop, "ahead"), DayNumber(2));
    // The clock is set right in the morning.
    shop.clock.set(EVENING.plus_ms(12 * HOUR));
    assert_eq!((sell(&mut shop, "right"), sell(&mut shop, "again")), (DayNumber(3), DayNumber(3)));
    assert_eq!(dates(&mut shop), [20_261_121, 20_291_120, 20_261_122]);
    shop.clock.set(EVENING.plus_ms(39 * HOUR));
    let all = [DayNumber(1), DayNumber(2), DayNumber(3)];
    for number in all {
        assert_eq!(due(&mut shop), Some(number));
        shop.clock.advance(12 * HOUR);
    }
    // Where nothing was before it nobody knows whose clock is wrong, until a person closes the day.
    let mut shop = Shop::open();
    shop.clock.set(EVENING.plus_ms(years));
    sell(&mut shop, "ahead");
    shop.clock.set(EVENING);
    assert_eq!(sell(&mut shop, "right"), DayNumber(1));
    close(&mut shop, 1).unwrap();
    assert_eq!((sell(&mut shop, "next"), dates(&mut shop)), (DayNumber(2), vec![20_291_120, 20_261_121]));
}

#[test]
fn d4_a_close_looks_at_orders_of_which_something_came_since_the_last_one_and_at_no_others() {
    let mut shop = Shop::open();
    let looked = |shop: &mut Shop, number| {
        let closing = gather(shop.replica(), DayNumber(number)).unwrap();
        let (totals, late, _) = closing.gathered();
        (closing.looked(), totals.orders, late.len())
    };
    for number in 1..=8_u32 {
        for n in 1..=20 {
            sell(&mut shop, &format!("{number} {n}"));
        }
        // One guest of yesterday pays, and two of today.
        if number > 1 {
            pay(&mut shop, &format!("{} 7", number - 1));
        }
        (1..=2).for_each(|n| pay(&mut shop, &format!("{number} {n}")));
        let late = usize::from(number > 1);
        assert_eq!(looked(&mut shop, number), (20 + late, 20, late), "day {number}");
        close(&mut shop, number).unwrap();
        assert_eq!(looked(&mut shop, number + 1), (0, 0, 0), "and nothing is left");
    }
    // Somebody else's day has begun before this one was closed: its order waits, and is found then.
    let mut bar = Sibling::join(&mut shop, "B");
    sell(&mut shop, "nine");
    let nine = shop.replica().order(&OrderId::derived(&["nine"])).unwrap().unwrap();
    let placed = nine.doc.in_order().into_iter().find(|fact| matches!(fact.what, OrderFact::Placed(_))).unwrap();
    let (ten, opens) = (OrderId::derived(&["ten"]), Day { number: DayNumber(10), date: 20_261_121 });
    let sent = OrderFact::Sent { day: opens.number, letter: "B".into(), counter: 1 };
    bar.write(&mut shop, &[Change::Day(opens), Change::Order(ten, placed.what.clone()), Change::Order(ten, sent)]);
    assert_eq!(close(&mut shop, 9).unwrap().totals.orders, 1);
    assert_eq!(looked(&mut shop, 10), (1, 1, 0));
}

#[test]
fn d4_two_closes_in_one_group_miss_no_order_of_the_second_day() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    let one = shop.replica().order(&OrderId::derived(&["one"])).unwrap().unwrap();
    let placed = one.doc.in_order().into_iter().find(|fact| matches!(fact.what, OrderFact::Placed(_))).unwrap();
    let (two, opens) = (OrderId::derived(&["two"]), Day { number: DayNumber(2), date: 20_261_121 });
    let sent = OrderFact::Sent { day: opens.number, letter: "A".into(), counter: 1 };
    let (now, replica) = (shop.clock.now(), shop.replica());
    let next = [Change::Day(opens), Change::Order(two, placed.what.clone()), Change::Order(two, sent)];
    replica.commit(Actor::System, now, &next).unwrap();
    for number in [1, 2] {
        let closing = plan(replica, now, Actor::System, DayNumber(number)).unwrap_or_else(|_| panic!("it is closable"));
        let [Change::DayClosed(signed)] = closing.changes.as_slice() else { panic!("{:?}", closing.changes) };
        assert_eq!(signed.read().unwrap().totals.orders, 1, "day {number}");
        replica.commit(Actor::System, now, &closing.changes).unwrap();
    }
    replica.flush().unwrap();
}

#[test]
fn d4_an_order_that_cannot_be_read_is_booked_as_the_logs_tell_it() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    sell(&mut shop, "two");
    assert_eq!(close(&mut shop, 1).unwrap().totals.orders, 2);
    // Nothing more is expected of it, and it lies too far back to be compared with the log at boot.
    let two = OrderId::derived(&["two"]);
    let gone = OrderFact::Cancelled { why: "gone".into() };
    let seen = OrderFact::LineSeen { line: LineId::derived(&["two"]) };
    shop.commit(&[Change::Order(two, gone), Change::Order(two, seen)]);
    let (now, again) = (shop.clock.now(), Change::Day(Day { number: DayNumber(1), date: 20_261_121 }));
    (0..600).for_each(|_| shop.replica().commit(Actor::System, now, std::slice::from_ref(&again)).unwrap());
    shop.replica().flush().unwrap();
    shop.replica = None;
    let mut store = SledStore::open(&shop.paths().store()).unwrap();
    let docs = BTreeMap::from([(DocKey::Order(two), vec![0xff])]);
    store.commit_and_forget(&Writes { docs, ..Writes::default() }, &BTreeMap::new()).unwrap();
    drop(store);
    shop.reopen();
    assert!(shop.replica().order(&two).is_err(), "its document is damaged");
    sell(&mut shop, "three");
    let second = close(&mut shop, 2).unwrap();
    let [late] = second.late.as_slice() else { panic!("{second:?}") };
    let late = (late.totals.orders, late.totals.cancelled, late.totals.sales_minor);
    assert_eq!((late, second.totals.orders), ((-1, 1, -300), 1));
    assert!(shop.replica().order(&two).is_err(), "its document is as it was");
}

#[test]
fn d6_of_old_shifts_neither_a_close_nor_the_till_takes_notice() {
    let mut shop = Shop::open();
    for number in 1..=5_u32 {
        for n in 1..=3 {
            let shift = shop.begin_shift(&format!("{number} {n}"), "front", 1_000);
            shop.run(|replica, _| shifts::close(replica, Actor::System, shift, 1_000)).unwrap();
        }
        let site = shop.replica().site();
        assert_eq!((site.unlisted_shifts().count(), site.shifts_of(DayNumber(number)).count()), (3, 3));
        assert_eq!(close(&mut shop, number).unwrap().shifts.len(), 3);
        assert_eq!(shop.replica().site().unlisted_shifts().count(), 0);
        shop.reopen();
        let site = shop.replica().site();
        assert_eq!((site.unlisted_shifts().count(), site.shifts_of(DayNumber(number)).count()), (0, 3));
    }
}
