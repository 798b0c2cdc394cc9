//! `/api/v1/kitchen/actions`: taps of kitchen screens, in batches, each with its own outcome.

use crate::api::call::{Answer, Call, id, json};
use crate::api::json::{
    ActionJson, KitchenActionJson, KitchenActionsJson, KitchenOutcomeJson, KitchenOutcomesJson, OutcomeJson,
    ProblemJson,
};
use crate::api::problem::Problem;
use crate::kitchen::act::{self, ActRefusal, KitchenAction, Outcome, Tap};
use crate::store::store_handle::RunError;
use http::StatusCode;
use pilotlight_sync::domain::menu::StationId;
use pilotlight_sync::domain::role::Action;
use pilotlight_sync::domain::ticket::{TicketCommand, TicketKey};

/// Taps of one request.
const ACTIONS_MAX: usize = 100;

/// Carries out taps in their order. A refused one does not hold up the others.
#[utoipa::path(post, path = "/api/v1/kitchen/actions", operation_id = "act_in_kitchen", tag = "kitchen", request_body = KitchenActionsJson,
    responses((status = 200, body = KitchenOutcomesJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn actions(call: Call) -> Answer {
    let caller = call.allow(Action::WorkKitchen)?;
    let sent: KitchenActionsJson = call.json()?;
    if sent.actions.is_empty() || sent.actions.len() > ACTIONS_MAX {
        let detail = format!("{} actions", sent.actions.len());
        return Err(Problem::bad_field("actions", detail, format!("send 1 to {ACTIONS_MAX}")));
    }
    let parse = |(at, action): (usize, &KitchenActionJson)| action_of(&format!("actions[{at}]"), action);
    let actions: Vec<KitchenAction> = sent.actions.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
    let by = caller.actor();
    // All are queued at once, in order, and share a flush.
    let runs =
        actions.into_iter().map(|action| call.app.store.run(move |replica, now| act::plan(replica, now, by, action)));
    let done = futures_util::future::join_all(runs).await;
    let mut outcomes = Vec::with_capacity(done.len());
    for (action, outcome) in sent.actions.iter().zip(done) {
        outcomes.push(outcome_of(action.id.clone(), outcome)?);
    }
    Ok(json(StatusCode::OK, &KitchenOutcomesJson { outcomes }))
}

fn action_of(at: &str, action: &KitchenActionJson) -> Result<KitchenAction, Problem> {
    let line = |text: &str| id(format!("{at}.action.line"), text);
    let tap = match &action.action {
        ActionJson::Start => Tap::Command(TicketCommand::Start),
        ActionJson::Bump => Tap::Command(TicketCommand::Bump),
        ActionJson::HandOver => Tap::Command(TicketCommand::HandOver),
        ActionJson::Recall => Tap::Recall,
        ActionJson::Remake => Tap::Remake,
        ActionJson::Acknowledge => Tap::Acknowledge,
        ActionJson::Line { line: text, done } => Tap::Line { line: line(text)?, done: *done },
        ActionJson::Seen { line: text } => Tap::Seen { line: line(text)? },
    };
    let station = StationId::parse(&action.station).ok_or_else(|| {
        Problem::bad_field(format!("{at}.station"), "not a station's key", "send the key as the menu gives it")
    })?;
    let ticket = TicketKey { station, course: action.course };
    Ok(KitchenAction { order: id(format!("{at}.order"), &action.order)?, ticket, epoch: action.epoch, tap })
}

fn outcome_of(id: String, outcome: Result<Outcome, RunError<ActRefusal>>) -> Result<KitchenOutcomeJson, Problem> {
    let said = |outcome, code: Option<&str>, detail| KitchenOutcomeJson {
        id: id.clone(),
        outcome,
        code: code.map(str::to_owned),
        detail,
    };
    match outcome {
        Ok(Outcome::Done) => Ok(said(OutcomeJson::Done, None, None)),
        Ok(Outcome::Already) => Ok(said(OutcomeJson::Already, None, None)),
        Err(RunError::Refused(refusal)) => {
            Ok(said(OutcomeJson::Refused, Some(code(&refusal)), Some(refusal.to_string())))
        }
        Err(RunError::TooLarge(error)) => Err(RunError::<std::convert::Infallible>::TooLarge(error).into()),
        Err(RunError::Unknown) => Err(RunError::<std::convert::Infallible>::Unknown.into()),
        Err(RunError::Closed) => Err(RunError::<std::convert::Infallible>::Closed.into()),
        Err(RunError::Damaged(error)) => Err(RunError::<std::convert::Infallible>::Damaged(error).into()),
    }
}

fn code(refusal: &ActRefusal) -> &'static str {
    match refusal {
        ActRefusal::UnknownOrder(_) => "unknown_order",
        ActRefusal::UnknownTicket(_) => "unknown_ticket",
        ActRefusal::UnknownLine(_) => "unknown_line",
        ActRefusal::UnknownEpoch { .. } => "unknown_epoch",
        ActRefusal::Ticket(_) => "not_ready",
        ActRefusal::NotBumped(_) => "not_bumped",
        ActRefusal::Cancelled => "cancelled",
        ActRefusal::SoldOut { .. } => "sold_out",
    }
}
