//! The menu: imports, and writing what they found.

pub mod edit;
pub mod import;
pub mod upsert;
