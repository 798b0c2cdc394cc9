//! The half of a session that sends logs: where the peer is, which page is being cut into batches, how much may still go.
//!
//! Batches end where the origin's signature is: the own origin signs wherever a batch ends, a forwarder cuts only at seals it received.
//!
//! There are two lanes: an origin that is behind by no more than a batch is live, one that is behind by more is filled up. Live batches
//! go first, so many to one of the others, and the others leave room for one in the window (SPEC Y6). An origin is in one lane at a
//! time: its commits go in sequence.

use crate::crdt::chain::{ChainHash, Head};
use crate::domain::id::OriginId;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_COMMITS_MAX, LIVE_BATCHES_MAX, ORIGINS_MAX, PAGE_BYTES_MAX, PAGE_COMMITS_MAX,
    WINDOW_BYTES_MAX,
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
    pub(crate) commits_max: usize,
    pub(crate) bytes_max: usize,
}

/// A page that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    origin: OriginId,
    from: u64,
    /// Where the log ended then: seals of what has come since may not be in the page.
    end: u64,
}

/// What is being sent of one kind of origins.
#[derive(Debug, Default)]
struct Lane {
    page: Option<Page>,
    asked: Option<Asked>,
    turn: Option<OriginId>,
}

impl Lane {
    fn is_free(&self) -> bool {
        self.page.is_none() && self.asked.is_none()
    }

    fn has(&self, origin: &OriginId) -> bool {
        let asked = self.asked.is_some_and(|asked| asked.origin == *origin);
        asked || self.page.as_ref().is_some_and(|page| page.origin == *origin)
    }

    /// What was read of this origin, or is being read, is not what is to be sent.
    fn forget(&mut self, origin: &OriginId) {
        let _page = self.page.take_if(|page| page.origin == *origin);
        let _asked = self.asked.take_if(|asked| asked.origin == *origin);
    }

    /// The bytes of the next batch before compression, at most.
    fn next_bytes(&self) -> Option<usize> {
        let page = self.page.as_ref()?;
        let (count, _) = page.cuts.front()?;
        Some(page.entries.iter().take(*count).map(|entry| codec::plain_bytes(&entry.bytes)).sum())
    }
}

pub(crate) struct Sending {
    own: OriginId,
    sign: Sign,
    heads: BTreeMap<OriginId, Head>,
    cursors: BTreeMap<OriginId, Cursor>,
    /// Origins that wait for a comparison, or differ.
    held_back: BTreeSet<OriginId>,
    /// Others' logs that had no seal to end a batch with, from where to where: of a log that was cut the seals came with what is gone.
    unsealed: BTreeMap<OriginId, (u64, u64)>,
    credit: u64,
    /// The most that the peer has ever let be on the way.
    window: u64,
    live: Lane,
    fill: Lane,
    /// Live batches since the last one of the others.
    ahead: usize,
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
            unsealed: BTreeMap::new(),
            credit: 0,
            window: 0,
            live: Lane::default(),
            fill: Lane::default(),
            ahead: 0,
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
        for lane in [&mut self.live, &mut self.fill] {
            let _page = lane.page.take_if(|page| page.origin == origin);
        }
    }

    pub(crate) fn release(&mut self, origin: OriginId) {
        self.held_back.remove(&origin);
    }

    pub(crate) fn give_credit(&mut self, bytes: u64) -> Result<(), Violation> {
        self.credit = self.credit.saturating_add(bytes);
        self.window = self.window.max(self.credit);
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
        self.live.forget(&origin);
        self.fill.forget(&origin);
        Ok(())
    }

    /// What is filled up leaves this much of the window to what is live: a batch, where there is room for several.
    fn reserve(&self) -> u64 {
        let batch = codec::cost(BATCH_BYTES_MAX);
        if self.window >= 4 * batch { batch } else { 0 }
    }

    /// The page that is wanted next, once a whole batch may be sent: for the live lane first.
    pub(crate) fn poll_ask(&mut self) -> Option<Ask> {
        let batch = codec::cost(BATCH_BYTES_MAX);
        if self.live.is_free()
            && self.credit >= batch
            && let Some(asked) = self.next_behind(true)
        {
            let Asked { origin, from, .. } = asked;
            self.live.asked = Some(asked);
            self.live.turn = Some(origin);
            return Some(Ask { origin, from, commits_max: BATCH_COMMITS_MAX, bytes_max: BATCH_BYTES_MAX });
        }
        let room = self.credit.saturating_sub(self.reserve());
        if !self.fill.is_free() || room < batch {
            return None;
        }
        let asked = self.next_behind(false)?;
        let Asked { origin, from, .. } = asked;
        self.fill.asked = Some(asked);
        self.fill.turn = Some(origin);
        let bytes_max = usize::try_from(room).unwrap_or(usize::MAX).min(PAGE_BYTES_MAX);
        Some(Ask { origin, from, commits_max: PAGE_COMMITS_MAX, bytes_max })
    }

    /// The origin whose turn it is in a lane, and its first number that the peer does not have.
    fn next_behind(&self, live: bool) -> Option<Asked> {
        let (lane, other) = if live { (&self.live, &self.fill) } else { (&self.fill, &self.live) };
        let behind = |(origin, head): (&OriginId, &Head)| {
            let sent = self.cursors.get(origin).map_or(0, |cursor| cursor.sent);
            let missing = head.seq.saturating_sub(sent);
            let fits = missing > 0 && (missing <= BATCH_COMMITS_MAX as u64) == live;
            let waits =
                self.held_back.contains(origin) || self.unsealed.get(origin).is_some_and(|(_, end)| head.seq <= *end);
            let asked = Asked { origin: *origin, from: sent + 1, end: head.seq };
            (fits && !waits && !other.has(origin)).then_some(asked)
        };
        let turn = lane.turn.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let after = self.heads.range((turn, std::ops::Bound::Unbounded));
        after.chain(self.heads.iter()).find_map(behind)
    }

    /// Takes the page that was asked for; one that is not wanted any more is let go.
    pub(crate) fn page(
        &mut self,
        origin: OriginId,
        from: u64,
        entries: Vec<LogEntry>,
        seals: &[Seal],
    ) -> Result<(), BadLog> {
        let is_it = |asked: &mut Asked| (asked.origin, asked.from) == (origin, from);
        let lanes = [&mut self.live, &mut self.fill];
        let asked = lanes.into_iter().find_map(|lane| lane.asked.take_if(is_it).map(|asked| (lane, asked)));
        let Some((lane, Asked { end, .. })) = asked else { return Ok(()) };
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
            // With what comes next a seal comes, from whoever has that; the other logs need not wait for it.
            let before = self.unsealed.insert(origin, (from, end));
            if before.is_none_or(|(known, _)| known != from) {
                tracing::warn!(%origin, from, end, "a log is not signed to its end: what is not is passed on when it is");
            }
            return Ok(());
        }
        lane.page = Some(Page { origin, entries: entries.into(), cuts });
        Ok(())
    }

    /// The next batch, if there is one and the peer has room for it.
    pub(crate) fn poll_batch(&mut self) -> Result<Option<Vec<u8>>, BadLog> {
        let (live, fill) = (self.live.next_bytes(), self.fill.next_bytes());
        let live_goes = live.is_some() && (fill.is_none() || self.ahead < LIVE_BATCHES_MAX);
        let (bytes, reserve) = if live_goes { (live, 0) } else { (fill, self.reserve()) };
        // What waits for room is what goes next: otherwise one lane would starve the other.
        let Some(bytes) = bytes.filter(|bytes| codec::cost(*bytes) + reserve <= self.credit) else { return Ok(None) };
        let lane = if live_goes { &mut self.live } else { &mut self.fill };
        let Some(page) = &mut lane.page else { return Ok(None) };
        let Some((count, signature)) = page.cuts.pop_front() else { return Ok(None) };
        let slice = &page.entries.make_contiguous()[..count];
        let packed = codec::pack(slice).ok_or(BadLog::OutOfMemory)?;
        let (Some(first), Some(last)) = (slice.first(), slice.last()) else { return Ok(None) };
        let (first, end) = (first.head.seq, last.head);
        debug_assert!(packed.plain_bytes <= bytes, "no more is sent than was counted");
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
        if page.cuts.is_empty() {
            lane.page = None;
        }
        self.ahead = if live_goes { self.ahead.saturating_add(1) } else { 0 };
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
