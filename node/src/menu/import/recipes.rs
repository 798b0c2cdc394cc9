//! What a variant uses: one line an ingredient, in whole grams.
//!
//! `item` and `size` are the keys of a pizzaplace import (`bbq_ckn`, `L`), or the ids of an item and a variant of the menu.

use crate::menu::import::RecipeFor;
use crate::menu::import::build::Builder;
use crate::menu::import::rows::{Row, Rows};
use crate::menu::import::text::{amount, clean, quoted};
use pilotlight_sync::domain::id::{MenuItemId, VariantId};
use pilotlight_sync::domain::menu::{RecipeLine, Unit};
use pilotlight_sync::limits::{RECIPE_LINES_MAX, STOCK_AMOUNT_MAX};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const COLUMNS: &[&str] = &["item", "size", "ingredient", "grams"];
const LEFT_OUT: &str = "the line was left out; mend it";

pub(super) fn read(rows: &Rows, build: &mut Builder) {
    let mut recipes: Vec<RecipeFor> = Vec::new();
    let mut known: BTreeMap<(MenuItemId, VariantId), usize> = BTreeMap::new();
    let mut ingredients = BTreeSet::new();
    for row in rows.iter() {
        let Some((item, variant)) = target(row, build) else { continue };
        let at = *known.entry((item, variant)).or_insert_with(|| {
            recipes.push(RecipeFor { item, variant, lines: Vec::new() });
            recipes.len() - 1
        });
        ingredients.insert(clean(row.cell(2)).to_lowercase());
        if let (Some(line), Some(recipe)) = (recipe_line(row, build), recipes.get_mut(at)) {
            add(row, recipe, line, build);
        }
    }
    build.found.recipes = u32::try_from(recipes.len()).unwrap_or(u32::MAX);
    build.found.ingredients = u32::try_from(ingredients.len()).unwrap_or(u32::MAX);
    for recipe in recipes.into_iter().filter(|recipe| !recipe.lines.is_empty()) {
        build.recipe(recipe);
    }
}

fn target(row: &Row, build: &mut Builder) -> Option<(MenuItemId, VariantId)> {
    let (item, size) = (row.cell(0), row.cell(1));
    if item.is_empty() || size.is_empty() {
        build.complain(&row.place, "the line names no item or no size", LEFT_OUT);
        return None;
    }
    match (item.parse(), size.parse()) {
        (Ok(item), Ok(variant)) => Some((item, variant)),
        (Ok(_), Err(_)) => {
            let what = format!("the item is an id, but the size {} is not", quoted(size));
            build.complain(&row.place, what, "the line was left out; give the id of the variant");
            None
        }
        (Err(_), _) => {
            Some((MenuItemId::derived(&["pizzaplace", item]), VariantId::derived(&["pizzaplace", item, size])))
        }
    }
}

fn recipe_line(row: &Row, build: &mut Builder) -> Option<RecipeLine> {
    let name = build.name(&row.place, "ingredient", row.cell(2), LEFT_OUT)?;
    let grams = amount(row.cell(3), 0).ok().and_then(|grams| u64::try_from(grams).ok()).filter(|grams| *grams > 0);
    let Some(amount) = grams else {
        let what = format!("{} is not a whole number of grams from 1 to 100000000", quoted(row.cell(3)));
        build.complain(&row.place, what, LEFT_OUT);
        return None;
    };
    let ingredient = build.ingredient(&row.place, name, Unit::Gram)?;
    Some(RecipeLine { ingredient, amount })
}

fn add(row: &Row, recipe: &mut RecipeFor, line: RecipeLine, build: &mut Builder) {
    let Some(known) = recipe.lines.iter_mut().find(|known| known.ingredient == line.ingredient) else {
        if recipe.lines.len() < RECIPE_LINES_MAX {
            return recipe.lines.push(line);
        }
        let what = format!("the recipe of {} has more than {RECIPE_LINES_MAX} ingredients", quoted(row.cell(0)));
        return build.complain(&row.place, what, "those beyond were left out; join some");
    };
    let what = format!("{} is twice in one recipe", quoted(row.cell(2)));
    match known.amount.checked_add(line.amount).filter(|sum| *sum <= STOCK_AMOUNT_MAX) {
        Some(sum) => {
            known.amount = sum;
            build.complain(&row.place, what, "its amounts were added");
        }
        None => build.complain(&row.place, what, "the line was left out: together they are more than can be booked"),
    }
}
