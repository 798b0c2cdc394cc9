//! Who the relay is as a writer at one site: an origin of its own with its own signing key.

use ed25519_dalek::{Signer, SigningKey};
use pilotlight_sync::crdt::chain::ChainHash;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::OriginId;

/// The relay's origin at one site, and its key.
#[derive(Clone)]
pub struct Identity {
    /// The origin's id.
    pub origin: OriginId,
    key: SigningKey,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Identity {
    /// The origin with this secret key.
    pub fn new(origin: OriginId, key: &[u8; 32]) -> Self {
        Self { origin, key: SigningKey::from_bytes(key) }
    }

    /// What the origin says of itself in its first commit. It gives out no order numbers, so it has no letter.
    pub fn card(&self) -> OriginCard {
        let key = self.key.verifying_key().to_bytes();
        OriginCard { origin: self.origin, key, role: OriginRole::Relay, letter: String::new() }
    }

    /// Signs the chain's hash.
    pub fn sign(&self, hash: &ChainHash) -> [u8; 64] {
        self.key.sign(&hash.0).to_bytes()
    }
}
