//! Devices and staff of a site.
//!
//! Writers: any node; the relay for enrolled sites. Readers: every node, to check tokens without a relay.
//! Merge: one register each.
//! Retention: for ever; a revoked device stays known as revoked.

use crate::domain::role::Role;
use crate::domain::timestamp::Timestamp;
use minicbor::{Decode, Encode};

/// A paired screen or till.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Device {
    /// What people call it.
    #[n(0)]
    pub name: String,
    /// What it may do by itself.
    #[n(1)]
    pub role: Role,
    /// BLAKE3 of its token; the token itself is nowhere but on the device.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub token_hash: [u8; 32],
    /// When it was paired.
    #[n(3)]
    pub paired_at: Timestamp,
    /// Whether its token still opens anything.
    #[n(4)]
    pub revoked: bool,
}

/// A person who works here.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Person {
    /// What colleagues call them.
    #[n(0)]
    pub name: String,
    /// What they may do.
    #[n(1)]
    pub role: Role,
    /// Argon2id of the PIN, in PHC text form.
    #[n(2)]
    pub pin_hash: String,
    /// Whether they have left.
    #[n(3)]
    pub removed: bool,
}
