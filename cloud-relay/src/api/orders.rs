//! Customers' orders: place, look, cancel. Of another customer's order nobody learns anything.

use crate::api::call::{Answer, Call, id, json};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::api::restaurants::{address_of, site_of};
use crate::api::to_json;
use crate::ordering::amend::Wish;
use crate::ordering::desk::{PlaceRefusal, PlaceRequest, Placed, Seen};
use crate::store::StoreError;
use crate::store::amendments::{Contact, Wanted};
use crate::store::checkouts::CheckoutState;
use crate::store::deliveries::Delivery;
use crate::store::effects::{self, EffectRow};
use crate::store::people::{Owner, Rider};
use crate::store::watched::{self, Watched};
use futures_util::future::try_join;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_sync::doc::replica::LiveOrder;
use pilotlight_sync::domain::id::{CustomerId, OrderId};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::sync::Arc;

/// Orders of one listing.
const PAGE_MAX: u32 = 100;

/// Pays and places what was quoted. Sending it again is normal: 201 the first time, 200 after, 202 while the payment is under way.
#[utoipa::path(post, path = "/api/v1/restaurants/{site}/orders", operation_id = "place_order", tag = "orders", params(("site" = String, Path)),
    request_body = PlaceCustomerOrderJson, responses((status = 201, body = CustomerOrderJson), (status = 200, body = CustomerOrderJson),
        (status = 202, body = PayingJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 402, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn place(call: Call, site: String) -> Answer {
    let customer = call.customer().await?;
    let site = site_of(&call, &site)?;
    let sent: PlaceCustomerOrderJson = call.json()?;
    let request = PlaceRequest {
        order: id("id", &sent.id)?,
        quote: id("quote", &sent.quote)?,
        payment: id("payment", &sent.payment)?,
        card: sent.card.token,
    };
    let (status, order) = match call.app.desk.place(&site, customer, request).await? {
        Placed::Now(order) => (StatusCode::CREATED, order),
        Placed::Before(order) => (StatusCode::OK, order),
        Placed::Paying(order) => return Ok(paying(&order)),
    };
    let seen = call.app.desk.order(customer, &order).await?.ok_or_else(unknown)?;
    Ok(json(status, &order_json(&call, &seen).await?))
}

fn paying(order: &OrderId) -> crate::api::call::Response {
    json(StatusCode::ACCEPTED, &PayingJson { id: order.to_string(), state: "paying".to_owned() })
}

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_order", "there is no such order").at("id")
}

/// An order with its money and its rider, as its customer sees it.
pub async fn order_json(call: &Call, seen: &Seen) -> Result<CustomerOrderJson, StoreError> {
    let order = &seen.kept.order;
    let (effects, delivery) =
        try_join(effects::of_order(&call.app.database, order), call.app.riders.of_order(order)).await?;
    Ok(with(call, seen, &effects, delivery.as_ref()))
}

/// The same for whom this token belongs to, with everything read at once: a screen waits for it.
pub async fn watched(
    call: &Call,
    token: &str,
    order: &OrderId,
    told: Option<Arc<LiveOrder>>,
) -> Result<(Option<Owner>, Option<(CustomerId, CustomerOrderJson)>), StoreError> {
    let Watched { owner, kept, effects, delivery } =
        watched::find(&call.app.database, token, order, call.now()).await?;
    if owner.is_some() {
        call.mark_known();
    }
    let Some(kept) = kept else { return Ok((owner, None)) };
    let seen = match told {
        Some(live) => call.app.desk.see_told(kept, live),
        None => call.app.desk.see(kept).await?,
    };
    Ok((owner, seen.map(|seen| (seen.kept.customer, with(call, &seen, &effects, delivery.as_ref())))))
}

fn with(
    call: &Call,
    seen: &Seen,
    effects: &[EffectRow],
    delivery: Option<&(Delivery, Option<Rider>)>,
) -> CustomerOrderJson {
    let may = (call.app.desk.preview(seen).is_ok(), call.app.desk.may_amend(seen));
    to_json::order(seen, effects, delivery, may, call.now())
}

/// The caller's orders, the newest first.
#[utoipa::path(get, path = "/api/v1/orders", operation_id = "list_orders", tag = "orders",
    responses((status = 200, body = CustomerOrdersJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson)))]
pub async fn list(call: Call) -> Answer {
    let customer = call.customer().await?;
    let mut orders = Vec::new();
    for seen in call.app.desk.orders(customer, PAGE_MAX).await? {
        orders.push(order_json(&call, &seen).await?);
    }
    Ok(json(StatusCode::OK, &CustomerOrdersJson { orders }))
}

/// One of the caller's orders: 202 while its payment is under way, and the refusal when it became none.
#[utoipa::path(get, path = "/api/v1/orders/{id}", operation_id = "get_order", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = CustomerOrderJson), (status = 202, body = PayingJson), (status = 400, body = ProblemJson),
        (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 402, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn get(call: Call, order: String) -> Answer {
    let customer = call.customer().await?;
    let order: OrderId = id("id", &order)?;
    if let Some(seen) = call.app.desk.order(customer, &order).await? {
        return Ok(json(StatusCode::OK, &order_json(&call, &seen).await?));
    }
    let checkout = call.app.desk.checkout(customer, &order).await?.ok_or_else(unknown)?;
    let why = checkout.refusal.unwrap_or_default();
    match checkout.state {
        CheckoutState::Paying | CheckoutState::Placed => Ok(paying(&order)),
        CheckoutState::Declined => Err(PlaceRefusal::Declined(why).into()),
        CheckoutState::SoldOut => Err(PlaceRefusal::SoldOutMeanwhile(why).into()),
        CheckoutState::TooLate => Err(PlaceRefusal::TooLate.into()),
        CheckoutState::Paused => Err(PlaceRefusal::PausedMeanwhile.into()),
    }
}

async fn own(call: &Call, order: &str) -> Result<(CustomerId, Seen), Problem> {
    let customer = call.customer().await?;
    let seen = call.app.desk.order(customer, &id("id", order)?).await?.ok_or_else(unknown)?;
    Ok((customer, seen))
}

/// What a cancellation would give back now, and why.
#[utoipa::path(post, path = "/api/v1/orders/{id}/cancel-preview", operation_id = "preview_cancellation", tag = "orders", params(("id" = String, Path)),
    responses((status = 200, body = CancelPreviewJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn preview(call: Call, order: String) -> Answer {
    let (_, seen) = own(&call, &order).await?;
    let preview = call.app.desk.preview(&seen)?;
    let (refund_minor, rule, expires_at) = (preview.refund_minor, preview.rule, preview.expires_at.0);
    Ok(json(StatusCode::OK, &CancelPreviewJson { refund_minor, rule, expires_at }))
}

/// Cancels, or asks the restaurant to, for the refund that was shown. Doing it again changes nothing.
#[utoipa::path(post, path = "/api/v1/orders/{id}/cancel", operation_id = "cancel_order", tag = "orders", params(("id" = String, Path)),
    request_body = CancelJson, responses((status = 200, body = CustomerOrderJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn cancel(call: Call, order: String) -> Answer {
    let (customer, seen) = own(&call, &order).await?;
    let sent: CancelJson = call.json()?;
    text::note("why", &sent.why)?;
    call.app.desk.cancel(customer, &seen, sent.why, sent.expected_refund_minor).await?;
    let seen = call.app.desk.order(customer, &seen.kept.order).await?.ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, &order_json(&call, &seen).await?))
}

/// Wants instructions, contact, address or time otherwise: so at once before the restaurant has confirmed the order, a request after that.
#[utoipa::path(post, path = "/api/v1/orders/{id}/amendments", operation_id = "amend_order", tag = "orders", params(("id" = String, Path)),
    request_body = AmendCustomerOrderJson, responses((status = 200, body = CustomerOrderJson), (status = 400, body = ProblemJson), (status = 401, body = ProblemJson), (status = 403, body = ProblemJson),
        (status = 404, body = ProblemJson), (status = 409, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn amend(call: Call, order: String) -> Answer {
    let (customer, seen) = own(&call, &order).await?;
    let sent: AmendCustomerOrderJson = call.json()?;
    let wanted = match sent.change {
        WishJson::Instructions { text } => {
            text::note("change.text", text.as_deref().unwrap_or_default())?;
            Wanted::Instructions(text)
        }
        WishJson::Contact { contact } => {
            text::one_line("change.contact.name", &contact.name)?;
            text::one_line("change.contact.phone", &contact.phone)?;
            Wanted::Contact(Contact { name: contact.name, phone: contact.phone })
        }
        WishJson::Address { address } => Wanted::Address(address_of("change.address", address)?),
        WishJson::Time { at } => Wanted::Time(at.map(Timestamp)),
    };
    let wish = Wish { intent: id("id", &sent.id)?, wanted };
    call.app.desk.amend(customer, &seen, wish).await?;
    let seen = call.app.desk.order(customer, &seen.kept.order).await?.ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, &order_json(&call, &seen).await?))
}
