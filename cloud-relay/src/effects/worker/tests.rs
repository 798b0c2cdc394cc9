//! The worker with a gateway that is out of order.

use crate::effects::retry::TRIES_MAX;
use crate::ordering::desk::Placed;
use crate::payments::sandbox::faults::Faults;
use crate::store::checkouts::CheckoutState;
use crate::store::effects::{self, EffectState};
use crate::testing::{Market, ada, cart, line, request};
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::id::OrderId;

#[tokio::test]
async fn a2_a_gateway_that_never_answers_parks_the_effect_and_the_next_start_tries_again() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    market.gateway.dial(&Faults { lost_request_share: 1.0, ..Faults::default() }).await;
    market.node_says(order, OrderFact::Accepted).await;
    for _ in 0..10_000 {
        market.some_effects().await;
        // What waits for the breaker or for its next try is brought forward.
        market.clock.advance(30_000);
        if effects::count_open(&market.app.database).await.unwrap().1 == 1 {
            break;
        }
    }
    let rows = effects::of_order(&market.app.database, &order).await.unwrap();
    let capture = rows.last().unwrap();
    assert_eq!((capture.state, capture.tries), (EffectState::Parked, TRIES_MAX));
    assert_eq!(market.view(&order).await.captured_minor, 0);
    market.gateway.dial(&Faults::default()).await;
    market.restart().await;
    market.effects().await;
    assert_eq!(market.view(&order).await.captured_minor, 1_470);
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done", "capture 1470 done"]);
}

#[tokio::test]
async fn a2_effects_of_one_payment_are_done_in_the_order_of_their_causes() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    market.node_says(order, OrderFact::Accepted).await;
    // The restaurant cancels before the money was even taken.
    market.node_says(order, OrderFact::Cancelled { why: "no oven".into() }).await;
    let first = market.worker.claim(32).await.unwrap();
    let kinds: Vec<&str> = first.iter().map(|claimed| claimed.effect.id.kind.word()).collect();
    assert_eq!(kinds, ["capture"], "the refund waits for it");
    for claimed in first {
        market.worker.one(claimed).await;
    }
    market.effects().await;
    let executed = market.gateway.executed(&order).await;
    assert_eq!(executed, ["authorise 1470 done", "capture 1470 done", "refund 1470 done"]);
}

#[tokio::test]
async fn a3_a_gateway_that_is_away_is_left_alone_and_the_customer_is_asked_to_wait() {
    let market = Market::open(Faults { lost_request_share: 1.0, ..Faults::default() }).await;
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    let request = request("one", &quote, "tok_ok");
    let placing = market.app.desk.place(&market.site, ada(), request.clone());
    let trying = async {
        while market.gateway.struck().await["requests"].as_u64() < Some(4) {
            market.some_effects().await;
        }
    };
    tokio::select! {
        placed = placing => panic!("{placed:?}"),
        () = trying => {}
    }
    let checkout = market.app.desk.checkout(ada(), &request.order).await.unwrap().unwrap();
    assert_eq!(checkout.state, CheckoutState::Paying);
    market.gateway.dial(&Faults::default()).await;
    assert!(market.place(request).await.is_ok());
    let order = OrderId::derived(&["one"]);
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done"]);
}

#[tokio::test]
async fn a6_many_effects_at_once_do_not_wait_for_each_other() {
    let market = Market::open(Faults { latency_ms: 20, ..Faults::default() }).await;
    market.app.start_tasks();
    let place = async |name: String| {
        let quote = market.quote(cart(vec![line(&name, "cola", 1)])).await.unwrap();
        market.app.desk.place(&market.site, ada(), request(&name, &quote, "tok_ok")).await
    };
    // More than are under way at once, over the one connection that writes.
    let all = futures_util::future::join_all((0..60).map(|n| place(format!("cola {n}")))).await;
    assert!(all.iter().all(|placed| matches!(placed, Ok(Placed::Now(_)))), "{all:?}");
    assert_eq!(market.gateway.journal().await.len(), 60);
}
