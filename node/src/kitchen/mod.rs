//! What cooks and counters do with tickets: pure plans over the live state.

pub mod act;
