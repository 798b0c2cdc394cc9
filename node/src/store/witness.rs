//! A small file that says where the own log ended: a log cannot see its own lost tail.
//!
//! Order of a group: `fdatasync` of the database, `fdatasync` of the witness, answer. So a store behind its witness has lost
//! something it had confirmed: its disk went back (SPEC I3). Two slots are written in turn, so that a torn write leaves the other.

use crate::store::StoreError;
use pilotlight_edge::files;
use pilotlight_sync::crdt::chain::{ChainHash, Head};
use pilotlight_sync::domain::id::OriginId;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Slots are a disk page apart, so that a torn page spoils one of them only.
const SLOT_BYTES: u64 = 4096;
const RECORD_BYTES: usize = 16 + 8 + 32 + 4;

/// The open witness file.
#[derive(Debug)]
pub struct Witness {
    file: File,
    next_slot: u64,
}

impl Witness {
    /// Opens the file, and reads what it last said of this origin.
    pub fn open(path: &Path, origin: &OriginId) -> Result<(Self, Option<Head>), StoreError> {
        let what = || format!("opening {}", path.display());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(StoreError::io(what()))?;
        file.sync_all().map_err(StoreError::io(what()))?;
        files::sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        let slots = [read_slot(&file, 0), read_slot(&file, 1)];
        // An origin that this store wrote under before may have had higher numbers.
        let newest = (0..2).max_by_key(|slot| slots[*slot].map(|(of, head)| (of == *origin, head.seq)));
        let said = newest.and_then(|slot| slots[slot]);
        let next_slot = newest.filter(|_| said.is_some()).map_or(0, |slot| 1 - slot as u64);
        let head = said.filter(|(of, _)| of == origin).map(|(_, head)| head);
        Ok((Self { file, next_slot }, head))
    }

    /// Says where the log ends now. Durable when it returns.
    pub fn write(&mut self, origin: &OriginId, head: &Head) -> Result<(), StoreError> {
        let mut record = [0u8; RECORD_BYTES];
        record[..16].copy_from_slice(origin.as_bytes());
        record[16..24].copy_from_slice(&head.seq.to_be_bytes());
        record[24..56].copy_from_slice(&head.hash.0);
        let crc = crc32fast::hash(&record[..56]);
        record[56..].copy_from_slice(&crc.to_be_bytes());
        let written = self.file.write_all_at(&record, self.next_slot * SLOT_BYTES).and_then(|()| self.file.sync_data());
        written.map_err(StoreError::io("writing the witness"))?;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }
}

fn read_slot(file: &File, slot: u64) -> Option<(OriginId, Head)> {
    let mut record = [0u8; RECORD_BYTES];
    file.read_exact_at(&mut record, slot * SLOT_BYTES).ok()?;
    let crc = u32::from_be_bytes(record[56..].try_into().ok()?);
    if crc != crc32fast::hash(&record[..56]) {
        return None;
    }
    let origin = OriginId::from_bytes(record[..16].try_into().ok()?);
    let seq = u64::from_be_bytes(record[16..24].try_into().ok()?);
    let hash = ChainHash(record[24..56].try_into().ok()?);
    Some((origin, Head { seq, hash }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i3_the_witness_says_the_last_head_even_when_a_slot_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness");
        let origin = OriginId::derived(&["w"]);
        let heads: Vec<Head> = (0u8..3)
            .scan(Head::start(&origin), |head, n| {
                *head = head.then(&[n]);
                Some(*head)
            })
            .collect();
        let (mut witness, said) = Witness::open(&path, &origin).unwrap();
        assert_eq!(said, None);
        for head in &heads {
            witness.write(&origin, head).unwrap();
        }
        let (witness, said) = Witness::open(&path, &origin).unwrap();
        assert_eq!(said, Some(heads[2]));
        assert_eq!(Witness::open(&path, &OriginId::derived(&["other"])).unwrap().1, None);
        // The third head lies in slot 0: tear it.
        witness.file.write_all_at(b"torn", 20).unwrap();
        assert_eq!(Witness::open(&path, &origin).unwrap().1, Some(heads[1]));
    }

    #[test]
    fn i3_a_new_names_first_word_is_believed_beside_the_old_ones_higher_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness");
        let (old, new) = (OriginId::derived(&["old"]), OriginId::derived(&["new"]));
        let head = |seq| Head { seq, hash: ChainHash([7; 32]) };
        let (mut witness, _) = Witness::open(&path, &old).unwrap();
        witness.write(&old, &head(8)).unwrap();
        witness.write(&old, &head(9)).unwrap();
        let (mut witness, said) = Witness::open(&path, &new).unwrap();
        assert_eq!(said, None);
        witness.write(&new, &head(1)).unwrap();
        let (mut witness, said) = Witness::open(&path, &new).unwrap();
        assert_eq!(said, Some(head(1)));
        witness.write(&new, &head(2)).unwrap();
        assert_eq!(Witness::open(&path, &new).unwrap().1, Some(head(2)));
    }
}
