//! Menus from elsewhere: pure functions from a file's bytes to upserts, with a list of what was not understood.
//!
//! Ids are derived from the source's own keys, so that importing a file twice changes nothing. No limit is broken and
//! nothing is dropped silently: what does not fit is left out or cut, and named with its place and a remedy.

mod build;
mod maven;
mod millers;
mod pizzaplace;
mod post;
mod recipes;
mod rows;
mod tasty_igniter;
#[cfg(test)]
mod tests;
mod text;
mod uber_eats;
mod values;

use crate::menu::import::build::Builder;
use crate::menu::import::rows::Rows;
use pilotlight_sync::domain::id::{MenuItemId, VariantId};
use pilotlight_sync::domain::menu::{Category, Ingredient, MenuItem, ModifierGroup, RecipeLine, Station};
use pilotlight_sync::domain::money::Currency;

/// Bytes of a file that an import reads; the largest real one has 3.3 million.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Entries of the list of what was not understood; the last one counts those beyond.
pub const NOT_UNDERSTOOD_MAX: usize = 500;
/// Headings of one import.
pub const CATEGORIES_MAX: usize = 1_000;
/// Different modifier groups of one import.
pub const GROUPS_MAX: usize = 5_000;
/// Different ingredients of one import.
pub const INGREDIENTS_MAX: usize = 5_000;
/// Tags of one item.
pub const ITEM_TAGS_MAX: usize = 32;
/// Characters of one tag.
pub const TAG_CHARS_MAX: usize = 40;

/// The formats an import understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CSV of pizzas by size: `name,type,size,price`.
    Pizzaplace,
    /// JSON records of a TastyIgniter database: menus, menu options, categories, together or one by one.
    TastyIgniter,
    /// JSON catalogue of categories with items, modifier groups and options.
    Millers,
    /// CSV of many restaurants: `menu_id,restaurant_name,identifier,item_name,price_usd,calories`.
    UberEats,
    /// CSV of what a variant uses: `item,size,ingredient,grams`.
    Recipes,
    /// CSV of items: `menu_item_id,item_name,category,price`.
    Maven,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pizzaplace, Self::TastyIgniter, Self::Millers, Self::UberEats, Self::Recipes, Self::Maven];

    /// The format of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// The word in a request.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pizzaplace => "pizzaplace",
            Self::TastyIgniter => "tastyigniter",
            Self::Millers => "millers",
            Self::UberEats => "ubereats",
            Self::Recipes => "recipes",
            Self::Maven => "maven",
        }
    }
}

/// What the person who imports may say about the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Whose menu, in a file of many: its `menu_id` or name. `None` is the one with most lines.
    pub restaurant: Option<String>,
    /// What the prices are in.
    pub currency: Currency,
}

/// The recipe of one variant, which may have come to the menu by an earlier import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeFor {
    /// Of this item.
    pub item: MenuItemId,
    /// In this size.
    pub variant: VariantId,
    /// What one portion uses, each ingredient once.
    pub lines: Vec<RecipeLine>,
}

/// What an import found: upserts for the site's menu, in order.
///
/// A variant's own recipe is always empty here: what the site has is to stay, and recipes come in `recipes` alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MenuDraft {
    /// Those that the items name.
    pub stations: Vec<Station>,
    /// In their positions.
    pub categories: Vec<Category>,
    /// Those that the recipes name.
    pub ingredients: Vec<Ingredient>,
    /// Those that the items offer; equal ones are one.
    pub groups: Vec<ModifierGroup>,
    /// In the file's order.
    pub items: Vec<MenuItem>,
    /// In the file's order.
    pub recipes: Vec<RecipeFor>,
}

/// How much the file holds, before equal groups became one and what cannot be sold was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Headings.
    pub categories: u32,
    /// Items.
    pub items: u32,
    /// Variants of items.
    pub variants: u32,
    /// Modifier groups, equal ones counted each time.
    pub groups: u32,
    /// Options in those groups.
    pub options: u32,
    /// Different ingredients.
    pub ingredients: u32,
    /// Variants with a recipe.
    pub recipes: u32,
}

/// A place in the file that was not understood, and what was done instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUnderstood {
    /// Line of a CSV file or position in a JSON document; the first, and how many more are the same.
    pub place: String,
    /// What is there.
    pub what: String,
    /// What was done instead, or what to change.
    pub remedy: String,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// For the site's menu.
    pub draft: MenuDraft,
    /// For the report: what the file holds.
    pub found: Found,
    /// For the report: what is not in the draft as it is in the file. At most `NOT_UNDERSTOOD_MAX` entries.
    pub not_understood: Vec<NotUnderstood>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportRefusal {
    /// More than an import reads.
    #[error("the file has {bytes} bytes; {} is the most: split it", FILE_BYTES_MAX)]
    TooLarge {
        /// So many.
        bytes: usize,
    },
    /// Not text, or text of another time.
    #[error("byte {at} is not UTF-8: save the file as UTF-8")]
    NotUtf8 {
        /// The first wrong byte, from zero.
        at: usize,
        /// What the decoder says.
        #[source]
        source: std::str::Utf8Error,
    },
    /// No JSON document.
    #[error("line {}, column {} is not JSON: {source}", source.line(), source.column())]
    NotJson {
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// JSON, but no document of this format.
    #[error("the document is not of the format {}: it must be {expected}", format.word())]
    OtherDocument {
        /// What was asked for.
        format: Format,
        /// What it looks like.
        expected: &'static str,
    },
    /// A CSV file without a column that the format needs.
    #[error("line 1 has no column {missing:?}: the format {} needs {expected}", format.word())]
    NotCsv {
        /// What was asked for.
        format: Format,
        /// The first that is absent.
        missing: &'static str,
        /// The header as it must be.
        expected: String,
    },
    /// The file has no such restaurant.
    #[error("no line has the restaurant {wanted:?}; there are {offered}")]
    UnknownRestaurant {
        /// What was asked for.
        wanted: String,
        /// The largest, by `menu_id`.
        offered: String,
    },
    /// A file from which nothing can be imported.
    #[error("the file holds nothing to import{}", because(not_understood))]
    NothingFound {
        /// All that was not understood.
        not_understood: Vec<NotUnderstood>,
    },
}

/// What a refused file is said to have wrong; the rest is counted.
const SAID_MAX: usize = 5;

fn because(not_understood: &[NotUnderstood]) -> String {
    let said = not_understood.iter().take(SAID_MAX).map(|entry| format!("{}: {}", entry.place, entry.what));
    let rest = not_understood.len().saturating_sub(SAID_MAX);
    let rest = (rest > 0).then(|| format!("and {rest} more"));
    let said: Vec<String> = said.chain(rest).collect();
    if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) }
}

/// Reads a file of this format into a draft of the menu. Reads nothing else, writes nothing.
pub fn import(format: Format, file: &[u8], options: &ImportOptions) -> Result<Import, ImportRefusal> {
    if file.len() > FILE_BYTES_MAX {
        return Err(ImportRefusal::TooLarge { bytes: file.len() });
    }
    let text = std::str::from_utf8(file)
        .map_err(|source| ImportRefusal::NotUtf8 { at: source.valid_up_to(), source })?
        .trim_start_matches('\u{feff}');
    let mut build = Builder::new(format, options.currency);
    match format {
        Format::Pizzaplace => pizzaplace::read(&Rows::read(format, text, pizzaplace::COLUMNS)?, &mut build),
        Format::Maven => maven::read(&Rows::read(format, text, maven::COLUMNS)?, &mut build),
        Format::Recipes => recipes::read(&Rows::read(format, text, recipes::COLUMNS)?, &mut build),
        Format::UberEats => {
            uber_eats::read(&Rows::read(format, text, uber_eats::COLUMNS)?, options.restaurant.as_deref(), &mut build)?;
        }
        Format::Millers => millers::read(&values::parse(text)?, &mut build)?,
        Format::TastyIgniter => tasty_igniter::read(&values::parse(text)?, &mut build)?,
    }
    build.finish()
}
