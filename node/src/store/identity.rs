//! Who this store is as a writer: an origin with its own signing key, made by the store itself, in no backup.

use crate::store::StoreError;
use ed25519_dalek::{Signer, SigningKey};
use minicbor::{Decode, Encode};
use pilotlight_edge::files;
use pilotlight_sync::crdt::chain::ChainHash;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::OriginId;
use std::path::Path;

/// An origin, its key and its letters.
#[derive(Clone)]
pub struct Identity {
    /// The origin's id.
    pub origin: OriginId,
    /// What its order numbers begin with.
    pub letter: String,
    key: SigningKey,
}

#[derive(Encode, Decode)]
struct Stored {
    #[n(0)]
    origin: OriginId,
    #[n(1)]
    letter: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    key: [u8; 32],
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("origin", &self.origin).field("letter", &self.letter).finish_non_exhaustive()
    }
}

impl Identity {
    /// A new origin; `seed` is 48 random bytes, `letter` what its numbers begin with.
    pub fn new(seed: [u8; 48], letter: String) -> Self {
        let (mut origin, mut key) = ([0; 16], [0; 32]);
        origin.copy_from_slice(&seed[..16]);
        key.copy_from_slice(&seed[16..]);
        Self { origin: OriginId::from_bytes(origin), letter, key: SigningKey::from_bytes(&key) }
    }

    /// Letters of an origin that was made without the relay: its predecessor's and two random ones (SPEC I4).
    pub fn successor_letter(predecessor: &str, random: [u8; 2]) -> String {
        let first = predecessor.chars().next().unwrap_or('A');
        let letter = |byte: u8| char::from(b'A' + byte % 26);
        format!("{first}{}{}", letter(random[0]), letter(random[1]))
    }

    /// What the origin says of itself in its first commit.
    pub fn card(&self) -> OriginCard {
        let key = self.key.verifying_key().to_bytes();
        OriginCard { origin: self.origin, key, role: OriginRole::Node, letter: self.letter.clone() }
    }

    /// Reads it; `None` when there is none yet.
    pub fn load(path: &Path) -> Result<Option<Self>, StoreError> {
        let Some(bytes) = files::read_if_there(path)? else { return Ok(None) };
        let stored: Stored = minicbor::decode(&bytes)
            .map_err(|error| StoreError::Damaged { tree: "identity", why: error.to_string() })?;
        Ok(Some(Self { origin: stored.origin, letter: stored.letter, key: SigningKey::from_bytes(&stored.key) }))
    }

    /// Writes it durably.
    pub fn save(&self, path: &Path) -> Result<(), StoreError> {
        let stored = Stored { origin: self.origin, letter: self.letter.clone(), key: self.key.to_bytes() };
        files::write_whole(path, &minicbor::to_vec(stored).unwrap_or_default())?;
        Ok(())
    }

    /// Signs the chain's hash at the end of a flushed group.
    pub fn sign(&self, hash: &ChainHash) -> [u8; 64] {
        self.key.sign(&hash.0).to_bytes()
    }

    /// Checks a signature of this origin.
    pub fn verify(&self, hash: &ChainHash, signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key.verifying_key().verify_strict(&hash.0, &signature).is_ok()
    }
}
