//! The one place of the tests that reads a clock: to measure, and to give up on what never comes; never to wait.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;

/// Anything that a test waits for and that takes longer is a failure, said by name.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A moment, for measuring.
#[expect(clippy::disallowed_methods, reason = "this is the tests' clock")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970 UTC, for the date beside a figure.
#[expect(clippy::disallowed_methods, reason = "this is the tests' clock")]
#[must_use]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Milliseconds since 1970 UTC: what a demo's clock file and journals go by.
#[expect(clippy::disallowed_methods, reason = "this is the tests' clock")]
#[must_use]
pub fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Waits for a future, and names it when it does not come.
pub async fn within<T>(what: &str, patience: Duration, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(patience, future).await.with_context(|| format!("no {what} within {patience:?}"))
}

/// Lets a random moment pass before something is torn down; what is timed is the fault, never an expectation.
pub async fn moment(length: Duration) {
    // Nothing resolves `pending`, so this ends exactly at its deadline.
    drop(tokio::time::timeout(length, std::future::pending::<()>()).await);
}
