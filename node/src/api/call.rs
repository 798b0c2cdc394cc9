//! One request as the node's handlers see it: the app, who calls, and what was sent.

use crate::api::problem::Problem;
use crate::api::to_json;
use crate::app::App;
use crate::devices::doors::Caller;
use crate::orders::{Order, asked};
use crate::store::replica::{LiveOrder, Replica};
use crate::uplink::pass::{FOR, NotPassed, actor_of};
use http::StatusCode;
pub use pilotlight_edge::api::request::{Answer, Request, bearer, id, json, respond, with_type};
use pilotlight_sync::domain::asked::{AskState, Asked};
use pilotlight_sync::domain::id::{OrderId, OriginId};
use pilotlight_sync::domain::role::{Action, Actor};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// Who stands and waits hears so long after the tap at the latest.
const OWNER_ANSWERS_IN: Duration = Duration::from_millis(4_000);

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
    pub async fn allow_or_passed(&self, action: Action) -> Result<Asking, Problem> {
        let named = self.headers.get(FOR).and_then(|named| actor_of(named.to_str().ok()?));
        let sibling = named.zip(self.token().and_then(|token| self.app.siblings.by_token(token)));
        if let Some((by, sibling)) = sibling {
            let ended = self.app.store.read(move |replica, _| Ok(replica.site().is_fenced(&sibling.origin))).await?;
            if ended {
                let detail = "the node that this token was given to has ended";
                return Err(Problem::new(StatusCode::FORBIDDEN, "ended_node", detail).remedy("let it join again"));
            }
            self.mark_known();
            return Ok(Asking { by, passed: true });
        }
        self.allow(action).map(|caller| Asking { by: caller.actor(), passed: false })
    }

    /// What comes of a wish that only the node that decides about the order may fulfil (SPEC Q5): the order when it is done, 202 with the
    /// order while that node has not answered.
    pub async fn at_owner(&self, by: Actor, order: OrderId, what: Asked) -> Answer {
        let (mut heads, store) = (self.app.heads.clone(), &self.app.store);
        let intent = store.run(move |replica, _| asked::ask(replica, by, order, what)).await?;
        let look = move |replica: &Replica, _| {
            let live = replica.order(&order)?;
            let state = |live: &Arc<LiveOrder>| asked::state(&live.view, &intent?).cloned();
            Ok(live.map(|live| (state(&live).unwrap_or(AskState::Open), live)))
        };
        let answered = async {
            loop {
                heads.borrow_and_update();
                let seen = store.read(look).await?;
                if seen.as_ref().is_none_or(|(state, _)| *state != AskState::Open) || heads.changed().await.is_err() {
                    return Ok::<_, Problem>(seen);
                }
            }
        };
        let seen = match tokio::time::timeout(OWNER_ANSWERS_IN, answered).await {
            Ok(seen) => seen?,
            Err(_) => store.read(look).await?,
        };
        let (state, live) =
            seen.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "unknown_order", "it is not here"))?;
        let told = to_json::order(&Order { id: order, live });
        match state {
            AskState::Done => Ok(json(StatusCode::OK, &told)),
            AskState::Open => Ok(json(StatusCode::ACCEPTED, &told)),
            AskState::Refused(why) => {
                let problem = Problem::new(StatusCode::CONFLICT, "owner_refused", why);
                Err(problem.remedy("the node that decides about the order says so; read the order again"))
            }
        }
    }

    /// What the keeper answers to this request, passed on over the LAN; the refusal, when it was passed on already or is not reached.
    pub async fn at_keeper(&self, asking: Asking, keeper: Option<OriginId>, path: &str, refusal: Problem) -> Answer {
        let Some(keeper) = keeper.filter(|_| !asking.passed) else { return Err(refusal) };
        match self.app.siblings.pass(&keeper, path, asking.by, self.body.to_vec()).await {
            // It says so of this node, and not of whoever asks here: that person stays signed in.
            Ok(passed) if matches!(passed.status, 401 | 403) => {
                let detail = format!("{}: that node does not take it from this one any more", refusal.detail);
                Err(Problem::new(StatusCode::CONFLICT, "not_taken", detail)
                    .remedy("let this node join that one again (POST /api/v1/siblings), or do it there"))
            }
            Ok(passed) => {
                let status = StatusCode::from_u16(passed.status).unwrap_or(StatusCode::BAD_GATEWAY);
                let problem = status.is_client_error() || status.is_server_error();
                let kind = if problem { "application/problem+json" } else { "application/json" };
                Ok(with_type(status, kind, passed.body.into()))
            }
            Err(NotPassed::Away) => Err(refusal),
            Err(error @ NotPassed::TooLong) => {
                let detail = format!("{}: {error}", refusal.detail);
                Err(Problem::new(StatusCode::BAD_GATEWAY, "answer_too_long", detail)
                    .remedy("it may be done: look at that node before it is asked again"))
            }
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
