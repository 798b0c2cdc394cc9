//! Replicated documents: merge laws of `crdt` joined with the nouns of `domain`.

mod amendments;
mod asks;
pub mod books;
pub mod change;
pub mod digest;
pub mod item;
pub mod key;
pub mod merge_log;
pub mod order;
pub mod order_view;
pub mod origin;
mod ownership;
pub mod people;
pub mod reading;
pub mod recovered;
pub mod replica;
pub mod site;
pub mod stock_rows;
pub mod till;
