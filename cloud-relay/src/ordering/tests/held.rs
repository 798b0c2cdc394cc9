//! Orders during an outage: held with an expiry, cancelled free, released when the restaurant is back.

use crate::ordering::desk::PlaceRefusal;
use crate::payments::sandbox::faults::Faults;
use crate::store::terms::{self, Terms};
use crate::testing::{Market, ada, cart, line, request};
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::CommercialPhase;

const MINUTE: u64 = 60_000;

#[tokio::test]
async fn b3_orders_of_a_restaurant_that_is_away_are_held_and_expire() {
    let mut market = Market::open(Faults::default()).await;
    let before = market.order("before").await;
    market.clock.advance(MINUTE);
    market.cut().await;
    let during = market.order("during").await;
    for order in [before, during] {
        let kept = market.seen(&order).await.kept;
        assert!(kept.held);
        // Told so, with its expiry: ten minutes from the cut, or from the order.
        assert!(kept.expires_at.ms_since(market.clock.now()) > 9 * MINUTE);
    }
    market.clock.advance(10 * MINUTE);
    market.app.desk.sweep().await.unwrap();
    market.effects().await;
    for order in [before, during] {
        let view = market.view(&order).await;
        assert_eq!((view.status, view.commercial), (Status::Cancelled, Some(CommercialPhase::CancelledEarly)));
        assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done", "void done"]);
    }
    assert_eq!(market.rights().await, 600, "the stock came back");
    // An acceptance that was on the way comes too late.
    market.connect();
    market.node_says(before, OrderFact::Accepted).await;
    market.effects().await;
    assert_eq!(market.view(&before).await.commercial, Some(CommercialPhase::CancelledEarly));
    assert_eq!(market.rights().await, 600, "and only once");
    assert_eq!(market.app.desk.sweep().await.unwrap(), 0, "nothing is left to look after");
}

#[tokio::test]
async fn b3_held_orders_are_released_when_the_restaurant_is_back_and_made() {
    let mut market = Market::open(Faults::default()).await;
    market.cut().await;
    let order = market.order("held").await;
    market.clock.advance(9 * MINUTE);
    market.connect();
    market.app.desk.release(&market.site).await.unwrap();
    let kept = market.seen(&order).await.kept;
    assert!(!kept.held && kept.released_at == Some(market.clock.now()));
    // It has time to be accepted again.
    market.clock.advance(4 * MINUTE);
    market.app.desk.sweep().await.unwrap();
    market.cook(order).await;
    let view = market.view(&order).await;
    assert_eq!((view.status, view.captured_minor), (Status::OrderConfirmed, 1_470));
    assert_eq!(view.number.map(|(_, number)| number).as_deref(), Some("A001"));
}

#[tokio::test]
async fn b3_an_acceptance_that_comes_with_the_first_batch_releases_too() {
    let mut market = Market::open(Faults::default()).await;
    market.cut().await;
    let order = market.order("held").await;
    market.node_says(order, OrderFact::Accepted).await;
    let kept = market.seen(&order).await.kept;
    assert!(!kept.held && kept.released_at.is_some());
    assert_eq!(market.view(&order).await.status, Status::OrderConfirmed);
}

#[tokio::test]
async fn b3_a_restaurant_that_takes_no_held_orders_is_closed_and_a_killed_relay_holds_what_it_left() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("left").await;
    market.restart().await;
    market.app.desk.hold(&market.site).await.unwrap();
    assert!(market.seen(&order).await.kept.held, "until its node is back");
    let terms = Terms { accepts_held: false, ..terms::of(&market.app.database, &market.node.site).await.unwrap() };
    let mut tx = market.app.database.begin().await.unwrap();
    terms::set(&mut tx, &market.node.site, &terms).await.unwrap();
    tx.commit().await.unwrap();
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    let refused = market.app.desk.place(&market.site, ada(), request("x", &quote, "tok_ok")).await;
    assert!(matches!(refused, Err(PlaceRefusal::Closed(_))));
}
