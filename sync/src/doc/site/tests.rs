//! Applying changes to the small documents, and reading them back.

use super::*;
use crate::crdt::counter::Row;
use crate::crdt::hlc::Hlc;
use crate::doc::change::Commit;
use crate::doc::order::OrderFact;
use crate::domain::id::OrderId;
use crate::domain::intake::Span;
use crate::domain::menu::Unit;
use crate::domain::role::Actor;
use proptest::prelude::*;

fn origin(n: u8) -> OriginId {
    OriginId::from_bytes([n; 16])
}

fn commit(from: u8, seq: u64) -> Commit {
    Commit {
        origin: origin(from),
        seq,
        at: Hlc::default().tick(Timestamp(seq * 1_000)),
        clock_trusted: true,
        by: Actor::System,
        seen: vec![],
        changes: vec![],
    }
}

fn apply(site: &mut Site, from: u8, seq: u64, change: &Change) -> Touched {
    let mut touched = Touched::default();
    site.apply(&Effect::of(&commit(from, seq), 0, change.clone()), &mut touched);
    touched
}

fn flour(enforced: bool) -> Ingredient {
    Ingredient { id: IngredientId::derived(&["flour"]), name: "Flour".into(), unit: Unit::Gram, enforced }
}

#[test]
fn s5_an_ingredient_is_unlimited_until_it_is_enforced() {
    let mut site = Site::default();
    let id = flour(false).id;
    let write = site.write_ingredient(id, Some(flour(false)));
    apply(&mut site, 1, 1, &write);
    assert_eq!(site.sellable(&id, &origin(1)), None);
    let write = site.write_ingredient(id, Some(flour(true)));
    apply(&mut site, 1, 2, &write);
    assert_eq!(site.sellable(&id, &origin(1)), Some(0));
    apply(&mut site, 1, 3, &Change::Stock(id, Row::default().deliver(500)));
    assert_eq!(site.sellable(&id, &origin(1)), Some(500));
    assert_eq!(site.sellable(&id, &origin(2)), Some(0), "another's rights are not ours to sell");
}

#[test]
fn i5_a_fence_retires_every_row_of_its_origin() {
    let mut site = Site::default();
    let id = flour(true).id;
    let write = site.write_ingredient(id, Some(flour(true)));
    apply(&mut site, 1, 1, &write);
    apply(&mut site, 1, 2, &Change::Stock(id, Row::default().deliver(500)));
    let touched = apply(&mut site, 2, 1, &Change::Fence(origin(1)));
    assert!(touched.docs.contains(&DocKey::Stock(id)) && touched.docs.contains(&DocKey::Fences));
    assert_eq!(site.stock(&id).unwrap().stock(), 0);
    assert_eq!(site.stock(&id).unwrap().row(&origin(1)).added, 500, "what it did stays");
}

#[test]
fn d2_the_counter_of_the_day_follows_accepted_orders_and_begins_anew_with_the_day() {
    let mut site = Site::default();
    let day = |number: u32| Change::Day(Day { number: DayNumber(number), date: 20_261_120 + number });
    let accept = |day: u32, counter| {
        Change::Order(OrderId::derived(&["o"]), OrderFact::Sent { day: DayNumber(day), letter: "A".into(), counter })
    };
    apply(&mut site, 1, 1, &day(1));
    apply(&mut site, 1, 2, &accept(1, 7));
    assert_eq!((site.day().counter(&origin(1)), site.day().counter(&origin(2))), (7, 0));
    apply(&mut site, 1, 3, &day(2));
    assert_eq!(site.day().counter(&origin(1)), 0);
    apply(&mut site, 1, 4, &accept(1, 8));
    assert_eq!(site.day().counter(&origin(1)), 0, "a number of a closed day counts there");
    apply(&mut site, 1, 5, &day(1));
    assert_eq!(site.day().day().unwrap().number, DayNumber(2), "a closed day does not come back");
}

#[test]
fn w1_an_eighty_six_ends_by_itself_and_a_later_word_overrules_it() {
    let mut site = Site::default();
    let item = MenuItemId::derived(&["pie"]);
    let off = site.write_eighty_six(item, Some(Off { until: Some(Timestamp(5_000)) }));
    apply(&mut site, 1, 1, &off);
    assert!(site.off_sale(&item, Timestamp(4_999)).is_some() && site.off_sale(&item, Timestamp(5_000)).is_none());
    assert_eq!(site.next_return(Timestamp(1_000)), Some(Timestamp(5_000)));
    let back = site.write_eighty_six(item, None);
    apply(&mut site, 2, 1, &back);
    assert!(site.eighty_sixed(Timestamp(1_000)).is_empty());
    // The older word comes once more, from elsewhere: it was seen, so it stays overruled.
    apply(&mut site, 1, 9, &off);
    assert!(site.eighty_sixed(Timestamp(1_000)).is_empty());
}

#[test]
fn x1_every_small_document_reads_back_as_it_was_written() {
    let mut site = Site::default();
    let settings = Settings {
        site: SiteId::derived(&["s"]),
        name: "Trattoria".into(),
        currency: Currency::GBP,
        time_zone: "Europe/London".into(),
        roll_over_hour: 4,
        side_by_side: None,
    };
    let device = Device {
        name: "Kiosk".into(),
        role: crate::domain::role::Role::Customer,
        token_hash: [3; 32],
        paired_at: Timestamp(1),
        revoked: false,
    };
    let person =
        Person { name: "Ada".into(), role: crate::domain::role::Role::Staff, pin_hash: "h".into(), removed: false };
    let station = Station { id: StationId::kitchen(), name: "Kitchen".into() };
    let category = Category { id: CategoryId::derived(&["c"]), name: "Pizza".into(), position: 1 };
    let group = ModifierGroup { id: GroupId::derived(&["g"]), name: "Extras".into(), min: 0, max: 2, options: vec![] };
    let changes = [
        site.write_settings(settings),
        site.write_device(DeviceId::derived(&["d"]), device),
        site.write_person(StaffId::derived(&["p"]), person),
        site.write_station(station.id.clone(), Some(station)),
        site.write_category(category.id, Some(category)),
        site.write_group(group.id, Some(group)),
        site.write_ingredient(flour(true).id, Some(flour(true))),
        site.write_eighty_six(MenuItemId::derived(&["pie"]), Some(Off { until: None })),
        Change::Stock(flour(true).id, Row::default().deliver(5)),
        Change::Day(Day { number: DayNumber(1), date: 20_261_121 }),
        Change::Fence(origin(9)),
        site.write_intake(paused(Timestamp(7))),
    ];
    let mut docs = BTreeSet::new();
    for (at, change) in changes.iter().enumerate() {
        // Each goes through its stored form too.
        let change = Change::from_raw(&change.to_raw()).unwrap();
        docs.extend(apply(&mut site, 1, at as u64 + 1, &change).docs);
    }
    // A day has its number, and its books.
    assert_eq!(docs.len(), changes.len() + 1);
    let mut read = Site::default();
    for key in &docs {
        let bytes = site.encode(key).unwrap();
        let stored = DocKey::parse(key.kind(), key.id_bytes()).unwrap();
        read.load(&stored, &bytes).unwrap();
        assert_eq!(read.encode(key), Some(bytes));
    }
    assert_eq!(read.menu(), site.menu());
    assert_eq!(read.settings(), site.settings());
    assert!(read.load(&DocKey::Settings, &[0xff]).is_err());
}

fn paused(from: Timestamp) -> Intake {
    Intake { paused: Some(Span { from, until: from.plus_ms(60_000) }), busy: None }
}

#[test]
fn w1_a_pause_is_a_register_that_ends_by_itself_and_stays_after_it_is_read_back() {
    let mut site = Site::default();
    assert_eq!((site.intake(), site.encode(&DocKey::Intake)), (Intake::default(), None));
    let change = site.write_intake(paused(Timestamp(1_000)));
    let touched = apply(&mut site, 1, 1, &change);
    assert!(touched.availability && touched.docs.contains(&DocKey::Intake));
    assert_eq!(site.intake().paused_until(Timestamp(60_999)), Some(Timestamp(61_000)));
    assert_eq!(
        (site.next_return(Timestamp(2_000)), site.next_return(Timestamp(61_000))),
        (Some(Timestamp(61_000)), None)
    );
    // What has not seen it and has the earlier clock is overruled; what has seen it overrules it, whatever its clock says.
    let late = Change::Intake(Write { key: (), value: Some(Intake::default()), version: 1 });
    let again = site.write_intake(Intake::default());
    apply(&mut site, 0, 0, &late);
    assert_ne!(site.intake(), Intake::default());
    apply(&mut site, 0, 0, &again);
    assert_eq!(site.intake(), Intake::default());
}

/// One commit's change, as whoever wrote it said it: its stamp belongs to it for ever.
fn any_change() -> impl Strategy<Value = (u8, u64, u8, u64, u8)> {
    (0u8..13, 1u64..5, 0u8..3, 1u64..4, 0u8..4)
}

fn said((kind, seq, from, version, b): (u8, u64, u8, u64, u8)) -> (Commit, Change) {
    let id = IngredientId::derived(&["flour"]);
    // Values follow from their stamps, and rows grow with their number: an origin says nothing twice in two ways.
    let name = format!("{kind} {seq} {from} {version}");
    let some = (seq + u64::from(from) + version) % 3 != 0;
    let mut commit = commit(from, seq);
    commit.clock_trusted = (seq + u64::from(from)) % 2 == 0;
    let change = match kind {
        0 => Change::Day(Day { number: DayNumber(u32::from(b)), date: 20_261_100 + u32::from(from) }),
        1 | 2 => {
            let (day, counter) = (DayNumber(u32::from(b)), u32::try_from(seq).unwrap());
            Change::Order(OrderId::derived(&["o"]), OrderFact::Sent { day, letter: "A".into(), counter })
        }
        3 | 4 => {
            let row = Row::default().deliver(10 * seq).spend(seq, u64::MAX).unwrap().give(origin(b), seq, u64::MAX);
            Change::Stock(id, row.unwrap())
        }
        5 => Change::Fence(origin(b)),
        6 => {
            let letter = "A".to_owned();
            let card = OriginCard { origin: origin(from), key: [from; 32], role: OriginRole::Node, letter };
            Change::Origin(card)
        }
        7 => {
            let ingredient = Ingredient { id, name, unit: Unit::Gram, enforced: some };
            Change::Ingredient(Write { key: id, value: some.then_some(ingredient), version })
        }
        8 => {
            let category = Category { id: CategoryId::derived(&["c"]), name, position: 1 };
            Change::Category(Write { key: category.id, value: some.then_some(category), version })
        }
        9 => {
            let until = Some(Timestamp(version + seq + u64::from(from)));
            let item = MenuItemId::derived(&["pie"]);
            Change::EightySix(Write { key: item, value: some.then_some(Off { until }), version })
        }
        10 => {
            let station = Station { id: StationId::kitchen(), name };
            Change::Station(Write { key: station.id.clone(), value: some.then_some(station), version })
        }
        11 => Change::Intake(Write { key: (), value: some.then_some(paused(Timestamp(version + seq))), version }),
        _ => {
            let (site, currency) = (SiteId::derived(&["s"]), Currency::GBP);
            let value =
                Settings { site, name, currency, time_zone: "UTC".into(), roll_over_hour: 4, side_by_side: None };
            Change::Settings(Write { key: (), value: Some(value), version })
        }
    };
    (commit, change)
}

fn after<'c>(said: impl IntoIterator<Item = &'c (Commit, Change)>) -> Vec<(DocKey, Vec<u8>)> {
    let mut site = Site::default();
    for (commit, change) in said {
        site.apply(&Effect::of(commit, 0, change.clone()), &mut Touched::default());
    }
    site.docs().collect()
}

proptest! {
    #[test]
    fn n4_changes_commute_and_repeat_in_any_order_whatever_caused_what(
        (said, shuffled, cut) in prop::collection::vec(any_change(), 1..24)
            .prop_map(|all| all.into_iter().map(said).collect::<Vec<_>>())
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle(), 0usize..24))
    ) {
        let expected = after(&said);
        prop_assert_eq!(&after(&shuffled), &expected);
        let again = &shuffled[..cut.min(shuffled.len())];
        prop_assert_eq!(&after(shuffled.iter().chain(again).chain(&said)), &expected);
        // The documents in between, stored and read back, and the rest.
        let mut site = Site::default();
        for (commit, change) in again {
            site.apply(&Effect::of(commit, 0, change.clone()), &mut Touched::default());
        }
        let mut read = Site::default();
        for (key, bytes) in site.docs() {
            read.load(&key, &bytes).unwrap();
        }
        for (commit, change) in &shuffled {
            read.apply(&Effect::of(commit, 0, change.clone()), &mut Touched::default());
        }
        prop_assert_eq!(read.docs().collect::<Vec<_>>(), expected);
        prop_assert_eq!(read.menu(), &{
            let mut all = Site::default();
            said.iter().for_each(|(commit, change)| {
                all.apply(&Effect::of(commit, 0, change.clone()), &mut Touched::default());
            });
            all.menu().clone()
        });
    }
}

#[test]
fn d2_a_number_counts_also_when_its_log_is_read_before_the_one_that_opened_its_day() {
    let day = |number| Change::Day(Day { number: DayNumber(number), date: 20_261_120 + number });
    let sent = |number, counter| {
        let sent = OrderFact::Sent { day: DayNumber(number), letter: "A".into(), counter };
        Change::Order(OrderId::derived(&["one"]), sent)
    };
    let told = [
        (1, 1, day(1)),
        (1, 2, sent(1, 1)),
        (2, 1, sent(1, 1)),
        (2, 2, day(2)),
        (2, 3, sent(2, 7)),
        (1, 3, sent(2, 3)),
    ];
    let mut as_it_came = Site::default();
    told.iter().for_each(|(from, seq, change)| drop(apply(&mut as_it_came, *from, *seq, change)));
    let mut by_log = Site::default();
    let of = |origin| told.iter().filter(move |(from, ..)| *from == origin);
    of(2).chain(of(1)).for_each(|(from, seq, change)| drop(apply(&mut by_log, *from, *seq, change)));
    let mut other_way = Site::default();
    of(1).chain(of(2)).for_each(|(from, seq, change)| drop(apply(&mut other_way, *from, *seq, change)));
    for site in [&by_log, &other_way] {
        assert_eq!((site.day().counter(&origin(1)), site.day().counter(&origin(2))), (3, 7));
        assert_eq!(site.encode(&DocKey::Day), as_it_came.encode(&DocKey::Day), "the same bytes");
    }
}

#[test]
fn d2_of_a_day_that_two_nodes_open_with_two_dates_the_later_counts() {
    let day = |date| Change::Day(Day { number: DayNumber(7), date });
    for dates in [[20_261_121, 20_261_122], [20_261_122, 20_261_121]] {
        let mut site = Site::default();
        for (from, date) in (1..).zip(dates) {
            apply(&mut site, from, 1, &day(date));
        }
        assert_eq!(site.day().day(), Some(Day { number: DayNumber(7), date: 20_261_122 }));
    }
}

#[test]
fn d2_two_clocks_that_are_days_apart_begin_no_days_in_turn() {
    const DAY_MS: i64 = 86_400_000;
    // 2026-11-21T18:00:00Z. Clocks five and eleven days ahead, one that lost its battery, and three at once.
    let now = 1_795_284_000_000_i64;
    for skews in [vec![0, 5 * DAY_MS], vec![-9_822 * DAY_MS, 0], vec![0, 5 * DAY_MS, 11 * DAY_MS]] {
        for first in 0..skews.len() {
            let mut site = Site::default();
            let settings = Settings {
                site: SiteId::derived(&["s"]),
                name: "Trattoria".into(),
                currency: Currency::GBP,
                time_zone: "Europe/Berlin".into(),
                roll_over_hour: 4,
                side_by_side: None,
            };
            let write = site.write_settings(settings);
            apply(&mut site, 1, 1, &write);
            let mut numbers = BTreeSet::new();
            for morning in 0..4 {
                for order in 0..60 {
                    let skew = skews[(first + order) % skews.len()];
                    let clock = now + morning * DAY_MS + i64::try_from(order).unwrap() * 60_000 + skew;
                    let (day, begins) = site.business_day(Timestamp(clock.unsigned_abs())).unwrap();
                    if begins {
                        apply(&mut site, 1, 2, &Change::Day(day));
                    }
                    numbers.insert(day.number);
                }
                let most = 2 * skews.len() * (usize::try_from(morning).unwrap() + 1);
                assert!(numbers.len() <= most, "{} days on morning {morning}: {skews:?} from {first}", numbers.len());
            }
        }
    }
}

#[test]
fn d3_a_report_counts_when_it_is_in_the_log_of_the_node_that_made_it_and_signed_by_its_key() {
    use crate::doc::books::{Closing, Report};
    use ed25519_dalek::{Signer, SigningKey};
    let key = |n: u8| SigningKey::from_bytes(&[n; 32]);
    let signed = |report: &Report, by: u8| SignedReport::sign(report, |hash| key(by).sign(hash).to_bytes());
    let mut site = Site::default();
    for n in [1, 2] {
        let (key, letter) = (key(n).verifying_key().to_bytes(), n.to_string());
        let card = OriginCard { origin: origin(n), key, role: OriginRole::Node, letter };
        apply(&mut site, n, 1, &Change::Origin(card));
    }
    let report = |site: &Site, node: u8, number: u32| {
        let day = Day { number: DayNumber(number), date: 20_261_121 };
        let closing = Closing::begin(day.number, []);
        closing.report(site.books(), day, (origin(node), 0), Actor::System, Timestamp(5))
    };
    let counted = |site: &Site| site.books().reports().map(|one| one.report.day.number.0).collect::<Vec<_>>();
    let first = report(&site, 1, 1);
    let (good, other) = (signed(&first, 1), signed(&first, 2));
    let unsigned = SignedReport::sign(&first, |_| [0; 64]);
    assert!(apply(&mut site, 2, 2, &Change::DayClosed(good.clone())).docs.is_empty(), "another's, in this one's log");
    apply(&mut site, 1, 2, &Change::DayClosed(unsigned.clone()));
    apply(&mut site, 1, 3, &Change::DayClosed(other.clone()));
    assert_eq!((counted(&site), site.closable()), (vec![], None));
    apply(&mut site, 1, 4, &Change::DayClosed(good.clone()));
    assert_eq!(counted(&site), [1]);
    assert_eq!(site.report_of(DayNumber(1)), Some(&good), "of three with these bytes the one that is signed");
    // One that somebody tells of a branch names commits that no log has.
    let second = signed(&report(&site, 1, 2), 1);
    let mut told = Effect::of(&commit(2, 3), 0, Change::DayClosed(second.clone()));
    (told.writer, told.way) = (origin(1), Some(Way::Recovered));
    let docs = {
        let mut touched = Touched::default();
        site.apply(&told, &mut touched);
        touched.docs
    };
    assert_eq!((counted(&site), site.day_of(DayNumber(2)).unwrap().all().count()), (vec![1], 1));
    let mut read = Site::default();
    for (key, bytes) in site.docs() {
        read.load(&key, &bytes).unwrap();
    }
    read.keep_books();
    assert_eq!((counted(&read), docs.len()), (vec![1], 1));
    assert!(read.docs().eq(site.docs()));
}

#[test]
fn w2_what_is_told_of_a_branch_is_of_one_writer_and_leaves_one_value_of_a_field() {
    let mut site = Site::default();
    let soup = crate::doc::item::tests::item("soup");
    let id = soup.id;
    for change in site.write_item(id, Some(soup)) {
        apply(&mut site, 1, 1, &change);
    }
    for seq in 5..9 {
        let values = vec![FieldValue::Name(seq.to_string())];
        let change = Change::ItemFields(FieldsWrite { item: id, values, version: seq, seen: vec![] });
        let mut told = Effect::of(&commit(2, seq), 0, change);
        told.id.origin = OriginId::derived(&["told", &seq.to_string()]);
        told.way = Some(crate::crdt::facts::Way::Recovered);
        site.apply(&told, &mut Touched::default());
    }
    assert_eq!(site.menu().items[&id].name, "8");
    assert_eq!(site.menu_conflicts(), []);
}
