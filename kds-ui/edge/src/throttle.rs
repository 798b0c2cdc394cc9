//! Slows down guessing: after five failures a key is locked, each further failure doubles the time.

use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeMap;

/// Failures that cost nothing.
const FREE_FAILURES: u32 = 5;
/// First lock, in milliseconds; doubled with each further failure.
const LOCK_MS_MIN: u64 = 30_000;
/// Longest lock, in milliseconds.
const LOCK_MS_MAX: u64 = 15 * 60_000;
/// Keys remembered; the one that failed longest ago is forgotten first.
const KEYS_MAX: usize = 4_096;

/// Try again then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many failures: try again in {} s", .retry_after_ms.div_ceil(1000))]
pub struct Locked {
    /// How long to wait, in milliseconds.
    pub retry_after_ms: u64,
}

/// Failures by key: a device and person, or an address.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: BTreeMap<String, (u32, Timestamp)>,
}

impl Throttle {
    /// Whether this key may try now.
    pub fn check(&self, key: &str, now: Timestamp) -> Result<(), Locked> {
        let Some((failures, last)) = self.failures.get(key) else { return Ok(()) };
        let lock = lock_ms(*failures);
        let waited = now.ms_since(*last);
        if waited >= lock { Ok(()) } else { Err(Locked { retry_after_ms: lock - waited }) }
    }

    /// Remembers a failure.
    pub fn failed(&mut self, key: &str, now: Timestamp) {
        if self.failures.len() >= KEYS_MAX && !self.failures.contains_key(key) {
            let oldest = self.failures.iter().min_by_key(|(_, (_, last))| *last).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.failures.remove(&key));
        }
        let entry = self.failures.entry(key.to_owned()).or_insert((0, now));
        *entry = (entry.0.saturating_add(1), now);
    }

    /// Forgets a key's failures.
    pub fn succeeded(&mut self, key: &str) {
        self.failures.remove(key);
    }
}

fn lock_ms(failures: u32) -> u64 {
    match failures.checked_sub(FREE_FAILURES) {
        None => 0,
        Some(over) => (LOCK_MS_MIN << over.min(10)).min(LOCK_MS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_the_sixth_guess_waits_and_each_further_failure_doubles_the_wait() {
        let mut throttle = Throttle::default();
        let mut now = Timestamp(1_000);
        for _ in 0..5 {
            assert_eq!(throttle.check("pin", now), Ok(()));
            throttle.failed("pin", now);
        }
        assert_eq!(throttle.check("pin", now), Err(Locked { retry_after_ms: 30_000 }));
        assert_eq!(throttle.check("other", now), Ok(()));
        now = now.plus_ms(30_000);
        assert_eq!(throttle.check("pin", now), Ok(()));
        throttle.failed("pin", now);
        assert_eq!(throttle.check("pin", now), Err(Locked { retry_after_ms: 60_000 }));
        throttle.succeeded("pin");
        assert_eq!(throttle.check("pin", now), Ok(()));
    }

    #[test]
    fn r3_the_memory_of_failures_is_bounded() {
        let mut throttle = Throttle::default();
        for key in 0..2 * KEYS_MAX {
            throttle.failed(&key.to_string(), Timestamp(key as u64));
        }
        assert_eq!(throttle.failures.len(), KEYS_MAX);
    }
}
