//! The half of a session that takes batches: what was received, what of it is durable, and how much more the peer may send.
//!
//! A batch keeps its share of the window until the driver has made it durable, so what waits here is bounded by the window.

use crate::crdt::chain::{ChainHash, Head};
use crate::doc::reading;
use crate::domain::id::OriginId;
use crate::limits::ORIGINS_MAX;
use crate::protocol::codec;
use crate::protocol::violation::Violation;
use crate::protocol::wire_v1::{Batch, Durable};
use crate::store::{LogEntry, Seal};
use ed25519_dalek::VerifyingKey;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One origin's log as it arrives.
#[derive(Debug)]
struct Tail {
    /// Up to here it was handed over.
    received: Head,
    /// Up to here it is on the disk.
    durable: u64,
    /// Up to here it came from this peer, which has it then.
    from_peer: u64,
    /// Batches that wait for the disk: their last number, and their share of the window.
    waiting: VecDeque<(u64, u64)>,
    /// The peer was asked to go back, and has not done so yet.
    asked: bool,
}

impl Tail {
    const fn at(head: Head) -> Self {
        Self { received: head, durable: head.seq, from_peer: 0, waiting: VecDeque::new(), asked: false }
    }
}

#[derive(Debug)]
pub(crate) struct Receiving {
    own: OriginId,
    window: u64,
    /// What the peer may still send.
    allowed: u64,
    /// What may be given to the peer again.
    freed: u64,
    tails: BTreeMap<OriginId, Tail>,
    keys: BTreeMap<OriginId, VerifyingKey>,
    forked: BTreeSet<OriginId>,
    applies: VecDeque<(Vec<LogEntry>, Seal)>,
    unacknowledged: BTreeSet<OriginId>,
    needs: BTreeMap<OriginId, u64>,
    /// What to ask for again once there is hope that it will be taken: from where to where.
    parked: BTreeMap<OriginId, (u64, u64)>,
}

impl Receiving {
    pub(crate) fn new(own: OriginId, window: u64, heads: &BTreeMap<OriginId, Head>) -> Self {
        Self {
            own,
            window,
            allowed: window,
            freed: 0,
            tails: heads.iter().map(|(origin, head)| (*origin, Tail::at(*head))).collect(),
            keys: BTreeMap::new(),
            forked: BTreeSet::new(),
            applies: VecDeque::new(),
            unacknowledged: BTreeSet::new(),
            needs: BTreeMap::new(),
            parked: BTreeMap::new(),
        }
    }

    /// Remembers an origin's key; a key that is no point on the curve can sign nothing and is not kept.
    pub(crate) fn learn_key(&mut self, origin: OriginId, key: &[u8; 32]) {
        if let Ok(key) = VerifyingKey::from_bytes(key)
            && (self.keys.len() < 2 * ORIGINS_MAX || self.keys.contains_key(&origin))
        {
            self.keys.insert(origin, key);
        }
    }

    /// Nothing of this origin is taken any more.
    pub(crate) fn fork(&mut self, origin: OriginId) {
        self.forked.insert(origin);
        self.needs.remove(&origin);
        self.parked.remove(&origin);
    }

    /// Up to where each log came from this peer.
    pub(crate) fn brought(&self) -> impl Iterator<Item = (OriginId, u64)> {
        let tails = self.tails.iter().filter(|(origin, _)| !self.forked.contains(*origin));
        tails.map(|(origin, tail)| (*origin, tail.from_peer))
    }

    pub(crate) fn is_forked(&self, origin: &OriginId) -> bool {
        self.forked.contains(origin)
    }

    /// Takes a batch; what is good of it waits to be applied. Answers up to which number the peer is known to have the origin.
    pub(crate) fn batch(&mut self, batch: &Batch<'_>) -> Result<u64, Violation> {
        codec::check_size(batch)?;
        let cost = codec::cost(batch.plain_bytes as usize);
        self.allowed = self.allowed.checked_sub(cost).ok_or(Violation::WindowOverrun)?;
        let last = batch.first + u64::from(batch.commits) - 1;
        if self.forked.contains(&batch.origin) {
            self.freed += cost;
            return Ok(0);
        }
        if !self.tails.contains_key(&batch.origin) && self.tails.len() >= ORIGINS_MAX {
            return Err(Violation::TooManyOrigins);
        }
        let start = Head { seq: 0, hash: ChainHash::start(&batch.origin) };
        let known = self.tails.get(&batch.origin).map_or(start, |tail| tail.received);
        if last <= known.seq {
            self.freed += cost;
            return Ok(last);
        }
        if batch.origin == self.own {
            return Err(Violation::OwnOrigin);
        }
        let tail = self.tails.entry(batch.origin).or_insert_with(|| Tail::at(start));
        if batch.first > known.seq + 1 {
            self.freed += cost;
            if !tail.asked {
                tail.asked = true;
                self.needs.insert(batch.origin, known.seq + 1);
            }
            return Ok(0);
        }
        let entries = codec::unpack(batch, known)?;
        let key = match self.keys.get(&batch.origin) {
            Some(key) => *key,
            None => {
                let brought = entries.first().and_then(reading::key_in).ok_or(Violation::UnknownOrigin)?;
                VerifyingKey::from_bytes(&brought).map_err(|_| Violation::BadSignature)?
            }
        };
        codec::verify(&key, &batch.end, &batch.signature)?;
        self.keys.insert(batch.origin, key);
        tail.received = Head { seq: last, hash: batch.end };
        tail.from_peer = last;
        tail.asked = false;
        tail.waiting.push_back((last, cost));
        self.applies.push_back((entries, Seal { origin: batch.origin, seq: last, signature: batch.signature }));
        Ok(last)
    }

    /// Next commits to apply.
    pub(crate) fn poll_apply(&mut self) -> Option<(Vec<LogEntry>, Seal)> {
        self.applies.pop_front()
    }

    /// The log of this origin is durable up to here, by whatever way it came.
    pub(crate) fn durable(&mut self, origin: OriginId, head: Head) {
        let tail = self.tails.entry(origin).or_insert_with(|| Tail::at(Head { seq: 0, ..head }));
        if head.seq <= tail.durable {
            return;
        }
        tail.durable = head.seq;
        if head.seq > tail.received.seq {
            tail.received = head;
        }
        while tail.waiting.front().is_some_and(|(last, _)| *last <= head.seq) {
            self.freed += tail.waiting.pop_front().map_or(0, |(_, cost)| cost);
        }
        if origin != self.own {
            self.unacknowledged.insert(origin);
        }
        let waits = self.parked.remove(&origin);
        self.retry();
        // Another peer may have brought some of it: the rest only this one sends again.
        if let Some((from, to)) = waits.filter(|(_, to)| *to > head.seq) {
            self.parked.insert(origin, (from.max(head.seq + 1), to));
        }
    }

    /// What was handed over of this origin after `head` was not applied: it waits for another origin's log.
    pub(crate) fn dropped(&mut self, origin: OriginId, head: Head) {
        let Some(tail) = self.tails.get_mut(&origin) else { return };
        if head.seq >= tail.received.seq {
            return;
        }
        self.applies.retain(|(_, seal)| seal.origin != origin);
        self.freed += tail.waiting.drain(..).map(|(_, cost)| cost).sum::<u64>();
        let to = self.parked.get(&origin).map_or(tail.received.seq, |(_, to)| tail.received.seq.max(*to));
        tail.received = head;
        tail.asked = true;
        self.parked.insert(origin, (head.seq + 1, to));
    }

    /// What was parked is asked for.
    pub(crate) fn retry(&mut self) {
        let parked = std::mem::take(&mut self.parked);
        self.needs.extend(parked.into_iter().map(|(origin, (from, _))| (origin, from)));
    }

    /// What to acknowledge.
    pub(crate) fn poll_ack(&mut self) -> Option<Vec<Durable>> {
        let mut origins = std::mem::take(&mut self.unacknowledged).into_iter();
        let first: Vec<OriginId> = origins.by_ref().take(ORIGINS_MAX).collect();
        self.unacknowledged = origins.collect();
        let durable = |origin: OriginId| self.tails.get(&origin).map(|tail| Durable { origin, seq: tail.durable });
        let acks: Vec<Durable> = first.into_iter().filter_map(durable).collect();
        Some(acks).filter(|acks| !acks.is_empty())
    }

    /// How much more the peer may send, when that is worth a frame: a quarter of the window.
    pub(crate) fn poll_credit(&mut self) -> Option<u64> {
        if self.freed < self.window / 4 {
            return None;
        }
        self.allowed += self.freed;
        Some(std::mem::take(&mut self.freed))
    }

    /// What to ask for again.
    pub(crate) fn poll_need(&mut self) -> Option<(OriginId, u64)> {
        self.needs.pop_first()
    }

    /// Bytes of the window that wait for the disk.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.window - self.allowed - self.freed
    }
}
