//! `/api/v1/menu`, availability, 86 and imports.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::inventory::availability::Unavailable;
use crate::inventory::eighty_six;
use crate::menu::import::{Format, Import, ImportOptions, import};
use crate::menu::upsert;
use crate::store::store_handle::{Plan, PlanError};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderValue, StatusCode};
use pilotlight_sync::doc::site::Off;
use pilotlight_sync::domain::menu::{AllergenState, Menu, MenuItem, ModifierGroup};
use pilotlight_sync::domain::role::Action;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::convert::Infallible;
use std::io::Write;

/// The menu as it is sent: rendered and compressed once for each version.
#[derive(Debug, Clone)]
pub struct MenuPage {
    /// A strong ETag of the content, with its quotes.
    pub etag: HeaderValue,
    /// The version on the wire: the ETag without quotes.
    pub version: String,
    /// JSON.
    pub plain: Bytes,
    /// The same, gzipped.
    pub gzipped: Bytes,
}

impl MenuPage {
    /// Renders a menu.
    pub fn of(menu: &Menu) -> Self {
        let mut page = menu_json(menu, String::new());
        let hashed = serde_json::to_vec(&page).unwrap_or_default();
        let version = blake3::hash(&hashed).to_hex()[..16].to_owned();
        page.version.clone_from(&version);
        let plain = serde_json::to_vec(&page).unwrap_or_default();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        // Writing into memory cannot fail.
        let gzipped = gzip.write_all(&plain).and_then(|()| gzip.finish()).unwrap_or_default();
        let etag = HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self { etag, version, plain: plain.into(), gzipped: gzipped.into() }
    }
}

/// The whole menu. Conditional: `If-None-Match` with the version answers 304.
#[utoipa::path(get, path = "/api/v1/menu", operation_id = "get_menu", tag = "menu", responses((status = 200, body = MenuJson), (status = 304)))]
pub async fn get_menu(call: Call) -> Answer {
    call.allow(Action::ReadMenu)?;
    let page = call.app.menu.borrow().clone();
    let matches = call.headers.get_all(IF_NONE_MATCH).iter().any(|sent| {
        sent.to_str().is_ok_and(|sent| sent.split(',').any(|tag| tag.trim().trim_start_matches("W/") == page.etag))
    });
    let gzip =
        call.headers.get(ACCEPT_ENCODING).and_then(|sent| sent.to_str().ok()).is_some_and(|sent| sent.contains("gzip"));
    let mut response = match (matches, gzip) {
        (true, _) => with_type(StatusCode::NOT_MODIFIED, "application/json", Bytes::new()),
        (false, true) => {
            let mut response = with_type(StatusCode::OK, "application/json", page.gzipped.clone());
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
        (false, false) => with_type(StatusCode::OK, "application/json", page.plain.clone()),
    };
    let headers = response.headers_mut();
    headers.insert(ETAG, page.etag.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    Ok(response)
}

/// Everything that cannot be ordered now.
#[utoipa::path(get, path = "/api/v1/availability", operation_id = "get_availability", tag = "menu", responses((status = 200, body = AvailabilityJson)))]
pub async fn get_availability(call: Call) -> Answer {
    call.allow(Action::ReadMenu)?;
    let list = call.app.store.read(|replica, now| {
        let origin = replica.identity().origin;
        Ok(crate::inventory::availability::unavailable(replica.site(), &origin, now))
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
    let file = call.body()?.clone();
    let imported = tokio::task::spawn_blocking(move || import(format, &file, &options)).await;
    let imported = imported.map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "import_panicked", "the import broke; nothing was written")
    })??;
    let by = caller.actor();
    let plan = move |replica: &crate::store::replica::Replica, _| {
        let upsert = upsert::changes(replica.site(), &imported.draft);
        let mut imported = imported;
        imported.not_understood.extend(upsert.lost_recipes);
        let mut commits = upsert.commits.into_iter();
        let first = commits.next().unwrap_or_default();
        let plan = Plan::new(by, first, move |_| imported);
        Ok::<_, PlanError<Infallible>>(Plan { more: commits.collect(), ..plan })
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

pub(crate) fn availability_json(list: &[Unavailable]) -> AvailabilityJson {
    let one = |one: &Unavailable| {
        let (item, variant, option, reason, until) = match one {
            Unavailable::EightySix(item, until) => {
                (Some(item.to_string()), None, None, UnavailableReasonJson::EightySix, until.map(|at| at.0))
            }
            Unavailable::Item(item) => (Some(item.to_string()), None, None, UnavailableReasonJson::SoldOut, None),
            Unavailable::Variant(item, variant) => {
                (Some(item.to_string()), Some(variant.to_string()), None, UnavailableReasonJson::SoldOut, None)
            }
            Unavailable::Option(option) => (None, None, Some(option.to_string()), UnavailableReasonJson::SoldOut, None),
        };
        UnavailableJson { item, variant, option, reason, until }
    };
    AvailabilityJson { unavailable: list.iter().map(one).collect() }
}

fn menu_json(menu: &Menu, version: String) -> MenuJson {
    let mut categories: Vec<_> = menu.categories.values().collect();
    categories.sort_by(|a, b| (a.position, &a.name).cmp(&(b.position, &b.name)));
    let place = |item: &MenuItem| categories.iter().position(|category| category.id == item.category);
    let mut items: Vec<_> = menu.items.values().collect();
    items.sort_by(|a, b| (place(a), a.position, &a.name).cmp(&(place(b), b.position, &b.name)));
    MenuJson {
        version,
        currency: menu.currency.to_string(),
        categories: categories
            .iter()
            .map(|category| CategoryJson { id: category.id.to_string(), name: category.name.clone() })
            .collect(),
        items: items.into_iter().map(item_json).collect(),
        groups: menu.groups.values().map(group_json).collect(),
        stations: menu
            .stations
            .values()
            .map(|station| StationJson { id: station.id.to_string(), name: station.name.clone() })
            .collect(),
    }
}

fn item_json(item: &MenuItem) -> ItemJson {
    let variants = item.variants.iter().map(|variant| VariantJson {
        id: variant.id.to_string(),
        name: variant.name.clone(),
        price_minor: variant.price_minor,
    });
    let allergens = item.allergens.iter().map(|allergen| AllergenJson {
        name: allergen.name.clone(),
        state: match allergen.state {
            AllergenState::Contains => AllergenStateJson::Contains,
            AllergenState::MayContain => AllergenStateJson::MayContain,
            AllergenState::Free => AllergenStateJson::Free,
            AllergenState::Unknown => AllergenStateJson::Unknown,
        },
    });
    ItemJson {
        id: item.id.to_string(),
        category: item.category.to_string(),
        name: item.name.clone(),
        description: item.description.clone(),
        kitchen_name: item.kitchen_name.clone(),
        station: item.station.to_string(),
        prep_s: item.prep_s,
        variants: variants.collect(),
        groups: item.groups.iter().map(ToString::to_string).collect(),
        tags: item.tags.clone(),
        allergens: allergens.collect(),
        quantity_min: item.quantity_min.max(1),
    }
}

fn group_json(group: &ModifierGroup) -> GroupJson {
    let options = group.options.iter().map(|option| OptionJson {
        id: option.id.to_string(),
        name: option.name.clone(),
        price_minor: option.price_minor,
        removal: option.removal,
    });
    GroupJson {
        id: group.id.to_string(),
        name: group.name.clone(),
        min: group.min,
        max: group.max,
        options: options.collect(),
    }
}
