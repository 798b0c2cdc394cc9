//! What cannot be ordered now: taken off sale by staff, or sold out. Derived from rights, never written (SPEC S6).

use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::{IngredientId, MenuItemId, OptionId, OriginId, VariantId};
use pilotlight_sync::domain::menu::RecipeLine;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeMap;

/// One thing that cannot be ordered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable {
    /// Staff have taken the item off sale.
    EightySix(MenuItemId, Option<Timestamp>),
    /// No variant of the item can be made.
    Item(MenuItemId),
    /// This variant cannot be made.
    Variant(MenuItemId, VariantId),
    /// This option cannot be made.
    Option(OptionId),
}

/// Everything that cannot be ordered now, in the order of the items' ids.
pub fn unavailable(site: &Site, origin: &OriginId, now: Timestamp) -> Vec<Unavailable> {
    let off = site.eighty_sixed(now);
    let mut rights: BTreeMap<IngredientId, Option<u64>> = BTreeMap::new();
    let mut short = |recipe: &[RecipeLine]| {
        recipe.iter().any(|line| {
            let left = rights.entry(line.ingredient).or_insert_with(|| site.sellable(&line.ingredient, origin));
            left.is_some_and(|left| left < line.amount)
        })
    };
    let mut list = Vec::new();
    for (id, item) in &site.menu().items {
        if let Some(off) = off.get(id) {
            list.push(Unavailable::EightySix(*id, off.until));
            continue;
        }
        let gone: Vec<VariantId> = item.variants.iter().filter(|v| short(&v.recipe)).map(|v| v.id).collect();
        if gone.len() == item.variants.len() {
            list.push(Unavailable::Item(*id));
        } else {
            list.extend(gone.into_iter().map(|variant| Unavailable::Variant(*id, variant)));
        }
    }
    let options = site.menu().groups.values().flat_map(|group| &group.options);
    list.extend(options.filter(|option| short(&option.recipe)).map(|option| Unavailable::Option(option.id)));
    list
}
