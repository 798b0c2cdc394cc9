//! Business time of a demo: one file that every program reads (`--clock-file`), and the same sum here.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::clock;

/// No wait is longer than this, so that a change of speed is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Business time runs from a moment, by a factor.
#[derive(Debug)]
pub struct BusinessClock {
    file: PathBuf,
    rate: Mutex<Rate>,
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    real_ms: u64,
    business_ms: u64,
    speed: f64,
}

impl Rate {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "milliseconds of hours"
    )]
    fn at(&self, real_ms: u64) -> u64 {
        self.business_ms + (real_ms.saturating_sub(self.real_ms) as f64 * self.speed) as u64
    }
}

impl BusinessClock {
    /// Begins at a business moment (milliseconds since 1970 UTC), and writes the file.
    pub fn begin(file: &Path, business_ms: u64, speed: f64) -> anyhow::Result<Self> {
        let rate = Rate { real_ms: clock::unix_millis(), business_ms, speed };
        let clock = Self { file: file.to_path_buf(), rate: Mutex::new(rate) };
        clock.write(rate)?;
        Ok(clock)
    }

    /// The file that programs are told.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Business time goes on from now at another speed.
    pub fn set_speed(&self, speed: f64) -> anyhow::Result<()> {
        let real_ms = clock::unix_millis();
        let rate = Rate { real_ms, business_ms: self.rate().at(real_ms), speed };
        self.write(rate)?;
        *self.rate.lock().unwrap_or_else(PoisonError::into_inner) = rate;
        Ok(())
    }

    /// Business now, in milliseconds since 1970 UTC.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.rate().at(clock::unix_millis())
    }

    /// Waits for a business moment.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of hours")]
    pub async fn until(&self, business_ms: u64) {
        loop {
            let left = business_ms.saturating_sub(self.now());
            if left == 0 {
                return;
            }
            let real = Duration::from_secs_f64(left as f64 / self.rate().speed.max(0.001) / 1_000.0);
            clock::moment(real.min(LOOK_EVERY).max(Duration::from_millis(1))).await;
        }
    }

    /// Waits so long in business time.
    pub async fn pass(&self, business_ms: u64) {
        self.until(self.now() + business_ms).await;
    }

    fn rate(&self) -> Rate {
        *self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whole, by renaming: no program reads half a file.
    fn write(&self, rate: Rate) -> anyhow::Result<()> {
        let next = self.file.with_extension("next");
        let text = json!({"real_ms": rate.real_ms, "business_ms": rate.business_ms, "speed": rate.speed}).to_string();
        std::fs::write(&next, text)?;
        std::fs::rename(&next, &self.file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn business_time_goes_on_where_it_was_at_another_speed() {
        let rate = Rate { real_ms: 1_000, business_ms: 50_000, speed: 90.0 };
        assert_eq!(rate.at(1_010), 50_900);
        assert_eq!(rate.at(900), 50_000, "a clock that goes back stands still");
    }
}
