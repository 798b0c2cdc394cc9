//! What screens are told, and when: a bounded feed with positions, resumed where possible, sent whole where not.

pub mod gone_back;
pub mod screen_feed;
