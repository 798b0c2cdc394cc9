//! The JSON shapes of the relay's `/api/v1`: the only types that customers' and riders' screens see.
//!
//! TypeScript is generated from this file into `kds-ui/src/generated/relay.ts`; a test fails when it is stale. What the node speaks
//! too (menus, carts, problems) is in `pilotlight_edge::api::json` and named from `api.ts`. Amounts are integers in minor units,
//! times are milliseconds since 1970 UTC, ids are UUIDs in text.

pub use pilotlight_edge::api::json::*;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

macro_rules! shape {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
        #[ts(export_to = "relay.ts")]
        $item
    )+};
}

shape! {
    // ---- operations

    /// How the relay is.
    pub struct RelayHealthJson {
        /// `ok` or `degraded`.
        pub status: String,
        pub store: String,
        #[ts(type = "number")]
        pub uptime_ms: u64,
    }
}

#[cfg(test)]
mod tests;
