//! What is paid at this site, what is in its drawers, and what a day was.

pub mod day;
pub mod shifts;
pub mod tender;
