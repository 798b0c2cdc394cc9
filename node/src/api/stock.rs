//! `/api/v1/stock`: what there is, and deliveries.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::{
    AdoptJson, AdoptedAmountJson, AdoptedJson, CountJson, CountedJson, EnforcedJson, IngredientJson, MachineJson,
    ProblemJson, ReceiptJson, StockJson, WasteJson,
};
use crate::inventory::count::CountRefusal;
use crate::inventory::receive::{self, ReceiveRefusal};
use crate::inventory::waste::{self, Waste, WasteRefusal};
use crate::inventory::{adopt, count};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError, RunError};
use bytes::Bytes;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_sync::doc::site::Receipt;
use pilotlight_sync::domain::id::{IngredientId, OriginId};
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
            uncounted: stock.map_or(0, |stock| stock.adopted_by(&replica.identity().origin)),
            missing: stock.map_or(0, pilotlight_sync::crdt::counter::BoundedCounter::shortage),
        }
    };
    let machine = |origin: OriginId| MachineJson {
        origin: origin.to_string(),
        letters: replica.site().origin(&origin).map(|card| card.letter.clone()).unwrap_or_default(),
        ended: replica.site().is_fenced(&origin),
    };
    StockJson {
        ingredients: replica.site().menu().ingredients.values().map(one).collect(),
        others: adopt::others(replica).into_iter().map(machine).collect(),
    }
}

/// Books a delivery, or what was found although the books say it is not there. Sending it again books nothing twice.
#[utoipa::path(post, path = "/api/v1/stock/{ingredient}/receipts", operation_id = "receive_stock", tag = "stock", params(("ingredient" = String, Path)),
    request_body = ReceiptJson, responses((status = 204), (status = 400, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn receive(call: Call, ingredient: String) -> Answer {
    let asking = call.allow_or_passed(Action::ChangeStock).await?;
    let sent: ReceiptJson = call.json()?;
    if let Some(why) = &sent.found {
        text::note("found", why)?;
    }
    let receipt = Receipt { found: sent.found, ..Receipt::delivered(id("ingredient", &ingredient)?, sent.amount) };
    let (intent, by) = (id("id", &sent.id)?, asking.by);
    match call.app.store.run(move |replica, now| receive::plan(replica, now, by, intent, receipt)).await {
        Err(RunError::Refused(ReceiveRefusal::OtherKeeper(other))) => {
            let path = format!("/api/v1/stock/{ingredient}/receipts");
            return call.at_keeper(asking, other.keeper, &path, other.into()).await;
        }
        booked => booked?,
    }
    call.app.look_after_relay();
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}

/// A manager states that another machine is off: it is ended, and what is known of its stock is this node's to sell.
#[utoipa::path(post, path = "/api/v1/stock/adoptions", operation_id = "adopt_stock", tag = "stock",
    request_body = AdoptJson, responses((status = 200, body = AdoptedJson), (status = 400, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn adopt_stock(call: Call) -> Answer {
    let caller = call.allow(Action::ChangeStock)?;
    let sent: AdoptJson = call.json()?;
    let (of, by) = (id("origin", &sent.origin)?, caller.actor());
    let adopted = call.app.store.run(move |replica, now| adopt::plan(replica, now, by, of)).await?;
    call.app.look_after_relay();
    let amount =
        |(ingredient, amount): (IngredientId, u64)| AdoptedAmountJson { ingredient: ingredient.to_string(), amount };
    let adopted = AdoptedJson { amounts: adopted.amounts.into_iter().map(amount).collect() };
    Ok(json(StatusCode::OK, &adopted))
}

/// Books a count: the shelf against all rights and what is held for open orders. Sending it again books nothing twice.
#[utoipa::path(post, path = "/api/v1/stock/{ingredient}/counts", operation_id = "count_stock", tag = "stock", params(("ingredient" = String, Path)),
    request_body = CountJson, responses((status = 200, body = CountedJson), (status = 400, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn count_stock(call: Call, ingredient: String) -> Answer {
    let asking = call.allow_or_passed(Action::ChangeStock).await?;
    let sent: CountJson = call.json()?;
    let (of, intent, by) = (id("ingredient", &ingredient)?, id("id", &sent.id)?, asking.by);
    let plan = move |replica: &Replica, now| count::plan(replica, now, by, intent, (of, sent.amount));
    let counted = match call.app.store.run(plan).await {
        Err(RunError::Refused(CountRefusal::OtherKeeper(other))) => {
            let path = format!("/api/v1/stock/{ingredient}/counts");
            return call.at_keeper(asking, other.keeper, &path, other.into()).await;
        }
        counted => counted?,
    };
    let (books, missing) = (counted.books, counted.short);
    Ok(json(StatusCode::OK, &CountedJson { books, missing }))
}

/// Books waste: what was there and cannot be sold any more. Sending it again books nothing twice.
#[utoipa::path(post, path = "/api/v1/stock/{ingredient}/waste", operation_id = "waste_stock", tag = "stock", params(("ingredient" = String, Path)),
    request_body = WasteJson, responses((status = 204), (status = 400, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn waste(call: Call, ingredient: String) -> Answer {
    let asking = call.allow_or_passed(Action::ChangeStock).await?;
    let sent: WasteJson = call.json()?;
    text::note("why", &sent.why)?;
    let (of, intent, by) = (id("ingredient", &ingredient)?, id("id", &sent.id)?, asking.by);
    let wasted = Waste { intent, ingredient: of, amount: sent.amount, why: sent.why };
    match call.app.store.run(move |replica, _| waste::plan(replica, by, wasted)).await {
        Err(RunError::Refused(WasteRefusal::OtherKeeper(other))) => {
            let path = format!("/api/v1/stock/{ingredient}/waste");
            return call.at_keeper(asking, other.keeper, &path, other.into()).await;
        }
        booked => booked?,
    }
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
