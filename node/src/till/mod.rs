//! What is paid at this site.

pub mod tender;
