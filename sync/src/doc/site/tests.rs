//! Applying changes to the small documents, and reading them back.

use super::*;
use crate::crdt::counter::Row;
use crate::crdt::hlc::Hlc;
use crate::doc::order::OrderFact;
use crate::domain::id::OrderId;
use crate::domain::menu::Unit;
use crate::domain::role::Actor;

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
    site.apply(&commit(from, seq), change, &mut touched);
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
    ];
    let mut docs = BTreeSet::new();
    for (at, change) in changes.iter().enumerate() {
        // Each goes through its stored form too.
        let change = Change::from_raw(&change.to_raw()).unwrap();
        docs.extend(apply(&mut site, 1, at as u64 + 1, &change).docs);
    }
    assert_eq!(docs.len(), changes.len());
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
