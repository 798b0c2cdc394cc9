//! Offers and deliveries on real tables, with real orders.

use crate::dispatch::desk::{OFFER_MS, RiderRefusal, RiderStep};
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
