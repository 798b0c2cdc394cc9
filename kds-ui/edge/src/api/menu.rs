//! The menu as both programs send it: rendered and compressed once for each version, asked for conditionally.

use crate::api::json::*;
use crate::api::request::{Response, with_type};
use crate::availability::Unavailable;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use pilotlight_sync::domain::menu::{AllergenState, Menu, MenuItem, ModifierGroup};
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

    /// The page, or 304 when the asker has this version.
    pub fn answer(&self, asked: &HeaderMap) -> Response {
        let matches = asked.get_all(IF_NONE_MATCH).iter().any(|sent| {
            sent.to_str().is_ok_and(|sent| sent.split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.etag))
        });
        let gzip =
            asked.get(ACCEPT_ENCODING).and_then(|sent| sent.to_str().ok()).is_some_and(|sent| sent.contains("gzip"));
        let mut response = match (matches, gzip) {
            (true, _) => with_type(StatusCode::NOT_MODIFIED, "application/json", Bytes::new()),
            (false, true) => {
                let mut response = with_type(StatusCode::OK, "application/json", self.gzipped.clone());
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                response
            }
            (false, false) => with_type(StatusCode::OK, "application/json", self.plain.clone()),
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, self.etag.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        response
    }
}

/// What cannot be ordered now, as it is sent.
pub fn availability_json(list: &[Unavailable]) -> AvailabilityJson {
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
