//! Bearer tokens and codes: random, shown once, kept as hashes.

/// Letters of a code that a person types: none that look alike.
const CODE_LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The system's source of random bytes failed.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes: {0}")]
pub struct NoRandom(String);

/// Random bytes from the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| NoRandom(error.to_string()))?;
    Ok(bytes)
}

/// A new token: 256 bits in hexadecimal, with a prefix that says what leaked if one is ever found.
pub fn new_token() -> Result<String, NoRandom> {
    let hex = blake3::Hash::from_bytes(random::<32>()?).to_hex();
    Ok(format!("plt_{hex}"))
}

/// How a token is kept.
pub fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// A new code for people: 40 bits, `ABCD-EFGH`.
pub fn new_code() -> Result<String, NoRandom> {
    let letters: String = random::<8>()?.iter().map(|byte| char::from(CODE_LETTERS[usize::from(byte % 32)])).collect();
    Ok(format!("{}-{}", &letters[..4], &letters[4..]))
}

/// A code as it is compared: capitals, without what people put between.
pub fn plain_code(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_tokens_and_codes_are_new_each_time_and_codes_forgive_spelling() {
        assert_ne!(new_token().unwrap(), new_token().unwrap());
        let code = new_code().unwrap();
        assert_eq!(code.len(), 9);
        assert_eq!(plain_code(&code.to_lowercase().replace('-', " ")), plain_code(&code));
    }
}
