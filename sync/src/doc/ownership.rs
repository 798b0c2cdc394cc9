//! Who decides about an order, and which decisions count: a pure fold over its facts, without a clock.
//!
//! An order is born in term 0, owned by the node that took it or that the relay named. A higher term names another node and says up to
//! where its writer had the former owner's log. So what the former owner had decided before counts, and what it decides afterwards,
//! not knowing of it, decides nothing: on every replica, in whatever order the facts come (SPEC Q4).

use crate::crdt::facts::FactId;
use crate::doc::order::{Header, OrderFact, StampedOrderFact};
use crate::domain::id::OriginId;
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// One node's time as an order's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Term {
    number: u32,
    owner: OriginId,
    /// Its decisions count from this commit of its log,
    from: u64,
    /// up to and with this one; `None`: without an end.
    upto: Option<u64>,
}

/// Who owned an order, from its birth on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ownership(Vec<Term>);

impl Ownership {
    /// Of an order with this first fact. Of two that begin the same term the one with the lower (origin, sequence) counts.
    pub(crate) fn of<F: Borrow<StampedOrderFact>>(placed: FactId, header: &Header, facts: &[F]) -> Self {
        let mut taken: BTreeMap<u32, (FactId, OriginId, Option<u64>)> = BTreeMap::new();
        for fact in facts.iter().map(Borrow::borrow) {
            let OrderFact::TakenOver { term, owner, upto, .. } = &fact.what else { continue };
            let new = (fact.id, *owner, *upto);
            let known = taken.entry(*term).or_insert(new);
            if new.0 < known.0 {
                *known = new;
            }
        }
        let first = Term { number: 0, owner: header.owner.unwrap_or(placed.origin), from: 0, upto: None };
        let mut terms = vec![first];
        for (number, (id, owner, upto)) in taken.into_iter().filter(|(number, _)| *number > 0) {
            if let Some(last) = terms.last_mut() {
                last.upto = upto;
            }
            // Who takes an order over has decided nothing in this term before.
            let from = if id.origin == owner { id.seq } else { 0 };
            terms.push(Term { number, owner, from, upto: None });
        }
        Self(terms)
    }

    /// Who owns it now, in which term.
    pub(crate) fn now(&self) -> Option<(OriginId, u32)> {
        self.0.last().map(|term| (term.owner, term.number))
    }

    /// Whether a fact counts.
    pub(crate) fn counts(&self, fact: &StampedOrderFact) -> bool {
        !fact.what.is_decision() || self.is_owners(fact)
    }

    /// Whether the owner of its time has said it. Until somebody has taken the order over every node's word is that: a node that goes on
    /// for one that was fenced may be of a version that knows no terms.
    pub(crate) fn is_owners(&self, fact: &StampedOrderFact) -> bool {
        let in_term = |term: &Term| {
            term.owner == fact.id.origin && fact.id.seq >= term.from && term.upto.is_none_or(|upto| fact.id.seq <= upto)
        };
        self.0.len() == 1 || self.0.iter().any(in_term)
    }
}
