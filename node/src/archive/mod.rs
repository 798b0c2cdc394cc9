//! Closed orders that have left sled: immutable Parquet files by business day, which any tool can read, and a manifest that names them.
//!
//! An order is here, in sled, or for a while in both with sled knowing at least as much: sled is asked first. The steps of a move are
//! day file, manifest, deletion from sled, removal of what the manifest no longer names, each durable before the next; a cut between
//! any two loses no order and shows none twice (SPEC Z2). A file that is damaged is named, and the rest goes on (SPEC Z5).

pub mod archiver;
mod day_file;
mod id_index;
mod manifest;
mod row;
pub mod taking;
mod verify;

use crate::archive::day_file::DayFile;
use crate::archive::id_index::{Entry, IdIndex};
pub use crate::archive::manifest::FileEntry;
use crate::archive::taking::Stored;
use pilotlight_edge::files;
use pilotlight_sync::domain::business_day::DayNumber;
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Why the archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The operating system said no.
    #[error("{what} failed: {source}")]
    Io {
        /// At what.
        what: String,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not what was written.
    #[error("{file} in the archive is damaged: {why}")]
    Damaged {
        /// Which.
        file: String,
        /// How it shows.
        why: String,
    },
}

impl From<files::FileError> for ArchiveError {
    fn from(error: files::FileError) -> Self {
        Self::Io { what: error.what, source: error.source }
    }
}

/// A day file and what is kept in memory of it.
#[derive(Debug)]
struct Listed {
    entry: FileEntry,
    /// `None` while neither the index nor the day file can be read.
    index: Option<IdIndex>,
}

/// What the manifest names, by date.
#[derive(Debug, Default)]
struct Catalogue(Vec<Arc<Listed>>);

/// The archive of one data directory. One for the whole process: who reads sees what the archiver writes.
#[derive(Debug)]
pub struct Archive {
    dir: PathBuf,
    catalogue: RwLock<Arc<Catalogue>>,
    /// Without a manifest that can be believed nothing is written and nothing removed.
    manifest_is_good: bool,
    damaged: Mutex<BTreeMap<String, String>>,
}

impl Archive {
    /// Opens the archive in this directory. It never fails: what cannot be read is named, here and in `problems`.
    pub fn open(dir: &Path) -> Self {
        let mut archive = Self {
            dir: dir.to_owned(),
            catalogue: RwLock::default(),
            manifest_is_good: true,
            damaged: Mutex::default(),
        };
        match manifest::read(dir).and_then(|entries| archive.not_lost(&entries).map(|()| entries)) {
            Ok(entries) => {
                let listed = entries.into_iter().map(|entry| Arc::new(archive.list(entry))).collect();
                *archive.catalogue.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Catalogue(listed));
            }
            Err(error) => {
                archive.manifest_is_good = false;
                archive.name_now(manifest::NAME, &error);
            }
        }
        archive
    }

    /// Day files without a manifest are an archive that has lost it, not leftovers.
    fn not_lost(&self, entries: &[FileEntry]) -> Result<(), ArchiveError> {
        let lost = entries.is_empty() && !self.dir.join(manifest::NAME).exists() && !self.names(".parquet")?.is_empty();
        let why = || "it is missing, and there are day files".to_owned();
        if lost { Err(ArchiveError::Damaged { file: manifest::NAME.to_owned(), why: why() }) } else { Ok(()) }
    }

    fn list(&self, entry: FileEntry) -> Listed {
        let path = self.dir.join(&entry.name);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() == entry.bytes => {}
            Ok(metadata) => {
                let why = format!("it is {} bytes long, the manifest says {}", metadata.len(), entry.bytes);
                self.name_now(&entry.name, &ArchiveError::Damaged { file: entry.name.clone(), why });
            }
            Err(source) => {
                let error = ArchiveError::Io { what: format!("reading {}", path.display()), source };
                self.name_now(&entry.name, &error);
            }
        }
        let index = match blake3::Hash::from_hex(&entry.blake3) {
            Ok(hash) => IdIndex::read(&path.with_extension("ids"), hash.as_bytes()).or_else(|error| {
                tracing::warn!(file = entry.name, %error, "the index of a day file is made again");
                self.reindex(&entry)
            }),
            Err(_) => self.reindex(&entry),
        };
        let index = index.map_err(|error| self.name_now(&entry.name, &error)).ok();
        Listed { entry, index }
    }

    fn reindex(&self, entry: &FileEntry) -> Result<IdIndex, ArchiveError> {
        let path = self.dir.join(&entry.name);
        let hash = self.proven(entry)?;
        let file = DayFile::open(&path)?;
        let mut entries = Vec::new();
        for (group, (first, _)) in file.groups().into_iter().enumerate() {
            let rows = (first..).zip(file.stored(group)?);
            entries.extend(rows.map(|(row, (id, document))| Entry {
                id,
                row: u32::try_from(row).unwrap_or(u32::MAX),
                crc: crc32fast::hash(&document),
            }));
        }
        let path = path.with_extension("ids");
        IdIndex::write(&path, hash.as_bytes(), entries)
            .map_err(|source| ArchiveError::Io { what: format!("writing {}", path.display()), source })
    }

    /// The hash of a day file, when it is the one that the manifest names.
    fn proven(&self, entry: &FileEntry) -> Result<blake3::Hash, ArchiveError> {
        let path = self.dir.join(&entry.name);
        let io = |source| ArchiveError::Io { what: format!("reading {}", path.display()), source };
        let mut hasher = blake3::Hasher::new();
        let mut file = std::fs::File::open(&path).map_err(io)?;
        std::io::copy(&mut file, &mut hasher).map_err(io)?;
        let hash = hasher.finalize();
        if hash.to_hex().as_str() == entry.blake3 {
            return Ok(hash);
        }
        Err(ArchiveError::Damaged {
            file: entry.name.clone(),
            why: "its bytes are not those that were written".to_owned(),
        })
    }

    fn now(&self) -> Arc<Catalogue> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names what is wrong with a file of the archive. One that was replaced while it was read is none of it any more.
    fn name(&self, file: &str, error: &ArchiveError) {
        if self.now().0.iter().any(|listed| listed.entry.name == file) {
            self.name_now(file, error);
        }
    }

    /// Names what is wrong: once in the log, and from now on to whoever asks for the node's health.
    fn name_now(&self, file: &str, error: &ArchiveError) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if damaged.insert(file.to_owned(), error.to_string()).is_none() {
            tracing::error!(file, %error, "the archive has a damaged file: the rest goes on");
        }
    }

    /// Reads, and reads again when a day was replaced meanwhile: its old file may be gone.
    fn steadily<A>(&self, read: impl Fn(&Catalogue) -> A) -> A {
        loop {
            let catalogue = self.now();
            let done = read(&catalogue);
            if Arc::ptr_eq(&catalogue, &self.now()) {
                return done;
            }
        }
    }

    /// Files that cannot be read, each with what is wrong.
    pub fn problems(&self) -> Vec<String> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Orders that the manifest counts.
    pub fn orders(&self) -> u64 {
        self.now().0.iter().map(|listed| u64::from(listed.entry.rows)).sum()
    }

    /// Bytes of memory that the indexes take.
    pub fn memory(&self) -> usize {
        self.now().0.iter().filter_map(|listed| listed.index.as_ref()).map(IdIndex::memory).sum()
    }

    /// What the manifest names.
    pub fn files(&self) -> Vec<FileEntry> {
        self.now().0.iter().map(|listed| listed.entry.clone()).collect()
    }

    /// Whether an order is here.
    pub fn holds(&self, id: &OrderId) -> bool {
        self.steadily(|catalogue| self.find(catalogue, id).is_some())
    }

    /// An order's document. An order that is here but cannot be read is an error, not a `None`: its id is taken.
    pub fn get(&self, id: &OrderId) -> Result<Option<Vec<u8>>, ArchiveError> {
        self.steadily(|catalogue| {
            let Some((listed, entry)) = self.find(catalogue, id) else { return Ok(None) };
            let read = self.read(&listed, &[entry]).inspect_err(|error| self.name(&listed.entry.name, error));
            Ok(read?.pop().map(|(_, document)| document))
        })
    }

    /// The documents of these orders, as far as they are here and can be read; each day file is opened once.
    pub fn get_many(&self, ids: &[OrderId]) -> BTreeMap<OrderId, Vec<u8>> {
        self.steadily(|catalogue| self.many_of(catalogue, ids))
    }

    fn many_of(&self, catalogue: &Catalogue, ids: &[OrderId]) -> BTreeMap<OrderId, Vec<u8>> {
        let mut by_file: BTreeMap<u32, (Arc<Listed>, Vec<Entry>)> = BTreeMap::new();
        for (listed, entry) in ids.iter().filter_map(|id| self.find(catalogue, id)) {
            by_file.entry(listed.entry.date).or_insert_with(|| (listed, Vec::new())).1.push(entry);
        }
        let mut found = BTreeMap::new();
        for (listed, mut entries) in by_file.into_values() {
            entries.sort_by_key(|entry| entry.row);
            entries.dedup_by_key(|entry| entry.row);
            match self.read(&listed, &entries) {
                Ok(documents) => found.extend(documents),
                Err(error) => self.name(&listed.entry.name, &error),
            }
        }
        found
    }

    fn find(&self, catalogue: &Catalogue, id: &OrderId) -> Option<(Arc<Listed>, Entry)> {
        for listed in catalogue.0.iter().rev() {
            let Some(index) = listed.index.as_ref().filter(|index| index.may_have(id)) else { continue };
            let path = self.dir.join(&listed.entry.name).with_extension("ids");
            let found = index.find(&path, id).or_else(|error| {
                tracing::warn!(file = listed.entry.name, %error, "the index of a day file is made again");
                let again = self.reindex(&listed.entry)?;
                again.find(&path, id).map_err(|source| ArchiveError::Io { what: "reading an index".to_owned(), source })
            });
            match found {
                Ok(Some(entry)) => return Some((listed.clone(), entry)),
                Ok(None) => {}
                Err(error) => self.name(&listed.entry.name, &error),
            }
        }
        None
    }

    /// Reads rows that rise, and checks each against its index.
    fn read(&self, listed: &Listed, entries: &[Entry]) -> Result<Vec<(OrderId, Vec<u8>)>, ArchiveError> {
        let rows: Vec<u32> = entries.iter().map(|entry| entry.row).collect();
        let documents = DayFile::open(&self.dir.join(&listed.entry.name))?.documents(&rows)?;
        let changed = |(entry, document): &(&Entry, &Vec<u8>)| crc32fast::hash(document) != entry.crc;
        if let Some((entry, _)) = entries.iter().zip(&documents).find(changed) {
            let why = format!("order {} has a wrong checksum", entry.id);
            return Err(ArchiveError::Damaged { file: listed.entry.name.clone(), why });
        }
        Ok(entries.iter().map(|entry| entry.id).zip(documents).collect())
    }

    /// The latest orders placed before a moment, the latest first, at most `limit`. Files that cannot be read are left out.
    pub fn latest_before(&self, before: Timestamp, limit: usize) -> Vec<(Timestamp, OrderId)> {
        self.steadily(|catalogue| self.latest_in(catalogue, before, limit))
    }

    fn latest_in(&self, catalogue: &Catalogue, before: Timestamp, limit: usize) -> Vec<(Timestamp, OrderId)> {
        let mut files: Vec<&Arc<Listed>> =
            catalogue.0.iter().filter(|listed| listed.entry.first_placed_at < before.0).collect();
        files.sort_by_key(|listed| std::cmp::Reverse(listed.entry.last_placed_at));
        let mut latest: Vec<(Timestamp, OrderId)> = Vec::new();
        for listed in files {
            let enough = latest.get(limit.saturating_sub(1)).is_some_and(|(at, _)| at.0 > listed.entry.last_placed_at);
            if enough {
                break;
            }
            match self.latest_of(listed, before, limit) {
                Ok(found) => latest.extend(found),
                Err(error) => self.name(&listed.entry.name, &error),
            }
            latest.sort_by(|left, right| right.cmp(left));
            latest.truncate(limit);
        }
        latest
    }

    fn latest_of(
        &self,
        listed: &Listed,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, OrderId)>, ArchiveError> {
        let file = DayFile::open(&self.dir.join(&listed.entry.name))?;
        let mut found = Vec::new();
        for group in (0..file.groups().len()).rev() {
            found.extend(file.places(group)?.into_iter().filter(|(at, _)| *at < before));
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// Documents in the order of placement, after one of them (`None`: from the first), at most `limit`.
    pub fn documents_after(&self, after: Option<(Timestamp, OrderId)>, limit: usize) -> Vec<Stored> {
        self.steadily(|catalogue| self.documents_in(catalogue, after, limit))
    }

    fn documents_in(&self, catalogue: &Catalogue, after: Option<(Timestamp, OrderId)>, limit: usize) -> Vec<Stored> {
        let is_after = |place: &(Timestamp, OrderId)| after.is_none_or(|after| *place > after);
        let reaches = |listed: &&Arc<Listed>| after.is_none_or(|(at, _)| listed.entry.last_placed_at >= at.0);
        let mut files: Vec<&Arc<Listed>> = catalogue.0.iter().filter(reaches).collect();
        files.sort_by_key(|listed| listed.entry.first_placed_at);
        let mut places: Vec<(Timestamp, OrderId)> = Vec::new();
        for listed in files {
            if places.get(limit.saturating_sub(1)).is_some_and(|(at, _)| at.0 < listed.entry.first_placed_at) {
                break;
            }
            match self.first_of(listed, is_after, limit) {
                Ok(found) => places.extend(found),
                Err(error) => self.name(&listed.entry.name, &error),
            }
            places.sort_unstable();
            places.truncate(limit);
        }
        let ids: Vec<OrderId> = places.iter().map(|(_, id)| *id).collect();
        let mut documents = self.many_of(catalogue, &ids);
        let stored = |(placed_at, id)| Some(Stored { id, placed_at, document: documents.remove(&id)? });
        places.into_iter().filter_map(stored).collect()
    }

    fn first_of(
        &self,
        listed: &Listed,
        wanted: impl Fn(&(Timestamp, OrderId)) -> bool,
        limit: usize,
    ) -> Result<Vec<(Timestamp, OrderId)>, ArchiveError> {
        let file = DayFile::open(&self.dir.join(&listed.entry.name))?;
        let mut found = Vec::new();
        for group in 0..file.groups().len() {
            found.extend(file.places(group)?.into_iter().filter(&wanted));
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// The order that has this number on this day.
    pub fn by_number(&self, day: DayNumber, number: &str) -> Option<OrderId> {
        self.steadily(|catalogue| self.number_in(catalogue, day, number))
    }

    fn number_in(&self, catalogue: &Catalogue, day: DayNumber, number: &str) -> Option<OrderId> {
        let has_day = |listed: &&Arc<Listed>| {
            let days = listed.entry.first_day.zip(listed.entry.last_day);
            days.is_some_and(|(first, last)| (first..=last).contains(&day.0))
        };
        for listed in catalogue.0.iter().rev().filter(has_day) {
            let file = DayFile::open(&self.dir.join(&listed.entry.name));
            match file.and_then(|file| file.with_number(day.0, number)) {
                Ok(Some(id)) => return Some(id),
                Ok(None) => {}
                Err(error) => self.name(&listed.entry.name, &error),
            }
        }
        None
    }

    /// Names in the directory with this ending.
    fn names(&self, ending: &str) -> Result<BTreeSet<String>, ArchiveError> {
        let io = |source| ArchiveError::Io { what: format!("listing {}", self.dir.display()), source };
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(io(error)),
        };
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names: BTreeSet<String> = names.collect::<Result<_, std::io::Error>>().map_err(io)?;
        Ok(names.into_iter().filter(|name| name.ends_with(ending)).collect())
    }
}

/// The latest of two lists that are each the latest first, without what is in both.
pub fn latest_of_both(
    here: Vec<(Timestamp, OrderId)>,
    there: Vec<(Timestamp, OrderId)>,
    limit: usize,
) -> Vec<(Timestamp, OrderId)> {
    let known: BTreeSet<OrderId> = here.iter().map(|(_, id)| *id).collect();
    let mut both = here;
    both.extend(there.into_iter().filter(|(_, id)| !known.contains(id)));
    both.sort_by(|left, right| right.cmp(left));
    both.truncate(limit);
    both
}

#[cfg(test)]
mod tests;
