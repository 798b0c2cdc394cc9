//! What a disk may hold after a power cut, computed from a recording of the shim.
//!
//! The model (ext4 in its default mode, held to what POSIX promises):
//! - What a file sync covered before the cut is there. `sync_file_range` covers nothing.
//! - Data not yet synced is decided per 4 KiB page and independently: the page holds any of the versions it had in the cache since the last
//!   sync, or is torn: its first n x 512 bytes from one version, the rest from an earlier one. A page of a grown file that did not arrive
//!   reads as zeros if a later page did, and lies beyond the end if none did.
//! - A new length (truncation) that was not synced survives or not, in order; data written after a truncation that did not survive, behind
//!   its end, did not arrive either.
//! - Names (create, rename, unlink, mkdir) are journaled in order: a random prefix survives. `Model::Ext4`: a sync of a file also keeps its
//!   own creation. `Model::Posix`: only a sync of the directory keeps a name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;

use crate::seeded::Seeded;

#[path = "../shim/src/record.rs"]
pub mod record;

use record::{HEADER_BYTES, Header, Kind};

/// The unit in which a file's cache is written back.
pub const PAGE_BYTES: usize = 4096;
/// The unit that a disk writes whole.
pub const SECTOR_BYTES: usize = 512;

/// One recorded operation; paths are relative to the recorded directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A new file.
    Create { inode: u64, path: PathBuf },
    /// A new directory.
    Mkdir { path: PathBuf },
    /// A rename, replacing what was there.
    Rename { from: PathBuf, to: PathBuf },
    /// A name removed, of a file or of a directory.
    Remove { path: PathBuf },
    /// Bytes written.
    Write { inode: u64, offset: u64, data: Bytes },
    /// A new length.
    SetLength { inode: u64, length: u64 },
    /// A range of zeros.
    Zero { inode: u64, offset: u64, length: u64 },
    /// A file sync that had returned.
    SyncFile { inode: u64 },
    /// A directory sync that had returned.
    SyncDirectory { path: PathBuf },
}

/// Which names a file system keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// A sync of a file keeps the file's creation too.
    Ext4,
    /// Only a sync of the directory keeps a name.
    Posix,
}

/// All that a process did below one directory, in order.
#[derive(Debug)]
pub struct Recording {
    operations: Vec<Operation>,
    /// Log length behind each operation, ascending.
    ends: Vec<u64>,
}

/// A directory tree as it may be found after the cut.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Directories below the root.
    pub directories: BTreeSet<PathBuf>,
    /// Files below the root with their content.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Recording {
    /// Reads a log; an incomplete last record is the end.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Self::parse(&Bytes::from(std::fs::read(path).context("the shim's log")?))
    }

    /// Parses the bytes of a log.
    pub fn parse(log: &Bytes) -> anyhow::Result<Self> {
        let (mut operations, mut ends, mut at) = (Vec::new(), Vec::new(), 0_usize);
        while let Some(header) = log.get(at..at + HEADER_BYTES) {
            let mut fixed = [0_u8; HEADER_BYTES];
            fixed.copy_from_slice(header);
            let header = Header::decode(&fixed).with_context(|| format!("damaged log at byte {at}"))?;
            let path_end = at + HEADER_BYTES + header.path_bytes as usize;
            let end = path_end + header.data_bytes as usize;
            if end > log.len() {
                break;
            }
            let path = PathBuf::from(OsStr::from_bytes(&log[at + HEADER_BYTES..path_end]));
            operations.push(operation(&header, path, log.slice(path_end..end))?);
            ends.push(end as u64);
            at = end;
        }
        Ok(Self { operations, ends })
    }

    /// How many operations were recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The first cut at which everything logged within `log_bytes` had happened.
    #[must_use]
    pub fn cut_behind(&self, log_bytes: u64) -> usize {
        self.ends.partition_point(|end| *end <= log_bytes)
    }

    /// Log length at a cut, to be compared with the log lengths seen when answers arrived.
    #[must_use]
    pub fn log_bytes_at(&self, cut: usize) -> u64 {
        cut.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0)
    }

    /// File syncs recorded before a cut.
    #[must_use]
    pub fn file_syncs_before(&self, cut: usize) -> usize {
        self.operations.iter().take(cut).filter(|op| matches!(op, Operation::SyncFile { .. })).count()
    }

    /// The tree with every operation done and nothing lost.
    pub fn whole(&self) -> anyhow::Result<Image> {
        let mut disk = Disk::default();
        for operation in &self.operations {
            disk.note(operation, Model::Ext4)?;
        }
        disk.pinned_names = disk.names.len();
        for file in &mut disk.files {
            file.sync();
        }
        Ok(disk.image(&mut Seeded::new(0)))
    }

    /// One tree that may be found when the power goes after the first `cut` operations.
    pub fn after_cut(&self, cut: usize, model: Model, seed: u64) -> anyhow::Result<Image> {
        let mut disk = Disk::default();
        for operation in self.operations.iter().take(cut) {
            disk.note(operation, model)?;
        }
        Ok(disk.image(&mut Seeded::new(seed)))
    }
}

fn operation(header: &Header, path: PathBuf, data: Bytes) -> anyhow::Result<Operation> {
    let inode = header.inode;
    Ok(match header.kind {
        Kind::Create => Operation::Create { inode, path },
        Kind::Mkdir => Operation::Mkdir { path },
        Kind::Rename => Operation::Rename { from: path, to: PathBuf::from(OsStr::from_bytes(&data)) },
        Kind::Unlink | Kind::Rmdir => Operation::Remove { path },
        Kind::Write => Operation::Write { inode, offset: header.first, data },
        Kind::SetLength => Operation::SetLength { inode, length: header.first },
        Kind::Zero => Operation::Zero { inode, offset: header.first, length: header.second },
        Kind::SyncFile => Operation::SyncFile { inode },
        Kind::SyncDirectory => Operation::SyncDirectory { path },
        Kind::Unsupported => bail!("the process did what the recorder cannot follow: {}", path.display()),
    })
}

impl Image {
    /// Reads a real directory.
    pub fn of_directory(root: &Path) -> anyhow::Result<Self> {
        let mut image = Self::default();
        let mut open = vec![PathBuf::new()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(root.join(&directory))? {
                let entry = entry?;
                let path = directory.join(entry.file_name());
                if entry.file_type()?.is_dir() {
                    image.directories.insert(path.clone());
                    open.push(path);
                } else {
                    image.files.insert(path, std::fs::read(entry.path())?);
                }
            }
        }
        Ok(image)
    }

    /// Writes the tree into an empty directory.
    pub fn write_to(&self, root: &Path) -> anyhow::Result<()> {
        for directory in &self.directories {
            std::fs::create_dir_all(root.join(directory))?;
        }
        for (path, content) in &self.files {
            std::fs::write(root.join(path), content)?;
        }
        Ok(())
    }

    /// Says where two trees differ first; `None` when they are equal.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.directories != other.directories {
            return Some(format!("directories {:?} and {:?}", self.directories, other.directories));
        }
        let names: BTreeSet<_> = self.files.keys().chain(other.files.keys()).collect();
        names.into_iter().find_map(|name| match (self.files.get(name), other.files.get(name)) {
            (Some(ours), Some(theirs)) if ours == theirs => None,
            (Some(ours), Some(theirs)) => {
                let at = ours.iter().zip(theirs).position(|(a, b)| a != b);
                Some(format!(
                    "{}: {} and {} bytes, first difference at {at:?}",
                    name.display(),
                    ours.len(),
                    theirs.len()
                ))
            }
            (Some(_), None) => Some(format!("{} is only in the first", name.display())),
            (None, _) => Some(format!("{} is only in the second", name.display())),
        })
    }
}

/// A change of names, in journal order.
#[derive(Debug)]
enum NameChange {
    Create { file: usize, path: PathBuf },
    Mkdir { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
}

impl NameChange {
    fn touches(&self, directory: &Path) -> bool {
        let inside = |path: &Path| path.parent() == Some(directory);
        match self {
            Self::Create { path, .. } | Self::Mkdir { path } | Self::Remove { path } => inside(path),
            Self::Rename { from, to } => inside(from) || inside(to),
        }
    }
}

/// A change of a file's content that is only in the cache.
#[derive(Debug, Clone)]
enum Pending {
    Write { offset: usize, data: Bytes },
    Zero { offset: usize, length: usize },
    SetLength { length: usize },
}

/// What the cache and the disk hold of everything, up to now.
#[derive(Debug, Default)]
struct Disk {
    /// Every file that ever was; an inode number used again is another file.
    files: Vec<File>,
    by_inode: BTreeMap<u64, usize>,
    names: Vec<NameChange>,
    /// Name changes that a sync has made certain.
    pinned_names: usize,
}

/// One file: what is certain, and what is on its way.
#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Pending>,
    /// How many name changes must be kept for this file to have its first name.
    created_at: usize,
}

impl Disk {
    fn note(&mut self, operation: &Operation, model: Model) -> anyhow::Result<()> {
        match operation {
            Operation::Create { inode, path } => {
                let file = self.files.len();
                self.names.push(NameChange::Create { file, path: path.clone() });
                self.files.push(File { created_at: self.names.len(), ..File::default() });
                self.by_inode.insert(*inode, file);
            }
            Operation::Mkdir { path } => self.names.push(NameChange::Mkdir { path: path.clone() }),
            Operation::Rename { from, to } => {
                self.names.push(NameChange::Rename { from: from.clone(), to: to.clone() })
            }
            Operation::Remove { path } => self.names.push(NameChange::Remove { path: path.clone() }),
            Operation::Write { inode, offset, data } => {
                let offset = usize::try_from(*offset)?;
                self.file(*inode)?.pending.push(Pending::Write { offset, data: data.clone() });
            }
            Operation::SetLength { inode, length } => {
                let length = usize::try_from(*length)?;
                self.file(*inode)?.pending.push(Pending::SetLength { length });
            }
            Operation::Zero { inode, offset, length } => {
                let (offset, length) = (usize::try_from(*offset)?, usize::try_from(*length)?);
                self.file(*inode)?.pending.push(Pending::Zero { offset, length });
            }
            Operation::SyncFile { inode } => {
                let file = self.file(*inode)?;
                file.sync();
                let created_at = file.created_at;
                if model == Model::Ext4 {
                    self.pinned_names = self.pinned_names.max(created_at);
                }
            }
            Operation::SyncDirectory { path } => {
                let last = self.names.iter().rposition(|change| change.touches(path));
                self.pinned_names = self.pinned_names.max(last.map_or(0, |index| index + 1));
            }
        }
        Ok(())
    }

    fn file(&mut self, inode: u64) -> anyhow::Result<&mut File> {
        let file = self.by_inode.get(&inode).and_then(|index| self.files.get_mut(*index));
        ensure!(file.is_some(), "inode {inode} was there before the recording began");
        file.context("unreachable after the check")
    }

    /// Rolls the dice for everything that is not certain.
    fn image(&self, dice: &mut Seeded) -> Image {
        let kept = self.pinned_names + dice.below(self.names.len() - self.pinned_names + 1);
        let mut files: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut directories = BTreeSet::new();
        for change in &self.names[..kept] {
            match change {
                NameChange::Create { file, path } => {
                    files.insert(path.clone(), *file);
                }
                NameChange::Mkdir { path } => {
                    directories.insert(path.clone());
                }
                NameChange::Rename { from, to } => {
                    files = moved(files, from, to);
                    directories =
                        moved(directories.into_iter().map(|path| (path, ())).collect(), from, to).into_keys().collect();
                }
                NameChange::Remove { path } => {
                    files.remove(path);
                    directories.remove(path);
                }
            }
        }
        let files = files.into_iter().map(|(path, file)| (path, self.files[file].after_cut(dice))).collect();
        Image { directories, files }
    }
}

/// Moves a name and everything below it, replacing what was at the target.
fn moved<V>(entries: BTreeMap<PathBuf, V>, from: &Path, to: &Path) -> BTreeMap<PathBuf, V> {
    let exists = entries.keys().any(|path| path.starts_with(from));
    let (moving, staying): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(path, _)| path.starts_with(from));
    let staying = staying.into_iter().filter(|(path, _)| !exists || !path.starts_with(to));
    let moving = moving.into_iter().map(|(path, value)| {
        let rest = path.strip_prefix(from).unwrap_or(Path::new(""));
        // Joining an empty rest would leave a trailing slash on the name.
        (if rest.as_os_str().is_empty() { to.to_path_buf() } else { to.join(rest) }, value)
    });
    staying.chain(moving).collect::<Vec<_>>().into_iter().collect()
}

/// The content of one page at one moment.
type Page = [u8; PAGE_BYTES];

/// What became of one page.
struct PageFate {
    content: Page,
    /// How many of the page's changes arrived, wholly or torn.
    kept: usize,
}

impl File {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Pending::Write { offset, data } => {
                    let end = offset + data.len();
                    if self.durable.len() < end {
                        self.durable.resize(end, 0);
                    }
                    self.durable[offset..end].copy_from_slice(&data);
                }
                Pending::Zero { offset, length } => {
                    let end = (offset + length).min(self.durable.len());
                    if offset < end {
                        self.durable[offset..end].fill(0);
                    }
                }
                Pending::SetLength { length } => self.durable.resize(length, 0),
            }
        }
    }

    fn after_cut(&self, dice: &mut Seeded) -> Vec<u8> {
        let lengths = self.pending.iter().filter(|change| matches!(change, Pending::SetLength { .. })).count();
        let lengths_kept = if lengths == 0 { 0 } else { dice.below(lengths + 1) };
        let fates: BTreeMap<usize, PageFate> = self
            .changes_by_page()
            .into_iter()
            .map(|(page, changes)| (page, self.page_fate(page, &changes, lengths_kept, dice)))
            .collect();
        let length = self.length_after_cut(&fates, lengths_kept);
        let mut content = self.durable.clone();
        self.cut_lengths(&mut content, lengths_kept);
        content.resize(length, 0);
        for (page, fate) in &fates {
            let start = page * PAGE_BYTES;
            let end = (start + PAGE_BYTES).min(length);
            if start < end {
                content[start..end].copy_from_slice(&fate.content[..end - start]);
            }
        }
        content
    }

    /// Which pending changes touch which page, in order.
    fn changes_by_page(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut out: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, change) in self.pending.iter().enumerate() {
            for page in change.pages() {
                out.entry(page).or_default().push(index);
            }
        }
        out
    }

    fn page_fate(&self, page: usize, changes: &[usize], lengths_kept: usize, dice: &mut Seeded) -> PageFate {
        let start = page * PAGE_BYTES;
        let mut first = [0_u8; PAGE_BYTES];
        let end = (start + PAGE_BYTES).min(self.durable.len());
        if start < end {
            first[..end - start].copy_from_slice(&self.durable[start..end]);
        }
        let mut versions = vec![first];
        let (mut most, mut lengths_seen) = (usize::MAX, 0);
        for (index, change) in self.pending.iter().enumerate() {
            if let Pending::SetLength { length } = change {
                lengths_seen += 1;
                if lengths_seen <= lengths_kept {
                    versions
                        .iter_mut()
                        .for_each(|version| version[length.saturating_sub(start).min(PAGE_BYTES)..].fill(0));
                } else if *length <= start {
                    most = most.min(versions.len() - 1);
                }
            } else if changes.binary_search(&index).is_ok() {
                let mut next = *versions.last().unwrap_or(&first);
                change.apply_to(page, &mut next);
                versions.push(next);
            }
        }
        let kept = dice.below((versions.len() - 1).min(most) + 1);
        let mut content = versions[kept];
        if kept > 0 && dice.below(3) == 0 {
            let before = versions[dice.below(kept)];
            let arrived = dice.below(PAGE_BYTES / SECTOR_BYTES) * SECTOR_BYTES;
            content[arrived..].copy_from_slice(&before[arrived..]);
        }
        PageFate { content, kept }
    }

    /// The end of the file: the last length that survived, or the last page that arrived behind it.
    fn length_after_cut(&self, fates: &BTreeMap<usize, PageFate>, lengths_kept: usize) -> usize {
        let mut length = self.durable.len();
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        let mut lengths_seen = 0;
        for change in &self.pending {
            if let Pending::SetLength { length: new } = change {
                lengths_seen += 1;
                if lengths_seen <= lengths_kept {
                    length = *new;
                }
            }
            for page in change.pages() {
                let position = seen.entry(page).or_default();
                *position += 1;
                let arrived = fates.get(&page).is_some_and(|fate| fate.kept >= *position);
                if let (true, Pending::Write { offset, data }) = (arrived, change) {
                    length = length.max((offset + data.len()).min((page + 1) * PAGE_BYTES));
                }
            }
        }
        length
    }

    /// Removes from the durable bytes what a surviving truncation cut off, even where the file grew again.
    fn cut_lengths(&self, content: &mut Vec<u8>, lengths_kept: usize) {
        let kept = self.pending.iter().filter_map(|change| match change {
            Pending::SetLength { length } => Some(*length),
            Pending::Write { .. } | Pending::Zero { .. } => None,
        });
        for length in kept.take(lengths_kept) {
            content.resize(length, 0);
        }
    }
}

impl Pending {
    /// The pages that this change touches; a new length is no page's business.
    fn pages(&self) -> std::ops::Range<usize> {
        match self {
            Self::Write { offset, data } => pages(*offset, data.len()),
            Self::Zero { offset, length } => pages(*offset, *length),
            Self::SetLength { .. } => 0..0,
        }
    }

    fn apply_to(&self, page: usize, content: &mut Page) {
        let start = page * PAGE_BYTES;
        match self {
            Self::Write { offset, data } => {
                let from = (*offset).max(start);
                let to = (offset + data.len()).min(start + PAGE_BYTES);
                content[from - start..to - start].copy_from_slice(&data[from - offset..to - offset]);
            }
            Self::Zero { offset, length } => {
                let from = (*offset).max(start);
                let to = (offset + length).min(start + PAGE_BYTES);
                content[from - start..to - start].fill(0);
            }
            Self::SetLength { .. } => {}
        }
    }
}

fn pages(offset: usize, length: usize) -> std::ops::Range<usize> {
    if length == 0 { 0..0 } else { offset / PAGE_BYTES..(offset + length - 1) / PAGE_BYTES + 1 }
}

#[cfg(test)]
#[path = "power_cut_tests.rs"]
mod tests;
