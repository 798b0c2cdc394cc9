//! From what a guest wants to what it costs: a pure function of cart and menu that names the field it refuses.
//!
//! Price = lines + modifiers; tax is contained in it. An order's price is fixed when it is placed: the priced lines are
//! the snapshot that the order keeps.

use crate::domain::id::{GroupId, IngredientId, LineId, MenuItemId, OptionId, VariantId};
use crate::domain::menu::{Menu, MenuItem, ModifierGroup, RecipeLine, StationId, Variant};
use crate::domain::money::{BasisPoints, Currency};
use crate::limits::{CHOICE_COUNT_MAX, LINE_CHOICES_MAX, LINE_QUANTITY_MAX, NOTE_CHARS_MAX, ORDER_LINES_MAX};
use minicbor::{Decode, Encode};
use std::collections::{BTreeMap, BTreeSet};

/// One wanted choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CartChoice {
    /// Of this group.
    pub group: GroupId,
    /// This option.
    pub option: OptionId,
    /// So many times.
    pub count: u32,
}

/// One wanted line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartLine {
    /// Minted by the device.
    pub id: LineId,
    /// What.
    pub item: MenuItemId,
    /// Which size; may be left out when there is only one.
    pub variant: Option<VariantId>,
    /// How many.
    pub quantity: u32,
    /// With what.
    pub choices: Vec<CartChoice>,
    /// Said to the cook.
    pub note: Option<String>,
}

/// A choice as it was priced.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PricedChoice {
    /// Of this group.
    #[n(0)]
    pub group: GroupId,
    /// This option.
    #[n(1)]
    pub option: OptionId,
    /// So many times.
    #[n(2)]
    pub count: u32,
    /// Its name then.
    #[n(3)]
    pub name: String,
    /// Its price then, for one, in minor units.
    #[n(4)]
    pub price_minor: i64,
    /// It takes something away.
    #[n(5)]
    pub removal: bool,
}

/// A line as it was priced: all that an order needs to know of it for ever.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PricedLine {
    /// Minted by the device.
    #[n(0)]
    pub id: LineId,
    /// What.
    #[n(1)]
    pub item: MenuItemId,
    /// Which size.
    #[n(2)]
    pub variant: VariantId,
    /// How many.
    #[n(3)]
    pub quantity: u32,
    /// With what.
    #[n(4)]
    pub choices: Vec<PricedChoice>,
    /// Said to the cook.
    #[n(5)]
    pub note: Option<String>,
    /// What guests read then.
    #[n(6)]
    pub name: String,
    /// What the cook reads; `None` when it is the same.
    #[n(7)]
    pub kitchen_name: Option<String>,
    /// The size's name then.
    #[n(8)]
    pub variant_name: String,
    /// Price of one with its choices, in minor units.
    #[n(9)]
    pub unit_minor: i64,
    /// Tax contained.
    #[n(10)]
    pub tax: BasisPoints,
    /// Who makes it.
    #[n(11)]
    pub station: StationId,
    /// Estimated time to make one, in seconds.
    #[n(12)]
    pub prep_s: u32,
    /// What the whole line uses, one entry an ingredient.
    #[n(13)]
    pub uses: Vec<RecipeLine>,
}

impl PricedLine {
    /// Price of the whole line in minor units.
    pub fn total_minor(&self) -> i64 {
        self.unit_minor.saturating_mul(i64::from(self.quantity))
    }

    /// The name on the kitchen's ticket.
    pub fn kitchen_name(&self) -> &str {
        self.kitchen_name.as_deref().unwrap_or(&self.name)
    }
}

/// A priced cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The lines, in the cart's order.
    pub lines: Vec<PricedLine>,
    /// Sum in minor units, tax included.
    pub total_minor: i64,
    /// Tax contained, rounded half up per line.
    pub tax_minor: i64,
    /// Of all amounts.
    pub currency: Currency,
}

/// Why a cart has no price. Indexes count lines and choices from zero, as they were sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceRefusal {
    /// Nothing to order.
    #[error("the cart has no lines")]
    NoLines,
    /// More than an order can hold.
    #[error("the cart has {lines} lines; {} is the most", ORDER_LINES_MAX)]
    TooManyLines {
        /// So many.
        lines: usize,
    },
    /// Two lines share an id.
    #[error("line {line} has the id of an earlier line")]
    LineIdTwice {
        /// The later one.
        line: usize,
    },
    /// No such item on this menu.
    #[error("line {line}: item {item} is not on the menu")]
    UnknownItem {
        /// Where.
        line: usize,
        /// Which.
        item: MenuItemId,
    },
    /// The item has no such size, or has several and none is named.
    #[error("line {line}: {item_name} has no such variant; it has {offered}")]
    UnknownVariant {
        /// Where.
        line: usize,
        /// Of what.
        item_name: String,
        /// What there is.
        offered: String,
    },
    /// Zero, below the item's least, or absurd.
    #[error("line {line}: quantity {quantity} is not between {min} and {max}")]
    Quantity {
        /// Where.
        line: usize,
        /// What was asked.
        quantity: u32,
        /// Least.
        min: u32,
        /// Most.
        max: u32,
    },
    /// The group is not offered with this item.
    #[error("line {line}, choice {choice}: group {group} is not offered with {item_name}")]
    UnknownGroup {
        /// Where.
        line: usize,
        /// Which choice.
        choice: usize,
        /// Which group.
        group: GroupId,
        /// With what.
        item_name: String,
    },
    /// The group has no such option.
    #[error("line {line}, choice {choice}: {group_name} has no option {option}")]
    UnknownOption {
        /// Where.
        line: usize,
        /// Which choice.
        choice: usize,
        /// Which option.
        option: OptionId,
        /// Of what group.
        group_name: String,
    },
    /// A choice zero times, or absurdly often, or too many choices.
    #[error("line {line}, choice {choice}: count {count} is not between 1 and {max}")]
    ChoiceCount {
        /// Where.
        line: usize,
        /// Which choice.
        choice: usize,
        /// What was asked.
        count: u32,
        /// Most.
        max: u32,
    },
    /// Fewer or more choices than the group allows.
    #[error("line {line}: {group_name} takes {min} to {max} choices, not {chosen}")]
    GroupBounds {
        /// Where.
        line: usize,
        /// Which group.
        group: GroupId,
        /// Its name.
        group_name: String,
        /// Least.
        min: u32,
        /// Most.
        max: u32,
        /// What was asked.
        chosen: u32,
    },
    /// A note that no ticket can show.
    #[error("line {line}: the note has {chars} characters; {} is the most", NOTE_CHARS_MAX)]
    NoteTooLong {
        /// Where.
        line: usize,
        /// So many.
        chars: usize,
    },
}

/// Prices a cart by this menu. Reads nothing else, writes nothing.
pub fn price(lines: &[CartLine], menu: &Menu) -> Result<Priced, PriceRefusal> {
    if lines.is_empty() {
        return Err(PriceRefusal::NoLines);
    }
    if lines.len() > ORDER_LINES_MAX {
        return Err(PriceRefusal::TooManyLines { lines: lines.len() });
    }
    let mut ids = BTreeSet::new();
    let mut priced = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        if !ids.insert(line.id) {
            return Err(PriceRefusal::LineIdTwice { line: at });
        }
        priced.push(price_line(at, line, menu)?);
    }
    let total_minor = priced.iter().map(PricedLine::total_minor).sum();
    let tax_minor = priced.iter().map(|line| line.tax.included_in(line.total_minor())).sum();
    Ok(Priced { lines: priced, total_minor, tax_minor, currency: menu.currency })
}

fn price_line(at: usize, line: &CartLine, menu: &Menu) -> Result<PricedLine, PriceRefusal> {
    let item = menu.items.get(&line.item).ok_or(PriceRefusal::UnknownItem { line: at, item: line.item })?;
    let variant = item.variant(line.variant).ok_or_else(|| PriceRefusal::UnknownVariant {
        line: at,
        item_name: item.name.clone(),
        offered: item
            .variants
            .iter()
            .map(|variant| format!("{} {}", variant.name, variant.id))
            .collect::<Vec<_>>()
            .join(", "),
    })?;
    let min = item.quantity_min.max(1);
    if line.quantity < min || line.quantity > LINE_QUANTITY_MAX {
        return Err(PriceRefusal::Quantity { line: at, quantity: line.quantity, min, max: LINE_QUANTITY_MAX });
    }
    let chars = line.note.as_deref().unwrap_or_default().chars().count();
    if chars > NOTE_CHARS_MAX {
        return Err(PriceRefusal::NoteTooLong { line: at, chars });
    }
    let (choices, chosen_recipes) = price_choices(at, line, item, menu)?;
    let per_choice: i64 = choices.iter().map(|choice| choice.price_minor * i64::from(choice.count)).sum();
    Ok(PricedLine {
        id: line.id,
        item: item.id,
        variant: variant.id,
        quantity: line.quantity,
        choices,
        note: line.note.clone().filter(|note| !note.trim().is_empty()),
        name: item.name.clone(),
        kitchen_name: (item.kitchen_name != item.name).then(|| item.kitchen_name.clone()),
        variant_name: variant.name.clone(),
        unit_minor: (variant.price_minor + per_choice).max(0),
        tax: item.tax,
        station: item.station.clone(),
        prep_s: item.prep_s,
        uses: uses(variant, &chosen_recipes, line.quantity),
    })
}

/// The priced choices, and the recipe lines they add with how often each counts.
type Choices<'menu> = (Vec<PricedChoice>, Vec<(&'menu [RecipeLine], u32)>);

fn price_choices<'menu>(
    at: usize,
    line: &CartLine,
    item: &MenuItem,
    menu: &'menu Menu,
) -> Result<Choices<'menu>, PriceRefusal> {
    if line.choices.len() > LINE_CHOICES_MAX {
        let count = u32::try_from(line.choices.len()).unwrap_or(u32::MAX);
        return Err(PriceRefusal::ChoiceCount {
            line: at,
            choice: LINE_CHOICES_MAX,
            count,
            max: LINE_CHOICES_MAX as u32,
        });
    }
    let mut chosen: BTreeMap<GroupId, u32> = BTreeMap::new();
    let mut priced = Vec::with_capacity(line.choices.len());
    let mut recipes = Vec::new();
    for (index, choice) in line.choices.iter().enumerate() {
        let offered = item.groups.contains(&choice.group).then(|| menu.groups.get(&choice.group)).flatten();
        let group = offered.ok_or_else(|| PriceRefusal::UnknownGroup {
            line: at,
            choice: index,
            group: choice.group,
            item_name: item.name.clone(),
        })?;
        let option = group.options.iter().find(|option| option.id == choice.option).ok_or_else(|| {
            PriceRefusal::UnknownOption {
                line: at,
                choice: index,
                option: choice.option,
                group_name: group.name.clone(),
            }
        })?;
        if choice.count == 0 || choice.count > CHOICE_COUNT_MAX {
            return Err(PriceRefusal::ChoiceCount {
                line: at,
                choice: index,
                count: choice.count,
                max: CHOICE_COUNT_MAX,
            });
        }
        *chosen.entry(group.id).or_default() += choice.count;
        recipes.push((option.recipe.as_slice(), choice.count));
        priced.push(PricedChoice {
            group: group.id,
            option: option.id,
            count: choice.count,
            name: option.name.clone(),
            price_minor: option.price_minor,
            removal: option.removal,
        });
    }
    for group in item.groups.iter().filter_map(|id| menu.groups.get(id)) {
        check_bounds(at, group, chosen.get(&group.id).copied().unwrap_or(0))?;
    }
    Ok((priced, recipes))
}

fn check_bounds(at: usize, group: &ModifierGroup, chosen: u32) -> Result<(), PriceRefusal> {
    if chosen >= group.min && chosen <= group.max {
        return Ok(());
    }
    Err(PriceRefusal::GroupBounds {
        line: at,
        group: group.id,
        group_name: group.name.clone(),
        min: group.min,
        max: group.max,
        chosen,
    })
}

/// What a whole line uses: recipe of the variant and of each choice, times the portions, one entry an ingredient.
fn uses(variant: &Variant, chosen: &[(&[RecipeLine], u32)], quantity: u32) -> Vec<RecipeLine> {
    let mut sum: BTreeMap<IngredientId, u64> = BTreeMap::new();
    let recipes = std::iter::once((variant.recipe.as_slice(), 1)).chain(chosen.iter().copied());
    for (recipe, count) in recipes {
        for line in recipe {
            let times = u64::from(quantity) * u64::from(count);
            let entry = sum.entry(line.ingredient).or_default();
            *entry = entry.saturating_add(line.amount.saturating_mul(times));
        }
    }
    sum.into_iter().map(|(ingredient, amount)| RecipeLine { ingredient, amount }).collect()
}

#[cfg(test)]
mod tests;
