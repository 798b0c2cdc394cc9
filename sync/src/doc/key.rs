//! Names of documents as a store keeps them: a kind and an id.

use crate::domain::id::{CategoryId, DeviceId, GroupId, IngredientId, IntentId, MenuItemId, OrderId, ShiftId, StaffId};
use crate::domain::menu::StationId;

/// Names one stored document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocKey {
    /// An order's facts.
    Order(OrderId),
    /// Rows of an ingredient's stock.
    Stock(IngredientId),
    /// A menu item.
    Item(MenuItemId),
    /// A heading.
    Category(CategoryId),
    /// A modifier group.
    Group(GroupId),
    /// An ingredient.
    Ingredient(IngredientId),
    /// A station.
    Station(StationId),
    /// Whether staff have taken an item off sale.
    EightySix(MenuItemId),
    /// A paired device.
    Device(DeviceId),
    /// A person.
    Person(StaffId),
    /// A booked delivery.
    Receipt(IntentId),
    /// The current business day and its order counters.
    Day,
    /// Name, currency, time zone.
    Settings,
    /// Origins that a fence has ended.
    Fences,
    /// Who writes in the logs.
    Origins,
    /// Whether orders from home are taken now.
    Intake,
    /// One business day with its reports; its number, big-endian.
    BusinessDay([u8; 4]),
    /// What happened to a drawer in a shift.
    Shift(ShiftId),
    /// The node that keeps the stock and the days.
    Keeper,
}

impl DocKey {
    /// The kind's number on disk; never reused.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Order(_) => 1,
            Self::Stock(_) => 2,
            Self::Item(_) => 3,
            Self::Category(_) => 4,
            Self::Group(_) => 5,
            Self::Ingredient(_) => 6,
            Self::Station(_) => 7,
            Self::EightySix(_) => 8,
            Self::Device(_) => 9,
            Self::Person(_) => 10,
            Self::Receipt(_) => 11,
            Self::Day => 12,
            Self::Settings => 13,
            Self::Fences => 14,
            Self::Origins => 15,
            Self::Intake => 20,
            Self::BusinessDay(_) => 40,
            Self::Shift(_) => 41,
            Self::Keeper => 42,
        }
    }

    /// The id's bytes on disk; empty where there is only one.
    pub fn id_bytes(&self) -> &[u8] {
        match self {
            Self::Order(id) => id.as_bytes(),
            Self::Stock(id) | Self::Ingredient(id) => id.as_bytes(),
            Self::Item(id) | Self::EightySix(id) => id.as_bytes(),
            Self::Category(id) => id.as_bytes(),
            Self::Group(id) => id.as_bytes(),
            Self::Station(id) => id.as_str().as_bytes(),
            Self::Device(id) => id.as_bytes(),
            Self::Person(id) => id.as_bytes(),
            Self::Receipt(id) => id.as_bytes(),
            Self::BusinessDay(number) => number,
            Self::Shift(id) => id.as_bytes(),
            Self::Day | Self::Settings | Self::Fences | Self::Origins | Self::Intake | Self::Keeper => &[],
        }
    }

    /// Reads a key back; `None` when kind or id are not ours.
    pub fn parse(kind: u8, id: &[u8]) -> Option<Self> {
        let bytes = || <[u8; 16]>::try_from(id).ok();
        Some(match kind {
            1 => Self::Order(OrderId::from_bytes(bytes()?)),
            2 => Self::Stock(IngredientId::from_bytes(bytes()?)),
            3 => Self::Item(MenuItemId::from_bytes(bytes()?)),
            4 => Self::Category(CategoryId::from_bytes(bytes()?)),
            5 => Self::Group(GroupId::from_bytes(bytes()?)),
            6 => Self::Ingredient(IngredientId::from_bytes(bytes()?)),
            7 => Self::Station(StationId::parse(std::str::from_utf8(id).ok()?)?),
            8 => Self::EightySix(MenuItemId::from_bytes(bytes()?)),
            9 => Self::Device(DeviceId::from_bytes(bytes()?)),
            10 => Self::Person(StaffId::from_bytes(bytes()?)),
            11 => Self::Receipt(IntentId::from_bytes(bytes()?)),
            12 if id.is_empty() => Self::Day,
            13 if id.is_empty() => Self::Settings,
            14 if id.is_empty() => Self::Fences,
            15 if id.is_empty() => Self::Origins,
            20 if id.is_empty() => Self::Intake,
            40 => Self::BusinessDay(id.try_into().ok()?),
            41 => Self::Shift(ShiftId::from_bytes(bytes()?)),
            42 if id.is_empty() => Self::Keeper,
            _ => return None,
        })
    }

    /// Whether nearly every order changes the document: a store may write it now and then, and read the log's tail at boot.
    pub const fn is_hot(&self) -> bool {
        matches!(self, Self::Stock(_) | Self::Day | Self::Shift(_))
    }

    /// Whether the document lives with the orders, not with the site's small documents.
    pub const fn is_order(&self) -> bool {
        matches!(self, Self::Order(_))
    }
}
