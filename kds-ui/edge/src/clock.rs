//! The only place that reads the machine's clock; everything else is told the time.
//!
//! Business time may run by a file (`--clock-file`): JSON with `real_ms`, `business_ms` and `speed`. Business now is
//! `business_ms + (real - real_ms) * speed` and never goes back, whatever is written into the file.

use crate::files::{self, FileError};
use pilotlight_sync::domain::timestamp::Timestamp;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The fastest that business time may run.
const SPEED_MAX: f64 = 100_000.0;
/// The end of the year 9999, in milliseconds: no calendar goes further.
const TIME_MS_MAX: u64 = 253_402_300_799_999;

/// Tells the time: the machine's, that of a file, or one that a test moves.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Machine,
    File(Arc<FileClock>),
    Manual(Arc<AtomicU64>),
}

#[derive(Debug)]
struct FileClock {
    path: PathBuf,
    rate: RwLock<(Option<Changed>, Rate)>,
    last: AtomicU64,
}

/// When the file was written, and its length: one that was read half written has another length afterwards.
type Changed = (SystemTime, u64);

/// How business time runs against the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Rate {
    real_ms: u64,
    business_ms: u64,
    speed: f64,
}

/// The clock's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClockFileError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not there.
    #[error("there is no clock file {0}")]
    Missing(String),
    /// It says something else.
    #[error(
        "the clock file {file}: {field}: {said}. Write JSON with real_ms and business_ms, in milliseconds since 1970 up to the year 9999, \
         and a speed from 0 to {SPEED_MAX}"
    )]
    Content {
        /// Which file.
        file: String,
        /// Where in it.
        field: String,
        /// What is wrong there.
        said: String,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Self {
        Self(Source::Machine)
    }

    /// A clock that stands still until it is set.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(start.0))))
    }

    /// The clock of this file, or the machine's when there is none.
    pub fn of(file: Option<&Path>) -> Result<Self, ClockFileError> {
        let Some(path) = file else { return Ok(Self::machine()) };
        let changed_at = changed_at(path);
        let rate = read(path, machine_ms())?;
        let clock = FileClock { path: path.to_owned(), rate: RwLock::new((changed_at, rate)), last: AtomicU64::new(0) };
        Ok(Self(Source::File(Arc::new(clock))))
    }

    /// Moves a manual clock on; the others take no notice.
    pub fn advance(&self, ms: u64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// Sets a manual clock, also back; the others take no notice.
    pub fn set(&self, to: Timestamp) {
        if let Source::Manual(now) = &self.0 {
            now.store(to.0, Ordering::SeqCst);
        }
    }

    /// Now, in business: what orders, quotes and deadlines go by.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Machine => Timestamp(machine_ms()),
            Source::File(clock) => Timestamp(clock.now(machine_ms())),
            Source::Manual(now) => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Now, by the machine: what certificates and connections go by.
    pub fn real(&self) -> Timestamp {
        match &self.0 {
            Source::Machine | Source::File(_) => Timestamp(machine_ms()),
            Source::Manual(now) => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Looks after the file until the program stops; other clocks need no looking after.
    pub async fn follow(self, stopping: CancellationToken) {
        let Source::File(clock) = self.0 else { return };
        let mut told = false;
        while tokio::time::timeout(LOOK_EVERY, stopping.cancelled()).await.is_err() {
            match clock.look(machine_ms()) {
                Ok(Looked::Same) => {}
                Ok(Looked::Changed) => told = false,
                Err(error) => {
                    // Also when it is written again and again: the log says it once until the file is good.
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "the clock goes on as before");
                    }
                }
            }
        }
    }
}

/// What a look at the file found.
#[derive(Debug, PartialEq, Eq)]
enum Looked {
    /// It says what it said.
    Same,
    /// It is good, and time runs by it from now on.
    Changed,
}

impl FileClock {
    fn now(&self, real_ms: u64) -> u64 {
        let now = self.rate.read().unwrap_or_else(PoisonError::into_inner).1.at(real_ms);
        self.last.fetch_max(now, Ordering::SeqCst).max(now)
    }

    /// Reads the file again when it was changed. A file that cannot be read is told once, and looked at again when it changes.
    fn look(&self, real_ms: u64) -> Result<Looked, ClockFileError> {
        let changed_at = changed_at(&self.path);
        if self.rate.read().unwrap_or_else(PoisonError::into_inner).0 == changed_at {
            return Ok(Looked::Same);
        }
        let rate = read(&self.path, real_ms);
        let mut known = self.rate.write().unwrap_or_else(PoisonError::into_inner);
        known.0 = changed_at;
        known.1 = rate?;
        Ok(Looked::Changed)
    }
}

impl Rate {
    fn at(&self, real_ms: u64) -> u64 {
        let passed = real_ms.saturating_sub(self.real_ms) as f64 * self.speed;
        // A float becomes the nearest integer in range; at the end of the calendar time stands still.
        self.business_ms.saturating_add(passed as u64).min(TIME_MS_MAX)
    }

    /// The field that no clock can run by, with what is wrong about it.
    fn absurd(&self, real_ms: u64) -> Option<(&'static str, String)> {
        if !(0.0..=SPEED_MAX).contains(&self.speed) {
            return Some(("speed", format!("{} is no speed", self.speed)));
        }
        let times = [("real_ms", self.real_ms), ("business_ms", self.business_ms)];
        if let Some((field, ms)) = times.into_iter().find(|(_, ms)| *ms > TIME_MS_MAX) {
            return Some((field, format!("{ms} is beyond the year 9999")));
        }
        (self.at(real_ms) == TIME_MS_MAX)
            .then(|| ("real_ms", format!("{}: at this speed it would be the year 9999 by now", self.real_ms)))
    }
}

fn changed_at(path: &Path) -> Option<Changed> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(path: &Path, real_ms: u64) -> Result<Rate, ClockFileError> {
    let bytes = files::read_if_there(path)?;
    let bytes = bytes.ok_or_else(|| ClockFileError::Missing(path.display().to_string()))?;
    let content = |field: &str, said| {
        let field = if field == "." { "the whole file" } else { field };
        ClockFileError::Content { file: path.display().to_string(), field: field.to_owned(), said }
    };
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    let rate: Rate = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| content(&error.path().to_string(), error.inner().to_string()))?;
    json.end().map_err(|error| content(".", error.to_string()))?;
    match rate.absurd(real_ms) {
        Some((field, said)) => Err(content(field, said)),
        None => Ok(rate),
    }
}

#[expect(clippy::disallowed_methods, reason = "the door through which time comes in")]
fn machine_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Measures how long something took; never decides anything.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "the door through which time comes in")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since then.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_clock(content: &str) -> (tempfile::TempDir, Result<Clock, ClockFileError>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock.json");
        files::write_whole(&path, content.as_bytes()).unwrap();
        let clock = Clock::of(Some(&path));
        (dir, clock)
    }

    #[test]
    fn h3_business_time_runs_by_its_file_and_never_goes_back() {
        let (dir, clock) = file_clock(r#"{"real_ms":1000,"business_ms":5000,"speed":10.0}"#);
        let Source::File(clock) = clock.unwrap().0 else { panic!("not a file's clock") };
        assert_eq!([clock.now(1000), clock.now(1001), clock.now(2000)], [5_000, 5_010, 15_000]);
        assert_eq!(clock.now(500), 15_000, "the machine's clock went back");
        let path = dir.path().join("clock.json");
        std::fs::write(&path, r#"{"real_ms":2000,"business_ms":4000,"speed":1.0}"#).unwrap();
        clock.rate.write().unwrap().0 = None;
        assert_eq!(clock.look(3000).unwrap(), Looked::Changed);
        assert_eq!(clock.look(3000).unwrap(), Looked::Same);
        assert_eq!([clock.now(3000), clock.now(14_000)], [15_000, 16_000], "a file that goes back waits");
    }

    #[test]
    fn h3_a_clock_file_that_says_nothing_sensible_is_refused_and_a_running_clock_goes_on() {
        let now_ms = machine_ms();
        for (wrong, expected) in [
            (String::new(), "the whole file"),
            ("{}".to_owned(), "the whole file: missing field `real_ms`"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":1,"speed":1}} more"#), "the whole file"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":1,"speed":-1.0}}"#), "speed"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":1,"speed":1e9}}"#), "speed"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":1,"speed":1e300}}"#), "speed"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":1,"speed":1e999}}"#), "speed"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":1,"speed":NaN}}"#), "speed"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":1,"speed":"fast"}}"#), "speed"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":-1,"speed":1}}"#), "business_ms"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":{},"speed":1}}"#, u64::MAX), "business_ms"),
            (format!(r#"{{"real_ms":{now_ms},"business_ms":253402300800000,"speed":1}}"#), "business_ms"),
            (format!(r#"{{"real_ms":{},"business_ms":1,"speed":1}}"#, u64::MAX), "real_ms"),
            (r#"{"real_ms":0,"business_ms":1,"speed":100000}"#.to_owned(), "real_ms"),
        ] {
            match file_clock(&wrong).1 {
                Err(error @ ClockFileError::Content { .. }) => {
                    let said = error.to_string();
                    assert!(said.contains("clock.json") && said.contains("Write JSON"), "{said}");
                    assert!(said.contains(&format!("clock.json: {expected}")), "{wrong}: {said}");
                }
                other => panic!("{wrong}: {other:?}"),
            }
        }
        let Source::File(long) =
            file_clock(&format!(r#"{{"real_ms":{now_ms},"business_ms":1,"speed":100000}}"#)).1.unwrap().0
        else {
            panic!("not a file's clock")
        };
        assert_eq!(long.now(u64::MAX), TIME_MS_MAX, "the calendar ends");
        assert!(matches!(Clock::of(Some(Path::new("not-there"))), Err(ClockFileError::Missing(_))));
        let (dir, clock) = file_clock(r#"{"real_ms":1000,"business_ms":5000,"speed":1}"#);
        let Source::File(clock) = clock.unwrap().0 else { panic!("not a file's clock") };
        for absurd in ["torn", r#"{"real_ms":1000,"business_ms":9000,"speed":-2}"#] {
            std::fs::write(dir.path().join("clock.json"), absurd).unwrap();
            clock.rate.write().unwrap().0 = None;
            assert!(clock.look(1500).is_err(), "{absurd}");
            assert_eq!(clock.look(1500).unwrap(), Looked::Same, "looked at once");
            assert_eq!(clock.now(1500), 5_500);
        }
    }
}
