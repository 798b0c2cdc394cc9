//! Canonical bytes of `crdts` types, whose own serialisation is not canonical, and of values that are shared in memory.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use std::ops::Deref;
use std::sync::Arc;

/// A value that several owners hold in memory; on disk and on the wire it is the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared<T>(Arc<T>);

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<Ctx, T: Encode<Ctx>> Encode<Ctx> for Shared<T> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut Ctx) -> Result<(), EncodeError<W::Error>> {
        self.0.as_ref().encode(e, ctx)
    }
}

impl<'b, Ctx, T: Decode<'b, Ctx>> Decode<'b, Ctx> for Shared<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut Ctx) -> Result<Self, DecodeError> {
        T::decode(d, ctx).map(Self::from)
    }
}

/// Encodes a version vector as a map in key order.
pub mod vclock {
    use crdts::{CmRDT, Dot, VClock};
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decode, Decoder, Encode, Encoder};
    use std::fmt::Debug;

    /// Writes the vector.
    pub fn encode<Ctx, W: Write, A: Ord + Encode<Ctx>>(
        clock: &VClock<A>,
        e: &mut Encoder<W>,
        ctx: &mut Ctx,
    ) -> Result<(), EncodeError<W::Error>> {
        e.map(clock.dots.len() as u64)?;
        for (actor, counter) in &clock.dots {
            actor.encode(e, ctx)?;
            e.u64(*counter)?;
        }
        Ok(())
    }

    /// Reads the vector; an actor named twice keeps its higher counter.
    pub fn decode<'b, Ctx, A: Ord + Clone + Debug + Decode<'b, Ctx>>(
        d: &mut Decoder<'b>,
        ctx: &mut Ctx,
    ) -> Result<VClock<A>, DecodeError> {
        let at = d.position();
        let len = d.map()?.ok_or_else(|| DecodeError::message("a vector has a length").at(at))?;
        let mut clock = VClock::new();
        for _ in 0..len {
            let actor = A::decode(d, ctx)?;
            clock.apply(Dot::new(actor, d.u64()?));
        }
        Ok(clock)
    }
}
