//! What one node's connection does next: the session's word made into errands for the site's queue and its log. No IO and no clock:
//! `link_hub` moves its bytes between socket and site, the simulated world between its own.
//!
//! Errands may be done beside one another, but for batches: each continues the one before.

use crate::sites::link_state::Links;
use crate::sites::site_handle::SiteHandle;
use crate::store::StoreError;
use crate::store::site_rows::NodeSession;
use crate::store::site_store::SqlSiteStore;
use crate::store::site_tx::{OldSession, WorkError};
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::doc::replica::ApplyError;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::{BadLog, Event, ForkKind, Opened, Session, TimeoutReason, Violation, Want};
use pilotlight_sync::store::{LogEntry, Seal, SiteStore};
use std::collections::{BTreeMap, VecDeque};

/// Batches that are applied in one unit of work: what an order did within some minutes is written once.
const BATCHES_MAX: usize = 8;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkEnd {
    /// The relay stops.
    #[error("the relay stops")]
    Stopping,
    /// A newer session of this node has begun.
    #[error("a newer session of this node has begun")]
    Superseded,
    /// The node did what the protocol forbids, or has fallen silent.
    #[error("the node broke the protocol: {0}")]
    Broken(Violation),
    /// The node closed the connection, or it was lost.
    #[error("the node has gone ({0})")]
    Gone(u16),
    /// The node takes nothing any more.
    #[error("the node takes nothing any more")]
    Stuck,
    /// The relay's log cannot be sent.
    #[error(transparent)]
    Log(#[from] BadLog),
    /// What came cannot be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The database does not confirm: after a new greeting it is asked anew where the logs end.
    #[error("the database does not confirm")]
    Store,
}

impl LinkEnd {
    /// The close code and word; none when nobody listens.
    pub(super) fn goodbye(&self) -> Option<(u16, &'static str)> {
        match self {
            Self::Stopping => Some((1001, "stopping")),
            Self::Superseded => Some((4000, "superseded")),
            Self::Broken(violation) => Some((violation.code(), violation.word())),
            Self::Log(_) | Self::Apply(_) | Self::Store => Some((1011, "store")),
            Self::Gone(_) | Self::Stuck => None,
        }
    }

    /// The word for logs and metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Apply(ApplyError::Gap { .. }) => "gap",
            Self::Apply(ApplyError::Fork { .. }) => "fork",
            Self::Apply(ApplyError::NotYet { .. }) => "not_yet",
            Self::Apply(ApplyError::Ours { .. }) => "ours",
            Self::Gone(_) => "gone",
            Self::Stuck => "stuck",
            Self::Stopping | Self::Superseded | Self::Broken(_) | Self::Log(_) | Self::Store => {
                self.goodbye().map_or("gone", |(_, word)| word)
            }
        }
    }
}

/// What the site shall do for the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Read a page of a log and the signatures in it.
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
    /// Look up the chain's hash.
    Hash {
        /// Whose log.
        origin: OriginId,
        /// After which commit.
        seq: u64,
    },
    /// Apply these batches in one unit of work: of one origin, in sequence, each with the signature that closes it.
    Apply(Vec<(Vec<LogEntry>, Seal)>),
}

/// What the site has done.
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
        /// The signatures in it.
        seals: Vec<Seal>,
    },
    /// A hash was looked up.
    Hash {
        /// Whose log.
        origin: OriginId,
        /// `None` when the log does not have it.
        hash: Option<ChainHash>,
    },
    /// A batch is durable; also one that was known already.
    Applied {
        /// Whose log.
        origin: OriginId,
        /// Its end.
        head: Head,
    },
    /// It builds on what has not come; the log still ends here.
    NotTaken {
        /// Whose log.
        origin: OriginId,
        /// Its end.
        head: Head,
    },
    /// The connection cannot go on.
    Failed(LinkEnd),
}

/// What others are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Both have greeted.
    Open(Opened),
    /// The node has a longer log of the relay's own than the relay itself.
    WentBack,
    /// The node would like to have rights: see `grant`.
    Wanted {
        /// Under which origin it writes.
        by: OriginId,
        /// Which.
        wants: Vec<Want>,
    },
}

/// One node's connection.
#[derive(Debug)]
pub struct LinkCore {
    session: Session,
    /// In the node's row.
    number: NodeSession,
    own: OriginId,
    /// Under which origin the node writes, once it has greeted.
    peer: Option<OriginId>,
    errands: VecDeque<Errand>,
    news: VecDeque<News>,
    batches: VecDeque<(Vec<LogEntry>, Seal)>,
    applying: bool,
    told: BTreeMap<OriginId, u64>,
}

impl LinkCore {
    /// A connection over this session, whose logs end at `heads`; `own` is who the relay is at the site.
    pub fn new(session: Session, number: NodeSession, own: OriginId, heads: &BTreeMap<OriginId, Head>) -> Self {
        let told = heads.iter().map(|(origin, head)| (*origin, head.seq)).collect();
        let (errands, news, batches) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { session, number, own, peer: None, errands, news, batches, applying: false, told }
    }

    /// Whose it is, and its number in the node's row.
    pub fn number(&self) -> NodeSession {
        self.number
    }

    /// A frame has come. What is committed counts before it, see `durable`: by another node the peer may have heard of it already, and who
    /// says so has not gone back in time, nor has the relay (SPEC Y2).
    pub fn hear(
        &mut self,
        bytes: &[u8],
        heads: &BTreeMap<OriginId, Head>,
        keys: &BTreeMap<OriginId, [u8; 32]>,
        now: Timestamp,
    ) -> Result<(), LinkEnd> {
        self.durable(heads, keys);
        self.session.handle_frame(bytes, now).map_err(LinkEnd::Broken)
    }

    /// The logs have grown, by whatever way; an origin that is new comes with its key: the node may be the one that goes on with it.
    pub fn durable(&mut self, heads: &BTreeMap<OriginId, Head>, keys: &BTreeMap<OriginId, [u8; 32]>) {
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
    }

    /// The relay would like to have these rights.
    pub fn want(&mut self, wants: Vec<Want>) {
        if !wants.is_empty() {
            self.session.want(wants);
        }
    }

    /// The site's links have changed: perhaps a newer session of this node has begun in this process.
    pub fn links_are(&self, links: &Links) -> Result<(), LinkEnd> {
        if links.is_superseded(self.number) { Err(LinkEnd::Superseded) } else { Ok(()) }
    }

    /// An errand is done.
    pub fn done(&mut self, done: Done, now: Timestamp) -> Result<(), LinkEnd> {
        if matches!(done, Done::Applied { .. } | Done::NotTaken { .. }) {
            self.applying = false;
        }
        match done {
            Done::Page { origin, from, entries, seals } => self.session.handle_log(origin, from, entries, &seals)?,
            Done::Hash { origin, hash } => self.session.handle_hash(origin, hash, now),
            Done::Applied { origin, head } => {
                // Also what was known already: its share of the window is free again.
                self.session.handle_durable(origin, head);
            }
            Done::NotTaken { origin, head } => {
                // What continues it would not be taken either: all of it is asked for again.
                self.batches.retain(|(_, seal)| seal.origin != origin);
                self.session.handle_dropped(origin, head);
                // What came before it was taken.
                self.session.handle_durable(origin, head);
            }
            Done::Failed(end) => return Err(end),
        }
        Ok(())
    }

    /// The deadline of `poll_timeout` has come.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Result<(), LinkEnd> {
        self.session.handle_timeout(now).map_err(LinkEnd::Broken)
    }

    /// The next deadline, and what it is for.
    pub fn poll_timeout(&self) -> Option<(Timestamp, TimeoutReason)> {
        self.session.poll_timeout()
    }

    /// The next thing for the site to do.
    pub fn poll_errand(&mut self) -> Option<Errand> {
        self.take_events();
        if let Some(errand) = self.errands.pop_front() {
            return Some(errand);
        }
        if self.applying {
            return None;
        }
        let origin = self.batches.front()?.1.origin;
        let follows = |(at, (_, seal)): &(usize, &(Vec<LogEntry>, Seal))| *at < BATCHES_MAX && seal.origin == origin;
        let count = self.batches.iter().enumerate().take_while(follows).count();
        self.applying = true;
        Some(Errand::Apply(self.batches.drain(..count).collect()))
    }

    /// The next thing to be told.
    pub fn poll_news(&mut self) -> Option<News> {
        self.take_events();
        self.news.pop_front()
    }

    /// The next message for the socket. Call it when the socket can take one.
    pub fn poll_frame(&mut self) -> Result<Option<Vec<u8>>, LinkEnd> {
        self.take_events();
        Ok(self.session.poll_frame()?)
    }

    fn take_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Opened(peer) => {
                    self.peer = Some(peer.own);
                    self.news.push_back(News::Open(peer));
                }
                Event::NeedLog { origin, from, commits_max, bytes_max } => {
                    self.errands.push_back(Errand::Page { origin, from, commits_max, bytes_max });
                }
                Event::NeedHash { origin, seq } => self.errands.push_back(Errand::Hash { origin, seq }),
                Event::Apply { entries, seal } => self.batches.push_back((entries, seal)),
                Event::Acked { origin, seq } => {
                    if origin == self.own {
                        metrics::counter!("pilotlight_link_acks_total").increment(1);
                        tracing::trace!(session = self.number.number, seq, "the node has the relay's log");
                    }
                }
                Event::Forked(fork) => {
                    let own = fork.origin == self.own;
                    let rolled_back = fork.kind == ForkKind::RolledBack;
                    tracing::error!(session = self.number.number, origin = %fork.origin, seq = fork.seq, rolled_back, own, "the node has another log of this origin");
                    metrics::counter!("pilotlight_link_forks_total").increment(1);
                    if own {
                        self.news.push_back(News::WentBack);
                    }
                }
                Event::Wanted(wants) => {
                    self.news.extend(self.peer.map(|by| News::Wanted { by, wants }));
                }
                // Only the one that dials looks for where logs part.
                Event::Parted(_) => {}
                // The node's open orders come as commits too; nothing here needs them sooner.
                Event::OpenSet(_) => {}
                // Only a listener says so, and this is one.
                Event::RetryAfter(_) => {}
            }
        }
    }
}

/// Does one errand at a site, over its log or in its queue.
pub async fn run(site: &SiteHandle, store: &SqlSiteStore, session: NodeSession, errand: Errand) -> Done {
    match errand {
        Errand::Page { origin, from, commits_max, bytes_max } => {
            page(store, origin, from, commits_max, bytes_max).await.unwrap_or_else(|error| failed(&error))
        }
        Errand::Hash { origin, seq } => match store.hash_at(&origin, seq).await {
            Ok(hash) => Done::Hash { origin, hash },
            Err(error) => failed(&error),
        },
        Errand::Apply(batches) => apply(site, session, batches).await,
    }
}

async fn page(
    store: &SqlSiteStore,
    origin: OriginId,
    from: u64,
    commits_max: usize,
    bytes_max: usize,
) -> Result<Done, StoreError> {
    let entries = store.log_page(&origin, from, commits_max, bytes_max).await?;
    let seals = store.seals(&origin, from, from + entries.len() as u64).await?;
    Ok(Done::Page { origin, from, entries, seals })
}

fn failed(error: &StoreError) -> Done {
    tracing::error!(%error, source = ?std::error::Error::source(error), "a site's log cannot be read");
    Done::Failed(LinkEnd::Store)
}

async fn apply(site: &SiteHandle, session: NodeSession, batches: Vec<(Vec<LogEntry>, Seal)>) -> Done {
    let last = batches.last().and_then(|(entries, seal)| Some((seal.origin, entries.last()?.head)));
    let Some((origin, head)) = last else { return Done::Failed(LinkEnd::Store) };
    match site.apply_all(session, batches).await {
        Ok(applied) => {
            metrics::counter!("pilotlight_link_commits_applied_total").increment(applied.new as u64);
            match applied.refused {
                None => Done::Applied { origin, head },
                Some(ApplyError::NotYet { .. } | ApplyError::Gap { .. }) => {
                    let known = site.heads().borrow().get(&origin).copied();
                    Done::NotTaken { origin, head: known.unwrap_or_else(|| Head::start(&origin)) }
                }
                Some(refused @ (ApplyError::Fork { .. } | ApplyError::Ours { .. })) => Done::Failed(refused.into()),
            }
        }
        Err(WorkError::Refused(OldSession { .. })) => Done::Failed(LinkEnd::Superseded),
        Err(WorkError::TooLarge(_) | WorkError::Store(_) | WorkError::Unknown | WorkError::Closed) => {
            Done::Failed(LinkEnd::Store)
        }
    }
}
