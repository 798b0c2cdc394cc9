//! When an effect is tried again, and when a person must look. Pure.

/// Tries before an effect is parked: with the waits below about seven minutes.
pub const TRIES_MAX: u32 = 20;
/// Before the second try, in milliseconds; doubled for each further one.
const WAIT_MS_MIN: u64 = 50;
/// Longest wait between two tries, in milliseconds.
const WAIT_MS_MAX: u64 = 30_000;

/// How long to wait after so many tries without an answer; `None` parks it (SPEC A2).
pub fn wait_ms(tries: u32) -> Option<u64> {
    (tries < TRIES_MAX).then(|| (WAIT_MS_MIN << tries.saturating_sub(1).min(16)).min(WAIT_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a2_waits_double_to_a_limit_and_end_with_a_person() {
        let waits: Vec<u64> = (1..TRIES_MAX).filter_map(wait_ms).collect();
        assert_eq!(waits[..4], [50, 100, 200, 400]);
        assert_eq!(waits.last(), Some(&WAIT_MS_MAX));
        assert_eq!(waits.len(), usize::try_from(TRIES_MAX).unwrap() - 1);
        assert_eq!(wait_ms(TRIES_MAX), None);
        assert!((300_000..600_000).contains(&waits.iter().sum::<u64>()));
    }
}
