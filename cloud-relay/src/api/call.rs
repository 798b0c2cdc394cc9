//! One request as the relay's handlers see it: the app, who calls, and what was sent.

use crate::api::problem::Problem;
use crate::app::App;
use http::StatusCode;
pub use pilotlight_edge::api::request::{Answer, Request, Response, bearer, id, json, respond, with_type};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::ops::Deref;
use std::sync::{Arc, PoisonError};

/// One request.
#[derive(Debug, Clone)]
pub struct Call {
    /// Everything the relay can do.
    pub app: Arc<App>,
    /// What was sent.
    pub request: Request,
}

impl Deref for Call {
    type Target = Request;

    fn deref(&self) -> &Request {
        &self.request
    }
}

impl Call {
    /// Now, in business.
    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Whether whoever calls from here may guess a secret now; `what` keeps kinds of secrets apart.
    pub fn may_guess(&self, what: &str) -> Result<(), Problem> {
        let guesses = self.app.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(guesses.check(&format!("{what} {}", self.from()), self.app.clock.real())?)
    }

    /// Remembers whether the guess was right.
    pub fn guessed(&self, what: &str, right: bool) {
        let mut guesses = self.app.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let key = format!("{what} {}", self.from());
        if right { guesses.succeeded(&key) } else { guesses.failed(&key, self.app.clock.real()) }
    }

    /// Whether the operator calls.
    pub async fn allow_operator(&self) -> Result<(), Problem> {
        let refused = |detail: &str| {
            Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
                .at("authorization")
                .remedy("send the token that the relay printed at its first start: Authorization: Bearer <token>")
        };
        let token = self.token().ok_or_else(|| refused("no token was sent"))?;
        if !self.app.operators.is_operator(token).await? {
            return Err(refused("this is not an operator's token"));
        }
        self.mark_known();
        Ok(())
    }
}
