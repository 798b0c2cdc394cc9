//! Writes what an import found: what is new or changed, and nothing else.

use crate::menu::import::{MenuDraft, RecipeFor};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::menu::MenuItem;
use std::collections::BTreeMap;

/// Changes per commit of an import: far below the bounds of a commit, whatever the items hold.
const CHANGES_PER_COMMIT: usize = 16;

/// The changes that make the site's menu hold this draft, in commits. Importing the same again yields none (SPEC I1).
pub fn changes(site: &Site, draft: &MenuDraft) -> Vec<Vec<Change>> {
    let menu = site.menu();
    let mut changes = Vec::new();
    for station in draft.stations.iter().filter(|new| menu.stations.get(&new.id) != Some(new)) {
        changes.push(site.write_station(station.id.clone(), Some(station.clone())));
    }
    for category in draft.categories.iter().filter(|new| menu.categories.get(&new.id) != Some(new)) {
        changes.push(site.write_category(category.id, Some(category.clone())));
    }
    for ingredient in &draft.ingredients {
        let known = menu.ingredients.get(&ingredient.id);
        // Whether running out stops the sale is the shop's own decision: an import does not undo it.
        let enforced = known.map_or(ingredient.enforced, |known| known.enforced);
        let ingredient = pilotlight_sync::domain::menu::Ingredient { enforced, ..ingredient.clone() };
        if known != Some(&ingredient) {
            changes.push(site.write_ingredient(ingredient.id, Some(ingredient)));
        }
    }
    for group in draft.groups.iter().filter(|new| menu.groups.get(&new.id) != Some(new)) {
        changes.push(site.write_group(group.id, Some(group.clone())));
    }
    let mut items: BTreeMap<_, MenuItem> = draft.items.iter().map(|item| (item.id, keep_recipes(site, item))).collect();
    for recipe in &draft.recipes {
        if let Some(known) = menu.items.get(&recipe.item) {
            set_recipe(items.entry(recipe.item).or_insert_with(|| known.clone()), recipe);
        }
    }
    for (id, item) in items.into_iter().filter(|(id, new)| menu.items.get(id) != Some(new)) {
        changes.push(site.write_item(id, Some(item)));
    }
    changes.chunks(CHANGES_PER_COMMIT).map(<[Change]>::to_vec).collect()
}

/// Recipes come in a file of their own: an item's import without any keeps those that are known.
fn keep_recipes(site: &Site, item: &MenuItem) -> MenuItem {
    let mut item = item.clone();
    if let Some(known) = site.menu().items.get(&item.id) {
        for variant in item.variants.iter_mut().filter(|variant| variant.recipe.is_empty()) {
            let same = known.variants.iter().find(|known| known.id == variant.id);
            variant.recipe = same.map(|known| known.recipe.clone()).unwrap_or_default();
        }
    }
    item
}

fn set_recipe(item: &mut MenuItem, recipe: &RecipeFor) {
    if let Some(variant) = item.variants.iter_mut().find(|variant| variant.id == recipe.variant) {
        variant.recipe.clone_from(&recipe.lines);
    }
}
