//! Packs values for the store: schema byte, checksum, compression, parts.
//!
//! Layout: schema (1), CRC-32 of the plain bytes (4), then by schema: plain bytes; or their length (4) and zstd; for large values the
//! count of parts (2), whose bytes put together are one of the former. A byte saved here is saved several times: sled writes each
//! value again when it consolidates, splits and collects.

use crate::store::StoreError;
use std::borrow::Cow;

/// A part is small enough that a leaf of sled, with up to 17 values, stays below the size of a blob.
pub const PART_BYTES: usize = 6 * 1024;
/// A value that claims to be larger was not written here.
const PLAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Shorter values do not shrink.
const COMPRESS_BYTES_MIN: usize = 200;
const LEVEL: i32 = 1;

const PLAIN: u8 = 1;
const ZSTD: u8 = 2;
const PARTS: u8 = 3;

/// A packed value: what stands at its key, and its parts, if it is large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Stands at the key.
    pub value: Vec<u8>,
    /// Stand beside it, numbered from zero.
    pub parts: Vec<Vec<u8>>,
}

/// Packs values, with one compression context for all of them.
pub struct Packer(Option<zstd::bulk::Compressor<'static>>);

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Default for Packer {
    /// A packer; without compression when no context can be had.
    fn default() -> Self {
        Self(zstd::bulk::Compressor::new(LEVEL).ok())
    }
}

impl Packer {
    /// Packs one value.
    pub fn pack(&mut self, plain: &[u8]) -> Packed {
        let body = self.body(plain);
        let crc = crc32fast::hash(plain).to_be_bytes();
        if body.len() <= PART_BYTES {
            let (schema, rest) = body.split_at(1);
            return Packed { value: [schema, &crc, rest].concat(), parts: Vec::new() };
        }
        let parts: Vec<Vec<u8>> = body.chunks(PART_BYTES).map(<[u8]>::to_vec).collect();
        let count = u16::try_from(parts.len()).unwrap_or(u16::MAX).to_be_bytes();
        Packed { value: [&[PARTS][..], &crc, &count].concat(), parts }
    }

    /// Schema byte and bytes, compressed when that makes them shorter.
    fn body(&mut self, plain: &[u8]) -> Vec<u8> {
        let worth = self.0.as_mut().filter(|_| plain.len() >= COMPRESS_BYTES_MIN);
        let compressed = worth.and_then(|zstd| zstd.compress(plain).ok());
        match compressed.filter(|compressed| compressed.len() + 4 < plain.len()) {
            Some(compressed) => {
                let length = u32::try_from(plain.len()).unwrap_or(u32::MAX).to_be_bytes();
                [&[ZSTD][..], &length, &compressed].concat()
            }
            None => [&[PLAIN][..], plain].concat(),
        }
    }
}

/// Unpacks a value, asking for its parts where it has some. `damaged` names the place when it is not what was written.
pub fn unpack(
    value: &[u8],
    mut part: impl FnMut(u16) -> Result<Option<Vec<u8>>, StoreError>,
    damaged: impl Fn(&str) -> StoreError,
) -> Result<Vec<u8>, StoreError> {
    let [schema, crc @ ..] = value.first_chunk::<5>().ok_or_else(|| damaged("a value of less than five bytes"))?;
    let body: Cow<'_, [u8]> = match *schema {
        PLAIN | ZSTD => Cow::Owned([&[*schema][..], &value[5..]].concat()),
        PARTS => {
            let count = value[5..].try_into().map(u16::from_be_bytes).map_err(|_| damaged("a count of parts"))?;
            let mut whole = Vec::with_capacity(usize::from(count) * PART_BYTES);
            for number in 0..count {
                whole.extend_from_slice(&part(number)?.ok_or_else(|| damaged("a missing part"))?);
            }
            Cow::Owned(whole)
        }
        _ => return Err(damaged("an unknown schema")),
    };
    let plain = match body.split_first() {
        Some((&PLAIN, plain)) => plain.to_vec(),
        Some((&ZSTD, rest)) => inflate(rest).ok_or_else(|| damaged("compressed bytes"))?,
        Some(_) | None => return Err(damaged("an unknown schema")),
    };
    if crc32fast::hash(&plain) != u32::from_be_bytes(*crc) {
        return Err(damaged("a wrong checksum"));
    }
    Ok(plain)
}

fn inflate(body: &[u8]) -> Option<Vec<u8>> {
    let (length, compressed) = body.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= PLAIN_BYTES_MAX)?;
    zstd::bulk::decompress(compressed, length).ok().filter(|plain| plain.len() == length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(packed: &Packed) -> Result<Vec<u8>, StoreError> {
        let part = |number: u16| Ok(packed.parts.get(usize::from(number)).cloned());
        unpack(&packed.value, part, |why| StoreError::Damaged { tree: "t", why: why.to_owned() })
    }

    #[test]
    fn x3_a_value_that_is_not_what_was_written_is_named() {
        let length = |plain: u32| [&[ZSTD, 0, 0, 0, 0][..], &plain.to_be_bytes(), b"not zstd"].concat();
        for (value, why) in [
            (b"".to_vec(), "less than five bytes"),
            (vec![PLAIN, 0, 0, 0, 0, b'x'], "checksum"),
            (vec![9, 0, 0, 0, 0], "schema"),
            (vec![PARTS, 0, 0, 0, 0, 0, 1], "missing part"),
            (vec![PARTS, 0, 0, 0, 0, 0, 0], "schema"),
            (length(5), "compressed"),
            (length(u32::MAX), "compressed"),
        ] {
            let error = read(&Packed { value, parts: vec![] }).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn x2_every_value_reads_back_and_no_part_is_large(seed in any::<u64>(), length in 0usize..40_000, noise in any::<bool>()) {
            let mut state = seed | 1;
            let plain: Vec<u8> = (0..length).map(|at| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if noise { (state >> 33) as u8 } else { (at / 97) as u8 }
            }).collect();
            let packed = Packer::default().pack(&plain);
            prop_assert!(packed.value.len() <= PART_BYTES + 16 && packed.parts.iter().all(|part| part.len() <= PART_BYTES));
            prop_assert_eq!(read(&packed).unwrap(), plain);
        }
    }
}
