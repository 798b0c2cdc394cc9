//! Replicas in memory and the pipe between them.

use crate::crdt::chain::Head;
use crate::doc::origin::OriginRole;
use crate::domain::id::{OriginId, SiteId};
use crate::domain::timestamp::Timestamp;
use crate::limits::WINDOW_BYTES_MIN;
use crate::protocol::{Config, Event, Fork, Opened, Parted, Session, Side, Want};
use crate::store::{LogEntry, Seal};
use ed25519_dalek::{Signer, SigningKey};
use std::collections::BTreeMap;

/// Logs in memory.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    pub(super) site: SiteId,
    pub(super) own: OriginId,
    pub(super) key: SigningKey,
    pub(super) keys: BTreeMap<OriginId, [u8; 32]>,
    pub(super) logs: BTreeMap<OriginId, Vec<LogEntry>>,
    pub(super) seals: BTreeMap<(OriginId, u64), [u8; 64]>,
}

impl Replica {
    pub(super) fn new(name: &str) -> Self {
        let key = SigningKey::from_bytes(blake3::hash(name.as_bytes()).as_bytes());
        let own = OriginId::derived(&[name]);
        let keys = BTreeMap::from([(own, key.verifying_key().to_bytes())]);
        Self { site: SiteId::derived(&["shop"]), own, key, keys, logs: BTreeMap::new(), seals: BTreeMap::new() }
    }

    pub(super) fn learn(&mut self, other: &Self) {
        self.keys.extend(other.keys.iter().map(|(origin, key)| (*origin, *key)));
    }

    pub(super) fn heads(&self) -> BTreeMap<OriginId, Head> {
        self.logs.iter().filter_map(|(origin, log)| Some((*origin, log.last()?.head))).collect()
    }

    /// Writes own commits of about this size, hard to compress.
    pub(super) fn write(&mut self, commits: usize, bytes: usize) {
        for _ in 0..commits {
            let head = self.head();
            let mut commit = vec![0; bytes];
            blake3::Hasher::new().update(&head.hash.0).update(&[bytes as u8]).finalize_xof().fill(&mut commit);
            self.append(commit);
        }
    }

    pub(super) fn append(&mut self, commit: Vec<u8>) {
        let head = self.head().then(&commit);
        let entry = LogEntry { origin: self.own, head, bytes: commit };
        self.logs.entry(self.own).or_default().push(entry);
    }

    pub(super) fn head(&self) -> Head {
        let last = self.logs.get(&self.own).and_then(|log| log.last());
        last.map_or_else(|| Head::start(&self.own), |entry| entry.head)
    }

    fn page(&self, origin: &OriginId, from: u64, commits_max: usize, bytes_max: usize) -> Vec<LogEntry> {
        let log = &self.logs[origin][from as usize - 1..];
        let mut bytes = 0;
        let fits = |entry: &&LogEntry| {
            bytes += entry.bytes.len();
            bytes <= bytes_max
        };
        log.iter().take(commits_max).take_while(fits).cloned().collect()
    }
}

pub(super) fn config(replica: &Replica, side: Side) -> Config {
    let key = replica.key.clone();
    Config {
        side,
        role: if side == Side::Dialer { OriginRole::Node } else { OriginRole::Relay },
        site: replica.site,
        own: replica.own,
        sign: Box::new(move |hash| key.sign(&hash.0).to_bytes()),
        keys: replica.keys.clone(),
        capabilities: [crate::limits::LOOKS_UP].into(),
        window_bytes: WINDOW_BYTES_MIN as u64,
        ping_ms: 10_000,
        dead_ms: 25_000,
    }
}

/// One end of a connection, with its driver.
pub(super) struct End {
    pub(super) replica: Replica,
    pub(super) session: Session,
    pub(super) opened: Option<Opened>,
    pub(super) acked: BTreeMap<OriginId, u64>,
    pub(super) forks: Vec<Fork>,
    pub(super) parted: Vec<Parted>,
    pub(super) wanted: Vec<Vec<Want>>,
    pub(super) open_sets: Vec<Vec<u8>>,
    /// How many commits came in each batch.
    pub(super) applied: Vec<usize>,
    /// Applied commits stay in memory until `flush`.
    pub(super) slow_disk: bool,
    pub(super) double_batches: bool,
    /// The batch with this number, from zero, is lost on the way.
    pub(super) lose_batch: Option<usize>,
    /// This comes while a page from this number on is being read.
    pub(super) comes_while_read: Option<(u64, LogEntry, Seal)>,
    pub(super) sent_kinds: Vec<u8>,
    pub(super) sent_bytes: usize,
    pending: Vec<(Vec<LogEntry>, Seal)>,
    batches: usize,
}

impl End {
    pub(super) fn new(replica: Replica, side: Side) -> Self {
        Self::with_window(replica, side, WINDOW_BYTES_MIN as u64)
    }

    pub(super) fn with_window(replica: Replica, side: Side, window_bytes: u64) -> Self {
        let config = Config { window_bytes, ..config(&replica, side) };
        let session = Session::new(config, replica.heads(), super::NOW).unwrap();
        Self {
            replica,
            session,
            opened: None,
            acked: BTreeMap::new(),
            forks: vec![],
            parted: vec![],
            wanted: vec![],
            open_sets: vec![],
            applied: vec![],
            slow_disk: false,
            double_batches: false,
            lose_batch: None,
            comes_while_read: None,
            sent_kinds: vec![],
            sent_bytes: 0,
            pending: vec![],
            batches: 0,
        }
    }

    /// Writes own commits and makes them durable.
    pub(super) fn write(&mut self, commits: usize, bytes: usize) {
        self.replica.write(commits, bytes);
        self.session.handle_durable(self.replica.own, self.replica.head());
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.iter().map(|(entries, _)| entries.len()).sum()
    }

    pub(super) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    pub(super) fn flush(&mut self) {
        for (entries, seal) in std::mem::take(&mut self.pending) {
            let last = entries.last().unwrap().head;
            let log = self.replica.logs.entry(seal.origin).or_default();
            for entry in entries {
                assert_eq!(entry.head.seq, log.len() as u64 + 1, "commits continue the log");
                log.push(entry);
            }
            self.replica.seals.insert((seal.origin, seal.seq), seal.signature);
            self.session.handle_durable(seal.origin, last);
        }
    }

    pub(super) fn events(&mut self, now: Timestamp) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Opened(opened) => self.opened = Some(opened),
                Event::NeedLog { origin, from, commits_max, bytes_max } => {
                    let page = self.replica.page(&origin, from, commits_max, bytes_max);
                    let seals = self.replica.seals.iter().filter(|((of, _), _)| *of == origin);
                    let seals: Vec<Seal> = seals
                        .map(|((origin, seq), signature)| Seal { origin: *origin, seq: *seq, signature: *signature })
                        .collect();
                    if let Some((_, entry, seal)) = self.comes_while_read.take_if(|(at, ..)| *at == from) {
                        self.pending.push((vec![entry], seal));
                        self.flush();
                    }
                    self.session.handle_log(origin, from, page, &seals).unwrap();
                }
                Event::NeedHash { origin, seq } => {
                    let hash = self.replica.logs[&origin].get(seq as usize - 1).map(|entry| entry.head.hash);
                    self.session.handle_hash(origin, hash, now);
                }
                Event::Apply { entries, seal } => {
                    self.applied.push(entries.len());
                    self.pending.push((entries, seal));
                    if !self.slow_disk {
                        self.flush();
                    }
                }
                Event::Acked { origin, seq } => drop(self.acked.insert(origin, seq)),
                Event::Forked(fork) => self.forks.push(fork),
                Event::Parted(parted) => self.parted.push(parted),
                Event::Wanted(wants) => self.wanted.push(wants),
                Event::OpenSet(set) => self.open_sets.push(set),
                Event::RetryAfter(ms) => panic!("sent away for {ms} ms"),
            }
        }
    }

    /// What goes out now.
    pub(super) fn frames(&mut self, now: Timestamp) -> Vec<Vec<u8>> {
        let mut out = vec![];
        self.events(now);
        while let Some(frame) = self.session.poll_frame().unwrap() {
            self.sent_kinds.push(frame[2]);
            self.sent_bytes += frame.len();
            if frame[2] == 5 {
                let lost = self.lose_batch == Some(self.batches);
                self.batches += 1;
                if !lost {
                    out.push(frame.clone());
                }
                if self.double_batches {
                    out.push(frame);
                }
            } else {
                out.push(frame);
            }
            self.events(now);
        }
        out
    }
}

pub(super) fn connect(dialer: Replica, listener: Replica) -> (End, End) {
    (End::new(dialer, Side::Dialer), End::new(listener, Side::Listener { epoch: 7 }))
}

/// Carries frames both ways until nobody has anything to say.
pub(super) fn settle(a: &mut End, b: &mut End) {
    settle_at(a, b, super::NOW);
}

pub(super) fn settle_at(a: &mut End, b: &mut End, now: Timestamp) {
    let frames = carry(a, b, now, usize::MAX);
    assert!(frames < 100_000, "they never stop");
}

/// Carries so many frames, then the cable is pulled.
pub(super) fn settle_until(a: &mut End, b: &mut End, frames_max: usize) {
    carry(a, b, super::NOW, frames_max);
}

fn carry(a: &mut End, b: &mut End, now: Timestamp, frames_max: usize) -> usize {
    let mut carried = 0;
    loop {
        let before = carried;
        for a_speaks in [true, false] {
            let frames = if a_speaks { a.frames(now) } else { b.frames(now) };
            let hears = if a_speaks { &mut *b } else { &mut *a };
            for frame in frames {
                if carried == frames_max {
                    return carried;
                }
                carried += 1;
                hears.session.handle_frame(&frame, now).unwrap();
                hears.events(now);
            }
        }
        if before == carried {
            return carried;
        }
    }
}
