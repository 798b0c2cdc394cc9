//! Frames to bytes and back, and the bodies of batches: bounded before anything is allocated, and again after decompression.

use crate::crdt::chain::{ChainHash, Head};
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_COMMITS_MAX, BATCH_OVERHEAD_BYTES, COMMIT_BYTES_MAX, CONTROL_BYTES_MAX, FRAME_BYTES_MAX,
    OPEN_BYTES_MAX,
};
use crate::protocol::violation::Violation;
use crate::protocol::wire_v1::{Batch, Frame, VERSION};
use crate::store::LogEntry;
use ed25519_dalek::{Signature, VerifyingKey};
use minicbor::{Decoder, Encoder};

/// Orders of one site repeat one another's words: a level above the default pays on a line that is slower than a disk.
const LEVEL: i32 = 6;

/// The frame's bytes. Writing into memory cannot fail.
pub(crate) fn encode(frame: &Frame<'_>) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let written = minicbor::encode(frame, &mut bytes);
    debug_assert!(written.is_ok(), "writing into memory cannot fail");
    bytes
}

/// Reads a frame. `greeting` says that only a hello or welcome may come: nothing large is read from a stranger.
pub(crate) fn decode(bytes: &[u8], greeting: bool) -> Result<Frame<'_>, Violation> {
    if bytes.len() > if greeting { CONTROL_BYTES_MAX } else { FRAME_BYTES_MAX } {
        return Err(Violation::FrameTooLarge);
    }
    let Some((version, rest)) = bytes.split_first() else { return Err(Violation::Malformed) };
    if *version != VERSION {
        return Err(Violation::Malformed);
    }
    let mut decoder = Decoder::new(rest);
    let frame: Frame<'_> = decoder.decode().map_err(|_| Violation::Malformed)?;
    if decoder.position() != rest.len() {
        return Err(Violation::Malformed);
    }
    let most = match &frame {
        Frame::Batch(_) => FRAME_BYTES_MAX,
        Frame::Open(_) => OPEN_BYTES_MAX + 16,
        Frame::Hello(_)
        | Frame::Welcome(_)
        | Frame::Forked(_)
        | Frame::Ack(_)
        | Frame::Credit(_)
        | Frame::Need(..)
        | Frame::Want(_)
        | Frame::Look(..)
        | Frame::Looked(..)
        | Frame::Ping(_)
        | Frame::Pong(_)
        | Frame::RetryAfter(_) => CONTROL_BYTES_MAX,
    };
    if bytes.len() > most { Err(Violation::FrameTooLarge) } else { Ok(frame) }
}

/// Bytes that a commit takes in a body: itself and the byte string's head.
pub(crate) const fn plain_bytes(commit: &[u8]) -> usize {
    commit.len() + 5
}

/// What a batch takes of the window.
pub(crate) const fn cost(plain_bytes: usize) -> u64 {
    (plain_bytes + BATCH_OVERHEAD_BYTES) as u64
}

/// A batch's body before it is put into a frame.
pub(crate) struct Packed {
    pub(crate) plain_bytes: usize,
    pub(crate) body: Vec<u8>,
}

/// Packs commits; `None` when zstd has no memory.
pub(crate) fn pack(commits: &[LogEntry]) -> Option<Packed> {
    let plain = commits.iter().map(|entry| plain_bytes(&entry.bytes)).sum();
    let mut encoder = Encoder::new(Vec::with_capacity(plain));
    for entry in commits {
        encoder.bytes(&entry.bytes).ok()?;
    }
    let plain = encoder.into_writer();
    let body = zstd::bulk::compress(&plain, LEVEL).ok()?;
    Some(Packed { plain_bytes: plain.len(), body })
}

/// What a batch claims to hold is within the limits.
pub(crate) fn check_size(batch: &Batch<'_>) -> Result<(), Violation> {
    let commits = batch.commits as usize;
    let plain = batch.plain_bytes as usize;
    let within = (1..=BATCH_COMMITS_MAX).contains(&commits) && (1..=BATCH_BYTES_MAX).contains(&plain);
    let ends = batch.first >= 1 && batch.first.checked_add(u64::from(batch.commits)).is_some();
    if within && ends { Ok(()) } else { Err(Violation::BatchSize) }
}

/// Takes a batch's body apart, checks its chain from `tail` on, and returns the commits after it. Commits up to `tail` were had before.
pub(crate) fn unpack(batch: &Batch<'_>, tail: Head) -> Result<Vec<LogEntry>, Violation> {
    check_size(batch)?;
    if crc32fast::hash(batch.body) != batch.crc {
        return Err(Violation::BatchDamaged);
    }
    let expected = batch.plain_bytes as usize;
    // The buffer is the size that was checked above, whatever the body says of itself.
    let plain = zstd::bulk::decompress(batch.body, expected).map_err(|_| Violation::BatchSize)?;
    if plain.len() != expected {
        return Err(Violation::BatchSize);
    }
    let mut decoder = Decoder::new(&plain);
    let mut head = tail;
    let mut entries = Vec::with_capacity(batch.commits as usize);
    for seq in batch.first..batch.first + u64::from(batch.commits) {
        let commit = decoder.bytes().map_err(|_| Violation::Malformed)?;
        if commit.len() > COMMIT_BYTES_MAX {
            return Err(Violation::BatchSize);
        }
        if seq > tail.seq {
            head = head.then(commit);
            entries.push(LogEntry { origin: batch.origin, head, bytes: commit.to_vec() });
        }
    }
    if decoder.position() != plain.len() {
        return Err(Violation::Malformed);
    }
    if head.hash == batch.end { Ok(entries) } else { Err(Violation::ChainBroken) }
}

/// Checks an origin's signature over a chain's hash.
pub(crate) fn verify(key: &VerifyingKey, hash: &ChainHash, signature: &[u8; 64]) -> Result<(), Violation> {
    key.verify_strict(&hash.0, &Signature::from_bytes(signature)).map_err(|_| Violation::BadSignature)
}
