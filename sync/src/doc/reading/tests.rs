//! What of a commit is understood, and the list of what is not.

use super::*;
use crate::crdt::chain::Head;
use crate::crdt::counter::Row;
use crate::doc::origin::OriginCard;
use crate::domain::id::IngredientId;
use crate::domain::role::Actor;

fn origin() -> OriginId {
    OriginId::derived(&["later"])
}

fn entry(seq: u64, changes: Vec<RawChange>) -> LogEntry {
    let (at, by) = (Hlc(7), Actor::System);
    let commit = Commit { origin: origin(), seq, at, clock_trusted: true, by, seen: vec![], changes };
    LogEntry { origin: origin(), head: Head { seq, ..Head::start(&origin()) }, bytes: commit.to_bytes().unwrap() }
}

fn card() -> Change {
    Change::Origin(OriginCard { origin: origin(), key: [7; 32], role: OriginRole::Node, letter: "A".into() })
}

fn stock() -> RawChange {
    Change::Stock(IngredientId::derived(&["flour"]), Row::default().deliver(1)).to_raw()
}

/// The card with a kind of program that this version has never heard of, and with one field more.
fn later_card() -> RawChange {
    let mut body = minicbor::Encoder::new(Vec::new());
    body.array(5).unwrap().encode(origin()).unwrap().bytes(&[7; 32]).unwrap();
    body.u8(9).unwrap().str("A").unwrap().bool(true).unwrap();
    RawChange { kind: card().to_raw().kind, body: body.into_writer().into() }
}

#[test]
fn n2_a_card_counts_as_the_first_change_of_its_log_and_without_one_nothing_does() {
    let site = Site::default();
    let count = |entry: &LogEntry| {
        let reading = read(entry, &site);
        (reading.effects.len(), reading.whole, reading.forbidden)
    };
    assert_eq!(count(&entry(1, vec![card().to_raw(), stock()])), (2, true, 0));
    assert_eq!(count(&entry(1, vec![stock(), card().to_raw()])), (0, false, 0), "who wrote it is not known");
    assert_eq!(count(&entry(2, vec![card().to_raw(), stock()])), (0, false, 0));
    let mut known = Site::default();
    let first = read(&entry(1, vec![card().to_raw()]), &known);
    known.apply(&first.effects[0], &mut crate::doc::site::Touched::default());
    let again = read(&entry(2, vec![card().to_raw(), stock()]), &known);
    assert_eq!((again.effects.len(), again.whole, again.forbidden), (1, true, 1), "nobody introduces himself twice");
}

#[test]
fn n2_a_card_that_a_later_version_wrote_still_brings_the_key_that_its_log_is_checked_with() {
    let first = entry(1, vec![later_card(), stock()]);
    assert!(Change::from_raw(&later_card()).is_err());
    assert!(!read(&first, &Site::default()).whole);
    assert_eq!(key_in(&first), Some([7; 32]));
    assert_eq!(key_in(&entry(2, vec![later_card()])), None, "a card is the first commit's");
    assert_eq!(key_in(&entry(1, vec![stock(), later_card()])), None, "and its first change");
    let foreign = LogEntry { origin: OriginId::derived(&["another"]), ..first };
    assert_eq!(key_in(&foreign), None, "nobody introduces another");
}

#[test]
fn n2_bytes_of_another_number_or_origin_are_no_commit_of_this_one() {
    let known = entry(1, vec![card().to_raw()]);
    assert!(read(&known, &Site::default()).whole);
    let other = LogEntry { head: Head { seq: 2, ..known.head }, ..known.clone() };
    assert!(read(&other, &Site::default()).commit.is_none() && Envelope::of(&other).is_none());
    let other = LogEntry { origin: OriginId::derived(&["another"]), ..known };
    assert!(read(&other, &Site::default()).commit.is_none() && Envelope::of(&other).is_none());
}

#[test]
fn n5_the_list_of_what_is_not_understood_is_bounded_and_misses_nothing() {
    let mut unread = Unread::default();
    let max = UNREAD_COMMITS_MAX as u64;
    for seq in 1..=max + 500 {
        unread.add(origin(), 2 * seq, 0);
    }
    assert_eq!((unread.count(), unread.held(&origin())), (max + 500, None));
    // In one that is not listed any more there may be amounts.
    unread.hold(origin(), 2 * max + 800);
    unread.hold(origin(), 2 * max + 900);
    assert_eq!(unread.held(&origin()), Some(2 * max + 800));
    let spans = unread.spans();
    assert_eq!(spans.len(), UNREAD_COMMITS_MAX + 1);
    let covered = |seq: u64| spans.iter().any(|span| span.from <= seq && seq <= span.to);
    assert!((1..=max + 500).all(|seq| covered(2 * seq)));
    assert!(spans.is_sorted_by_key(|span| span.from), "in sequence");
    let bytes = minicbor::to_vec(&unread).unwrap();
    assert!(bytes.len() < 16 * UNREAD_COMMITS_MAX, "{} bytes", bytes.len());
    assert_eq!(minicbor::decode::<Unread>(&bytes).unwrap(), unread);
    assert_eq!(Unread::whole_logs([&origin()]).spans(), [Span { origin: origin(), from: 1, to: u64::MAX }]);
}
