//! Hostile input for the protocol: frames of a real conversation, changed in every way that a peer could think of, millions of them.
//!
//! Everything comes from one seed. What is held and taken is counted by the program's allocator (`Memory`): it refuses what goes
//! beyond the limit, which ends the program. zstd's own tables are C's, and not counted.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use minicbor::Encoder;
use pilotlight_node::store::identity::Identity;
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::crdt::hlc::Hlc;
use pilotlight_sync::doc::change::{Change, Commit};
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::domain::id::{OriginId, SiteId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{BATCH_BYTES_MAX, FRAME_BYTES_MAX, WINDOW_BYTES_MIN};
use pilotlight_sync::protocol::{Config, Event, Session, Side, Violation, check_frame};
use pilotlight_sync::store::{LogEntry, Seal};

use crate::clock;
use crate::seeded::Seeded;

/// Frames as released versions wrote them.
const RELEASED: &str = include_str!("../../sync/src/protocol/tests/golden_v1.txt");
const NOW: Timestamp = Timestamp(1_795_284_000_000);
/// A session hears so many frames at most, then a new one begins.
const FRAMES_MAX: usize = 64;
/// What decoding may take, the input included: a frame, and lists that are bounded by their length.
pub const DECODER_BYTES_MAX: usize = FRAME_BYTES_MAX + 256 * 1024;
/// What a session and its driver may take: the window, a page being sent, frames, and what is around each commit.
pub const SESSION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// The frame decoder.
    Decoder,
    /// A node's session.
    Dialer,
    /// A relay's session.
    Listener,
}

/// The program's allocator.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Bytes that are given out now.
    pub taken: fn() -> usize,
    /// Nothing is given out beyond so many.
    pub limit: fn(usize),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs fed.
    pub inputs: u64,
    /// Inputs that were taken.
    pub taken: u64,
    /// Inputs that were refused, by the word.
    pub refused: BTreeMap<&'static str, u64>,
    /// Commits that were handed over.
    pub commits: u64,
    /// The most that was held after an input, in bytes.
    pub held_max: usize,
    /// How long it took.
    pub took: Duration,
}

/// Feeds so many inputs, in at most this time.
pub fn run(target: Target, inputs: u64, seed: u64, within: Duration, memory: Memory) -> anyhow::Result<Report> {
    let mut maker = Maker::new(seed)?;
    let mut report = Report::default();
    let began = clock::now();
    let base = (memory.taken)();
    let allowed = if target == Target::Decoder { DECODER_BYTES_MAX } else { SESSION_BYTES_MAX };
    (memory.limit)(base + allowed);
    let mut open: Option<Peer> = None;
    while report.inputs < inputs {
        if report.inputs.is_multiple_of(4_096) && began.elapsed() > within {
            bail!("{} of {inputs} inputs in {within:?}: seed {seed}", report.inputs);
        }
        let input = maker.next();
        let heard = if target == Target::Decoder {
            check_frame(&input, maker.rng.below(4) == 0)
        } else {
            let peer = match open.take() {
                Some(peer) => peer,
                None => Peer::new(&maker.talk, target, maker.rng.below(8) != 0)?,
            };
            let (heard, left) = peer.hear(&input, &mut maker.rng, &mut report)?;
            open = left;
            heard
        };
        match heard {
            Ok(()) => report.taken += 1,
            Err(violation) => *report.refused.entry(violation.word()).or_default() += 1,
        }
        report.inputs += 1;
        report.held_max = report.held_max.max((memory.taken)().saturating_sub(base));
    }
    (memory.limit)(usize::MAX);
    report.took = began.elapsed();
    Ok(report)
}

/// Two replicas that have greeted, and what each said.
struct Talk {
    node: Identity,
    relay: Identity,
    log: Vec<LogEntry>,
    hello: Vec<u8>,
    welcome: Vec<u8>,
}

fn site() -> SiteId {
    SiteId::derived(&["hostile"])
}

fn config(of: &Identity, other: &Identity, side: Side) -> Config {
    let (own, other) = (of.card(), other.card());
    let key = of.clone();
    Config {
        side,
        role: if side == Side::Dialer { OriginRole::Node } else { OriginRole::Relay },
        site: site(),
        own: own.origin,
        sign: Box::new(move |hash| key.sign(hash)),
        keys: BTreeMap::from([(own.origin, own.key), (other.origin, other.key)]),
        capabilities: [1].into(),
        window_bytes: WINDOW_BYTES_MIN as u64,
        ping_ms: 10_000,
        dead_ms: 25_000,
    }
}

fn commit(of: &Identity, seq: u64, rng: &mut Seeded) -> anyhow::Result<Vec<u8>> {
    let card = Change::Origin(of.card()).to_raw();
    let noise = Change::Fence(OriginId::derived(&[&rng.next_u64().to_string()])).to_raw();
    let commit = Commit {
        origin: of.origin,
        seq,
        at: Hlc::default().tick(NOW),
        clock_trusted: true,
        by: Actor::System,
        seen: vec![],
        changes: if seq == 1 { vec![card] } else { vec![noise] },
    };
    Ok(commit.to_bytes()?)
}

impl Talk {
    fn new(rng: &mut Seeded) -> anyhow::Result<Self> {
        let (node, relay) = (Identity::new([3; 48], "A".to_owned()), Identity::new([4; 48], "R".to_owned()));
        let mut log: Vec<LogEntry> = Vec::new();
        for seq in 1..=40 {
            let bytes = commit(&node, seq, rng)?;
            let before = log.last().map_or_else(|| Head::start(&node.origin), |entry| entry.head);
            log.push(LogEntry { origin: node.origin, head: before.then(&bytes), bytes });
        }
        let mut dialer = Session::new(config(&node, &relay, Side::Dialer), BTreeMap::new(), NOW)?;
        let mut listener = Session::new(config(&relay, &node, Side::Listener { epoch: 1 }), BTreeMap::new(), NOW)?;
        let hello = dialer.poll_frame()?.context("a dialer says hello")?;
        listener.handle_frame(&hello, NOW)?;
        let welcome = listener.poll_frame()?.context("a listener says welcome")?;
        Ok(Self { node, relay, log, hello, welcome })
    }
}

/// A session, and a driver whose disk is a map.
struct Peer {
    session: Session,
    own: OriginId,
    logs: BTreeMap<OriginId, (Vec<LogEntry>, Vec<Seal>)>,
    heard: usize,
}

impl Peer {
    /// A new session; greeted, or as a stranger finds it.
    fn new(talk: &Talk, target: Target, greeted: bool) -> anyhow::Result<Self> {
        let (of, other, side, greeting) = match target {
            Target::Dialer => (&talk.relay, &talk.node, Side::Dialer, &talk.welcome),
            Target::Listener | Target::Decoder => (&talk.relay, &talk.node, Side::Listener { epoch: 1 }, &talk.hello),
        };
        let mut session = Session::new(config(of, other, side), BTreeMap::new(), NOW)?;
        if greeted {
            session.poll_frame()?;
            // A dialer of the relay's name is welcomed by itself: to it, the node is the peer all the same.
            session.handle_frame(greeting, NOW)?;
        }
        Ok(Self { session, own: of.origin, logs: BTreeMap::new(), heard: 0 })
    }

    /// Hears a frame and does what a driver does; `None` when the session is over.
    fn hear(
        mut self,
        input: &[u8],
        rng: &mut Seeded,
        report: &mut Report,
    ) -> anyhow::Result<(Result<(), Violation>, Option<Self>)> {
        self.heard += 1;
        let heard = self.session.handle_frame(input, NOW);
        let mut events = 0;
        while let Some(event) = self.session.poll_event() {
            events += 1;
            ensure!(events < 4_096, "one frame, {events} events");
            self.handle(event, rng, report)?;
        }
        let mut frames = 0;
        while let Some(frame) = self.session.poll_frame()? {
            frames += 1;
            ensure!(frames < 4_096 && frame.len() <= FRAME_BYTES_MAX, "one frame, {frames} answers");
        }
        let waiting = self.session.waiting_bytes();
        ensure!(waiting <= WINDOW_BYTES_MIN as u64, "{waiting} bytes wait");
        let over = heard.is_err() || self.heard >= FRAMES_MAX;
        Ok((heard, (!over).then_some(self)))
    }

    fn handle(&mut self, event: Event, rng: &mut Seeded, report: &mut Report) -> anyhow::Result<()> {
        match event {
            Event::NeedHash { origin, .. } => self.session.handle_hash(origin, None, NOW),
            Event::Apply { entries, seal } => self.apply(entries, seal, rng, report)?,
            Event::NeedLog { origin, from, commits_max, .. } => {
                let (log, seals) =
                    self.logs.get(&origin).with_context(|| format!("the log of {origin} was asked for"))?;
                let from_at = usize::try_from(from.saturating_sub(1))?;
                let page = log.iter().skip(from_at).take(commits_max).cloned().collect();
                self.session.handle_log(origin, from, page, seals)?;
            }
            Event::Opened(_)
            | Event::Acked { .. }
            | Event::Forked(_)
            | Event::Parted(_)
            | Event::Wanted(_)
            | Event::OpenSet(_)
            | Event::RetryAfter(_) => {}
        }
        Ok(())
    }

    /// Some disks are slow, some stores refuse.
    fn apply(
        &mut self,
        entries: Vec<LogEntry>,
        seal: Seal,
        rng: &mut Seeded,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        ensure!(seal.origin != self.own, "the own log was handed over");
        let (log, seals) = self.logs.entry(seal.origin).or_default();
        let kept = log.last().map_or_else(|| Head::start(&seal.origin), |entry| entry.head);
        let mut head = kept;
        for entry in &entries {
            head = head.then(&entry.bytes);
            ensure!(entry.origin == seal.origin && entry.head == head, "what was handed over does not continue");
        }
        report.commits += entries.len() as u64;
        let origin = seal.origin;
        if rng.below(4) == 0 {
            self.session.handle_dropped(origin, kept);
        } else {
            log.extend(entries);
            seals.push(seal);
            self.session.handle_durable(origin, head);
        }
        Ok(())
    }
}

/// Makes inputs.
struct Maker {
    rng: Seeded,
    talk: Talk,
    corpus: Vec<Vec<u8>>,
    bomb: Vec<u8>,
}

impl Maker {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let mut rng = Seeded::new(seed);
        let talk = Talk::new(&mut rng)?;
        let mut corpus = vec![talk.hello.clone(), talk.welcome.clone()];
        for line in RELEASED.lines().filter(|line| !line.starts_with('#')) {
            let Some((_, hex)) = line.split_once(' ') else { continue };
            let bytes: Option<Vec<u8>> =
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect();
            corpus.push(bytes.context("the released frames are hexadecimal")?);
        }
        let bomb = zstd::bulk::compress(&vec![0; 16 * 1024 * 1024], 3)?;
        let mut maker = Self { rng, talk, corpus, bomb };
        for _ in 0..8 {
            let honest = maker.batch(true);
            maker.corpus.push(honest);
        }
        Ok(maker)
    }

    fn pick(&mut self) -> Vec<u8> {
        let at = self.rng.below(self.corpus.len() + 4);
        match self.corpus.get(at) {
            Some(frame) => frame.clone(),
            None => {
                let honest = self.rng.below(4) == 0;
                self.batch(honest)
            }
        }
    }

    fn next(&mut self) -> Vec<u8> {
        let mut frame = self.pick();
        // Some are what they were: out of their turn, or once more.
        for _ in 0..self.rng.below(5) {
            self.change(&mut frame);
        }
        frame.truncate(FRAME_BYTES_MAX + 1);
        frame
    }

    fn change(&mut self, frame: &mut Vec<u8>) {
        // Heads of lists, maps and strings that claim more than there is, and numbers at their ends.
        const LIES: [&[u8]; 8] = [
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9a, 0x00, 0xff, 0xff, 0xff],
            &[0x5a, 0x00, 0x04, 0x00, 0x00],
            &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9f],
            &[0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1],
        ];
        if frame.is_empty() {
            return frame.push(1);
        }
        let at = self.rng.below(frame.len());
        let length = 1 + self.rng.below(24.min(frame.len() - at));
        match self.rng.below(9) {
            0 => frame[at] ^= 1 << self.rng.below(8),
            1 => frame[at] = (self.rng.next_u64() & 0xff) as u8,
            2 => frame[at] = [0, 0x17, 0x18, 0x7f, 0x80, 0x9f, 0xf6, 0xff][self.rng.below(8)],
            3 => drop(frame.drain(at..at + length)),
            4 => {
                let noise = self.rng.next_u64().to_le_bytes();
                frame.splice(at..at, noise);
            }
            5 => {
                let lie = LIES[self.rng.below(LIES.len())];
                let over = if self.rng.below(2) == 0 { 0 } else { lie.len().min(frame.len() - at) };
                frame.splice(at..at + over, lie.iter().copied());
            }
            6 => {
                let again = frame[at..at + length].to_vec();
                frame.splice(at..at, again);
            }
            7 => frame.truncate(at),
            _ => {
                let other = self.corpus[self.rng.below(self.corpus.len())].clone();
                let from = self.rng.below(other.len());
                frame.truncate(at);
                frame.extend_from_slice(&other[from..]);
            }
        }
    }

    /// A batch whose checksum is right, and perhaps its chain and signature: what gets past the first looks.
    fn batch(&mut self, honest: bool) -> Vec<u8> {
        let first = self.rng.below(self.talk.log.len());
        let count = 1 + self.rng.below(self.talk.log.len() - first);
        let log = &self.talk.log[first..first + count];
        let mut plain = Encoder::new(Vec::new());
        for entry in log {
            // Writing into memory cannot fail.
            let _written = plain.bytes(&entry.bytes);
        }
        let mut plain = plain.into_writer();
        let mut end = log.last().map_or_else(|| Head::start(&self.talk.node.origin), |entry| entry.head);
        let (mut sizes, mut commits) = (plain.len() as u32, count as u32);
        let mut body = None;
        if !honest {
            match self.rng.below(6) {
                0 => {
                    self.change(&mut plain);
                    sizes = plain.len() as u32;
                }
                1 => sizes = [0, 1, sizes - 1, sizes + 1, BATCH_BYTES_MAX as u32, u32::MAX][self.rng.below(6)],
                2 => commits = [0, 1, commits + 1, 256, 257, u32::MAX][self.rng.below(6)],
                3 => body = Some(self.bomb.clone()),
                4 => end.hash.0[self.rng.below(32)] ^= 1,
                // Good in itself: other commits than those that were told, under the origin's own signature.
                _ => {
                    let mut encoder = Encoder::new(Vec::new());
                    let mut head = self.talk.log[..first]
                        .last()
                        .map_or_else(|| Head::start(&self.talk.node.origin), |entry| entry.head);
                    for _ in 0..count {
                        let noise = self.rng.next_u64().to_le_bytes();
                        head = head.then(&noise);
                        let _written = encoder.bytes(&noise);
                    }
                    plain = encoder.into_writer();
                    (sizes, end) = (plain.len() as u32, head);
                }
            }
        }
        let body = body.unwrap_or_else(|| zstd::bulk::compress(&plain, 1).unwrap_or_default());
        let signature = self.talk.node.sign(&end.hash);
        let mut out = vec![1];
        let mut frame = Encoder::new(&mut out);
        let _written =
            frame.array(2).and_then(|e| e.u8(5)).and_then(|e| e.array(1)).and_then(|e| e.array(8)).and_then(|e| {
                e.bytes(self.talk.node.origin.as_bytes())?.u64(first as u64 + 1)?.u32(commits)?.u32(sizes)?;
                e.u32(crc32(&body))?.bytes(&body)?.bytes(&end.hash.0)?.bytes(&signature)
            });
        out
    }
}

/// The checksum of the frames, written down a second time.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
