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

macro_rules! words {
    ($($item:item)+) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[ts(export_to = "relay.ts")]
        $item
    )+};
}

words! {
    /// How a restaurant's link is.
    pub enum LinkWordJson { Never, Down, Up, RelayWentBack }
}

shape! {
    // ---- sites, for the operator and for nodes

    /// A new restaurant.
    pub struct NewSiteJson {
        /// What guests call it.
        pub name: String,
        /// Degrees north.
        pub lat: f64,
        /// Degrees east.
        pub lon: f64,
    }
    /// The code that a node enrols with: good once.
    pub struct SiteCodeJson {
        pub site_code: String,
        #[ts(type = "number")]
        pub expires_at: Millis,
    }
    pub struct SitesJson {
        pub sites: Vec<SiteLinkJson>,
    }
    /// An enrolled restaurant and its link.
    pub struct SiteLinkJson {
        pub site: String,
        pub name: String,
        pub lat: f64,
        pub lon: f64,
        pub link: LinkWordJson,
        /// When the link came up or was cut.
        #[ts(type = "number | null")]
        pub since: Option<Millis>,
        /// Customers may order.
        pub open: bool,
        /// How many commits of the restaurant and of the relay are kept here.
        #[ts(type = "number")]
        pub commits: u64,
    }
    /// A page of a restaurant's orders.
    pub struct SiteOrdersJson {
        pub orders: Vec<SiteOrderJson>,
        /// The next page: send it as `after`.
        pub next: Option<String>,
    }
    /// An order as the operator sees it: no names, no addresses.
    pub struct SiteOrderJson {
        pub id: String,
        pub number: Option<String>,
        pub status: StatusJson,
        #[ts(type = "number")]
        pub placed_at: Millis,
        #[ts(type = "number")]
        pub total_minor: i64,
        /// Captured, what was given back taken off.
        #[ts(type = "number")]
        pub paid_minor: i64,
        pub currency: String,
    }
    /// An origin and its key.
    pub struct OriginCardJson {
        pub origin: String,
        /// Public Ed25519 key, hexadecimal.
        pub key: String,
        /// `node` or `relay`.
        pub role: String,
        /// What its order numbers begin with; empty at the relay.
        pub letter: String,
    }
    /// What a node says of itself when it enrols.
    pub struct EnrolJson {
        /// The one-time code.
        pub code: String,
        /// The site, as the node knows it.
        pub site: String,
        /// What guests call the restaurant.
        pub name: String,
        /// The newest protocol that the node speaks.
        pub protocol: u16,
        /// Who writes there: the node's own origin first.
        pub origins: Vec<OriginCardJson>,
    }
    /// What the node gets: the token is shown once.
    pub struct EnrolledJson {
        pub uplink_token: String,
        /// Who the relay is at this site.
        pub relay: OriginCardJson,
    }

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
