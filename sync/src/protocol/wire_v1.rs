//! The frames of protocol 1 as bytes: a version byte, then minicbor with numbered fields. Numbers are never reused.
//!
//! A list knows its limit before it is read; commits are borrowed from the frame, not copied.

use crate::crdt::chain::{ChainHash, Head};
use crate::doc::origin::OriginRole;
use crate::domain::id::{IngredientId, OriginId, SiteId};
use crate::domain::timestamp::Timestamp;
use crate::limits::{CAPABILITIES_MAX, ORIGINS_MAX, WANTS_MAX};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

/// What every frame of this version begins with.
pub(crate) const VERSION: u8 = 1;

/// Where one origin's log ends at the speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Chain {
    #[n(0)]
    pub(crate) origin: OriginId,
    #[n(1)]
    pub(crate) seq: u64,
    #[n(2)]
    pub(crate) hash: ChainHash,
}

impl Chain {
    pub(crate) fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

/// How two logs of one origin differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ForkKind {
    /// Unequal hashes at this number: two stores wrote under one identity.
    #[n(0)]
    Diverged,
    /// The origin itself has less than it had told: its disk went back to this number.
    #[n(1)]
    RolledBack,
}

/// An origin whose logs differ: it is left alone in this session, the others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Fork {
    /// Which.
    #[n(0)]
    pub origin: OriginId,
    /// How.
    #[n(1)]
    pub kind: ForkKind,
    /// At which number: the shorter log's end.
    #[n(2)]
    pub seq: u64,
}

/// An ingredient of which the speaker would like to have rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Want {
    /// Which.
    #[n(0)]
    pub ingredient: IngredientId,
    /// How much more, in its smallest unit.
    #[n(1)]
    pub amount: u64,
}

/// Up to which number the speaker's log of an origin is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Durable {
    #[n(0)]
    pub(crate) origin: OriginId,
    #[n(1)]
    pub(crate) seq: u64,
}

/// A list that is refused before it is read when it says that it is longer than this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T, const MAX: usize>(pub(crate) Vec<T>);

impl<Ctx, T: Encode<Ctx>, const MAX: usize> Encode<Ctx> for List<T, MAX> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut Ctx) -> Result<(), EncodeError<W::Error>> {
        e.array(self.0.len() as u64)?;
        self.0.iter().try_for_each(|one| one.encode(e, ctx))
    }
}

impl<'b, Ctx, T: Decode<'b, Ctx>, const MAX: usize> Decode<'b, Ctx> for List<T, MAX> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut Ctx) -> Result<Self, DecodeError> {
        let at = d.position();
        let length = d.array()?.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= MAX);
        let length = length.ok_or_else(|| DecodeError::message("a list without end, or too long").at(at))?;
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(T::decode(d, ctx)?);
        }
        Ok(Self(list))
    }
}

/// The dialer's first frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Hello {
    /// The newest protocol it speaks.
    #[n(0)]
    pub(crate) protocol: u16,
    /// The oldest.
    #[n(1)]
    pub(crate) protocol_min: u16,
    #[n(2)]
    pub(crate) capabilities: List<u16, CAPABILITIES_MAX>,
    #[n(3)]
    pub(crate) site: SiteId,
    #[n(4)]
    pub(crate) role: OriginRole,
    /// Under which origin it writes.
    #[n(5)]
    pub(crate) own: OriginId,
    /// Ascending by origin.
    #[n(6)]
    pub(crate) chains: List<Chain, ORIGINS_MAX>,
    /// The listener may send so much.
    #[n(7)]
    pub(crate) window: u64,
    #[n(8)]
    pub(crate) time: Timestamp,
}

/// The listener's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Welcome {
    /// The protocol that both will speak.
    #[n(0)]
    pub(crate) protocol: u16,
    #[n(1)]
    pub(crate) capabilities: List<u16, CAPABILITIES_MAX>,
    #[n(2)]
    pub(crate) role: OriginRole,
    #[n(3)]
    pub(crate) own: OriginId,
    /// Which session of this node it is, by the listener's count.
    #[n(4)]
    pub(crate) epoch: u64,
    #[n(5)]
    pub(crate) chains: List<Chain, ORIGINS_MAX>,
    #[n(6)]
    pub(crate) forks: List<Fork, ORIGINS_MAX>,
    /// The dialer may send so much.
    #[n(7)]
    pub(crate) window: u64,
    #[n(8)]
    pub(crate) time: Timestamp,
}

/// Consecutive commits of one origin.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Batch<'a> {
    #[n(0)]
    pub(crate) origin: OriginId,
    /// The first commit's number.
    #[n(1)]
    pub(crate) first: u64,
    #[n(2)]
    pub(crate) commits: u32,
    /// Bytes of the body before compression.
    #[n(3)]
    pub(crate) plain_bytes: u32,
    /// CRC-32 of the compressed body.
    #[n(4)]
    pub(crate) crc: u32,
    /// zstd of the commits, each as a byte string.
    #[cbor(b(5), with = "minicbor::bytes")]
    pub(crate) body: &'a [u8],
    /// The chain's hash after the last one.
    #[n(6)]
    pub(crate) end: ChainHash,
    /// The origin's signature over it.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(crate) signature: [u8; 64],
}

/// Everything that is said on the link.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Frame<'a> {
    #[n(1)]
    Hello(#[n(0)] Hello),
    #[n(2)]
    Welcome(#[n(0)] Welcome),
    /// The dialer has compared too, and found this.
    #[n(3)]
    Forked(#[n(0)] Fork),
    /// The sender's open orders before its commits: read by the driver, moves no vector.
    #[n(4)]
    Open(#[cbor(b(0), with = "minicbor::bytes")] &'a [u8]),
    #[n(5)]
    Batch(#[b(0)] Batch<'a>),
    #[n(6)]
    Ack(#[n(0)] List<Durable, ORIGINS_MAX>),
    /// So much more may be sent.
    #[n(7)]
    Credit(#[n(0)] u64),
    /// Send this origin's log from this number on.
    #[n(8)]
    Need(#[n(0)] OriginId, #[n(1)] u64),
    #[n(9)]
    Want(#[n(0)] List<Want, WANTS_MAX>),
    #[n(10)]
    Ping(#[n(0)] u64),
    #[n(11)]
    Pong(#[n(0)] u64),
    /// Look up the chain's hash after this commit of an origin whose logs differ. Only to a peer that `LOOKS_UP`.
    #[n(12)]
    Look(#[n(0)] OriginId, #[n(1)] u64),
    /// What was looked up; nothing when the log does not have it.
    #[n(13)]
    Looked(#[n(0)] OriginId, #[n(1)] u64, #[n(2)] Option<ChainHash>),
    /// The listener is busy: dial again after so many milliseconds. Instead of a welcome.
    #[n(14)]
    RetryAfter(#[n(0)] u64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::codec;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn origin(byte: u8) -> OriginId {
        OriginId::from_bytes([byte; 16])
    }

    #[track_caller]
    fn golden(frame: Frame<'_>, expected: &str) {
        let bytes = codec::encode(&frame);
        let expected =
            expected.replace('O', &format!("50{}", "aa".repeat(16))).replace('H', &format!("5820{}", "bb".repeat(32)));
        assert_eq!(hex(&bytes), expected);
        assert_eq!(codec::decode(&bytes, false), Ok(frame));
    }

    #[test]
    fn y1_the_bytes_of_each_frame_are_pinned() {
        let chain = Chain { origin: origin(0xaa), seq: 7, hash: ChainHash([0xbb; 32]) };
        let fork = Fork { origin: origin(0xaa), kind: ForkKind::RolledBack, seq: 5 };
        let hello = Hello {
            protocol: 1,
            protocol_min: 1,
            capabilities: List(vec![3]),
            site: SiteId::from_bytes([0xaa; 16]),
            role: OriginRole::Node,
            own: origin(0xaa),
            chains: List(vec![chain]),
            window: 1024,
            time: Timestamp(9),
        };
        golden(Frame::Hello(hello), "018201818901018103O00O8183O07H19040009");
        let welcome = Welcome {
            protocol: 1,
            capabilities: List(vec![]),
            role: OriginRole::Relay,
            own: origin(0xaa),
            epoch: 4,
            chains: List(vec![chain]),
            forks: List(vec![fork]),
            window: 1024,
            time: Timestamp(9),
        };
        golden(Frame::Welcome(welcome), "0182028189018001O048183O07H8183O010519040009");
        golden(Frame::Forked(fork), "0182038183O0105");
        golden(Frame::Open(&[1, 2]), "01820481420102");
        let batch = Batch {
            origin: origin(0xaa),
            first: 8,
            commits: 2,
            plain_bytes: 300,
            crc: 0x0102_0304,
            body: &[5, 6, 7],
            end: ChainHash([0xbb; 32]),
            signature: [0xcc; 64],
        };
        let signature = format!("5840{}", "cc".repeat(64));
        golden(Frame::Batch(batch), &format!("0182058188O080219012c1a0102030443050607H{signature}"));
        golden(
            Frame::Ack(List(vec![Durable { origin: origin(0xaa), seq: 9 }])),
            "01820681 81 82O09".replace(' ', "").as_str(),
        );
        golden(Frame::Credit(65_536), "018207811a00010000");
        golden(Frame::Need(origin(0xaa), 3), "01820882O03");
        let want = Want { ingredient: IngredientId::from_bytes([0xaa; 16]), amount: 10 };
        golden(Frame::Want(List(vec![want])), "018209818182O0a");
        golden(Frame::Ping(1), "01820a8101");
        golden(Frame::Pong(1), "01820b8101");
        golden(Frame::Look(origin(0xaa), 3), "01820c82O03");
        golden(Frame::Looked(origin(0xaa), 3, Some(ChainHash([0xbb; 32]))), "01820d83O03H");
        golden(Frame::RetryAfter(1_500), "01820e811905dc");
    }
}
