//! How long to wait before dialling again: full jitter, so that a thousand nodes do not come back in the same second.

/// The first ceiling.
const FIRST_MS: u64 = 500;

/// Counts failed attempts.
#[derive(Debug, Clone)]
pub struct Backoff {
    failed: u32,
    max_ms: u64,
}

impl Backoff {
    /// Never waits longer than this.
    pub const fn new(max_ms: u64) -> Self {
        Self { failed: 0, max_ms }
    }

    /// An attempt failed: wait this long. `random` is any number.
    pub fn next_ms(&mut self, random: u64) -> u64 {
        let ceiling = FIRST_MS.saturating_mul(1 << self.failed.min(20)).min(self.max_ms);
        self.failed = self.failed.saturating_add(1);
        random % (ceiling + 1)
    }

    /// The relay asked to wait so long: that, and up to as long again, so that those who were asked together do not come together.
    pub const fn asked_ms(asked_ms: u64, random: u64) -> u64 {
        asked_ms.saturating_add(random % (asked_ms.saturating_add(1)))
    }

    /// It went well: the next failure begins from the front.
    pub const fn reset(&mut self) {
        self.failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y8_dialling_again_waits_up_to_twice_as_long_each_time_and_never_longer_than_the_most() {
        let mut backoff = Backoff::new(30_000);
        let ceilings: Vec<u64> = (0..9).map(|_| backoff.clone().next_ms_at_most(&mut backoff)).collect();
        assert_eq!(ceilings, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.next_ms(u64::MAX - u64::MAX % 501), 0);
        for _ in 0..100 {
            backoff.next_ms(0);
        }
        assert!(backoff.next_ms(u64::MAX) <= 30_000);
    }

    #[test]
    fn y8_whoever_is_asked_to_wait_waits_that_long_and_up_to_as_long_again() {
        for random in [0, 1, 700, 999, 1_000, 1_001, u64::MAX] {
            assert!((1_000..=2_000).contains(&Backoff::asked_ms(1_000, random)));
        }
        assert_eq!(Backoff::asked_ms(0, u64::MAX), 0);
        assert_eq!(Backoff::asked_ms(u64::MAX, u64::MAX), u64::MAX);
    }

    impl Backoff {
        /// The ceiling of the next wait: the longest that any number gives.
        fn next_ms_at_most(&self, real: &mut Self) -> u64 {
            let longest = (0..31_000).map(|random| self.clone().next_ms(random)).max().unwrap_or(0);
            real.next_ms(0);
            longest
        }
    }
}
