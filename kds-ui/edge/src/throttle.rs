//! Slows down guessing: after five failures a key is locked, each further failure doubles the time. Where a lock would hit others than who
//! guesses, a budget bounds guessing instead: it is large, and fills up again by itself (SPEC R3, R5).

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

/// Failures that many share, by key: so many at once, then one each time that the budget takes to fill up by one.
#[derive(Debug)]
pub struct Budget {
    most: u32,
    refill_ms: u64,
    /// What is spent, and since when it fills up.
    spent: BTreeMap<String, (u32, Timestamp)>,
}

impl Budget {
    /// A budget of `most` failures a key that fills up by one each `refill_ms` milliseconds.
    pub fn new(most: u32, refill_ms: u64) -> Self {
        Self { most, refill_ms, spent: BTreeMap::new() }
    }

    /// Whether something is left for this key.
    pub fn check(&self, key: &str, now: Timestamp) -> Result<(), Locked> {
        let (spent, since) = self.spent_now(key, now);
        let waited = now.ms_since(since);
        if spent < self.most { Ok(()) } else { Err(Locked { retry_after_ms: self.refill_ms.saturating_sub(waited) }) }
    }

    /// Takes one out.
    pub fn failed(&mut self, key: &str, now: Timestamp) {
        let (spent, since) = self.spent_now(key, now);
        if self.spent.len() >= KEYS_MAX && !self.spent.contains_key(key) {
            let oldest = self.spent.iter().min_by_key(|(_, (_, since))| *since).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.spent.remove(&key));
        }
        self.spent.insert(key.to_owned(), (spent.saturating_add(1), since));
    }

    /// Puts one back: what was taken was no failure.
    pub fn put_back(&mut self, key: &str, now: Timestamp) {
        match self.spent_now(key, now) {
            (0 | 1, _) => drop(self.spent.remove(key)),
            (spent, since) => drop(self.spent.insert(key.to_owned(), (spent - 1, since))),
        }
    }

    fn spent_now(&self, key: &str, now: Timestamp) -> (u32, Timestamp) {
        let Some((spent, since)) = self.spent.get(key).copied() else { return (0, now) };
        let refilled = now.ms_since(since).checked_div(self.refill_ms).unwrap_or(u64::MAX);
        match u32::try_from(refilled).ok().and_then(|refilled| spent.checked_sub(refilled)).unwrap_or(0) {
            0 => (0, now),
            left => (left, since.plus_ms(refilled.saturating_mul(self.refill_ms))),
        }
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
        let (mut throttle, mut budget) = (Throttle::default(), Budget::new(2, 1_000));
        for key in 0..2 * KEYS_MAX {
            throttle.failed(&key.to_string(), Timestamp(key as u64));
            budget.failed(&key.to_string(), Timestamp(key as u64));
        }
        assert_eq!((throttle.failures.len(), budget.spent.len()), (KEYS_MAX, KEYS_MAX));
    }

    #[test]
    fn r5_a_budget_is_spent_and_fills_up_again() {
        let mut budget = Budget::new(3, 1_000);
        let at = |ms: u64| Timestamp(1_000_000 + ms);
        for ms in [0, 100, 200] {
            assert_eq!(budget.check("ada", at(ms)), Ok(()));
            budget.failed("ada", at(ms));
        }
        assert_eq!(budget.check("ada", at(400)), Err(Locked { retry_after_ms: 600 }));
        assert_eq!(budget.check("eve", at(400)), Ok(()), "each key has its own");
        assert_eq!(budget.check("ada", at(1_000)), Ok(()));
        budget.failed("ada", at(1_500));
        assert_eq!(budget.check("ada", at(1_500)), Err(Locked { retry_after_ms: 500 }));
        budget.put_back("ada", at(1_500));
        assert_eq!(budget.check("ada", at(1_500)), Ok(()));
        assert_eq!(budget.spent_now("ada", at(60_000)).0, 0, "and is full in the end");
    }
}
