//! The check at boot: open orders against the log, in both directions (SPEC X7).
//!
//! A transaction writes order, index and log together, so they agree unless the disk lied. What the log has and a document lacks is
//! put back; a document that is gone or unreadable is put together again from the log; a fact that no log has is named and kept.

use crate::store::StoreError;
use crate::store::joined::Joined;
use crate::store::node_store::NodeStore;
use crate::store::replica::each_entry;
use pilotlight_sync::crdt::facts::FactId;
use pilotlight_sync::doc::order::StampedOrderFact;
use pilotlight_sync::doc::reading::{self, Effect};
use pilotlight_sync::doc::replica::{LiveOrder, ReadStored, Replica};
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::store::LogEntry;
use std::collections::{BTreeMap, BTreeSet};

/// Commits at the end of each log whose orders are looked at, whatever the index says: more than one flushed group.
const TAIL: u64 = 512;

type FactsByOrder = BTreeMap<OrderId, Vec<StampedOrderFact>>;

/// Compares, and stages what must be mended. `broken` are open orders that are gone or unreadable.
pub(super) fn mend(
    store: &dyn NodeStore,
    joined: &Joined<'_>,
    state: &mut Replica,
    broken: Vec<OrderId>,
) -> Result<(), StoreError> {
    let mut logged = FactsByOrder::new();
    let mut known: BTreeSet<FactId> = BTreeSet::new();
    for (origin, seqs) in commits_of(state) {
        for run in runs(&seqs) {
            for entry in store.log_from(&origin, run.0, run.1)? {
                take(&entry, state.site(), &mut logged, &mut known, |_| true);
            }
        }
    }
    let heads: Vec<(OriginId, u64)> = state.heads().iter().map(|(origin, head)| (*origin, head.seq)).collect();
    for (origin, last) in &heads {
        let from = last.saturating_sub(TAIL) + 1;
        for entry in store.log_from(origin, from, usize::MAX)? {
            take(&entry, state.site(), &mut logged, &mut known, |_| true);
        }
    }
    if !broken.is_empty() {
        let broken: BTreeSet<OrderId> = broken.into_iter().collect();
        for (origin, _) in &heads {
            each_entry(store, origin, 1, u64::MAX, &mut |entry| {
                take(entry, state.site(), &mut logged, &mut known, |id| broken.contains(id));
            })?;
        }
    }
    name_unlogged(state, &known);
    put_back(joined, state, logged);
    Ok(())
}

/// The commits that the facts of open orders name.
fn commits_of(state: &Replica) -> BTreeMap<OriginId, BTreeSet<u64>> {
    let mut commits: BTreeMap<OriginId, BTreeSet<u64>> = BTreeMap::new();
    for fact in state.live_orders().flat_map(|(_, order)| order.doc.in_order()) {
        commits.entry(fact.id.origin).or_default().insert(fact.id.seq);
    }
    commits
}

/// Consecutive numbers as (first, how many), so that a run is read at once.
fn runs(seqs: &BTreeSet<u64>) -> Vec<(u64, usize)> {
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for seq in seqs {
        match runs.last_mut() {
            Some((first, count)) if *first + *count as u64 == *seq => *count += 1,
            Some(_) | None => runs.push((*seq, 1)),
        }
    }
    runs
}

/// Notes what one entry says about orders: of what has an effect there.
fn take(
    entry: &LogEntry,
    site: &Site,
    logged: &mut FactsByOrder,
    known: &mut BTreeSet<FactId>,
    wanted: impl Fn(&OrderId) -> bool,
) {
    let reading = reading::read(entry, site);
    for (id, fact) in reading.effects.into_iter().filter_map(Effect::into_fact) {
        if wanted(&id) && known.insert(fact.id) {
            logged.entry(id).or_default().push(fact);
        }
    }
}

/// What was recovered is named by what it says, so nobody knows where to look for it.
fn name_unlogged(state: &Replica, known: &BTreeSet<FactId>) {
    for (id, order) in state.live_orders() {
        if let Some(fact) = order.doc.in_order().iter().find(|fact| fact.way.is_none() && !known.contains(&fact.id)) {
            tracing::error!(order = %id, origin = %fact.id.origin, seq = fact.id.seq, "an order has a fact that no log has");
        }
    }
}

fn put_back(joined: &Joined<'_>, state: &mut Replica, logged: FactsByOrder) {
    for (id, facts) in logged {
        let stored = match state.live(&id) {
            Some(order) => Some(order.doc.clone()),
            None => match joined.read_order(&id) {
                // The log's tail is not all of an archived order: what was put together from it would hide the rest.
                Err(StoreError::Archive(error)) => {
                    tracing::error!(order = %id, %error, "an archived order cannot be compared with the log");
                    continue;
                }
                read => {
                    let order = read.ok().flatten().and_then(|bytes| LiveOrder::from_bytes(&bytes).ok());
                    order.map(|order| order.doc)
                }
            },
        };
        let has: BTreeSet<FactId> = stored.iter().flat_map(|doc| doc.in_order()).map(|fact| fact.id).collect();
        let missing: Vec<StampedOrderFact> = facts.into_iter().filter(|fact| !has.contains(&fact.id)).collect();
        if !missing.is_empty() {
            tracing::error!(order = %id, facts = missing.len(), "facts of an order are in the log only: put back");
            state.mend_order(&id, missing, joined);
        }
    }
}
