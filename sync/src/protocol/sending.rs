//! The half of a session that sends logs: where the peer is, which page is being cut into batches, how much may still go.
//!
//! Batches end where the origin's signature is: the own origin signs wherever a batch ends, a forwarder cuts only at seals it received.

use crate::crdt::chain::{ChainHash, Head};
use crate::domain::id::OriginId;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_COMMITS_MAX, ORIGINS_MAX, PAGE_BYTES_MAX, PAGE_COMMITS_MAX, WINDOW_BYTES_MAX,
};
use crate::protocol::codec;
use crate::protocol::violation::Violation;
use crate::protocol::wire_v1::{Batch, Durable, Frame};
use crate::store::{LogEntry, Seal};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Signs a chain's hash with the own origin's key.
pub type Sign = Box<dyn Fn(&ChainHash) -> [u8; 64] + Send>;

/// Why a page that the driver read is not the log that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLog {
    /// It is empty though the log is longer, or its numbers do not follow one another.
    #[error("the log of {0} has a gap")]
    Gap(OriginId),
    /// No seal closes a stretch that fits into a batch.
    #[error("the log of {0} has no seal where a batch may end")]
    Unsealed(OriginId),
    /// zstd has no memory.
    #[error("a batch could not be compressed")]
    OutOfMemory,
}

/// Where the peer is with one origin.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    /// Up to here the peer has it, or it is on its way.
    sent: u64,
    /// Up to here the peer's disk has it.
    acknowledged: u64,
}

/// A page of a log that is being sent: it ends with the last cut.
#[derive(Debug)]
struct Page {
    origin: OriginId,
    entries: VecDeque<LogEntry>,
    /// How many commits each batch takes, and the signature that closes it; none where the own origin signs.
    cuts: VecDeque<(usize, Option<[u8; 64]>)>,
}

/// A page that the log shall give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) origin: OriginId,
    pub(crate) from: u64,
    pub(crate) bytes_max: usize,
}

pub(crate) struct Sending {
    own: OriginId,
    sign: Sign,
    heads: BTreeMap<OriginId, Head>,
    cursors: BTreeMap<OriginId, Cursor>,
    /// Origins that wait for a comparison, or differ.
    held_back: BTreeSet<OriginId>,
    credit: u64,
    page: Option<Page>,
    asked: Option<(OriginId, u64)>,
    turn: Option<OriginId>,
    acknowledged: BTreeMap<OriginId, u64>,
}

impl std::fmt::Debug for Sending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sending").field("own", &self.own).field("credit", &self.credit).finish_non_exhaustive()
    }
}

impl Sending {
    pub(crate) fn new(own: OriginId, sign: Sign, heads: BTreeMap<OriginId, Head>) -> Self {
        Self {
            own,
            sign,
            heads,
            cursors: BTreeMap::new(),
            held_back: BTreeSet::new(),
            credit: 0,
            page: None,
            asked: None,
            turn: None,
            acknowledged: BTreeMap::new(),
        }
    }

    pub(crate) fn heads(&self) -> &BTreeMap<OriginId, Head> {
        &self.heads
    }

    /// The peer's log of this origin ends here, and begins as ours does.
    pub(crate) fn peer_has(&mut self, origin: OriginId, seq: u64) {
        let cursor = self.cursors.entry(origin).or_default();
        cursor.sent = cursor.sent.max(seq);
    }

    /// The peer's disk has the origin up to here. A peer that says more than was ever ours or its own lies.
    pub(crate) fn acknowledge(&mut self, acks: &[Durable]) -> Result<(), Violation> {
        for ack in acks {
            let ours = self.heads.get(&ack.origin).map_or(0, |head| head.seq);
            let cursor = self.cursors.entry(ack.origin).or_default();
            // What another process has written since may have been sent with a page.
            if ack.origin == self.own && ack.seq > ours.max(cursor.sent) {
                return Err(Violation::AckBeyond);
            }
            if ack.seq > cursor.acknowledged {
                cursor.acknowledged = ack.seq;
                cursor.sent = cursor.sent.max(ack.seq);
                self.acknowledged.insert(ack.origin, ack.seq);
            }
        }
        // An acknowledgement of what was never heard of makes a cursor: there are no more of them than both sides can name.
        if self.cursors.len() > 2 * ORIGINS_MAX { Err(Violation::TooManyOrigins) } else { Ok(()) }
    }

    /// Up to where the peer's disk has each log that begins as ours does.
    pub(crate) fn shared(&self) -> BTreeMap<OriginId, u64> {
        let known = self.cursors.iter().filter(|(origin, _)| !self.held_back.contains(origin));
        known.map(|(origin, cursor)| (*origin, cursor.acknowledged)).collect()
    }

    /// News of what the peer's disk has.
    pub(crate) fn poll_acknowledged(&mut self) -> Option<(OriginId, u64)> {
        self.acknowledged.pop_first()
    }

    pub(crate) fn hold_back(&mut self, origin: OriginId) {
        self.held_back.insert(origin);
        if self.page.as_ref().is_some_and(|page| page.origin == origin) {
            self.page = None;
        }
    }

    pub(crate) fn release(&mut self, origin: OriginId) {
        self.held_back.remove(&origin);
    }

    pub(crate) fn give_credit(&mut self, bytes: u64) -> Result<(), Violation> {
        self.credit = self.credit.saturating_add(bytes);
        if self.credit > WINDOW_BYTES_MAX as u64 { Err(Violation::WindowTooLarge) } else { Ok(()) }
    }

    pub(crate) fn durable(&mut self, origin: OriginId, head: Head) {
        let ours = self.heads.entry(origin).or_insert(head);
        if head.seq > ours.seq {
            *ours = head;
        }
    }

    /// The peer wants this origin's log from a number on.
    pub(crate) fn rewind(&mut self, origin: OriginId, from: u64) -> Result<(), Violation> {
        let sent = self.cursors.get(&origin).map_or(0, |cursor| cursor.sent);
        if from == 0 || from > sent + 1 {
            return Err(Violation::NeedBeyond);
        }
        self.cursors.entry(origin).or_default().sent = from - 1;
        if self.page.as_ref().is_some_and(|page| page.origin == origin) {
            self.page = None;
        }
        if self.asked.is_some_and(|(asked, _)| asked == origin) {
            self.asked = None;
        }
        Ok(())
    }

    /// The page that is wanted next: of each origin in turn, once a whole batch may be sent.
    pub(crate) fn poll_ask(&mut self) -> Option<Ask> {
        let room = self.credit >= codec::cost(BATCH_BYTES_MAX);
        if self.page.is_some() || self.asked.is_some() || !room {
            return None;
        }
        let behind = |(origin, head): (&OriginId, &Head)| {
            let sent = self.cursors.get(origin).map_or(0, |cursor| cursor.sent);
            (head.seq > sent && !self.held_back.contains(origin)).then_some((*origin, sent + 1))
        };
        let after = self.heads.range((
            self.turn.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded),
            std::ops::Bound::Unbounded,
        ));
        let (origin, from) = after.chain(self.heads.iter()).find_map(behind)?;
        self.asked = Some((origin, from));
        self.turn = Some(origin);
        let bytes_max = usize::try_from(self.credit).unwrap_or(usize::MAX).min(PAGE_BYTES_MAX);
        Some(Ask { origin, from, bytes_max })
    }

    /// Takes the page that was asked for; one that is not wanted any more is let go.
    pub(crate) fn page(
        &mut self,
        origin: OriginId,
        from: u64,
        entries: Vec<LogEntry>,
        seals: &[Seal],
    ) -> Result<(), BadLog> {
        if self.asked != Some((origin, from)) {
            return Ok(());
        }
        self.asked = None;
        if self.held_back.contains(&origin) {
            return Ok(());
        }
        let numbers = entries.iter().map(|entry| (entry.origin, entry.head.seq));
        let gap = numbers.zip(from..).any(|(found, seq)| found != (origin, seq));
        if entries.is_empty() || entries.len() > PAGE_COMMITS_MAX || gap {
            return Err(BadLog::Gap(origin));
        }
        let own = origin == self.own;
        let seals = seals.iter().filter(|seal| seal.origin == origin).map(|seal| (seal.seq, seal.signature)).collect();
        let cuts = cut(&entries, (!own).then_some(&seals));
        if cuts.is_empty() {
            return Err(BadLog::Unsealed(origin));
        }
        self.page = Some(Page { origin, entries: entries.into(), cuts });
        Ok(())
    }

    /// The next batch, if there is one and the peer has room for it.
    pub(crate) fn poll_batch(&mut self) -> Result<Option<Vec<u8>>, BadLog> {
        let Some(page) = &mut self.page else { return Ok(None) };
        let Some((count, signature)) = page.cuts.front().copied() else {
            self.page = None;
            return Ok(None);
        };
        let slice = &page.entries.make_contiguous()[..count];
        let most: usize = slice.iter().map(|entry| codec::plain_bytes(&entry.bytes)).sum();
        if codec::cost(most) > self.credit {
            return Ok(None);
        }
        let packed = codec::pack(slice).ok_or(BadLog::OutOfMemory)?;
        let (Some(first), Some(last)) = (slice.first(), slice.last()) else { return Ok(None) };
        let (first, end) = (first.head.seq, last.head);
        let batch = Batch {
            origin: page.origin,
            first,
            commits: u32::try_from(count).unwrap_or(u32::MAX),
            plain_bytes: u32::try_from(packed.plain_bytes).unwrap_or(u32::MAX),
            crc: crc32fast::hash(&packed.body),
            body: &packed.body,
            end: end.hash,
            signature: signature.unwrap_or_else(|| (self.sign)(&end.hash)),
        };
        let bytes = codec::encode(&Frame::Batch(batch));
        self.credit -= codec::cost(packed.plain_bytes);
        let cursor = self.cursors.entry(page.origin).or_default();
        cursor.sent = cursor.sent.max(end.seq);
        page.entries.drain(..count);
        page.cuts.pop_front();
        if page.cuts.is_empty() {
            self.page = None;
        }
        Ok(Some(bytes))
    }
}

/// Where batches end: as late as the limits allow, and where there is a seal if only seals may close one.
fn cut(entries: &[LogEntry], seals: Option<&BTreeMap<u64, [u8; 64]>>) -> VecDeque<(usize, Option<[u8; 64]>)> {
    let mut cuts = VecDeque::new();
    let mut start = 0;
    while start < entries.len() {
        let mut bytes = 0;
        let mut best = None;
        for (count, entry) in (1..=BATCH_COMMITS_MAX).zip(&entries[start..]) {
            bytes += codec::plain_bytes(&entry.bytes);
            if bytes > BATCH_BYTES_MAX {
                break;
            }
            match seals {
                None => best = Some((count, None)),
                Some(seals) => {
                    if let Some(signature) = seals.get(&entry.head.seq) {
                        best = Some((count, Some(*signature)));
                    }
                }
            }
        }
        let Some((count, signature)) = best else { break };
        cuts.push_back((count, signature));
        start += count;
    }
    cuts
}
