//! A set of facts that only grows: what happened, happened. The shown state is a fold over it.
//!
//! One to which nothing is added any more may be packed: kept as its bytes, a third of the memory, and read when it is wanted.

use crate::crdt::hlc::Hlc;
use crate::domain::id::OriginId;
use crdts::{CvRDT, GSet};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Names one fact for ever: the n-th change of a commit of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct FactId {
    /// Who wrote it.
    #[n(0)]
    pub origin: OriginId,
    /// In which commit.
    #[n(1)]
    pub seq: u64,
    /// As which of its changes, from zero.
    #[n(2)]
    pub index: u32,
}

/// How a fact came, when not in its writer's own log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum Way {
    /// Its writer's branch was ended, and somebody else has told it. Its id follows from what it says, so that it is one fact however
    /// many tell it.
    #[n(0)]
    Recovered,
}

/// One thing that happened. Facts are equal when their ids are: an id is never used twice.
#[derive(Debug, Clone, Encode, Decode)]
pub struct Fact<T, By> {
    /// Its name.
    #[n(0)]
    pub id: FactId,
    /// When, by its writer's hybrid clock.
    #[n(1)]
    pub at: Hlc,
    /// Who caused it.
    #[n(2)]
    pub by: By,
    /// What.
    #[n(3)]
    pub what: T,
    /// How it came; `None`: in its writer's log.
    #[n(4)]
    pub way: Option<Way>,
}

impl<T, By> PartialEq for Fact<T, By> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T, By> Eq for Fact<T, By> {}

impl<T, By> PartialOrd for Fact<T, By> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T, By> Ord for Fact<T, By> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

/// Facts in a grow-only set. Sharing makes reading cheap: `crdts` gives its set out by value only.
#[derive(Debug, Clone)]
pub struct Facts<T, By>(Form<T, By>);

#[derive(Debug, Clone)]
enum Form<T, By> {
    Open(GSet<Arc<Fact<T, By>>>),
    /// The bytes of the open form.
    Packed(Arc<[u8]>),
}

impl<T, By> Default for Facts<T, By> {
    fn default() -> Self {
        Self(Form::Open(GSet::new()))
    }
}

impl<T: Read, By: Read> PartialEq for Facts<T, By> {
    fn eq(&self, other: &Self) -> bool {
        self.all() == other.all()
    }
}

impl<T: Read, By: Read> Eq for Facts<T, By> {}

/// What can be read whatever it is read from.
pub trait Read: for<'b> Decode<'b, ()> {}

impl<T: for<'b> Decode<'b, ()>> Read for T {}

impl<T: Read, By: Read> Facts<T, By> {
    /// Adds a fact; one that is known changes nothing.
    pub fn insert(&mut self, fact: Fact<T, By>) {
        self.edit(|facts| facts.insert(Arc::new(fact)));
    }

    /// Joins two sets. Commutative, associative, idempotent; never fails (SPEC F1).
    pub fn merge(&mut self, other: Self) {
        self.edit(|facts| facts.merge(grown(other.all())));
    }

    /// The facts in the order in which they happened: by hybrid clock, then by id. The same on every replica (SPEC F2).
    pub fn in_order(&self) -> Vec<Arc<Fact<T, By>>> {
        let mut facts: Vec<_> = self.all().into_iter().collect();
        facts.sort_by_key(|fact| (fact.at, fact.id));
        facts
    }

    /// Those of them that are wanted.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&Fact<T, By>) -> bool) -> Self {
        Self(Form::Open(grown(self.all().into_iter().filter(|fact| wanted(fact)).collect())))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all().len()
    }

    fn all(&self) -> BTreeSet<Arc<Fact<T, By>>> {
        match &self.0 {
            Form::Open(set) => set.read(),
            Form::Packed(bytes) => unpacked(bytes),
        }
    }

    fn edit(&mut self, edit: impl FnOnce(&mut GSet<Arc<Fact<T, By>>>)) {
        let mut set = match std::mem::replace(&mut self.0, Form::Open(GSet::new())) {
            Form::Open(set) => set,
            Form::Packed(bytes) => grown(unpacked(&bytes)),
        };
        edit(&mut set);
        self.0 = Form::Open(set);
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Encode<()>, By: Encode<()>> Facts<T, By> {
    /// Keeps them as bytes from now on, until one is added.
    pub fn pack(&mut self) {
        if let Form::Open(_) = &self.0 {
            // Writing into memory cannot fail; what is not written stays as it is.
            if let Ok(bytes) = minicbor::to_vec(&*self) {
                self.0 = Form::Packed(bytes.into());
            }
        }
    }
}

impl<Ctx, T: Encode<Ctx>, By: Encode<Ctx>> Encode<Ctx> for Facts<T, By> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut Ctx) -> Result<(), EncodeError<W::Error>> {
        let facts = match &self.0 {
            Form::Open(set) => set.read(),
            Form::Packed(bytes) => return e.writer_mut().write_all(bytes).map_err(EncodeError::write),
        };
        e.array(facts.len() as u64)?;
        for fact in facts {
            fact.as_ref().encode(e, ctx)?;
        }
        Ok(())
    }
}

impl<'b, Ctx, T: Decode<'b, Ctx>, By: Decode<'b, Ctx>> Decode<'b, Ctx> for Facts<T, By> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut Ctx) -> Result<Self, DecodeError> {
        Ok(Self(Form::Open(grown(read_all(d, ctx)?))))
    }
}

fn read_all<'b, Ctx, T: Decode<'b, Ctx>, By: Decode<'b, Ctx>>(
    d: &mut Decoder<'b>,
    ctx: &mut Ctx,
) -> Result<BTreeSet<Arc<Fact<T, By>>>, DecodeError> {
    let at = d.position();
    let len = d.array()?.ok_or_else(|| DecodeError::message("a set has a length").at(at))?;
    let mut facts = BTreeSet::new();
    for _ in 0..len {
        facts.insert(Arc::new(Fact::decode(d, ctx)?));
    }
    Ok(facts)
}

/// What `pack` wrote; it was read once before.
fn unpacked<T: Read, By: Read>(bytes: &[u8]) -> BTreeSet<Arc<Fact<T, By>>> {
    let read = read_all(&mut Decoder::new(bytes), &mut ());
    debug_assert!(read.is_ok(), "packed facts can be read");
    read.unwrap_or_default()
}

fn grown<T, By>(facts: BTreeSet<Arc<Fact<T, By>>>) -> GSet<Arc<Fact<T, By>>> {
    let mut set = GSet::new();
    facts.into_iter().for_each(|fact| set.insert(fact));
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fact(origin: u8, seq: u64, at: u64) -> Fact<u8, u8> {
        Fact {
            id: FactId { origin: OriginId::from_bytes([origin; 16]), seq, index: 0 },
            at: Hlc(at),
            by: 0,
            what: origin,
            way: None,
        }
    }

    fn set(facts: &[(u8, u64, u64)]) -> Facts<u8, u8> {
        let mut set = Facts::default();
        for (origin, seq, at) in facts {
            // A fact's time belongs to its id: the writer stamps it once.
            set.insert(fact(*origin, *seq, at % 5 + u64::from(*origin) * 7 + seq * 3));
        }
        set
    }

    fn joined(mut left: Facts<u8, u8>, right: &Facts<u8, u8>) -> Facts<u8, u8> {
        left.merge(right.clone());
        left
    }

    proptest! {
        #[test]
        fn f1_join_is_commutative_associative_and_idempotent(
            a in prop::collection::vec((0u8..3, 0u64..6, 0u64..1), 0..12),
            b in prop::collection::vec((0u8..3, 0u64..6, 0u64..1), 0..12),
            c in prop::collection::vec((0u8..3, 0u64..6, 0u64..1), 0..12),
        ) {
            let (a, b, c) = (set(&a), set(&b), set(&c));
            prop_assert_eq!(joined(a.clone(), &b), joined(b.clone(), &a));
            prop_assert_eq!(joined(joined(a.clone(), &b), &c), joined(a.clone(), &joined(b.clone(), &c)));
            prop_assert_eq!(joined(a.clone(), &a), a.clone());
            // F2: the order of happening and the bytes do not depend on the order of arrival.
            let (ab, ba) = (joined(a.clone(), &b), joined(b, &a));
            let ids = |set: &Facts<u8, u8>| set.in_order().iter().map(|fact| fact.id).collect::<Vec<_>>();
            prop_assert_eq!(ids(&ab), ids(&ba));
            prop_assert_eq!(minicbor::to_vec(&ab).unwrap(), minicbor::to_vec(&ba).unwrap());
            // Packed or not is the same.
            let (mut packed, mut other) = (a.clone(), c.clone());
            packed.pack();
            other.pack();
            prop_assert_eq!(&packed, &a);
            prop_assert_eq!((packed.len(), ids(&packed)), (a.len(), ids(&a)));
            prop_assert_eq!(minicbor::to_vec(&packed).unwrap(), minicbor::to_vec(&a).unwrap());
            prop_assert_eq!(joined(packed, &other), joined(a, &c));
        }
    }

    #[test]
    fn f2_facts_are_told_in_the_order_of_the_hybrid_clock_then_of_their_ids() {
        let mut set = Facts::default();
        for fact in [fact(2, 1, 5), fact(1, 1, 9), fact(1, 2, 5)] {
            set.insert(fact);
        }
        let order: Vec<_> = set.in_order().iter().map(|fact| (fact.at.0, fact.what)).collect();
        assert_eq!(order, [(5, 1), (5, 2), (9, 1)]);
        let bytes = minicbor::to_vec(&set).unwrap();
        assert_eq!(minicbor::decode::<Facts<u8, u8>>(&bytes).unwrap(), set);
    }
}
