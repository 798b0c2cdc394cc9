//! Customers and riders as people: signing up, signing in, signing out.

use crate::api::call::{Answer, Call, json, with_type};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::store::people::{self, Customer, Owner, Rider};
use bytes::Bytes;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_sync::domain::id::{CustomerId, RiderId};

impl Call {
    async fn owner(&self) -> Result<Option<Owner>, Problem> {
        let Some(token) = self.token() else { return Ok(None) };
        self.owner_of(token).await
    }

    /// Whose token this is.
    pub async fn owner_of(&self, token: &str) -> Result<Option<Owner>, Problem> {
        let owner = self.app.accounts.owner_of(token, self.now()).await?;
        if owner.is_some() {
            self.mark_known();
        }
        Ok(owner)
    }

    /// Which customer calls.
    pub async fn customer(&self) -> Result<CustomerId, Problem> {
        match self.owner().await? {
            Some(Owner::Customer(id)) => Ok(id),
            Some(Owner::Rider(_)) => Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "this token is a rider's")),
            None => Err(unauthorised()),
        }
    }

    /// Which rider calls.
    pub async fn rider(&self) -> Result<RiderId, Problem> {
        match self.owner().await? {
            Some(Owner::Rider(id)) => Ok(id),
            Some(Owner::Customer(_)) => {
                Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "this token is a customer's"))
            }
            None => Err(unauthorised()),
        }
    }
}

fn unauthorised() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", "no session has this token")
        .at("authorization")
        .remedy("sign in, then send: Authorization: Bearer <token>")
}

fn customer_json(customer: &Customer) -> CustomerJson {
    CustomerJson { id: customer.id.to_string(), name: customer.name.clone(), guest: customer.password_hash.is_none() }
}

fn session_json(customer: &Customer, token: String) -> SessionJson {
    SessionJson { customer: customer_json(customer), token }
}

fn rider_session_json(rider: &Rider, token: String) -> RiderSessionJson {
    RiderSessionJson { rider: RiderJson { id: rider.id.to_string(), name: rider.name.clone() }, token }
}

/// Signs a customer up and in.
#[utoipa::path(post, path = "/api/v1/customers", operation_id = "register_customer", tag = "customers", security(()),
    request_body = NewCustomerJson, responses((status = 201, body = SessionJson), (status = 400, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn register(call: Call) -> Answer {
    let sent: NewCustomerJson = call.json()?;
    text::one_line("name", &sent.name)?;
    let (customer, token) = call.app.accounts.register(&sent.name, &sent.email, &sent.password, call.now()).await?;
    Ok(json(StatusCode::CREATED, &session_json(&customer, token)))
}

/// Lets somebody order without an account.
#[utoipa::path(post, path = "/api/v1/customers/guest", operation_id = "register_guest", tag = "customers", security(()),
    request_body = NewGuestJson, responses((status = 201, body = SessionJson), (status = 400, body = ProblemJson)))]
pub async fn guest(call: Call) -> Answer {
    let sent: NewGuestJson = call.json()?;
    text::one_line("name", &sent.name)?;
    let (customer, token) = call.app.accounts.guest(&sent.name, &sent.phone, call.now()).await?;
    Ok(json(StatusCode::CREATED, &session_json(&customer, token)))
}

/// Signs a customer in.
#[utoipa::path(post, path = "/api/v1/sessions", operation_id = "sign_in", tag = "customers", security(()),
    request_body = SignInCustomerJson, responses((status = 201, body = SessionJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 429, body = ProblemJson)))]
pub async fn sign_in(call: Call) -> Answer {
    let sent: SignInCustomerJson = call.json()?;
    let signed = call.app.accounts.sign_in(&sent.email, &sent.password, &call.from(), call.now()).await?;
    Ok(json(StatusCode::CREATED, &session_json(&signed.0, signed.1)))
}

/// Ends the session of this token.
#[utoipa::path(delete, path = "/api/v1/sessions/current", operation_id = "sign_out", tag = "customers",
    responses((status = 204), (status = 401, body = ProblemJson)))]
pub async fn sign_out(call: Call) -> Answer {
    call.owner().await?.ok_or_else(unauthorised)?;
    call.app.accounts.sign_out(call.token().unwrap_or_default()).await?;
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}

/// Whose token this is.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "get_me", tag = "customers",
    responses((status = 200, body = CustomerJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn me(call: Call) -> Answer {
    let id = call.customer().await?;
    let customer = people::customer(&call.app.database, &id).await?.ok_or_else(unauthorised)?;
    Ok(json(StatusCode::OK, &customer_json(&customer)))
}

/// Signs a rider up and in.
#[utoipa::path(post, path = "/api/v1/riders", operation_id = "register_rider", tag = "riders", security(()),
    request_body = NewRiderJson, responses((status = 201, body = RiderSessionJson), (status = 400, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn register_rider(call: Call) -> Answer {
    let sent: NewRiderJson = call.json()?;
    text::one_line("name", &sent.name)?;
    let (rider, token) = call.app.accounts.register_rider(&sent.name, &sent.phone, &sent.password, call.now()).await?;
    Ok(json(StatusCode::CREATED, &rider_session_json(&rider, token)))
}

/// Signs a rider in.
#[utoipa::path(post, path = "/api/v1/rider/sessions", operation_id = "sign_in_rider", tag = "riders", security(()),
    request_body = RiderSignInJson, responses((status = 201, body = RiderSessionJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 429, body = ProblemJson)))]
pub async fn sign_in_rider(call: Call) -> Answer {
    let sent: RiderSignInJson = call.json()?;
    let signed = call.app.accounts.sign_in_rider(&sent.phone, &sent.password, &call.from(), call.now()).await?;
    Ok(json(StatusCode::CREATED, &rider_session_json(&signed.0, signed.1)))
}
