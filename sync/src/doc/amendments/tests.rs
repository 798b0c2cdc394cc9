//! Wishes about an order's fulfilment, in whatever order their facts are told.

use super::*;
use crate::crdt::facts::FactId;
use crate::crdt::hlc::Hlc;
use crate::doc::order::{Charges, Header, OrderDoc};
use crate::doc::order_view::view;
use crate::domain::id::OriginId;
use crate::domain::money::Currency;
use crate::domain::order::{Channel, Fulfilment};
use crate::domain::role::Actor;

fn relay() -> OriginId {
    OriginId::derived(&["relay"])
}

fn node() -> OriginId {
    OriginId::derived(&["node"])
}

fn intent(name: &str) -> IntentId {
    IntentId::derived(&[name])
}

fn note(text: &str) -> Amendment {
    Amendment::Instructions(Some(text.to_owned()))
}

fn fact(origin: OriginId, seq: u64, at_ms: u64, what: OrderFact) -> StampedOrderFact {
    let id = FactId { origin, seq, index: 0 };
    StampedOrderFact { id, at: Hlc::default().tick(Timestamp(at_ms)), by: Actor::System, what, way: None }
}

fn placed() -> StampedOrderFact {
    let header = Header {
        placed_at: Timestamp(1_000),
        channel: Channel::Cloud,
        fulfilment: Fulfilment::Delivery,
        table: None,
        note: Some("ring".to_owned()),
        lines: vec![],
        currency: Currency::USD,
        device: None,
        menu_version: 1,
        owner: Some(node()),
        charges: Charges::default(),
    };
    fact(relay(), 1, 1_000, OrderFact::Placed(Box::new(header)))
}

fn seen(facts: &[StampedOrderFact]) -> OrderView {
    let mut doc = OrderDoc::default();
    facts.iter().for_each(|fact| doc.insert(fact.clone()));
    let forwards = view(&doc).unwrap();
    let mut doc = OrderDoc::default();
    facts.iter().rev().chain(facts).for_each(|fact| doc.insert(fact.clone()));
    assert_eq!(view(&doc).unwrap(), forwards, "in whatever order, and twice");
    forwards
}

fn asked(seq: u64, name: &str, amendment: Amendment) -> StampedOrderFact {
    fact(relay(), seq, 1_000 * seq, OrderFact::AmendmentAsked { intent: intent(name), amendment })
}

fn answered(seq: u64, at_ms: u64, name: &str, refused: Option<&str>) -> StampedOrderFact {
    let refused = refused.map(str::to_owned);
    fact(node(), seq, at_ms, OrderFact::AmendmentAnswered { intent: intent(name), refused })
}

fn ended(seq: u64, name: &str, granted: Option<bool>) -> StampedOrderFact {
    fact(relay(), seq, 1_000 * seq, OrderFact::AmendmentEnded { intent: intent(name), granted })
}

#[test]
fn fa1_each_field_is_a_register_and_the_last_one_that_is_so_is_shown() {
    assert_eq!(seen(&[placed()]).instructions.as_deref(), Some("ring"));
    let direct = |seq, amendment| fact(relay(), seq, 1_000 * seq, OrderFact::Amended { amendment });
    let view = seen(&[
        placed(),
        direct(2, note("knock")),
        direct(3, Amendment::Time(Some(Timestamp(9)))),
        direct(4, Amendment::Instructions(None)),
        direct(5, Amendment::Address { distance_m: 700 }),
    ]);
    assert_eq!((view.instructions, view.ready_not_before, view.distance_m), (None, Some(Timestamp(9)), Some(700)));
    assert!(view.amendments.is_empty(), "nobody was asked");
}

#[test]
fn fa2_a_request_changes_nothing_until_it_is_granted_and_its_first_answer_counts() {
    let ask = [placed(), asked(2, "a", note("knock"))];
    let view = seen(&ask);
    assert_eq!((view.instructions.as_deref(), view.amendments_asked().count()), (Some("ring"), 1));
    assert_eq!(view.amendments[0].before, Some(note("ring")));
    let with = |more: &[StampedOrderFact]| seen(&[&ask[..], more].concat());
    // The node's clock is far behind the relay's: its answer comes before the question, and is an answer all the same.
    for at_ms in [1, 9_000] {
        let view = with(&[answered(1, at_ms, "a", None)]);
        assert_eq!(
            (view.instructions.as_deref(), &view.amendments[0].state),
            (Some("knock"), &AmendmentState::Granted)
        );
        let view = with(&[answered(1, at_ms, "a", Some("made already")), answered(2, at_ms + 1, "a", None)]);
        assert_eq!(view.amendments[0].state, AmendmentState::Refused("made already".into()));
        assert_eq!(view.instructions.as_deref(), Some("ring"));
    }
    // Two requests of one field: what was asked last is so, whatever was answered last.
    let two = [asked(3, "b", note("call")), answered(1, 9_000, "b", None), answered(2, 9_001, "a", None)];
    assert_eq!(with(&two).instructions.as_deref(), Some("call"));
    // The same request told twice is one.
    assert_eq!(with(&[asked(4, "a", note("else"))]).amendments.len(), 1);
}

#[test]
fn fa3_what_the_relay_has_ended_stays_ended_whatever_answer_comes() {
    let facts = [placed(), asked(2, "a", note("knock")), ended(3, "a", None), answered(1, 2_500, "a", None)];
    let view = seen(&facts);
    assert_eq!((view.instructions.as_deref(), &view.amendments[0].state), (Some("ring"), &AmendmentState::Lapsed));
    // What it has taken is so, also when the one who said it was no owner any more.
    let over =
        OrderFact::TakenOver { term: 1, owner: OriginId::derived(&["heir"]), upto: Some(0), why: "silent".into() };
    let over = fact(OriginId::derived(&["heir"]), 1, 9_000, over);
    let facts = [placed(), asked(2, "a", note("knock")), answered(1, 2_500, "a", None), over.clone()];
    assert_eq!(seen(&facts).amendments[0].state, AmendmentState::Asked, "nobody has said yes");
    let facts =
        [placed(), asked(2, "a", note("knock")), answered(1, 2_500, "a", None), ended(3, "a", Some(true)), over];
    assert_eq!(seen(&facts).instructions.as_deref(), Some("knock"));
}

#[test]
fn fa5_of_an_order_of_the_relay_only_who_placed_it_says_how_it_is_wanted() {
    let direct = |origin, seq, text| fact(origin, seq, 1_000 * seq, OrderFact::Amended { amendment: note(text) });
    let view = seen(&[placed(), direct(node(), 9, "leave it outside")]);
    assert_eq!(view.instructions.as_deref(), Some("ring"), "a node was asked for nothing");
    let view = seen(&[placed(), direct(relay(), 2, "knock"), direct(node(), 9, "leave it outside")]);
    assert_eq!(view.instructions.as_deref(), Some("knock"));
    // An order of the restaurant is the restaurant's, at whichever of its nodes.
    let mut own = placed();
    if let OrderFact::Placed(header) = &mut own.what {
        header.owner = None;
    }
    let view = seen(&[own, direct(node(), 9, "leave it outside")]);
    assert_eq!(view.instructions.as_deref(), Some("leave it outside"));
}
