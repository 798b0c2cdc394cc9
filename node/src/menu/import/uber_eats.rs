//! Many restaurants in one CSV file, one line an item with its price; no headings, no choices.
//!
//! One restaurant is taken. An item that is there with several prices becomes one item with a variant for each price.

use crate::menu::import::ImportRefusal;
use crate::menu::import::build::{Builder, NewItem};
use crate::menu::import::post::{Post, by_name};
use crate::menu::import::rows::{Row, Rows};
use crate::menu::import::text::{clean, currency_decimals, quoted};
use pilotlight_sync::domain::id::{MenuItemId, VariantId};
use pilotlight_sync::domain::menu::Variant;
use pilotlight_sync::domain::money::Currency;
use std::collections::BTreeMap;

pub(super) const COLUMNS: &[&str] = &["menu_id", "restaurant_name", "identifier", "item_name", "price_usd", "calories"];
const LEFT_OUT: &str = "the line was left out; mend it";
const OFFERED_MAX: usize = 5;

struct Offer {
    place: String,
    name: String,
    calories: String,
    prices: Vec<i64>,
}

pub(super) fn read(rows: &Rows, wanted: Option<&str>, build: &mut Builder) -> Result<(), ImportRefusal> {
    let Some(menu_id) = chosen(rows, wanted)? else { return Ok(()) };
    name_the_others(rows, menu_id, build);
    if build.currency() != Currency::USD {
        let what = format!("the prices are in USD, the site's currency is {}", build.currency());
        build.complain("line 1", what, "the numbers were taken as they are; change the prices on the menu");
    }
    let offers = offers(rows, menu_id, build);
    if !offers.is_empty() {
        let what = "the file has no headings";
        build.complain("line 1", what, "items were put under headings by the words of their names");
    }
    for offer in offers {
        add(offer, menu_id, build);
    }
    Ok(())
}

/// The `menu_id` that is wanted by id or name, or the one with most lines; `None` in a file without lines.
fn chosen<'rows>(rows: &'rows Rows, wanted: Option<&str>) -> Result<Option<&'rows str>, ImportRefusal> {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows.iter() {
        *lines.entry(row.cell(0)).or_default() += 1;
    }
    let mut largest: Vec<(&str, usize)> = lines.into_iter().collect();
    largest.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    let Some(wanted) = wanted.map(str::trim).filter(|wanted| !wanted.is_empty()) else {
        return Ok(largest.first().map(|(menu_id, _)| *menu_id));
    };
    let named = |row: &&Row| row.cell(0) == wanted || row.cell(1).eq_ignore_ascii_case(wanted);
    let found = rows.iter().find(named).map(|row| row.cell(0));
    found.map(Some).ok_or_else(|| {
        let offered: Vec<&str> = largest.iter().take(OFFERED_MAX).map(|(menu_id, _)| *menu_id).collect();
        let more = largest.len().saturating_sub(OFFERED_MAX);
        ImportRefusal::UnknownRestaurant {
            wanted: wanted.chars().take(120).collect(),
            offered: format!("{} and {more} more", offered.join(", ")),
        }
    })
}

fn name_the_others(rows: &Rows, menu_id: &str, build: &mut Builder) {
    let others: Vec<&Row> = rows.iter().filter(|row| row.cell(0) != menu_id).collect();
    let mut restaurants: Vec<&str> = others.iter().map(|row| row.cell(0)).collect();
    restaurants.sort_unstable();
    restaurants.dedup();
    if let Some(first) = others.first() {
        let what = format!("{} lines are of {} other restaurants", others.len(), restaurants.len());
        let remedy = format!("only {} was taken; name another as restaurant to import it", quoted(menu_id));
        build.complain(&first.place, what, remedy);
    }
}

fn offers(rows: &Rows, menu_id: &str, build: &mut Builder) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.cell(0) == menu_id) {
        build.found.variants += 1;
        let name = clean(row.cell(3));
        if name.is_empty() {
            build.complain(&row.place, "the item has no name", LEFT_OUT);
            continue;
        }
        let Some(price) = build.price(&row.place, &name, row.cell(4), LEFT_OUT) else { continue };
        if price == 0 {
            let what = format!("{} costs nothing", quoted(&name));
            build.complain(&row.place, what, "it was taken as free; price it on the menu if it is not");
        }
        let at = *known.entry(name.clone()).or_insert_with(|| {
            let (place, calories) = (row.place.clone(), clean(row.cell(5)));
            offers.push(Offer { place, name: name.clone(), calories, prices: Vec::new() });
            offers.len() - 1
        });
        let Some(offer) = offers.get_mut(at) else { continue };
        if offer.prices.contains(&price) {
            build.complain(&row.place, format!("{} is there twice with one price", quoted(&name)), "it was taken once");
        } else if build.takes_variant(&row.place, &name, offer.prices.len()) {
            offer.prices.push(price);
        }
    }
    build.found.items = u32::try_from(offers.len()).unwrap_or(u32::MAX);
    offers
}

fn add(offer: Offer, menu_id: &str, build: &mut Builder) {
    let Offer { place, name: full_name, calories, prices } = offer;
    let Some(name) = build.name(&place, "item", &full_name, LEFT_OUT) else { return };
    if prices.len() > 1 {
        let what = format!("{} has {} prices", quoted(&full_name), prices.len());
        build.complain(&place, what, "each became a variant that is named by its price; name them on the menu");
    }
    let post = by_name(&full_name).unwrap_or(Post::Kitchen);
    let position = heading_position(post);
    let Some(category) = build.category(&place, &[menu_id, post.heading()], post.heading(), position) else { return };
    let decimals = currency_decimals(build.currency());
    let only = prices.len() == 1;
    let variant = |price_minor: i64| {
        let price = price_text(price_minor, decimals);
        // The id of the only price does not name it, so that a price that changed stays the same variant.
        let words: &[&str] =
            if only { &["ubereats", menu_id, &full_name] } else { &["ubereats", menu_id, &full_name, &price] };
        let id = VariantId::derived(words);
        Variant { id, name: if only { String::new() } else { price }, price_minor, recipe: Vec::new() }
    };
    let description = match calories.as_str() {
        "" => String::new(),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => format!("{digits} calories."),
        words => words.to_owned(),
    };
    let item = NewItem {
        id: MenuItemId::derived(&["ubereats", menu_id, &full_name]),
        category,
        name,
        description: build.description(&place, &description),
        post,
        prep_s: post.prep_s(),
        variants: prices.into_iter().map(variant).collect(),
        groups: Vec::new(),
        tags: Vec::new(),
        quantity_min: 1,
    };
    build.item(&place, item);
}

fn heading_position(post: Post) -> u32 {
    match post {
        Post::Kitchen => 0,
        Post::Pizza => 1,
        Post::Grill => 2,
        Post::Fry => 3,
        Post::Salad => 4,
        Post::Dessert => 5,
        Post::Drinks => 6,
    }
}

fn price_text(minor: i64, decimals: usize) -> String {
    let digits = format!("{minor:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}
