//! The recorder's state: which descriptors lie below the watched directory, and the log.

use std::ffi::{CStr, OsStr, c_char, c_int};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::record::{Header, Kind};

/// Descriptors that can be followed; a process with more is told by an `Unsupported` record.
const DESCRIPTORS_MAX: usize = 1 << 16;
/// Marks a directory in the descriptor table.
const DIRECTORY_BIT: u64 = 1 << 63;

static INODES: [AtomicU64; DESCRIPTORS_MAX] = [const { AtomicU64::new(0) }; DESCRIPTORS_MAX];
static ORDER: Mutex<()> = Mutex::new(());
static CONFIG: OnceLock<Option<Config>> = OnceLock::new();

/// The knobs, read once.
#[derive(Debug)]
pub(crate) struct Config {
    directory: PathBuf,
    log: c_int,
    /// File syncs are swallowed: the negative run.
    pub(crate) ignore_file_syncs: bool,
}

/// A descriptor below the watched directory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tracked {
    /// A file, by inode.
    File(u64),
    /// A directory.
    Directory,
}

/// The knobs, or `None` when this process is not watched.
pub(crate) fn config() -> Option<&'static Config> {
    CONFIG
        .get_or_init(|| {
            let directory = std::env::var_os("PILOTLIGHT_FAULT_DIR")?;
            let log = std::env::var_os("PILOTLIGHT_FAULT_LOG")?;
            let mut path = log.as_bytes().to_vec();
            path.push(0);
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
            // SAFETY: `path` is a terminated string that outlives the call.
            let log = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) };
            if log < 0 {
                std::process::abort();
            }
            Some(Config {
                directory: PathBuf::from(directory),
                log: c_int::try_from(log).unwrap_or(-1),
                ignore_file_syncs: std::env::var_os("PILOTLIGHT_FAULT_IGNORE_FDATASYNC").is_some_and(|v| v == "1"),
            })
        })
        .as_ref()
}

/// Holds the order of operations still while one is done and logged.
pub(crate) fn lock() -> MutexGuard<'static, ()> {
    ORDER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the descriptor is, if it lies below the watched directory.
pub(crate) fn tracked(fd: c_int) -> Option<Tracked> {
    let entry = INODES.get(usize::try_from(fd).ok()?)?.load(Ordering::Acquire);
    match entry {
        0 => None,
        value if value & DIRECTORY_BIT != 0 => Some(Tracked::Directory),
        inode => Some(Tracked::File(inode)),
    }
}

/// Forgets a descriptor; called before it is closed, because its number may be reused at once.
pub(crate) fn forget(fd: c_int) {
    if let Some(cell) = usize::try_from(fd).ok().and_then(|fd| INODES.get(fd)) {
        cell.store(0, Ordering::Release);
    }
}

/// Copies what is known of one descriptor to its duplicate.
pub(crate) fn copy(from: c_int, to: c_int) {
    let entry = usize::try_from(from).ok().and_then(|fd| INODES.get(fd)).map_or(0, |cell| cell.load(Ordering::Acquire));
    match usize::try_from(to).ok().and_then(|fd| INODES.get(fd)) {
        Some(cell) => cell.store(entry, Ordering::Release),
        None if entry == 0 => {}
        None => unsupported("descriptor above the table"),
    }
}

/// Follows a descriptor just opened; returns its inode and path if it lies below the watched directory and is a file.
pub(crate) fn follow(fd: c_int) -> Option<(u64, PathBuf)> {
    let config = config()?;
    let path = descriptor_path(fd)?;
    if !path.starts_with(&config.directory) {
        forget(fd);
        return None;
    }
    let stat = stat(fd)?;
    let directory = stat.st_mode & libc::S_IFMT == libc::S_IFDIR;
    let Some(cell) = usize::try_from(fd).ok().and_then(|fd| INODES.get(fd)) else {
        unsupported("descriptor above the table");
        return None;
    };
    cell.store(stat.st_ino | if directory { DIRECTORY_BIT } else { 0 }, Ordering::Release);
    (!directory).then_some((stat.st_ino, path))
}

fn stat(fd: c_int) -> Option<libc::stat> {
    let mut out = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `out` is writable and of the type that fstat fills; it is read only when fstat succeeded.
    unsafe { (libc::fstat(fd, out.as_mut_ptr()) == 0).then(|| out.assume_init()) }
}

/// The path behind a descriptor, by the kernel's own account.
pub(crate) fn descriptor_path(fd: c_int) -> Option<PathBuf> {
    read_link(&format!("/proc/self/fd/{fd}\0"))
}

fn read_link(terminated: &str) -> Option<PathBuf> {
    let mut buffer = [0_u8; 4096];
    // SAFETY: the path is terminated and the buffer is as long as said.
    let length = unsafe {
        libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, terminated.as_ptr(), buffer.as_mut_ptr(), buffer.len())
    };
    let length = usize::try_from(length).ok()?;
    Some(PathBuf::from(OsStr::from_bytes(&buffer[..length])))
}

/// The absolute path of a name given to a system call, if it lies below the watched directory.
///
/// # Safety
/// `name` is a terminated string.
pub(crate) unsafe fn watched_path(directory_fd: c_int, name: *const c_char) -> Option<PathBuf> {
    let config = config()?;
    // SAFETY: promised by the caller.
    let name = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()));
    let path = if name.is_absolute() {
        name.to_path_buf()
    } else if directory_fd == libc::AT_FDCWD {
        read_link("/proc/self/cwd\0")?.join(name)
    } else {
        descriptor_path(directory_fd)?.join(name)
    };
    let path: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    path.starts_with(&config.directory).then_some(path)
}

/// Whether the name exists.
///
/// # Safety
/// `name` is a terminated string.
pub(crate) unsafe fn exists(directory_fd: c_int, name: *const c_char) -> bool {
    // SAFETY: promised by the caller.
    unsafe { libc::syscall(libc::SYS_faccessat, directory_fd, name, libc::F_OK) == 0 }
}

/// Appends one record about a file.
pub(crate) fn log_file(kind: Kind, inode: u64, first: u64, second: u64, data: &[u8]) {
    append(kind, inode, (first, second), &[], data);
}

/// Appends one record about names.
pub(crate) fn log_names(kind: Kind, inode: u64, path: &Path, other: Option<&Path>) {
    append(kind, inode, (0, 0), relative(path), other.map_or(&[], relative));
}

/// Says in the log that the run is not a fair recording.
pub(crate) fn unsupported(what: &str) {
    append(Kind::Unsupported, 0, (0, 0), what.as_bytes(), &[]);
}

fn relative(path: &Path) -> &[u8] {
    let root = config().map_or(Path::new("/"), |config| config.directory.as_path());
    path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes()
}

fn append(kind: Kind, inode: u64, numbers: (u64, u64), path: &[u8], data: &[u8]) {
    let Some(config) = config() else { return };
    let header = Header {
        kind,
        inode,
        first: numbers.0,
        second: numbers.1,
        path_bytes: u32::try_from(path.len()).unwrap_or(u32::MAX),
        data_bytes: u32::try_from(data.len()).unwrap_or(u32::MAX),
    }
    .encode();
    let parts = [&header[..], path, data]
        .map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    let expected = header.len() + path.len() + data.len();
    // SAFETY: the three slices outlive the call, and writev only reads them.
    let written = unsafe { libc::syscall(libc::SYS_writev, config.log, parts.as_ptr(), parts.len()) };
    // A recording with a hole in it would prove nothing.
    if usize::try_from(written) != Ok(expected) {
        std::process::abort();
    }
}
