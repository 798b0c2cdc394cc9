//! Every format on small inputs, every complaint, whole real files, and arbitrary bytes.

mod arbitrary;
mod complaints;
mod small;
mod whole_files;

use crate::menu::import::{
    CATEGORIES_MAX, Format, GROUPS_MAX, INGREDIENTS_MAX, ITEM_TAGS_MAX, Import, ImportOptions, NOT_UNDERSTOOD_MAX,
    TAG_CHARS_MAX, import,
};
use pilotlight_sync::domain::menu::{MenuItem, ModifierGroup};
use pilotlight_sync::domain::money::Currency;
use pilotlight_sync::limits::{
    DESCRIPTION_CHARS_MAX, GROUP_OPTIONS_MAX, ITEM_GROUPS_MAX, ITEM_VARIANTS_MAX, LINE_QUANTITY_MAX, MENU_ITEMS_MAX,
    NAME_CHARS_MAX, PRICE_MINOR_MAX, RECIPE_LINES_MAX, STOCK_AMOUNT_MAX,
};
use std::collections::BTreeSet;

fn dollars() -> ImportOptions {
    ImportOptions { restaurant: None, currency: Currency::USD }
}

fn read(format: Format, file: &str) -> Import {
    import(format, file.as_bytes(), &dollars()).unwrap_or_else(|refusal| panic!("{}: {refusal}", format.word()))
}

/// Panics when anything in the draft breaks a limit or names something that is not there.
fn check_limits(import: &Import) {
    let draft = &import.draft;
    assert!(import.not_understood.len() <= NOT_UNDERSTOOD_MAX);
    assert!(draft.items.len() <= MENU_ITEMS_MAX && draft.categories.len() <= CATEGORIES_MAX);
    assert!(draft.groups.len() <= GROUPS_MAX && draft.ingredients.len() <= INGREDIENTS_MAX);
    let categories: BTreeSet<_> = draft.categories.iter().map(|category| category.id).collect();
    let stations: BTreeSet<_> = draft.stations.iter().map(|station| station.id.clone()).collect();
    let ingredients: BTreeSet<_> = draft.ingredients.iter().map(|ingredient| ingredient.id).collect();
    let names = draft.categories.iter().map(|it| &it.name).chain(draft.ingredients.iter().map(|it| &it.name));
    names.chain(draft.stations.iter().map(|it| &it.name)).for_each(|name| check_name(name));
    draft.groups.iter().for_each(check_group);
    for item in &draft.items {
        check_item(item);
        assert!(categories.contains(&item.category), "{} has no heading", item.name);
        assert!(stations.contains(&item.station), "{} has no station", item.name);
    }
    for recipe in &draft.recipes {
        assert!((1..=RECIPE_LINES_MAX).contains(&recipe.lines.len()));
        assert_all_differ(recipe.lines.iter().map(|line| line.ingredient));
        for line in &recipe.lines {
            assert!(ingredients.contains(&line.ingredient) && line.amount > 0 && line.amount <= STOCK_AMOUNT_MAX);
        }
    }
    assert_all_differ(draft.items.iter().map(|item| item.id));
    assert_all_differ(draft.groups.iter().map(|group| group.id));
    assert_all_differ(draft.categories.iter().map(|category| category.id));
    assert_all_differ(draft.recipes.iter().map(|recipe| recipe.variant));
}

fn assert_all_differ<T: Ord>(ids: impl Iterator<Item = T>) {
    let mut known = BTreeSet::new();
    ids.for_each(|id| assert!(known.insert(id), "an id is there twice"));
}

fn check_name(name: &str) {
    assert!(!name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX, "{name:?}");
    assert!(!name.chars().any(char::is_control), "{name:?}");
}

fn check_item(item: &MenuItem) {
    check_name(&item.name);
    check_name(&item.kitchen_name);
    assert!(item.description.chars().count() <= DESCRIPTION_CHARS_MAX);
    assert!((1..=ITEM_VARIANTS_MAX).contains(&item.variants.len()) && item.groups.len() <= ITEM_GROUPS_MAX);
    assert!((1..=LINE_QUANTITY_MAX).contains(&item.quantity_min) && item.prep_s > 0);
    assert!(item.tags.len() <= ITEM_TAGS_MAX && item.tags.iter().all(|tag| tag.chars().count() <= TAG_CHARS_MAX));
    assert_all_differ(item.variants.iter().map(|variant| variant.id));
    assert_all_differ(item.groups.iter());
    for variant in &item.variants {
        assert!((0..=PRICE_MINOR_MAX).contains(&variant.price_minor) && variant.recipe.is_empty());
        assert!(variant.name.chars().count() <= NAME_CHARS_MAX);
        assert!(
            !variant.name.is_empty() || item.variants.len() == 1,
            "{} has several variants, one unnamed",
            item.name
        );
    }
}

fn check_group(group: &ModifierGroup) {
    check_name(&group.name);
    assert!(group.min <= group.max && group.max > 0, "{}", group.name);
    assert!((1..=GROUP_OPTIONS_MAX).contains(&group.options.len()), "{}", group.name);
    assert_all_differ(group.options.iter().map(|option| option.id));
    for option in &group.options {
        check_name(&option.name);
        assert!((-PRICE_MINOR_MAX..=PRICE_MINOR_MAX).contains(&option.price_minor));
    }
}
