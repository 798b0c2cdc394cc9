//! A small seeded random source, so that every fault test can be run again from the number it prints.
//!
//! SplitMix64: good enough to choose cut points and pages, and the same on every machine.

/// A deterministic stream of numbers.
#[derive(Debug, Clone)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// Starts a stream; equal seeds give equal streams.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Starts a stream that no other run has.
    pub fn from_system() -> anyhow::Result<Self> {
        let seed = getrandom::u64().map_err(|error| anyhow::anyhow!("no random source: {error}"))?;
        Ok(Self::new(seed))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least one.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.next_u64() % bound).unwrap_or(0)
    }

    /// A fraction in `[0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A waiting time of a Poisson process with this rate, in seconds.
    pub fn exponential(&mut self, rate_per_second: f64) -> f64 {
        -(1.0 - self.fraction()).ln() / rate_per_second
    }

    /// A random (version 4) id from this stream.
    pub fn uuid(&mut self) -> uuid::Uuid {
        uuid::Builder::from_random_bytes(
            ((u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())).to_be_bytes(),
        )
        .into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_streams_and_others_differ() {
        let stream = |seed| {
            let mut s = Seeded::new(seed);
            [s.next_u64(), s.next_u64()]
        };
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
    }

    #[test]
    fn poisson_waits_have_the_mean_of_their_rate() {
        let mut source = Seeded::new(1);
        let mean = (0..20_000).map(|_| source.exponential(1_000.0)).sum::<f64>() / 20_000.0;
        assert!((0.000_97..0.001_03).contains(&mean), "mean wait {mean}");
    }
}
