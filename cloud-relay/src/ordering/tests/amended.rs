//! What customers want otherwise about their orders: at once, as a request, and how each ends.

use crate::ordering::amend::{AmendRefusal, Wish, is_one_house};
use crate::ordering::quote::QuoteRefusal;
use crate::ordering::work::AmendError;
use crate::payments::sandbox::faults::Faults;
use crate::store::amendments::{self, Contact, Wanted};
use crate::store::people::Address;
use crate::store::site_tx::WorkError;
use crate::testing::{Market, ada};
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::domain::amendment::AmendmentState;
use pilotlight_sync::domain::id::{CustomerId, IntentId, OrderId};
use pilotlight_sync::domain::payment::DeliveryPhase;

const MINUTE: u64 = 60_000;

fn wish(name: &str, wanted: Wanted) -> Wish {
    Wish { intent: IntentId::derived(&[name]), wanted }
}

fn note(name: &str, text: &str) -> Wish {
    wish(name, Wanted::Instructions(Some(text.to_owned())))
}

fn place(name: &str, lat: f64) -> Wish {
    let address = Address { street: "Way 2".into(), city: "Town".into(), lat, lon: 9.2, note: None };
    wish(name, Wanted::Address(address))
}

async fn ask(market: &Market, order: &OrderId, wish: Wish) -> Result<(), AmendRefusal> {
    let seen = market.seen(order).await;
    match market.app.desk.amend(ada(), &seen, wish).await {
        Ok(()) => Ok(()),
        Err(WorkError::Refused(AmendError::Refused(refusal))) => Err(refusal),
        Err(other) => panic!("{other:?}"),
    }
}

async fn state(market: &Market, order: &OrderId, name: &str) -> AmendmentState {
    let view = market.view(order).await;
    let of = |intent| view.amendments.iter().find(|request| request.intent == intent);
    of(IntentId::derived(&[name])).unwrap().state.clone()
}

async fn answer(market: &mut Market, order: OrderId, name: &str, refused: Option<&str>) {
    let (intent, refused) = (IntentId::derived(&[name]), refused.map(str::to_owned));
    market.node_says(order, OrderFact::AmendmentAnswered { intent, refused }).await;
}

#[tokio::test]
async fn fa1_before_the_restaurant_has_confirmed_a_wish_is_so_at_once() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    ask(&market, &order, note("a", " ring twice ")).await.unwrap();
    ask(&market, &order, place("b", 45.42)).await.unwrap();
    let contact = Contact { name: "Eve".into(), phone: "555".into() };
    ask(&market, &order, wish("c", Wanted::Contact(contact.clone()))).await.unwrap();
    let seen = market.seen(&order).await;
    assert_eq!(seen.live.view.instructions.as_deref(), Some("ring twice"));
    assert_eq!((seen.kept.address.unwrap().street.as_str(), seen.kept.contact), ("Way 2", Some(contact)));
    // The words of people are in no log.
    let facts = format!("{:?}", market.seen(&order).await.live.doc.in_order());
    assert!(!facts.contains("Way 2") && !facts.contains("Eve") && !facts.contains("555"), "{facts}");
    // Again is the same; another wish under the same id is refused.
    ask(&market, &order, note("a", "ring twice")).await.unwrap();
    assert_eq!(ask(&market, &order, note("a", "knock")).await, Err(AmendRefusal::SameIdOther));
    assert_eq!(amendments::count_open(&market.app.database).await.unwrap(), 0, "nobody is asked");
    market.cook(order).await;
    let (_, live) = market.node.replica.live_orders().find(|(id, _)| **id == order).unwrap();
    assert_eq!(live.view.instructions.as_deref(), Some("ring twice"), "and the kitchen knows");
    let far = ask(&market, &order, place("far", 46.0)).await;
    assert!(matches!(far, Err(AmendRefusal::Address(QuoteRefusal::TooFar { .. }))), "{far:?}");
    let seen = market.seen(&order).await;
    let eve = market.app.desk.amend(CustomerId::derived(&["eve"]), &seen, note("e", "x")).await;
    assert!(matches!(eve, Err(WorkError::Refused(AmendError::Unknown))));
}

#[tokio::test]
async fn fa6_another_address_comes_with_its_own_place_and_the_same_written_otherwise_stays_where_it_is() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    let known = market.seen(&order).await.kept.address.unwrap();
    let at = |name: &str, street: &str, lat| {
        wish(name, Wanted::Address(Address { street: street.to_owned(), lat, ..known.clone() }))
    };
    for phase in ["placed", "confirmed"] {
        let left = format!("left {phase}");
        assert_eq!(ask(&market, &order, at(&left, "Lane 9", known.lat)).await, Err(AmendRefusal::OldPlace), "{phase}");
        market.cook(order).await;
    }
    let beside = at("beside", "Lane 9", known.lat + 0.000_01);
    assert_eq!(ask(&market, &order, beside).await, Err(AmendRefusal::OldPlace), "a metre is no other place");
    assert_eq!(market.seen(&order).await.kept.address, Some(known.clone()), "nobody is sent to the old place");
    let flat = at("flat", &format!("{}, flat 3", known.street), known.lat);
    ask(&market, &order, flat).await.unwrap();
    answer(&mut market, order, "flat", None).await;
    let written = at("written", &format!(" {}.", known.street.to_uppercase()), known.lat);
    ask(&market, &order, written.clone()).await.unwrap();
    ask(&market, &order, written).await.unwrap();
    answer(&mut market, order, "written", None).await;
    ask(&market, &order, at("moved", "Lane 9", 45.42)).await.unwrap();
    answer(&mut market, order, "moved", None).await;
    let goes_to = market.seen(&order).await.kept.address.unwrap();
    assert_eq!((goes_to.street.as_str(), goes_to.lat), ("Lane 9", 45.42));
}

#[test]
fn fa6_a_flat_and_a_typing_error_are_in_one_house_and_a_street_and_a_number_are_not() {
    let at =
        |street: &str| Address { street: street.into(), city: "Nashville".into(), lat: 36.0, lon: -86.0, note: None };
    for (one, other, same) in [
        ("Broadway 100", "broadway 100, flat 3", true),
        ("Broadway 100 flat 2", "Broadway 100 flat 3", true),
        ("Braodway 100", "Broadway 100", false),
        ("Broadwya Street 100", "Broadway Street 100", true),
        ("100 Broadway", "100 Broadway apt 4b", true),
        ("Broadway 100", "Broadway 101", false),
        ("100 Broadway", "100 Main Street", false),
        ("Elm 1", "Oak 1", false),
    ] {
        assert_eq!(is_one_house(&at(one), &at(other)), same, "{one}, {other}");
        assert_eq!(is_one_house(&at(other), &at(one)), same, "{other}, {one}");
    }
}

#[tokio::test]
async fn fa2_after_that_it_is_a_request_and_so_when_it_is_granted() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    market.cook(order).await;
    ask(&market, &order, place("a", 45.42)).await.unwrap();
    assert_eq!(
        ask(&market, &order, place("b", 45.43)).await.map_err(|error| error.to_string()),
        Err("the restaurant has not answered the last one yet".to_owned())
    );
    ask(&market, &order, note("n", "knock")).await.unwrap();
    assert_eq!(market.seen(&order).await.kept.address.unwrap().street, "Way 1", "not yet");
    answer(&mut market, order, "a", None).await;
    answer(&mut market, order, "n", Some("it is in the oven")).await;
    let seen = market.seen(&order).await;
    assert_eq!((seen.kept.address.unwrap().street.as_str(), seen.live.view.instructions.as_deref()), ("Way 2", None));
    assert_eq!(state(&market, &order, "n").await, AmendmentState::Refused("it is in the oven".into()));
    assert_eq!(amendments::count_open(&market.app.database).await.unwrap(), 0);
}

#[tokio::test]
async fn fa3_a_request_ends_once_by_its_answer_its_time_the_riders_hand_or_the_orders_end() {
    let mut market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    market.cook(order).await;
    ask(&market, &order, note("late", "knock")).await.unwrap();
    market.clock.advance(5 * MINUTE);
    market.app.desk.sweep().await.unwrap();
    assert_eq!(state(&market, &order, "late").await, AmendmentState::Lapsed);
    assert_eq!(market.app.desk.sweep().await.unwrap(), 0, "nothing is left to look after");
    answer(&mut market, order, "late", None).await;
    assert_eq!(state(&market, &order, "late").await, AmendmentState::Lapsed, "too late is too late");
    assert_eq!(market.view(&order).await.instructions, None);
    // The rider has it: the address is fixed.
    ask(&market, &order, place("far", 45.42)).await.unwrap();
    let gone = OrderFact::Delivery { attempt: 1, phase: DeliveryPhase::PickedUp };
    market.relay_says(order, gone).await;
    assert_eq!(state(&market, &order, "far").await, AmendmentState::Lapsed);
    assert_eq!(ask(&market, &order, place("again", 45.43)).await, Err(AmendRefusal::AddressFixed));
    assert_eq!(market.seen(&order).await.kept.address.unwrap().street, "Way 1");
    // The order ends.
    ask(&market, &order, note("end", "x")).await.unwrap();
    market.relay_says(order, OrderFact::Delivery { attempt: 1, phase: DeliveryPhase::Delivered }).await;
    assert_eq!(state(&market, &order, "end").await, AmendmentState::Lapsed);
    assert!(matches!(ask(&market, &order, note("over", "x")).await, Err(AmendRefusal::Finished(_))));
    assert_eq!(amendments::count_open(&market.app.database).await.unwrap(), 0);
}

#[tokio::test]
async fn fa4_an_order_is_put_off_by_no_less_than_was_promised_and_no_more_than_three_hours() {
    let market = Market::open(Faults::default()).await;
    let order = market.order("one").await;
    let now = market.clock.now();
    let kept = market.seen(&order).await.kept;
    let promised = kept.placed_at.plus_ms(u64::from(kept.minutes.0) * MINUTE);
    let at = |name, at| wish(name, Wanted::Time(Some(at)));
    for (name, wrong) in [("soon", now.plus_ms(MINUTE)), ("late", now.plus_ms(200 * MINUTE))] {
        let refused = ask(&market, &order, at(name, wrong)).await;
        assert!(matches!(refused, Err(AmendRefusal::Time { earliest, .. }) if earliest == promised), "{refused:?}");
    }
    ask(&market, &order, at("ok", now.plus_ms(100 * MINUTE))).await.unwrap();
    assert_eq!(market.view(&order).await.ready_not_before, Some(now.plus_ms(100 * MINUTE)));
}

#[tokio::test]
async fn fa4_b10_an_order_that_was_put_off_is_waited_for_as_much_longer() {
    let mut market = Market::open(Faults::default()).await;
    let (direct, granted) = (market.order("one").await, market.order("two").await);
    let now = market.clock.now();
    let later = wish("later", Wanted::Time(Some(now.plus_ms(100 * MINUTE))));
    ask(&market, &direct, later.clone()).await.unwrap();
    market.node_says(direct, OrderFact::Accepted).await;
    market.node_says(granted, OrderFact::Accepted).await;
    ask(&market, &granted, later.clone()).await.unwrap();
    market.node_says(granted, OrderFact::AmendmentAnswered { intent: later.intent, refused: None }).await;
    for order in [&direct, &granted] {
        let kept = market.seen(order).await.kept;
        let takes = |minutes: u32| u64::from(minutes) * MINUTE;
        let ends = now.plus_ms(100 * MINUTE - takes(kept.minutes.0) + takes(kept.minutes.1));
        assert_eq!(kept.ends_at(), Some(ends));
    }
    for minutes in [31, 99] {
        market.clock.set(now.plus_ms(minutes * MINUTE));
        assert_eq!(market.app.desk.sweep().await.unwrap(), 0, "{minutes}");
    }
    let refund = market.app.desk.preview(&market.seen(&direct).await).unwrap().refund_minor;
    assert_eq!(refund, market.seen(&direct).await.kept.amount_minor, "nobody has begun: all of it");
}
