//! Any causally valid delivery, in any cut, with repetitions, gives the same state: over histories that replicas really write.

use super::*;
use crate::doc::books::{Closing, SignedReport};
use crate::doc::order::AddedLine;
use crate::doc::people::{Device, Person};
use crate::doc::site::{Day, Off, Receipt};
use crate::doc::till::{Opening, TillFact};
use crate::domain::id::{CategoryId, GroupId, IntentId, PaymentId, ReportId, ShiftId, StaffId};
use crate::domain::menu::{Category, Ingredient, MenuItem, ModifierGroup, Station, Unit};
use crate::domain::payment::PaymentPhase;
use crate::domain::role::Role;
use crate::domain::ticket::EpochKind;
use ed25519_dalek::Signer;
use proptest::prelude::*;
use proptest::sample::Index;

/// Two nodes, the relay, and a node of a later version.
const ACTORS: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    /// An actor writes a commit of these.
    Write(usize, Vec<(u8, u8, u8)>),
    /// An actor is given what another has of an origin, up to somewhere.
    Hear { who: usize, from: usize, of: usize, upto: Index },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (0u8..27, 0u8..4, 0u8..5);
    let write = (0..ACTORS, prop::collection::vec(change, 1..4)).prop_map(|(who, what)| Step::Write(who, what));
    let hear = (0..ACTORS, 0..ACTORS, 0..ACTORS, any::<Index>()).prop_map(|(who, from, of, upto)| Step::Hear {
        who,
        from,
        of,
        upto,
    });
    prop::collection::vec(prop_oneof![write, hear], 1..40)
}

/// What happens to an order: the same few orders, so that everything meets.
fn fact(kind: u8, name: &str, b: u8, side: &Side) -> OrderFact {
    let ticket = TicketKey { station: StationId::parse("oven").unwrap(), course: 0 };
    let (line, intent) = (LineId::derived(&["line"]), IntentId::derived(&[name]));
    let day = side.replica.site().day();
    match kind {
        0 => header(None),
        1 => {
            let number = day.day().map_or(DayNumber(u32::from(b)), |day| day.number);
            OrderFact::Sent { day: number, letter: "A".into(), counter: day.counter(&side.replica.origin()) + 1 }
        }
        2 => {
            let phase = [TicketPhase::Started, TicketPhase::Ready, TicketPhase::HandedOver][usize::from(b) % 3];
            OrderFact::Phase { ticket, epoch: u32::from(b % 2), phase }
        }
        3 => {
            let OrderFact::Placed(header) = header(None) else { unreachable!() };
            let lines = header.lines.iter().map(|line| {
                let line = PricedLine { id: LineId::derived(&[name]), ..(**line).clone() };
                AddedLine { line: line.into(), replaces: None, epoch: 0 }
            });
            OrderFact::LinesAdded { intent, lines: lines.collect() }
        }
        4 => OrderFact::LineVoided { intent, line, why: name.into() },
        5 => OrderFact::EpochOpened { ticket, epoch: u32::from(b), kind: EpochKind::CookAgain },
        6 => OrderFact::LineDone { line, epoch: 0, done: b.is_multiple_of(2) },
        7 => {
            let phase = [PaymentPhase::Authorized, PaymentPhase::Captured, PaymentPhase::Voided][usize::from(b) % 3];
            OrderFact::Payment { payment: PaymentId::derived(&["p"]), phase, amount_minor: i64::from(b) }
        }
        8 => OrderFact::Cancelled { why: name.into() },
        9 => OrderFact::Commercial { phase: CommercialPhase::Confirmed },
        _ => header(Some(side.replica.origin())),
    }
}

/// What a node writes of drawers, days and who keeps them.
fn of_the_till(side: &Side, (kind, a, b): (u8, u8, u8), name: String) -> Change {
    let (site, me) = (side.replica.site(), side.replica.origin());
    match kind {
        23 => {
            let opening = Opening { drawer: "front".into(), node: me, day: DayNumber(1), float_minor: i64::from(b) };
            let fact = match a {
                0 => TillFact::Opened(opening),
                1 => TillFact::Moved { intent: IntentId::derived(&[&name]), amount_minor: i64::from(b), why: name },
                _ => TillFact::Closed { counted_minor: i64::from(b), expected_minor: 0 },
            };
            Change::Till(ShiftId::derived(&[&format!("shift {}", b % 2)]), fact)
        }
        24 => {
            let day = Day { number: DayNumber(u32::from(b)), date: 20_260_101 };
            let mut closing = Closing::begin(day.number, side.replica.understood());
            // Now and then one that looked at other logs.
            let hash = |origin: &OriginId, seq| match a {
                2 => Ok(Some(ChainHash([b; 32]))),
                _ => side.replica.hash_at(origin, seq, &side.disk),
            };
            closing.name_logs(hash).unwrap();
            let report = closing.report(site.books(), day, (me, u64::from(a)), Actor::System, NOW);
            // Now and then one that is not signed.
            let key = signing_key(if a == 3 { OriginId::derived(&["nobody"]) } else { me });
            Change::DayClosed(SignedReport::sign(&report, |hash| key.sign(hash).to_bytes()))
        }
        _ => site.write_keeper(OriginId::derived(&[&format!("actor {a}")])),
    }
}

/// A change as this side would write it from what it has seen.
fn change(side: &Side, (kind, a, b): (u8, u8, u8), n: usize) -> Change {
    let (site, me) = (side.replica.site(), side.replica.origin());
    let name = format!("{me} {n}");
    let flour = IngredientId::derived(&[&format!("flour {}", b % 2)]);
    let row = site.stock(&flour).map(|stock| stock.row(&me)).unwrap_or_default();
    let rights = site.stock(&flour).map_or(0, |stock| stock.rights(&me));
    let actor = |n: u8| OriginId::derived(&[&format!("actor {n}")]);
    let some = b % 3 != 0;
    match kind {
        0..=10 => Change::Order(OrderId::derived(&[&format!("order {a}")]), fact(kind, &name, b, side)),
        11 => Change::Stock(flour, row.deliver(u64::from(b) + 1)),
        12 => Change::Stock(flour, row.clone().spend(u64::from(b), rights).unwrap_or(row)),
        13 => Change::Stock(flour, row.clone().give(actor(a), u64::from(b), rights).unwrap_or(row)),
        14 if b == 0 => Change::Fence(actor(a)),
        14 => Change::Stock(flour, row.take_back(u64::from(b))),
        15 => {
            let category = Category { id: CategoryId::derived(&["c"]), name, position: u32::from(b) };
            site.write_category(category.id, some.then_some(category))
        }
        16 => {
            let item = MenuItem {
                id: MenuItemId::derived(&["item"]),
                category: CategoryId::derived(&["c"]),
                position: 0,
                name: name.clone(),
                kitchen_name: name,
                description: String::new(),
                station: StationId::kitchen(),
                prep_s: 1,
                tax: BasisPoints(0),
                variants: vec![],
                groups: vec![],
                tags: vec![],
                allergens: vec![],
                quantity_min: 1,
            };
            let id = item.id;
            let written = site.write_item(id, some.then_some(item)).into_iter().next();
            written.unwrap_or_else(|| site.write_eighty_six(id, None))
        }
        17 => site.write_eighty_six(MenuItemId::derived(&["item"]), some.then_some(Off { until: None })),
        18 => site.write_settings(settings(&name)),
        19 => Change::Day(Day { number: DayNumber(u32::from(b)), date: 20_260_101 + u32::from(a) }),
        20 => {
            let receipt = Receipt::delivered(flour, u64::from(b));
            Change::Receipt(IntentId::derived(&[&name]), receipt)
        }
        21 => Change::Unknown(crate::doc::change::RawChange { kind: 60_000, body: name.into_bytes().into() }),
        22 => {
            let device = Device { name, role: Role::Kitchen, token_hash: [b; 32], paired_at: NOW, revoked: some };
            let person =
                Person { name: device.name.clone(), role: Role::Staff, pin_hash: String::new(), removed: some };
            match a % 2 {
                0 => site.write_device(DeviceId::derived(&["d"]), device),
                _ => site.write_person(StaffId::derived(&["s"]), person),
            }
        }
        23..=25 => of_the_till(side, (kind, a, b), name),
        _ => {
            let station = Station { id: StationId::kitchen(), name: name.clone() };
            let group =
                ModifierGroup { id: GroupId::derived(&["g"]), name: name.clone(), min: 0, max: 1, options: vec![] };
            let ingredient = Ingredient { id: flour, name, unit: Unit::Gram, enforced: some };
            match a {
                0 => site.write_station(station.id.clone(), some.then_some(station)),
                1 => site.write_group(group.id, some.then_some(group)),
                _ => site.write_ingredient(flour, some.then_some(ingredient)),
            }
        }
    }
}

fn actors() -> Vec<Side> {
    let role = |n| if n == 2 { OriginRole::Relay } else { OriginRole::Node };
    (0..ACTORS).map(|n| Side::new(&format!("actor {n}"), role(n))).collect()
}

/// Lets the actors write and hear of each other. What comes too early is refused, which is no matter.
fn live(steps: &[Step]) -> Vec<Side> {
    let mut sides = actors();
    for (n, step) in steps.iter().enumerate() {
        match step {
            Step::Write(who, what) => {
                let side = &mut sides[*who];
                let changes: Vec<Change> = what.iter().map(|what| change(side, *what, n)).collect();
                side.write(&changes);
            }
            Step::Hear { who, from, of, upto } => {
                let log = sides[*from].log(sides[*of].replica.origin(), 1);
                let upto = if log.is_empty() { 0 } else { upto.index(log.len()) + 1 };
                let _too_early = sides[*who].take(&log[..upto]);
            }
        }
    }
    sides
}

/// Where the logs end, the documents, and the reports that count.
type Believed = (BTreeMap<OriginId, Head>, Vec<(DocKey, Vec<u8>)>, Vec<ReportId>);

/// All that a replica believes, byte for byte: the small documents and the orders as the disk has them.
fn state(side: &Side) -> Believed {
    let stored = side.disk.docs.iter().filter(|(key, _)| matches!(key, DocKey::Order(_) | DocKey::Receipt(_)));
    let docs = side.replica.site().docs().chain(stored.map(|(key, bytes)| (key.clone(), bytes.clone()))).collect();
    let counts = side.replica.site().books().reports().map(|booked| booked.id).collect();
    (side.replica.heads().clone(), docs, counts)
}

/// Gives a side whole logs, as cuts that begin and end anywhere and overlap; until it has all of them.
fn deliver(side: &mut Side, logs: &[Vec<LogEntry>], cuts: &[(Index, Index, Index)]) {
    let complete = |side: &Side| {
        logs.iter().flat_map(|log| log.last()).all(|last| {
            last.origin == side.replica.origin() || side.replica.heads().get(&last.origin) == Some(&last.head)
        })
    };
    for (log, from, len) in cuts.iter().cycle().take(400) {
        let log = &logs[log.index(logs.len())];
        let known = log.first().and_then(|first| side.replica.heads().get(&first.origin)).map_or(0, |head| head.seq);
        let from = from.index(usize::try_from(known).unwrap().min(log.len() - 1) + 1);
        let upto = (from + 1 + len.index(6)).min(log.len());
        let _waits = side.take(&log[from..upto]);
    }
    // The rest in turn: who waits, waits for one of the others.
    while !complete(side) {
        let before = side.replica.heads().clone();
        for log in logs {
            let _waits = side.take(log);
        }
        assert_ne!(side.replica.heads(), &before, "a valid history is taken in the end");
    }
}

proptest! {
    #[test]
    fn n4_any_causally_valid_delivery_gives_the_same_state(
        steps in steps(),
        cuts in prop::collection::vec((any::<Index>(), any::<Index>(), any::<Index>()), 1..60),
        stop in 0usize..40,
    ) {
        let mut sides = live(&steps);
        let logs: Vec<Vec<LogEntry>> = sides.iter().map(|side| side.log(side.replica.origin(), 1)).collect();
        // Those who wrote, one who only listens, and one who stops in between and begins again from its disk.
        for (n, side) in sides.iter_mut().enumerate() {
            deliver(side, &logs, &cuts[n % cuts.len()..]);
        }
        let reader = || Side {
            replica: Loading::begin([], &BTreeMap::new()).unwrap().finish(OriginId::derived(&["reader"]), BTreeMap::new()),
            disk: Disk::default(),
        };
        let (mut listener, mut stopped) = (reader(), reader());
        deliver(&mut listener, &logs, &cuts);
        for log in &logs {
            let _waits = stopped.take(&log[..stop.min(log.len())]);
        }
        stopped.reopen(Change::from_raw);
        deliver(&mut stopped, &logs, &cuts);
        stopped.reopen(Change::from_raw);
        let expected = state(&listener);
        for side in sides.iter().chain([&stopped]) {
            prop_assert_eq!(&state(side), &expected, "at {}", side.replica.origin());
            prop_assert_eq!(digest(side), digest(&listener));
        }
        prop_assert_eq!(stopped.replica.unread_commits(), listener.replica.unread_commits());
    }

    #[test]
    fn n5_a_replica_of_an_older_version_has_the_same_state_after_its_upgrade(
        steps in steps(),
        cuts in prop::collection::vec((any::<Index>(), any::<Index>(), any::<Index>()), 1..60),
        before in 0usize..40,
    ) {
        let sides = live(&steps);
        let logs: Vec<Vec<LogEntry>> = sides.iter().map(|side| side.log(side.replica.origin(), 1)).collect();
        let reader = |name: &str, reads: ReadChange| {
            let loading = Loading::begin([], &BTreeMap::new()).unwrap().reading_as(reads);
            Side { replica: loading.finish(OriginId::derived(&[name]), BTreeMap::new()), disk: Disk::default() }
        };
        let (mut new, mut old) = (reader("new", Change::from_raw), reader("old", older));
        deliver(&mut new, &logs, &cuts);
        for log in &logs {
            let _waits = old.take(&log[..before.min(log.len())]);
        }
        old.reopen(older);
        deliver(&mut old, &logs, &cuts);
        old.reopen(Change::from_raw);
        prop_assert_eq!(state(&old), state(&new));
    }
}

/// A version that knows neither days, reports, drawers and keepers, nor stations, nor cards of actor 3, nor bodies of voids and payments.
#[expect(clippy::wildcard_enum_match_arm, reason = "an older version knows everything else")]
fn older(raw: &crate::doc::change::RawChange) -> Result<Change, minicbor::decode::Error> {
    let error = || Err(minicbor::decode::Error::message("later"));
    match Change::from_raw(raw)? {
        Change::Day(_) | Change::Station(_) | Change::Till(..) | Change::DayClosed(_) | Change::Keeper(_) => {
            Ok(Change::Unknown(raw.clone()))
        }
        Change::Order(_, OrderFact::LineVoided { .. } | OrderFact::Payment { .. } | OrderFact::Placed(_)) => error(),
        Change::Origin(card) if card.origin == OriginId::derived(&["actor 3"]) => error(),
        known => Ok(known),
    }
}
