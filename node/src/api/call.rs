//! One request as the node's handlers see it: the app, who calls, and what was sent.

use crate::api::problem::Problem;
use crate::app::App;
use crate::devices::doors::Caller;
use crate::uplink::pass::{FOR, NotPassed, actor_of};
use http::StatusCode;
pub use pilotlight_edge::api::request::{Answer, Request, bearer, id, json, respond, with_type};
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::role::{Action, Actor};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::ops::Deref;
use std::sync::Arc;

/// One request.
#[derive(Debug, Clone)]
pub struct Call {
    /// Everything the node can do.
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
    /// Now.
    pub fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Who calls, when they may do this. The connection counts as a paired device's from then on.
    pub fn allow(&self, action: Action) -> Result<Caller, Problem> {
        let caller = self.app.doors.open(self.token(), action, self.now())?;
        self.mark_known();
        Ok(caller)
    }

    /// Who asks for what only the keeper may do: somebody here who may, or another node of the site for somebody whom it has checked.
    pub fn allow_or_passed(&self, action: Action) -> Result<Asking, Problem> {
        let named = self.headers.get(FOR).and_then(|named| actor_of(named.to_str().ok()?));
        let sibling = named.zip(self.token()).filter(|(_, token)| self.app.siblings.by_token(token).is_some());
        if let Some((by, _)) = sibling {
            self.mark_known();
            return Ok(Asking { by, passed: true });
        }
        self.allow(action).map(|caller| Asking { by: caller.actor(), passed: false })
    }

    /// What the keeper answers to this request, passed on over the LAN; the refusal, when it was passed on already or is not reached.
    pub async fn at_keeper(&self, asking: Asking, keeper: Option<OriginId>, path: &str, refusal: Problem) -> Answer {
        let Some(keeper) = keeper.filter(|_| !asking.passed) else { return Err(refusal) };
        match self.app.siblings.pass(&keeper, path, asking.by, self.body.to_vec()).await {
            Ok(passed) => {
                let status = StatusCode::from_u16(passed.status).unwrap_or(StatusCode::BAD_GATEWAY);
                let problem = status.is_client_error() || status.is_server_error();
                let kind = if problem { "application/problem+json" } else { "application/json" };
                Ok(with_type(status, kind, passed.body.into()))
            }
            Err(NotPassed::Away) => Err(refusal),
            Err(error @ NotPassed::Unknown) => {
                let detail = format!("{}: {error}", refusal.detail);
                let unknown = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unknown_outcome", detail);
                Err(Problem { retry_after_s: Some(1), ..unknown }
                    .remedy("ask again with the same id: it is never done twice"))
            }
        }
    }
}

/// Who asks for what only the keeper may do.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    /// Who.
    pub by: Actor,
    /// Another node has passed it on: it goes no further.
    pub passed: bool,
}
