//! Effects: rows that say what is to be done outside, and the worker that does each of them once.

pub mod retry;
