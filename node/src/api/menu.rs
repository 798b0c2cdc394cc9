//! `/api/v1/menu`, availability, 86 and imports.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::inventory::eighty_six;
use crate::menu::edit::{self, Edit};
use crate::menu::import::{Format, Import, ImportOptions, ImportRefusal, import};
use crate::menu::upsert;
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use bytes::Bytes;
use http::StatusCode;
pub use pilotlight_edge::api::menu::{MenuPage, availability_json};
use pilotlight_edge::api::text;
use pilotlight_edge::availability::unavailable;
use pilotlight_sync::crdt::register::Stamp;
use pilotlight_sync::doc::item::Conflict;
use pilotlight_sync::doc::site::Off;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::item_field::{FieldName, FieldValue};
use pilotlight_sync::domain::menu::{Allergen, AllergenState, Menu, Variant};
use pilotlight_sync::domain::role::Action;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::{NAME_CHARS_MAX, NOTE_CHARS_MAX};

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

/// Fields of items that were written at the same time in several places: the shown value, and the others.
#[utoipa::path(get, path = "/api/v1/menu/conflicts", operation_id = "get_menu_conflicts", tag = "menu", responses((status = 200, body = MenuConflictsJson), (status = 403, body = ProblemJson)))]
pub async fn get_conflicts(call: Call) -> Answer {
    call.allow(Action::EightySix)?;
    let told = call.app.store.read(|replica, _| Ok(conflicts_json(replica))).await?;
    Ok(json(StatusCode::OK, &told))
}

/// Changes fields of an item, or keeps one of several values of a field. Answers what is still to be settled.
#[utoipa::path(patch, path = "/api/v1/items/{id}", operation_id = "change_item", tag = "menu", params(("id" = String, Path)), request_body = ChangeItemJson,
    responses((status = 200, body = MenuConflictsJson), (status = 400, body = ProblemJson), (status = 403, body = ProblemJson), (status = 404, body = ProblemJson), (status = 409, body = ProblemJson)))]
pub async fn change_item(call: Call, item: String) -> Answer {
    let caller = call.allow(Action::ChangeMenu)?;
    let sent: ChangeItemJson = call.json()?;
    let (item, edit, by) = (id("id", &item)?, edit_of(sent)?, caller.actor());
    call.app.store.run(move |replica, _| edit::plan(replica, by, item, edit)).await?;
    let told = call.app.store.read(|replica, _| Ok(conflicts_json(replica))).await?;
    Ok(json(StatusCode::OK, &told))
}

/// The dearest portion, in minor units: a slip of the finger, not a dish.
const PRICE_MINOR_MAX: i64 = 100_000_000;

fn edit_of(sent: ChangeItemJson) -> Result<Edit, Problem> {
    let mut values = Vec::new();
    if let Some(name) = sent.name {
        text::one_line("name", &name)?;
        if name.trim().is_empty() {
            return Err(Problem::bad_field("name", "an item has a name", "say what guests read"));
        }
        no_longer("name", &name, NAME_CHARS_MAX)?;
        values.push(FieldValue::Name(name.trim().to_owned()));
    }
    if let Some(name) = sent.kitchen_name {
        text::one_line("kitchen_name", &name)?;
        no_longer("kitchen_name", &name, NAME_CHARS_MAX)?;
        values.push(FieldValue::KitchenName(name.trim().to_owned()));
    }
    if let Some(description) = sent.description {
        text::note("description", &description)?;
        no_longer("description", &description, NOTE_CHARS_MAX)?;
        values.push(FieldValue::Description(description.trim().to_owned()));
    }
    let price = |(at, sent): (usize, VariantPriceJson)| {
        if !(0..=PRICE_MINOR_MAX).contains(&sent.price_minor) {
            let field = format!("prices[{at}].price_minor");
            return Err(Problem::bad_field(field, "no price", format!("send 0 to {PRICE_MINOR_MAX}")));
        }
        Ok((id(format!("prices[{at}].variant"), &sent.variant)?, sent.price_minor))
    };
    let prices = sent.prices.unwrap_or_default().into_iter().enumerate().map(price).collect::<Result<_, _>>()?;
    let keep = sent.keep.unwrap_or_default().into_iter().map(|keep| (field_name(keep.field), keep.choice)).collect();
    Ok(Edit { values, prices, keep })
}

fn no_longer(field: &str, text: &str, chars_max: usize) -> Result<(), Problem> {
    if text.trim().chars().count() <= chars_max {
        return Ok(());
    }
    Err(Problem::bad_field(field, "too long", format!("send at most {chars_max} characters")))
}

fn conflicts_json(replica: &Replica) -> MenuConflictsJson {
    let site = replica.site();
    let letters = |origin: OriginId| site.origin(&origin).map(|card| card.letter.clone()).unwrap_or_default();
    let value = |(stamp, value): &(Stamp, FieldValue)| MenuValueJson {
        choice: edit::choice(stamp),
        text: in_words(site.menu(), value),
        prices: if let FieldValue::Variants(variants) = value {
            variants.iter().map(size).collect()
        } else {
            Vec::new()
        },
        node: letters(stamp.origin),
        at: stamp.at.wall().0,
    };
    let one = |conflict: &Conflict<'_>| MenuConflictJson {
        item: conflict.item.id.to_string(),
        name: conflict.item.name.clone(),
        field: field_json(conflict.field),
        values: conflict.values.iter().map(value).collect(),
    };
    MenuConflictsJson { conflicts: site.menu_conflicts().iter().map(one).collect() }
}

fn size(variant: &Variant) -> SizePriceJson {
    SizePriceJson { name: variant.name.clone(), price_minor: variant.price_minor }
}

/// A field's value as people say it; of sizes the prices say it.
fn in_words(menu: &Menu, value: &FieldValue) -> String {
    match value {
        FieldValue::Category(id) => menu.categories.get(id).map(|one| one.name.clone()).unwrap_or_default(),
        FieldValue::Position(n) | FieldValue::Prep(n) | FieldValue::QuantityMin(n) => n.to_string(),
        FieldValue::Name(text) | FieldValue::KitchenName(text) | FieldValue::Description(text) => text.clone(),
        FieldValue::Station(id) => menu.stations.get(id).map_or_else(|| id.to_string(), |one| one.name.clone()),
        FieldValue::Tax(share) => format!("{} %", f64::from(share.0) / 100.0),
        FieldValue::Variants(_) => String::new(),
        FieldValue::Groups(ids) => {
            let names = ids.iter().filter_map(|id| menu.groups.get(id)).map(|group| group.name.clone());
            names.collect::<Vec<_>>().join(", ")
        }
        FieldValue::Tags(tags) => tags.join(", "),
        FieldValue::Allergens(allergens) => {
            let one = |one: &Allergen| format!("{} {}", one.name, allergen_word(one.state));
            allergens.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

const fn allergen_word(state: AllergenState) -> &'static str {
    match state {
        AllergenState::Contains => "contained",
        AllergenState::MayContain => "possible",
        AllergenState::Free => "free of it",
        AllergenState::Unknown => "unknown",
    }
}

/// Each field as screens call it.
const FIELDS: [(FieldName, MenuFieldJson); 13] = [
    (FieldName::Category, MenuFieldJson::Category),
    (FieldName::Position, MenuFieldJson::Position),
    (FieldName::Name, MenuFieldJson::Name),
    (FieldName::KitchenName, MenuFieldJson::KitchenName),
    (FieldName::Description, MenuFieldJson::Description),
    (FieldName::Station, MenuFieldJson::Station),
    (FieldName::Prep, MenuFieldJson::Prep),
    (FieldName::Tax, MenuFieldJson::Tax),
    (FieldName::Variants, MenuFieldJson::Variants),
    (FieldName::Groups, MenuFieldJson::Groups),
    (FieldName::Tags, MenuFieldJson::Tags),
    (FieldName::Allergens, MenuFieldJson::Allergens),
    (FieldName::QuantityMin, MenuFieldJson::QuantityMin),
];

fn field_json(field: FieldName) -> MenuFieldJson {
    FIELDS.iter().find(|(name, _)| *name == field).map_or(MenuFieldJson::Name, |(_, json)| *json)
}

fn field_name(field: MenuFieldJson) -> FieldName {
    FIELDS.iter().find(|(_, json)| *json == field).map_or(FieldName::Name, |(name, _)| *name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r6_the_texts_of_an_item_have_a_bound() {
        let sent = |field: &str, chars: usize| {
            let body = serde_json::json!({ field: "x".repeat(chars) });
            edit_of(serde_json::from_value(body).unwrap()).map(|edit| edit.values.len()).ok()
        };
        for (field, most) in
            [("name", NAME_CHARS_MAX), ("kitchen_name", NAME_CHARS_MAX), ("description", NOTE_CHARS_MAX)]
        {
            assert_eq!((sent(field, most), sent(field, most + 1)), (Some(1), None), "{field}");
        }
    }
}
