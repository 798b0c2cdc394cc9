//! `/api/v1/menu`, availability, 86 and imports.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::inventory::eighty_six;
use crate::menu::import::{Format, Import, ImportOptions, ImportRefusal, import};
use crate::menu::upsert;
use crate::store::store_handle::{Plan, PlanError};
use bytes::Bytes;
use http::StatusCode;
pub use pilotlight_edge::api::menu::{MenuPage, availability_json};
use pilotlight_edge::availability::unavailable;
use pilotlight_sync::doc::site::Off;
use pilotlight_sync::domain::role::Action;
use pilotlight_sync::domain::timestamp::Timestamp;

/// The whole menu. Conditional: `If-None-Match` with the version answers 304.
#[utoipa::path(get, path = "/api/v1/menu", operation_id = "get_menu", tag = "menu", responses((status = 200, body = MenuJson), (status = 304)))]
pub async fn get_menu(call: Call) -> Answer {
    call.allow(Action::ReadMenu)?;
    let page = call.app.menu.borrow().clone();
    Ok(page.answer(&call.headers))
}

/// Everything that cannot be ordered now.
#[utoipa::path(get, path = "/api/v1/availability", operation_id = "get_availability", tag = "menu", responses((status = 200, body = AvailabilityJson)))]
pub async fn get_availability(call: Call) -> Answer {
    call.allow(Action::ReadMenu)?;
    let list = call.app.store.read(|replica, now| {
        let origin = replica.identity().origin;
        Ok(unavailable(replica.site(), &origin, now))
    });
    Ok(json(StatusCode::OK, &availability_json(&list.await?)))
}

/// Takes an item off sale, or puts it back.
#[utoipa::path(put, path = "/api/v1/items/{id}/availability", operation_id = "set_availability", tag = "menu", params(("id" = String, Path)),
    request_body = EightySixJson, responses((status = 400, body = ProblemJson), (status = 204), (status = 404, body = ProblemJson)))]
pub async fn put_availability(call: Call, item: String) -> Answer {
    let caller = call.allow(Action::EightySix)?;
    let sent: EightySixJson = call.json()?;
    let item = id("id", &item)?;
    let off = (!sent.available).then_some(Off { until: sent.until.map(Timestamp) });
    let by = caller.actor();
    call.app.store.run(move |replica, now| eighty_six::plan(replica, now, by, item, off)).await?;
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}

/// Imports a menu or recipes, and says line by line what it did not understand.
#[utoipa::path(post, path = "/api/v1/menu/imports", operation_id = "import_menu", tag = "menu",
    params(("format" = String, Query), ("restaurant" = Option<String>, Query)),
    responses((status = 200, body = ImportReportJson), (status = 400, body = ProblemJson), (status = 422, body = ProblemJson)))]
pub async fn import_menu(call: Call) -> Answer {
    let caller = call.allow(Action::ChangeMenu)?;
    let words = || Format::ALL.map(Format::word).join(", ");
    let format = call
        .query("format")
        .and_then(Format::parse)
        .ok_or_else(|| Problem::bad_field("format", "no such format", format!("ask for one of {}", words())))?;
    let currency = call.app.settings.currency;
    let options = ImportOptions { restaurant: call.query("restaurant").map(str::to_owned), currency };
    let file = call.body.clone();
    let imported = tokio::task::spawn_blocking(move || import(format, &file, &options)).await;
    let imported = imported.map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "import_panicked", "the import broke; nothing was written")
    })??;
    let by = caller.actor();
    let plan = move |replica: &crate::store::replica::Replica, _| {
        let upsert = upsert::changes(replica.site(), &imported.draft).map_err(PlanError::Refused)?;
        let mut imported = imported;
        imported.not_understood.extend(upsert.lost_recipes);
        let mut commits = upsert.commits.into_iter();
        let first = commits.next().unwrap_or_default();
        let plan = Plan::new(by, first, move |_| imported);
        Ok::<_, PlanError<ImportRefusal>>(Plan { more: commits.collect(), ..plan })
    };
    let imported = call.app.store.run(plan).await?;
    Ok(json(StatusCode::OK, &report_json(&imported)))
}

fn report_json(import: &Import) -> ImportReportJson {
    let found = &import.found;
    let line = |line: &crate::menu::import::NotUnderstood| NotUnderstoodJson {
        place: line.place.clone(),
        what: line.what.clone(),
        remedy: line.remedy.clone(),
    };
    ImportReportJson {
        categories: found.categories,
        items: found.items,
        variants: found.variants,
        groups: found.groups,
        options: found.options,
        ingredients: found.ingredients,
        recipes: found.recipes,
        not_understood: import.not_understood.iter().map(line).collect(),
    }
}
