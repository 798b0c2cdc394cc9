//! Checks a store that nobody has open: its orders, indexes, stock, log and archive must tell the same story.

use crate::archive::Archive;
use crate::opening::Paths;
use crate::store::StoreError;
use crate::store::identity::Identity;
use crate::store::replica::load_tail;
use crate::store::sled_store::SledStore;
use crate::store::witness::Witness;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::crdt::counter::Row;
use pilotlight_sync::crdt::facts::FactId;
use pilotlight_sync::doc::change::{Change, Commit};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::order::{OrderDoc, OrderFact};
use pilotlight_sync::doc::order_view::view;
use pilotlight_sync::doc::reading::{self, Effect};
use pilotlight_sync::doc::replica::index_keys;
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::{IngredientId, OrderId, OriginId};
use pilotlight_sync::domain::routing::route;
use pilotlight_sync::domain::stock::needs;
use pilotlight_sync::limits::BATCH_COMMITS_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Orders in the store.
    pub orders: u64,
    /// Orders in the archive.
    pub archived: u64,
    /// Commits in all logs.
    pub commits: u64,
    /// Of those, the ones that hold something this version does not understand: no damage, and without effect.
    pub unread: u64,
    /// What does not agree, in plain words; at most 100.
    pub problems: Vec<String>,
}

const PROBLEMS_MAX: usize = 100;
const LOG_PAGE: usize = 1_000;

impl Report {
    fn problem(&mut self, what: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(what);
        }
    }
}

#[derive(Default)]
struct Replayed {
    orders: BTreeMap<OrderId, OrderDoc>,
    rows: BTreeMap<(IngredientId, OriginId), Row>,
    origins: BTreeSet<OriginId>,
}

/// Checks the store of this data directory.
pub fn check(paths: &Paths) -> Result<Report, StoreError> {
    let store = SledStore::open(&paths.store())?;
    let mut report = Report::default();
    let heads = store.log_heads()?;
    let mut replayed = Replayed::default();
    let site = load_tail(&store)?.into_site();
    let own = Identity::load(&paths.identity())?.map(|identity| identity.origin);
    for (origin, head) in &heads {
        replay(&store, (&site, own), origin, head, &mut replayed, &mut report)?;
        replayed.origins.insert(*origin);
    }
    check_witness(paths, &store, &heads, &mut report)?;
    let archived = check_archive(&Archive::open(&paths.archive()), &store, &replayed, &mut report)?;
    let expected = check_orders(&store, &replayed, &archived, &mut report)?;
    check_index(&store, &expected, &mut report)?;
    check_stock(&site, &replayed, &mut report);
    Ok(report)
}

/// Follows one log from its first commit to its head, chain and all.
fn replay(
    store: &SledStore,
    (site, own): (&Site, Option<OriginId>),
    origin: &OriginId,
    end: &Head,
    replayed: &mut Replayed,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut head = Head::start(origin);
    loop {
        let page = store.log_from(origin, head.seq + 1, LOG_PAGE)?;
        if page.is_empty() {
            break;
        }
        for entry in page {
            let next = head.then(&entry.bytes);
            if next != entry.head {
                report.problem(format!("commit {} of {origin} does not continue the chain", entry.head.seq));
            }
            head = entry.head;
            report.commits += 1;
            let reading = reading::read(&entry, site);
            report.unread += u64::from(!reading.whole);
            if let Some(commit) = &reading.commit {
                take(commit, &reading.effects, replayed, report);
            }
        }
    }
    if head != *end {
        report.problem(format!("the log of {origin} ends at {}, its head says {}", head.seq, end.seq));
    }
    // Another's log may end within a batch of which the rest waits for what it builds on (SPEC N3): then a signature is near.
    let from = if Some(*origin) == own { head.seq } else { head.seq.saturating_sub(BATCH_COMMITS_MAX as u64 - 1) };
    let unsigned = head.seq > 0 && from > 0 && store.seals_between(origin, from, head.seq)?.is_empty();
    if unsigned {
        report.problem(format!("commit {} of {origin} ends the log without a signature", head.seq));
    }
    Ok(())
}

fn take(commit: &Commit, effects: &[Effect], replayed: &mut Replayed, report: &mut Report) {
    let mut needed: BTreeMap<IngredientId, u64> = BTreeMap::new();
    let mut places = false;
    for effect in effects {
        // What was recovered has no stock use of its own: it is in the branch's rows.
        if let (Change::Order(_, OrderFact::Placed(header)), None) = (&effect.change, effect.way) {
            places = true;
            needed = needs(header.lines.iter().map(|line| &**line));
        }
        if let Some((id, fact)) = effect.clone().into_fact() {
            replayed.orders.entry(id).or_default().insert(fact);
        }
    }
    for effect in effects {
        if let Change::Stock(ingredient, row) = &effect.change {
            let before = replayed.rows.insert((*ingredient, commit.origin), row.clone()).unwrap_or_default();
            let used = row.used.saturating_sub(before.used);
            if places && needed.remove(ingredient) != Some(used) {
                report.problem(format!(
                    "commit {} of {}: stock use is not what its order needs",
                    commit.seq, commit.origin
                ));
            }
        }
    }
    if !needed.is_empty() {
        report.problem(format!("commit {} of {}: an order without its stock use", commit.seq, commit.origin));
    }
}

fn check_witness(
    paths: &Paths,
    store: &SledStore,
    heads: &BTreeMap<OriginId, Head>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let Some(identity) = Identity::load(&paths.identity())? else {
        if !heads.is_empty() {
            report.problem("the store has a log, but no identity".to_owned());
        }
        return Ok(());
    };
    let Some(said) = Witness::open(&paths.witness(), &identity.origin)?.1 else { return Ok(()) };
    let stored = store.log_from(&identity.origin, said.seq, 1)?;
    if stored.first().map(|entry| entry.head) != Some(said) {
        let ours = heads.get(&identity.origin).map_or(0, |head| head.seq);
        report
            .problem(format!("the witness saw commit {}, the store ends at {ours} or has another one there", said.seq));
    }
    if let Some(head) = heads.get(&identity.origin)
        && let Some(signature) = store.seal(&identity.origin, head.seq)?
        && !identity.verify(&head.hash, &signature)
    {
        report.problem(format!("the signature at commit {} is not this node's", head.seq));
    }
    Ok(())
}

/// Every archive file is what was written, and what it says of an order is in the log and, if the store has the order too, there.
/// Answers the orders that are in the archive.
fn check_archive(
    archive: &Archive,
    store: &SledStore,
    replayed: &Replayed,
    report: &mut Report,
) -> Result<BTreeSet<OrderId>, StoreError> {
    let mut archived = BTreeSet::new();
    let mut found = Vec::new();
    let mut failed = None;
    let wrong = archive.verify(|id, document| {
        if !archived.insert(id) {
            found.push(format!("order {id} is in the archive twice"));
        }
        match store.get(&DocKey::Order(id)) {
            Ok(stored) => found.extend(compare_archived(&id, document, stored.as_deref(), replayed)),
            Err(error) => failed = Some(error),
        }
    });
    wrong.into_iter().chain(found).for_each(|problem| report.problem(problem));
    report.archived = archived.len() as u64;
    failed.map_or(Ok(archived), Err)
}

fn compare_archived(id: &OrderId, document: &[u8], stored: Option<&[u8]>, replayed: &Replayed) -> Option<String> {
    let facts = |bytes: &[u8]| -> BTreeSet<FactId> {
        let doc: OrderDoc = minicbor::decode(bytes).unwrap_or_default();
        doc.in_order().iter().map(|fact| fact.id).collect()
    };
    let there = facts(document);
    if stored.is_some_and(|stored| !there.is_subset(&facts(stored))) {
        return Some(format!("order {id} is in the store and in the archive, and the archive knows more"));
    }
    // What is older than the logs here is a history that was kept when the node began anew.
    let logged = there.iter().all(|fact| replayed.origins.contains(&fact.origin));
    if stored.is_some() || !logged {
        return None;
    }
    let said = replayed.orders.get(id).and_then(|facts| minicbor::to_vec(facts).ok());
    (said.as_deref() != Some(document)).then(|| format!("order {id}: its archived document is not what its log says"))
}

/// Every order's document holds what its log says, and its tickets hold each line once. Answers the index that it should have.
fn check_orders(
    store: &SledStore,
    replayed: &Replayed,
    archived: &BTreeSet<OrderId>,
    report: &mut Report,
) -> Result<BTreeSet<Vec<u8>>, StoreError> {
    let mut expected = BTreeSet::new();
    for id in store.order_ids() {
        let id = id?;
        report.orders += 1;
        let known = <[u8; 16]>::try_from(id.as_slice()).ok().map(OrderId::from_bytes);
        if known.is_none_or(|id| !replayed.orders.contains_key(&id)) {
            report.problem(format!("order {id:02x?} is stored, but in no log"));
        }
    }
    for (id, facts) in &replayed.orders {
        let Some(bytes) = store.get(&DocKey::Order(*id))? else {
            if archived.contains(id) {
                continue;
            }
            report.problem(format!("order {id} is in the log, but not stored"));
            continue;
        };
        if minicbor::to_vec(facts).ok().as_deref() != Some(&bytes) {
            report.problem(format!("order {id}: its document is not what its log says"));
        }
        let Some(view) = view(facts) else {
            // Its header may be what this version does not understand.
            if report.unread == 0 {
                report.problem(format!("order {id} has no header"));
            }
            continue;
        };
        expected.extend(index_keys(id, &view));
        let stations: BTreeSet<_> = route(view.lines.iter().map(|line| &*line.line)).into_keys().collect();
        // An order of the relay has none before it is sent.
        if view.number.is_some() && stations != view.tickets.keys().cloned().collect() {
            report.problem(format!("order {id}: its tickets are not one for each station"));
        }
    }
    Ok(expected)
}

fn check_index(store: &SledStore, expected: &BTreeSet<Vec<u8>>, report: &mut Report) -> Result<(), StoreError> {
    let stored: BTreeSet<Vec<u8>> = store.index_range(&[], &[0xff; 64], usize::MAX)?.into_iter().collect();
    for key in stored.symmetric_difference(expected) {
        let which = if stored.contains(key) { "is there without its order" } else { "is missing" };
        report.problem(format!("index entry {key:02x?} {which}"));
    }
    Ok(())
}

/// What each origin was given of each ingredient.
fn received(rows: &BTreeMap<(IngredientId, OriginId), Row>) -> BTreeMap<(IngredientId, OriginId), u64> {
    let mut received: BTreeMap<(IngredientId, OriginId), u64> = BTreeMap::new();
    for ((ingredient, _), row) in rows {
        for (to, amount) in &row.given {
            let sum = received.entry((*ingredient, *to)).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }
    received
}

fn check_stock(site: &Site, replayed: &Replayed, report: &mut Report) {
    let received = received(&replayed.rows);
    for ((ingredient, origin), row) in &replayed.rows {
        let stored = site.stock(ingredient).map(|stock| stock.row(origin)).unwrap_or_default();
        if &stored != row {
            report.problem(format!("stock of {ingredient}: the row is {stored:?}, its log says {row:?}"));
        }
        let enforced = site.menu().ingredients.get(ingredient).is_some_and(|ingredient| ingredient.enforced);
        let received = received.get(&(*ingredient, *origin)).copied().unwrap_or(0);
        let gained = row.added.saturating_add(row.returned).saturating_add(received);
        let gone = row.given.values().copied().fold(row.used, u64::saturating_add);
        if enforced && gone > gained {
            report.problem(format!("stock of {ingredient}: {origin} has used and given {gone} of {gained}"));
        }
    }
}
