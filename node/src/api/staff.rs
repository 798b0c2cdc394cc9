//! People, and signing in by PIN on shared devices.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::api::to_json;
use crate::devices::pairing::check_name;
use crate::devices::{pairing, staff};
use bytes::Bytes;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_edge::tokens;
use pilotlight_sync::doc::people::Person;
use pilotlight_sync::domain::id::StaffId;
use pilotlight_sync::domain::role::{Action, Role};
use std::sync::PoisonError;

pub(crate) fn staff_json(id: StaffId, person: &Person) -> StaffJson {
    StaffJson { id: id.to_string(), name: person.name.clone(), role: to_json::role(person.role) }
}

/// Who works here: what a sign-in screen shows.
#[utoipa::path(get, path = "/api/v1/staff", operation_id = "list_staff", tag = "staff", responses((status = 200, body = StaffListJson)))]
pub async fn list(call: Call) -> Answer {
    call.allow(Action::ReadOrders)?;
    let list = |replica: &crate::store::replica::Replica, _| {
        let here = replica.site().people().filter(|(_, person)| !person.removed);
        Ok(here.map(|(id, person)| staff_json(*id, person)).collect())
    };
    let staff = call.app.store.read(list).await?;
    Ok(json(StatusCode::OK, &StaffListJson { staff }))
}

/// Adds a person.
#[utoipa::path(post, path = "/api/v1/staff", operation_id = "add_staff", tag = "staff", request_body = NewStaffJson,
    responses((status = 201, body = StaffJson), (status = 400, body = ProblemJson)))]
pub async fn add(call: Call) -> Answer {
    let caller = call.allow(Action::Administer)?;
    let sent: NewStaffJson = call.json()?;
    text::one_line("name", &sent.name)?;
    let name = check_name(&sent.name)?;
    let role = to_json::from_role(sent.role);
    if role == Role::Customer {
        return Err(Problem::bad_field(
            "role",
            "a person here is not a customer",
            "choose kitchen, staff, manager or admin",
        ));
    }
    let pin = sent.pin.clone();
    let pin_hash = call.app.slowly(move || staff::hash_pin(&pin)).await??;
    let staff_id = StaffId::from_bytes(tokens::random().map_err(pairing::PairRefusal::from)?);
    let person = Person { name, role, pin_hash, removed: false };
    let answer = staff_json(staff_id, &person);
    let by = caller.actor();
    let added = call.app.store.run(move |replica, _| staff::plan(replica, by, staff_id, person)).await?;
    if !added {
        let detail = format!("the site has {} people, the most there may be", staff::STAFF_MAX);
        return Err(Problem::new(StatusCode::CONFLICT, "too_many_staff", detail));
    }
    Ok(json(StatusCode::CREATED, &answer))
}

/// Takes a person's rights away.
#[utoipa::path(delete, path = "/api/v1/staff/{id}", operation_id = "remove_staff", tag = "staff", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemJson)))]
pub async fn remove(call: Call, person: String) -> Answer {
    let caller = call.allow(Action::Administer)?;
    let person = id("id", &person)?;
    let by = caller.actor();
    let known = call.app.store.run(move |replica, _| staff::remove(replica, by, person)).await?;
    if !known {
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_staff", "there is no such person").at("id"));
    }
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}

/// Signs a person in on this device. Guessing is slowed down.
#[utoipa::path(post, path = "/api/v1/sign-in", operation_id = "sign_in", tag = "staff", request_body = SignInJson,
    responses((status = 400, body = ProblemJson), (status = 200, body = SignedInJson), (status = 403, body = ProblemJson), (status = 429, body = ProblemJson)))]
pub async fn sign_in(call: Call) -> Answer {
    let caller = call.allow(Action::ReadMenu)?;
    let sent: SignInJson = call.json()?;
    let staff_id: StaffId = id("staff", &sent.staff)?;
    let key = format!("{}/{staff_id}", caller.device);
    let now = call.now();
    call.app.pins.lock().unwrap_or_else(PoisonError::into_inner).check(&key, now)?;
    // Counted before the slow hash, so that many guesses sent at once are all counted.
    call.app.pins.lock().unwrap_or_else(PoisonError::into_inner).failed(&key, now);
    let person = call.app.store.read(move |replica, _| Ok(replica.site().person(&staff_id).cloned())).await?;
    let person = person.filter(|person| !person.removed);
    let hash = person.as_ref().map(|person| person.pin_hash.clone()).unwrap_or_default();
    let right = call.app.slowly(move || staff::is_pin(&sent.pin, &hash)).await?;
    let Some(person) = person.filter(|_| right) else {
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong_pin", "person and PIN do not fit together")
            .at("pin")
            .remedy("try again; after five failures each try waits longer"));
    };
    call.app.pins.lock().unwrap_or_else(PoisonError::into_inner).succeeded(&key);
    let token = tokens::new_token().map_err(pairing::PairRefusal::from)?;
    let expires_at = call.app.doors.sign_in(&token, staff_id, caller.device, now);
    let staff = staff_json(staff_id, &person);
    Ok(json(StatusCode::OK, &SignedInJson { token, staff, expires_at: expires_at.0 }))
}

/// Ends this token's session; a device's own token stays good.
#[utoipa::path(post, path = "/api/v1/sign-out", operation_id = "sign_out", tag = "staff", responses((status = 204)))]
pub async fn sign_out(call: Call) -> Answer {
    call.allow(Action::ReadMenu)?;
    if let Some(token) = call.token() {
        call.app.doors.sign_out(token);
    }
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}
