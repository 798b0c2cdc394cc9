//! What a node says of a customer's wishes, by how the order stands.

use super::*;
use crate::orders::accept::tests::{Relay, seen, take_over, tend};
use crate::testing::{Shop, Sibling};
use pilotlight_sync::domain::amendment::AmendmentState;
use pilotlight_sync::domain::payment::CommercialPhase;

fn intent(name: &str) -> IntentId {
    IntentId::derived(&[name])
}

fn note(text: &str) -> Amendment {
    Amendment::Instructions(Some(text.to_owned()))
}

/// An order that is confirmed, and in the kitchen.
fn cooking(shop: &mut Shop, relay: &mut Relay, name: &str) -> OrderId {
    let id = relay.order(shop, name);
    tend(shop, None);
    relay.decide(shop, id, CommercialPhase::Confirmed);
    tend(shop, None);
    id
}

fn ask(shop: &mut Shop, relay: &mut Relay, id: OrderId, name: &str, amendment: Amendment) -> AmendmentState {
    relay.write(shop, vec![Change::Order(id, OrderFact::AmendmentAsked { intent: intent(name), amendment })]);
    tend(shop, None);
    tend(shop, None);
    state(shop, id, name)
}

fn state(shop: &mut Shop, id: OrderId, name: &str) -> AmendmentState {
    let view = seen(shop, &id);
    view.amendments.iter().find(|request| request.intent == intent(name)).unwrap().state.clone()
}

fn phase(shop: &mut Shop, id: OrderId, phase: TicketPhase) {
    let ticket = seen(shop, &id).tickets.keys().next().unwrap().clone();
    shop.commit(&[Change::Order(id, OrderFact::Phase { ticket, epoch: 0, phase })]);
}

#[test]
fn q6_fa2_what_is_plain_is_answered_once_and_a_person_says_the_rest() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let id = cooking(&mut shop, &mut relay, "one");
    assert_eq!(ask(&mut shop, &mut relay, id, "note", note("no onions")), AmendmentState::Granted);
    assert_eq!(seen(&mut shop, &id).instructions.as_deref(), Some("no onions"));
    let facts = seen(&mut shop, &id).facts;
    tend(&mut shop, None);
    assert_eq!(seen(&mut shop, &id).facts, facts, "once");
    let near = Amendment::Address { distance_m: 900 };
    assert_eq!(ask(&mut shop, &mut relay, id, "address", near.clone()), AmendmentState::Granted);
    phase(&mut shop, id, TicketPhase::Started);
    assert_eq!(ask(&mut shop, &mut relay, id, "begun", note("more basil")), AmendmentState::Asked, "a person says");
    assert_eq!(ask(&mut shop, &mut relay, id, "who", Amendment::Contact), AmendmentState::Granted);
    let now = shop.clock.now();
    let waiting: Vec<IntentId> = for_a_person(shop.replica(), now).iter().map(|(.., one)| one.intent).collect();
    assert_eq!(waiting, [intent("begun")]);
    let say = |shop: &mut Shop, name: &str, refused: Option<&str>| match decide(
        shop.replica(),
        Actor::System,
        (id, intent(name)),
        refused.map(str::to_owned),
    ) {
        Ok(plan) => {
            shop.commit(&plan.changes);
            Ok(())
        }
        Err(PlanError::Refused(refusal)) => Err(refusal),
        Err(PlanError::Damaged(error)) => panic!("{error}"),
    };
    assert_eq!(say(&mut shop, "begun", Some(" ")).unwrap_err(), AnswerRefusal::Why);
    assert_eq!(say(&mut shop, "none", None).unwrap_err(), AnswerRefusal::UnknownRequest(intent("none")));
    say(&mut shop, "begun", Some("it is in the oven")).unwrap();
    assert_eq!(state(&mut shop, id, "begun"), AmendmentState::Refused("it is in the oven".into()));
    let facts = seen(&mut shop, &id).facts;
    say(&mut shop, "begun", Some(" it is in the oven ")).unwrap();
    assert_eq!(seen(&mut shop, &id).facts, facts, "said again it is answered as before (SPEC Q6)");
    for other in [None, Some("no basil")] {
        assert_eq!(say(&mut shop, "begun", other).unwrap_err(), AnswerRefusal::Answered);
    }
    phase(&mut shop, id, TicketPhase::Ready);
    assert_eq!(ask(&mut shop, &mut relay, id, "late", note("x")), AmendmentState::Refused("it is made already".into()));
    let gone = OrderFact::Delivery { attempt: 1, phase: DeliveryPhase::PickedUp };
    relay.write(&mut shop, vec![Change::Order(id, gone)]);
    assert_eq!(ask(&mut shop, &mut relay, id, "far", near), AmendmentState::Refused("the rider has it".into()));
}

#[test]
fn q4_q6_what_a_former_owner_answered_is_no_answer() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let mut bar = Sibling::join(&mut shop, "B");
    let id = relay.order_for(&mut shop, "one", bar.origin);
    let (intent, amendment) = (intent("note"), note("no onions"));
    relay.write(&mut shop, vec![Change::Order(id, OrderFact::AmendmentAsked { intent, amendment })]);
    take_over(&mut shop, &mut bar, id, OrderFact::AmendmentAnswered { intent, refused: None });
    for _ in 0..2 {
        assert_eq!(shop.run(|replica, _| decide(replica, Actor::System, (id, intent), None)).map(drop), Ok(()));
        assert_eq!(state(&mut shop, id, "note"), AmendmentState::Granted);
    }
}

#[test]
fn fa4_an_order_for_later_goes_to_the_kitchen_when_it_must_begin_and_a_time_too_soon_is_refused() {
    let mut shop = Shop::open();
    let mut relay = Relay::new(&mut shop);
    let id = relay.order(&mut shop, "later");
    tend(&mut shop, None);
    let now = shop.clock.now();
    let ready = now.plus_ms(60 * 60_000);
    let amendment = Amendment::Time(Some(ready));
    relay.write(&mut shop, vec![Change::Order(id, OrderFact::Amended { amendment })]);
    relay.decide(&mut shop, id, CommercialPhase::Confirmed);
    let view = seen(&mut shop, &id);
    let needs = needs_ms(shop.replica(), &view, now);
    assert!(needs > 0);
    let begins = Timestamp(ready.0 - needs);
    assert_eq!(tend(&mut shop, None).again_at, Some(begins));
    assert!(!seen(&mut shop, &id).sent);
    let soon = Amendment::Time(Some(now.plus_ms(needs - 1)));
    let refused = format!("the kitchen needs {} minutes", needs.div_ceil(60_000));
    assert_eq!(ask(&mut shop, &mut relay, id, "soon", soon), AmendmentState::Refused(refused));
    let half = Amendment::Time(Some(now.plus_ms(30 * 60_000)));
    assert_eq!(ask(&mut shop, &mut relay, id, "half", half), AmendmentState::Granted);
    let view = seen(&mut shop, &id);
    assert_eq!(begins_at(shop.replica(), &view, now), Some(now.plus_ms(30 * 60_000 - needs)));
    shop.clock.advance(30 * 60_000 - needs);
    tend(&mut shop, None);
    assert!(seen(&mut shop, &id).sent);
    // A clock that is a day behind does not keep it from the kitchen.
    let view = OrderView { ready_not_before: Some(now.plus_ms(86_400_000)), ..seen(&mut shop, &id) };
    assert_eq!(begins_at(shop.replica(), &view, now), None);
}
