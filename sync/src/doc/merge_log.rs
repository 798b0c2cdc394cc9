//! What happened to an order's lines and to who decides about it, in plain words: a pure fold over its facts, the same on every replica.
//!
//! Two people at two nodes may change one check without hearing of each other. Both changes stay; this says what each did, where and why.

use crate::doc::order::{AddedLine, OrderDoc, OrderFact};
use crate::domain::id::{LineId, OriginId};
use crate::domain::pricing::PricedLine;
use crate::domain::role::Actor;
use crate::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

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
}

/// An order's changes, in the order of their writers' clocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergeLog {
    /// What was done.
    pub entries: Vec<MergeEntry>,
    /// Where lines were placed, added or voided: more than one means that something was merged.
    pub origins: BTreeSet<OriginId>,
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
    let mut log = MergeLog::default();
    let mut voided: BTreeSet<LineId> = BTreeSet::new();
    for fact in &facts {
        let again = matches!(&fact.what, OrderFact::LineVoided { line, .. } if !voided.insert(*line));
        let Some(what) = in_words(&fact.what, &names, again) else { continue };
        if matches!(fact.what, OrderFact::Placed(_) | OrderFact::LinesAdded { .. } | OrderFact::LineVoided { .. }) {
            log.origins.insert(fact.id.origin);
        }
        log.entries.push(MergeEntry { at: fact.at.wall(), origin: fact.id.origin, by: fact.by, what });
    }
    log
}

/// What a fact did to the lines, or to who decides; `None`: neither.
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
        OrderFact::Cancelled { why } => format!("cancelled the order: {why}"),
        OrderFact::TakenOver { why, .. } => format!("took the order over: {why}"),
        OrderFact::Sent { .. }
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
        | OrderFact::Accepted
        | OrderFact::Rejected { .. }
        | OrderFact::Resumed
        | OrderFact::Amended { .. }
        | OrderFact::AmendmentAsked { .. }
        | OrderFact::AmendmentAnswered { .. }
        | OrderFact::AmendmentEnded { .. }
        | OrderFact::Verdict { .. } => return None,
    })
}

fn portion(line: &PricedLine) -> String {
    if line.quantity == 1 { line.name.clone() } else { format!("{} {}", line.quantity, line.name) }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
