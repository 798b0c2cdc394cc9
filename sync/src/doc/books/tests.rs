//! Which report books what, told as small stories.

use super::*;
use crate::crdt::hlc::Hlc;
use crate::doc::order::{Charges, Header};
use crate::domain::id::{IntentId, LineId, MenuItemId, OrderId, PaymentId, VariantId};
use crate::domain::menu::StationId;
use crate::domain::money::{BasisPoints, Currency};
use crate::domain::order::{Channel, Fulfilment};
use crate::domain::pricing::PricedLine;
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

use crate::doc::till::{Opening, TillFact};

fn origin(n: u8) -> OriginId {
    OriginId::from_bytes([n; 16])
}

fn fact<T>(by: u8, seq: u64, what: T) -> Fact<T, Actor> {
    let id = FactId { origin: origin(by), seq, index: 0 };
    Fact { id, at: Hlc::default().tick(Timestamp(1_000 * seq)), by: Actor::System, what, way: None }
}

/// A pizza for 10.00.
fn placed() -> OrderFact {
    let line = PricedLine {
        id: LineId::derived(&["pizza"]),
        item: MenuItemId::derived(&["pizza"]),
        variant: VariantId::derived(&["pizza"]),
        quantity: 1,
        choices: vec![],
        note: None,
        name: "pizza".to_owned(),
        kitchen_name: None,
        variant_name: String::new(),
        unit_minor: 1_000,
        tax: BasisPoints(700),
        station: StationId::parse("oven").unwrap(),
        prep_s: 300,
        uses: vec![],
    };
    OrderFact::Placed(Box::new(Header {
        placed_at: Timestamp(1_000),
        channel: Channel::Counter,
        fulfilment: Fulfilment::Takeaway,
        table: None,
        note: None,
        lines: vec![line.into()],
        currency: Currency::USD,
        device: None,
        menu_version: 1,
        owner: None,
        charges: Charges::default(),
    }))
}

fn sent(day: u32) -> OrderFact {
    OrderFact::Sent { day: DayNumber(day), letter: "A".into(), counter: 1 }
}

fn paid(name: &str) -> OrderFact {
    OrderFact::Payment { payment: PaymentId::derived(&[name]), phase: PaymentPhase::Captured, amount_minor: 1_000 }
}

fn seen(of: &[(u8, u64)]) -> Vec<Seen> {
    of.iter().map(|(by, seq)| Seen { origin: origin(*by), seq: *seq }).collect()
}

fn day(number: u32) -> Day {
    Day { number: DayNumber(number), date: 20_261_100 + number }
}

/// Closes a day where these logs end, over these orders.
fn close(books: &Books, number: u32, at: &[(u8, u64)], orders: &[&OrderDoc]) -> SignedReport {
    let mut closing = Closing::begin(DayNumber(number), seen(at));
    orders.iter().for_each(|doc| closing.order(books, doc));
    let report = closing.report(books, day(number), (origin(1), 0), Actor::System, Timestamp(9_000));
    SignedReport::sign(&report, |_| [0; 64])
}

fn order(facts: impl IntoIterator<Item = crate::doc::order::StampedOrderFact>) -> OrderDoc {
    let mut doc = OrderDoc::default();
    facts.into_iter().for_each(|fact| doc.insert(fact));
    doc
}

#[test]
fn d4_what_comes_after_the_close_is_booked_once_in_the_next_report_as_late_for_its_day() {
    // The bar's payment reaches the keeper after it has closed the day; a third order comes whole.
    let two = order([fact(1, 1, placed()), fact(1, 2, sent(3)), fact(2, 7, paid("card"))]);
    let three = order([fact(2, 8, placed()), fact(2, 9, sent(3)), fact(2, 10, paid("cash"))]);
    let first = close(&Books::default(), 3, &[(1, 2), (2, 6)], &[&two, &three]);
    let report = first.read().unwrap();
    assert_eq!((report.totals.orders, report.totals.sales_minor, report.totals.payments), (1, 1_000, 0));
    assert_eq!(report.late, []);
    let books = Books::of([&first].into_iter());
    let second = close(&books, 4, &[(1, 3), (2, 10)], &[&two, &three]).read().unwrap();
    assert_eq!(second.totals, Totals::default(), "nothing was sold on day 4");
    let [late] = second.late.as_slice() else { panic!("{second:?}") };
    assert_eq!((late.day, late.changed), (DayNumber(3), 2));
    let sums = (late.totals.orders, late.totals.sales_minor, late.totals.payments, late.totals.till_minor);
    assert_eq!(sums, (1, 1_000, 2, 2_000));
    assert_eq!(first.read(), Some(report), "the first is what it was");
}

#[test]
fn d4_what_is_of_a_day_that_is_not_closed_waits_for_its_own_report() {
    let next = order([fact(1, 1, placed()), fact(1, 2, sent(4)), fact(1, 3, paid("cash"))]);
    let first = close(&Books::default(), 3, &[(1, 3)], &[&next]);
    assert_eq!(first.read().unwrap().totals, Totals::default());
    let books = Books::of([&first].into_iter());
    let second = close(&books, 4, &[(1, 9)], &[&next]).read().unwrap();
    assert_eq!((second.totals.sales_minor, second.totals.till_minor, second.late.len()), (1_000, 1_000, 0));
}

#[test]
fn d4_a_recovered_payment_is_booked_once_however_often_the_books_are_made() {
    let told = Fact { way: Some(Way::Recovered), ..fact(77, 5, paid("cash")) };
    let one = order([fact(1, 1, placed()), fact(1, 2, sent(3)), told]);
    let first = close(&Books::default(), 3, &[(1, 2)], &[&one]);
    assert_eq!(first.read().unwrap().totals.till_minor, 1_000);
    let books = Books::of([&first].into_iter());
    let second = close(&books, 4, &[(1, 2)], &[&one]);
    assert_eq!(second.read().unwrap().late, []);
    let both = Books::of([&first, &second].into_iter());
    assert!(both.has_all(&one, &view(&one).unwrap()));
}

#[test]
fn d5_of_two_reports_of_one_day_the_later_keepers_counts_and_what_the_other_had_booked_is_booked_again() {
    let one = order([fact(1, 1, placed()), fact(1, 2, sent(3)), fact(1, 3, paid("cash"))]);
    let old = close(&Books::default(), 3, &[(1, 3)], &[&one]);
    let mut report = close(&Books::default(), 3, &[(1, 2)], &[&one]).read().unwrap();
    report.keeper_version = 1;
    let new = SignedReport::sign(&report, |_| [0; 64]);
    let on_old = close(&Books::of([&old].into_iter()), 4, &[(1, 3)], &[&one]);
    for some in [[&old, &new, &on_old], [&on_old, &new, &old], [&new, &on_old, &old]] {
        let books = Books::of(some.into_iter());
        let counted: Vec<ReportId> = books.reports().map(|booked| booked.id).collect();
        assert_eq!(counted, [new.id()], "what builds on the other counts nothing either");
    }
    let books = Books::of([&old, &new, &on_old].into_iter());
    let next = close(&books, 4, &[(1, 9)], &[&one]).read().unwrap();
    assert_eq!(next.late.iter().map(|late| late.totals.till_minor).sum::<i64>(), 1_000);
}

#[test]
fn d5_the_reports_that_count_are_the_same_in_whatever_order_they_come() {
    let on = |books: &Books, number, version, sales_minor| {
        let mut report = close(books, number, &[(1, 1)], &[]).read().unwrap();
        (report.keeper_version, report.totals.sales_minor) = (version, sales_minor);
        SignedReport::sign(&report, |_| [0; 64])
    };
    let none = Books::default();
    let mut all = vec![on(&none, 3, 0, 1), on(&none, 3, 1, 2), on(&none, 4, 1, 3)];
    for first in all.clone() {
        let books = Books::of([&first].into_iter());
        all.extend([on(&books, 4, 0, 4), on(&books, 5, 2, 5), on(&books, 2, 9, 6)]);
        let last = all[all.len() - 2].clone();
        all.extend([6, 7].map(|number| on(&Books::of([&first, &last].into_iter()), number, 1, 7)));
    }
    // The chain as it is defined: the best of those that follow, again and again.
    let mut wanted: Vec<ReportId> = Vec::new();
    let mut number = None;
    loop {
        let read = all.iter().map(|signed| (signed.id(), signed.read().unwrap()));
        let next = read.filter(|(_, report)| {
            report.after == wanted.last().copied() && number.is_none_or(|number| report.day.number > number)
        });
        let next = next.min_by_key(|(id, report)| (Reverse(report.keeper_version), report.day.number, *id));
        let Some((id, report)) = next else { break };
        number = Some(report.day.number);
        wanted.push(id);
    }
    assert!(wanted.len() > 2, "{wanted:?}");
    for turn in 0..200_usize {
        // Another order each time.
        let mut some = all.clone();
        some.sort_by_key(|signed| blake3::hash(&[&turn.to_be_bytes()[..], signed.report.as_slice()].concat()).to_hex());
        let books = Books::of(some.iter());
        assert_eq!(books.reports().map(|one| one.id).collect::<Vec<_>>(), wanted, "turn {turn}");
    }
}

#[test]
fn d6_of_shifts_that_do_not_fit_into_a_report_the_rest_is_in_the_next_ones() {
    let shifts: Vec<(ShiftId, ShiftDoc)> = (1..=300_u64)
        .map(|n| {
            let drawer = "\u{96f2}".repeat(crate::limits::NAME_CHARS_MAX);
            let opening = Opening { drawer, node: origin(2), day: DayNumber(3), float_minor: i64::MAX };
            let mut doc = ShiftDoc::default();
            doc.insert(fact(2, 2 * n, TillFact::Opened(opening)));
            doc.insert(fact(2, 2 * n + 1, TillFact::Closed { counted_minor: i64::MIN, expected_minor: i64::MAX }));
            (ShiftId::derived(&[&n.to_string()]), doc)
        })
        .collect();
    // All that can be large at once: late sales of many days, and recovered facts.
    let mut late: Vec<OrderDoc> = Vec::new();
    for number in 1..=300_u32 {
        let told = |n: u8, what| Fact {
            way: Some(Way::Recovered),
            id: FactId { origin: OriginId::derived(&[&format!("{number} {n}")]), seq: u64::MAX, index: 0 },
            ..fact(9, 1, what)
        };
        let pays = (10..17_u8).map(|n| told(n, paid(&n.to_string())));
        late.push(order([told(1, placed()), told(2, sent(number))].into_iter().chain(pays)));
    }
    let (mut reports, mut listed, mut booked) = (Vec::<SignedReport>::new(), Vec::new(), 0);
    for number in 1_000..1_010 {
        let books = Books::of(reports.iter());
        let mut closing = Closing::begin(DayNumber(number), seen(&[(2, u64::MAX)]));
        late.iter().for_each(|doc| closing.order(&books, doc));
        shifts.iter().for_each(|(id, doc)| closing.shift(&books, *id, doc, |_| true));
        let report = closing.report(&books, day(number), (origin(1), 0), Actor::System, Timestamp(9));
        assert_eq!(report.more, (reports.is_empty()).then_some(true), "2,700 facts were told");
        listed.extend(report.shifts.iter().map(|line| line.shift));
        booked += report.late.iter().map(|late| late.totals.till_minor).sum::<i64>();
        let signed = SignedReport::sign(&report, |_| [0; 64]);
        assert!(signed.report.len() < OWN_COMMIT_BYTES_MAX - ORIGINS_MAX * 27 - 512, "{}", signed.report.len());
        reports.push(signed);
    }
    listed.sort();
    let mut wanted: Vec<ShiftId> = shifts.iter().map(|(id, _)| *id).collect();
    wanted.sort();
    assert_eq!((listed, booked), (wanted, 300 * 7 * 1_000), "each once");
}

#[test]
fn d3_a_report_is_its_bytes_and_one_that_was_changed_is_not_signed() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let one = order([fact(1, 1, placed()), fact(1, 2, sent(3))]);
    let report = close(&Books::default(), 3, &[(1, 2)], &[&one]).read().unwrap();
    let signed = SignedReport::sign(&report, |hash| key.sign(hash).to_bytes());
    let public = key.verifying_key().to_bytes();
    assert!(signed.is_signed_by(&public));
    let other = Report { totals: Totals { sales_minor: 1, ..report.totals }, ..report.clone() };
    let forged = SignedReport { report: to_vec(&other).into(), ..signed.clone() };
    assert!(!forged.is_signed_by(&public) && forged.id() != signed.id());
    assert_eq!(signed.read(), Some(report));
}

#[test]
fn d6_of_two_beginnings_of_one_shift_the_first_counts() {
    let opening = |drawer: &str, float_minor| {
        let (node, day) = (origin(2), DayNumber(3));
        TillFact::Opened(Opening { drawer: drawer.to_owned(), node, day, float_minor })
    };
    let told = [fact(2, 1, opening("front", 5_000)), fact(3, 2, opening("bar", 7_000))];
    for order in [[0_usize, 1], [1, 0]] {
        let mut doc = ShiftDoc::default();
        for at in order {
            doc.insert(told[at].clone());
        }
        let (begun, shown) = (doc.opening().unwrap(), doc.view(|_| true).unwrap());
        assert_eq!((begun.drawer.as_str(), shown.opening.float_minor), ("front", 5_000));
    }
}

#[test]
fn d6_a_shift_tells_what_should_be_in_the_drawer_and_is_in_one_report() {
    let opening = Opening { drawer: "front".to_owned(), node: origin(2), day: DayNumber(3), float_minor: 5_000 };
    let moved = |name: &str, amount_minor| TillFact::Moved {
        intent: IntentId::derived(&[name]),
        amount_minor,
        why: "change".to_owned(),
    };
    let taken =
        TillFact::Taken { order: OrderId::derived(&["o"]), payment: PaymentId::derived(&["p"]), amount_minor: 1_000 };
    let mut doc = ShiftDoc::default();
    for (seq, what) in
        [TillFact::Opened(opening), taken, moved("in", 300), moved("out", -2_000)].into_iter().enumerate()
    {
        doc.insert(fact(2, seq as u64 + 1, what));
    }
    let shown = doc.view(|_| true).unwrap();
    assert_eq!((shown.taken_minor(), shown.in_minor(), shown.out_minor()), (1_000, 300, 2_000));
    assert_eq!((shown.expected_minor(), doc.is_open()), (4_300, true));
    doc.insert(fact(2, 5, TillFact::Closed { counted_minor: 4_250, expected_minor: 4_300 }));
    assert!(!doc.is_open());
    let id = ShiftId::derived(&["s"]);
    let report = |books: &Books, number, upto| {
        let mut closing = Closing::begin(DayNumber(number), seen(&[(2, upto)]));
        closing.shift(books, id, &doc, |_| true);
        SignedReport::sign(&closing.report(books, day(number), (origin(1), 0), Actor::System, Timestamp(9)), |_| {
            [0; 64]
        })
    };
    let early = report(&Books::default(), 3, 4);
    assert_eq!(early.read().unwrap().shifts, [], "it had not ended");
    let books = Books::of([&early].into_iter());
    let next = report(&books, 4, 5);
    let lines = next.read().unwrap().shifts;
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((line.day, line.expected_minor, line.counted_minor), (DayNumber(3), 4_300, 4_250));
    assert_eq!(report(&Books::of([&early, &next].into_iter()), 5, 9).read().unwrap().shifts, [], "once");
}

proptest! {
    /// Whatever has come by each close, the reports together are what the orders are, and nothing twice.
    #[test]
    fn d4_reports_together_are_what_the_orders_are(
        orders in proptest::collection::vec((1_u8..4, 1_u32..5, 0_usize..4), 1..12),
        cuts in proptest::collection::vec(proptest::array::uniform3(0_u64..20), 1..5),
    ) {
        let mut seqs = [0_u64; 4];
        let mut docs = Vec::new();
        for (by, number, payments) in orders {
            let mut next = |by: u8| {
                seqs[usize::from(by)] += 1;
                seqs[usize::from(by)]
            };
            let mut facts = vec![fact(by, next(by), placed()), fact(by, next(by), sent(number))];
            for nth in 0..payments {
                let other = 1 + (by + u8::try_from(nth).unwrap()) % 3;
                facts.push(fact(other, next(other), paid(&nth.to_string())));
            }
            docs.push(order(facts));
        }
        let docs: Vec<&OrderDoc> = docs.iter().collect();
        let mut at = [0_u64; 3];
        let mut reports: Vec<SignedReport> = Vec::new();
        let last = [u64::MAX; 3];
        for (number, cut) in (1..).zip(cuts.iter().chain([&last])) {
            at.iter_mut().zip(cut).for_each(|(at, cut)| *at = at.saturating_add(*cut));
            let vector = [(1, at[0]), (2, at[1]), (3, at[2])];
            let number = if at[0] == u64::MAX { 9 } else { number };
            let books = Books::of(reports.iter());
            reports.push(close(&books, number, &vector, &docs));
        }
        let all = reports.iter().filter_map(SignedReport::read);
        let booked = all.fold(Totals::default(), |sum, report| {
            report.late.iter().fold(sum.plus(report.totals), |sum, late| sum.plus(late.totals))
        });
        let wanted = docs.iter().fold(Totals::default(), |sum, doc| sum.plus(Totals::of(&view(doc).unwrap())));
        prop_assert_eq!(booked, wanted);
    }
}
