//! Riders: shift, position, and the one thing they do now.

use crate::api::call::{Answer, Call, id, json};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::api::to_json;
use crate::dispatch::desk::RiderStep;
use crate::geo::Place;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_sync::domain::id::RiderId;

fn place(lat: f64, lon: f64) -> Result<Place, Problem> {
    Place::new(lat, lon).ok_or_else(|| Problem::bad_field("lat", "no place on earth", "send lat and lon in degrees"))
}

/// What a rider does now.
pub async fn task_json(call: &Call, rider: &RiderId) -> Result<RiderTaskJson, Problem> {
    let known = call.app.riders.task(rider).await?;
    let (rider, task) = known
        .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", "this rider is not known any more"))?;
    Ok(to_json::task(&rider, task.as_ref(), call.now()))
}

async fn answer(call: &Call, rider: &RiderId) -> Answer {
    Ok(json(StatusCode::OK, &task_json(call, rider).await?))
}

/// Begins or ends a shift.
#[utoipa::path(put, path = "/api/v1/rider/shift", operation_id = "set_shift", tag = "riders", request_body = ShiftJson,
    responses((status = 200, body = RiderTaskJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn shift(call: Call) -> Answer {
    let rider = call.rider().await?;
    let sent: ShiftJson = call.json()?;
    call.app.riders.place(&rider, place(sent.lat, sent.lon)?, Some(sent.on)).await?;
    answer(&call, &rider).await
}

/// Says where the rider is.
#[utoipa::path(put, path = "/api/v1/rider/position", operation_id = "set_position", tag = "riders", request_body = PositionOnEarthJson,
    responses((status = 200, body = RiderTaskJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn position(call: Call) -> Answer {
    let rider = call.rider().await?;
    let sent: PositionOnEarthJson = call.json()?;
    call.app.riders.place(&rider, place(sent.lat, sent.lon)?, None).await?;
    answer(&call, &rider).await
}

/// What the rider does now.
#[utoipa::path(get, path = "/api/v1/rider/task", operation_id = "get_task", tag = "riders",
    responses((status = 200, body = RiderTaskJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn task(call: Call) -> Answer {
    let rider = call.rider().await?;
    answer(&call, &rider).await
}

async fn step(call: &Call, order: &str, step: RiderStep) -> Answer {
    let rider = call.rider().await?;
    call.app.riders.step(rider, id("order", order)?, step).await?;
    answer(call, &rider).await
}

/// Takes an offer.
#[utoipa::path(post, path = "/api/v1/rider/offers/{order}/accept", operation_id = "accept_offer", tag = "riders", params(("order" = String, Path)),
    responses((status = 200, body = RiderTaskJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn accept(call: Call, order: String) -> Answer {
    step(&call, &order, RiderStep::Accept).await
}

/// Does not take an offer: the next rider is asked.
#[utoipa::path(post, path = "/api/v1/rider/offers/{order}/decline", operation_id = "decline_offer", tag = "riders", params(("order" = String, Path)),
    responses((status = 200, body = RiderTaskJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn decline(call: Call, order: String) -> Answer {
    step(&call, &order, RiderStep::Decline).await
}

/// The rider is at the restaurant.
#[utoipa::path(post, path = "/api/v1/rider/deliveries/{order}/at-store", operation_id = "delivery_at_store", tag = "riders", params(("order" = String, Path)),
    responses((status = 200, body = RiderTaskJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn at_store(call: Call, order: String) -> Answer {
    step(&call, &order, RiderStep::AtStore).await
}

/// The rider has it, and is on the way.
#[utoipa::path(post, path = "/api/v1/rider/deliveries/{order}/picked-up", operation_id = "delivery_picked_up", tag = "riders", params(("order" = String, Path)),
    responses((status = 200, body = RiderTaskJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn picked_up(call: Call, order: String) -> Answer {
    step(&call, &order, RiderStep::PickedUp).await
}

/// The customer has it.
#[utoipa::path(post, path = "/api/v1/rider/deliveries/{order}/delivered", operation_id = "delivery_delivered", tag = "riders", params(("order" = String, Path)),
    responses((status = 200, body = RiderTaskJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn delivered(call: Call, order: String) -> Answer {
    step(&call, &order, RiderStep::Delivered).await
}

/// It did not reach the customer, who gets everything back.
#[utoipa::path(post, path = "/api/v1/rider/deliveries/{order}/failed", operation_id = "delivery_failed", tag = "riders", params(("order" = String, Path)),
    request_body = WhyJson, responses((status = 200, body = RiderTaskJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn failed(call: Call, order: String) -> Answer {
    let sent: WhyJson = call.json()?;
    text::note("why", &sent.why)?;
    step(&call, &order, RiderStep::Failed { why: sent.why }).await
}
