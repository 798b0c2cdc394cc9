//! Who writes in a site's logs: each origin introduces itself in its first commit.
//!
//! Writers: each origin its own card, once. Readers: whoever checks signatures.
//! Merge: written once; the first one counts.
//! Retention: for ever.

use crate::domain::id::OriginId;
use minicbor::{Decode, Encode};

/// What kind of program an origin is: what it may write follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum OriginRole {
    /// A node in the restaurant.
    #[n(0)]
    Node,
    /// The relay.
    #[n(1)]
    Relay,
}

/// What an origin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OriginCard {
    /// Which.
    #[n(0)]
    pub origin: OriginId,
    /// Its public Ed25519 key, which its seals are checked with.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// What it is.
    #[n(2)]
    pub role: OriginRole,
    /// What its order numbers begin with; empty at the relay, which gives out none.
    #[n(3)]
    pub letter: String,
}
