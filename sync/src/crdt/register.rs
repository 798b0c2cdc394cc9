//! A register whose later write wins, where *later* means seen, then trusted clock, then hybrid clock, then origin.
//!
//! What a writer saw is always overruled by what it writes; a clock decides only between concurrent writes (SPEC W1).

use crate::crdt::hlc::Hlc;
use crate::domain::id::OriginId;
use crdts::LWWReg;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// When and by whom a register was written; compared field by field, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Stamp {
    /// One more than the highest version its writer saw.
    #[n(0)]
    pub version: u64,
    /// The writer's clock was within ten minutes of somebody else's.
    #[n(1)]
    pub clock_trusted: bool,
    /// The writer's hybrid clock.
    #[n(2)]
    pub at: Hlc,
    /// The writer.
    #[n(3)]
    pub origin: OriginId,
}

/// One value, or none yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register<T>(Option<LWWReg<T, Stamp>>);

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: PartialEq> Register<T> {
    /// The shown value.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|register| &register.val)
    }

    /// When and by whom the shown value was written.
    pub fn stamp(&self) -> Option<Stamp> {
        self.0.as_ref().map(|register| register.marker)
    }

    /// The version that the next write must carry: one more than was seen here. At the end of the numbers, which only a writer that
    /// means no good comes to, clocks decide.
    pub fn next_version(&self) -> u64 {
        self.0.as_ref().map_or(1, |register| register.marker.version.saturating_add(1))
    }

    /// Takes a write in; it is shown if its stamp is the highest.
    pub fn write(&mut self, value: T, stamp: Stamp) {
        match &mut self.0 {
            Some(register) => register.update(value, stamp),
            empty @ None => *empty = Some(LWWReg { val: value, marker: stamp }),
        }
    }

    /// Joins two registers.
    pub fn merge(&mut self, other: Self) {
        if let Some(LWWReg { val, marker }) = other.0 {
            self.write(val, marker);
        }
    }
}

impl<Ctx, T: Encode<Ctx>> Encode<Ctx> for Register<T> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut Ctx) -> Result<(), EncodeError<W::Error>> {
        match &self.0 {
            None => e.array(0)?.ok(),
            Some(register) => {
                e.array(2)?;
                register.val.encode(e, ctx)?;
                register.marker.encode(e, ctx)
            }
        }
    }
}

impl<'b, Ctx, T: Decode<'b, Ctx>> Decode<'b, Ctx> for Register<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut Ctx) -> Result<Self, DecodeError> {
        let at = d.position();
        match d.array()? {
            Some(0) => Ok(Self(None)),
            Some(2) => Ok(Self(Some(LWWReg { val: T::decode(d, ctx)?, marker: Stamp::decode(d, ctx)? }))),
            _ => Err(DecodeError::message("a register is empty or a value and its stamp").at(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(version: u64, clock_trusted: bool, at: u64, origin: u8) -> Stamp {
        Stamp { version, clock_trusted, at: Hlc(at), origin: OriginId::from_bytes([origin; 16]) }
    }

    #[test]
    fn w1_what_was_seen_is_overruled_and_clocks_decide_only_between_concurrent_writes() {
        let order = [
            stamp(1, false, 900, 9),
            stamp(1, true, 5, 1),
            stamp(1, true, 6, 1),
            stamp(1, true, 6, 2),
            stamp(2, false, 1, 1),
        ];
        for (at, low) in order.iter().enumerate() {
            for high in &order[at + 1..] {
                let (mut a, mut b) = (Register::default(), Register::default());
                a.write("low", *low);
                a.write("high", *high);
                b.write("high", *high);
                b.write("low", *low);
                assert_eq!(a.get(), Some(&"high"));
                assert_eq!(a, b);
                let mut c = Register::default();
                c.write("low", *low);
                c.merge(b.clone());
                c.merge(b);
                assert_eq!(a, c);
            }
        }
    }

    /// A register after some writes; a stamp belongs to one value.
    fn written(writes: &[(u64, bool, u64, u8)]) -> Register<String> {
        let mut register = Register::default();
        for (version, trusted, at, origin) in writes {
            register.write(format!("{version} {trusted} {at} {origin}"), stamp(*version, *trusted, *at, *origin));
        }
        register
    }

    fn joined(mut left: Register<String>, right: &Register<String>) -> Register<String> {
        left.merge(right.clone());
        left
    }

    fn writes() -> impl Strategy<Value = Vec<(u64, bool, u64, u8)>> {
        prop::collection::vec((0u64..3, any::<bool>(), 0u64..3, 0u8..3), 0..6)
    }

    proptest! {
        #[test]
        fn w1_join_is_commutative_associative_and_idempotent_and_writes_come_in_any_order(
            a in writes(), b in writes(), c in writes(),
            shuffled in writes().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            let (a, b, c) = (written(&a), written(&b), written(&c));
            prop_assert_eq!(joined(a.clone(), &b), joined(b.clone(), &a));
            prop_assert_eq!(joined(joined(a.clone(), &b), &c), joined(a.clone(), &joined(b.clone(), &c)));
            prop_assert_eq!(joined(a.clone(), &a), a.clone());
            prop_assert_eq!(joined(Register::default(), &a), a, "nothing is neutral");
            let (all, other) = (written(&shuffled.0), written(&shuffled.1));
            prop_assert_eq!(minicbor::to_vec(&all).unwrap(), minicbor::to_vec(&other).unwrap());
        }
    }

    #[test]
    fn w1_a_write_carries_one_more_than_the_highest_version_seen() {
        let mut register = Register::default();
        assert_eq!(register.next_version(), 1);
        register.write(7, stamp(4, true, 1, 1));
        assert_eq!(register.next_version(), 5);
        let bytes = minicbor::to_vec(&register).unwrap();
        assert_eq!(minicbor::decode::<Register<i32>>(&bytes).unwrap(), register);
        let empty = minicbor::to_vec(Register::<i32>::default()).unwrap();
        assert_eq!(minicbor::decode::<Register<i32>>(&empty).unwrap(), Register::default());
    }

    #[test]
    fn w1_a_version_at_the_end_of_the_numbers_breaks_nothing_and_who_writes_later_still_wins() {
        let mut register = Register::default();
        register.write(1, stamp(u64::MAX, true, 5, 9));
        let next = register.next_version();
        register.write(2, stamp(next, true, 6, 1));
        assert_eq!((next, register.get()), (u64::MAX, Some(&2)));
    }
}
