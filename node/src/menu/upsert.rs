//! Writes what an import found: what is new or changed, and nothing else.

use crate::menu::import::{ImportRefusal, MenuDraft, NotUnderstood, RecipeFor};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::menu::{MenuItem, ModifierGroup};
use std::collections::BTreeMap;

/// Bytes of one commit of an import: well below the bound, so that a frame of the protocol holds several.
const IMPORT_COMMIT_BYTES: usize = 32 * 1024;

/// What an import writes, and what it has no place for.
#[derive(Debug, Default)]
pub struct Upsert {
    /// The changes, in commits.
    pub commits: Vec<Vec<Change>>,
    /// Recipes whose item or variant is not on the menu.
    pub lost_recipes: Vec<NotUnderstood>,
}

/// The changes that make the site's menu hold this draft. Importing the same again yields none (SPEC I1). Recipes of which the menu
/// knows no dish are refused whole (SPEC I6).
pub fn changes(site: &Site, draft: &MenuDraft) -> Result<Upsert, ImportRefusal> {
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
    for group in &draft.groups {
        let group = keep_option_recipes(site, group);
        if menu.groups.get(&group.id) != Some(&group) {
            changes.push(site.write_group(group.id, Some(group)));
        }
    }
    let mut items: BTreeMap<_, MenuItem> = draft.items.iter().map(|item| (item.id, keep_recipes(site, item))).collect();
    let mut lost_recipes = Vec::new();
    for recipe in &draft.recipes {
        if let Some(known) = menu.items.get(&recipe.item) {
            items.entry(recipe.item).or_insert_with(|| known.clone());
        }
        let item = items.get_mut(&recipe.item);
        let variant = item.and_then(|item| item.variants.iter_mut().find(|variant| variant.id == recipe.variant));
        match variant {
            Some(variant) => variant.recipe.clone_from(&recipe.lines),
            None => lost_recipes.push(lost(recipe)),
        }
    }
    for (id, item) in items.into_iter().filter(|(id, new)| menu.items.get(id) != Some(new)) {
        changes.extend(site.write_item(id, Some(item)));
    }
    let all_lost = draft.items.is_empty() && !lost_recipes.is_empty() && lost_recipes.len() == draft.recipes.len();
    if all_lost {
        return Err(ImportRefusal::NothingFound { not_understood: lost_recipes });
    }
    Ok(Upsert { commits: in_commits(changes), lost_recipes })
}

fn lost(recipe: &RecipeFor) -> NotUnderstood {
    NotUnderstood {
        place: format!("item {}", recipe.item),
        what: format!("a recipe for variant {}, which is not on the menu", recipe.variant),
        remedy: "import the menu first, then the recipes".to_owned(),
    }
}

fn in_commits(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let mut commits: Vec<Vec<Change>> = Vec::new();
    let mut room = 0;
    for change in changes {
        let bytes = change.to_raw().body.len() + 16;
        match commits.last_mut().filter(|_| bytes <= room) {
            Some(commit) => commit.push(change),
            None => {
                commits.push(vec![change]);
                room = IMPORT_COMMIT_BYTES;
            }
        }
        room = room.saturating_sub(bytes);
    }
    commits
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

/// The same for the recipes of a group's options.
fn keep_option_recipes(site: &Site, group: &ModifierGroup) -> ModifierGroup {
    let mut group = group.clone();
    if let Some(known) = site.menu().groups.get(&group.id) {
        for option in group.options.iter_mut().filter(|option| option.recipe.is_empty()) {
            let same = known.options.iter().find(|known| known.id == option.id);
            option.recipe = same.map(|known| known.recipe.clone()).unwrap_or_default();
        }
    }
    group
}
