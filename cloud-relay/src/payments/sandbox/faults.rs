//! The faults that the sandbox plays, drawn from a seed so that a run can be repeated.

use serde::{Deserialize, Serialize};

/// What goes wrong, and how often. A share is between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Waits so long before it does anything, in milliseconds.
    pub latency_ms: u64,
    /// Authorisations that the bank refuses, besides the card that is always refused.
    pub decline_share: f64,
    /// Requests whose connection is closed before anything was executed.
    pub lost_request_share: f64,
    /// Requests that are executed, and then the connection is cut.
    pub lost_answer_share: f64,
    /// The same seed draws the same faults for the same requests in the same order.
    pub seed: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self { latency_ms: 0, decline_share: 0.0, lost_request_share: 0.0, lost_answer_share: 0.0, seed: 1 }
    }
}

impl Faults {
    /// The first share that is none.
    pub fn wrong_share(&self) -> Option<&'static str> {
        let shares = [
            ("decline_share", self.decline_share),
            ("lost_request_share", self.lost_request_share),
            ("lost_answer_share", self.lost_answer_share),
        ];
        shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)).map(|(name, _)| name)
    }
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// Its connection is closed before anything is executed.
    pub request_lost: bool,
    /// It is executed and its answer is not sent.
    pub answer_lost: bool,
    /// The bank refuses it, when it is an authorisation.
    pub declined: bool,
}

/// How often each fault had a chance, and struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Struck {
    /// Requests to execute something.
    pub requests: u64,
    /// Lost before they were executed.
    pub lost_requests: u64,
    /// Executed, and the answer lost.
    pub lost_answers: u64,
    /// Authorisations that the dice declined.
    pub declines: u64,
}

/// Draws the fates of requests.
#[derive(Debug, Clone)]
pub struct Dice {
    faults: Faults,
    state: u64,
    struck: Struck,
}

impl Dice {
    /// Dice for these faults.
    pub fn new(faults: Faults) -> Self {
        Self { faults, state: faults.seed, struck: Struck::default() }
    }

    /// What is dialled.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// What struck so far.
    pub fn struck(&self) -> Struck {
        self.struck
    }

    /// Dials other faults; what struck before still counts.
    pub fn dial(&mut self, faults: Faults) {
        *self = Self { struck: self.struck, ..Self::new(faults) };
    }

    /// Draws one request's fate. Always three draws, so that one fault's share does not shift another's sequence.
    pub fn fate(&mut self) -> Fate {
        let (lost, cut, declined) = (self.draw(), self.draw(), self.draw());
        let request_lost = lost < self.faults.lost_request_share;
        let answer_lost = !request_lost && cut < self.faults.lost_answer_share;
        self.struck.requests += 1;
        self.struck.lost_requests += u64::from(request_lost);
        self.struck.lost_answers += u64::from(answer_lost);
        Fate { request_lost, answer_lost, declined: declined < self.faults.decline_share }
    }

    /// Counts a decline that came from the dice.
    pub fn declined(&mut self) {
        self.struck.declines += 1;
    }

    /// The next number in [0, 1): SplitMix64.
    fn draw(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // 53 bits are what a float of this size holds exactly.
        let bits = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a4_faults_strike_as_often_as_dialled_and_the_same_for_the_same_seed() {
        let faults =
            Faults { lost_request_share: 0.1, lost_answer_share: 0.05, decline_share: 0.02, ..Faults::default() };
        let (mut one, mut two) = (Dice::new(faults), Dice::new(faults));
        for _ in 0..10_000 {
            assert_eq!(one.fate(), two.fate());
        }
        let struck = one.struck();
        assert!((900..1_100).contains(&struck.lost_requests), "{struck:?}");
        assert!((380..520).contains(&struck.lost_answers), "{struck:?}");
        let mut none = Dice::new(Faults::default());
        assert!((0..1_000).all(|_| none.fate() == Fate { request_lost: false, answer_lost: false, declined: false }));
    }

    #[test]
    fn a4_a_share_is_between_nothing_and_all() {
        assert_eq!(Faults::default().wrong_share(), None);
        assert_eq!(Faults { decline_share: 1.1, ..Faults::default() }.wrong_share(), Some("decline_share"));
        assert_eq!(
            Faults { lost_answer_share: f64::NAN, ..Faults::default() }.wrong_share(),
            Some("lost_answer_share")
        );
    }
}
