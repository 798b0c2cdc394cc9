//! What became of requests to an order's owner node: a fold that no clock can upset. The first answer that counts is the answer.

use crate::doc::order::{OrderFact, StampedOrderFact};
use crate::domain::asked::{AskState, AskView};
use crate::domain::id::IntentId;
use std::collections::BTreeMap;

/// What the facts of one order say of it.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    asked: Vec<AskView>,
    answers: BTreeMap<IntentId, Option<String>>,
}

impl Asks {
    /// Takes a fact that counts. What was recovered was asked of a kitchen that is history: nobody does it now.
    pub(crate) fn take(&mut self, fact: &StampedOrderFact) {
        if let OrderFact::Asked { intent, what } = &fact.what {
            let known = self.asked.iter().any(|ask| ask.intent == *intent);
            if fact.way.is_none() && !known {
                let (at, origin, state) = (fact.at.wall(), fact.id.origin, AskState::Open);
                self.asked.push(AskView { intent: *intent, what: what.clone(), by: fact.by, at, origin, state });
            }
        } else if let OrderFact::Answered { intent, refused } = &fact.what {
            self.answers.entry(*intent).or_insert_with(|| refused.clone());
        }
    }

    /// Each with what became of it.
    pub(crate) fn finish(self) -> Vec<AskView> {
        let Self { mut asked, mut answers } = self;
        for ask in &mut asked {
            match answers.remove(&ask.intent) {
                None => {}
                Some(None) => ask.state = AskState::Done,
                Some(Some(why)) => ask.state = AskState::Refused(why),
            }
        }
        asked
    }
}
