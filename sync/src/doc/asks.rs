//! What became of requests to an order's owner node: a fold that no clock can upset. What is done is done, whoever else said no; of
//! several who said no the first counts.

use crate::crdt::facts::Way;
use crate::crdt::hlc::Hlc;
use crate::doc::order::{OrderFact, StampedOrderFact};
use crate::domain::asked::{AskState, AskView, Asked};
use crate::domain::id::{IntentId, OriginId, PaymentId};
use crate::domain::payment::PaymentPhase;
use std::collections::{BTreeMap, BTreeSet};

/// The same for all facts of one commit. Those of a recovered one have an origin of their own each.
type InCommit = (Option<Way>, Option<OriginId>, u64, Hlc);

fn commit_of(fact: &StampedOrderFact) -> InCommit {
    (fact.way, fact.way.is_none().then_some(fact.id.origin), fact.id.seq, fact.at)
}

/// What the facts of one order say of it.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    asked: Vec<AskView>,
    done: BTreeSet<IntentId>,
    /// Who said yes in which commit, whether it counts or not.
    yes: BTreeSet<(IntentId, InCommit)>,
    refused: BTreeMap<IntentId, String>,
    withdrawn: BTreeSet<IntentId>,
    booked: BTreeSet<IntentId>,
    /// By which commits each payment was taken, the first one first: two owners may, the former one not knowing.
    taken: BTreeMap<PaymentId, Vec<InCommit>>,
}

impl Asks {
    /// Takes a fact whether it counts or not. A former owner that did not know that it was one decides nothing, and has taken the money
    /// all the same: of which request it was, its own commit says.
    pub(crate) fn hear(&mut self, fact: &StampedOrderFact) {
        if let OrderFact::Answered { intent, refused: None } = &fact.what {
            self.yes.insert((*intent, commit_of(fact)));
        }
    }

    /// Takes a fact that counts. What was recovered was asked of a kitchen that is history: nobody does it now.
    pub(crate) fn take(&mut self, fact: &StampedOrderFact) {
        if let OrderFact::Asked { intent, what } = &fact.what {
            let known = self.asked.iter().any(|ask| ask.intent == *intent);
            if fact.way.is_none() && !known {
                let (at, origin, state) = (fact.at.wall(), fact.id.origin, AskState::Open);
                let (intent, what, by) = (*intent, what.clone(), fact.by);
                self.asked.push(AskView { intent, what, by, at, origin, state, took: false, booked: false });
            }
        } else if let OrderFact::Answered { intent, refused } = &fact.what {
            if let Some(why) = refused {
                self.refused.entry(*intent).or_insert_with(|| why.clone());
            } else {
                self.done.insert(*intent);
            }
        } else if let OrderFact::Withdrawn { intent } = &fact.what {
            self.withdrawn.insert(*intent);
        } else if let OrderFact::Booked { intent } = &fact.what {
            self.booked.insert(*intent);
        } else if let OrderFact::Payment { payment, phase: PaymentPhase::Captured, .. } = &fact.what {
            self.taken.entry(*payment).or_default().push(commit_of(fact));
        }
    }

    /// Each with what became of it.
    pub(crate) fn finish(self) -> Vec<AskView> {
        let Self { mut asked, done, yes, mut refused, withdrawn, booked, taken } = self;
        let brings = |ask: &AskView, payment: &PaymentId, commit: &InCommit| {
            let of_it = matches!(&ask.what, Asked::Tender { payment: wanted, .. } if wanted == payment);
            of_it && done.contains(&ask.intent) && yes.contains(&(ask.intent, *commit))
        };
        // Of several requests for one payment that has brought it whose answer took it first.
        let brought: BTreeSet<IntentId> = taken
            .iter()
            .filter_map(|(payment, commits)| {
                commits.iter().find_map(|commit| asked.iter().find(|ask| brings(ask, payment, commit)))
            })
            .map(|ask| ask.intent)
            .collect();
        for ask in &mut asked {
            ask.booked = booked.contains(&ask.intent);
            if done.contains(&ask.intent) {
                ask.state = AskState::Done;
                ask.took = brought.contains(&ask.intent);
            } else if let Some(why) = refused.remove(&ask.intent) {
                ask.state = AskState::Refused(why);
            } else if withdrawn.contains(&ask.intent) {
                ask.state = AskState::Refused("nobody answered within ten minutes: it was withdrawn".to_owned());
            }
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::facts::{Fact, FactId};
    use crate::domain::role::Actor;
    use crate::domain::timestamp::Timestamp;

    #[test]
    fn q5_of_one_request_told_twice_there_is_one_and_what_was_recovered_asks_nobody() {
        let asks = |seq, way| {
            let (origin, what) = (OriginId::from_bytes([2; 16]), Asked::Decide { rejected: None });
            let what = OrderFact::Asked { intent: IntentId::derived(&["yes"]), what };
            let at = Hlc::default().tick(Timestamp(seq));
            Fact { id: FactId { origin, seq, index: 0 }, at, by: Actor::System, way, what }
        };
        let asked = |facts: &[StampedOrderFact]| {
            let mut asks = Asks::default();
            facts.iter().for_each(|fact| asks.take(fact));
            asks.finish().len()
        };
        assert_eq!(asked(&[asks(1, None), asks(2, None)]), 1);
        assert_eq!(asked(&[asks(1, Some(Way::Recovered))]), 0);
    }
}
