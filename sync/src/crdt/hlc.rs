//! Hybrid logical clock: close to the wall clock, never behind what was seen.
//!
//! Source: Kulkarni et al., Logical Physical Clocks, 2014. 48 bits of milliseconds, 16 bits of counter.

use crate::domain::timestamp::Timestamp;
use minicbor::{Decode, Encode};

/// A received time this far ahead of our clock never moves it (SPEC H2).
pub const AHEAD_MS_MAX: u64 = 10 * 60 * 1000;

const COUNTER_BITS: u32 = 16;
const COUNTER_MAX: u64 = (1 << COUNTER_BITS) - 1;
const MS_MAX: u64 = (1 << 48) - 1;

/// A moment of the hybrid clock; ordered as milliseconds, then counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The moment's wall-clock part.
    pub const fn wall(self) -> Timestamp {
        Timestamp(self.0 >> COUNTER_BITS)
    }

    /// The next moment for an own write: after everything seen, at or after the wall clock (SPEC H1).
    pub fn tick(self, now: Timestamp) -> Self {
        let wall = Self(now.0.min(MS_MAX) << COUNTER_BITS);
        if wall > self {
            return wall;
        }
        // A full counter borrows a millisecond from the future: 65,536 writes within one, or a clock that stands still.
        Self(self.0.saturating_add(1))
    }

    /// What remains to be remembered after a moment was received: the higher, unless it is absurdly far ahead (SPEC H2).
    pub fn receive(self, other: Self, now: Timestamp) -> Self {
        if other.wall().ms_since(now) > AHEAD_MS_MAX { self } else { self.max(other) }
    }

    /// The counter part.
    pub const fn counter(self) -> u64 {
        self.0 & COUNTER_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_an_own_write_is_after_everything_seen_even_when_the_clock_stands_still_or_jumps_back() {
        let mut last = Hlc::default();
        for now in [1_000, 1_000, 1_000, 400, 0, 1_001, 5_000, 4_999] {
            let next = last.tick(Timestamp(now));
            assert!(next > last, "at {now}");
            assert!(next.wall() >= Timestamp(now));
            last = next;
        }
        assert_eq!(last.wall(), Timestamp(5_000));
        let full = Hlc((7 << COUNTER_BITS) | COUNTER_MAX);
        assert!(full.tick(Timestamp(7)) > full);
        assert!(Hlc(u64::MAX).tick(Timestamp(u64::MAX)) == Hlc(u64::MAX), "the end of time does not panic");
    }

    #[test]
    fn h2_a_received_time_more_than_ten_minutes_ahead_does_not_move_the_clock() {
        let now = Timestamp(1_000_000);
        let mine = Hlc::default().tick(now);
        let near = Hlc::default().tick(now.plus_ms(AHEAD_MS_MAX));
        let far = Hlc::default().tick(now.plus_ms(AHEAD_MS_MAX + 1));
        assert_eq!(mine.receive(near, now), near);
        assert_eq!(mine.receive(far, now), mine);
        assert_eq!(near.receive(mine, now), near);
    }
}
