//! Quotes, payments, placing: once, whatever is lost or tapped twice.

use crate::ordering::desk::{PlaceRefusal, Placed};
use crate::ordering::place::CartField;
use crate::ordering::quote::{QUOTE_MS, QuoteRefusal};
use crate::payments::sandbox::faults::Faults;
use crate::store::testing::{empty_log, has};
use crate::store::{effects, payments};
use crate::testing::{Market, ada, cart, line, request};
use futures_util::future::join;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::id::{CustomerId, MenuItemId, OrderId, PaymentId};
use pilotlight_sync::domain::order::Status;
use pilotlight_sync::domain::payment::{CommercialPhase, PaymentPhase};

#[tokio::test]
async fn b1_an_accepted_order_is_confirmed_and_its_money_taken_in_the_same_step() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    let view = market.view(&order).await;
    assert_eq!((view.status, view.commercial), (Status::OrderPlaced, Some(CommercialPhase::Placed)));
    assert_eq!(view.payments.values().collect::<Vec<_>>(), [&(PaymentPhase::Authorized, 1_470)]);
    assert_eq!((view.total_minor(), market.rights().await), (1_470, 400));
    market.node_says(order, OrderFact::Accepted).await;
    let view = market.view(&order).await;
    assert_eq!((view.status, view.captured_minor), (Status::OrderConfirmed, 0), "confirmed with the acceptance");
    market.effects().await;
    assert_eq!(market.view(&order).await.captured_minor, 1_470);
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done", "capture 1470 done"]);
    let ledger = payments::ledger_of(&market.app.database, &order).await.unwrap();
    let moved: Vec<_> = ledger.iter().map(|row| (row.debit.as_str(), row.credit.as_str(), row.amount_minor)).collect();
    assert_eq!(moved, [("reserved", "customer", 1_470), ("gateway", "reserved", 1_470)]);
    // The card's token is forgotten once it has served.
    let rows = effects::of_order(&market.app.database, &order).await.unwrap();
    assert!(rows.iter().all(|row| row.effect.card.is_none()));
}

#[tokio::test]
async fn a7_a_cards_token_is_on_the_disk_while_it_is_authorised_and_never_after() {
    let market = Market::open(Faults::default()).await;
    for (name, card) in [("good", "tok_good_and_gone"), ("bad", "tok_declined")] {
        let quote = market.quote(cart(vec![line(name, "pizza", 1)])).await.unwrap();
        let placing = market.app.desk.place(&market.site, ada(), request(name, &quote, card));
        let claimed = async {
            loop {
                if let Some(claimed) = market.worker.claim(1).await.unwrap().pop() {
                    break claimed;
                }
                tokio::task::yield_now().await;
            }
        };
        let claimed = tokio::select! { claimed = claimed => claimed, placed = placing => panic!("{placed:?}") };
        assert!(has(&market.config.data, card.as_bytes()), "it must survive a kill until the gateway has answered");
        market.worker.one(claimed).await;
        empty_log(&market.app.database).await;
        assert!(!has(&market.config.data, card.as_bytes()), "{card}");
    }
}

#[tokio::test]
async fn b2_a_double_tap_is_one_order_and_one_charge() {
    let market = Market::open(Faults::default()).await;
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    let tap = || market.place(request("twice", &quote, "tok_ok"));
    let (one, two) = join(tap(), tap()).await;
    let placed_now = |placed: &Placed| matches!(placed, Placed::Now(_));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(placed_now(&one) != placed_now(&two), "{one:?} {two:?}");
    assert!(matches!(tap().await.unwrap(), Placed::Before(_)));
    let order = OrderId::derived(&["twice"]);
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done"]);
    assert_eq!(market.rights().await, 400);
}

#[tokio::test]
async fn b2_the_same_id_with_another_cart_is_refused_and_names_the_field() {
    let market = Market::open(Faults::default()).await;
    market.order("one").await;
    let other = |quantity, tip_minor| {
        let request = cart(vec![line("one", "pizza", quantity)]);
        market.quote(crate::ordering::quote::QuoteRequest { tip_minor, ..request })
    };
    for (quantity, tip_minor, expected) in [(2, 100, CartField::Line(0)), (1, 99, CartField::Tip)] {
        let quote = other(quantity, tip_minor).await.unwrap();
        let refused = market.place(request("one", &quote, "tok_ok")).await;
        assert!(matches!(refused, Err(PlaceRefusal::SameIdOtherCart(field)) if field == expected), "{expected:?}");
    }
    // The same cart, quoted again, is the same order.
    let quote = other(1, 100).await.unwrap();
    assert!(matches!(market.place(request("one", &quote, "tok_ok")).await, Ok(Placed::Before(_))));
    let eve = CustomerId::derived(&["eve"]);
    let (quote, _) = market.app.desk.quote(&market.site, eve, cart(vec![line("one", "pizza", 1)])).await.unwrap();
    let refused = market.app.desk.place(&market.site, eve, request("one", &quote, "tok_ok")).await;
    assert!(matches!(refused, Err(PlaceRefusal::SameIdOtherCart(CartField::Id))));
    let quote = market.quote(cart(vec![line("two", "pizza", 1)])).await.unwrap();
    let stolen = crate::ordering::desk::PlaceRequest {
        payment: PaymentId::derived(&["one"]),
        ..request("two", &quote, "tok_ok")
    };
    assert!(matches!(market.place(stolen).await, Err(PlaceRefusal::SameIdOtherCart(CartField::Payment))));
}

#[tokio::test]
async fn b2_a_quote_runs_out_belongs_to_its_customer_and_names_the_price_that_is_charged() {
    let mut market = Market::open(Faults::default()).await;
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    let eve = CustomerId::derived(&["eve"]);
    let refused = market.app.desk.place(&market.site, eve, request("x", &quote, "tok_ok")).await;
    assert!(matches!(refused, Err(PlaceRefusal::UnknownQuote)));
    let mut pizza = market.node.replica.site().menu().items[&MenuItemId::derived(&["pizza"])].clone();
    pizza.variants[0].price_minor = 1_100;
    let dearer = market.node.replica.site().write_item(pizza.id, Some(pizza));
    market.node.write(&dearer);
    market.sync().await;
    let refused = market.place(request("x", &quote, "tok_ok")).await;
    let changed = matches!(refused, Err(PlaceRefusal::PriceChanged { quoted_minor: 1_470, actual_minor: 1_520 }));
    assert!(changed, "{refused:?}");
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    market.clock.advance(QUOTE_MS);
    assert!(matches!(market.place(request("x", &quote, "tok_ok")).await, Err(PlaceRefusal::QuoteExpired)));
    assert_eq!(market.gateway.journal().await.len(), 0, "nothing was ever charged");
}

#[tokio::test]
async fn b2_a_quote_becomes_one_order_whatever_ids_are_sent_with_it() {
    let mut market = Market::open(Faults::default()).await;
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    let declined = market.place(request("declined", &quote, "tok_declined")).await;
    assert!(matches!(declined, Err(PlaceRefusal::Declined(_))), "{declined:?}");
    // Two orders at the same moment: one of them has the quote.
    let (one, two) = (request("one", &quote, "tok_ok"), request("two", &quote, "tok_ok"));
    let (placed_one, placed_two) = join(market.place(one.clone()), market.place(two.clone())).await;
    let (winner, loser, lost) = if placed_one.is_ok() { (one, two, placed_two) } else { (two, one, placed_one) };
    let used = |refused: &Result<Placed, PlaceRefusal>| match refused {
        Err(PlaceRefusal::QuoteUsed(order)) => *order == winner.order,
        Ok(_) | Err(_) => false,
    };
    assert!(used(&lost), "{lost:?}");
    assert!(
        matches!(market.place(winner.clone()).await, Ok(Placed::Before(_))),
        "the same intent is answered as before"
    );
    // The declined order may try another card, but no longer at this price.
    let again = crate::ordering::desk::PlaceRequest {
        payment: PaymentId::derived(&["second"]),
        ..request("declined", &quote, "tok_ok")
    };
    assert!(used(&market.place(again).await));
    market.restart().await;
    market.connect();
    market.clock.advance(QUOTE_MS);
    let late = market.place(loser.clone()).await;
    assert!(used(&late), "it is told of its order, not of the time: {late:?}");
    assert_eq!(market.gateway.executed(&loser.order).await, Vec::<String>::new());
    assert_eq!(market.rights().await, 400);
}

#[tokio::test]
async fn b2_a_declined_card_leaves_nothing_and_another_payment_may_be_tried() {
    let market = Market::open(Faults::default()).await;
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    for _ in 0..2 {
        let refused = market.place(request("one", &quote, "tok_declined")).await;
        assert!(matches!(refused, Err(PlaceRefusal::Declined(_))), "{refused:?}");
    }
    assert_eq!(market.rights().await, 600);
    let again = crate::ordering::desk::PlaceRequest {
        payment: PaymentId::derived(&["second"]),
        ..request("one", &quote, "tok_ok")
    };
    let order = again.order;
    assert!(matches!(market.place(again).await, Ok(Placed::Now(_))));
    let executed = market.gateway.executed(&order).await;
    assert_eq!(executed, ["authorise 1470 declined", "authorise 1470 done"]);
}

#[tokio::test]
async fn b2_what_was_sold_while_the_customer_paid_is_refused_and_the_money_let_go() {
    let market = Market::open(Faults::default()).await;
    let quotes = [
        market.quote(cart(vec![line("a", "pizza", 2)])).await.unwrap(),
        market.quote(cart(vec![line("b", "pizza", 2)])).await.unwrap(),
    ];
    // Both are checked, then both pay: the relay has three pizzas.
    let place = |name, quote| market.app.desk.place(&market.site, ada(), request(name, quote, "tok_ok"));
    let both = join(place("a", &quotes[0]), place("b", &quotes[1]));
    tokio::pin!(both);
    let (first, second) = loop {
        let effects = market.some_effects();
        tokio::pin!(effects);
        tokio::select! {
            done = &mut both => {
                // An effect that was claimed is done: nobody else would.
                effects.await;
                break done;
            }
            _any = &mut effects => {}
        }
    };
    let refusals = [&first, &second]
        .into_iter()
        .filter(|placed| matches!(placed, Err(PlaceRefusal::SoldOutMeanwhile(name)) if name == "pizza"));
    assert_eq!(refusals.count(), 1, "{first:?} {second:?}");
    market.effects().await;
    let loser = if first.is_err() { "a" } else { "b" };
    let executed = market.gateway.executed(&OrderId::derived(&[loser])).await;
    assert_eq!(executed, ["authorise 2520 done", "void done"]);
    assert_eq!(market.rights().await, 200);
    let refused = market.quote(cart(vec![line("c", "pizza", 2)])).await;
    let left = matches!(refused, Err(PlaceRefusal::Quote(QuoteRefusal::SoldOut { line: 0, left_portions: 1, .. })));
    assert!(left, "{refused:?}");
}

#[tokio::test]
async fn a1_orders_are_charged_once_whatever_the_gateway_loses() {
    let faults = Faults { lost_request_share: 0.25, lost_answer_share: 0.25, seed: 3, ..Faults::default() };
    let mut market = Market::open(faults).await;
    for name in ["a", "b", "c"] {
        let order = market.order(name).await;
        market.node_says(order, OrderFact::Accepted).await;
    }
    market.effects().await;
    for name in ["a", "b", "c"] {
        let order = OrderId::derived(&[name]);
        assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done", "capture 1470 done"]);
        assert_eq!(market.view(&order).await.captured_minor, 1_470);
    }
}

#[tokio::test]
async fn a6_a_relay_that_is_killed_between_doing_and_recording_asks_and_charges_once() {
    let mut market = Market::open(Faults::default()).await;
    let quote = market.quote(cart(vec![line("l", "pizza", 1)])).await.unwrap();
    let placing = market.app.desk.place(&market.site, ada(), request("one", &quote, "tok_ok"));
    let claimed = async {
        loop {
            if let Some(claimed) = market.worker.claim(1).await.unwrap().pop() {
                break claimed;
            }
            tokio::task::yield_now().await;
        }
    };
    // The customer's request is dropped with the process: it was not answered.
    let claimed = tokio::select! { claimed = claimed => claimed, placed = placing => panic!("{placed:?}") };
    assert!(!claimed.tried_before);
    market.app.gateway.perform(&claimed).await;
    let order = OrderId::derived(&["one"]);
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done"]);
    market.restart().await;
    assert!(market.app.desk.order(ada(), &order).await.unwrap().is_none());
    market.effects().await;
    assert_eq!(market.gateway.executed(&order).await, ["authorise 1470 done"]);
    assert_eq!(market.view(&order).await.commercial, Some(CommercialPhase::Placed));
    // The old process wakes up and has lost its lease: it changes nothing.
    let late = crate::store::effects::Performed::Done { charge: "ch_x".to_owned() };
    market.app.desk.record(&claimed, &late).await.unwrap();
    let ledger = payments::ledger_of(&market.app.database, &order).await.unwrap();
    assert_eq!(ledger.len(), 1);
}
