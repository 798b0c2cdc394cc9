//! Drawers, reports and keepers among replicas that do not know them: the version before knows neither kind.

use super::*;
use crate::doc::books::{Closing, SignedReport};
use crate::doc::site::Day;
use crate::doc::till::{Opening, TillFact};
use crate::domain::id::ShiftId;
use ed25519_dalek::Signer;
use minicbor::decode::Error as DecodeError;

/// What the version before made of changes.
fn before(raw: &RawChange) -> Result<Change, DecodeError> {
    if (40..=43).contains(&raw.kind) { Ok(Change::Unknown(raw.clone())) } else { Change::from_raw(raw) }
}

#[test]
fn n5_a_replica_that_knows_no_drawers_takes_their_cash_and_has_drawers_and_reports_after_its_upgrade() {
    let mut node = Side::new("node", OriginRole::Node);
    let mut relay = Side::of_version("relay", OriginRole::Relay, before);
    let me = node.replica.origin();
    let (order, shift, payment) = (OrderId::derived(&["o"]), ShiftId::derived(&["s"]), PaymentId::derived(&["p"]));
    let day = Day { number: DayNumber(1), date: 20_261_121 };
    let opening = Opening { drawer: "front".into(), node: me, day: day.number, float_minor: 500 };
    let sent = OrderFact::Sent { day: day.number, letter: "A".into(), counter: 1 };
    node.write(&[Change::Day(day), Change::Till(shift, TillFact::Opened(opening))]);
    node.write(&[Change::Order(order, header(None)), Change::Order(order, sent)]);
    // One commit of money: the order's part counts everywhere, the drawer's where drawers are known.
    let paid = OrderFact::Payment { payment, phase: PaymentPhase::Captured, amount_minor: 2_000 };
    let taken = TillFact::Taken { order, payment, amount_minor: 2_000 };
    node.write(&[Change::Order(order, paid), Change::Till(shift, taken)]);
    node.write(&[Change::Till(shift, TillFact::Closed { counted_minor: 2_500, expected_minor: 2_500 })]);
    let site = node.replica.site();
    let keeper = site.write_keeper(me);
    let mut closing = Closing::begin(day.number, node.replica.understood());
    closing.order(site.books(), &node.replica.live(&order).unwrap().doc);
    site.unlisted_shifts().for_each(|(id, doc)| closing.shift(site.books(), *id, doc, |fact| site.is_here(id, fact)));
    closing.name_logs(|origin, seq| node.replica.hash_at(origin, seq, &node.disk)).unwrap();
    let report = closing.report(site.books(), day, (me, 0), Actor::System, NOW);
    let signed = SignedReport::sign(&report, |hash| signing_key(me).sign(hash).to_bytes());
    node.write(&[Change::DayClosed(signed.clone()), keeper]);
    assert_eq!((report.totals.till_minor, report.shifts.len()), (2_000, 1));
    assert_eq!(pass(&node, &mut relay), 6);
    assert_eq!(relay.order(&order).captured_minor, 2_000, "the payment is no less one for its drawer");
    let known = relay.replica.site();
    assert_eq!((known.open_shifts().count(), known.books().reports().count(), known.keeper().1), (0, 0, 0));
    assert_eq!(relay.replica.unread_commits(), 4);
    // What it passes on is what was signed.
    let mut far = Side::new("far", OriginRole::Node);
    far.take(&relay.log(me, 1)).unwrap();
    assert_eq!(far.replica.site().report_of(day.number), Some(&signed));
    relay.reopen(Change::from_raw);
    let known = relay.replica.site();
    assert_eq!((known.report_of(day.number), known.keeper().1, known.unlisted_shifts().count()), (Some(&signed), 1, 0));
    let of_node = |side: &Side| {
        let docs = side.replica.site().docs().filter(|(key, _)| *key != DocKey::Origins);
        docs.collect::<Vec<_>>()
    };
    assert_eq!(of_node(&relay), of_node(&node));
    assert_eq!(relay.replica.unread_commits(), 0);
    // A report that this version cannot read waits for the next upgrade, and keeps no sale from the books.
    let later = SignedReport { report: vec![0x9f].into(), ..signed };
    node.write(&[Change::DayClosed(later)]);
    assert_eq!((pass(&node, &mut relay), relay.replica.unread_commits()), (1, 1));
    assert_eq!(relay.replica.held().count(), 0);
}
