//! Who may talk to the node: paired devices, people with PINs, and the site's own certificates.

pub mod doors;
pub mod pairing;
pub mod site_ca;
pub mod staff;
pub mod throttle;
pub mod tokens;
