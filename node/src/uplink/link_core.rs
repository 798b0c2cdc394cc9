//! What one connection to the relay, or to another node of the site, does next: the session's word made into errands for the store. No
//! IO and no clock: `link_loop` moves its bytes between socket and store thread, the simulated world between its own.
//!
//! Errands may be done beside one another, but for batches: these go one group after the other, so that none overtakes.

use crate::config::LinkConfig;
use crate::store::StoreError;
use crate::store::replica::Replica;
use crate::store::store_handle::Applied;
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::doc::replica::ApplyError;
use pilotlight_sync::domain::id::{OriginId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{GROUP_COMMITS_MAX, LOOKS_UP, WINDOW_BYTES_MAX};
use pilotlight_sync::protocol::{
    BadLog, Config, Event, ForkKind, Opened, Parted, Session, Side, TimeoutReason, Violation, Want,
};
use pilotlight_sync::store::{LogEntry, Seal};
use std::collections::{BTreeMap, VecDeque};

/// Log entries read in one turn of the store thread: orders wait behind it.
const READ_COMMITS_MAX: usize = 512;
/// Log entries read at once, so that bytes are counted before many are in memory.
const READ_STEP: usize = 64;

/// Why the connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LinkFault {
    /// The relay has said nothing for too long.
    #[error("the relay has fallen silent")]
    Silent,
    /// The relay did what the protocol forbids.
    #[error("the relay broke the protocol: {0}")]
    Broken(Violation),
    /// The own log cannot be sent.
    #[error(transparent)]
    Log(#[from] BadLog),
    /// What came cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The store is closed, or opened again: it is asked anew where its logs end.
    #[error("the store did not confirm")]
    Store,
}

/// What the store shall do for the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Read a page: see `read_page`.
    Page {
        /// Whose log.
        origin: OriginId,
        /// The first number.
        from: u64,
        /// At most so many commits.
        commits_max: usize,
        /// At most so many bytes of commits, but one commit at least.
        bytes_max: usize,
    },
    /// Look a hash up: see `Replica::stored_hash`.
    Hash {
        /// Whose log.
        origin: OriginId,
        /// After which commit.
        seq: u64,
    },
    /// Apply these in one group.
    Apply(Vec<(Vec<LogEntry>, Seal)>),
}

/// What the store has done.
#[derive(Debug)]
pub enum Done {
    /// A page was read.
    Page {
        /// Whose log.
        origin: OriginId,
        /// The first number.
        from: u64,
        /// The commits.
        entries: Vec<LogEntry>,
        /// The signatures that the store has for them.
        seals: Vec<Seal>,
    },
    /// A hash was looked up.
    Hash {
        /// Whose log.
        origin: OriginId,
        /// After which commit.
        seq: u64,
        /// `None` when the log does not have it.
        hash: Option<ChainHash>,
    },
    /// Batches were applied, durably.
    Applied(Applied),
    /// The store has noted where the logs part, and is opened again.
    Parted,
    /// It was not noted: the origin whose logs differ is left alone, the others go on.
    NotParted,
    /// The store did not.
    Failed,
}

/// What others are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Both have greeted.
    Open(Opened),
    /// The relay's disk has this log up to here.
    Acked {
        /// Whose log.
        origin: OriginId,
        /// Up to which number.
        seq: u64,
    },
    /// The relay has another log of this node.
    Forked,
    /// Where the relay's logs and ours part: the store must go on from there and tell what it alone has.
    Parted(Parted),
    /// The relay would like to have more rights.
    Wanted(Vec<Want>),
    /// The relay is busy and takes nobody in: dial again after so many milliseconds.
    RetryAfter(u64),
}

/// One connection.
#[derive(Debug)]
pub struct LinkCore {
    session: Session,
    own: OriginId,
    errands: VecDeque<Errand>,
    news: VecDeque<News>,
    waiting: VecDeque<(Vec<LogEntry>, Seal)>,
    applying: bool,
    /// Up to where the session knows that each log is durable here.
    told: BTreeMap<OriginId, u64>,
    /// Where the disk was last said to end them: a log that ends sooner was cut where it parts from the site's.
    ended: BTreeMap<OriginId, u64>,
}

impl LinkCore {
    /// A connection over this session, which knows that the logs end at `heads`; `own` is who writes here.
    pub fn new(session: Session, own: OriginId, heads: &BTreeMap<OriginId, Head>) -> Self {
        let told: BTreeMap<OriginId, u64> = heads.iter().map(|(origin, head)| (*origin, head.seq)).collect();
        // These are durable: a log may be cut before it is heard of again.
        let ended = told.clone();
        let (errands, news, waiting) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { session, own, errands, news, waiting, applying: false, told, ended }
    }

    /// A frame has come. What is durable counts before it, see `durable`: by another node the peer may have it already (SPEC Y2).
    pub fn hear(
        &mut self,
        bytes: &[u8],
        own: OriginId,
        heads: &BTreeMap<OriginId, Head>,
        keys: &BTreeMap<OriginId, [u8; 32]>,
        now: Timestamp,
    ) -> Result<(), LinkFault> {
        self.durable(own, heads, keys)?;
        self.session.handle_frame(bytes, now).map_err(LinkFault::Broken)
    }

    /// Logs have grown, by whatever way; or the own one is another's, because the store went on under a new name; or one was cut, because it
    /// was a branch: then what the session knows is no longer so, and both greet again. An origin that is new comes with its key: the other
    /// side may be the one that goes on with it.
    pub fn durable(
        &mut self,
        own: OriginId,
        heads: &BTreeMap<OriginId, Head>,
        keys: &BTreeMap<OriginId, [u8; 32]>,
    ) -> Result<(), LinkFault> {
        let cut = |(origin, seq): (&OriginId, &u64)| heads.get(origin).is_none_or(|head| head.seq < *seq);
        if own != self.own || self.ended.iter().any(cut) {
            return Err(LinkFault::Store);
        }
        self.ended.extend(heads.iter().map(|(origin, head)| (*origin, head.seq)));
        for (origin, head) in heads {
            if let Some(key) = keys.get(origin).filter(|_| !self.told.contains_key(origin)) {
                self.session.learn_key(*origin, key);
            }
            let told = self.told.entry(*origin).or_default();
            if head.seq > *told {
                *told = head.seq;
                self.session.handle_durable(*origin, *head);
            }
        }
        Ok(())
    }

    /// The store has done an errand.
    pub fn done(&mut self, done: Done, now: Timestamp) -> Result<(), LinkFault> {
        match done {
            Done::Page { origin, from, entries, seals } => self.session.handle_log(origin, from, entries, &seals)?,
            Done::Hash { origin, seq, hash } => {
                tracing::debug!(%origin, seq, "looked up where the relay's log ends");
                self.session.handle_hash(origin, hash, now);
            }
            Done::Applied(applied) => self.applied(applied)?,
            Done::NotParted => {}
            Done::Parted | Done::Failed => return Err(LinkFault::Store),
        }
        Ok(())
    }

    /// A group is done: what is durable is told to the session, what was not taken is asked for again.
    fn applied(&mut self, applied: Applied) -> Result<(), LinkFault> {
        self.applying = false;
        for (origin, refused) in applied.refused {
            match refused {
                ApplyError::NotYet { .. } | ApplyError::Gap { .. } => {}
                ApplyError::Fork { .. } | ApplyError::Ours { .. } => return Err(refused.into()),
            }
            self.waiting.retain(|(_, seal)| seal.origin != origin);
            let head = applied.heads.get(&origin).copied().unwrap_or_else(|| Head::start(&origin));
            self.session.handle_dropped(origin, head);
        }
        for (origin, head) in applied.heads {
            // Also what was known already: its share of the window is free again.
            self.session.handle_durable(origin, head);
        }
        Ok(())
    }

    /// This node would like to have these rights.
    pub fn want(&mut self, wants: Vec<Want>) {
        if !wants.is_empty() {
            self.session.want(wants);
        }
    }

    /// The deadline of `poll_timeout` has come.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), LinkFault> {
        self.session.handle_timeout(now).map_err(|_silent| LinkFault::Silent)
    }

    /// The next deadline, and what it is for.
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimeoutReason)> {
        self.session.poll_timeout()
    }

    /// How long the last ping took, in milliseconds.
    pub fn round_trip_ms(&self) -> Option<u64> {
        self.session.round_trip_ms()
    }

    /// The next thing for the store to do.
    pub fn poll_errand(&mut self) -> Option<Errand> {
        self.take_events();
        self.errands.pop_front().or_else(|| self.next_group())
    }

    /// The next thing to be told.
    pub fn poll_news(&mut self) -> Option<News> {
        self.take_events();
        self.news.pop_front()
    }

    /// The next message for the socket. Call it when the socket can take one.
    pub fn poll_frame(&mut self) -> Result<Option<Vec<u8>>, LinkFault> {
        self.take_events();
        Ok(self.session.poll_frame()?)
    }

    fn take_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Opened(peer) => self.news.push_back(News::Open(peer)),
                Event::NeedLog { origin, from, commits_max, bytes_max } => {
                    self.errands.push_back(Errand::Page { origin, from, commits_max, bytes_max });
                }
                Event::NeedHash { origin, seq } => self.errands.push_back(Errand::Hash { origin, seq }),
                Event::Apply { entries, seal } => {
                    metrics::counter!("pilotlight_link_commits_applied_total").increment(entries.len() as u64);
                    self.waiting.push_back((entries, seal));
                }
                Event::Acked { origin, seq } if origin == self.own => self.news.push_back(News::Acked { origin, seq }),
                Event::Acked { .. } => {}
                Event::Forked(fork) => {
                    let rolled_back = fork.kind == ForkKind::RolledBack;
                    tracing::error!(origin = %fork.origin, seq = fork.seq, rolled_back, "the relay has another log of this origin");
                    metrics::counter!("pilotlight_link_forks_total").increment(1);
                    if fork.origin == self.own {
                        self.news.push_back(News::Forked);
                    }
                }
                Event::Parted(parted) => self.news.push_back(News::Parted(parted)),
                Event::Wanted(wanted) => self.news.push_back(News::Wanted(wanted)),
                // The relay's open orders come as commits too; until then nothing here needs them sooner.
                Event::OpenSet(_) => {}
                Event::RetryAfter(ms) => self.news.push_back(News::RetryAfter(ms)),
            }
        }
    }

    /// The next group of batches, when none is under way: as many as one store transaction takes.
    fn next_group(&mut self) -> Option<Errand> {
        if self.applying {
            return None;
        }
        let (mut group, mut commits) = (Vec::new(), 0);
        while let Some((entries, _)) = self.waiting.front() {
            commits += entries.len();
            if commits > GROUP_COMMITS_MAX && !group.is_empty() {
                break;
            }
            group.extend(self.waiting.pop_front());
        }
        if group.is_empty() {
            return None;
        }
        self.applying = true;
        Some(Errand::Apply(group))
    }
}

/// What a session of this replica must know; `peer` is who the relay or the other node was at enrolment, with its key.
pub fn config(replica: &Replica, site: SiteId, side: Side, peer: (OriginId, [u8; 32]), timers: &LinkConfig) -> Config {
    let mut keys = replica.state().keys();
    keys.insert(peer.0, peer.1);
    let identity = replica.identity().clone();
    Config {
        side,
        role: OriginRole::Node,
        site,
        own: identity.origin,
        sign: Box::new(move |hash| identity.sign(hash)),
        keys,
        capabilities: [LOOKS_UP].into(),
        window_bytes: WINDOW_BYTES_MAX as u64,
        ping_ms: timers.ping_ms,
        dead_ms: timers.dead_ms,
    }
}

/// Reads a page of a log, with the signatures that are there for it.
pub fn read_page(
    replica: &Replica,
    origin: &OriginId,
    from: u64,
    commits_max: usize,
    bytes_max: usize,
) -> Result<(Vec<LogEntry>, Vec<Seal>), StoreError> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while entries.len() < commits_max.min(READ_COMMITS_MAX) {
        let step = replica.log(origin, from + entries.len() as u64, READ_STEP)?;
        let (found, before) = (step.len(), entries.len());
        for entry in step {
            bytes += entry.bytes.len();
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        if found < READ_STEP || entries.len() < before + found {
            break;
        }
    }
    let seals = replica.seals(origin, from, from + entries.len() as u64)?;
    Ok((entries, seals))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Shop, line, order};

    #[test]
    fn y14_a_connection_greets_again_when_a_log_was_cut_and_goes_on_while_logs_grow() {
        let mut shop = Shop::open();
        let (site, now) = (SiteId::derived(&["shop"]), shop.clock.now());
        let own = shop.replica().identity().origin;
        let peer = (OriginId::derived(&["bar"]), [7; 32]);
        let timers = LinkConfig { ping_ms: 10_000, dead_ms: 25_000, backoff_max_ms: 30_000 };
        let heads = shop.replica().state().heads().clone();
        let config_of = |shop: &mut Shop| config(shop.replica(), site, Side::Dialer, peer, &timers);
        let config = config_of(&mut shop);
        let mut core = LinkCore::new(Session::new(config, heads.clone(), now).unwrap(), own, &heads);
        let keys = shop.replica().state().keys();
        let mut third = heads.clone();
        let branch = Head::start(&peer.0).then(b"one").then(b"two");
        third.insert(peer.0, branch);
        shop.place(order("one", vec![line("l", "pizza", 1)])).unwrap();
        third.extend(shop.replica().state().heads().clone());
        core.durable(own, &heads, &keys).unwrap();
        core.durable(own, &third, &keys).unwrap();
        core.durable(own, &third, &keys).unwrap();
        // The relay has told where the third node's log parts: it ends there now.
        let cut = Head::start(&peer.0).then(b"one");
        let after: BTreeMap<OriginId, Head> =
            third.iter().map(|(of, head)| (*of, *head)).chain([(peer.0, cut)]).collect();
        assert!(matches!(core.durable(own, &after, &keys), Err(LinkFault::Store)));
        third.remove(&peer.0);
        assert!(matches!(core.durable(own, &third, &keys), Err(LinkFault::Store)), "or all of it was a branch");
        third.insert(peer.0, branch);
        let config = config_of(&mut shop);
        let mut core = LinkCore::new(Session::new(config, third.clone(), now).unwrap(), own, &third);
        assert!(matches!(core.durable(own, &after, &keys), Err(LinkFault::Store)), "or before anything else was heard");
    }
}
