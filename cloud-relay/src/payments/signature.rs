//! Signatures of webhooks: HMAC-SHA256 over time and body, so that nobody else can tell us that money moved.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header that carries a signature: `t=<milliseconds>,v1=<hex>`.
pub const SIGNATURE_HEADER: &str = "pilotlight-signature";
/// A signature older than this, or further ahead, is refused: a message that was recorded cannot be played again for ever.
pub const AGE_MS_MAX: u64 = 5 * 60_000;

/// Why a message is not taken for the gateway's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureRefusal {
    /// No signature, or not one of ours.
    #[error("the message carries no signature of the form t=...,v1=...")]
    Missing,
    /// Another secret, or another body.
    #[error("the signature does not fit the message")]
    Wrong,
    /// Signed too long ago, or in the future.
    #[error("the signature is not of this time")]
    Stale,
}

fn mac(secret: &[u8], at_ms: u64, body: &[u8]) -> Option<Hmac<Sha256>> {
    // An HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(at_ms.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

/// The header's value for this body.
pub fn sign(secret: &[u8], at_ms: u64, body: &[u8]) -> String {
    let tag = mac(secret, at_ms, body).map(|mac| mac.finalize().into_bytes());
    let hex: String = tag.iter().flat_map(|tag| tag.iter()).map(|byte| format!("{byte:02x}")).collect();
    format!("t={at_ms},v1={hex}")
}

/// Checks a header's value against the body, in constant time.
pub fn verify(secret: &[u8], header: Option<&str>, body: &[u8], now_ms: u64) -> Result<(), SignatureRefusal> {
    let (at_ms, tag) = header.and_then(parse).ok_or(SignatureRefusal::Missing)?;
    let mac = mac(secret, at_ms, body).ok_or(SignatureRefusal::Wrong)?;
    mac.verify_slice(&tag).map_err(|_| SignatureRefusal::Wrong)?;
    if now_ms.abs_diff(at_ms) > AGE_MS_MAX {
        return Err(SignatureRefusal::Stale);
    }
    Ok(())
}

fn parse(header: &str) -> Option<(u64, Vec<u8>)> {
    let (at, tag) = header.split_once(',')?;
    let at_ms = at.strip_prefix("t=")?.parse().ok()?;
    let hex = tag.strip_prefix("v1=")?;
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..64).step_by(2).map(byte).collect::<Option<Vec<u8>>>().map(|tag| (at_ms, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a5_a_message_with_a_wrong_missing_or_old_signature_is_refused_by_name() {
        let signed = sign(b"secret", 1_000_000, b"{}");
        assert_eq!(verify(b"secret", Some(&signed), b"{}", 1_000_500), Ok(()));
        let wrong = Err(SignatureRefusal::Wrong);
        assert_eq!(verify(b"other", Some(&signed), b"{}", 1_000_500), wrong);
        assert_eq!(verify(b"secret", Some(&signed), b"{ }", 1_000_500), wrong);
        assert_eq!(verify(b"secret", Some(&signed.replace("t=1000000", "t=1000001")), b"{}", 1_000_500), wrong);
        for missing in [None, Some(""), Some("v1=00"), Some("t=1,v1=zz"), Some("t=x,v1=00")] {
            assert_eq!(verify(b"secret", missing, b"{}", 1_000_500), Err(SignatureRefusal::Missing), "{missing:?}");
        }
        let old = verify(b"secret", Some(&signed), b"{}", 1_000_000 + AGE_MS_MAX + 1);
        assert_eq!(old, Err(SignatureRefusal::Stale));
    }
}
