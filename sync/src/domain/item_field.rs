//! The fields of a menu item, each a value of its own.

use crate::domain::id::{CategoryId, GroupId};
use crate::domain::menu::{Allergen, MenuItem, StationId, Variant};
use crate::domain::money::BasisPoints;
use minicbor::{Decode, Encode};

/// Which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldName {
    /// Its heading.
    Category,
    /// Where it stands there.
    Position,
    /// What guests read.
    Name,
    /// What the cook reads.
    KitchenName,
    /// A sentence for guests.
    Description,
    /// Who makes it.
    Station,
    /// How long one takes.
    Prep,
    /// Tax contained in the price.
    Tax,
    /// Sizes with prices and recipes.
    Variants,
    /// Groups of choices.
    Groups,
    /// Diets and the like.
    Tags,
    /// What is known of allergens.
    Allergens,
    /// Fewest portions.
    QuantityMin,
}

impl FieldName {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Category,
        Self::Position,
        Self::Name,
        Self::KitchenName,
        Self::Description,
        Self::Station,
        Self::Prep,
        Self::Tax,
        Self::Variants,
        Self::Groups,
        Self::Tags,
        Self::Allergens,
        Self::QuantityMin,
    ];
}

/// A value of one field.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum FieldValue {
    /// Its heading.
    #[n(1)]
    Category(#[n(0)] CategoryId),
    /// Where it stands there.
    #[n(2)]
    Position(#[n(0)] u32),
    /// What guests read.
    #[n(3)]
    Name(#[n(0)] String),
    /// What the cook reads.
    #[n(4)]
    KitchenName(#[n(0)] String),
    /// A sentence for guests.
    #[n(5)]
    Description(#[n(0)] String),
    /// Who makes it.
    #[n(6)]
    Station(#[n(0)] StationId),
    /// How long one takes, in seconds.
    #[n(7)]
    Prep(#[n(0)] u32),
    /// Tax contained in the price.
    #[n(8)]
    Tax(#[n(0)] BasisPoints),
    /// Sizes with prices and recipes.
    #[n(9)]
    Variants(#[n(0)] Vec<Variant>),
    /// Groups of choices.
    #[n(10)]
    Groups(#[n(0)] Vec<GroupId>),
    /// Diets and the like.
    #[n(11)]
    Tags(#[n(0)] Vec<String>),
    /// What is known of allergens.
    #[n(12)]
    Allergens(#[n(0)] Vec<Allergen>),
    /// Fewest portions.
    #[n(13)]
    QuantityMin(#[n(0)] u32),
}

impl FieldValue {
    /// Of which field.
    pub const fn name(&self) -> FieldName {
        match self {
            Self::Category(_) => FieldName::Category,
            Self::Position(_) => FieldName::Position,
            Self::Name(_) => FieldName::Name,
            Self::KitchenName(_) => FieldName::KitchenName,
            Self::Description(_) => FieldName::Description,
            Self::Station(_) => FieldName::Station,
            Self::Prep(_) => FieldName::Prep,
            Self::Tax(_) => FieldName::Tax,
            Self::Variants(_) => FieldName::Variants,
            Self::Groups(_) => FieldName::Groups,
            Self::Tags(_) => FieldName::Tags,
            Self::Allergens(_) => FieldName::Allergens,
            Self::QuantityMin(_) => FieldName::QuantityMin,
        }
    }

    /// An item's value of a field.
    pub fn of(item: &MenuItem, field: FieldName) -> Self {
        match field {
            FieldName::Category => Self::Category(item.category),
            FieldName::Position => Self::Position(item.position),
            FieldName::Name => Self::Name(item.name.clone()),
            FieldName::KitchenName => Self::KitchenName(item.kitchen_name.clone()),
            FieldName::Description => Self::Description(item.description.clone()),
            FieldName::Station => Self::Station(item.station.clone()),
            FieldName::Prep => Self::Prep(item.prep_s),
            FieldName::Tax => Self::Tax(item.tax),
            FieldName::Variants => Self::Variants(item.variants.clone()),
            FieldName::Groups => Self::Groups(item.groups.clone()),
            FieldName::Tags => Self::Tags(item.tags.clone()),
            FieldName::Allergens => Self::Allergens(item.allergens.clone()),
            FieldName::QuantityMin => Self::QuantityMin(item.quantity_min),
        }
    }

    /// Gives the item this value.
    pub fn put(&self, item: &mut MenuItem) {
        match self {
            Self::Category(value) => item.category = *value,
            Self::Position(value) => item.position = *value,
            Self::Name(value) => item.name.clone_from(value),
            Self::KitchenName(value) => item.kitchen_name.clone_from(value),
            Self::Description(value) => item.description.clone_from(value),
            Self::Station(value) => item.station.clone_from(value),
            Self::Prep(value) => item.prep_s = *value,
            Self::Tax(value) => item.tax = *value,
            Self::Variants(value) => item.variants.clone_from(value),
            Self::Groups(value) => item.groups.clone_from(value),
            Self::Tags(value) => item.tags.clone_from(value),
            Self::Allergens(value) => item.allergens.clone_from(value),
            Self::QuantityMin(value) => item.quantity_min = *value,
        }
    }
}
