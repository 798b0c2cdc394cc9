//! Several places write one item without hearing of each other.

use super::*;
use crate::crdt::hlc::Hlc;
use crate::domain::id::CategoryId;
use crate::domain::menu::StationId;
use crate::domain::money::BasisPoints;
use proptest::prelude::*;

pub(crate) fn item(name: &str) -> MenuItem {
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

/// What somebody writes.
#[derive(Debug, Clone)]
enum Wrote {
    Whole(Option<MenuItem>, Stamp),
    Fields(FieldsWrite, Stamp, u64),
}

fn take(doc: &mut ItemDoc, wrote: &Wrote) {
    match wrote {
        Wrote::Whole(value, stamp) => doc.write_whole(value.clone(), *stamp),
        Wrote::Fields(write, stamp, seq) => doc.write_fields(write, *stamp, *seq),
    }
}

/// What this writer's copy makes of a tap.
fn write(doc: &ItemDoc, values: Vec<FieldValue>, (at, by, seq): (u64, u8, u64)) -> Wrote {
    let (version, seen) = (doc.next_version(), doc.seen(values.iter().map(FieldValue::name)));
    let id = MenuItemId::derived(&["item"]);
    Wrote::Fields(FieldsWrite { item: id, values, version, seen }, stamp(version, at, by), seq)
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
    let stew = (FieldName::Name, vec![name("stew"), name("broth")]);
    assert_eq!((shown(&both).0.name.as_str(), shown(&both).1), ("stew", vec![stew]), "it may never have heard of it");
    let (version, seen) = (4, both.seen(FieldName::ALL.into_iter()));
    let id = MenuItemId::derived(&["item"]);
    take(&mut both, &Wrote::Fields(FieldsWrite { item: id, values: vec![], version, seen }, stamp(version, 6, 3), 1));
    assert_eq!((shown(&both).0.name.as_str(), shown(&both).1), ("stew", vec![]), "who knows of it says so");
    take(&mut both, &fields);
    assert_eq!(shown(&both).1, [], "for ever");
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

#[test]
fn w2_of_one_writer_a_field_holds_one_value_and_a_version_at_the_end_of_the_numbers_breaks_nothing() {
    let mut doc = ItemDoc::default();
    doc.write_whole(Some(item("soup")), stamp(1, 1, 1));
    let id = MenuItemId::derived(&["item"]);
    let said = |values, version| FieldsWrite { item: id, values, version, seen: vec![] };
    for seq in 2..9 {
        take(&mut doc, &Wrote::Fields(said(vec![name(&seq.to_string())], 3), stamp(3, seq, 2), seq));
    }
    assert_eq!((shown(&doc).0.name.as_str(), shown(&doc).1), ("8", vec![]), "the version says nothing of one's own");
    take(&mut doc, &Wrote::Fields(said(vec![name("absurd")], u64::MAX), stamp(u64::MAX, 20, 3), 1));
    assert_eq!(shown(&doc).0.name, "absurd");
    let own = write(&doc, vec![name("soup")], (21, 1, 9));
    take(&mut doc, &own);
    assert_eq!((shown(&doc).0.name.as_str(), shown(&doc).1), ("soup", vec![]), "who has seen it overrules it");
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

/// By whom, in which commit, which version, and what it claims to have seen.
type Claim = (u8, u64, u64, Vec<(u8, u64)>);

proptest! {
    #[test]
    fn w2_whatever_writers_claim_to_have_seen_one_item_comes_of_it_in_any_order(
        said in prop::collection::vec((0u8..3, 1u64..5, 0u64..4, prop::collection::vec((0u8..3, 0u64..6), 0..3)), 0..10),
        shuffle in prop::collection::vec(any::<u16>(), 10),
    ) {
        let id = MenuItemId::derived(&["item"]);
        let wrote = |(at, (by, seq, version, seen)): (usize, &Claim)| {
            if at % 5 == 4 {
                let whole = item(&format!("{version} {seq} {by}"));
                return Wrote::Whole(Some(whole), stamp(*version, *seq, *by));
            }
            let values = if at % 4 == 3 { vec![] } else { vec![name(&at.to_string())] };
            let seen = seen.iter().map(|(by, seq)| Seen { origin: origin(*by), seq: *seq }).collect();
            Wrote::Fields(FieldsWrite { item: id, values, version: *version, seen }, stamp(*version, *seq, *by), *seq)
        };
        let all: Vec<Wrote> = said.iter().enumerate().map(wrote).collect();
        let (mut straight, mut mixed) = (ItemDoc::default(), ItemDoc::default());
        all.iter().for_each(|wrote| take(&mut straight, wrote));
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|at| shuffle[*at]);
        order.iter().chain(order.iter().rev()).for_each(|at| take(&mut mixed, &all[*at]));
        prop_assert_eq!(minicbor::to_vec(&straight).unwrap(), minicbor::to_vec(&mixed).unwrap());
    }

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
        for wrote in &all {
            let Wrote::Fields(write, stamp, seq) = wrote else { continue };
            for value in &write.values {
                let overruled = all.iter().any(|other| match other {
                    Wrote::Fields(later, by, at) => {
                        let knew = later.seen.iter().any(|seen| seen.origin == stamp.origin && seen.seq >= *seq);
                        let own = by.origin == stamp.origin && at > seq;
                        (knew || own) && later.values.iter().any(|one| one.name() == value.name())
                    }
                    Wrote::Whole(..) => false,
                });
                let held = straight.fields.get(&value.name()).is_some_and(|field| field.held.values().any(|one| one.value == *value));
                prop_assert_eq!(held, !overruled, "{:?}", value);
            }
        }
    }
}
