//! What a guest can order: items with variants (sizes), modifier groups with bounds, recipes, stations.

use crate::domain::id::{CategoryId, GroupId, IngredientId, MenuItemId, OptionId, VariantId};
use crate::domain::money::{BasisPoints, Currency};
use crate::limits::STATION_KEY_BYTES_MAX;
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;
use std::fmt;

/// The key of a place in the kitchen that gets tickets of its own: `pizza`, `grill`, `drinks`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct StationId(String);

impl StationId {
    /// Reads a key: 1 to 32 of `a-z 0-9 - _`.
    pub fn parse(key: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        (!key.is_empty() && key.len() <= STATION_KEY_BYTES_MAX && key.bytes().all(plain)).then(|| Self(key.to_owned()))
    }

    /// The station that takes what names no other.
    pub fn kitchen() -> Self {
        Self("kitchen".to_owned())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StationId({})", self.0)
    }
}

/// A place in the kitchen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Station {
    /// Its key.
    #[n(0)]
    pub id: StationId,
    /// What people call it.
    #[n(1)]
    pub name: String,
}

/// A heading of the menu, in its place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Category {
    /// Its id.
    #[n(0)]
    pub id: CategoryId,
    /// What guests read.
    #[n(1)]
    pub name: String,
    /// Where it stands; ties are broken by name.
    #[n(2)]
    pub position: u32,
}

/// How an ingredient is measured; amounts are integers of this unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Unit {
    /// Grams.
    #[n(0)]
    Gram,
    /// Millilitres.
    #[n(1)]
    Millilitre,
    /// Pieces.
    #[n(2)]
    Piece,
}

impl Unit {
    /// The short word on screens.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gram => "g",
            Self::Millilitre => "ml",
            Self::Piece => "pc",
        }
    }
}

/// Something the shop stocks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ingredient {
    /// Its id.
    #[n(0)]
    pub id: IngredientId,
    /// What the cook calls it.
    #[n(1)]
    pub name: String,
    /// How it is measured.
    #[n(2)]
    pub unit: Unit,
    /// Whether running out stops the sale. What is not enforced is unlimited, and marked so.
    #[n(3)]
    pub enforced: bool,
}

/// How much of an ingredient one portion uses, in the ingredient's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct RecipeLine {
    /// Of what.
    #[n(0)]
    pub ingredient: IngredientId,
    /// How much.
    #[n(1)]
    pub amount: u64,
}

/// A size or kind of an item. Every item has at least one; an only one may have no name.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Variant {
    /// Its id.
    #[n(0)]
    pub id: VariantId,
    /// What guests read; empty when it is the only one.
    #[n(1)]
    pub name: String,
    /// Price of one portion in minor units, tax included.
    #[n(2)]
    pub price_minor: i64,
    /// What one portion uses; empty is unlimited.
    #[n(3)]
    pub recipe: Vec<RecipeLine>,
}

/// One choice in a group.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ModifierOption {
    /// Its id.
    #[n(0)]
    pub id: OptionId,
    /// What guests read.
    #[n(1)]
    pub name: String,
    /// Added to the price of one portion, in minor units; may be negative.
    #[n(2)]
    pub price_minor: i64,
    /// It takes something away ("no cheese"): the kitchen shows it with a minus.
    #[n(3)]
    pub removal: bool,
    /// What one portion uses in addition.
    #[n(4)]
    pub recipe: Vec<RecipeLine>,
}

/// A set of choices offered with an item.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ModifierGroup {
    /// Its id.
    #[n(0)]
    pub id: GroupId,
    /// What guests read.
    #[n(1)]
    pub name: String,
    /// Fewest choices, counted with repeats.
    #[n(2)]
    pub min: u32,
    /// Most choices, counted with repeats.
    #[n(3)]
    pub max: u32,
    /// The choices, in their order.
    #[n(4)]
    pub options: Vec<ModifierOption>,
}

/// What is known of an allergen in an item. What is not listed is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AllergenState {
    /// It is in there.
    #[n(0)]
    Contains,
    /// Traces are possible.
    #[n(1)]
    MayContain,
    /// The kitchen says that it is free of it.
    #[n(2)]
    Free,
    /// Nobody has said.
    #[n(3)]
    Unknown,
}

/// What is known of one allergen.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Allergen {
    /// Its name: `gluten`, `nuts`.
    #[n(0)]
    pub name: String,
    /// What is known.
    #[n(1)]
    pub state: AllergenState,
}

/// Something a guest can order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct MenuItem {
    /// Its id.
    #[n(0)]
    pub id: MenuItemId,
    /// Its heading.
    #[n(1)]
    pub category: CategoryId,
    /// Where it stands under its heading; ties are broken by name.
    #[n(2)]
    pub position: u32,
    /// What guests read.
    #[n(3)]
    pub name: String,
    /// What the cook reads.
    #[n(4)]
    pub kitchen_name: String,
    /// A sentence for guests; may be empty.
    #[n(5)]
    pub description: String,
    /// Who makes it.
    #[n(6)]
    pub station: StationId,
    /// Estimated time to make one, in seconds.
    #[n(7)]
    pub prep_s: u32,
    /// Tax contained in the price.
    #[n(8)]
    pub tax: BasisPoints,
    /// Sizes with prices; never empty.
    #[n(9)]
    pub variants: Vec<Variant>,
    /// Groups offered with it, in their order.
    #[n(10)]
    pub groups: Vec<GroupId>,
    /// Diets and the like: `vegan`, `spicy`.
    #[n(11)]
    pub tags: Vec<String>,
    /// What is known of allergens.
    #[n(12)]
    pub allergens: Vec<Allergen>,
    /// Fewest portions a line may have.
    #[n(13)]
    pub quantity_min: u32,
}

impl MenuItem {
    /// The variant of this id, or the only one when none is named.
    pub fn variant(&self, id: Option<VariantId>) -> Option<&Variant> {
        match id {
            Some(id) => self.variants.iter().find(|variant| variant.id == id),
            None => match self.variants.as_slice() {
                [only] => Some(only),
                _ => None,
            },
        }
    }
}

/// A whole menu, as it is shown and priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    /// All its prices are in this currency.
    pub currency: Currency,
    /// Headings.
    pub categories: BTreeMap<CategoryId, Category>,
    /// Items.
    pub items: BTreeMap<MenuItemId, MenuItem>,
    /// Modifier groups.
    pub groups: BTreeMap<GroupId, ModifierGroup>,
    /// Ingredients.
    pub ingredients: BTreeMap<IngredientId, Ingredient>,
    /// Stations.
    pub stations: BTreeMap<StationId, Station>,
}

impl Menu {
    /// A menu with nothing on it.
    pub fn empty(currency: Currency) -> Self {
        Self {
            currency,
            categories: BTreeMap::new(),
            items: BTreeMap::new(),
            groups: BTreeMap::new(),
            ingredients: BTreeMap::new(),
            stations: BTreeMap::new(),
        }
    }
}
