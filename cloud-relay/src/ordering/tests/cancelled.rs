//! Cancellations: before the confirmation, by verdict, without one; what goes back, and what goes back to stock.

use crate::ordering::cancel::CancelRefusal;
use crate::ordering::work::CancelError;
use crate::payments::sandbox::faults::Faults;
use crate::store::site_tx::WorkError;
use crate::testing::{Market, ada};
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::business_day::DayNumber;
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
        // Ten minutes after it was confirmed and not begun it would be free.
        market.clock.advance(MINUTE);
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
async fn q6_a_cancellation_that_was_refused_and_is_said_again_is_answered_as_before() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    market.cook(order).await;
    market.oven(order, TicketPhase::Started).await;
    cancel(&market, &order, 1_149).await.unwrap();
    market.node_says(order, OrderFact::Verdict { granted: false }).await;
    market.clock.advance(60 * MINUTE);
    market.effects().await;
    let before = market.view(&order).await;
    cancel(&market, &order, 1_149).await.unwrap();
    market.effects().await;
    assert_eq!(market.view(&order).await, before, "it changes nothing");
    // In other words it is another request, and that is not asked.
    let seen = market.seen(&order).await;
    let other = market.app.desk.cancel(ada(), &seen, "too late".into(), 1_149).await;
    assert!(matches!(other, Err(WorkError::Refused(CancelError::Refused(CancelRefusal::RefusedBefore)))));
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
        // What is begun later than ten minutes after its start is asked about as before.
        if age_ms > 10 * MINUTE {
            market.oven(order, TicketPhase::Started).await;
        }
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
        let rights = if link_down { 600 } else { 400 };
        assert_eq!((market.view(&order).await.refunded_minor, market.rights().await), (refund_minor, rights));
    }
}

#[tokio::test]
async fn q6_b10_what_nobody_begins_may_be_cancelled_in_full_ten_minutes_after_its_start() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    // The table counts from when it was placed, this rule from when it was confirmed.
    market.clock.advance(MINUTE);
    market.node_says(order, OrderFact::Accepted).await;
    let since = market.seen(&order).await.kept.unbegun_since.unwrap();
    market.clock.advance(10 * MINUTE - 1 - market.clock.now().ms_since(since));
    let before = market.app.desk.preview(&market.seen(&order).await).unwrap();
    assert_eq!((before.refund_minor, before.expires_at), (828, since.plus_ms(10 * MINUTE)), "by the table until then");
    market.clock.advance(1);
    let preview = market.app.desk.preview(&market.seen(&order).await).unwrap();
    assert_eq!(preview.refund_minor, 1_470);
    for _ in 0..2 {
        cancel(&market, &order, 1_470).await.unwrap();
    }
    market.effects().await;
    let view = market.view(&order).await;
    assert_eq!((view.status, view.commercial), (Status::Refunded, Some(CommercialPhase::Resolved)));
    assert_eq!(market.gateway.executed(&order).await[2..], ["refund 1470 done"]);
    assert_eq!(market.rights().await, 400, "its node may have begun");
    // That nobody had begun gives the stock back; what is begun all the same is history.
    market.node_says(order, OrderFact::Verdict { granted: true }).await;
    market.oven(order, TicketPhase::Started).await;
    market.effects().await;
    assert_eq!((market.view(&order).await.status, market.rights().await), (Status::Refunded, 600));
    // Whoever did not hear the answer cancels again, however much later, and is answered as before (SPEC Q6).
    cancel(&market, &order, 1_470).await.unwrap();
    assert_eq!(market.gateway.executed(&order).await.len(), 3);
}

#[tokio::test]
async fn b10_what_nobody_has_begun_at_the_promised_time_is_ended_in_full() {
    let mut market = Market::open(Faults::default()).await;
    let (order, begun) = (market.order("one").await, market.order("two").await);
    market.node_says(order, OrderFact::Accepted).await;
    market.cook(begun).await;
    market.oven(begun, TicketPhase::Started).await;
    let kept = market.seen(&order).await.kept;
    let promised = kept.unbegun_since.unwrap().plus_ms(u64::from(kept.minutes.1) * MINUTE);
    assert_eq!((kept.due_at(), market.seen(&begun).await.kept.due_at()), (Some(promised), None));
    market.clock.advance(promised.ms_since(market.clock.now()) - 1);
    assert_eq!(market.app.desk.sweep().await.unwrap(), 0);
    market.clock.advance(1);
    assert_eq!(market.app.desk.sweep().await.unwrap(), 1);
    market.effects().await;
    let view = market.view(&order).await;
    assert_eq!((view.status, view.commercial), (Status::Refunded, Some(CommercialPhase::Resolved)));
    let why = &view.history.iter().find(|change| change.to == Status::Cancelled).unwrap().deed.why;
    assert_eq!(why, "cancelled: the restaurant did not make it");
    assert_eq!(market.gateway.executed(&order).await[2..], ["refund 1470 done"]);
    assert_eq!(market.view(&begun).await.status, Status::Preparing);
    // The tap was on its way.
    market.node_says(order, OrderFact::Sent { day: DayNumber(1), letter: "A".into(), counter: 2 }).await;
    market.oven(order, TicketPhase::Started).await;
    market.effects().await;
    assert_eq!((market.view(&order).await.status, market.app.desk.sweep().await.unwrap()), (Status::Refunded, 0));
    assert_eq!(market.gateway.executed(&order).await.len(), 3);
}

#[tokio::test]
async fn b10_what_is_in_the_kitchen_at_the_promised_time_is_waited_for_an_hour() {
    let mut market = Market::open(Faults::default()).await;
    let (forgotten, bumped) = (market.order("one").await, market.order("two").await);
    market.cook(forgotten).await;
    market.cook(bumped).await;
    let promised = market.seen(&forgotten).await.kept.due_at().unwrap();
    market.clock.advance(promised.ms_since(market.clock.now()));
    market.app.desk.sweep().await.unwrap();
    assert_eq!(market.app.desk.sweep().await.unwrap(), 0, "looked at once more in an hour");
    // A kitchen that only bumps never says that it began.
    market.oven(bumped, TicketPhase::Ready).await;
    market.clock.advance(60 * MINUTE - 1);
    assert_eq!(market.app.desk.sweep().await.unwrap(), 0);
    market.clock.advance(1);
    market.app.desk.sweep().await.unwrap();
    market.effects().await;
    let phase_of = |view: OrderView| view.commercial.unwrap();
    assert_eq!(phase_of(market.view(&forgotten).await), CommercialPhase::Resolved);
    assert_eq!(phase_of(market.view(&bumped).await), CommercialPhase::Confirmed);
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
