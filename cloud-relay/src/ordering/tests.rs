//! Cloud orders from the quote to the refund: real SQLite, the real sandbox over HTTP, a node in memory.

mod amended;
mod cancelled;
mod held;
mod paused;
mod placed;
mod wishes;
