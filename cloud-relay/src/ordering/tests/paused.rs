//! A restaurant that is paused or busy: no order is placed while the relay knows of a pause, and it takes longer while it is busy.

use crate::ordering::desk::PlaceRefusal;
use crate::ordering::quote::QuoteRefusal;
use crate::payments::sandbox::faults::Faults;
use crate::store::checkouts::CheckoutState;
use crate::testing::{Market, ada, cart, line, request};
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::business_day::DayRule;
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::intake::{IntakeCommand, PauseFor};
use pilotlight_sync::domain::order::Status;

const MINUTE: u64 = 60_000;

/// Somebody taps at the restaurant, and the relay hears of it.
async fn tap(market: &mut Market, command: IntakeCommand) {
    let site = market.node.replica.site();
    let rule = DayRule::new("Europe/Rome", 4).unwrap();
    let change = site.write_intake(site.intake().after(command, &rule, market.clock.now()).unwrap());
    market.node.write_at(market.clock.now(), &[change]);
    market.sync().await;
}

#[tokio::test]
async fn pb3_while_it_is_paused_quotes_and_orders_are_refused_until_it_opens_by_itself() {
    let mut market = Market::open(Faults::default()).await;
    let quote = market.quote(cart(vec![line("early", "pizza", 1)])).await.unwrap();
    tap(&mut market, IntakeCommand::Pause(PauseFor::Minutes(15))).await;
    let until = market.clock.now().plus_ms(15 * MINUTE);
    assert_eq!(market.site.shown().borrow().intake.paused_until(market.clock.now()), Some(until));
    let refused = market.place(request("early", &quote, "tok_ok")).await;
    assert!(matches!(refused, Err(PlaceRefusal::Quote(QuoteRefusal::Paused(at))) if at == until), "{refused:?}");
    let refused = market.quote(cart(vec![line("l", "pizza", 1)])).await;
    assert!(matches!(refused, Err(PlaceRefusal::Quote(QuoteRefusal::Paused(_)))), "{refused:?}");
    market.clock.advance(15 * MINUTE);
    market.order("after").await;
    tap(&mut market, IntakeCommand::Pause(PauseFor::Tomorrow)).await;
    market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap_err();
    tap(&mut market, IntakeCommand::Open).await;
    market.order("opened").await;
}

#[tokio::test]
async fn pb3_a_pause_that_comes_while_the_customer_pays_lets_the_money_go() {
    let mut market = Market::open(Faults::default()).await;
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    let wanted = request("paying", &quote, "tok_ok");
    assert!(market.app.desk.begin(&market.site, ada(), wanted.clone()).await.unwrap());
    tap(&mut market, IntakeCommand::Pause(PauseFor::Minutes(30))).await;
    market.effects().await;
    let order = OrderId::derived(&["paying"]);
    let checkout = market.app.desk.checkout(ada(), &order).await.unwrap().unwrap();
    assert_eq!(checkout.state, CheckoutState::Paused);
    assert!(matches!(market.place(wanted).await, Err(PlaceRefusal::PausedMeanwhile)));
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done", "void done"]);
    assert_eq!(market.rights().await, 600);
}

#[tokio::test]
async fn pb4_what_was_placed_before_and_nobody_accepts_runs_out_after_five_minutes_and_is_let_go() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    let made = market.order("two").await;
    tap(&mut market, IntakeCommand::Pause(PauseFor::Minutes(60))).await;
    market.clock.advance(4 * MINUTE);
    market.app.desk.sweep().await.unwrap();
    assert_eq!(market.view(&order).await.status, Status::OrderPlaced);
    // A person has looked, and it is made all the same.
    market.node_says(made, OrderFact::Accepted).await;
    market.clock.advance(MINUTE);
    market.app.desk.sweep().await.unwrap();
    market.effects().await;
    assert_eq!(market.view(&order).await.status, Status::Cancelled);
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done", "void done"]);
    assert_eq!(market.view(&made).await.status, Status::OrderConfirmed);
}

#[tokio::test]
async fn pb1_a_busy_kitchen_adds_its_minutes_to_what_is_promised_for_an_hour() {
    let mut market = Market::open(Faults::default()).await;
    let usual = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap().minutes;
    tap(&mut market, IntakeCommand::Busy(20)).await;
    let busy = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap().minutes;
    assert_eq!((busy.0, busy.1), (usual.0 + 20, (usual.0 + 20) + (usual.0 + 20) / 2));
    market.clock.advance(60 * MINUTE);
    assert_eq!(market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap().minutes, usual);
}
