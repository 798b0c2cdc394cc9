//! How the links of a site's nodes are, and whether the site is open online: the node that is to make an order answers, and has been up
//! a while since its last cut.

use crate::store::site_rows::{NodeNo, NodeSession};
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// A link as it is now. Times are those of business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// No node has dialled since this relay was started.
    Never,
    /// Cut.
    Down {
        /// When it was noticed.
        since: Timestamp,
    },
    /// A node answers.
    Up {
        /// Since its last cut.
        since: Timestamp,
    },
    /// A node has a longer log of the relay's own than the relay itself: the relay's disk went back. A person must decide.
    RelayWentBack {
        /// When it was noticed.
        since: Timestamp,
    },
}

/// The link of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLink {
    /// Which session was the last.
    pub session: u64,
    /// Under which origin the node writes.
    pub origin: OriginId,
    /// Whether it is there.
    pub up: bool,
    /// Since when.
    pub since: Timestamp,
}

/// The links of a site's nodes, in the order in which these were enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    nodes: BTreeMap<NodeNo, NodeLink>,
    relay_went_back: Option<Timestamp>,
}

impl Links {
    /// Whether a newer session of this node than this one has begun.
    pub fn is_superseded(&self, session: NodeSession) -> bool {
        self.nodes.get(&session.node).is_some_and(|link| link.up && link.session > session.number)
    }

    /// Whether this session is the one that a node is there with.
    pub fn is_up(&self, session: NodeSession) -> bool {
        self.nodes.get(&session.node).is_some_and(|link| link.up && link.session == session.number)
    }

    /// All of them together: up since the longest, or down since the last.
    pub fn all(&self) -> Link {
        if let Some(since) = self.relay_went_back {
            return Link::RelayWentBack { since };
        }
        let since = |up: bool| self.nodes.values().filter(move |link| link.up == up).map(|link| link.since);
        match (since(true).min(), since(false).max()) {
            (Some(since), _) => Link::Up { since },
            (None, Some(since)) => Link::Down { since },
            (None, None) => Link::Never,
        }
    }

    /// The links themselves.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeLink> {
        self.nodes.values()
    }
}

/// The links of one site.
#[derive(Debug)]
pub struct LinkState {
    links: watch::Sender<Links>,
    told: Mutex<BTreeSet<&'static str>>,
}

impl Default for LinkState {
    fn default() -> Self {
        Self { links: watch::Sender::new(Links::default()), told: Mutex::default() }
    }
}

impl LinkState {
    /// How they are; tells when one changes.
    pub fn watch(&self) -> watch::Receiver<Links> {
        self.links.subscribe()
    }

    /// How they are together.
    pub fn now(&self) -> Link {
        self.links.borrow().all()
    }

    /// How each is.
    pub fn links(&self) -> Links {
        self.links.borrow().clone()
    }

    /// The node that new orders are named for: of those that have answered lately (or their session would have ended) and been up for
    /// so many milliseconds of business time since their last cut, the one that was enrolled first. `None`: the site is closed online.
    pub fn owner(&self, now: Timestamp, steady_ms: u64) -> Option<OriginId> {
        let links = self.links.borrow();
        if links.relay_went_back.is_some() {
            return None;
        }
        let steady = |link: &&NodeLink| link.up && now.ms_since(link.since) >= steady_ms;
        links.nodes.values().find(steady).map(|link| link.origin)
    }

    /// Whether customers may order.
    pub fn is_open(&self, now: Timestamp, steady_ms: u64) -> bool {
        self.owner(now, steady_ms).is_some()
    }

    /// Whether the node that writes under this origin can be asked now. One that was never heard of may have another name by now:
    /// then it is whether any node can.
    pub fn reaches(&self, origin: &OriginId) -> bool {
        let links = self.links.borrow();
        let known = links.nodes.values().any(|link| link.origin == *origin);
        links.relay_went_back.is_none()
            && links.nodes.values().any(|link| link.up && (link.origin == *origin || !known))
    }

    /// A session has greeted, of a node that writes under this origin. An older one's word counts no more.
    pub fn up(&self, session: NodeSession, origin: OriginId, now: Timestamp) {
        self.links.send_if_modified(|links| {
            if links.relay_went_back.is_some() {
                return false;
            }
            let known = links.nodes.get(&session.node);
            if known.is_some_and(|link| link.up && link.session >= session.number) {
                return false;
            }
            links.nodes.insert(session.node, NodeLink { session: session.number, origin, up: true, since: now });
            true
        });
    }

    /// A session has ended.
    pub fn down(&self, session: NodeSession, now: Timestamp) {
        self.links.send_if_modified(|links| match links.nodes.get_mut(&session.node) {
            Some(link) if link.up && link.session == session.number => {
                (link.up, link.since) = (false, now);
                true
            }
            Some(_) | None => false,
        });
    }

    /// The relay's own log is behind what a node has.
    pub fn relay_went_back(&self, now: Timestamp) {
        self.links.send_modify(|links| links.relay_went_back = Some(now));
    }

    /// Whether this is said of this site for the first time: a peer that repeats itself does not fill the log.
    pub(super) fn first_time(&self, word: &'static str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(node: i64) -> OriginId {
        OriginId::derived(&[&node.to_string()])
    }

    fn session(node: i64, number: u64) -> NodeSession {
        NodeSession { node: NodeNo(node), number }
    }

    #[test]
    fn e7_a_site_is_open_when_its_node_has_been_up_a_while_since_the_last_cut() {
        let link = LinkState::default();
        let open = |ms| link.is_open(Timestamp(ms), 30_000);
        let up = |number, ms| link.up(session(1, number), origin(1), Timestamp(ms));
        assert!(!open(u64::MAX));
        up(1, 1_000);
        assert!(!open(30_999) && open(31_000));
        link.down(session(1, 1), Timestamp(40_000));
        assert!(!open(100_000));
        up(2, 50_000);
        assert!(!open(79_999) && open(80_000));
        link.down(session(1, 1), Timestamp(81_000));
        assert!(open(81_000), "the end of an older session is no news");
        up(3, 90_000);
        assert!(!open(90_001), "a session that takes over is a cut too");
        link.relay_went_back(Timestamp(200_000));
        up(4, 200_001);
        assert!(!open(u64::MAX), "until a person has decided");
    }

    #[test]
    fn e7_of_several_nodes_the_first_that_is_up_makes_new_orders() {
        let link = LinkState::default();
        let owner = |ms| link.owner(Timestamp(ms), 30_000);
        link.up(session(2, 1), origin(2), Timestamp(0));
        link.up(session(1, 7), origin(1), Timestamp(10_000));
        assert_eq!(owner(30_000), Some(origin(2)), "the first node is not steady yet");
        assert_eq!(owner(40_000), Some(origin(1)));
        link.down(session(1, 7), Timestamp(50_000));
        assert_eq!(owner(50_000), Some(origin(2)), "the second one keeps the site open");
        assert!(!link.reaches(&origin(1)) && link.reaches(&origin(2)) && link.reaches(&origin(9)));
        assert_eq!(link.now(), Link::Up { since: Timestamp(0) });
        link.down(session(2, 1), Timestamp(60_000));
        assert_eq!((owner(u64::MAX), link.now()), (None, Link::Down { since: Timestamp(60_000) }));
    }

    #[test]
    fn e5_a_session_ends_only_older_ones_of_its_own_node() {
        let link = LinkState::default();
        link.up(session(1, 4), origin(1), Timestamp(0));
        link.up(session(2, 9), origin(2), Timestamp(0));
        let links = link.links();
        assert!(links.is_superseded(session(1, 3)) && !links.is_superseded(session(1, 4)));
        assert!(!links.is_superseded(session(3, 1)));
    }

    #[test]
    fn e6_what_is_refused_is_told_once() {
        let link = LinkState::default();
        assert!(link.first_time("bad_signature") && !link.first_time("bad_signature") && link.first_time("silent"));
    }
}
