//! Records of TastyIgniter's database: `menus`, `menu_options` and `categories`, in one object or each as a list of its own.
//!
//! Groups and headings are known by their names, so that three imports of one list each make the same menu as one of three.

use crate::menu::import::build::{Builder, NewItem, NewOption};
use crate::menu::import::post::{Post, by_heading, by_name};
use crate::menu::import::text::{clean, quoted};
use crate::menu::import::values::{flag, list, number_text, other_fields, text};
use crate::menu::import::{Format, ImportRefusal};
use pilotlight_sync::domain::id::{CategoryId, GroupId, MenuItemId, VariantId};
use pilotlight_sync::domain::menu::Variant;
use pilotlight_sync::limits::{CHOICE_COUNT_MAX, ITEM_GROUPS_MAX};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const MENU_FIELDS: &[&str] =
    &["menu_name", "menu_description", "menu_price", "minimum_qty", "menu_status", "menu_options", "categories"];
const OPTION_FIELDS: &[&str] = &[
    "option_name",
    "display_type",
    "option_values",
    "is_required",
    "required",
    "min_selected",
    "max_selected",
    "priority",
];
const VALUE_FIELDS: &[&str] = &["name", "price", "priority"];
const CATEGORY_FIELDS: &[&str] = &["name", "permalink_slug", "description", "priority", "status"];
const ITEM_LEFT_OUT: &str = "the item was left out; mend it";
const GROUP_LEFT_OUT: &str = "the group was left out; mend it";
const OPTION_LEFT_OUT: &str = "the option was left out; mend it";

/// The three lists; a list that the file does not have is `None`.
#[derive(Default)]
struct Records<'file> {
    menus: Option<&'file [Value]>,
    menu_options: Option<&'file [Value]>,
    categories: Option<&'file [Value]>,
}

pub(super) fn read(document: &Value, build: &mut Builder) -> Result<(), ImportRefusal> {
    let records = records(document, build)?;
    let mut headings = BTreeMap::new();
    for (at, category) in records.categories.unwrap_or_default().iter().enumerate() {
        build.found.categories += 1;
        read_category(category, &format!("categories[{at}]"), &mut headings, build);
    }
    let mut groups = BTreeSet::new();
    for (at, option) in records.menu_options.unwrap_or_default().iter().enumerate() {
        build.found.groups += 1;
        groups.extend(read_group(option, &format!("menu_options[{at}]"), build));
    }
    let known = records.menu_options.is_some().then_some(&groups);
    for (at, menu) in records.menus.unwrap_or_default().iter().enumerate() {
        build.found.items += 1;
        build.found.variants += 1;
        read_item(menu, &format!("menus[{at}]"), known, &headings, build);
    }
    Ok(())
}

fn records<'file>(document: &'file Value, build: &mut Builder) -> Result<Records<'file>, ImportRefusal> {
    let expected = "an object with menus, menu_options or categories, or one of these lists";
    let other = ImportRefusal::OtherDocument { format: Format::TastyIgniter, expected };
    if let Some(list) = document.as_array() {
        let list = Some(list.as_slice());
        let has = |field: &str| list.into_iter().flatten().any(|record| record.get(field).is_some());
        return match (has("menu_name"), has("option_name"), has("name")) {
            (true, _, _) => Ok(Records { menus: list, ..Records::default() }),
            (false, true, _) => Ok(Records { menu_options: list, ..Records::default() }),
            (false, false, true) => Ok(Records { categories: list, ..Records::default() }),
            (false, false, false) => Err(other),
        };
    }
    let mut take = |field| match (document.get(field), list(document, field)) {
        (None, _) => None,
        (Some(_), Some(list)) => Some(list),
        (Some(_), None) => {
            build.complain(field, "it is no list", "it was left out; mend it");
            None
        }
    };
    let records = Records { menus: take("menus"), menu_options: take("menu_options"), categories: take("categories") };
    let any = records.menus.is_some() || records.menu_options.is_some() || records.categories.is_some();
    if any { Ok(records) } else { Err(other) }
}

fn unused_fields(value: &Value, noun: &str, known: &[&str], place: &str, build: &mut Builder) {
    for field in other_fields(value, known) {
        build.complain(place, format!("the {noun} has a field {}", quoted(field)), "it was not used");
    }
}

/// A whole number that is not negative; absent is `None`, anything else is named.
fn whole(value: &Value, field: &str, place: &str, build: &mut Builder) -> Option<u32> {
    match value.get(field) {
        None | Some(Value::Null) => None,
        Some(given) => {
            let number = number_text(given).and_then(|text| text.parse().ok());
            if number.is_none() {
                build.complain(
                    place,
                    format!("{field} is no whole number from 0 on"),
                    "it was taken as absent; mend it",
                );
            }
            number
        }
    }
}

fn read_category(category: &Value, place: &str, headings: &mut BTreeMap<String, CategoryId>, build: &mut Builder) {
    unused_fields(category, "category", CATEGORY_FIELDS, place, build);
    let name = clean(text(category, "name").unwrap_or_default());
    if category.get("status").and_then(flag) == Some(false) {
        let what = format!("the category {} is switched off", quoted(&name));
        return build.complain(place, what, "it was left out; switch it on and import again");
    }
    if text(category, "description").is_some_and(|words| !words.trim().is_empty()) {
        build.complain(place, "the category has a description", "it was not used: headings have only a name");
    }
    let position = whole(category, "priority", place, build).unwrap_or_else(|| build.next_position());
    if let Some(id) = build.category(place, &[&name], &name, position) {
        headings.insert(name, id);
    }
}

fn group_id(raw_name: &str) -> GroupId {
    GroupId::derived(&["tastyigniter", &clean(raw_name)])
}

fn read_group(option: &Value, place: &str, build: &mut Builder) -> Option<GroupId> {
    unused_fields(option, "option", OPTION_FIELDS, place, build);
    let raw_name = text(option, "option_name").unwrap_or_default();
    let options = read_options(option, place, build);
    let name = build.name(place, "option", raw_name, GROUP_LEFT_OUT)?;
    let bounds = bounds(option, &name, options.len(), place, build);
    build.group(place, group_id(raw_name), name, bounds, options)
}

fn bounds(option: &Value, name: &str, options: usize, place: &str, build: &mut Builder) -> (u32, u32) {
    let each_once = u32::try_from(options).unwrap_or(u32::MAX).max(1);
    let most = match text(option, "display_type").unwrap_or_default() {
        "radio" | "select" => 1,
        "checkbox" => each_once,
        "quantity" => CHOICE_COUNT_MAX,
        other => {
            let what = format!("the option {} has the display_type {}", quoted(name), quoted(other));
            build.complain(place, what, "known are radio, select, checkbox and quantity; one choice was allowed");
            1
        }
    };
    let max = match whole(option, "max_selected", place, build).filter(|max| *max > 0) {
        Some(max) if max <= most => max,
        Some(max) => {
            let what = format!("the option {} allows {max} choices, but is shown for {most}", quoted(name));
            build.complain(place, what, format!("up to {most}"));
            most
        }
        None => most,
    };
    let required = ["is_required", "required"].iter().find_map(|field| option.get(*field).and_then(flag));
    let min = whole(option, "min_selected", place, build);
    if required.is_none() && min.is_none() {
        let what = "the option does not say whether a choice is required";
        build.complain(place, what, "it was taken as optional; set its minimum on the menu");
    }
    let min = min.unwrap_or(0).max(u32::from(required.unwrap_or(false)));
    if min > max {
        let what = format!("the option {} requires {min} choices and allows {max}", quoted(name));
        build.complain(place, what, format!("{max} are required"));
    }
    (min.min(max), max)
}

fn read_options(option: &Value, place: &str, build: &mut Builder) -> Vec<NewOption> {
    let Some(values) = list(option, "option_values") else {
        build.complain(place, "option_values is no list", GROUP_LEFT_OUT);
        return Vec::new();
    };
    let mut read = Vec::new();
    for (at, value) in values.iter().enumerate() {
        build.found.options += 1;
        let place = format!("{place}.option_values[{at}]");
        unused_fields(value, "option value", VALUE_FIELDS, &place, build);
        let raw_name = text(value, "name").unwrap_or_default();
        let Some(name) = build.name(&place, "option value", raw_name, OPTION_LEFT_OUT) else { continue };
        let price = value.get("price").and_then(number_text).unwrap_or_default();
        let Some(price_minor) = build.surcharge(&place, &name, &price, OPTION_LEFT_OUT) else { continue };
        let priority = whole(value, "priority", &place, build).unwrap_or(u32::MAX);
        read.push((priority, NewOption { name, price_minor, removal: false }));
    }
    read.sort_by_key(|(priority, _)| *priority);
    read.into_iter().map(|(_, option)| option).collect()
}

fn read_item(
    menu: &Value,
    place: &str,
    known_groups: Option<&BTreeSet<GroupId>>,
    headings: &BTreeMap<String, CategoryId>,
    build: &mut Builder,
) {
    unused_fields(menu, "item", MENU_FIELDS, place, build);
    let raw_name = text(menu, "menu_name").unwrap_or_default();
    let Some(name) = build.name(place, "item", raw_name, ITEM_LEFT_OUT) else { return };
    if menu.get("menu_status").and_then(flag) == Some(false) {
        let remedy = "it was left out; switch it on and import again";
        return build.complain(place, format!("{} is switched off", quoted(&name)), remedy);
    }
    let price = menu.get("menu_price").and_then(number_text).unwrap_or_default();
    let Some(price_minor) = build.price(place, &name, &price, ITEM_LEFT_OUT) else { return };
    if price_minor == 0 {
        let what = format!("{} costs nothing", quoted(&name));
        build.complain(place, what, "it was taken as free; price it on the menu if it is not");
    }
    let Some((category, heading)) = heading(menu, place, headings, build) else { return };
    let post = by_heading(&heading).or_else(|| by_name(&name)).unwrap_or(Post::Kitchen);
    let words = ["tastyigniter", &clean(raw_name)];
    let item = NewItem {
        id: MenuItemId::derived(&words),
        category,
        name,
        description: build.description(place, text(menu, "menu_description").unwrap_or_default()),
        post,
        prep_s: post.prep_s(),
        variants: vec![Variant {
            id: VariantId::derived(&words),
            name: String::new(),
            price_minor,
            recipe: Vec::new(),
        }],
        groups: item_groups(menu, place, known_groups, build),
        tags: Vec::new(),
        quantity_min: whole(menu, "minimum_qty", place, build).unwrap_or(1),
    };
    build.item(place, item);
}

fn heading(
    menu: &Value,
    place: &str,
    headings: &BTreeMap<String, CategoryId>,
    build: &mut Builder,
) -> Option<(CategoryId, String)> {
    let named = list(menu, "categories").unwrap_or_default();
    let mut names = named.iter().filter_map(Value::as_str).map(clean).filter(|name| !name.is_empty());
    let Some(name) = names.next() else {
        build.complain(place, "the item names no category", "it was put under \"Menu\"; move it on the menu");
        return build.category(place, &["Menu"], "Menu", 0).map(|id| (id, "Menu".to_owned()));
    };
    if names.next().is_some() {
        let what = format!("the item is in {} categories", named.len());
        build.complain(place, what, "it was put under the first: an item has one heading");
    }
    let id = headings.get(&name).copied().or_else(|| {
        let position = build.next_position();
        build.category(place, &[&name], &name, position)
    })?;
    Some((id, name))
}

fn item_groups(menu: &Value, place: &str, known: Option<&BTreeSet<GroupId>>, build: &mut Builder) -> Vec<GroupId> {
    let Some(names) = list(menu, "menu_options") else {
        build.complain(place, "menu_options is no list", "the item was taken without choices; mend it");
        return Vec::new();
    };
    let mut groups: Vec<GroupId> = Vec::new();
    for name in names {
        let Some(name) = name.as_str() else {
            build.complain(place, "menu_options has something else than names", "it was left out; mend it");
            continue;
        };
        let id = group_id(name);
        match known {
            Some(known) if !known.contains(&id) => {
                let what = format!("the option {} is not among menu_options", quoted(name));
                build.complain(place, what, "the item was taken without it; add it");
            }
            Some(_) | None if groups.contains(&id) => {
                build.complain(place, format!("the item has the option {} twice", quoted(name)), "it was taken once");
            }
            Some(_) | None => {
                if known.is_none() {
                    let what = format!("the option {} is not in this file", quoted(name));
                    build.complain(place, what, "it was linked by its name; import menu_options too");
                }
                if groups.len() <= ITEM_GROUPS_MAX {
                    groups.push(id);
                }
            }
        }
    }
    groups
}
