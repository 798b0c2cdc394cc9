//! Drawers and their shifts.

use super::*;
use crate::testing::{Shop, Sibling, line, order};
use crate::till::day;
use crate::till::tender::{self, Tender, TenderRefusal};
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{OrderId, OriginId, PaymentId};
use pilotlight_sync::domain::payment::PaymentPhase;

fn begin(shop: &mut Shop, id: &str, drawer: &str, float_minor: i64) -> Result<ShiftView, ShiftRefusal> {
    let begin = Begin { shift: ShiftId::derived(&[id]), drawer: drawer.to_owned(), float_minor };
    shop.run(|replica, now| open(replica, now, Actor::System, begin))
}

fn moves(shop: &mut Shop, id: &str, amount_minor: i64, why: &str) -> Result<i64, ShiftRefusal> {
    let intent = IntentId::derived(&[id]);
    let moved = Move { shift: ShiftId::derived(&["one"]), intent, amount_minor, why: why.to_owned() };
    shop.run(|replica, _| move_cash(replica, Actor::System, moved)).map(|shift| shift.expected_minor())
}

fn end(shop: &mut Shop, id: &str, counted_minor: i64) -> Result<(i64, i64), ShiftRefusal> {
    let shift = ShiftId::derived(&[id]);
    let ended = shop.run(|replica, _| close(replica, Actor::System, shift, counted_minor))?;
    let end = ended.end.unwrap();
    Ok((end.counted_minor, end.expected_minor))
}

fn pay(shop: &mut Shop, name: &str, drawer: Option<&str>) -> Result<i64, TenderRefusal> {
    let tender =
        Tender { order: OrderId::derived(&["order"]), payment: PaymentId::derived(&[name]), amount_minor: 300 };
    let taken = shop.run(|replica, _| tender::plan_into(replica, Actor::System, tender, drawer));
    taken.map(|(_, order)| order.view.captured_minor)
}

#[test]
fn d6_a_drawer_has_one_open_shift_and_cash_names_it() {
    let mut shop = Shop::open();
    assert_eq!(begin(&mut shop, "one", " ", 0), Err(ShiftRefusal::Drawer));
    let negative = ShiftRefusal::Amount { field: "float_minor", amount_minor: -1 };
    assert_eq!(begin(&mut shop, "one", "front", -1), Err(negative));
    let shift = begin(&mut shop, "one", "front", 5_000).unwrap();
    assert_eq!(shift.opening.day, DayNumber(1), "the first shift opens the day");
    assert_eq!(begin(&mut shop, "one", "front", 5_000).as_ref(), Ok(&shift), "the same again");
    assert_eq!(begin(&mut shop, "one", "front", 1), Err(ShiftRefusal::SameIdOther { field: "float_minor" }));
    assert_eq!(begin(&mut shop, "two", "front", 0), Err(ShiftRefusal::DrawerOpen("front".to_owned())));
    shop.place(order("order", vec![line("l", "pizza", 1)])).unwrap();
    assert_eq!(pay(&mut shop, "first", None), Ok(300));
    assert_eq!(moves(&mut shop, "in", 1_000, "change from the bank"), Ok(6_300));
    for _ in 0..2 {
        assert_eq!(moves(&mut shop, "out", -2_000, "to the safe"), Ok(4_300), "once");
    }
    assert_eq!(
        moves(&mut shop, "out", -2_001, "to the safe"),
        Err(ShiftRefusal::SameIdOther { field: "amount_minor" })
    );
    assert_eq!(moves(&mut shop, "none", 5, " "), Err(ShiftRefusal::NoReason));
    begin(&mut shop, "bar", "bar", 0).unwrap();
    assert_eq!(pay(&mut shop, "second", None), Err(TenderRefusal::WhichDrawer));
    assert_eq!(pay(&mut shop, "second", Some("cellar")), Err(TenderRefusal::WhichDrawer));
    assert_eq!(pay(&mut shop, "second", Some("bar")), Ok(600));
    shop.reopen();
    for _ in 0..2 {
        assert_eq!(end(&mut shop, "one", 4_250), Ok((4_250, 4_300)), "50 are missing");
    }
    assert_eq!(end(&mut shop, "one", 4_300), Err(ShiftRefusal::Ended));
    assert_eq!(moves(&mut shop, "late", 5, "found"), Err(ShiftRefusal::Ended));
    assert!(begin(&mut shop, "two", "front", 4_250).is_ok());
}

#[test]
fn d6_a_shift_is_worked_at_its_own_node_until_that_has_ended() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let opening = Opening { drawer: "bar".to_owned(), node: bar.origin, day: DayNumber(1), float_minor: 700 };
    let shift = ShiftId::derived(&["one"]);
    bar.write(&mut shop, &[Change::Till(shift, TillFact::Opened(opening))]);
    assert_eq!(end(&mut shop, "one", 700), Err(ShiftRefusal::OtherNode("B".to_owned())));
    assert_eq!(moves(&mut shop, "in", 5, "found"), Err(ShiftRefusal::OtherNode("B".to_owned())));
    let own: OriginId = shop.replica().identity().origin;
    assert_ne!(own, bar.origin);
    shop.commit(&[Change::Fence(bar.origin)]);
    assert_eq!(begin(&mut shop, "two", "bar", 0), Err(ShiftRefusal::DrawerOpen("bar".to_owned())));
    assert_eq!(end(&mut shop, "one", 700), Ok((700, 700)));
}

#[test]
fn q4_d6_a_payment_that_two_owners_took_at_once_lies_in_one_drawer() {
    // The bar took the order over and was paid, and this node, which had not heard of it, too: by the clocks before that, or after.
    for (behind_ms, wanted) in [(0, (300, 0)), (30_000, (0, 300))] {
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "B");
        bar.behind_ms = behind_ms;
        begin(&mut shop, "one", "front", 0).unwrap();
        shop.place(order("order", vec![line("l", "pizza", 1)])).unwrap();
        shop.clock.advance(60_000);
        assert_eq!(pay(&mut shop, "cash", None), Ok(300));
        shop.clock.advance(1);
        let (order, payment) = (OrderId::derived(&["order"]), PaymentId::derived(&["cash"]));
        let (shift, phase) = (ShiftId::derived(&["bar"]), PaymentPhase::Captured);
        let opening = Opening { drawer: "bar".to_owned(), node: bar.origin, day: DayNumber(1), float_minor: 0 };
        let taken_over = OrderFact::TakenOver { term: 1, owner: bar.origin, upto: Some(0), why: "silent".into() };
        let there = [
            Change::Order(order, taken_over),
            Change::Till(shift, TillFact::Opened(opening)),
            Change::Order(order, OrderFact::Payment { payment, phase, amount_minor: 300 }),
            Change::Till(shift, TillFact::Taken { order, payment, amount_minor: 300 }),
        ];
        bar.write(&mut shop, &there);
        let expected = |shop: &Shop| {
            let in_drawer = |id: &str| shown(shop.replica.as_ref().unwrap(), &ShiftId::derived(&[id])).unwrap();
            (in_drawer("one").expected_minor(), in_drawer("bar").expected_minor())
        };
        assert_eq!(expected(&shop), wanted);
        shop.reopen();
        assert_eq!(expected(&shop), wanted, "read from the disk");
        assert_eq!(end(&mut shop, "one", wanted.0), Ok((wanted.0, wanted.0)));
        let counted = TillFact::Closed { counted_minor: wanted.1, expected_minor: wanted.1 };
        bar.write(&mut shop, &[Change::Till(shift, counted)]);
        let signed = shop.run(|replica, now| day::plan(replica, now, Actor::System, DayNumber(1))).unwrap();
        let report = signed.read().unwrap();
        let in_drawers: i64 = report.shifts.iter().map(|line| line.taken_minor).sum();
        assert_eq!((report.shifts.len(), in_drawers, report.totals.till_minor), (2, 300, 300));
    }
}
