//! A circuit breaker: a gateway that does not answer is left alone for a while, then tried with one request.

/// Unknown outcomes in a row that open it.
const FAILURES_MAX: u32 = 8;
/// Open for so long at first, in milliseconds; doubled each time the trial fails.
const OPEN_MS_MIN: u64 = 500;
/// Open for so long at most.
const OPEN_MS_MAX: u64 = 30_000;

/// Whether requests go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until_ms: u64, open_ms: u64 },
    Trying { since_ms: u64, open_ms: u64 },
}

/// Watches one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker(State);

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// Lets a request through, or says when to come back. After the wait one request goes ahead of the others.
    pub fn enter(&mut self, now_ms: u64) -> Result<(), u64> {
        match self.0 {
            State::Closed { .. } => Ok(()),
            State::Open { until_ms, .. } if now_ms < until_ms => Err(until_ms),
            // A trial whose outcome was never told must not keep the gateway shut for ever.
            State::Trying { since_ms, open_ms } if now_ms < since_ms + OPEN_MS_MAX => Err(now_ms + open_ms),
            State::Open { open_ms, .. } | State::Trying { open_ms, .. } => {
                self.0 = State::Trying { since_ms: now_ms, open_ms };
                Ok(())
            }
        }
    }

    /// The gateway answered, whatever it said.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// No answer came. Returns whether this one opened it.
    pub fn silent(&mut self, now_ms: u64) -> bool {
        let open_ms = match self.0 {
            State::Closed { failures } if failures + 1 < FAILURES_MAX => {
                self.0 = State::Closed { failures: failures + 1 };
                return false;
            }
            State::Closed { .. } => OPEN_MS_MIN,
            State::Trying { open_ms, .. } => (open_ms * 2).min(OPEN_MS_MAX),
            // An answer to a request from before it opened.
            State::Open { .. } => return false,
        };
        self.0 = State::Open { until_ms: now_ms + open_ms, open_ms };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a3_a_silent_gateway_is_left_alone_and_tried_with_one_request() {
        let mut breaker = Breaker::default();
        for _ in 1..FAILURES_MAX {
            assert_eq!(breaker.enter(0), Ok(()));
            assert!(!breaker.silent(0));
        }
        assert!(breaker.silent(0), "the eighth in a row opens it");
        assert_eq!(breaker.enter(499), Err(500));
        assert_eq!(breaker.enter(500), Ok(()), "the trial");
        assert_eq!(breaker.enter(500), Err(1_000), "nobody else");
        assert!(breaker.silent(500));
        assert_eq!(breaker.enter(1_499), Err(1_500), "twice as long");
        assert_eq!(breaker.enter(1_500), Ok(()));
        breaker.answered();
        assert_eq!((breaker.enter(1_500), breaker.enter(1_500)), (Ok(()), Ok(())));
    }

    #[test]
    fn a3_an_answer_between_two_silences_begins_the_count_anew_and_a_lost_trial_ends() {
        let mut breaker = Breaker::default();
        for _ in 0..3 * FAILURES_MAX {
            breaker.silent(0);
            breaker.answered();
        }
        assert_eq!(breaker, Breaker::default());
        (0..FAILURES_MAX).for_each(|_| {
            breaker.silent(0);
        });
        assert_eq!(breaker.enter(500), Ok(()));
        assert_eq!(breaker.enter(500 + OPEN_MS_MAX), Ok(()), "a trial that never came back");
    }
}
