//! What happened to an order's lines, to who decides about it and to what was decided, in plain words: a pure fold over its facts, the
//! same on every replica.
//!
//! Two people at two nodes may change one check without hearing of each other. Both changes stay; this says what each did, where and why,
//! which of them did not know of each other, and what had no effect in the end.

use crate::doc::change::Seen;
use crate::doc::order::{AddedLine, OrderDoc, OrderFact, StampedOrderFact};
use crate::doc::ownership::Ownership;
use crate::domain::business_day::order_number;
use crate::domain::id::{LineId, OriginId};
use crate::domain::pricing::PricedLine;
use crate::domain::role::Actor;
use crate::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeEntry {
    /// When, by its writer's clock.
    pub at: Timestamp,
    /// At which node, or at the relay.
    pub origin: OriginId,
    /// Who.
    pub by: Actor,
    /// What, in plain words: of the lines, by name; with the reason.
    pub what: String,
    /// Somebody elsewhere changed the order at the same time: neither had heard of the other.
    pub concurrent: bool,
    /// It had no effect in the end: somebody was before it, or decides in its place.
    pub lost: bool,
}

/// An order's changes, in the order of their writers' clocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergeLog {
    /// What was done.
    pub entries: Vec<MergeEntry>,
    /// Where lines were placed, added or voided: more than one means that something was merged.
    pub origins: BTreeSet<OriginId>,
}

/// Whether the order's log tells of it as a change that others may not have heard of.
const fn is_edit(what: &OrderFact) -> bool {
    matches!(
        what,
        OrderFact::Placed(_)
            | OrderFact::LinesAdded { .. }
            | OrderFact::LineVoided { .. }
            | OrderFact::Cancelled { .. }
            | OrderFact::TakenOver { .. }
    )
}

/// What a writer that changes this order now has seen of others' changes to it: the last one of each.
pub fn seen_of(doc: &OrderDoc, own: &OriginId) -> Vec<Seen> {
    let mut seen: BTreeMap<OriginId, u64> = BTreeMap::new();
    for fact in doc.in_order().iter().filter(|fact| is_edit(&fact.what) && fact.way.is_none()) {
        let last = seen.entry(fact.id.origin).or_default();
        *last = fact.id.seq.max(*last);
    }
    seen.into_iter().filter(|(origin, _)| origin != own).map(|(origin, seq)| Seen { origin, seq }).collect()
}

/// Tells it.
pub fn merge_log(doc: &OrderDoc) -> MergeLog {
    let facts = doc.in_order();
    let mut names: BTreeMap<LineId, String> = BTreeMap::new();
    for fact in &facts {
        if let OrderFact::Placed(header) = &fact.what {
            names.extend(header.lines.iter().map(|line| (line.id, portion(line))));
        } else if let OrderFact::LinesAdded { lines, .. } = &fact.what {
            names.extend(lines.iter().map(|added| (added.line.id, portion(&added.line))));
        }
    }
    let placed = facts.iter().filter(|fact| matches!(fact.what, OrderFact::Placed(_)));
    let ownership = placed.min_by_key(|fact| (fact.way, fact.id)).and_then(|placed| {
        let OrderFact::Placed(header) = &placed.what else { return None };
        Some(Ownership::of(placed.id, header, &facts))
    });
    let knew = Knew::of(&facts);
    let counts = |fact: &StampedOrderFact| ownership.as_ref().is_none_or(|ownership| ownership.counts(fact));
    let mut log = MergeLog::default();
    let (mut voided, mut ended): (BTreeSet<LineId>, bool) = (BTreeSet::new(), false);
    for fact in &facts {
        let again = if let OrderFact::LineVoided { line, .. } = &fact.what {
            !voided.insert(*line)
        } else {
            let ends = matches!(fact.what, OrderFact::Cancelled { .. } | OrderFact::Rejected { .. });
            ends && counts(fact) && std::mem::replace(&mut ended, true)
        };
        let Some(what) = in_words(&fact.what, &names, again) else { continue };
        if matches!(fact.what, OrderFact::Placed(_) | OrderFact::LinesAdded { .. } | OrderFact::LineVoided { .. }) {
            log.origins.insert(fact.id.origin);
        }
        let unheard: Vec<_> = facts.iter().filter(|other| are_concurrent(&knew, fact, other)).collect();
        // A line that comes while somebody elsewhere cancels the order is not cooked.
        let ended = |other: &&Arc<StampedOrderFact>| matches!(other.what, OrderFact::Cancelled { .. }) && counts(other);
        let in_vain = matches!(fact.what, OrderFact::LinesAdded { .. }) && unheard.iter().any(ended);
        log.entries.push(MergeEntry {
            at: fact.at.wall(),
            origin: fact.id.origin,
            by: fact.by,
            what,
            concurrent: !unheard.is_empty(),
            lost: again || in_vain || !counts(fact),
        });
    }
    log
}

/// What the writers of an order's commits knew of each other, by commit; a version that did not say is not there.
struct Knew<'f>(BTreeMap<(OriginId, u64), &'f [Seen]>);

impl<'f> Knew<'f> {
    /// What was recovered has other numbers there than here: of it nothing is claimed.
    fn of(facts: &'f [Arc<StampedOrderFact>]) -> Self {
        let of_commit = |fact: &'f Arc<StampedOrderFact>| {
            let OrderFact::Knew { seen } = &fact.what else { return None };
            fact.way.is_none().then_some(((fact.id.origin, fact.id.seq), seen.as_slice()))
        };
        Self(facts.iter().filter_map(of_commit).collect())
    }

    /// Of whoever changed lines or ended the order.
    fn by(&self, fact: &StampedOrderFact) -> Option<&'f [Seen]> {
        let is_edit = matches!(
            fact.what,
            OrderFact::LinesAdded { .. } | OrderFact::LineVoided { .. } | OrderFact::Cancelled { .. }
        );
        self.0.get(&(fact.id.origin, fact.id.seq)).copied().filter(|_| is_edit && fact.way.is_none())
    }
}

/// Whether two changes were made at two places, and neither writer had heard of the other's. Of what does not say nothing is claimed.
fn are_concurrent(said: &Knew<'_>, one: &StampedOrderFact, other: &StampedOrderFact) -> bool {
    let (Some(first), Some(second)) = (said.by(one), said.by(other)) else { return false };
    let knew = |seen: &[Seen], of: &StampedOrderFact| {
        seen.iter().any(|seen| seen.origin == of.id.origin && seen.seq >= of.id.seq)
    };
    let told = one.way.is_some() || other.way.is_some();
    one.id.origin != other.id.origin && !told && !knew(first, other) && !knew(second, one)
}

/// What a fact did to the lines, to who decides, or what it decided; `None`: neither.
fn in_words(what: &OrderFact, names: &BTreeMap<LineId, String>, again: bool) -> Option<String> {
    let name = |line: &LineId| names.get(line).cloned().unwrap_or_else(|| format!("line {line}"));
    Some(match what {
        OrderFact::Placed(header) => format!("placed {}", listed(header.lines.iter().map(|line| name(&line.id)))),
        OrderFact::LinesAdded { lines, .. } => {
            let of = |added: &AddedLine| match added.replaces {
                Some(replaced) => format!("{} in place of {}", name(&added.line.id), name(&replaced)),
                None => name(&added.line.id),
            };
            format!("added {}", listed(lines.iter().map(of)))
        }
        OrderFact::LineVoided { line, why, .. } if again => {
            format!("voided {} again, which changes nothing: {why}", name(line))
        }
        OrderFact::LineVoided { line, why, .. } => format!("voided {}: {why}", name(line)),
        OrderFact::Cancelled { why, .. } => format!("cancelled the order: {why}"),
        OrderFact::TakenOver { why, .. } => format!("took the order over: {why}"),
        OrderFact::Accepted => "accepted the order".to_owned(),
        OrderFact::Rejected { why } => format!("turned the order down: {why}"),
        OrderFact::Verdict { granted: true } => "granted the cancellation".to_owned(),
        OrderFact::Verdict { granted: false } => "refused the cancellation".to_owned(),
        OrderFact::Sent { letter, counter, .. } => {
            format!("sent it to the kitchen as {}", order_number(letter, *counter))
        }
        OrderFact::Asked { what, .. } => format!("asked the node that decides {}", what.in_words()),
        OrderFact::Answered { refused: Some(why), .. } => format!("said no to what was asked: {why}"),
        OrderFact::Withdrawn { .. } => "withdrew what was asked: nobody had answered".to_owned(),
        OrderFact::Answered { refused: None, .. }
        | OrderFact::Phase { .. }
        | OrderFact::EpochOpened { .. }
        | OrderFact::LineDone { .. }
        | OrderFact::Acknowledged { .. }
        | OrderFact::LineSeen { .. }
        | OrderFact::StockReturned { .. }
        | OrderFact::Payment { .. }
        | OrderFact::Refunded { .. }
        | OrderFact::Commercial { .. }
        | OrderFact::Delivery { .. }
        | OrderFact::Resumed
        | OrderFact::Amended { .. }
        | OrderFact::AmendmentAsked { .. }
        | OrderFact::AmendmentAnswered { .. }
        | OrderFact::AmendmentEnded { .. }
        | OrderFact::Booked { .. }
        | OrderFact::Knew { .. } => return None,
    })
}

fn portion(line: &PricedLine) -> String {
    if line.quantity == 1 { line.name.clone() } else { format!("{} {}", line.quantity, line.name) }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
