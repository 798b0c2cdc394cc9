<<<<<<< HEAD
//! The menu: imports, and writing what they found.

pub mod import;
pub mod upsert;
=======
//! The menu as the node reads it in: importers of other systems' files.

pub mod import;
>>>>>>> import-helper
