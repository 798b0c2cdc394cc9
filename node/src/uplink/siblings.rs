//! The site's other nodes on the LAN: taken in with a one-time code, as a relay takes a node in, and linked without one. Of two nodes the
//! one that was taken in dials; the other one listens.
//!
//! What is known of them is one file beside the identity: whom to dial and with which token, and whose token is good here.

use crate::opening::Paths;
use crate::store::StoreError;
use crate::uplink::enrol::Enrolment;
use crate::uplink::link_loop::{LinkClock, LinkEnd, Told, serve};
use crate::uplink::pass::{NotPassed, Passed, pass};
use crate::uplink::{DialEnd, Parts, Wishes, begin, driver, keep};
use futures_util::{Sink, Stream};
use minicbor::{Decode, Encode};
use pilotlight_edge::{files, tokens};
use pilotlight_sync::doc::origin::OriginCard;
use pilotlight_sync::doc::replica::Position;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::{Opened, Side, Want};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

/// Nodes of a site that one node is linked with.
pub const SIBLINGS_MAX: usize = 16;

/// Another node of the site, as it was when one of both took the other in.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Sibling {
    /// Under which origin it wrote then.
    #[n(0)]
    pub origin: OriginId,
    /// That origin's public key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// What its order numbers begin with.
    #[n(2)]
    pub letter: String,
    /// This node dials it.
    #[n(3)]
    dial: Option<Enrolment>,
    /// It dials this node, with a token of this hash.
    #[n(4)]
    token_hash: Option<minicbor::bytes::ByteArray<32>>,
}

impl std::fmt::Debug for Sibling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sibling").field("origin", &self.origin).field("letter", &self.letter).finish_non_exhaustive()
    }
}

impl Sibling {
    /// Where it is dialled; `None`: it dials this node.
    pub fn url(&self) -> Option<&str> {
        self.dial.as_ref().map(|enrolment| enrolment.relay_url.as_str())
    }
}

/// How the link to another node is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiblingLink {
    /// It is there.
    pub up: bool,
    /// Since it was there, or was lost.
    pub since: Option<Timestamp>,
    /// Why it is not there.
    pub why: Option<String>,
    /// Up to which number of which origin it has the own log on its disk.
    acked: Option<(OriginId, u64)>,
    /// Which of the connections that it made is the newest.
    session: u64,
}

impl SiblingLink {
    /// Whether its disk has everything that was written here.
    pub fn has_all(&self, own: &Position) -> bool {
        self.acked.is_some_and(|(origin, seq)| origin == own.origin && seq >= own.head.seq)
    }
}

/// The links to all of them, by the origin they were taken in with.
pub type SiblingLinks = BTreeMap<OriginId, SiblingLink>;

/// Too many nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a node is linked with {SIBLINGS_MAX} others at most")]
pub struct TooManySiblings;

/// The site's other nodes.
#[derive(Debug)]
pub struct Siblings {
    path: PathBuf,
    known: Mutex<Vec<Sibling>>,
    /// Changes when somebody is to be dialled who was not.
    dials: watch::Sender<u64>,
    links: watch::Sender<SiblingLinks>,
    sessions: AtomicU64,
    wishes: Arc<Wishes>,
}

impl Siblings {
    /// Those that were taken in, or took this node in, before.
    pub fn open(paths: &Paths, wishes: Arc<Wishes>) -> Result<Self, StoreError> {
        let path = paths.siblings();
        let damaged = |error: minicbor::decode::Error| StoreError::Damaged { tree: "siblings", why: error.to_string() };
        let known: Vec<Sibling> = match files::read_if_there(&path)? {
            Some(bytes) => minicbor::decode(&bytes).map_err(damaged)?,
            None => Vec::new(),
        };
        Ok(Self {
            path,
            known: Mutex::new(known),
            dials: watch::Sender::new(0),
            links: watch::Sender::default(),
            sessions: AtomicU64::new(0),
            wishes,
        })
    }

    /// All of them.
    pub fn known(&self) -> Vec<Sibling> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the links are; tells when one changes.
    pub fn links(&self) -> watch::Receiver<SiblingLinks> {
        self.links.subscribe()
    }

    /// On how many of them everything written here is.
    pub fn safe_on(&self, own: &Position) -> u32 {
        let has = self.links.borrow().values().filter(|link| link.has_all(own)).count();
        u32::try_from(has).unwrap_or(u32::MAX)
    }

    /// Takes another node in: it will dial with this token.
    pub fn took_in(&self, card: &OriginCard, letter: &str, token: &str) -> Result<(), TakeIn> {
        let hash = tokens::hash(token).into();
        self.keep(card.origin, card.key, letter, |sibling| sibling.token_hash = Some(hash))
    }

    /// Another node has taken this one in: it is dialled from now on.
    pub fn joined(&self, enrolment: Enrolment, letter: &str) -> Result<(), TakeIn> {
        let (origin, key) = (enrolment.relay_origin, enrolment.relay_key);
        self.keep(origin, key, letter, |sibling| sibling.dial = Some(enrolment))?;
        self.dials.send_modify(|dials| *dials += 1);
        Ok(())
    }

    fn keep(
        &self,
        origin: OriginId,
        key: [u8; 32],
        letter: &str,
        change: impl FnOnce(&mut Sibling),
    ) -> Result<(), TakeIn> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = known.clone();
        let full = new.len() >= SIBLINGS_MAX;
        match new.iter_mut().find(|sibling| sibling.origin == origin) {
            Some(sibling) => change(sibling),
            None if full => return Err(TooManySiblings.into()),
            None => {
                let mut sibling = Sibling { origin, key, letter: letter.to_owned(), dial: None, token_hash: None };
                change(&mut sibling);
                new.push(sibling);
            }
        }
        files::write_whole(&self.path, &minicbor::to_vec(&new).unwrap_or_default()).map_err(StoreError::from)?;
        *known = new;
        Ok(())
    }

    /// Passes a request on to the node of this origin, when this one dials it: what only that one may do.
    pub async fn pass(&self, to: &OriginId, path: &str, by: Actor, body: Vec<u8>) -> Result<Passed, NotPassed> {
        let known = self.known().into_iter().find(|sibling| sibling.origin == *to);
        let dial = known.and_then(|sibling| sibling.dial).ok_or(NotPassed::Away)?;
        pass(&dial, path, by, body).await
    }

    /// The node that dials with this token.
    pub fn by_token(&self, token: &str) -> Option<Sibling> {
        let hash = tokens::hash(token);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|sibling| sibling.token_hash.as_ref().is_some_and(|kept| **kept == hash)).cloned()
    }

    /// Serves a connection that another node has made, to its end.
    pub async fn listen<W, E>(&self, parts: &Parts, sibling: &Sibling, socket: W)
    where
        W: Stream<Item = Result<Message, E>> + Sink<Message, Error = E> + Unpin + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        let clock = LinkClock::start(parts.clock.real());
        let session = self.sessions.fetch_add(1, Ordering::Relaxed) + 1;
        let told = Of { siblings: self, origin: sibling.origin, session };
        let side = Side::Listener { epoch: session };
        let end: DialEnd = match begin(parts, side, (sibling.origin, sibling.key), clock).await {
            Ok(core) => serve(socket, core, driver(parts, clock), &told).await.into(),
            Err(end) => end,
        };
        if !matches!(end, DialEnd::Link(LinkEnd::Closed)) {
            tracing::info!(letter = sibling.letter, %end, "the link of another node has ended");
        }
        told.lost(end.to_string(), parts.clock.now());
    }

    /// Dials those that are to be dialled until the node stops.
    pub async fn run(self: Arc<Self>, parts: Parts) {
        let mut dials = self.dials.subscribe();
        let mut dialled: BTreeMap<OriginId, watch::Sender<Option<Enrolment>>> = BTreeMap::new();
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            dials.borrow_and_update();
            for sibling in self.known() {
                let Some(enrolment) = sibling.dial else { continue };
                if let Some(known) = dialled.get(&sibling.origin) {
                    known.send_if_modified(|dialled| {
                        let new = dialled.as_ref() != Some(&enrolment);
                        *dialled = Some(enrolment);
                        new
                    });
                    continue;
                }
                let sender = watch::Sender::new(Some(enrolment));
                let (enrolments, siblings, parts) = (sender.subscribe(), self.clone(), parts.clone());
                tasks.spawn(async move {
                    let told = Of { siblings: &siblings, origin: sibling.origin, session: 0 };
                    keep(&parts, enrolments, &told, "node").await;
                });
                dialled.insert(sibling.origin, sender);
            }
            tokio::select! {
                () = parts.stopping.cancelled() => break,
                _more = dials.changed() => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    fn told(&self, origin: OriginId, session: u64, tell: impl FnOnce(&mut SiblingLink)) {
        self.links.send_if_modified(|links| {
            let link = links.entry(origin).or_default();
            // An older connection's word counts no more.
            if link.session > session {
                return false;
            }
            let before = link.clone();
            tell(link);
            *link != before
        });
    }
}

/// Why a node was not taken in, or not kept.
#[derive(Debug, thiserror::Error)]
pub enum TakeIn {
    /// There are too many.
    #[error(transparent)]
    TooMany(#[from] TooManySiblings),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The link to one of them.
struct Of<'s> {
    siblings: &'s Siblings,
    origin: OriginId,
    session: u64,
}

impl Told for Of<'_> {
    fn dialling(&self, _: &str, _: Timestamp) {}

    fn online(&self, _: &Opened, now: Timestamp) {
        let session = self.session;
        self.siblings.told(self.origin, session, |link| {
            (link.up, link.since, link.why, link.session) = (true, Some(now), None, session);
        });
    }

    fn acked(&self, origin: OriginId, seq: u64) {
        self.siblings.told(self.origin, self.session, |link| link.acked = Some((origin, seq)));
    }

    fn forked(&self) {
        let why = "that node has other orders under this node's name: its disk went back, or a copy of it runs";
        self.siblings.told(self.origin, self.session, |link| link.why = Some(why.to_owned()));
    }

    fn wanted(&self, by: OriginId, wants: Vec<Want>) {
        self.siblings.wishes.wanted(by, wants);
    }

    fn lost(&self, why: String, now: Timestamp) {
        self.siblings.told(self.origin, self.session, |link| {
            if std::mem::take(&mut link.up) || link.since.is_none() {
                link.since = Some(now);
            }
            link.why = Some(why);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_sync::crdt::chain::Head;
    use pilotlight_sync::doc::origin::OriginRole;

    fn card(name: &str) -> OriginCard {
        OriginCard { origin: OriginId::derived(&[name]), key: [3; 32], role: OriginRole::Node, letter: String::new() }
    }

    fn open(dir: &tempfile::TempDir) -> Siblings {
        Siblings::open(&Paths { data: dir.path().to_owned() }, Wishes::new().0).unwrap()
    }

    #[test]
    fn y13_a_node_that_was_taken_in_is_known_by_its_token_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let siblings = open(&dir);
        siblings.took_in(&card("bar"), "BQX", "plt_old").unwrap();
        siblings.took_in(&card("bar"), "BQX", "plt_new").unwrap();
        let again = open(&dir);
        assert_eq!(again.by_token("plt_new").map(|sibling| sibling.letter), Some("BQX".to_owned()));
        assert!(again.by_token("plt_old").is_none(), "one that comes again has another token");
        assert_eq!(again.known().len(), 1);
        for n in 1..SIBLINGS_MAX {
            again.took_in(&card(&n.to_string()), "C", &n.to_string()).unwrap();
        }
        assert!(matches!(again.took_in(&card("more"), "D", "plt_more"), Err(TakeIn::TooMany(_))));
    }

    #[test]
    fn y10_safe_on_counts_each_node_that_has_everything() {
        let dir = tempfile::tempdir().unwrap();
        let siblings = open(&dir);
        let origin = OriginId::derived(&["own"]);
        let own = Position { origin, head: Head::start(&origin).then(b"one").then(b"two") };
        for (name, seq) in [("bar", 2), ("spare", 1)] {
            let told = Of { siblings: &siblings, origin: OriginId::derived(&[name]), session: 1 };
            told.acked(origin, seq);
        }
        assert_eq!(siblings.safe_on(&own), 1, "the spare lacks one commit");
        let other = Position { origin: OriginId::derived(&["new"]), ..own };
        assert_eq!(siblings.safe_on(&other), 0, "another origin is another log");
    }
}
