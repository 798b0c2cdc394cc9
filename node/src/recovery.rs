//! The page of a node whose store is damaged or gone: it says what happened, and lets a manager decide to begin anew.

use crate::opening::{self, Paths};
use pilotlight_edge::clock::Clock;
use pilotlight_edge::throttle::Throttle;
use pilotlight_edge::tokens;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// The desk of the recovery page: one code, printed on the console.
#[derive(Debug)]
pub struct RecoveryDesk {
    paths: Paths,
    /// What happened, in plain words.
    pub note: String,
    code: String,
    throttle: Mutex<Throttle>,
    clock: Clock,
    /// Cancelled when the decision was made.
    pub decided: CancellationToken,
}

/// What became of the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The node begins anew.
    Done,
    /// Not the code on the console.
    WrongCode,
    /// Too many wrong codes.
    Locked {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// The files could not be put in order.
    Failed(String),
}

impl RecoveryDesk {
    /// A desk with a new code.
    pub fn new(paths: Paths, note: String, clock: Clock) -> Result<Arc<Self>, tokens::NoRandom> {
        let code = tokens::new_code()?;
        let desk = Self { paths, note, code, throttle: Mutex::default(), clock, decided: CancellationToken::new() };
        Ok(Arc::new(desk))
    }

    /// The code, for the console.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// A manager decides to begin anew.
    pub fn begin_anew(&self, code: &str) -> Decision {
        let now = self.clock.now();
        let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(locked) = throttle.check("recovery", now) {
            return Decision::Locked { retry_after_s: locked.retry_after_ms.div_ceil(1000) };
        }
        if tokens::plain_code(code) != tokens::plain_code(&self.code) {
            throttle.failed("recovery", now);
            return Decision::WrongCode;
        }
        match opening::begin_anew(&self.paths) {
            Ok(()) => {
                tracing::warn!("a manager decided to begin anew; the old store stays where it was moved to");
                self.decided.cancel();
                Decision::Done
            }
            Err(error) => Decision::Failed(error.to_string()),
        }
    }
}
