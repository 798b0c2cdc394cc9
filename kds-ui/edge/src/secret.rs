//! PINs and passwords as they are kept: salted Argon2id. Slow on purpose: call it where blocking is allowed.

use crate::tokens::{self, NoRandom};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

/// Memory of one hash in KiB: OWASP's least for Argon2id, so that a small PC stays responsive.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// The machine is out of randomness, or the hash failed.
#[derive(Debug, thiserror::Error)]
#[error("the secret could not be hashed: {0}")]
pub struct NoHash(String);

impl From<NoRandom> for NoHash {
    fn from(error: NoRandom) -> Self {
        Self(error.to_string())
    }
}

fn argon() -> Result<Argon2<'static>, NoHash> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| NoHash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a secret with a new salt.
pub fn hash(secret: &str) -> Result<String, NoHash> {
    let salt = tokens::random::<16>()?;
    let hash = argon()?.hash_password_with_salt(secret.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|error| NoHash(error.to_string()))
}

/// Whether this is the secret.
pub fn is(secret: &str, hash: &str) -> bool {
    let parsed = PasswordHash::new(hash);
    let argon = argon();
    match (parsed, argon) {
        (Ok(hash), Ok(argon)) => argon.verify_password(secret.as_bytes(), &hash).is_ok(),
        (Err(_), _) | (_, Err(_)) => false,
    }
}
