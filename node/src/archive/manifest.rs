//! Which day files are the archive: one small JSON file, replaced as a whole.
//!
//! A file that the manifest does not name is a leftover. The manifest carries its own checksum: one that is damaged is named, and the
//! archive is then only read by `check` and by people, never written.

use crate::archive::ArchiveError;
use pilotlight_edge::files;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The manifest's name.
pub(crate) const NAME: &str = "manifest.json";
const FORMAT: u32 = 1;

/// One day file as the manifest tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// The business day's calendar date, as `year * 10000 + month * 100 + day`.
    pub date: u32,
    /// Goes up each time the day is written again.
    pub generation: u32,
    /// Its name in the archive's directory.
    pub name: String,
    /// Orders in it.
    pub rows: u32,
    /// Its length.
    pub bytes: u64,
    /// When its first order was placed, in milliseconds since 1970.
    pub first_placed_at: u64,
    /// When its last order was placed.
    pub last_placed_at: u64,
    /// The lowest day number in it.
    pub first_day: Option<u32>,
    /// The highest day number in it.
    pub last_day: Option<u32>,
    /// BLAKE3 of the file.
    pub blake3: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    files: Vec<FileEntry>,
    /// Of the files as they are written here, without spaces.
    blake3: String,
}

impl FileEntry {
    /// The name of a day file; its index has the same with another ending.
    pub(crate) fn name_of(date: u32, generation: u32) -> String {
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        format!("{year:04}-{month:02}-{day:02}-g{generation}.parquet")
    }
}

/// Reads the manifest; no file is an empty archive.
pub(crate) fn read(dir: &Path) -> Result<Vec<FileEntry>, ArchiveError> {
    let Some(bytes) = files::read_if_there(&dir.join(NAME))? else { return Ok(Vec::new()) };
    let damaged = |why: String| ArchiveError::Damaged { file: NAME.to_owned(), why };
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(damaged(format!("its format is {}, this program knows {FORMAT}", manifest.format)));
    }
    if checksum(&manifest.files) != manifest.blake3 {
        return Err(damaged("a wrong checksum".to_owned()));
    }
    if let Some(wrong) = manifest.files.iter().find(|file| file.name != FileEntry::name_of(file.date, file.generation))
    {
        return Err(damaged(format!("a file of the name {:?}", wrong.name)));
    }
    Ok(manifest.files)
}

/// Replaces the manifest, durably.
pub(crate) fn write(dir: &Path, entries: &[FileEntry]) -> Result<(), ArchiveError> {
    let manifest = Manifest { format: FORMAT, files: entries.to_vec(), blake3: checksum(entries) };
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    Ok(files::write_whole(&dir.join(NAME), &text)?)
}

fn checksum(entries: &[FileEntry]) -> String {
    blake3::hash(&serde_json::to_vec(entries).unwrap_or_default()).to_hex().to_string()
}
