//! Files that must be whole after a power cut: written beside, synced, renamed, and the directory synced.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The operating system said no.
#[derive(Debug, thiserror::Error)]
#[error("{what} failed")]
pub struct FileError {
    /// At what.
    pub what: String,
    /// What it said.
    #[source]
    pub source: std::io::Error,
}

impl FileError {
    /// Wraps what the operating system said with what was tried.
    pub fn at(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self { what, source }
    }
}

/// Replaces a file's content, all or nothing, durably; readable by the owner only.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let beside = path.with_file_name(format!(".{name}.new"));
    let what = || format!("writing {}", path.display());
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(FileError::at(what()))?;
    file.write_all(content).map_err(FileError::at(what()))?;
    file.sync_all().map_err(FileError::at(what()))?;
    fs::rename(&beside, path).map_err(FileError::at(what()))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    sync_dir(dir.unwrap_or(Path::new(".")))
}

/// Makes what was created, renamed or removed in a directory durable.
pub fn sync_dir(dir: &Path) -> Result<(), FileError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(FileError::at(format!("syncing {}", dir.display())))
}

/// A file's content; `None` when there is no such file.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::at(format!("reading {}", path.display()))(error)),
    }
}

/// Creates a directory and makes that durable.
pub fn create_dir(dir: &Path) -> Result<(), FileError> {
    fs::create_dir_all(dir).map_err(FileError::at(format!("creating {}", dir.display())))?;
    sync_dir(dir)?;
    dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}
