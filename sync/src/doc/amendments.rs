//! What became of a customer's wishes about an order's fulfilment (SPEC FA1 to FA3): a fold that no node's clock can upset.
//!
//! An answer may carry an earlier time than its request, when the node's clock is far behind the relay's. So requests are taken in the
//! order in which the relay wrote them, and what was said of each is looked up at the end. What the relay says of its end stands: where an
//! order goes was decided there.

use crate::doc::order::{OrderFact, StampedOrderFact};
use crate::doc::order_view::OrderView;
use crate::domain::amendment::{AmendedField, Amendment, AmendmentState, AmendmentView};
use crate::domain::id::IntentId;
use crate::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What the facts of one order say of its fulfilment.
#[derive(Debug, Default)]
pub(crate) struct Amendments {
    /// In the order of their writer's clock: one side writes the registers of an order.
    writes: Vec<Wish>,
    /// The first answer to each counts.
    answers: BTreeMap<IntentId, Option<String>>,
    /// What the relay says: it stands, whatever is answered.
    ended: BTreeMap<IntentId, Option<bool>>,
}

#[derive(Debug)]
struct Wish {
    /// `None`: it is so at once.
    asked: Option<(IntentId, Timestamp)>,
    wanted: Amendment,
}

impl Amendments {
    /// Takes a fact that counts.
    pub(crate) fn take(&mut self, fact: &StampedOrderFact) {
        if let OrderFact::Amended { amendment } = &fact.what {
            self.writes.push(Wish { asked: None, wanted: amendment.clone() });
        } else if let OrderFact::AmendmentAsked { intent, amendment } = &fact.what {
            let asked = Some((*intent, fact.at.wall()));
            self.writes.push(Wish { asked, wanted: amendment.clone() });
        } else if let OrderFact::AmendmentAnswered { intent, refused } = &fact.what {
            self.answers.entry(*intent).or_insert_with(|| refused.clone());
        } else if let OrderFact::AmendmentEnded { intent, granted } = &fact.what {
            self.ended.entry(*intent).or_insert(*granted);
        }
    }

    /// Writes the registers, and what became of each request, into the order.
    pub(crate) fn finish(self, view: &mut OrderView) {
        let mut known = BTreeSet::new();
        for Wish { asked, wanted } in self.writes {
            let Some((intent, asked_at)) = asked else {
                view.amend(&wanted);
                continue;
            };
            if !known.insert(intent) {
                continue;
            }
            let state = match (self.ended.get(&intent), self.answers.get(&intent)) {
                (Some(None), _) => AmendmentState::Lapsed,
                (Some(Some(true)), _) | (None, Some(None)) => AmendmentState::Granted,
                (Some(Some(false)) | None, Some(Some(why))) => AmendmentState::Refused(why.clone()),
                // It was said by a former owner that did not know of it.
                (Some(Some(false)), Some(None) | None) => AmendmentState::Refused(String::new()),
                (None, None) => AmendmentState::Asked,
            };
            let before = view.fulfilled(wanted.field());
            if state == AmendmentState::Granted {
                view.amend(&wanted);
            }
            view.amendments.push(AmendmentView { intent, wanted, before, asked_at, state });
        }
    }
}

impl OrderView {
    fn amend(&mut self, wanted: &Amendment) {
        match wanted {
            Amendment::Instructions(text) => self.instructions.clone_from(text),
            Amendment::Contact => {}
            Amendment::Address { distance_m } => self.distance_m = Some(*distance_m),
            Amendment::Time(at) => self.ready_not_before = *at,
        }
    }

    /// A field as it is now; `None`: only the relay knows.
    fn fulfilled(&self, field: AmendedField) -> Option<Amendment> {
        match field {
            AmendedField::Instructions => Some(Amendment::Instructions(self.instructions.clone())),
            AmendedField::Contact => None,
            AmendedField::Address => self.distance_m.map(|distance_m| Amendment::Address { distance_m }),
            AmendedField::Time => Some(Amendment::Time(self.ready_not_before)),
        }
    }

    /// Requests that wait for the restaurant.
    pub fn amendments_asked(&self) -> impl Iterator<Item = &AmendmentView> {
        self.amendments.iter().filter(|request| request.state == AmendmentState::Asked)
    }
}

#[cfg(test)]
mod tests;
