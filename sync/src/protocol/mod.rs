//! The link between two replicas of a site, without IO: bytes and times go in, bytes and events come out.
//!
//! `Session` is one connection. Its driver owns the socket, the log and the clock, and decides nothing (SPEC, Y):
//!
//! - each message of the socket goes to `handle_frame`; a `Violation` it returns becomes the close code, and the connection ends;
//! - `poll_frame` gives the next message whenever the socket can take one;
//! - `poll_event` says what the log must do: read a page (`NeedLog` -> `handle_log`), look up a hash (`NeedHash` -> `handle_hash`), apply
//!   commits durably (`Apply`; afterwards `handle_durable` with where the log now ends);
//! - `handle_durable` is also called when the own log has grown: what is durable is sent, what is received and durable is acknowledged;
//! - `handle_timeout` is called at `poll_timeout`.
//!
//! After each call the driver polls events and frames until there are none.

mod codec;
mod receiving;
mod sending;
mod session;
mod violation;
mod wire_v1;

pub use sending::{BadLog, Sign};
pub use session::{
    Config, Event, Opened, Parted, Session, Side, TimeoutReason, TooManyOrigins, check_frame, retry_after,
};
pub use violation::Violation;
pub use wire_v1::{Fork, ForkKind, Want};

#[cfg(test)]
mod tests;
