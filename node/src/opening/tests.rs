//! What a node does when its disk cannot be believed.

use super::*;
use crate::check::check;
use crate::orders::place::Placed;
use crate::store::sled_store::SledStore;
use crate::testing::{Shop, Sibling, dough, line, order};
use crate::till::day;
use pilotlight_sync::crdt::counter::Row;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::doc::site::Off;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::{MenuItemId, OrderId, SiteId};
use pilotlight_sync::domain::payment::DeliveryPhase;
use pilotlight_sync::protocol::Parted;
use pilotlight_sync::store::Seal;
use std::fs;

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn sell(shop: &mut Shop, id: &str) {
    shop.place(order(id, vec![line(id, "pizza", 1)])).unwrap();
}

#[test]
fn i2_a_store_keeps_its_origin_and_signs_each_group_once() {
    let mut shop = Shop::open();
    let origin = shop.replica().identity().origin;
    shop.reopen();
    assert_eq!(shop.replica().identity().origin, origin);
    assert_ne!(Shop::open().replica().identity().origin, origin);
}

#[test]
fn c5_a_signature_closes_each_flushed_group_and_not_each_commit() {
    let mut shop = Shop::open();
    let now = shop.clock.now();
    let replica = shop.replica();
    let before = replica.position().head.seq;
    for _ in 0..3 {
        let change = replica.site().write_eighty_six(pilotlight_sync::domain::id::MenuItemId::derived(&["cola"]), None);
        replica.commit(Actor::System, now, &[change]).unwrap();
    }
    let position = replica.flush().unwrap().position;
    let identity = replica.identity().clone();
    shop.replica = None;
    let store = SledStore::open(&shop.paths().store()).unwrap();
    let seals: Vec<bool> =
        (before + 1..=position.head.seq).map(|seq| store.seal(&identity.origin, seq).unwrap().is_some()).collect();
    assert_eq!(seals, [false, false, true]);
    let signature = store.seal(&identity.origin, position.head.seq).unwrap().unwrap();
    assert!(identity.verify(&position.head.hash, &signature));
    assert!(!identity.verify(&Head::start(&identity.origin).hash, &signature));
}

#[test]
fn c2_a_log_takes_no_gap_and_no_repetition() {
    let mut shop = Shop::open();
    let origin = shop.replica().identity().origin;
    let head = shop.replica().position().head;
    shop.replica = None;
    let mut store = SledStore::open(&shop.paths().store()).unwrap();
    for seq in [head.seq, head.seq + 2] {
        let entry = pilotlight_sync::store::LogEntry { origin, head: Head { seq, ..head }, bytes: vec![] };
        let writes = pilotlight_sync::store::Writes { log: vec![entry], ..Default::default() };
        let refused =
            futures_util::FutureExt::now_or_never(pilotlight_sync::store::SiteStore::commit(&mut store, writes));
        assert!(matches!(refused, Some(Err(pilotlight_sync::store::CommitError::Gap { .. }))));
    }
}

#[test]
fn i3_a_disk_that_went_back_is_noticed_and_its_rights_are_not_sold_again() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    let old = shop.replica().identity().clone();
    shop.replica = None;
    let image = shop.dir.path().join("image");
    copy_dir(&shop.paths().store(), &image);
    shop.reopen();
    sell(&mut shop, "two");
    shop.replica = None;
    fs::remove_dir_all(shop.paths().store()).unwrap();
    copy_dir(&image, &shop.paths().store());
    shop.reopen();
    let new = shop.replica().identity().clone();
    assert_ne!(new.origin, old.origin);
    assert!(new.letter.len() == 3 && new.letter.starts_with('A'), "{}", new.letter);
    assert_eq!(shop.rights(), 0, "what the lost commits sold must not be sold again");
    assert_eq!(shop.replica().site().stock(&dough()).unwrap().stock(), 0);
    let again = shop.place(order("three", vec![line("c", "cola", 1)]));
    assert!(again.is_ok(), "what is unlimited is sold at once");
    shop.reopen();
    assert_eq!(shop.replica().identity().origin, new.origin, "the new origin is believed");
    shop.replica = None;
    assert_eq!(check(&shop.paths()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn i4_the_letters_of_a_successor_are_its_predecessors_first_and_two_random_ones() {
    assert_eq!(Identity::successor_letter("A", [16, 23]), "AQX");
    assert_eq!(Identity::successor_letter("BQX", [0, 255]), "BAV");
}

#[test]
fn i5_a_lost_identity_is_a_new_origin_and_the_old_one_is_fenced() {
    let mut shop = Shop::open();
    let old = shop.replica().identity().origin;
    fs::remove_file(shop.paths().identity()).unwrap();
    shop.reopen();
    assert_ne!(shop.replica().identity().origin, old);
    assert_eq!(shop.rights(), 0);
}

#[test]
fn i11_a_store_that_begins_anew_ends_what_it_was_and_no_other_node_of_the_site() {
    let mut shop = Shop::open();
    let sibling = crate::testing::Sibling::join(&mut shop, "B").origin;
    let old = shop.replica().identity().origin;
    fs::remove_file(shop.paths().identity()).unwrap();
    shop.reopen();
    let site = shop.replica().site();
    assert!(site.is_fenced(&old) && !site.is_fenced(&sibling));
}

#[test]
fn x4_a_damaged_store_is_moved_aside_and_stays_a_decision_until_a_manager_makes_it() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    shop.replica = None;
    fs::write(shop.paths().store().join("conf"), [0x55; 64]).unwrap();
    for _ in 0..2 {
        let refused = open(&shop.paths(), &shop.clock);
        let Err(OpenError::NeedsRecovery(note)) = refused else { panic!("{refused:?}") };
        assert!(note.contains("store.damaged-"), "{note}");
    }
    let aside = fs::read_dir(&shop.paths().data).unwrap().flatten().any(|entry| {
        entry.file_name().to_string_lossy().starts_with("store.damaged-") && entry.path().join("db").exists()
    });
    assert!(aside);
    begin_anew(&shop.paths()).unwrap();
    shop.reopen();
    assert_eq!(shop.replica().live_count(), 0);
}

#[test]
fn x4_a_store_that_has_gone_is_never_a_silent_empty_shop() {
    let mut shop = Shop::open();
    shop.replica = None;
    fs::remove_dir_all(shop.paths().store()).unwrap();
    assert!(matches!(open(&shop.paths(), &shop.clock), Err(OpenError::NeedsRecovery(_))));
}

#[test]
fn x4_a_store_that_somebody_else_has_open_is_left_alone() {
    let shop = Shop::open();
    assert!(matches!(open(&shop.paths(), &shop.clock), Err(OpenError::InUse)));
    assert!(shop.paths().store().join("db").exists());
}

#[test]
fn x1_the_check_finds_what_does_not_agree() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    shop.replica = None;
    let clean = check(&shop.paths()).unwrap();
    assert_eq!((clean.orders, clean.problems.as_slice()), (1, &[] as &[String]));
    let mut store = SledStore::open(&shop.paths().store()).unwrap();
    let mut writes = pilotlight_sync::store::Writes::default();
    writes.index.insert(b"stray".to_vec(), true);
    writes.docs.insert(
        pilotlight_sync::doc::key::DocKey::Order(pilotlight_sync::domain::id::OrderId::derived(&["ghost"])),
        vec![1],
    );
    let written = futures_util::FutureExt::now_or_never(pilotlight_sync::store::SiteStore::commit(&mut store, writes));
    assert!(matches!(written, Some(Ok(()))));
    drop(store);
    let problems = check(&shop.paths()).unwrap().problems;
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn s2_the_check_counts_what_an_origin_was_given_and_what_it_gave() {
    for (used, problems) in [(300, 0), (301, 1)] {
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "B");
        let own = shop.replica().identity().origin;
        let row = shop.replica().site().stock(&dough()).unwrap().row(&own).give(bar.origin, 300, 1_000).unwrap();
        shop.commit(&[Change::Stock(dough(), row)]);
        bar.write(&mut shop, &[Change::Stock(dough(), Row { used, ..Row::default() })]);
        shop.replica = None;
        let found = check(&shop.paths()).unwrap().problems;
        assert_eq!(found.len(), problems, "{found:?}");
    }
    // What was given is gone here.
    let mut shop = Shop::open();
    let bar = Sibling::join(&mut shop, "B");
    let given = Row { given: [(bar.origin, 1_001)].into(), ..Row::default().deliver(1_000) };
    shop.commit(&[Change::Stock(dough(), given)]);
    shop.replica = None;
    assert_eq!(check(&shop.paths()).unwrap().problems.len(), 1);
}

/// Writes documents of orders behind the replica's back, as a disk that lies would.
fn spoil(shop: &mut Shop, docs: Vec<(&str, Vec<u8>)>) {
    shop.replica = None;
    let mut store = SledStore::open(&shop.paths().store()).unwrap();
    let mut writes = pilotlight_sync::store::Writes::default();
    for (id, bytes) in docs {
        let key = pilotlight_sync::doc::key::DocKey::Order(pilotlight_sync::domain::id::OrderId::derived(&[id]));
        writes.docs.insert(key, bytes);
    }
    let written = futures_util::FutureExt::now_or_never(pilotlight_sync::store::SiteStore::commit(&mut store, writes));
    assert!(matches!(written, Some(Ok(()))));
}

#[test]
fn x7_open_orders_that_lost_facts_or_cannot_be_read_are_put_together_again_from_the_log() {
    use pilotlight_sync::doc::order::OrderDoc;
    let mut shop = Shop::open();
    for id in ["whole", "short", "broken"] {
        sell(&mut shop, id);
    }
    let id = |name: &str| pilotlight_sync::domain::id::OrderId::derived(&[name]);
    let all: Vec<_> =
        ["whole", "short", "broken"].map(|name| shop.replica().order(&id(name)).unwrap().unwrap().view.clone()).into();
    // Of the order only its header is left: no number, no acceptance.
    let mut short = OrderDoc::default();
    let facts = shop.replica().order(&id("short")).unwrap().unwrap().doc.in_order();
    short.insert(facts[0].as_ref().clone());
    spoil(&mut shop, vec![("short", minicbor::to_vec(&short).unwrap()), ("broken", b"nonsense".to_vec())]);
    shop.reopen();
    for (name, before) in ["whole", "short", "broken"].into_iter().zip(&all) {
        assert_eq!(&shop.replica().order(&id(name)).unwrap().unwrap().view, before, "{name}");
    }
    shop.replica = None;
    assert_eq!(check(&shop.paths()).unwrap().problems, Vec::<String>::new(), "and it is written");
}

/// The whole disk goes back to where it was before what `then` does, and writes something else under the same name.
fn branched(shop: &mut Shop, then: impl FnOnce(&mut Shop), instead: impl FnOnce(&mut Shop)) -> (OriginId, u64) {
    let position = shop.replica().position();
    shop.replica = None;
    let image = shop.dir.path().join("image");
    copy_dir(&shop.paths().data, &image);
    shop.reopen();
    then(shop);
    shop.replica = None;
    fs::rename(shop.paths().data, shop.dir.path().join("other")).unwrap();
    fs::rename(image, shop.paths().data).unwrap();
    shop.reopen();
    instead(shop);
    (position.origin, position.head.seq)
}

fn part(shop: &mut Shop, cuts: &[(OriginId, u64)]) {
    let parted = Parted { cuts: cuts.iter().copied().collect(), shared: BTreeMap::new() };
    shop.replica().part(&parted);
    shop.replica().flush().unwrap();
    assert!(shop.replica().is_parted());
    shop.reopen();
}

fn view_of(shop: &mut Shop, id: &str) -> OrderView {
    let id = OrderId::derived(&[id]);
    shop.replica().order(&id).unwrap().unwrap().view.clone()
}

#[test]
fn i8_a_store_whose_logs_part_from_the_sites_goes_on_under_another_name_and_tells_what_it_alone_has() {
    let mut shop = Shop::open();
    sell(&mut shop, "before");
    let (old, at) = branched(
        &mut shop,
        |shop| sell(shop, "lost"),
        |shop| {
            sell(shop, "mine");
            sell(shop, "too");
        },
    );
    let told = view_of(&mut shop, "mine");
    part(&mut shop, &[(old, at)]);
    let new = shop.replica().identity().origin;
    assert_ne!(new, old);
    assert_eq!(shop.replica().state().heads()[&old].seq, at, "the log ends where both part");
    let now = view_of(&mut shop, "mine");
    assert!(now.recovered && now.resumed && now.on_board(), "it was on the kitchen's board, and stays there");
    assert_eq!((now.total_minor(), now.lines.len()), (told.total_minor(), told.lines.len()));
    assert_eq!(now.number, told.number);
    assert_eq!(view_of(&mut shop, "before").payer, old);
    let stock = shop.replica().site().stock(&dough()).unwrap();
    assert_eq!(
        (stock.rights(&new), stock.rights(&old)),
        (0, 800),
        "no right is made, and none is taken from who goes on as the old one"
    );
    assert_eq!((stock.used_on_branches(), stock.last_known(&old)), (400, 400));
    shop.reopen();
    assert_eq!(shop.replica().identity().origin, new, "once");
    let again = shop.place(order("mine", vec![line("mine", "pizza", 1)])).unwrap();
    assert!(matches!(again, Placed::Before(_)), "it is known for ever");
    shop.replica = None;
    assert_eq!(check(&shop.paths()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn i8_a_later_name_that_has_seen_the_branch_ends_with_it() {
    let mut shop = Shop::open();
    let (old, at) = branched(&mut shop, |_| {}, |shop| sell(shop, "mine"));
    fs::remove_file(shop.paths().identity()).unwrap();
    shop.reopen();
    let second = shop.replica().identity().origin;
    sell_cola(&mut shop, "cola");
    part(&mut shop, &[(old, at)]);
    let third = shop.replica().identity().origin;
    assert!(third != second && third != old);
    assert!(!shop.replica().state().heads().contains_key(&second), "nobody else has it: it is told as the third's");
    for id in ["mine", "cola"] {
        assert!(view_of(&mut shop, id).recovered, "{id}");
    }
    assert_eq!(shop.replica().site().stock(&dough()).unwrap().used_on_branches(), 200);
}

#[test]
fn d5_a_report_that_looked_at_a_branch_counts_nothing_and_the_next_one_books_what_it_had() {
    let mut shop = Shop::open();
    let close = |shop: &mut Shop| {
        let signed = shop.run(|replica, now| day::plan(replica, now, Actor::System, DayNumber(1))).unwrap();
        signed.read().unwrap()
    };
    sell(&mut shop, "one");
    let (old, at) = branched(
        &mut shop,
        |shop| {
            sell(shop, "theirs");
            sell(shop, "too");
        },
        |shop| sell(shop, "mine"),
    );
    fs::remove_file(shop.paths().identity()).unwrap();
    shop.reopen();
    // Under its second name it closes the day, and the relay has that before anybody finds out where the first one's logs part.
    let report = close(&mut shop);
    assert_eq!(report.totals.orders, 2);
    let second = shop.replica().position();
    let (cuts, shared) = ([(old, at)].into(), [(second.origin, second.head.seq)].into());
    shop.replica().part(&Parted { cuts, shared });
    shop.replica().flush().unwrap();
    shop.reopen();
    let third = shop.replica().identity().origin;
    let site = shop.replica().site();
    assert_eq!((site.report_of(DayNumber(1)), site.books().reports().count()), (None, 0));
    assert_eq!(site.day_of(DayNumber(1)).unwrap().all().count(), 1, "it is kept and shown");
    // The commits under those numbers come that the site has.
    let other = SledStore::open(&Paths { data: shop.dir.path().join("other") }.store()).unwrap();
    let entries = other.log_from(&old, at + 1, usize::MAX).unwrap();
    let last = entries.last().unwrap().head.seq;
    assert!(
        last >= report.seen.iter().find(|upto| upto.origin == old).unwrap().seq,
        "the number that it names is there"
    );
    shop.hear(&entries, &other.seals_between(&old, last, last).unwrap()[0]);
    assert_eq!(shop.replica().site().books().reports().count(), 0);
    let again = close(&mut shop);
    assert_eq!(
        (again.node, again.totals.orders, again.late.len()),
        (third, 4, 0),
        "once, with what was told of the branch"
    );
    shop.reopen();
    assert_eq!(shop.replica().site().books().reports().count(), 1, "on the disk too");
}

#[test]
fn d5_a_report_is_believed_again_when_the_log_that_it_looked_at_comes_in_place_of_a_branch() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let own = shop.replica().identity().origin;
    let log = |shop: &mut Shop, from| {
        let entries = shop.replica().log(&own, from, usize::MAX).unwrap();
        let last = entries.last().unwrap().head.seq;
        (entries, shop.replica().seals(&own, last, last).unwrap().pop().unwrap())
    };
    let now = shop.clock.now();
    let (mut theirs, mut day) = (None, None);
    let (old, at) = branched(
        &mut shop,
        |shop| {
            sell(shop, "theirs");
            day = shop.replica().site().closable();
            theirs = Some(log(shop, 1));
        },
        |shop| ["mine", "too", "three"].into_iter().for_each(|id| sell(shop, id)),
    );
    let ((entries, seal), day) = theirs.zip(day).unwrap();
    // The bar knows nothing of the branch, and closes the day.
    bar.hear(now, &entries, &seal);
    let close = bar.closes(now, day);
    bar.write(&mut shop, &[close]);
    let counts = |shop: &mut Shop| shop.replica().site().books().reports().count();
    assert_eq!(counts(&mut shop), 0, "here are other commits under those numbers");
    let shared = [(bar.origin, shop.replica().state().heads()[&bar.origin].seq)].into();
    shop.replica().part(&Parted { cuts: [(old, at)].into(), shared });
    shop.replica().flush().unwrap();
    shop.reopen();
    assert_eq!(counts(&mut shop), 0, "nobody knows yet");
    shop.reopen();
    let new: Vec<_> = entries.into_iter().filter(|entry| entry.head.seq > at).collect();
    shop.hear(&new, &seal);
    assert_eq!(counts(&mut shop), 1);
    shop.reopen();
    assert_eq!(counts(&mut shop), 1, "on the disk too");
    let kept = shop.replica().site().day_of(day.number).unwrap();
    assert_eq!((kept.reports.len(), kept.belied.as_ref()), (1, None));
}

#[test]
fn i8_a_log_that_only_ended_earlier_is_told_nothing_of_and_ends() {
    let mut shop = Shop::open();
    sell(&mut shop, "one");
    let position = shop.replica().position();
    part(&mut shop, &[(position.origin, position.head.seq)]);
    assert_ne!(shop.replica().identity().origin, position.origin);
    assert!(!view_of(&mut shop, "one").recovered);
    assert_eq!(shop.replica().site().stock(&dough()).unwrap().last_known(&position.origin), 800);
}

#[test]
fn i8_what_is_kept_of_a_log_that_builds_on_a_branch_ends_where_its_origin_has_signed() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let (old, at) = branched(&mut shop, |_| {}, |shop| sell(shop, "mine"));
    // Of the bar's two commits the second has seen the branch, and one signature closes both: without the other nobody takes the first.
    let items = ["pizza", "cola"].map(|item| MenuItemId::derived(&[item]));
    let off = items.map(|item| shop.replica().site().write_eighty_six(item, Some(Off { until: None })));
    let (entries, seal) = bar.write_around_what_the_shop_has(&mut shop, off);
    shop.hear(&entries, &seal);
    assert_eq!(shop.replica().state().heads()[&bar.origin].seq, 3);
    part(&mut shop, &[(old, at)]);
    assert_eq!(shop.replica().state().heads()[&bar.origin].seq, 1, "what can be passed on stays");
    let now = shop.clock.now();
    for item in items {
        assert!(shop.replica().site().off_sale(&item, now).is_some(), "what the bar did is told: nothing is lost");
    }
}

#[test]
fn i8_an_order_of_which_nothing_is_told_stays_without_what_the_branch_did_to_it() {
    let mut shop = Shop::open();
    let mut relay = Sibling::relay(&mut shop);
    sell(&mut shop, "one");
    let one = OrderId::derived(&["one"]);
    shop.commit(&[Change::Order(one, OrderFact::Cancelled { why: "a guest left".to_owned() })]);
    let (old, at) = branched(&mut shop, |_| {}, |shop| sell(shop, "mine"));
    // What the relay says no node tells; and here it has heard of the branch.
    let phases = [DeliveryPhase::Assigned, DeliveryPhase::PickedUp];
    let delivery = phases.map(|phase| Change::Order(one, OrderFact::Delivery { attempt: 1, phase }));
    let (entries, seal) = relay.write_around_what_the_shop_has(&mut shop, delivery);
    shop.hear(&entries, &seal);
    // After this it is not in memory: it is over.
    shop.reopen();
    part(&mut shop, &[(old, at)]);
    let stored = shop.replica().order_docs_after(None, usize::MAX).unwrap();
    assert_eq!(stored.len(), 2, "each is in the index");
    let order = shop.replica().order(&one).unwrap().unwrap();
    assert!(order.doc.in_order().iter().all(|fact| fact.id.origin != relay.origin), "that log ended before");
    shop.replica = None;
    assert_eq!(check(&shop.paths()).unwrap().problems, Vec::<String>::new());
}

/// All that the other one told since it goes on under another name.
fn hear_what_is_told(shop: &mut Shop, other: &mut Shop) {
    let origin = other.replica().identity().origin;
    let entries = other.replica().log(&origin, 1, usize::MAX).unwrap();
    let seal = other.replica().seals(&origin, 1, entries.len() as u64).unwrap().pop().unwrap();
    shop.hear(&entries, &seal);
}

#[test]
fn i8_what_builds_on_a_branch_counts_once_wherever_each_store_ends_its_log() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let own = shop.replica().identity().origin;
    let row = shop.replica().site().stock(&dough()).unwrap().row(&own).give(bar.origin, 500, 1_000).unwrap();
    shop.commit(&[Change::Stock(dough(), row)]);
    let (old, at) = branched(&mut shop, |_| {}, |shop| sell(shop, "mine"));
    let mut other = Shop { dir: tempfile::tempdir().unwrap(), clock: shop.clock.clone(), replica: None };
    shop.replica = None;
    copy_dir(&shop.paths().data, &other.paths().data);
    shop.reopen();
    other.reopen();
    // The bar uses 100, hears of the branch and uses 150 more. One store has a signature over each commit, the other one over both.
    let used = [100, 250].map(|used| Change::Stock(dough(), Row { used, ..Row::default() }));
    let (entries, seal) = bar.write_around_what_the_shop_has(&mut shop, used);
    shop.hear(&entries, &seal);
    let first = Seal { seq: 2, ..seal.clone() };
    other.hear(&entries[..1], &first);
    other.hear(&entries[1..], &seal);
    for (store, end) in [(&mut shop, 1), (&mut other, 2)] {
        part(store, &[(old, at)]);
        assert_eq!(store.replica().state().heads()[&bar.origin].seq, end);
        let stock = store.replica().site().stock(&dough()).unwrap();
        assert_eq!((stock.last_known(&bar.origin), stock.shortage()), (250, 0));
    }
    shop.hear(&entries[..1], &first);
    hear_what_is_told(&mut shop, &mut other);
    hear_what_is_told(&mut other, &mut shop);
    for store in [&mut shop, &mut other] {
        let stock = store.replica().site().stock(&dough()).unwrap();
        assert_eq!((stock.last_known(&bar.origin), stock.last_known(&old)), (250, 300), "whoever tells it");
        assert_eq!((stock.used_on_branches(), stock.shortage()), (350, 0), "beyond the rows");
    }
    assert_eq!(shop.replica().site().stock(&dough()), other.replica().site().stock(&dough()));
}

#[test]
fn i8_s9_what_was_given_on_a_branch_is_told_and_covers_what_the_receiver_has_used_of_it() {
    let mut shop = Shop::open();
    let mut bar = Sibling::join(&mut shop, "B");
    let to = bar.origin;
    let gives = |shop: &mut Shop| {
        let own = shop.replica().identity().origin;
        let row = shop.replica().site().stock(&dough()).unwrap().row(&own);
        shop.commit(&[Change::Stock(dough(), row.give(to, 300, 1_000).unwrap())]);
    };
    let (old, at) = branched(&mut shop, |_| {}, gives);
    part(&mut shop, &[(old, at)]);
    let known = |shop: &mut Shop| {
        let stock = shop.replica().site().stock(&dough()).unwrap();
        (stock.last_known(&old), stock.last_known(&to), stock.shortage())
    };
    assert_eq!(known(&mut shop), (1_000, 0, 0), "nobody has used it");
    bar.write(&mut shop, &[Change::Stock(dough(), Row { used: 100, ..Row::default() })]);
    assert_eq!(known(&mut shop), (900, 0, 0));
}

fn sell_cola(shop: &mut Shop, id: &str) {
    shop.place(order(id, vec![line(id, "cola", 1)])).unwrap();
}

#[test]
fn i10_a_store_that_is_begun_anew_stays_its_sites_node_under_another_name_and_other_letters() {
    let mut shop = Shop::open();
    let (site, old) = (SiteId::derived(&["shop"]), shop.replica().identity().clone());
    keep_site(&shop.paths(), &site).unwrap();
    fs::write(shop.paths().uplink(), b"enrolled").unwrap();
    shop.replica = None;
    fs::remove_dir_all(shop.paths().store()).unwrap();
    assert!(matches!(open(&shop.paths(), &shop.clock), Err(OpenError::NeedsRecovery(_))));
    begin_anew(&shop.paths()).unwrap();
    shop.reopen();
    let new = shop.replica().identity().clone();
    assert_ne!(new.origin, old.origin);
    assert!(new.letter.len() == 3, "{}: the first one's numbers are the first one's", new.letter);
    assert_eq!(kept_site(&shop.paths()).unwrap(), Some(site));
    assert!(shop.paths().uplink().exists(), "the relay knows this machine");
}

#[test]
fn i10_a_machine_that_never_knew_its_site_begins_as_a_new_one() {
    let shop = Shop::open();
    fs::write(shop.paths().uplink(), b"enrolled").unwrap();
    begin_anew(&shop.paths()).unwrap();
    assert!(!shop.paths().uplink().exists());
}
