//! `/api/v1/online`: orders from home. Pause, busy, and what waits for a person's word.

use crate::api::call::{Answer, Call, id, json};
use crate::api::json::*;
use crate::api::to_json;
use crate::orders::accept::{DecideRefusal, Waits};
use crate::orders::requests::AnswerRefusal;
use crate::orders::{accept, intake, requests};
use crate::store::replica::Replica;
use crate::store::store_handle::RunError;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_edge::api::to_json::{amendment, intake as intake_json};
use pilotlight_sync::doc::order_view::OrderView;
use pilotlight_sync::domain::asked::Asked;
use pilotlight_sync::domain::id::{IntentId, OrderId};
use pilotlight_sync::domain::intake::{IntakeCommand, PauseFor};
use pilotlight_sync::domain::role::Action;
use pilotlight_sync::domain::timestamp::Timestamp;

/// How orders from home are taken, and those that wait for a person.
#[utoipa::path(get, path = "/api/v1/online", operation_id = "get_online", tag = "online", responses((status = 200, body = OnlineJson)))]
pub async fn get_online(call: Call) -> Answer {
    call.allow(Action::WorkKitchen)?;
    let online = call.app.store.read(|replica, now| Ok(online_json(replica, now))).await?;
    Ok(json(StatusCode::OK, &online))
}

/// What the screens of the restaurant's people show of it.
pub(crate) fn online_json(replica: &Replica, now: Timestamp) -> OnlineJson {
    let waiting = accept::waiting(replica, now);
    OnlineJson {
        intake: intake_json(&replica.site().intake(), now),
        waiting: waiting.into_iter().map(|(id, view, waits)| waiting_json(&id, view, waits)).collect(),
        requests: requests::for_a_person(replica, now)
            .into_iter()
            .map(|(id, view, request)| RequestJson {
                order: id.to_string(),
                number: view.number.as_ref().map(|(_, number)| number.clone()),
                amendment: amendment(request),
            })
            .collect(),
    }
}

fn waiting_json(id: &OrderId, view: &OrderView, waits: Waits) -> WaitingJson {
    WaitingJson {
        id: id.to_string(),
        placed_at: view.header.placed_at.0,
        fulfilment: to_json::fulfilment(view.header.fulfilment),
        items: view.wanted().map(|line| format!("{} {}", line.line.quantity, line.line.name)).collect(),
        note: view.instructions.clone(),
        total_minor: view.total_minor(),
        currency: view.header.currency.to_string(),
        late_minutes: match waits {
            Waits::Paused => None,
            Waits::Late(minutes) => Some(u32::try_from(minutes).unwrap_or(u32::MAX)),
        },
    }
}

/// Pauses orders from home, promises more minutes, or opens again. Each ends by itself.
#[utoipa::path(put, path = "/api/v1/online/intake", operation_id = "set_intake", tag = "online", request_body = IntakeCommandJson,
    responses((status = 200, body = IntakeJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn set_intake(call: Call) -> Answer {
    let caller = call.allow(Action::ChangeIntake)?;
    let sent: IntakeCommandJson = call.json()?;
    let command = match sent {
        IntakeCommandJson::Pause { minutes } => IntakeCommand::Pause(PauseFor::Minutes(minutes)),
        IntakeCommandJson::PauseUntilTomorrow => IntakeCommand::Pause(PauseFor::Tomorrow),
        IntakeCommandJson::Open => IntakeCommand::Open,
        IntakeCommandJson::Busy { minutes } => IntakeCommand::Busy(minutes),
    };
    let by = caller.actor();
    let after = call.app.store.run(move |replica, now| intake::plan(replica, now, by, command)).await?;
    // What waited for the end of a pause is accepted when it is opened again.
    call.app.look_after_relay();
    Ok(json(StatusCode::OK, &intake_json(&after, call.now())))
}

/// A person's word about an order from home that waits: it is made, or not and why. Saying it again changes nothing.
#[utoipa::path(post, path = "/api/v1/orders/{id}/decision", operation_id = "decide_order", tag = "online", params(("id" = String, Path)),
    request_body = DecisionJson, responses((status = 200, body = OrderJson), (status = 202, body = OrderJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn decide(call: Call, order: String) -> Answer {
    let caller = call.allow(Action::ChangeIntake)?;
    let sent: DecisionJson = call.json()?;
    let order: OrderId = id("id", &order)?;
    let rejected = if sent.accept { None } else { Some(sent.why.unwrap_or_default()) };
    if let Some(why) = &rejected {
        text::note("why", why)?;
    }
    let by = caller.actor();
    let said = rejected.clone();
    match call.app.store.run(move |replica, _| accept::decide(replica, by, order, said)).await {
        Err(RunError::Refused(DecideRefusal::OtherNode(_))) => {
            call.at_owner(by, order, Asked::Decide { rejected }).await
        }
        decided => Ok(json(StatusCode::OK, &to_json::order(&decided?))),
    }
}

/// A person's answer to what a customer wants otherwise: it is so, or not and why.
#[utoipa::path(post, path = "/api/v1/online/requests/{id}", operation_id = "answer_request", tag = "online",
    params(("id" = String, Path)), request_body = AnswerRequestJson,
    responses((status = 200, body = OrderJson), (status = 202, body = OrderJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn answer(call: Call, request: String) -> Answer {
    let caller = call.allow(Action::ChangeIntake)?;
    let sent: AnswerRequestJson = call.json()?;
    let about: (OrderId, IntentId) = (id("order", &sent.order)?, id("id", &request)?);
    let refused = if sent.accept { None } else { Some(sent.why.unwrap_or_default()) };
    if let Some(why) = &refused {
        text::note("why", why)?;
    }
    let by = caller.actor();
    let said = refused.clone();
    match call.app.store.run(move |replica, _| requests::decide(replica, by, about, said)).await {
        Err(RunError::Refused(AnswerRefusal::OtherNode(_))) => {
            call.at_owner(by, about.0, Asked::Answer { request: about.1, refused }).await
        }
        answered => Ok(json(StatusCode::OK, &to_json::order(&answered?))),
    }
}
