//! Who may talk to the node: paired devices and people with PINs.

pub mod doors;
pub mod pairing;
pub mod staff;
