//! Cancellations: before the confirmation, by verdict, without one; what goes back, and what goes back to stock.

use crate::ordering::cancel::CancelRefusal;
use crate::ordering::work::CancelError;
use crate::payments::sandbox::faults::Faults;
use crate::store::site_tx::WorkError;
use crate::testing::{Market, ada};
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::id::{CustomerId, OrderId};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::CommercialPhase;
use pilotlight_sync::domain::ticket::TicketPhase;

const MINUTE: u64 = 60_000;

async fn cancel(market: &Market, order: &OrderId, expected_minor: i64) -> Result<(), WorkError<CancelError>> {
    let seen = market.seen(order).await;
    market.app.desk.cancel(ada(), &seen, "changed my mind".into(), expected_minor).await
}

#[tokio::test]
async fn b4_before_the_confirmation_everything_goes_back_at_once() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    let preview = market.app.desk.preview(&market.seen(&order).await).unwrap();
    assert_eq!(preview.refund_minor, 1_470);
    let changed = cancel(&market, &order, 1_000).await;
    let refusal = CancelRefusal::RefundChanged { expected_minor: 1_000, actual_minor: 1_470 };
    assert!(matches!(changed, Err(WorkError::Refused(CancelError::Refused(said))) if said == refusal));
    for _ in 0..2 {
        cancel(&market, &order, 1_470).await.unwrap();
    }
    market.effects().await;
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done", "void done"]);
    assert_eq!((market.view(&order).await.status, market.rights().await), (Status::Cancelled, 600));
    // An acceptance that was on the way changes nothing: never both (SPEC B1).
    market.node_says(order, OrderFact::Accepted).await;
    market.effects().await;
    assert_eq!(market.view(&order).await.commercial, Some(CommercialPhase::CancelledEarly));
    assert_eq!(market.gateway.executed(&order).await.len(), 2);
}

#[tokio::test]
async fn b4_a_granted_request_is_refunded_by_the_age_of_the_request() {
    // Cases 2 and 3 of the worked examples.
    for (age_ms, refund_minor) in [(599_000, 1_149), (600_000, 828)] {
        let mut market = Market::open(Faults::default()).await;
        let order = market.order("one").await;
        market.cook(order).await;
        let placed_at = market.seen(&order).await.kept.placed_at;
        market.clock.advance(age_ms - market.clock.now().ms_since(placed_at));
        cancel(&market, &order, refund_minor).await.unwrap();
        assert_eq!(market.view(&order).await.commercial, Some(CommercialPhase::CancelRequested));
        // The verdict comes later; the age is that of the request.
        market.clock.advance(4 * MINUTE);
        market.node_says(order, OrderFact::Verdict { granted: true }).await;
        market.effects().await;
        let view = market.view(&order).await;
        assert_eq!((view.status, view.refunded_minor), (Status::Cancelled, refund_minor), "{age_ms}");
        assert_eq!(market.rights().await, 600, "nobody had begun");
        let executed = market.gateway.executed(&order).await;
        assert_eq!(executed[2..], [format!("refund {refund_minor} done")]);
    }
}

#[tokio::test]
async fn b4_a_refused_request_changes_nothing_and_is_asked_once() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    market.cook(order).await;
    market.oven(order, TicketPhase::Started).await;
    cancel(&market, &order, 1_149).await.unwrap();
    market.node_says(order, OrderFact::Verdict { granted: false }).await;
    market.clock.advance(60 * MINUTE);
    assert_eq!(market.app.desk.sweep().await.unwrap(), 0, "its time limit is over with the verdict");
    let again = cancel(&market, &order, 0).await;
    assert!(matches!(again, Err(WorkError::Refused(CancelError::Refused(CancelRefusal::RefusedBefore)))));
    let view = market.view(&order).await;
    assert_eq!((view.status, view.refunded_minor), (Status::Preparing, 0));
}

#[tokio::test]
async fn b4_without_a_verdict_it_is_resolved_in_full_when_the_restaurant_could_not_be_asked() {
    // Cases 11 and 12 of the worked examples.
    for (link_down, age_ms, by_table_minor, refund_minor) in
        [(true, MINUTE, 1_149, 1_470), (false, 20 * MINUTE, 828, 828)]
    {
        let mut market = Market::open(Faults::default()).await;
        let order = market.order("one").await;
        market.cook(order).await;
        market.clock.advance(age_ms);
        if link_down {
            market.cut().await;
        }
        cancel(&market, &order, by_table_minor).await.unwrap();
        market.clock.advance(5 * MINUTE);
        market.app.desk.sweep().await.unwrap();
        market.effects().await;
        let view = market.view(&order).await;
        assert_eq!((view.commercial, view.refunded_minor), (Some(CommercialPhase::Resolved), refund_minor));
        assert_eq!(market.rights().await, 400, "it may have been begun");
        // A later verdict moves no money; what was not begun can be sold again.
        market.node_says(order, OrderFact::Verdict { granted: true }).await;
        market.effects().await;
        assert_eq!((market.view(&order).await.refunded_minor, market.rights().await), (refund_minor, 600));
    }
}

#[tokio::test]
async fn b5_what_the_restaurant_cancels_goes_back_in_full_and_what_was_begun_stays_used() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    market.cook(order).await;
    market.oven(order, TicketPhase::Started).await;
    market.clock.advance(40 * MINUTE);
    market.node_says(order, OrderFact::Cancelled { why: "the oven broke".into() }).await;
    market.effects().await;
    let view = market.view(&order).await;
    assert_eq!((view.status, view.refunded_minor), (Status::Refunded, 1_470));
    assert_eq!(market.rights().await, 400);
    let rejected = market.order("two").await;
    market.node_says(rejected, OrderFact::Rejected { why: "too busy".into() }).await;
    market.effects().await;
    assert_eq!(market.gateway.executed(&rejected).await, ["authorise 1470 done", "void done"]);
    assert_eq!(market.rights().await, 400, "of the second order all came back");
}

#[tokio::test]
async fn b7_of_another_customer_s_order_nobody_learns_anything() {
    let market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    let eve = CustomerId::derived(&["eve"]);
    assert!(market.app.desk.order(eve, &order).await.unwrap().is_none());
    assert!(market.app.desk.checkout(eve, &order).await.unwrap().is_none());
    assert!(market.app.desk.orders(eve, 10).await.unwrap().is_empty());
    let seen = market.seen(&order).await;
    let refused = market.app.desk.cancel(eve, &seen, "mine".into(), 1_470).await;
    assert!(matches!(refused, Err(WorkError::Refused(CancelError::Unknown))));
    assert_eq!(market.app.desk.orders(ada(), 10).await.unwrap().len(), 1);
}
