//! Several places write one item without hearing of each other.

use super::*;
use crate::crdt::hlc::Hlc;
use crate::domain::id::CategoryId;
use crate::domain::menu::StationId;
use crate::domain::money::BasisPoints;
use proptest::prelude::*;

fn item(name: &str) -> MenuItem {
    MenuItem {
        id: MenuItemId::derived(&["item"]),
        category: CategoryId::derived(&["c"]),
        position: 0,
        name: name.to_owned(),
        kitchen_name: String::new(),
        description: String::new(),
        station: StationId::kitchen(),
        prep_s: 60,
        tax: BasisPoints(0),
        variants: vec![],
        groups: vec![],
        tags: vec![],
        allergens: vec![],
        quantity_min: 1,
    }
}

fn origin(n: u8) -> OriginId {
    OriginId::from_bytes([n; 16])
}

fn stamp(version: u64, at: u64, by: u8) -> Stamp {
    Stamp { version, clock_trusted: true, at: Hlc(at), origin: origin(by) }
}

/// What somebody writes, when, and in which commit.
type Wrote = (FieldsWrite, Stamp, u64);

fn take(doc: &mut ItemDoc, (write, stamp, seq): &Wrote) {
    doc.write_fields(write, *stamp, *seq);
}

/// What this writer's copy makes of a tap.
fn write(doc: &ItemDoc, values: Vec<FieldValue>, (at, by, seq): (u64, u8, u64)) -> Wrote {
    let (version, seen) = (doc.next_version(), doc.seen(values.iter().map(FieldValue::name)));
    let id = MenuItemId::derived(&["item"]);
    (FieldsWrite { item: id, values, version, seen }, stamp(version, at, by), seq)
}

fn name(text: &str) -> FieldValue {
    FieldValue::Name(text.to_owned())
}

fn shown(doc: &ItemDoc) -> (MenuItem, Vec<(FieldName, Vec<FieldValue>)>) {
    let item = doc.shown().unwrap();
    let conflicts = doc.conflicts(&item).into_iter();
    let told = conflicts.map(|one| (one.field, one.values.into_iter().map(|(_, value)| value).collect())).collect();
    (item, told)
}

#[test]
fn w2_different_fields_of_one_item_both_stay_and_of_the_same_field_the_loser_is_seen_until_somebody_writes_again() {
    let mut doc = ItemDoc::default();
    doc.write_whole(Some(item("soup")), stamp(1, 1, 1));
    let (mut one, mut other) = (doc.clone(), doc.clone());
    let first = write(&one, vec![name("broth"), FieldValue::Prep(90)], (10, 1, 2));
    take(&mut one, &first);
    let second = write(&other, vec![name("bisque"), FieldValue::Position(7)], (11, 2, 1));
    take(&mut other, &second);
    assert_eq!(shown(&one).1, [], "each alone knows of no other");
    take(&mut one, &second);
    take(&mut other, &first);
    assert_eq!(one, other);
    let (item, conflicts) = shown(&one);
    assert_eq!((item.name.as_str(), item.prep_s, item.position), ("bisque", 90, 7), "the later clock of both");
    assert_eq!(conflicts, [(FieldName::Name, vec![name("bisque"), name("broth")])]);

    // A third place that has seen only the loser changes it: the winner is still unknown to it.
    let mut third = doc.clone();
    take(&mut third, &first);
    let later = write(&third, vec![name("stock")], (9, 3, 1));
    take(&mut one, &later);
    assert_eq!(shown(&one).1, [(FieldName::Name, vec![name("stock"), name("bisque")])]);
    // Somebody who sees both keeps one.
    let kept = write(&one, vec![name("bisque")], (3, 1, 3));
    take(&mut one, &kept);
    assert_eq!((shown(&one).0.name.as_str(), shown(&one).1), ("bisque", vec![]), "whatever the clock says");
    for late in [&first, &second, &later, &kept] {
        take(&mut one, late);
    }
    assert_eq!(shown(&one).1, [], "what was overruled stays so, however often it comes");
}

#[test]
fn w2_a_write_of_the_whole_item_by_an_older_version_is_a_write_of_all_fields() {
    let mut doc = ItemDoc::default();
    doc.write_whole(Some(item("soup")), stamp(1, 1, 1));
    let fields = write(&doc, vec![name("broth")], (10, 1, 2));
    let mut both = doc.clone();
    take(&mut both, &fields);
    both.write_whole(Some(item("bisque")), stamp(2, 11, 2));
    assert_eq!(shown(&both).0.name, "bisque", "concurrent: the higher stamp is shown");
    assert_eq!(shown(&both).1, [(FieldName::Name, vec![name("bisque"), name("broth")])]);
    both.write_whole(Some(item("stew")), stamp(3, 5, 2));
    assert_eq!((shown(&both).0.name.as_str(), shown(&both).1), ("stew", vec![]), "its writer had seen both");
    both.write_whole(None, stamp(4, 5, 2));
    assert_eq!(both.shown(), None);

    // The stored form of an item of which no field was written by itself is as it always was.
    let bytes = minicbor::to_vec(&doc).unwrap();
    let mut register = Register::default();
    register.write(Some(item("soup")), stamp(1, 1, 1));
    assert_eq!(bytes, minicbor::to_vec(&register).unwrap());
    take(&mut doc, &fields);
    for doc in [&both, &doc, &ItemDoc::default()] {
        assert_eq!(&minicbor::decode::<ItemDoc>(&minicbor::to_vec(doc).unwrap()).unwrap(), doc);
    }
}

#[test]
fn y1_the_bytes_of_a_write_of_fields_are_as_they_were_released() {
    let seen = vec![Seen { origin: origin(2), seq: 9 }];
    let write = FieldsWrite { item: MenuItemId::from_bytes([1; 16]), values: vec![name("ab")], version: 3, seen };
    let raw = crate::doc::change::Change::ItemFields(write).to_raw();
    let hex: String = raw.body.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = |byte: &str| format!("50{}", byte.repeat(16));
    assert_eq!((raw.kind, hex), (44, format!("84{}818203816261620381 82{}09", id("01"), id("02")).replace(' ', "")));
}

/// What three people do: who, what (0 hears all of another, else writes fields), which.
type Tap = (usize, u8, u8);

/// Three copies live apart; answers everything that was written, in an order in which each knew what came before it.
fn lived(taps: &[Tap]) -> Vec<Wrote> {
    let mut doc = ItemDoc::default();
    doc.write_whole(Some(item("soup")), stamp(1, 1, 0));
    let mut copies = vec![(doc, Vec::<usize>::new()); 3];
    let mut all: Vec<Wrote> = Vec::new();
    for (at, (who, what, which)) in taps.iter().enumerate() {
        if *what == 0 {
            let (_, heard) = copies[usize::from(*which) % 3].clone();
            for known in heard {
                if !copies[*who].1.contains(&known) {
                    take(&mut copies[*who].0, &all[known]);
                    copies[*who].1.push(known);
                }
            }
            continue;
        }
        let text = format!("{at}");
        let values = match which % 4 {
            0 => vec![name(&text)],
            1 => vec![FieldValue::Description(text)],
            2 => vec![name(&text), FieldValue::Prep(1_000 + at as u32)],
            _ => vec![FieldValue::Prep(at as u32)],
        };
        let by = *who as u8 + 1;
        let wrote = write(&copies[*who].0, values, (u64::from(*which % 5), by, at as u64 + 1));
        take(&mut copies[*who].0, &wrote);
        copies[*who].1.push(all.len());
        all.push(wrote);
    }
    all
}

proptest! {
    #[test]
    fn w2_in_any_order_and_however_often_one_item_comes_of_it_and_no_unseen_value_is_lost(
        taps in prop::collection::vec((0usize..3, 0u8..4, any::<u8>()), 0..14),
        shuffle in prop::collection::vec(any::<u16>(), 28),
    ) {
        let all = lived(&taps);
        let fresh = || {
            let mut doc = ItemDoc::default();
            doc.write_whole(Some(item("soup")), stamp(1, 1, 0));
            doc
        };
        let (mut straight, mut mixed) = (fresh(), fresh());
        all.iter().for_each(|wrote| take(&mut straight, wrote));
        // Each one twice, anyhow.
        let mut order: Vec<usize> = (0..all.len()).chain(0..all.len()).collect();
        order.sort_by_key(|at| shuffle[*at * 2 % 28].wrapping_mul(31).wrapping_add(*at as u16));
        let (half, rest) = order.split_at(order.len() / 2);
        half.iter().chain(rest.iter().rev()).for_each(|at| take(&mut mixed, &all[*at]));
        prop_assert_eq!(&straight, &mixed);
        prop_assert_eq!(minicbor::to_vec(&straight).unwrap(), minicbor::to_vec(&mixed).unwrap());
        // A value that no later writer of its field had seen is still held.
        for (write, stamp, seq) in &all {
            for value in &write.values {
                let overruled = all.iter().any(|(later, by, at)| {
                    let knew = later.seen.iter().any(|seen| seen.origin == stamp.origin && seen.seq >= *seq);
                    let own = by.origin == stamp.origin && at > seq;
                    (knew || own) && later.values.iter().any(|one| one.name() == value.name())
                });
                let held = straight.fields.get(&value.name()).is_some_and(|held| held.iter().any(|one| one.value == *value));
                prop_assert_eq!(held, !overruled, "{:?}", value);
            }
        }
    }
}
