//! One hash over what replicas of a site must agree on: equal digests, equal documents (SPEC N4).

use crate::doc::key::DocKey;
use std::fmt;

/// A digest being made: documents are put in, in the order that both sides use.
#[derive(Debug, Clone, Default)]
pub struct Digesting(blake3::Hasher);

/// BLAKE3 over documents with their names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digesting {
    /// Puts one document in.
    pub fn add(&mut self, key: &DocKey, bytes: &[u8]) {
        self.0.update(&[key.kind()]);
        self.0.update(&(key.id_bytes().len() as u64).to_be_bytes());
        self.0.update(key.id_bytes());
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// The digest of what was put in.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
