//! Files that must be whole after a power cut: written beside, synced, renamed, and the directory synced.

use crate::store::StoreError;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces a file's content, all or nothing, durably; readable by the owner only.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let beside = path.with_file_name(format!(".{name}.new"));
    let what = || format!("writing {}", path.display());
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(StoreError::io(what()))?;
    file.write_all(content).map_err(StoreError::io(what()))?;
    file.sync_all().map_err(StoreError::io(what()))?;
    fs::rename(&beside, path).map_err(StoreError::io(what()))?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Makes what was created, renamed or removed in a directory durable.
pub fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(StoreError::io(format!("syncing {}", dir.display())))
}

/// A file's content; `None` when there is no such file.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(format!("reading {}", path.display()))(error)),
    }
}

/// Creates a directory and makes that durable.
pub fn create_dir(dir: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(dir).map_err(StoreError::io(format!("creating {}", dir.display())))?;
    sync_dir(dir)?;
    dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}
