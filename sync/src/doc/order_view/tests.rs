//! The fold over an order's facts, told as small stories.

use super::*;
use crate::crdt::facts::Fact;
use crate::crdt::hlc::Hlc;
use crate::doc::change::Seen;
use crate::domain::id::{DeviceId, MenuItemId, VariantId};
use crate::domain::menu::StationId;
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::order::{Channel, Fulfilment};
use proptest::prelude::*;

fn line(name: &str, station: &str) -> Shared<PricedLine> {
    let line = PricedLine {
        id: LineId::derived(&[name]),
        item: MenuItemId::derived(&[name]),
        variant: VariantId::derived(&[name]),
        quantity: 1,
        choices: vec![],
        note: None,
        name: name.to_owned(),
        kitchen_name: None,
        variant_name: String::new(),
        unit_minor: 1_000,
        tax: BasisPoints(700),
        station: StationId::parse(station).unwrap(),
        prep_s: 300,
        uses: vec![],
    };
    line.into()
}

fn header(lines: &[(&str, &str)]) -> OrderFact {
    OrderFact::Placed(Box::new(Header {
        placed_at: Timestamp(1_000),
        channel: Channel::Kiosk,
        fulfilment: Fulfilment::Takeaway,
        table: None,
        note: None,
        lines: lines.iter().map(|(name, station)| line(name, station)).collect(),
        currency: Currency::USD,
        device: Some(DeviceId::derived(&["kiosk"])),
        menu_version: 1,
        owner: None,
        charges: crate::doc::order::Charges::default(),
    }))
}

fn accepted() -> OrderFact {
    OrderFact::Sent { day: DayNumber(3), letter: "A".into(), counter: 42 }
}

fn key(station: &str) -> TicketKey {
    TicketKey { station: StationId::parse(station).unwrap(), course: 0 }
}

fn phase(station: &str, epoch: u32, phase: TicketPhase) -> OrderFact {
    OrderFact::Phase { ticket: key(station), epoch, phase }
}

fn stamped(origin: u8, seq: u64, what: OrderFact) -> StampedOrderFact {
    let id = FactId { origin: OriginId::from_bytes([origin; 16]), seq, index: 0 };
    Fact { id, at: Hlc::default().tick(Timestamp(1_000 * seq)), by: Actor::System, what, way: None }
}

fn doc(facts: &[OrderFact]) -> OrderDoc {
    let mut doc = OrderDoc::default();
    for (at, what) in facts.iter().enumerate() {
        doc.insert(stamped(1, at as u64 + 1, what.clone()));
    }
    doc
}

fn shown(facts: &[OrderFact]) -> OrderView {
    view(&doc(facts)).unwrap()
}

fn words(view: &OrderView) -> Vec<Status> {
    view.history.iter().map(|change| change.to).collect()
}

#[test]
fn o1_the_history_tells_each_change_of_the_word_with_who_why_and_when() {
    use TicketPhase as T;
    let view = shown(&[
        header(&[("pizza", "oven"), ("cola", "drinks")]),
        accepted(),
        phase("drinks", 0, T::Ready),
        phase("oven", 0, T::Started),
        phase("oven", 0, T::Ready),
        phase("oven", 0, T::HandedOver),
        phase("drinks", 0, T::HandedOver),
    ]);
    use Status as S;
    assert_eq!(words(&view), [S::OrderPlaced, S::OrderConfirmed, S::Preparing, S::ReadyForPickup, S::Completed]);
    let ready = &view.history[3];
    assert_eq!((ready.deed.why.as_str(), ready.deed.at), ("oven bumped", Timestamp(5_000)));
    assert_eq!(view.number, Some((DayNumber(3), "A042".to_owned())));
    assert!(!view.on_board());
}

#[test]
fn o1_an_answer_by_a_clock_that_is_far_behind_comes_after_the_order() {
    let mut doc = OrderDoc::default();
    let mut told = |origin: u8, seq, index, wall, what| {
        let id = FactId { origin: OriginId::from_bytes([origin; 16]), seq, index };
        doc.insert(Fact { id, at: Hlc::default().tick(Timestamp(wall)), by: Actor::System, what, way: None });
    };
    told(1, 4, 0, 700_000, header(&[("pizza", "oven")]));
    told(1, 4, 1, 700_000, OrderFact::Commercial { phase: CommercialPhase::Placed });
    told(2, 9, 0, 1, OrderFact::Accepted);
    told(1, 5, 0, 700_007, OrderFact::Commercial { phase: CommercialPhase::Confirmed });
    let view = view(&doc).unwrap();
    assert_eq!(words(&view), [Status::OrderPlaced, Status::OrderConfirmed], "and not confirmed before it was placed");
}

/// An order of the relay, named for node 2, as facts (origin, seq, wall, what).
fn online(told: &[(u8, u64, u64, OrderFact)]) -> OrderView {
    let OrderFact::Placed(mut born) = header(&[("pizza", "oven")]) else { unreachable!() };
    born.owner = Some(OriginId::from_bytes([2; 16]));
    let mut doc = OrderDoc::default();
    let all = std::iter::once((1, 1, 100, OrderFact::Placed(born))).chain(told.iter().cloned());
    for (origin, seq, wall, what) in all {
        let id = FactId { origin: OriginId::from_bytes([origin; 16]), seq, index: 0 };
        doc.insert(Fact { id, at: Hlc::default().tick(Timestamp(wall)), by: Actor::System, way: None, what });
    }
    view(&doc).unwrap()
}

fn taken(term: u32, owner: u8, upto: Option<u64>) -> OrderFact {
    OrderFact::TakenOver { term, owner: OriginId::from_bytes([owner; 16]), upto, why: "it is silent".into() }
}

#[test]
fn q4_what_a_former_owner_decides_without_knowing_decides_nothing_whatever_the_clocks_say() {
    let no = || OrderFact::Rejected { why: "no oven".into() };
    let before = online(&[(2, 5, 200, OrderFact::Accepted), (3, 1, 150, taken(1, 3, Some(5)))]);
    assert!(before.accepted, "what the new owner had seen counts");
    assert_eq!((before.owner, before.term), (OriginId::from_bytes([3; 16]), 1));
    for wall in [1, 1_000_000] {
        let late = online(&[(2, 6, wall, no()), (3, 1, 500, taken(1, 3, Some(5))), (3, 2, 600, OrderFact::Accepted)]);
        assert!(late.accepted && late.cancelled.is_none(), "{wall}");
    }
    let ended = online(&[(2, 6, 200, OrderFact::Accepted), (3, 1, 300, taken(1, 3, None))]);
    assert!(ended.accepted, "what an ended origin had decided counts whenever it comes");
}

#[test]
fn q4_of_two_that_take_over_at_once_one_decides_and_a_higher_term_decides_after_it() {
    let sent = |counter| OrderFact::Sent { day: DayNumber(1), letter: "C".into(), counter };
    let both = [(4, 1, 300, taken(1, 4, Some(0))), (3, 9, 400, taken(1, 3, Some(0)))];
    let told = |more: &[(u8, u64, u64, OrderFact)]| online(&[&both[..], more].concat());
    let one = told(&[(4, 2, 310, sent(4)), (3, 10, 410, sent(3))]);
    assert_eq!(one.number, Some((DayNumber(1), "C003".into())), "the lower (origin, sequence) has the term");
    let back =
        told(&[(2, 8, 500, taken(2, 2, Some(9))), (2, 7, 450, sent(7)), (2, 9, 510, sent(9)), (3, 10, 410, sent(3))]);
    assert_eq!((back.owner, back.term), (OriginId::from_bytes([2; 16]), 2));
    assert_eq!(
        back.number,
        Some((DayNumber(1), "C009".into())),
        "what it said between its two terms counts in neither"
    );
    let cash =
        OrderFact::Payment { payment: PaymentId::derived(&["p"]), phase: PaymentPhase::Captured, amount_minor: 500 };
    assert_eq!(told(&[(2, 7, 450, cash)]).captured_minor, 500, "money that was taken counts, whoever took it");
}

#[test]
fn v2_lines_of_two_waiters_at_two_nodes_are_all_there_and_the_log_says_who_did_what_where_and_why() {
    let added = |name: &str| {
        let lines = vec![AddedLine { line: line(name, "oven"), replaces: None, epoch: 0 }];
        OrderFact::LinesAdded { intent: IntentId::derived(&[name]), lines }
    };
    let voided = |by: &str, why: &str| OrderFact::LineVoided {
        intent: IntentId::derived(&[by]),
        line: LineId::derived(&["soup"]),
        why: why.into(),
    };
    let told = [
        (1, 1, 100, header(&[("soup", "oven"), ("bread", "oven")])),
        (1, 2, 300, added("wine")),
        (2, 7, 310, added("cake")),
        (1, 3, 320, voided("counter", "cold")),
        (2, 8, 330, voided("bar", "too late")),
    ];
    let doc = |order: &[usize]| {
        let mut doc = OrderDoc::default();
        for at in order {
            let (origin, seq, wall, what) = told[*at].clone();
            let id = FactId { origin: OriginId::from_bytes([origin; 16]), seq, index: 0 };
            doc.insert(Fact { id, at: Hlc::default().tick(Timestamp(wall)), by: Actor::System, way: None, what });
        }
        doc
    };
    let (one, other) = (doc(&[0, 1, 3, 2, 4]), doc(&[2, 4, 0, 1, 3]));
    let shown = view(&one).unwrap();
    let wanted: Vec<&str> = shown.wanted().map(|line| line.line.name.as_str()).collect();
    assert_eq!(wanted, ["bread", "wine", "cake"], "nothing vanishes but what was voided, by name, for a reason");
    assert_eq!(shown.lines[0].voided.as_ref().map(|deed| deed.why.as_str()), Some("cold"));
    let log = crate::doc::merge_log::merge_log(&one);
    assert_eq!(log, crate::doc::merge_log::merge_log(&other), "the same on every replica");
    let said: Vec<(u8, &str)> =
        log.entries.iter().map(|entry| (entry.origin.as_bytes()[0], entry.what.as_str())).collect();
    let expected = [
        (1, "placed soup, bread"),
        (1, "added wine"),
        (2, "added cake"),
        (1, "voided soup: cold"),
        (2, "voided soup again, which changes nothing: too late"),
    ];
    assert_eq!(said, expected);
    assert_eq!(log.origins.len(), 2, "two nodes were merged");
}

/// Whose commit it is, and what it had heard of others.
type Said<'a> = (u8, u64, OrderFact, Option<&'a [(u8, u64)]>);

#[test]
fn v3_the_log_marks_what_was_changed_without_hearing_of_each_other_and_what_had_no_effect() {
    let knew = |others: &[(u8, u64)]| {
        let seen = |(origin, seq): &(u8, u64)| Seen { origin: OriginId::from_bytes([*origin; 16]), seq: *seq };
        others.iter().map(seen).collect::<Vec<_>>()
    };
    let added = |name: &str| {
        let lines = vec![AddedLine { line: line(name, "oven"), replaces: None, epoch: 0 }];
        OrderFact::LinesAdded { intent: IntentId::derived(&[name]), lines }
    };
    let marks = |told: &[Said<'_>]| {
        let mut doc = OrderDoc::default();
        for (wall, (origin, seq, what, others)) in (1..).zip(told) {
            let said = others.map(|others| OrderFact::Knew { seen: knew(others) });
            for (index, what) in (0..).zip([what.clone()].into_iter().chain(said)) {
                let id = FactId { origin: OriginId::from_bytes([*origin; 16]), seq: *seq, index };
                let at = Hlc::default().tick(Timestamp(wall));
                doc.insert(Fact { id, at, by: Actor::System, way: None, what });
            }
        }
        let log = crate::doc::merge_log::merge_log(&doc);
        let told = log.entries.iter().map(|entry| (entry.what.clone(), entry.concurrent, entry.lost));
        (told.collect::<Vec<_>>(), doc)
    };
    let placed = (1, 1, header(&[("soup", "oven")]), None);
    let (shown, doc) = marks(&[
        placed.clone(),
        (2, 1, added("wine"), Some(&[(1, 1)])),
        (1, 2, added("cake"), Some(&[])),
        (1, 3, added("tea"), Some(&[(2, 1)])),
        (3, 1, added("rum"), Some(&[(1, 3), (2, 1)])),
        (4, 1, added("old"), None),
    ]);
    let flags: Vec<(bool, bool)> = shown.iter().map(|(_, concurrent, lost)| (*concurrent, *lost)).collect();
    let nothing = (false, false);
    assert_eq!(flags, [nothing, (true, false), (true, false), nothing, nothing, nothing], "{shown:?}");
    let seen = crate::doc::merge_log::seen_of(&doc, &OriginId::from_bytes([3; 16]));
    assert_eq!(seen, knew(&[(1, 3), (2, 1), (4, 1)]), "the last change of each other writer");

    let cancelled = |why: &str| OrderFact::Cancelled { why: why.into() };
    let (shown, _) = marks(&[
        placed,
        (1, 2, cancelled("guest left"), Some(&[])),
        (2, 1, added("wine"), Some(&[(1, 1)])),
        (3, 4, taken(1, 3, Some(2)), None),
        (1, 3, cancelled("again"), Some(&[])),
    ]);
    assert_eq!(shown[2], ("added wine".into(), true, true), "it is not cooked: the order was cancelled meanwhile");
    assert_eq!(shown[4], ("cancelled the order: again".into(), true, true), "another node decides by then");
}

#[test]
fn t1_a_tap_at_another_node_whose_clock_is_far_behind_counts() {
    let shown = online(&[
        (2, 1, 90_000_000, OrderFact::Accepted),
        (2, 2, 90_000_000, accepted()),
        (3, 1, 200, phase("oven", 0, TicketPhase::Started)),
        (1, 2, 150, OrderFact::Commercial { phase: CommercialPhase::Confirmed }),
    ]);
    assert_eq!(shown.tickets[&key("oven")].phase, TicketPhase::Started);
    assert_eq!(shown.status, Status::Preparing);
}

#[test]
fn t1_a_late_fact_of_a_lower_phase_changes_nothing() {
    let view = shown(&[
        header(&[("p", "oven")]),
        accepted(),
        phase("oven", 0, TicketPhase::Ready),
        phase("oven", 0, TicketPhase::Started),
    ]);
    assert_eq!(view.tickets[&key("oven")].phase, TicketPhase::Ready);
    assert_eq!(view.status, Status::ReadyForPickup);
}

#[test]
fn t2_t3_a_recall_opens_the_next_epoch_and_the_word_is_preparing() {
    let recall = OrderFact::EpochOpened { ticket: key("oven"), epoch: 1, kind: EpochKind::LookAgain };
    let facts = [header(&[("p", "oven")]), accepted(), phase("oven", 0, TicketPhase::Ready), recall];
    let view = shown(&facts);
    let ticket = &view.tickets[&key("oven")];
    assert_eq!((ticket.epoch, ticket.phase, ticket.begun), (1, TicketPhase::Queued, true));
    assert_eq!(view.status, Status::Preparing);
    assert!(!view.not_begun(&view.lines[0]), "what was begun in an earlier epoch stays begun");
    // A bump of the older epoch that comes late does not bump the newer one.
    let mut late = facts.to_vec();
    late.push(phase("oven", 0, TicketPhase::HandedOver));
    assert_eq!(shown(&late).tickets[&key("oven")].phase, TicketPhase::Queued);
}

#[test]
fn t3_a_remake_after_hand_over_is_preparing_again() {
    let remake = OrderFact::EpochOpened { ticket: key("oven"), epoch: 1, kind: EpochKind::CookAgain };
    let done = OrderFact::LineDone { line: LineId::derived(&["p"]), epoch: 0, done: true };
    let view = shown(&[header(&[("p", "oven")]), accepted(), done, phase("oven", 0, TicketPhase::HandedOver), remake]);
    assert_eq!(view.status, Status::Preparing);
    assert_eq!(view.lines[0].done, None, "the line is to be made again");
    assert!(view.on_board());
}

#[test]
fn o4_of_two_headers_under_one_id_the_lower_origin_and_sequence_is_the_order() {
    let (first, second) = (stamped(1, 9, header(&[("a", "oven")])), stamped(2, 1, header(&[("b", "oven")])));
    for order in [[&first, &second], [&second, &first]] {
        let mut doc = OrderDoc::default();
        order.into_iter().for_each(|fact| doc.insert(fact.clone()));
        let view = view(&doc).unwrap();
        assert_eq!(view.lines[0].line.name, "a");
        assert_eq!(view.payer, OriginId::from_bytes([1; 16]));
    }
}

#[test]
fn o4_an_order_that_was_made_twice_has_every_number_that_was_given_for_it() {
    let sent = |letter: &str, counter| OrderFact::Sent { day: DayNumber(3), letter: letter.into(), counter };
    let facts = [
        stamped(1, 8, header(&[("a", "oven")])),
        stamped(1, 9, sent("A", 36)),
        stamped(2, 10, header(&[("a", "oven")])),
        stamped(2, 11, sent("ACV", 2)),
        stamped(2, 12, sent("A", 36)),
    ];
    for turned in [false, true] {
        let mut doc = OrderDoc::default();
        let mut told = facts.to_vec();
        if turned {
            told.reverse();
        }
        told.into_iter().for_each(|fact| doc.insert(fact));
        let view = view(&doc).unwrap();
        let numbers: Vec<&str> = view.numbers().map(|(_, number)| number.as_str()).collect();
        assert_eq!(numbers, ["A036", "ACV002"]);
        assert_eq!(view.number, Some((DayNumber(3), "A036".into())));
    }
}

#[test]
fn k1_every_line_is_shown_on_one_ticket_only() {
    let view = shown(&[header(&[("a", "oven"), ("b", "drinks"), ("c", "oven")]), accepted()]);
    let mut seen: Vec<&str> = Vec::new();
    for (key, ticket) in &view.tickets {
        seen.extend(view.shown_on(key, ticket).map(|line| line.line.name.as_str()));
    }
    seen.sort_unstable();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn k2_a_line_added_after_the_bump_is_cooked_in_an_epoch_of_its_own() {
    let added = AddedLine { line: line("more", "oven"), replaces: None, epoch: 1 };
    let view = shown(&[
        header(&[("first", "oven")]),
        accepted(),
        phase("oven", 0, TicketPhase::Ready),
        OrderFact::EpochOpened { ticket: key("oven"), epoch: 1, kind: EpochKind::More },
        OrderFact::LinesAdded { intent: IntentId::derived(&["i"]), lines: vec![added] },
    ]);
    let (key, ticket) = view.tickets.first_key_value().unwrap();
    let names: Vec<&str> = view.shown_on(key, ticket).map(|line| line.line.name.as_str()).collect();
    assert_eq!(names, ["more"]);
    assert_eq!(view.status, Status::Preparing);
    assert!(view.not_begun(&view.lines[1]) && !view.not_begun(&view.lines[0]));
}

#[test]
fn v1_a_voided_line_stays_and_says_who_and_why_and_costs_nothing() {
    let void = OrderFact::LineVoided {
        intent: IntentId::derived(&["i"]),
        line: LineId::derived(&["a"]),
        why: "dropped".into(),
    };
    let view = shown(&[header(&[("a", "oven"), ("b", "oven")]), accepted(), void]);
    assert_eq!(view.lines.len(), 2);
    let deed = view.lines[0].voided.as_ref().unwrap();
    assert_eq!((deed.why.as_str(), deed.by, deed.at), ("dropped", Actor::System, Timestamp(3_000)));
    assert_eq!((view.total_minor(), view.tax_minor()), (1_000, 65));
}

#[test]
fn k3_a_cancelled_order_stays_on_the_board_until_a_cook_has_seen_it() {
    let cancelled = OrderFact::Cancelled { why: "guest left".into() };
    let mut facts = vec![header(&[("a", "oven"), ("b", "drinks")]), accepted(), cancelled];
    assert!(shown(&facts).on_board());
    assert_eq!(shown(&facts).status, Status::Cancelled);
    assert_eq!(shown(&facts).total_minor(), 0);
    facts.push(OrderFact::LineSeen { line: LineId::derived(&["a"]) });
    assert!(shown(&facts).on_board());
    facts.push(phase("drinks", 0, TicketPhase::Ready));
    assert!(!shown(&facts).on_board());
    assert_eq!(shown(&facts).status, Status::Cancelled, "a bump of a cancelled ticket only puts it away");
}

#[test]
fn p1_paid_never_goes_back_and_a_full_refund_changes_the_word() {
    let payment = PaymentId::derived(&["p"]);
    let pay = |phase| OrderFact::Payment { payment, phase, amount_minor: 1_000 };
    let refund = |n: &str, amount_minor| OrderFact::Refunded { payment, intent: IntentId::derived(&[n]), amount_minor };
    let mut facts = vec![header(&[("a", "oven")]), accepted(), pay(PaymentPhase::Captured), pay(PaymentPhase::Pending)];
    assert_eq!(shown(&facts).captured_minor, 1_000);
    facts.push(phase("oven", 0, TicketPhase::HandedOver));
    facts.push(refund("one", 400));
    facts.push(refund("one", 400));
    assert_eq!((shown(&facts).refunded_minor, shown(&facts).status), (400, Status::Completed));
    facts.push(refund("two", 600));
    assert_eq!(shown(&facts).status, Status::Refunded);
}

#[test]
fn f1_a_document_without_its_header_shows_nothing_yet() {
    assert!(view(&doc(&[accepted()])).is_none());
}

proptest! {
    #[test]
    fn f2_any_order_of_arrival_with_duplicates_shows_the_same(picks in prop::collection::vec((0usize..9, 0usize..9), 0..40)) {
        let facts = [
            stamped(1, 1, header(&[("a", "oven"), ("b", "drinks")])),
            stamped(1, 2, accepted()),
            stamped(2, 1, phase("oven", 0, TicketPhase::Started)),
            stamped(1, 3, phase("oven", 0, TicketPhase::Ready)),
            stamped(2, 2, OrderFact::EpochOpened { ticket: key("oven"), epoch: 1, kind: EpochKind::CookAgain }),
            stamped(2, 3, OrderFact::LineVoided { intent: IntentId::derived(&["v"]), line: LineId::derived(&["b"]), why: "x".into() }),
            stamped(3, 1, phase("drinks", 0, TicketPhase::Ready)),
            stamped(1, 4, OrderFact::LineDone { line: LineId::derived(&["a"]), epoch: 1, done: true }),
            stamped(3, 2, OrderFact::Acknowledged { ticket: key("oven"), epoch: 1 }),
        ];
        let mut straight = OrderDoc::default();
        facts.iter().for_each(|fact| straight.insert(fact.clone()));
        let (mut left, mut right) = (OrderDoc::default(), OrderDoc::default());
        for (one, other) in picks {
            left.insert(facts[one].clone());
            right.insert(facts[other].clone());
        }
        facts.iter().rev().for_each(|fact| right.insert(fact.clone()));
        left.merge(right.clone());
        right.merge(left.clone());
        prop_assert_eq!(view(&left), view(&straight));
        prop_assert_eq!(view(&right), view(&straight));
        prop_assert_eq!(minicbor::to_vec(&left).unwrap(), minicbor::to_vec(&straight).unwrap());
    }
}

#[test]
fn t1_a_tap_by_a_clock_that_is_behind_counts_once_its_epoch_is_there() {
    use TicketPhase as T;
    let recall = OrderFact::EpochOpened { ticket: key("oven"), epoch: 1, kind: EpochKind::LookAgain };
    let mut doc = OrderDoc::default();
    // By the hybrid clocks the taps came first: their writer does not follow a clock that is more than ten minutes ahead.
    let facts = [
        (1, 1, header(&[("pizza", "oven")])),
        (2, 2, phase("oven", 0, T::Ready)),
        (2, 3, phase("oven", 1, T::HandedOver)),
        (1, 8, accepted()),
        (1, 9, recall),
    ];
    for (origin, seq, what) in facts {
        doc.insert(stamped(origin, seq, what));
    }
    let view = view(&doc).unwrap();
    let ticket = &view.tickets[&key("oven")];
    assert_eq!((ticket.epoch, ticket.phase, view.status), (1, T::HandedOver, Status::Completed));
}
