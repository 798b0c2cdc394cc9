//! A shop and a second node of its site: who decides about whose orders.

use super::*;
use crate::inventory::share;
use crate::orders::cancel::{self, CancelRefusal};
use crate::orders::returns;
use crate::testing::{Shop, Sibling, dough, line, order};
use crate::till::tender::{self, Tender, TenderRefusal};
use pilotlight_sync::crdt::counter::Row;
use pilotlight_sync::domain::id::{IntentId, LineId, PaymentId};

fn take_over(shop: &mut Shop, id: OrderId, why: &str) -> Result<u32, TakeOverRefusal> {
    shop.run(|replica, _| plan(replica, Actor::System, id, why)).map(|order| order.live.view.term)
}

fn cancel(shop: &mut Shop, id: OrderId) -> Result<bool, CancelRefusal> {
    let done = shop.run(|replica, _| cancel::plan(replica, Actor::System, id, "no oven", None));
    done.map(|order| order.live.view.cancelled.is_some())
}

fn pay(shop: &mut Shop, id: OrderId) -> Result<i64, TenderRefusal> {
    let tender = Tender { order: id, payment: PaymentId::derived(&["cash"]), amount_minor: 300 };
    shop.run(|replica, _| tender::plan(replica, Actor::System, tender)).map(|(_, order)| order.view.captured_minor)
}

/// An order that the other node took: the facts of one that was placed here, under that node's name.
fn theirs(shop: &mut Shop, sibling: &mut Sibling, name: &str) -> OrderId {
    shop.place(order(name, vec![line(name, "cola", 1)])).unwrap();
    let placed = shop.replica().order(&OrderId::derived(&[name])).unwrap().unwrap();
    let id = OrderId::derived(&[name, "theirs"]);
    let facts = placed.doc.in_order();
    let changes: Vec<Change> = facts.iter().map(|fact| Change::Order(id, fact.what.clone())).collect();
    sibling.write(shop, &changes);
    id
}

#[test]
fn q4_only_the_owner_decides_until_a_manager_takes_the_order_over() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let id = theirs(&mut shop, &mut bar, "one");
    assert_eq!(cancel(&mut shop, id), Err(CancelRefusal::OtherNode("B".into())));
    assert_eq!(pay(&mut shop, id), Err(TenderRefusal::OtherNode("B".into())));
    assert_eq!(take_over(&mut shop, id, "  "), Err(TakeOverRefusal::Why));
    assert_eq!(
        take_over(&mut shop, OrderId::derived(&["none"]), "x"),
        Err(TakeOverRefusal::UnknownOrder(OrderId::derived(&["none"])))
    );
    assert_eq!(take_over(&mut shop, id, "the bar is silent"), Ok(1));
    assert_eq!(take_over(&mut shop, id, "the bar is silent"), Ok(1), "once");
    assert_eq!(pay(&mut shop, id), Ok(300));
    // The bar was only cut off: what it decides now decides nothing.
    bar.write(&mut shop, &[Change::Order(id, OrderFact::Cancelled { why: "closed".into() })]);
    assert!(shop.replica().order(&id).unwrap().unwrap().view.cancelled.is_none());
    assert_eq!(cancel(&mut shop, id), Ok(true));
    assert_eq!(take_over(&mut shop, id, "again"), Ok(1));
}

#[test]
fn q4_what_a_fenced_node_owned_goes_to_the_one_that_has_its_letter() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let id = theirs(&mut shop, &mut bar, "one");
    let mut again = Sibling::join(&mut shop, "BQX");
    again.write(&mut shop, &[Change::Fence(bar.origin)]);
    assert_eq!(cancel(&mut shop, id), Err(CancelRefusal::OtherNode("B".into())), "the bar has begun anew");
    again.write(&mut shop, &[Change::Fence(again.origin)]);
    assert_eq!(cancel(&mut shop, id), Ok(true), "nobody else is left");
}

#[test]
fn s3_what_another_node_cancels_or_voids_comes_back_to_the_row_that_paid_once() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    shop.place(order("one", vec![line("a", "pizza", 1), line("b", "pizza", 2)])).unwrap();
    let id = OrderId::derived(&["one"]);
    assert_eq!(shop.rights(), 400);
    let (intent, gone) = (IntentId::derived(&["void"]), LineId::derived(&["a"]));
    bar.write(&mut shop, &[Change::Order(id, OrderFact::LineVoided { intent, line: gone, why: "burnt".into() })]);
    for _ in 0..2 {
        for changes in returns::commits(shop.replica()) {
            shop.commit(&changes);
        }
        assert_eq!(shop.rights(), 600);
    }
    assert_eq!(cancel(&mut shop, id), Ok(true));
    assert_eq!((shop.rights(), returns::commits(shop.replica())), (1_000, vec![]));
}

#[test]
fn s7_another_node_gets_a_share_of_each_delivery_and_more_when_it_asks() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let first = share::first_shares(shop.replica());
    shop.commit(&first);
    assert_eq!((shop.rights(), share::first_shares(shop.replica())), (750, vec![]), "once");
    let wishes = [(dough(), 10_000)];
    let more = share::plan(shop.replica(), bar.origin, &wishes).unwrap().changes;
    shop.commit(&more);
    assert_eq!(shop.rights(), 375, "half of what is left");
    let site = shop.replica().site();
    assert_eq!(site.sellable(&dough(), &bar.origin), Some(625));
    // What the bar was given it does not give on unasked; here that would be our row.
    let given = Row { given: [(shop.replica().identity().origin, 25)].into(), ..Row::default() };
    bar.write(&mut shop, &[Change::Stock(dough(), given)]);
    assert_eq!(shop.rights(), 400);
    let stranger = OriginId::derived(&["nobody"]);
    assert_eq!(share::plan(shop.replica(), stranger, &wishes).unwrap().changes, vec![]);
    let lines = [line("a", "pizza", 3)];
    assert_eq!(share::wishes(shop.replica(), &lines), vec![(dough(), 400)], "twice what is short");
}

#[test]
fn q4_an_order_that_was_handed_over_is_taken_over_while_money_is_due_or_its_owner_is_asked() {
    use pilotlight_sync::domain::asked::Asked;
    use pilotlight_sync::domain::ticket::TicketPhase;
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let id = theirs(&mut shop, &mut bar, "one");
    let tickets = shop.replica().order(&id).unwrap().unwrap().view.tickets.clone();
    for (ticket, now) in tickets {
        let phase = OrderFact::Phase { ticket, epoch: now.epoch, phase: TicketPhase::HandedOver };
        bar.write(&mut shop, &[Change::Order(id, phase)]);
    }
    assert_eq!(shop.replica().order(&id).unwrap().unwrap().view.status, Status::Completed);
    assert_eq!((take_over(&mut shop, id, "the bar is dark"), pay(&mut shop, id)), (Ok(1), Ok(300)));
    let back = OrderFact::TakenOver { term: 2, owner: bar.origin, upto: Some(u64::MAX), why: "x".into() };
    bar.write(&mut shop, &[Change::Order(id, back)]);
    assert_eq!(take_over(&mut shop, id, "again"), Err(TakeOverRefusal::Finished(Status::Completed)), "it is paid");
    let what = Asked::Cancel { why: "guest left".into() };
    shop.run(|replica, _| crate::orders::asked::ask(replica, Actor::System, id, what)).unwrap();
    assert_eq!(take_over(&mut shop, id, "it does not answer"), Ok(3));
    let last = OrderFact::TakenOver { term: u32::MAX, owner: bar.origin, upto: None, why: "x".into() };
    bar.write(&mut shop, &[Change::Order(id, last)]);
    assert_eq!(take_over(&mut shop, id, "again"), Err(TakeOverRefusal::TooOften));
}
