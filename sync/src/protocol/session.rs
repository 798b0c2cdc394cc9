//! One connection from its first frame to its last: greeting, comparison of the logs, then batches both ways.
//!
//! Both sides do the same after the greeting. The comparison is made where the longer log is, at the end of the shorter one: the
//! listener's verdicts are in WELCOME, the dialer's follow as FORKED. An origin whose logs differ is left alone; the others go on.
//! That its own log went back each side judges for itself: only it knows how far that is at the moment when it hears of it.

use crate::crdt::chain::{ChainHash, Head};
use crate::doc::origin::OriginRole;
use crate::domain::id::{OriginId, SiteId};
use crate::domain::timestamp::Timestamp;
use crate::limits::{
    CAPABILITIES_MAX, HANDSHAKE_MS_MAX, LOOKS_UP, OPEN_BYTES_MAX, ORIGINS_MAX, PROTOCOL, PROTOCOL_MIN,
    RETRY_AFTER_MS_MAX, WANTS_MAX, WINDOW_BYTES_MAX, WINDOW_BYTES_MIN,
};
use crate::protocol::codec;
use crate::protocol::receiving::Receiving;
use crate::protocol::sending::{BadLog, Sending, Sign};
use crate::protocol::violation::Violation;
use crate::protocol::wire_v1::{Chain, Durable, Fork, ForkKind, Frame, Hello, List, VERSION, Want, Welcome};
use crate::store::{LogEntry, Seal};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Which end of the connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Says hello: the node.
    Dialer,
    /// Says welcome: the relay. It numbers the sessions of a node.
    Listener {
        /// The number of this one.
        epoch: u64,
    },
}

/// What a session must know.
pub struct Config {
    /// Which end it is.
    pub side: Side,
    /// What kind of replica this is.
    pub role: OriginRole,
    /// Whose logs they are.
    pub site: SiteId,
    /// Under which origin this replica writes.
    pub own: OriginId,
    /// Signs with that origin's key.
    pub sign: Sign,
    /// Keys of origins that are known; others must bring theirs in their first commit.
    pub keys: BTreeMap<OriginId, [u8; 32]>,
    /// What this program can do beyond protocol 1; at most `CAPABILITIES_MAX`.
    pub capabilities: BTreeSet<u16>,
    /// How much may be on the way here, in bytes; kept within `WINDOW_BYTES_MIN` and `WINDOW_BYTES_MAX`.
    pub window_bytes: u64,
    /// How often the peer is asked for a sign of life.
    pub ping_ms: u64,
    /// After how long without a frame the peer is gone.
    pub dead_ms: u64,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("side", &self.side).field("own", &self.own).finish_non_exhaustive()
    }
}

/// What is known of the peer once both have greeted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What kind of replica it is.
    pub role: OriginRole,
    /// Under which origin it writes.
    pub own: OriginId,
    /// What it can do beyond protocol 1.
    pub capabilities: BTreeSet<u16>,
    /// Which session of the node it is, by the listener's count.
    pub epoch: u64,
    /// Its clock when it greeted.
    pub time: Timestamp,
}

/// What the driver must do, or may tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Both have greeted: batches flow.
    Opened(Opened),
    /// Read this origin's log: from this number on as many commits as fit into both limits, at least one, and the seals that the
    /// store has for them (none are needed for the own origin). Answer with `handle_log`.
    NeedLog {
        /// Whose log.
        origin: OriginId,
        /// The first number.
        from: u64,
        /// At most so many commits.
        commits_max: usize,
        /// At most so many bytes of commits.
        bytes_max: usize,
    },
    /// Look up the chain's hash after this commit. Answer with `handle_hash`.
    NeedHash {
        /// Whose log.
        origin: OriginId,
        /// After which commit.
        seq: u64,
    },
    /// Apply these commits: they continue this replica's log, their chain and signature are good. Answer with `handle_durable` when
    /// they would survive a power cut, or with `handle_dropped` when they were not taken.
    Apply {
        /// In sequence, of one origin.
        entries: Vec<LogEntry>,
        /// The signature that closes them: to be stored with them, so that they can be passed on.
        seal: Seal,
    },
    /// The peer's disk has this origin's log up to here.
    Acked {
        /// Whose log.
        origin: OriginId,
        /// Up to which number.
        seq: u64,
    },
    /// The logs of an origin differ. If it is the own one, this replica must take a new origin.
    Forked(Fork),
    /// It was found out where logs part that differ: what this replica alone has after that must be told under another name.
    Parted(Parted),
    /// The peer would like to have more rights. What was wished before and not yet read is forgotten.
    Wanted(Vec<Want>),
    /// The peer's open orders, before its commits.
    OpenSet(Vec<u8>),
    /// The listener is busy, and the session is over: dial again after so many milliseconds.
    RetryAfter(u64),
}

/// Where logs part, and what both sides have.
#[derive(Debug, Clone, PartialEq, Eq, Default, minicbor::Encode, minicbor::Decode)]
pub struct Parted {
    /// The last commit that both have of each origin whose logs differ.
    #[n(0)]
    pub cuts: BTreeMap<OriginId, u64>,
    /// Up to where the peer has the other logs: what it has acknowledged, or sent.
    #[n(1)]
    pub shared: BTreeMap<OriginId, u64>,
}

/// Between which numbers the logs of an origin part: the same at `same`, not at `other`.
#[derive(Debug, Clone, Copy)]
struct Search {
    same: u64,
    other: u64,
    /// What the peer has in the middle, once it has said so.
    theirs: Option<ChainHash>,
}

impl Search {
    const fn middle(&self) -> u64 {
        self.same + (self.other - self.same) / 2
    }
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutReason {
    /// The peer has not greeted.
    Greeting,
    /// The peer is to be asked for a sign of life.
    Ping,
    /// The peer has said nothing for too long.
    Dead,
}

/// The store holds logs of more origins than a site may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} origins; {ORIGINS_MAX} is the most")]
pub struct TooManyOrigins(pub usize);

#[derive(Debug)]
enum Phase {
    /// The dialer, before the welcome.
    Greeting,
    /// The listener, before the hello.
    Waiting,
    /// The listener, while it looks up hashes.
    Comparing {
        hello: Hello,
        /// The own logs as they were compared: what both sides judge by.
        chains: List<Chain, ORIGINS_MAX>,
        forks: Vec<Fork>,
    },
    Open,
    Ended,
}

/// One connection.
#[derive(Debug)]
pub struct Session {
    side: Side,
    role: OriginRole,
    site: SiteId,
    own: OriginId,
    capabilities: Vec<u16>,
    window: u64,
    ping_ms: u64,
    dead_ms: u64,
    phase: Phase,
    receiving: Receiving,
    sending: Sending,
    /// Hashes that were asked of the driver: what the peer's log has at that number.
    comparisons: BTreeMap<OriginId, Head>,
    /// Where logs part is searched for; what was found.
    searches: BTreeMap<OriginId, Search>,
    parted: BTreeMap<OriginId, u64>,
    /// Forks that were found before the peer's logs were known.
    to_search: Vec<Fork>,
    greeted: bool,
    /// The peer, once it has greeted: who it is, and whether it looks up hashes.
    peer: Option<(OriginId, bool)>,
    /// Hashes that the peer has asked for.
    lookups: BTreeMap<OriginId, u64>,
    looks: VecDeque<Frame<'static>>,
    events: VecDeque<Event>,
    wanted: Option<Vec<Want>>,
    greeting: Option<Vec<u8>>,
    forked: VecDeque<Fork>,
    open_set: Option<Vec<u8>>,
    open_set_heard: bool,
    wants: Option<Vec<Want>>,
    pong: Option<u64>,
    ping_due: bool,
    pings: u64,
    pinged: Timestamp,
    heard: Timestamp,
    round_trip_ms: Option<u64>,
    retry_after_ms: Option<u64>,
}

/// What a listener says instead of a welcome when it is busy: dial again after so long. A dialer of before this frame hangs up, and
/// dials again by its own clock.
pub fn retry_after(ms: u64) -> Vec<u8> {
    codec::encode(&Frame::RetryAfter(ms.min(RETRY_AFTER_MS_MAX)))
}

/// Whether these bytes are a frame; `greeting` says that no session is open. What a session does before it looks what the frame says.
pub fn check_frame(bytes: &[u8], greeting: bool) -> Result<(), Violation> {
    codec::decode(bytes, greeting).map(drop)
}

impl Session {
    /// A new connection. `heads` say where the durable logs end; the dialer's hello can be polled at once.
    pub fn new(config: Config, mut heads: BTreeMap<OriginId, Head>, now: Timestamp) -> Result<Self, TooManyOrigins> {
        // A replica that lost its log names it all the same: the peer that has some of it must notice.
        heads.entry(config.own).or_insert_with(|| Head::start(&config.own));
        if heads.len() > ORIGINS_MAX {
            return Err(TooManyOrigins(heads.len()));
        }
        let window = config.window_bytes.clamp(WINDOW_BYTES_MIN as u64, WINDOW_BYTES_MAX as u64);
        let mut receiving = Receiving::new(config.own, window, &heads);
        for (origin, key) in &config.keys {
            receiving.learn_key(*origin, key);
        }
        let mut session = Self {
            side: config.side,
            role: config.role,
            site: config.site,
            own: config.own,
            capabilities: config.capabilities.into_iter().take(CAPABILITIES_MAX).collect(),
            window,
            ping_ms: config.ping_ms,
            dead_ms: config.dead_ms,
            phase: Phase::Waiting,
            receiving,
            sending: Sending::new(config.own, config.sign, heads),
            comparisons: BTreeMap::new(),
            searches: BTreeMap::new(),
            parted: BTreeMap::new(),
            to_search: Vec::new(),
            greeted: false,
            peer: None,
            lookups: BTreeMap::new(),
            looks: VecDeque::new(),
            events: VecDeque::new(),
            wanted: None,
            greeting: None,
            forked: VecDeque::new(),
            open_set: None,
            open_set_heard: false,
            wants: None,
            pong: None,
            ping_due: false,
            pings: 0,
            pinged: now,
            heard: now,
            round_trip_ms: None,
            retry_after_ms: None,
        };
        if session.side == Side::Dialer {
            session.phase = Phase::Greeting;
            session.greeting = Some(codec::encode(&Frame::Hello(session.hello(now))));
        }
        Ok(session)
    }

    /// Remembers the key of an origin.
    pub fn learn_key(&mut self, origin: OriginId, key: &[u8; 32]) {
        self.receiving.learn_key(origin, key);
    }

    /// Takes one message of the socket. After a violation the session is over.
    pub fn handle_frame(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), Violation> {
        if matches!(self.phase, Phase::Ended) {
            return Ok(());
        }
        self.heard = now;
        let handled = self.read_frame(bytes, now);
        if handled.is_err() {
            self.end();
        }
        handled
    }

    /// The page that `NeedLog` asked for.
    pub fn handle_log(
        &mut self,
        origin: OriginId,
        from: u64,
        entries: Vec<LogEntry>,
        seals: &[Seal],
    ) -> Result<(), BadLog> {
        self.sending.page(origin, from, entries, seals)
    }

    /// The hash that `NeedHash` asked for; `None` when the log does not have it.
    pub fn handle_hash(&mut self, origin: OriginId, hash: Option<ChainHash>, now: Timestamp) {
        if let Some(seq) = self.lookups.remove(&origin) {
            self.looks.push_back(Frame::Looked(origin, seq, hash));
            return;
        }
        if let Some(theirs) = self.searches.get_mut(&origin).and_then(|search| search.theirs.take()) {
            self.narrow(origin, hash == Some(theirs));
            return;
        }
        let Some(theirs) = self.comparisons.remove(&origin) else { return };
        self.sending.release(origin);
        if hash == Some(theirs.hash) {
            // It ends before ours: this cannot be more than there is.
            let _same = self.sending.acknowledge(&[Durable { origin, seq: theirs.seq }]);
        } else {
            self.fork(Fork { origin, kind: ForkKind::Diverged, seq: theirs.seq });
        }
        self.conclude();
        self.welcome_when_compared(now);
    }

    /// This replica's log of an origin is now durable up to here: its own, or what it received, by whatever way.
    pub fn handle_durable(&mut self, origin: OriginId, head: Head) {
        self.sending.durable(origin, head);
        self.receiving.durable(origin, head);
    }

    /// Commits that were handed over were not taken, because they build on what has not come; the log of this origin still ends at
    /// `head`. They are asked for again when the log of another origin has grown, or with the next ping.
    pub fn handle_dropped(&mut self, origin: OriginId, head: Head) {
        self.receiving.dropped(origin, head);
    }

    /// Asks the peer for stock rights; what was asked before and not yet sent is replaced.
    pub fn want(&mut self, mut wants: Vec<Want>) {
        wants.truncate(WANTS_MAX);
        self.wants = Some(wants);
    }

    /// Sends the set of open orders, once, before the commits; a larger one than `OPEN_BYTES_MAX` is not sent.
    pub fn send_open_set(&mut self, set: Vec<u8>) {
        if set.len() <= OPEN_BYTES_MAX {
            self.open_set = Some(set);
        }
    }

    /// The deadline of `poll_timeout` has come.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), Violation> {
        // A clock that went back is no sign of death.
        self.heard = self.heard.min(now);
        self.pinged = self.pinged.min(now);
        let Some((_, reason)) = self.poll_timeout().filter(|(at, _)| *at <= now) else { return Ok(()) };
        match reason {
            TimeoutReason::Greeting | TimeoutReason::Dead => {
                self.end();
                Err(Violation::Silent)
            }
            TimeoutReason::Ping => {
                self.pinged = now;
                self.ping_due = true;
                self.pings += 1;
                self.receiving.retry();
                Ok(())
            }
        }
    }

    /// The next deadline, and what it is for.
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimeoutReason)> {
        match self.phase {
            Phase::Ended => None,
            Phase::Greeting | Phase::Waiting | Phase::Comparing { .. } => {
                Some((self.heard.plus_ms(HANDSHAKE_MS_MAX.min(self.dead_ms)), TimeoutReason::Greeting))
            }
            Phase::Open => {
                let dead = (self.heard.plus_ms(self.dead_ms), TimeoutReason::Dead);
                let ping = (self.pinged.plus_ms(self.ping_ms), TimeoutReason::Ping);
                Some(if ping.0 < dead.0 { ping } else { dead })
            }
        }
    }

    /// The next thing for the driver to do.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(ms) = self.retry_after_ms.take() {
            return Some(Event::RetryAfter(ms));
        }
        if matches!(self.phase, Phase::Ended) {
            return None;
        }
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if !matches!(self.phase, Phase::Open) {
            return None;
        }
        if let Some((origin, seq)) = self.sending.poll_acknowledged() {
            return Some(Event::Acked { origin, seq });
        }
        if let Some((entries, seal)) = self.receiving.poll_apply() {
            return Some(Event::Apply { entries, seal });
        }
        if let Some(wants) = self.wanted.take() {
            return Some(Event::Wanted(wants));
        }
        let ask = self.sending.poll_ask()?;
        let (origin, from) = (ask.origin, ask.from);
        Some(Event::NeedLog { origin, from, commits_max: ask.commits_max, bytes_max: ask.bytes_max })
    }

    /// The next message for the socket. Call it when the socket can take one: what waits here is not yet built.
    pub fn poll_frame(&mut self) -> Result<Option<Vec<u8>>, BadLog> {
        if let Some(greeting) = self.greeting.take() {
            return Ok(Some(greeting));
        }
        if !matches!(self.phase, Phase::Open) {
            return Ok(None);
        }
        if let Some(frame) = self.control_frame() {
            return Ok(Some(codec::encode(&frame)));
        }
        if let Some(set) = self.open_set.take() {
            return Ok(Some(codec::encode(&Frame::Open(&set))));
        }
        self.sending.poll_batch()
    }

    /// How long the last ping was on its way and back.
    pub const fn round_trip_ms(&self) -> Option<u64> {
        self.round_trip_ms
    }

    /// Received bytes that are not yet durable.
    pub fn waiting_bytes(&self) -> u64 {
        self.receiving.waiting_bytes()
    }

    /// Whether both have greeted and nothing has ended the session.
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    fn end(&mut self) {
        self.phase = Phase::Ended;
        self.greeting = None;
        self.events.clear();
    }

    /// Small frames go before batches; each kind waits at most once.
    fn control_frame(&mut self) -> Option<Frame<'static>> {
        if let Some(echo) = self.pong.take() {
            return Some(Frame::Pong(echo));
        }
        if let Some(fork) = self.forked.pop_front() {
            return Some(Frame::Forked(fork));
        }
        if let Some(look) = self.looks.pop_front() {
            return Some(look);
        }
        if let Some(acks) = self.receiving.poll_ack() {
            return Some(Frame::Ack(List(acks)));
        }
        if let Some(bytes) = self.receiving.poll_credit() {
            return Some(Frame::Credit(bytes));
        }
        if let Some((origin, from)) = self.receiving.poll_need() {
            return Some(Frame::Need(origin, from));
        }
        if let Some(wants) = self.wants.take() {
            return Some(Frame::Want(List(wants)));
        }
        std::mem::take(&mut self.ping_due).then_some(Frame::Ping(self.pings))
    }

    fn read_frame(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), Violation> {
        let greeting = !matches!(self.phase, Phase::Open);
        if greeting
            && let Some(version) = bytes.first()
            && *version != VERSION
        {
            return Err(self.other_version(*version > VERSION));
        }
        match (codec::decode(bytes, greeting)?, &self.phase) {
            (Frame::Hello(hello), Phase::Waiting) => self.hear_hello(hello, now),
            (Frame::Welcome(welcome), Phase::Greeting) => self.hear_welcome(welcome),
            (Frame::RetryAfter(ms), Phase::Greeting) => {
                self.end();
                self.retry_after_ms = Some(ms.min(RETRY_AFTER_MS_MAX));
                Ok(())
            }
            (frame, Phase::Open) => self.hear(frame, now),
            (_, Phase::Greeting | Phase::Waiting | Phase::Comparing { .. } | Phase::Ended) => Err(Violation::OutOfTurn),
        }
    }

    /// Which side is to be upgraded when the peer speaks a newer, or an older, protocol only.
    const fn other_version(&self, peer_is_newer: bool) -> Violation {
        match (self.side, peer_is_newer) {
            (Side::Listener { .. }, true) | (Side::Dialer, false) => Violation::RelayTooOld,
            (Side::Listener { .. }, false) | (Side::Dialer, true) => Violation::NodeTooOld,
        }
    }

    fn hear(&mut self, frame: Frame<'_>, now: Timestamp) -> Result<(), Violation> {
        match frame {
            Frame::Batch(batch) => {
                let has = self.receiving.batch(&batch)?;
                if has > 0 {
                    self.sending.peer_has(batch.origin, has);
                }
            }
            Frame::Ack(acks) => self.sending.acknowledge(&acks.0)?,
            Frame::Credit(bytes) => self.sending.give_credit(bytes)?,
            Frame::Need(origin, from) => self.sending.rewind(origin, from)?,
            Frame::Want(wants) => self.wanted = Some(wants.0),
            Frame::Ping(echo) => self.pong = Some(echo),
            Frame::Pong(echo) => {
                if echo == self.pings {
                    self.round_trip_ms = Some(now.ms_since(self.pinged));
                }
            }
            Frame::Forked(fork) => {
                // Only the dialer compares after the greeting, and it says so once for each origin.
                let first = !self.receiving.is_forked(&fork.origin);
                if self.side == Side::Dialer || !first || !self.sending.heads().contains_key(&fork.origin) {
                    return Err(Violation::OutOfTurn);
                }
                self.fork(fork);
            }
            Frame::Open(set) => {
                if std::mem::replace(&mut self.open_set_heard, true) {
                    return Err(Violation::OutOfTurn);
                }
                if set.len() > OPEN_BYTES_MAX {
                    return Err(Violation::FrameTooLarge);
                }
                self.events.push_back(Event::OpenSet(set.to_vec()));
            }
            Frame::Look(origin, seq) => self.hear_look(origin, seq)?,
            Frame::Looked(origin, seq, hash) => self.hear_looked(origin, seq, hash)?,
            Frame::Hello(_) | Frame::Welcome(_) | Frame::RetryAfter(_) => return Err(Violation::OutOfTurn),
        }
        Ok(())
    }

    fn hear_look(&mut self, origin: OriginId, seq: u64) -> Result<(), Violation> {
        // One at a time of each origin, and only of those that differ: so what waits here is bounded.
        if !self.receiving.is_forked(&origin) || self.lookups.insert(origin, seq).is_some() {
            return Err(Violation::OutOfTurn);
        }
        self.events.push_back(Event::NeedHash { origin, seq });
        Ok(())
    }

    fn hear_looked(&mut self, origin: OriginId, seq: u64, hash: Option<ChainHash>) -> Result<(), Violation> {
        let asked = self.searches.get_mut(&origin).filter(|search| search.middle() == seq && search.theirs.is_none());
        let search = asked.ok_or(Violation::OutOfTurn)?;
        search.theirs = hash;
        if hash.is_some() {
            self.events.push_back(Event::NeedHash { origin, seq });
        } else {
            self.narrow(origin, false);
        }
        Ok(())
    }

    /// Looks for where the logs of an origin part. The dialer does, for it is the node whose branch must be told under another name;
    /// what the relay itself wrote is the relay's affair.
    fn search(&mut self, fork: Fork) {
        let Some((peer, true)) = self.peer.filter(|_| self.side == Side::Dialer) else { return };
        if fork.origin == peer {
            return;
        }
        // Where the hashes differ they are not the same; where a log went back nothing was compared.
        let other = match fork.kind {
            ForkKind::Diverged => fork.seq,
            ForkKind::RolledBack => fork.seq.saturating_add(1),
        };
        self.searches.insert(fork.origin, Search { same: 0, other: other.max(1), theirs: None });
        self.look(fork.origin);
    }

    /// The logs are the same in the middle, or not.
    fn narrow(&mut self, origin: OriginId, same: bool) {
        let Some(search) = self.searches.get_mut(&origin) else { return };
        let middle = search.middle();
        if same {
            search.same = middle;
        } else {
            search.other = middle;
        }
        self.look(origin);
    }

    /// Asks for the hash in the middle, or has found the place.
    fn look(&mut self, origin: OriginId) {
        let Some(search) = self.searches.get(&origin).copied() else { return };
        if search.other - search.same > 1 {
            self.looks.push_back(Frame::Look(origin, search.middle()));
            return;
        }
        self.searches.remove(&origin);
        self.parted.insert(origin, search.same);
        self.conclude();
    }

    /// Tells where logs part, once nothing is left to look up.
    fn conclude(&mut self) {
        if self.searches.is_empty() && self.comparisons.is_empty() && !self.parted.is_empty() {
            let cuts = std::mem::take(&mut self.parted);
            let mut shared = self.sending.shared();
            for (origin, seq) in self.receiving.brought() {
                let upto = shared.entry(origin).or_default();
                *upto = seq.max(*upto);
            }
            self.events.push_back(Event::Parted(Parted { cuts, shared }));
        }
    }

    fn chains(&self) -> List<Chain, ORIGINS_MAX> {
        let chain = |(origin, head): (&OriginId, &Head)| Chain { origin: *origin, seq: head.seq, hash: head.hash };
        List(self.sending.heads().iter().map(chain).take(ORIGINS_MAX).collect())
    }

    fn hello(&self, now: Timestamp) -> Hello {
        Hello {
            protocol: PROTOCOL,
            protocol_min: PROTOCOL_MIN,
            capabilities: List(self.capabilities.clone()),
            site: self.site,
            role: self.role,
            own: self.own,
            chains: self.chains(),
            window: self.window,
            time: now,
        }
    }

    fn hear_hello(&mut self, hello: Hello, now: Timestamp) -> Result<(), Violation> {
        if hello.protocol < PROTOCOL_MIN {
            return Err(Violation::NodeTooOld);
        }
        if hello.protocol_min > PROTOCOL {
            return Err(Violation::RelayTooOld);
        }
        if hello.site != self.site {
            return Err(Violation::OtherSite);
        }
        ascending(&hello.chains.0)?;
        self.sending.give_credit(hello.window)?;
        let (theirs, their_own) = (hello.chains.clone(), hello.own);
        self.phase = Phase::Comparing { hello, chains: self.chains(), forks: Vec::new() };
        self.compare(&theirs.0, &their_own);
        self.welcome_when_compared(now);
        Ok(())
    }

    fn hear_welcome(&mut self, welcome: Welcome) -> Result<(), Violation> {
        if !(PROTOCOL_MIN..=PROTOCOL).contains(&welcome.protocol) {
            return Err(self.other_version(welcome.protocol > PROTOCOL));
        }
        ascending(&welcome.chains.0)?;
        self.sending.give_credit(welcome.window)?;
        self.phase = Phase::Open;
        // Which of two nodes is on a branch only the relay knows: what it made durable stays.
        let looks_up = welcome.role == OriginRole::Relay && welcome.capabilities.0.contains(&LOOKS_UP);
        self.peer = Some((welcome.own, looks_up));
        self.events.push_back(Event::Opened(Opened {
            role: welcome.role,
            own: welcome.own,
            capabilities: welcome.capabilities.0.iter().copied().collect(),
            epoch: welcome.epoch,
            time: welcome.time,
        }));
        for fork in &welcome.forks.0 {
            if !self.receiving.is_forked(&fork.origin) {
                self.take_fork(*fork);
            }
        }
        self.compare(&welcome.chains.0, &welcome.own);
        self.acknowledge_equal(&welcome.chains.0)?;
        // Now it is known what both have of the other logs.
        self.greeted = true;
        let forks: Vec<Fork> = std::mem::take(&mut self.to_search);
        forks.into_iter().for_each(|fork| self.search(fork));
        Ok(())
    }

    /// Compares the logs that both have: at once where that can be, by the driver's look-up where the own one is longer.
    fn compare(&mut self, theirs: &[Chain], their_own: &OriginId) {
        for chain in theirs {
            let origin = chain.origin;
            if self.receiving.is_forked(&origin) {
                continue;
            }
            let ours = self.sending.heads().get(&origin).copied().unwrap_or_else(|| Head::start(&origin));
            let back = Fork { origin, kind: ForkKind::RolledBack, seq: ours.seq };
            let diverged = Fork { origin, kind: ForkKind::Diverged, seq: chain.seq };
            match chain.seq.cmp(&ours.seq) {
                std::cmp::Ordering::Equal if chain.hash == ours.hash => self.sending.peer_has(origin, chain.seq),
                std::cmp::Ordering::Equal => self.fork(diverged),
                std::cmp::Ordering::Less => {
                    // Its own log it has: what it wrote since it said this another peer may have brought sooner. Whether it went
                    // back it sees itself, when it hears how far we have it (SPEC Y2).
                    if origin == *their_own {
                        self.sending.peer_has(origin, ours.seq);
                    }
                    if chain.seq == 0 {
                        continue;
                    }
                    self.sending.hold_back(origin);
                    self.comparisons.insert(origin, chain.head());
                    self.events.push_back(Event::NeedHash { origin, seq: chain.seq });
                }
                std::cmp::Ordering::Greater if origin == self.own => self.fork(back),
                // The peer's log is longer: it looks up its hash at our end and says what it found.
                std::cmp::Ordering::Greater => self.sending.peer_has(origin, chain.seq),
            }
        }
    }

    /// What the peer said it has is durable there: an acknowledgement, where the logs are known to be the same.
    fn acknowledge_equal(&mut self, theirs: &[Chain]) -> Result<(), Violation> {
        let durable = |chain: &Chain| Durable { origin: chain.origin, seq: chain.seq };
        let same = |chain: &&Chain| {
            !self.receiving.is_forked(&chain.origin) && !self.comparisons.contains_key(&chain.origin) && chain.seq > 0
        };
        let acks: Vec<Durable> = theirs.iter().filter(same).map(durable).collect();
        self.sending.acknowledge(&acks)
    }

    /// Once nothing is left to look up, the listener says welcome.
    fn welcome_when_compared(&mut self, now: Timestamp) {
        if !self.comparisons.is_empty() || !matches!(self.phase, Phase::Comparing { .. }) {
            return;
        }
        let Phase::Comparing { hello, chains, forks } = std::mem::replace(&mut self.phase, Phase::Open) else { return };
        let Side::Listener { epoch } = self.side else { return };
        let welcome = Welcome {
            protocol: PROTOCOL.min(hello.protocol),
            capabilities: List(self.capabilities.clone()),
            role: self.role,
            own: self.own,
            epoch,
            chains,
            forks: List(forks),
            window: self.window,
            time: now,
        };
        self.greeting = Some(codec::encode(&Frame::Welcome(welcome)));
        self.events.push_back(Event::Opened(Opened {
            role: hello.role,
            own: hello.own,
            capabilities: hello.capabilities.0.iter().copied().collect(),
            epoch,
            time: hello.time,
        }));
        // A hello names no more than its own log beyond ours: that was a fork above, so nothing is refused here.
        let _same = self.acknowledge_equal(&hello.chains.0);
    }

    /// Found here: the driver is told, and the peer.
    fn fork(&mut self, fork: Fork) {
        match (&mut self.phase, self.side) {
            (Phase::Open, Side::Dialer) => self.forked.push_back(fork),
            (Phase::Comparing { forks, .. }, _) => forks.push(fork),
            (Phase::Greeting | Phase::Waiting | Phase::Open | Phase::Ended, _) => {}
        }
        self.take_fork(fork);
    }

    fn take_fork(&mut self, fork: Fork) {
        self.comparisons.remove(&fork.origin);
        self.receiving.fork(fork.origin);
        self.sending.hold_back(fork.origin);
        self.events.push_back(Event::Forked(fork));
        if self.greeted {
            self.search(fork);
        } else if self.side == Side::Dialer {
            self.to_search.push(fork);
        }
    }
}

/// A list of logs names each origin once, in order.
fn ascending(chains: &[Chain]) -> Result<(), Violation> {
    let ordered = chains.windows(2).all(|pair| pair[0].origin < pair[1].origin);
    if ordered { Ok(()) } else { Err(Violation::Malformed) }
}
