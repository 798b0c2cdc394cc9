//! The JSON shapes that both programs speak: menus, carts, state words, problems.
//!
//! The node's generated TypeScript contains them; the relay's names them from there. Amounts are integers in minor units, times
//! are milliseconds since 1970 UTC, ids are UUIDs in text.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

/// Milliseconds since 1970 UTC.
pub type Millis = u64;

macro_rules! shape {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
        #[ts(export_to = "api.ts")]
        $item
    )+};
}

macro_rules! words {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[ts(export_to = "api.ts")]
        $item
    )+};
}

words! {
    /// How the guest gets it.
    pub enum FulfilmentJson { DineIn, Takeaway, Delivery }
    /// What is known of an allergen.
    pub enum AllergenStateJson { Contains, MayContain, Free, Unknown }
    /// What of an order a customer wants otherwise.
    pub enum AmendedFieldJson { Instructions, Contact, Address, Time }
    /// What became of it; lapsed: nobody answered in time, or the order ended.
    pub enum AmendmentStateJson { Asked, Granted, Refused, Lapsed }
    /// Why an item cannot be ordered now.
    pub enum UnavailableReasonJson { EightySix, SoldOut }
}

/// The order's state word, as in the state machine of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[ts(export_to = "api.ts")]
pub enum StatusJson {
    OrderPlaced,
    OrderConfirmed,
    Preparing,
    ReadyForPickup,
    PickedUp,
    OutForDelivery,
    Completed,
    DeliveryFailed,
    Cancelled,
    Refunded,
}

shape! {
    // ---- menu

    /// The whole menu. Changes only with its version; what is sold out is told by `AvailabilityJson`.
    pub struct MenuJson {
        /// Also the ETag.
        pub version: String,
        pub currency: String,
        pub categories: Vec<CategoryJson>,
        pub items: Vec<ItemJson>,
        pub groups: Vec<GroupJson>,
        pub stations: Vec<StationJson>,
    }
    pub struct CategoryJson {
        pub id: String,
        pub name: String,
    }
    pub struct ItemJson {
        pub id: String,
        pub category: String,
        pub name: String,
        pub description: String,
        pub kitchen_name: String,
        pub station: String,
        pub prep_s: u32,
        /// Never empty; an only one may have an empty name.
        pub variants: Vec<VariantJson>,
        /// Ids of groups, in their order.
        pub groups: Vec<String>,
        pub tags: Vec<String>,
        pub allergens: Vec<AllergenJson>,
        /// Fewest portions of a line.
        pub quantity_min: u32,
    }
    pub struct VariantJson {
        pub id: String,
        pub name: String,
        #[ts(type = "number")]
        pub price_minor: i64,
    }
    pub struct AllergenJson {
        pub name: String,
        pub state: AllergenStateJson,
    }
    pub struct GroupJson {
        pub id: String,
        pub name: String,
        /// Fewest choices, counted with repeats.
        pub min: u32,
        /// Most choices, counted with repeats.
        pub max: u32,
        pub options: Vec<OptionJson>,
    }
    pub struct OptionJson {
        pub id: String,
        pub name: String,
        #[ts(type = "number")]
        pub price_minor: i64,
        /// It takes something away.
        pub removal: bool,
    }
    pub struct StationJson {
        pub id: String,
        pub name: String,
    }
    /// Everything that cannot be ordered now; what is not listed can.
    pub struct AvailabilityJson {
        pub unavailable: Vec<UnavailableJson>,
    }
    /// What a customer asked for after an order was confirmed, against what it was.
    pub struct AmendmentJson {
        pub id: String,
        pub field: AmendedFieldJson,
        /// Instructions: as they were.
        pub old: Option<String>,
        /// Instructions: as they are wanted.
        pub new: Option<String>,
        /// The time: as it was.
        #[ts(type = "number | null")]
        pub old_at: Option<Millis>,
        /// The time: as it is wanted.
        #[ts(type = "number | null")]
        pub new_at: Option<Millis>,
        /// The address: how far the new one is from the restaurant. Where it is only the relay knows.
        pub distance_m: Option<u32>,
        #[ts(type = "number")]
        pub asked_at: Millis,
        pub state: AmendmentStateJson,
        /// Why it was refused.
        pub why: Option<String>,
    }
    /// Whether orders from home are taken now.
    pub struct IntakeJson {
        /// None are, until then.
        #[ts(type = "number | null")]
        pub paused_until: Option<Millis>,
        /// They take so many minutes longer than usual.
        pub busy_minutes: u32,
        /// Until then.
        #[ts(type = "number | null")]
        pub busy_until: Option<Millis>,
    }
    /// An item, one of its variants, or an option that cannot be ordered now.
    pub struct UnavailableJson {
        pub item: Option<String>,
        pub variant: Option<String>,
        pub option: Option<String>,
        pub reason: UnavailableReasonJson,
        /// When it comes back by itself.
        #[ts(type = "number | null")]
        pub until: Option<Millis>,
    }

    // ---- carts

    pub struct PlaceLineJson {
        pub id: String,
        pub item: String,
        /// May be left out when the item has only one.
        #[serde(default)]
        pub variant: Option<String>,
        pub quantity: u32,
        #[serde(default)]
        pub choices: Vec<PlaceChoiceJson>,
        #[serde(default)]
        pub note: Option<String>,
    }
    pub struct PlaceChoiceJson {
        pub group: String,
        pub option: String,
        pub count: u32,
    }

    // ---- problems

    /// One hash over what replicas of a site must agree on.
    pub struct DigestJson {
        /// 64 hexadecimal digits.
        pub digest: String,
        #[ts(type = "number")]
        pub orders: u64,
    }
    /// RFC 9457.
    pub struct ProblemJson {
        /// `/problems/<code>`.
        #[serde(rename = "type")]
        pub kind: String,
        pub title: String,
        pub status: u16,
        /// Pinned word: `sold_out`, `price_changed`.
        pub code: String,
        pub detail: String,
        /// The field it is about: `lines[2].quantity`.
        pub field: Option<String>,
        /// What to do.
        pub remedy: Option<String>,
    }
}
