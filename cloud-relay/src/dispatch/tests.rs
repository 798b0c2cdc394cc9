//! Offers and deliveries on real tables, with real orders.

use crate::dispatch::desk::{RiderRefusal, RiderStep};
use crate::dispatch::round::OFFER_MS;
use crate::payments::sandbox::faults::Faults;
use crate::store::deliveries::DeliveryState;
use crate::store::site_tx::WorkError;
use crate::testing::Market;
use pilotlight_sync::domain::id::{OrderId, RiderId};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::ticket::TicketPhase;

async fn step(market: &Market, rider: RiderId, order: OrderId, step: RiderStep) -> Result<(), WorkError<RiderRefusal>> {
    market.app.riders.step(rider, order, step).await
}

async fn asked(market: &Market, order: &OrderId) -> Option<RiderId> {
    let (delivery, rider) = market.app.riders.of_order(order).await.unwrap()?;
    rider.filter(|_| delivery.state == DeliveryState::Offered).map(|rider| rider.id)
}

#[tokio::test]
async fn u4_who_does_not_answer_or_says_no_is_passed_over_and_the_one_who_accepts_brings_it() {
    let mut market = Market::open(Faults::default()).await;
    let [near, mid, far] = [("near", 0.001), ("mid", 0.005), ("far", 0.01)];
    let near = market.rider(near.0, near.1).await;
    let mid = market.rider(mid.0, mid.1).await;
    let far = market.rider(far.0, far.1).await;
    let order = market.order("one").await;
    assert_eq!(market.app.riders.round().await.unwrap(), 0, "not before it is confirmed");
    market.cook(order).await;
    assert_eq!(market.app.riders.round().await.unwrap(), 0, "not while it has just begun");
    market.oven(order, TicketPhase::Ready).await;
    assert_eq!(market.app.riders.round().await.unwrap(), 1);
    assert_eq!(asked(&market, &order).await, Some(near));
    assert_eq!(market.app.riders.round().await.unwrap(), 0, "one is asked at a time");
    let (_, task) = market.app.riders.task(&near).await.unwrap().unwrap();
    assert_eq!(task.unwrap().delivery.order, order);
    market.clock.advance(OFFER_MS);
    market.app.riders.round().await.unwrap();
    assert_eq!(asked(&market, &order).await, Some(mid));
    let late = step(&market, near, order, RiderStep::Accept).await;
    assert!(matches!(late, Err(WorkError::Refused(RiderRefusal::Lapsed))));
    step(&market, mid, order, RiderStep::Decline).await.unwrap();
    market.app.riders.round().await.unwrap();
    assert_eq!(asked(&market, &order).await, Some(far));
    for _ in 0..2 {
        step(&market, far, order, RiderStep::Accept).await.unwrap();
    }
    let stranger = step(&market, near, order, RiderStep::PickedUp).await;
    assert!(matches!(stranger, Err(WorkError::Refused(RiderRefusal::NotYours))));
    for (taken, word) in [
        (RiderStep::AtStore, Status::ReadyForPickup),
        (RiderStep::PickedUp, Status::OutForDelivery),
        (RiderStep::Delivered, Status::Completed),
    ] {
        step(&market, far, order, taken).await.unwrap();
        assert_eq!(market.view(&order).await.status, word);
    }
    let (_, task) = market.app.riders.task(&far).await.unwrap().unwrap();
    assert!(task.is_none(), "free again");
}

#[tokio::test]
async fn u1_two_orders_of_a_restaurant_are_one_trip_that_is_taken_and_brought_together() {
    let mut market = Market::open(Faults::default()).await;
    let rider = market.rider("ria", 0.001).await;
    let mut orders = Vec::new();
    for name in ["one", "two"] {
        let order = market.order(name).await;
        market.cook(order).await;
        market.oven(order, TicketPhase::Ready).await;
        orders.push(order);
    }
    let task = async |market: &Market| market.app.riders.task(&rider).await.unwrap().unwrap().1;
    let states = async |market: &Market| {
        let mut states = Vec::new();
        for order in &orders {
            states.push(market.app.riders.of_order(order).await.unwrap().unwrap().0.state);
        }
        states
    };
    assert_eq!(market.app.riders.round().await.unwrap(), 1, "one rider is asked once");
    assert_eq!(task(&market).await.unwrap().trip.len(), 2);
    let (delivery, _) = market.app.riders.of_order(&orders[1]).await.unwrap().unwrap();
    let why = delivery.why.unwrap();
    assert!(why.contains(" to ria: at Trattoria by ") && why.ends_with("nobody else is free"), "{why}");
    step(&market, rider, orders[1], RiderStep::Decline).await.unwrap();
    assert_eq!(states(&market).await, [DeliveryState::Waiting; 2]);
    assert_eq!(market.app.riders.round().await.unwrap(), 1, "asked again rather than nobody");
    step(&market, rider, orders[1], RiderStep::Accept).await.unwrap();
    assert_eq!(states(&market).await, [DeliveryState::Assigned; 2]);
    step(&market, rider, orders[0], RiderStep::AtStore).await.unwrap();
    assert_eq!(states(&market).await, [DeliveryState::AtStore; 2]);
    // Each is handed out and brought by itself; what is to be fetched comes before what is to be brought.
    for (taken, done) in
        [(RiderStep::PickedUp, DeliveryState::PickedUp), (RiderStep::Delivered, DeliveryState::Delivered)]
    {
        for _ in 0..2 {
            let next = task(&market).await.unwrap().delivery.order;
            step(&market, rider, next, taken.clone()).await.unwrap();
        }
        assert_eq!(states(&market).await, [done; 2]);
    }
    assert!(task(&market).await.is_none(), "free again");
    for order in &orders {
        assert_eq!(market.view(order).await.status, Status::Completed);
    }
}

#[tokio::test]
async fn u1_an_order_that_waited_for_long_is_asked_for_as_soon_as_there_is_somebody() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    market.cook(order).await;
    market.oven(order, TicketPhase::Ready).await;
    for _ in 0..2 {
        assert_eq!(market.app.riders.round().await.unwrap(), 0);
        let (delivery, _) = market.app.riders.of_order(&order).await.unwrap().unwrap();
        assert_eq!(delivery.why.as_deref(), Some("no rider is on duty or due"));
    }
    market.clock.advance(12 * 3_600_000);
    let rider = market.rider("ria", 0.001).await;
    market.app.riders.place(&rider, crate::geo::Place { lat: 45.4, lon: 9.2 }, None).await.unwrap();
    assert_eq!(market.app.riders.round().await.unwrap(), 1);
    assert_eq!(asked(&market, &order).await, Some(rider));
}

#[tokio::test]
async fn u4_a_delivery_that_failed_is_given_back_in_full_and_a_cancelled_order_frees_its_rider() {
    let mut market = Market::open(Faults::default()).await;
    let rider = market.rider("ria", 0.001).await;
    let order = market.order("one").await;
    market.cook(order).await;
    market.oven(order, TicketPhase::Ready).await;
    market.app.riders.round().await.unwrap();
    step(&market, rider, order, RiderStep::Accept).await.unwrap();
    step(&market, rider, order, RiderStep::PickedUp).await.unwrap();
    step(&market, rider, order, RiderStep::Failed { why: "nobody there".into() }).await.unwrap();
    market.effects().await;
    let view = market.view(&order).await;
    assert_eq!((view.status, view.refunded_minor), (Status::DeliveryFailed, 1_470));
    assert_eq!(market.rights().await, 400, "it was cooked");
    let second = market.order("two").await;
    market.cook(second).await;
    market.clock.advance(9 * 60_000);
    market.app.riders.place(&rider, crate::geo::Place { lat: 45.4, lon: 9.2 }, None).await.unwrap();
    market.app.riders.round().await.unwrap();
    step(&market, rider, second, RiderStep::Accept).await.unwrap();
    market.node_says(second, pilotlight_sync::doc::order::OrderFact::Cancelled { why: "no cheese".into() }).await;
    let (_, task) = market.app.riders.task(&rider).await.unwrap().unwrap();
    assert!(task.is_none());
    let over = step(&market, rider, second, RiderStep::PickedUp).await;
    assert!(matches!(over, Err(WorkError::Refused(RiderRefusal::OutOfOrder(DeliveryState::Ended)))));
}
