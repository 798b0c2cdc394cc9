//! What node and relay put in front of their screens, once for both: clock, certificates, tokens, the accept loop, problems, pages.
//!
//! Nothing here knows what a program does: it is handed routes and a limit for bodies. Only `clock` reads a clock, only `api`
//! names warp.

pub mod api;
pub mod availability;
pub mod body;
pub mod clock;
pub mod files;
pub mod private_ca;
pub mod program;
pub mod secret;
pub mod server;
pub mod throttle;
pub mod tokens;
