//! How the link to the relay is, for the owner's screen: told by the link's loop, read by everyone.

use pilotlight_sync::doc::replica::Position;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::timestamp::Timestamp;
use tokio::sync::watch;

/// Whether the relay is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkPhase {
    /// This node works alone: no relay knows it.
    None,
    /// It dials for the first time, or for the first time after it was cut off.
    Connecting {
        /// Since when.
        since: Timestamp,
    },
    /// Both have greeted.
    Online {
        /// Since when.
        since: Timestamp,
    },
    /// The relay cannot be reached; it is dialled again and again.
    Offline {
        /// Since when.
        since: Timestamp,
        /// What went wrong last.
        why: String,
    },
}

/// The link as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// Whether the relay is there.
    pub phase: LinkPhase,
    /// Where it is.
    pub relay_url: Option<String>,
    /// When it was last there.
    pub last_online: Option<Timestamp>,
    /// The relay has another log of this node's: nothing that it writes reaches the relay.
    pub forked: bool,
    /// Up to which number of which origin the relay has the own log on its disk.
    acked: Option<(OriginId, u64)>,
}

impl LinkState {
    /// Own commits that the relay does not have yet.
    pub fn waiting_commits(&self, own: &Position) -> u64 {
        match self.phase {
            LinkPhase::None => 0,
            LinkPhase::Connecting { .. } | LinkPhase::Online { .. } | LinkPhase::Offline { .. } => {
                own.head.seq.saturating_sub(self.acked_seq(own))
            }
        }
    }

    /// On how many replicas everything written here is safe: this one, and the relay when it has it all.
    pub fn safe_on(&self, own: &Position) -> u32 {
        if self.acked_seq(own) >= own.head.seq && self.acked.is_some() { 2 } else { 1 }
    }

    /// Up to which number of which origin the relay has the own log on its disk; `None` until it has said so.
    pub fn acked(&self) -> Option<(OriginId, u64)> {
        self.acked
    }

    fn acked_seq(&self, own: &Position) -> u64 {
        self.acked.filter(|(origin, _)| *origin == own.origin).map_or(0, |(_, seq)| seq)
    }
}

/// Where the state is told.
#[derive(Debug)]
pub struct LinkBoard(watch::Sender<LinkState>);

impl LinkBoard {
    /// Nobody has dialled yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(LinkState {
            phase: LinkPhase::None,
            relay_url: None,
            last_online: None,
            forked: false,
            acked: None,
        }))
    }

    /// The state now.
    pub fn now(&self) -> LinkState {
        self.0.borrow().clone()
    }

    /// Hears of every change.
    pub fn watch(&self) -> watch::Receiver<LinkState> {
        self.0.subscribe()
    }

    /// A relay is dialled. While it cannot be reached the link stays offline.
    pub(super) fn dialling(&self, relay_url: &str, now: Timestamp) {
        self.0.send_modify(|state| {
            let again = state.relay_url.as_deref() == Some(relay_url);
            match state.phase {
                LinkPhase::Offline { .. } | LinkPhase::Connecting { .. } if again => {}
                LinkPhase::Online { .. }
                | LinkPhase::None
                | LinkPhase::Offline { .. }
                | LinkPhase::Connecting { .. } => {
                    state.phase = LinkPhase::Connecting { since: now };
                }
            }
            state.relay_url = Some(relay_url.to_owned());
        });
    }

    /// Both have greeted.
    pub(super) fn online(&self, now: Timestamp) {
        metrics::gauge!("pilotlight_link_online").set(1.0);
        self.0.send_modify(|state| {
            state.phase = LinkPhase::Online { since: now };
            state.last_online = Some(now);
            state.forked = false;
        });
    }

    /// The relay and this node disagree about what this node wrote.
    pub(super) fn forked(&self) {
        self.0.send_modify(|state| state.forked = true);
    }

    /// The connection was lost, or could not be made.
    pub(super) fn lost(&self, now: Timestamp, why: String) {
        metrics::gauge!("pilotlight_link_online").set(0.0);
        self.0.send_modify(|state| {
            state.phase = match state.phase {
                LinkPhase::Online { .. } => {
                    state.last_online = Some(now);
                    LinkPhase::Connecting { since: now }
                }
                LinkPhase::Offline { since, .. } | LinkPhase::Connecting { since } => LinkPhase::Offline { since, why },
                LinkPhase::None => LinkPhase::Offline { since: now, why },
            };
        });
    }

    /// The relay's disk has the own log up to here.
    pub(super) fn acked(&self, origin: OriginId, seq: u64) {
        self.0.send_modify(|state| state.acked = Some((origin, seq)));
    }
}

impl Default for LinkBoard {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_sync::crdt::chain::Head;

    fn own(seq: u8) -> Position {
        let origin = OriginId::derived(&["own"]);
        Position { origin, head: (0..seq).fold(Head::start(&origin), |head, n| head.then(&[n])) }
    }

    #[test]
    fn y10_safe_on_counts_the_relay_only_when_it_has_everything() {
        let board = LinkBoard::new();
        assert_eq!((board.now().safe_on(&own(0)), board.now().waiting_commits(&own(5))), (1, 0));
        board.dialling("https://relay", Timestamp(1));
        assert_eq!((board.now().safe_on(&own(5)), board.now().waiting_commits(&own(5))), (1, 5));
        board.acked(own(0).origin, 5);
        assert_eq!((board.now().safe_on(&own(5)), board.now().waiting_commits(&own(5))), (2, 0));
        assert_eq!((board.now().safe_on(&own(7)), board.now().waiting_commits(&own(7))), (1, 2));
        let new = Position { origin: OriginId::derived(&["new"]), ..own(3) };
        assert_eq!(
            (board.now().safe_on(&new), board.now().waiting_commits(&new)),
            (1, 3),
            "another origin is another log"
        );
    }

    #[test]
    fn y10_a_cut_shows_as_offline_only_when_dialling_again_failed_and_since_the_cut() {
        let board = LinkBoard::new();
        let why = || "refused".to_owned();
        board.dialling("https://relay", Timestamp(1));
        board.online(Timestamp(2));
        board.lost(Timestamp(9), why());
        board.dialling("https://relay", Timestamp(10));
        assert_eq!(board.now().phase, LinkPhase::Connecting { since: Timestamp(9) });
        board.lost(Timestamp(11), why());
        board.dialling("https://relay", Timestamp(12));
        assert_eq!(board.now().phase, LinkPhase::Offline { since: Timestamp(9), why: why() });
        assert_eq!(board.now().last_online, Some(Timestamp(9)));
        board.online(Timestamp(13));
        assert_eq!(board.now().phase, LinkPhase::Online { since: Timestamp(13) });
    }
}
