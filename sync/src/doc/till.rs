//! What happened to a drawer in a shift: facts of the node that it stands at.
//!
//! Writers: the shift's node; another node closes what an ended one left open. Readers: till, owner, day reports.
//! Merge: set union of facts; what the drawer should hold is a fold.
//! Retention: for ever.

use crate::crdt::facts::{Fact, FactId, Way};
use crate::crdt::hlc::Hlc;
use crate::domain::business_day::DayNumber;
use crate::domain::id::{IntentId, OrderId, OriginId, PaymentId};
use crate::domain::role::Actor;
use crate::domain::timestamp::Timestamp;
use minicbor::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet};

/// How a shift began.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Opening {
    /// What people call the drawer; at its node only one.
    #[n(0)]
    pub drawer: String,
    /// Where it stands.
    #[n(1)]
    pub node: OriginId,
    /// The business day that the shift belongs to.
    #[n(2)]
    pub day: DayNumber,
    /// Counted in it at the beginning, in minor units.
    #[n(3)]
    pub float_minor: i64,
}

/// One thing that happened to a drawer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum TillFact {
    /// A shift began.
    #[n(0)]
    Opened(#[n(0)] Opening),
    /// Cash was taken for an order, in the commit of its payment.
    #[n(1)]
    Taken {
        /// For which order.
        #[n(0)]
        order: OrderId,
        /// Which payment.
        #[n(1)]
        payment: PaymentId,
        /// How much, in minor units.
        #[n(2)]
        amount_minor: i64,
    },
    /// Cash was put in, or taken out, for another reason.
    #[n(2)]
    Moved {
        /// The request, so that sending it twice does it once.
        #[n(0)]
        intent: IntentId,
        /// How much, in minor units; below zero was taken out.
        #[n(1)]
        amount_minor: i64,
        /// Why, in a person's words.
        #[n(2)]
        why: String,
    },
    /// The shift ended: what was counted, and what was expected when it was.
    #[n(3)]
    Closed {
        /// In the drawer, in minor units.
        #[n(0)]
        counted_minor: i64,
        /// By the books, in minor units.
        #[n(1)]
        expected_minor: i64,
    },
}

/// All that happened to one drawer in one shift.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct ShiftDoc(BTreeSet<Fact<TillFact, Actor>>);

/// A shift that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShiftEnd {
    /// Who counted.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What was in the drawer, in minor units.
    pub counted_minor: i64,
    /// What the books said then, in minor units.
    pub expected_minor: i64,
}

/// A shift as everyone sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShiftView {
    /// How it began.
    pub opening: Opening,
    /// Who counted the float.
    pub opened_by: Actor,
    /// When.
    pub opened_at: Timestamp,
    /// Cash taken for orders, by payment, in minor units.
    pub taken: BTreeMap<PaymentId, i64>,
    /// Cash put in or taken out otherwise: how much in minor units, why, by whom.
    pub moved: BTreeMap<IntentId, (i64, String, Actor)>,
    /// How it ended.
    pub end: Option<ShiftEnd>,
}

impl ShiftView {
    /// What should be in the drawer, in minor units.
    pub fn expected_minor(&self) -> i64 {
        self.opening.float_minor.saturating_add(self.taken_minor()).saturating_add(self.in_minor() - self.out_minor())
    }

    /// Cash taken for orders, in minor units.
    pub fn taken_minor(&self) -> i64 {
        self.taken.values().fold(0, |sum, amount| sum.saturating_add(*amount))
    }

    /// Cash put in otherwise, in minor units.
    pub fn in_minor(&self) -> i64 {
        self.moved.values().fold(0, |sum, (amount, ..)| sum.saturating_add((*amount).max(0)))
    }

    /// Cash taken out, in minor units, not below zero.
    pub fn out_minor(&self) -> i64 {
        self.moved.values().fold(0, |sum, (amount, ..)| sum.saturating_sub((*amount).min(0)))
    }
}

impl ShiftDoc {
    /// Adds a fact; one that is known changes nothing (SPEC F1).
    pub fn insert(&mut self, fact: Fact<TillFact, Actor>) {
        self.0.insert(fact);
    }

    /// Payments that it has booked.
    pub(crate) fn payments(&self) -> impl Iterator<Item = PaymentId> {
        self.0.iter().filter_map(|fact| match &fact.what {
            TillFact::Taken { payment, .. } => Some(*payment),
            TillFact::Opened(_) | TillFact::Moved { .. } | TillFact::Closed { .. } => None,
        })
    }

    /// When it has booked this payment, as facts are told; `None`: it has not.
    pub(crate) fn taken_at(&self, wanted: &PaymentId) -> Option<(Hlc, Option<Way>, FactId)> {
        let of = |what: &TillFact| matches!(what, TillFact::Taken { payment, .. } if payment == wanted);
        self.0.iter().filter(|fact| of(&fact.what)).map(|fact| (fact.at, fact.way, fact.id)).min()
    }

    /// Whether it has begun and not ended.
    pub fn is_open(&self) -> bool {
        let any = |of: fn(&TillFact) -> bool| self.0.iter().any(|fact| of(&fact.what));
        any(|what| matches!(what, TillFact::Opened(_))) && !any(|what| matches!(what, TillFact::Closed { .. }))
    }

    /// How it began; `None` while that is not known. Of two beginnings under one id the first by the writers' clocks is it.
    pub fn opening(&self) -> Option<&Opening> {
        let opened = self.0.iter().filter_map(|fact| match &fact.what {
            TillFact::Opened(opening) => Some(((fact.at, fact.way, fact.id), opening)),
            TillFact::Taken { .. } | TillFact::Moved { .. } | TillFact::Closed { .. } => None,
        });
        opened.min_by_key(|(told, _)| *told).map(|(_, opening)| opening)
    }

    /// The shift as these facts tell it; `None` while its beginning is not among them. Of two beginnings, or ends, under one id the
    /// first by the writers' clocks is it.
    pub fn view(&self, covers: impl Fn(&Fact<TillFact, Actor>) -> bool) -> Option<ShiftView> {
        let mut facts: Vec<_> = self.0.iter().filter(|fact| covers(fact)).collect();
        facts.sort_by_key(|fact| (fact.at, fact.way, fact.id));
        let opened = facts.iter().find_map(|fact| match &fact.what {
            TillFact::Opened(opening) => Some((opening.clone(), fact)),
            TillFact::Taken { .. } | TillFact::Moved { .. } | TillFact::Closed { .. } => None,
        });
        let (opening, first) = opened?;
        let (opened_by, opened_at) = (first.by, first.at.wall());
        let (taken, moved) = (BTreeMap::new(), BTreeMap::new());
        let mut view = ShiftView { opening, opened_by, opened_at, taken, moved, end: None };
        for fact in facts {
            match &fact.what {
                TillFact::Opened(_) => {}
                TillFact::Taken { payment, amount_minor, .. } => {
                    view.taken.entry(*payment).or_insert(*amount_minor);
                }
                TillFact::Moved { intent, amount_minor, why } => {
                    view.moved.entry(*intent).or_insert_with(|| (*amount_minor, why.clone(), fact.by));
                }
                TillFact::Closed { counted_minor, expected_minor } => {
                    let (by, at) = (fact.by, fact.at.wall());
                    let (counted_minor, expected_minor) = (*counted_minor, *expected_minor);
                    view.end.get_or_insert(ShiftEnd { by, at, counted_minor, expected_minor });
                }
            }
        }
        Some(view)
    }

    /// The facts that came otherwise than in their writers' logs.
    pub fn told(&self) -> impl Iterator<Item = &FactId> {
        self.0.iter().filter(|fact| fact.way.is_some()).map(|fact| &fact.id)
    }
}
