//! From an order's id to its row in a day file: a file of sorted ids beside each day file.
//!
//! What stays in memory of it is small: a filter of 16 bits an order that says *surely not here*, and every 128th id. The rest is
//! read when it is asked: one block of 3 KiB. It is derived from the day file and names it by its hash: one that is missing,
//! damaged or another file's is made again.
//!
//! Layout: magic (8), BLAKE3 of the day file (32), orders (4), then filter, fences, CRC-32 of all that (4), then the blocks: entries of
//! id (16), row (4), CRC-32 of the document (4), and a CRC-32 of the block (4). Big-endian.

use pilotlight_sync::domain::id::OrderId;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

const MAGIC: &[u8; 8] = b"plid-1\0\0";
const ENTRY: usize = 24;
const BLOCK_ENTRIES: usize = 128;
const BLOCK: usize = BLOCK_ENTRIES * ENTRY + 4;
const HEADER: usize = 8 + 32 + 4;
/// Orders of one word of the filter: 512 bits, one cache line.
const WORD_ORDERS: usize = 32;
const WORD: usize = 64;
/// Bits that an order sets in its word.
const MARKS: usize = 6;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Which order.
    pub(crate) id: OrderId,
    /// Its row in the day file, from zero.
    pub(crate) row: u32,
    /// CRC-32 of its document.
    pub(crate) crc: u32,
}

/// What is kept in memory of one index.
#[derive(Debug)]
pub(crate) struct IdIndex {
    filter: Vec<u8>,
    fences: Vec<OrderId>,
    last: OrderId,
    orders: usize,
}

impl IdIndex {
    /// Makes the index of a day file with this hash and writes it. It need not be synced: it can be made again.
    pub(crate) fn write(path: &Path, blake3: &[u8; 32], mut entries: Vec<Entry>) -> io::Result<Self> {
        entries.sort_by_key(|entry| entry.id);
        let mut filter = vec![0; entries.len().div_ceil(WORD_ORDERS).max(1) * WORD];
        entries.iter().for_each(|entry| mark(&mut filter, &entry.id));
        let fences: Vec<OrderId> = entries.iter().step_by(BLOCK_ENTRIES).map(|entry| entry.id).collect();
        let last = entries.last().map_or(OrderId::from_bytes([0; 16]), |entry| entry.id);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(blake3);
        bytes.extend_from_slice(&u32::try_from(entries.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&filter);
        fences.iter().chain([&last]).for_each(|id| bytes.extend_from_slice(id.as_bytes()));
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        for block in entries.chunks(BLOCK_ENTRIES) {
            let from = bytes.len();
            for entry in block {
                bytes.extend_from_slice(entry.id.as_bytes());
                bytes.extend_from_slice(&entry.row.to_be_bytes());
                bytes.extend_from_slice(&entry.crc.to_be_bytes());
            }
            bytes.extend_from_slice(&crc32fast::hash(&bytes[from..]).to_be_bytes());
        }
        std::fs::write(path, &bytes)?;
        Ok(Self { filter, fences, last, orders: entries.len() })
    }

    /// Reads what stays in memory; an error when there is no index, or it is not this day file's.
    pub(crate) fn read(path: &Path, blake3: &[u8; 32]) -> io::Result<Self> {
        let file = File::open(path)?;
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)?;
        let orders = header.last_chunk::<4>().map_or(0, |count| u32::from_be_bytes(*count)) as usize;
        if header[..8] != MAGIC[..] || header[8..40] != blake3[..] {
            return Err(io::Error::new(ErrorKind::InvalidData, "another file's index"));
        }
        let resident = resident_bytes(orders);
        if file.metadata()?.len() != (resident + orders * ENTRY + orders.div_ceil(BLOCK_ENTRIES) * 4) as u64 {
            return Err(io::Error::new(ErrorKind::InvalidData, "an index of another length"));
        }
        let mut bytes = vec![0; resident];
        file.read_exact_at(&mut bytes, 0)?;
        let kept = checked(&bytes)?;
        let (filter, ids) = kept[HEADER..].split_at(filter_bytes(orders));
        let mut fences: Vec<OrderId> = ids.as_chunks::<16>().0.iter().map(|id| OrderId::from_bytes(*id)).collect();
        let last = fences.pop().ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "an index without ids"))?;
        Ok(Self { filter: filter.to_vec(), fences, last, orders })
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.filter.len() + self.fences.len() * 16
    }

    /// Whether the order may be here; *no* is certain.
    pub(crate) fn may_have(&self, id: &OrderId) -> bool {
        let range = self.fences.first().is_some_and(|first| first <= id) && id <= &self.last;
        range && is_marked(&self.filter, id)
    }

    /// Looks the order up in the index's file.
    pub(crate) fn find(&self, path: &Path, id: &OrderId) -> io::Result<Option<Entry>> {
        if !self.may_have(id) {
            return Ok(None);
        }
        let Some(block) = self.fences.partition_point(|fence| fence <= id).checked_sub(1) else { return Ok(None) };
        let entries = BLOCK_ENTRIES.min(self.orders - block * BLOCK_ENTRIES);
        let mut bytes = vec![0; entries * ENTRY + 4];
        File::open(path)?.read_exact_at(&mut bytes, (resident_bytes(self.orders) + block * BLOCK) as u64)?;
        let entries = checked(&bytes)?.as_chunks::<ENTRY>().0;
        let found = entries.binary_search_by(|entry| entry[..16].cmp(id.as_bytes()));
        Ok(found.ok().and_then(|at| entries.get(at)).and_then(parse))
    }
}

fn parse(entry: &[u8; ENTRY]) -> Option<Entry> {
    let (id, rest) = entry.split_first_chunk::<16>()?;
    let (row, crc) = rest.split_first_chunk::<4>()?;
    let crc = u32::from_be_bytes(crc.try_into().ok()?);
    Some(Entry { id: OrderId::from_bytes(*id), row: u32::from_be_bytes(*row), crc })
}

fn filter_bytes(orders: usize) -> usize {
    orders.div_ceil(WORD_ORDERS).max(1) * WORD
}

fn resident_bytes(orders: usize) -> usize {
    HEADER + filter_bytes(orders) + (orders.div_ceil(BLOCK_ENTRIES) + 1) * 16 + 4
}

/// The bytes before a closing CRC, when it is theirs.
fn checked(bytes: &[u8]) -> io::Result<&[u8]> {
    match bytes.split_last_chunk::<4>() {
        Some((body, crc)) if crc32fast::hash(body) == u32::from_be_bytes(*crc) => Ok(body),
        Some(_) | None => Err(io::Error::new(ErrorKind::InvalidData, "a wrong checksum")),
    }
}

/// The word of an order in the filter, and its bits there. Ids of devices are partly time: they are mixed first.
fn marks(words: usize, id: &OrderId) -> (usize, [usize; MARKS]) {
    let value = u128::from_be_bytes(*id.as_bytes());
    let mixed = mix((value >> 64) as u64 ^ mix(value as u64));
    let word = ((u128::from(mixed) * words as u128) >> 64) as usize;
    let mut bits = mix(mixed);
    let marks = std::array::from_fn(|_| {
        let bit = (bits & 511) as usize;
        bits >>= 9;
        bit
    });
    (word, marks)
}

/// The finishing step of SplitMix64.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn mark(filter: &mut [u8], id: &OrderId) {
    let (word, marks) = marks(filter.len() / WORD, id);
    for bit in marks {
        filter[word * WORD + bit / 8] |= 1 << (bit % 8);
    }
}

fn is_marked(filter: &[u8], id: &OrderId) -> bool {
    let (word, marks) = marks(filter.len() / WORD, id);
    marks.iter().all(|bit| filter.get(word * WORD + bit / 8).is_some_and(|byte| byte & (1 << (bit % 8)) != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> OrderId {
        OrderId::derived(&[&n.to_string()])
    }

    #[test]
    fn z6_every_order_is_found_and_few_others_are_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.ids");
        for orders in [0u32, 1, 127, 128, 129, 5_000] {
            let entries = (0..orders).map(|n| Entry { id: id(n), row: n, crc: n ^ 7 }).collect();
            IdIndex::write(&path, &[3; 32], entries).unwrap();
            let index = IdIndex::read(&path, &[3; 32]).unwrap();
            for n in 0..orders {
                assert_eq!(index.find(&path, &id(n)).unwrap(), Some(Entry { id: id(n), row: n, crc: n ^ 7 }));
            }
            let strangers = (orders..orders + 5_000).filter(|n| index.may_have(&id(*n))).count();
            assert!(strangers < 25, "{strangers} of 5,000 strangers");
            assert!((orders..orders + 200).all(|n| index.find(&path, &id(n)).unwrap().is_none()));
            assert!(index.memory() <= orders as usize * 3 + 128);
        }
    }

    #[test]
    fn z5_an_index_that_is_damaged_or_another_file_s_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.ids");
        IdIndex::write(&path, &[3; 32], (0..300).map(|n| Entry { id: id(n), row: n, crc: n }).collect()).unwrap();
        assert!(IdIndex::read(&path, &[4; 32]).is_err());
        let good = std::fs::read(&path).unwrap();
        for at in [0, 50, 200, good.len() - 20] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            let all = IdIndex::read(&path, &[3; 32])
                .and_then(|index| (0..300).try_for_each(|n| index.find(&path, &id(n)).map(drop)));
            assert!(all.is_err(), "a flipped bit at {at}");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(IdIndex::read(&path, &[3; 32]).is_err());
    }
}
