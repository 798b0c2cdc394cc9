//! `/api/v1/stock`: what there is, and deliveries.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::{EnforcedJson, IngredientJson, ProblemJson, ReceiptJson, StockJson};
use crate::inventory::receive::{self, ReceiveRefusal};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use bytes::Bytes;
use http::StatusCode;
use pilotlight_sync::doc::site::Receipt;
use pilotlight_sync::domain::id::IngredientId;
use pilotlight_sync::domain::menu::Ingredient;
use pilotlight_sync::domain::role::Action;
use std::collections::BTreeMap;

/// All ingredients with what may still be sold, what is held and what was used.
#[utoipa::path(get, path = "/api/v1/stock", operation_id = "get_stock", tag = "stock", responses((status = 200, body = StockJson)))]
pub async fn get_stock(call: Call) -> Answer {
    call.allow(Action::ReadStock)?;
    let stock = call.app.store.read(|replica, _| Ok(stock_json(replica))).await?;
    Ok(json(StatusCode::OK, &stock))
}

fn stock_json(replica: &Replica) -> StockJson {
    let mut held: BTreeMap<IngredientId, u64> = BTreeMap::new();
    for (_, order) in replica.live_orders() {
        let lines = order.view.wanted().filter(|line| order.view.not_begun(line));
        for used in lines.flat_map(|line| &line.line.uses) {
            *held.entry(used.ingredient).or_default() += used.amount;
        }
    }
    let one = |ingredient: &Ingredient| {
        let stock = replica.site().stock(&ingredient.id);
        IngredientJson {
            id: ingredient.id.to_string(),
            name: ingredient.name.clone(),
            unit: ingredient.unit.word().to_owned(),
            rights: stock.map_or(0, |stock| stock.rights(&replica.identity().origin)),
            held: held.get(&ingredient.id).copied().unwrap_or(0),
            used: stock.map_or(0, pilotlight_sync::crdt::counter::BoundedCounter::used),
            enforced: ingredient.enforced,
        }
    };
    StockJson { ingredients: replica.site().menu().ingredients.values().map(one).collect() }
}

/// Books a delivery. Sending it again books nothing twice.
#[utoipa::path(post, path = "/api/v1/stock/{ingredient}/receipts", operation_id = "receive_stock", tag = "stock", params(("ingredient" = String, Path)),
    request_body = ReceiptJson, responses((status = 204), (status = 400, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn receive(call: Call, ingredient: String) -> Answer {
    let caller = call.allow(Action::ChangeStock)?;
    let sent: ReceiptJson = call.json()?;
    let receipt = Receipt { ingredient: id("ingredient", &ingredient)?, amount: sent.amount };
    let intent = id("id", &sent.id)?;
    let by = caller.actor();
    call.app.store.run(move |replica, now| receive::plan(replica, now, by, intent, receipt)).await?;
    call.app.look_after_relay();
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}

/// Says whether running out of it stops the sale.
#[utoipa::path(put, path = "/api/v1/stock/{ingredient}/enforced", operation_id = "enforce_stock", tag = "stock", params(("ingredient" = String, Path)),
    request_body = EnforcedJson, responses((status = 400, body = ProblemJson), (status = 204), (status = 404, body = ProblemJson)))]
pub async fn enforce(call: Call, ingredient: String) -> Answer {
    let caller = call.allow(Action::ChangeStock)?;
    let sent: EnforcedJson = call.json()?;
    let ingredient: IngredientId = id("ingredient", &ingredient)?;
    let by = caller.actor();
    let plan = move |replica: &Replica, _| {
        let known = replica.site().menu().ingredients.get(&ingredient);
        let known = known.ok_or(PlanError::Refused(ReceiveRefusal::UnknownIngredient(ingredient)))?;
        if known.enforced == sent.enforced {
            return Ok(Plan::answer_only(by, ()));
        }
        let changed = Ingredient { enforced: sent.enforced, ..known.clone() };
        Ok(Plan::new(by, vec![replica.site().write_ingredient(ingredient, Some(changed))], |_| ()))
    };
    call.app.store.run(plan).await?;
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}
