//! The menu as the node reads it in: importers of other systems' files.

pub mod import;
