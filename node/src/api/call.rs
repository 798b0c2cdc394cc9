//! One request as the node's handlers see it: the app, who calls, and what was sent.

use crate::api::problem::Problem;
use crate::app::App;
use crate::devices::doors::Caller;
pub use pilotlight_edge::api::request::{Answer, Request, bearer, id, json, respond, with_type};
use pilotlight_sync::domain::role::Action;
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
}
