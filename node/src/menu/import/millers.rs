//! The catalogue of Millers Cafe: categories of items, each item with its own copy of its modifier groups.
//!
//! Equal groups become one: a group's id comes from its content. "- Onions" is a removal and reads "No Onions"; "+ Garlic"
//! reads "Garlic". A base price of zero is meant where a required choice carries the price.

use crate::menu::import::build::{Builder, NewItem, NewOption};
use crate::menu::import::post::{Post, by_heading, by_name};
use crate::menu::import::text::quoted;
use crate::menu::import::values::{flag, list, number_text, other_fields, text};
use crate::menu::import::{Format, ImportRefusal};
use pilotlight_sync::domain::id::{CategoryId, GroupId, MenuItemId, VariantId};
use pilotlight_sync::domain::menu::Variant;
use serde_json::Value;

const CATEGORY_FIELDS: &[&str] = &["name", "items", "source"];
const ITEM_FIELDS: &[&str] = &["name", "basePrice", "description", "tags", "modifierGroups"];
const GROUP_FIELDS: &[&str] = &["name", "options", "selectionType", "isRequired", "isTextInput", "maxSelections"];
const OPTION_FIELDS: &[&str] = &["name", "priceAdjustment"];
const ITEM_LEFT_OUT: &str = "the item was left out; mend it";
const GROUP_LEFT_OUT: &str = "the group was left out; mend it";
const OPTION_LEFT_OUT: &str = "the option was left out; mend it";

pub(super) fn read(document: &Value, build: &mut Builder) -> Result<(), ImportRefusal> {
    let categories = document.as_array().or_else(|| document.get("categories").and_then(Value::as_array));
    let expected = "a list of categories with items";
    let categories = categories.ok_or(ImportRefusal::OtherDocument { format: Format::Millers, expected })?;
    for (at, category) in categories.iter().enumerate() {
        build.found.categories += 1;
        let place = format!("categories[{at}]");
        unused_fields(category, "category", CATEGORY_FIELDS, &place, build);
        let raw_name = text(category, "name").unwrap_or_default();
        let Some(items) = list(category, "items") else {
            build.complain(&place, "items is no list", "the category was left out; mend it");
            continue;
        };
        let position = u32::try_from(at).unwrap_or(u32::MAX);
        let id = build.category(&place, &[raw_name], raw_name, position);
        for (at, item) in items.iter().enumerate() {
            build.found.items += 1;
            build.found.variants += 1;
            if let Some(id) = id {
                read_item(item, (id, category), &format!("{place}.items[{at}]"), build);
            }
        }
    }
    Ok(())
}

fn unused_fields(value: &Value, noun: &str, known: &[&str], place: &str, build: &mut Builder) {
    for field in other_fields(value, known) {
        build.complain(place, format!("the {noun} has a field {}", quoted(field)), "it was not used");
    }
}

fn read_item(item: &Value, (category, heading): (CategoryId, &Value), place: &str, build: &mut Builder) {
    unused_fields(item, "item", ITEM_FIELDS, place, build);
    let raw_name = text(item, "name").unwrap_or_default();
    let groups = read_groups(item, place, build);
    let Some(name) = build.name(place, "item", raw_name, ITEM_LEFT_OUT) else { return };
    let price = item.get("basePrice").and_then(number_text).unwrap_or_default();
    let Some(price_minor) = build.price(place, &name, &price, ITEM_LEFT_OUT) else { return };
    if price_minor == 0 && !groups.iter().any(|group| group.carries_price) {
        let what = format!("{} costs nothing, and no required choice adds to it", quoted(&name));
        build.complain(place, what, "it was taken as free; price it on the menu if it is not");
    }
    let heading_name = text(heading, "name").unwrap_or_default();
    let raw_tags: Vec<&str> = list(item, "tags").unwrap_or_default().iter().filter_map(Value::as_str).collect();
    name_swap_tags(&raw_tags, &groups, place, build);
    let post = post(heading, &raw_tags, &name);
    let description = build.description(place, text(item, "description").unwrap_or_default());
    let words = ["millers", heading_name, raw_name];
    let new = NewItem {
        id: MenuItemId::derived(&words),
        category,
        name,
        description,
        post,
        prep_s: post.prep_s(),
        variants: vec![Variant {
            id: VariantId::derived(&words),
            name: String::new(),
            price_minor,
            recipe: Vec::new(),
        }],
        groups: groups.into_iter().filter_map(|group| group.id).collect(),
        tags: build.tags(place, raw_tags.into_iter()),
        quantity_min: 1,
    };
    build.item(place, new);
}

/// The heading decides, then tags, then the name; but a curry named after the tandoor is cooked in the kitchen, and so is a
/// drink that is tagged as prepared there.
fn post(heading: &Value, tags: &[&str], name: &str) -> Post {
    if tags.contains(&"kitchen-prepared-drink") {
        return Post::Kitchen;
    }
    if text(heading, "source") == Some("drinks") {
        return Post::Drinks;
    }
    let heading = text(heading, "name").unwrap_or_default();
    let by_words = by_heading(heading).or_else(|| tags.iter().find_map(|tag| by_heading(tag)));
    let of_name = || if tags.contains(&"curry") { None } else { by_name(name) };
    by_words.or_else(of_name).unwrap_or(Post::Kitchen)
}

/// The catalogue tags dishes whose protein guests may swap, but most of them have no group to choose it from.
fn name_swap_tags(tags: &[&str], groups: &[ReadGroup], place: &str, build: &mut Builder) {
    let offers_protein = groups.iter().any(|group| group.name.to_lowercase().contains("protein"));
    for tag in tags.iter().filter(|tag| tag.starts_with("protein-swap") && !offers_protein) {
        let what = format!("the tag {} promises a choice of protein, but no group offers one", quoted(tag));
        build.complain(place, what, "it was kept as a tag; add a group if guests may choose");
    }
}

struct ReadGroup {
    id: Option<GroupId>,
    name: String,
    /// A choice is required, and every option adds to the price.
    carries_price: bool,
}

fn read_groups(item: &Value, place: &str, build: &mut Builder) -> Vec<ReadGroup> {
    let Some(groups) = list(item, "modifierGroups") else {
        build.complain(place, "modifierGroups is no list", "the item was taken without choices; mend it");
        return Vec::new();
    };
    let mut read: Vec<ReadGroup> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        build.found.groups += 1;
        let place = format!("{place}.modifierGroups[{at}]");
        unused_fields(group, "group", GROUP_FIELDS, &place, build);
        let Some(group) = read_group(group, &place, build) else { continue };
        let twice = group.id.is_some() && read.iter().any(|known| known.id == group.id);
        if twice {
            build.complain(
                &place,
                format!("the item has the group {} twice", quoted(&group.name)),
                "it was taken once",
            );
        } else if read.len() <= pilotlight_sync::limits::ITEM_GROUPS_MAX {
            if read.iter().any(|known| known.name == group.name) {
                let what = format!("the item has two different groups called {}", quoted(&group.name));
                build.complain(&place, what, "both were kept; rename one");
            }
            read.push(group);
        }
    }
    read
}

fn read_group(group: &Value, place: &str, build: &mut Builder) -> Option<ReadGroup> {
    let options = read_options(group, place, build);
    let name = build.name(place, "group", text(group, "name").unwrap_or_default(), GROUP_LEFT_OUT)?;
    if group.get("isTextInput").and_then(flag).unwrap_or(false) {
        let what = format!("the group {} asks for text", quoted(&name));
        build.complain(place, what, "the group was left out; guests can write a note on the line");
        return None;
    }
    let default = ["(default ", "(Default "].iter().find_map(|opening| name.split_once(opening));
    if let Some(default) = default.map(|(_, rest)| rest.trim_end_matches(')')) {
        let what = format!("the group {} names a default, {}", quoted(&name), quoted(default));
        build.complain(place, what, "nothing is chosen beforehand; without a choice the kitchen serves the default");
    }
    let required = group.get("isRequired").and_then(flag).unwrap_or_else(|| {
        build.complain(place, "the group does not say whether a choice is required", "it was taken as optional");
        false
    });
    let max = most(group, &name, options.len(), place, build);
    let (min, count) = (u32::from(required), options.len());
    let carries_price = required && count > 0 && options.iter().all(|option| option.price_minor > 0);
    let mut words = vec!["millers".to_owned(), name.clone(), min.to_string(), max.to_string()];
    words.extend(options.iter().flat_map(|option| [option.name.clone(), option.price_minor.to_string()]));
    let id = GroupId::derived(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let id = build.group(place, id, name.clone(), (min, max), options);
    Some(ReadGroup { id, name, carries_price })
}

/// Most choices: one in a single choice; in a multiple one what the file says, else each option once.
fn most(group: &Value, name: &str, options: usize, place: &str, build: &mut Builder) -> u32 {
    let each_once = u32::try_from(options).unwrap_or(u32::MAX).max(1);
    let given = match group.get("maxSelections") {
        None | Some(Value::Null) => None,
        Some(given) => {
            let most = given.as_u64().and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0);
            if most.is_none() {
                let what = format!("maxSelections of the group {} is no number from 1 on", quoted(name));
                build.complain(place, what, "it was taken as absent; mend it");
            }
            most
        }
    };
    match (text(group, "selectionType"), given) {
        (Some("single"), None | Some(1)) => 1,
        (Some("single"), Some(most)) => {
            let what = format!("the group {} is a single choice, but allows {most}", quoted(name));
            build.complain(place, what, "it was taken as a single choice");
            1
        }
        (Some("multiple"), Some(most)) if most <= each_once => most,
        (Some("multiple"), Some(most)) => {
            let what = format!("the group {} allows {most} choices of {options} options", quoted(name));
            build.complain(place, what, "each option may be chosen once");
            each_once
        }
        (Some("multiple"), None) => {
            let what = format!("the group {} names no most choices", quoted(name));
            build.complain(place, what, format!("up to {each_once}, as many as it has options"));
            each_once
        }
        (kind, given) => {
            let what = format!("the group {} has the selectionType {}", quoted(name), quoted(kind.unwrap_or_default()));
            build.complain(place, what, "known are single and multiple; it was taken as single unless it allows more");
            given.unwrap_or(1).min(each_once)
        }
    }
}

fn read_options(group: &Value, place: &str, build: &mut Builder) -> Vec<NewOption> {
    let Some(options) = list(group, "options") else {
        build.complain(place, "options is no list", GROUP_LEFT_OUT);
        return Vec::new();
    };
    let mut read = Vec::new();
    for (at, option) in options.iter().enumerate() {
        build.found.options += 1;
        let place = format!("{place}.options[{at}]");
        unused_fields(option, "option", OPTION_FIELDS, &place, build);
        let raw = text(option, "name").unwrap_or_default().trim();
        let (removal, shown) = match (raw.strip_prefix('-'), raw.strip_prefix('+')) {
            (Some(taken), _) => (true, format!("No {}", taken.trim())),
            (None, Some(added)) => (false, added.trim().to_owned()),
            (None, None) => (false, raw.to_owned()),
        };
        let Some(name) = build.name(&place, "option", &shown, OPTION_LEFT_OUT) else { continue };
        let price = option.get("priceAdjustment").and_then(number_text).unwrap_or_default();
        let Some(price_minor) = build.surcharge(&place, &name, &price, OPTION_LEFT_OUT) else { continue };
        read.push(NewOption { name, price_minor, removal });
    }
    read
}
