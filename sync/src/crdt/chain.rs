//! Hash chain over an origin's commits: `h(n) = BLAKE3(h(n-1) || bytes of commit n)`, `h(0)` from the origin itself.
//!
//! Two stores that have applied the same commits of an origin have the same hash, and a store that went back cannot hide it.

use crate::domain::id::OriginId;
use minicbor::{Decode, Encode};
use std::fmt;

/// The chain's hash after some commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct ChainHash(#[cbor(with = "minicbor::bytes")] pub [u8; 32]);

impl ChainHash {
    /// Before the first commit of this origin.
    pub fn start(origin: &OriginId) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("pilotlight chain 1");
        hasher.update(origin.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// After one more commit.
    pub fn then(&self, commit: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(commit);
        Self(*hasher.finalize().as_bytes())
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainHash({}…)", &self.to_hex()[..12])
    }
}

/// Where an origin's log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Head {
    /// Number of its last commit; 0 before the first.
    #[n(0)]
    pub seq: u64,
    /// The chain's hash after it.
    #[n(1)]
    pub hash: ChainHash,
}

impl Head {
    /// Before the first commit of this origin.
    pub fn start(origin: &OriginId) -> Self {
        Self { seq: 0, hash: ChainHash::start(origin) }
    }

    /// After one more commit.
    pub fn then(&self, commit: &[u8]) -> Self {
        Self { seq: self.seq + 1, hash: self.hash.then(commit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_the_hash_depends_on_the_origin_on_every_commit_and_on_their_order() {
        let (a, b) = (OriginId::derived(&["a"]), OriginId::derived(&["b"]));
        let chain =
            |origin, commits: &[&[u8]]| commits.iter().fold(Head::start(&origin), |head, commit| head.then(commit));
        let base = chain(a, &[b"1", b"2", b"3"]);
        assert_eq!(base, chain(a, &[b"1", b"2", b"3"]));
        assert_eq!(base.seq, 3);
        for other in [
            chain(b, &[b"1", b"2", b"3"]),
            chain(a, &[b"2", b"1", b"3"]),
            chain(a, &[b"1", b"2", b"4"]),
            chain(a, &[b"1", b"2"]),
        ] {
            assert_ne!(base.hash, other.hash);
        }
    }
}
