//! How a site's link is, and whether the site is open online: its node answers, and has been up a while since the last cut.

use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeSet;
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
    /// The node answers.
    Up {
        /// Since the last cut.
        since: Timestamp,
        /// Which session.
        session: u64,
    },
    /// The node has a longer log of the relay's own than the relay itself: the relay's disk went back. A person must decide.
    RelayWentBack {
        /// When it was noticed.
        since: Timestamp,
    },
}

/// The link of one site.
#[derive(Debug)]
pub struct LinkState {
    link: watch::Sender<Link>,
    told: Mutex<BTreeSet<&'static str>>,
}

impl Default for LinkState {
    fn default() -> Self {
        Self { link: watch::Sender::new(Link::Never), told: Mutex::default() }
    }
}

impl LinkState {
    /// How it is; tells when it changes.
    pub fn watch(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// How it is now.
    pub fn now(&self) -> Link {
        *self.link.borrow()
    }

    /// Whether customers may order: the node has answered lately (or the session would have ended) and been up for so many
    /// milliseconds of business time since the last cut.
    pub fn is_open(&self, now: Timestamp, steady_ms: u64) -> bool {
        match self.now() {
            Link::Up { since, .. } => now.ms_since(since) >= steady_ms,
            Link::Never | Link::Down { .. } | Link::RelayWentBack { .. } => false,
        }
    }

    /// A session has greeted. An older one's word counts no more.
    pub fn up(&self, session: u64, now: Timestamp) {
        self.link.send_if_modified(|link| match *link {
            Link::Up { session: newest, .. } if newest >= session => false,
            Link::RelayWentBack { .. } => false,
            Link::Never | Link::Down { .. } | Link::Up { .. } => {
                *link = Link::Up { since: now, session };
                true
            }
        });
    }

    /// A session has ended.
    pub fn down(&self, session: u64, now: Timestamp) {
        self.link.send_if_modified(|link| match *link {
            Link::Up { session: newest, .. } if newest == session => {
                *link = Link::Down { since: now };
                true
            }
            Link::Never | Link::Down { .. } | Link::Up { .. } | Link::RelayWentBack { .. } => false,
        });
    }

    /// The relay's own log is behind what its node has.
    pub fn relay_went_back(&self, now: Timestamp) {
        self.link.send_replace(Link::RelayWentBack { since: now });
    }

    /// Whether this is said of this site for the first time: a peer that repeats itself does not fill the log.
    pub(super) fn first_time(&self, word: &'static str) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e7_a_site_is_open_when_its_node_has_been_up_a_while_since_the_last_cut() {
        let link = LinkState::default();
        let open = |ms| link.is_open(Timestamp(ms), 30_000);
        assert!(!open(u64::MAX));
        link.up(1, Timestamp(1_000));
        assert!(!open(30_999) && open(31_000));
        link.down(1, Timestamp(40_000));
        assert!(!open(100_000));
        link.up(2, Timestamp(50_000));
        assert!(!open(79_999) && open(80_000));
        link.down(1, Timestamp(81_000));
        assert!(open(81_000), "the end of an older session is no news");
        link.up(3, Timestamp(90_000));
        assert!(!open(90_001), "a session that takes over is a cut too");
        link.relay_went_back(Timestamp(200_000));
        link.up(4, Timestamp(200_001));
        assert!(!open(u64::MAX), "until a person has decided");
    }

    #[test]
    fn e6_what_is_refused_is_told_once() {
        let link = LinkState::default();
        assert!(link.first_time("bad_signature") && !link.first_time("bad_signature") && link.first_time("silent"));
    }
}
