//! Cloud orders from the quote to the refund: real SQLite, the real sandbox over HTTP, a node in memory.

mod cancelled;
mod held;
mod placed;
mod wishes;
