//! The C entry points that stand before libc's.
//!
//! Variadic functions are declared with their widest form: on the 64-bit Linux ABIs the extra argument travels in the same register.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use crate::record::Kind;
use crate::recorder::{self, Tracked};

const SUCCESS: c_int = 0;

fn narrow(value: c_long) -> c_int {
    c_int::try_from(value).unwrap_or(-1)
}

fn offset(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

unsafe fn open_any(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    if recorder::config().is_none() {
        // SAFETY: the caller's own arguments, passed on.
        return narrow(unsafe { libc::syscall(libc::SYS_openat, directory, path, flags, mode) });
    }
    let guard = recorder::lock();
    // SAFETY: `path` is the caller's terminated string.
    let fresh = flags & libc::O_CREAT != 0 && !unsafe { recorder::exists(directory, path) };
    // SAFETY: the caller's own arguments, passed on.
    let fd = narrow(unsafe { libc::syscall(libc::SYS_openat, directory, path, flags, mode) });
    if fd < 0 {
        return fd;
    }
    if flags & libc::O_TMPFILE == libc::O_TMPFILE {
        recorder::unsupported("O_TMPFILE");
    }
    if let Some((inode, path)) = recorder::follow(fd) {
        if fresh {
            recorder::log_names(Kind::Create, inode, &path, None);
        } else if flags & libc::O_TRUNC != 0 {
            recorder::log_file(Kind::SetLength, inode, 0, 0, &[]);
        }
    }
    drop(guard);
    fd
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as libc's open.
    unsafe { open_any(libc::AT_FDCWD, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as libc's open64.
    unsafe { open_any(libc::AT_FDCWD, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as libc's openat.
    unsafe { open_any(directory, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as libc's openat64.
    unsafe { open_any(directory, path, flags, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn creat(path: *const c_char, mode: c_uint) -> c_int {
    // SAFETY: as libc's creat.
    unsafe { open_any(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn creat64(path: *const c_char, mode: c_uint) -> c_int {
    // SAFETY: as libc's creat64.
    unsafe { creat(path, mode) }
}

/// Runs a write and logs what it wrote; `at` is `None` where the descriptor's own position counts.
unsafe fn write_any(fd: c_int, at: Option<i64>, parts: &[libc::iovec], run: impl FnOnce() -> c_long) -> isize {
    let Some(Tracked::File(inode)) = recorder::tracked(fd) else {
        return run() as isize;
    };
    let guard = recorder::lock();
    let written = run();
    let Ok(mut left) = usize::try_from(written) else {
        return written as isize;
    };
    let start = match at {
        Some(at) => offset(at),
        // After a write, appending or not, the position is just behind what was written.
        // SAFETY: lseek on an open descriptor.
        None => offset(unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) }.saturating_sub(written)),
    };
    let mut position = start;
    for part in parts {
        let length = part.iov_len.min(left);
        if length > 0 {
            // SAFETY: the kernel has just read these bytes from the caller's buffer.
            let data = unsafe { std::slice::from_raw_parts(part.iov_base.cast::<u8>(), length) };
            recorder::log_file(Kind::Write, inode, position, 0, data);
            position += length as u64;
            left -= length;
        }
    }
    drop(guard);
    written as isize
}

fn single(buffer: *const c_void, count: usize) -> [libc::iovec; 1] {
    [libc::iovec { iov_base: buffer.cast_mut(), iov_len: count }]
}

#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: usize) -> isize {
    // SAFETY: the caller's own arguments, passed on.
    unsafe { write_any(fd, None, &single(buffer, count), || libc::syscall(libc::SYS_write, fd, buffer, count)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, count: usize, at: i64) -> isize {
    // SAFETY: the caller's own arguments, passed on.
    unsafe {
        write_any(fd, Some(at), &single(buffer, count), || libc::syscall(libc::SYS_pwrite64, fd, buffer, count, at))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(fd: c_int, buffer: *const c_void, count: usize, at: i64) -> isize {
    // SAFETY: as libc's pwrite.
    unsafe { pwrite64(fd, buffer, count, at) }
}

unsafe fn vector<'a>(parts: *const libc::iovec, count: c_int) -> &'a [libc::iovec] {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller of writev promises an array of that length; an empty one may be null.
    if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(parts, count) } }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: c_int, parts: *const libc::iovec, count: c_int) -> isize {
    // SAFETY: the caller's own arguments, passed on.
    unsafe { write_any(fd, None, vector(parts, count), || libc::syscall(libc::SYS_writev, fd, parts, count)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev64(fd: c_int, parts: *const libc::iovec, count: c_int, at: i64) -> isize {
    // SAFETY: the caller's own arguments, passed on; the high word of the offset is unused on 64-bit machines.
    unsafe {
        write_any(fd, Some(at), vector(parts, count), || libc::syscall(libc::SYS_pwritev, fd, parts, count, at, 0))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwritev(fd: c_int, parts: *const libc::iovec, count: c_int, at: i64) -> isize {
    // SAFETY: as libc's pwritev.
    unsafe { pwritev64(fd, parts, count, at) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(fd: c_int, length: i64) -> c_int {
    let guard = recorder::lock();
    // SAFETY: the caller's own arguments, passed on.
    let result = narrow(unsafe { libc::syscall(libc::SYS_ftruncate, fd, length) });
    if let (SUCCESS, Some(Tracked::File(inode))) = (result, recorder::tracked(fd)) {
        recorder::log_file(Kind::SetLength, inode, offset(length), 0, &[]);
    }
    drop(guard);
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(fd: c_int, length: i64) -> c_int {
    // SAFETY: as libc's ftruncate.
    unsafe { ftruncate64(fd, length) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn truncate64(path: *const c_char, length: i64) -> c_int {
    // SAFETY: `path` is the caller's terminated string.
    if unsafe { recorder::watched_path(libc::AT_FDCWD, path) }.is_some() {
        recorder::unsupported("truncate by path");
    }
    // SAFETY: the caller's own arguments, passed on.
    narrow(unsafe { libc::syscall(libc::SYS_truncate, path, length) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn truncate(path: *const c_char, length: i64) -> c_int {
    // SAFETY: as libc's truncate.
    unsafe { truncate64(path, length) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fallocate64(fd: c_int, mode: c_int, at: i64, length: i64) -> c_int {
    let guard = recorder::lock();
    // SAFETY: the caller's own arguments, passed on.
    let result = narrow(unsafe { libc::syscall(libc::SYS_fallocate, fd, mode, at, length) });
    if let (SUCCESS, Some(Tracked::File(inode))) = (result, recorder::tracked(fd)) {
        let clears = mode & (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_ZERO_RANGE) != 0;
        if clears {
            recorder::log_file(Kind::Zero, inode, offset(at), offset(length), &[]);
        } else if mode & libc::FALLOC_FL_KEEP_SIZE == 0 {
            log_growth(fd, inode);
        }
        if mode & (libc::FALLOC_FL_COLLAPSE_RANGE | libc::FALLOC_FL_INSERT_RANGE) != 0 {
            recorder::unsupported("fallocate that moves data");
        }
    }
    drop(guard);
    result
}

fn log_growth(fd: c_int, inode: u64) {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `stat` is writable, and read only when fstat succeeded.
    let size = unsafe { (libc::fstat(fd, stat.as_mut_ptr()) == 0).then(|| stat.assume_init().st_size) };
    if let Some(size) = size {
        recorder::log_file(Kind::SetLength, inode, offset(size), 0, &[]);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fallocate(fd: c_int, mode: c_int, at: i64, length: i64) -> c_int {
    // SAFETY: as libc's fallocate.
    unsafe { fallocate64(fd, mode, at, length) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_fallocate64(fd: c_int, at: i64, length: i64) -> c_int {
    // SAFETY: as libc's posix_fallocate, which returns the error instead of setting it.
    if unsafe { fallocate64(fd, 0, at, length) } == SUCCESS {
        SUCCESS
    } else {
        std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_fallocate(fd: c_int, at: i64, length: i64) -> c_int {
    // SAFETY: as libc's posix_fallocate.
    unsafe { posix_fallocate64(fd, at, length) }
}

unsafe fn rename_any(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) -> c_int {
    let guard = recorder::lock();
    // SAFETY: the caller's terminated strings.
    let (source, target) = unsafe { (recorder::watched_path(from_dir, from), recorder::watched_path(to_dir, to)) };
    // SAFETY: the caller's own arguments, passed on.
    let result = narrow(unsafe { libc::syscall(libc::SYS_renameat2, from_dir, from, to_dir, to, flags) });
    if result == SUCCESS {
        match (source, target) {
            (Some(source), Some(target)) if flags & libc::RENAME_EXCHANGE == 0 => {
                recorder::log_names(Kind::Rename, 0, &source, Some(&target));
            }
            (None, None) => {}
            (Some(_), Some(_)) => recorder::unsupported("rename that exchanges"),
            (Some(_), None) | (None, Some(_)) => recorder::unsupported("rename across the border"),
        }
    }
    drop(guard);
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: as libc's rename.
    unsafe { rename_any(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char) -> c_int {
    // SAFETY: as libc's renameat.
    unsafe { rename_any(from_dir, from, to_dir, to, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn renameat2(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    // SAFETY: as libc's renameat2.
    unsafe { rename_any(from_dir, from, to_dir, to, flags) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int {
    let guard = recorder::lock();
    // SAFETY: the caller's terminated string.
    let name = unsafe { recorder::watched_path(directory, path) };
    // SAFETY: the caller's own arguments, passed on.
    let result = narrow(unsafe { libc::syscall(libc::SYS_unlinkat, directory, path, flags) });
    if let (SUCCESS, Some(name)) = (result, name) {
        let kind = if flags & libc::AT_REMOVEDIR == 0 { Kind::Unlink } else { Kind::Rmdir };
        recorder::log_names(kind, 0, &name, None);
    }
    drop(guard);
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: as libc's unlink.
    unsafe { unlinkat(libc::AT_FDCWD, path, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: as libc's rmdir.
    unsafe { unlinkat(libc::AT_FDCWD, path, libc::AT_REMOVEDIR) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdirat(directory: c_int, path: *const c_char, mode: c_uint) -> c_int {
    let guard = recorder::lock();
    // SAFETY: the caller's terminated string.
    let name = unsafe { recorder::watched_path(directory, path) };
    // SAFETY: the caller's own arguments, passed on.
    let result = narrow(unsafe { libc::syscall(libc::SYS_mkdirat, directory, path, mode) });
    if let (SUCCESS, Some(name)) = (result, name) {
        recorder::log_names(Kind::Mkdir, 0, &name, None);
    }
    drop(guard);
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mkdir(path: *const c_char, mode: c_uint) -> c_int {
    // SAFETY: as libc's mkdir.
    unsafe { mkdirat(libc::AT_FDCWD, path, mode) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn linkat(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's terminated strings.
    if unsafe { recorder::watched_path(to_dir, to) }.is_some() {
        recorder::unsupported("hard link");
    }
    // SAFETY: the caller's own arguments, passed on.
    narrow(unsafe { libc::syscall(libc::SYS_linkat, from_dir, from, to_dir, to, flags) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: as libc's link.
    unsafe { linkat(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) }
}

unsafe fn sync_any(fd: c_int, run: impl FnOnce() -> c_long) -> c_int {
    let Some(what) = recorder::tracked(fd) else {
        return narrow(run());
    };
    let ignore = recorder::config().is_some_and(|config| config.ignore_file_syncs);
    if ignore && matches!(what, Tracked::File(_)) {
        return SUCCESS;
    }
    let guard = recorder::lock();
    let result = narrow(run());
    if result == SUCCESS {
        match what {
            Tracked::File(inode) => recorder::log_file(Kind::SyncFile, inode, 0, 0, &[]),
            Tracked::Directory => {
                if let Some(path) = recorder::descriptor_path(fd) {
                    recorder::log_names(Kind::SyncDirectory, 0, &path, None);
                }
            }
        }
    }
    drop(guard);
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    // SAFETY: the caller's own arguments, passed on.
    unsafe { sync_any(fd, || libc::syscall(libc::SYS_fsync, fd)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: the caller's own arguments, passed on.
    unsafe { sync_any(fd, || libc::syscall(libc::SYS_fdatasync, fd)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn close(fd: c_int) -> c_int {
    recorder::forget(fd);
    // SAFETY: the caller's own arguments, passed on.
    narrow(unsafe { libc::syscall(libc::SYS_close, fd) })
}

unsafe fn duplicated(from: c_int, run: impl FnOnce() -> c_long) -> c_int {
    let fd = narrow(run());
    if fd >= 0 && recorder::config().is_some() {
        recorder::copy(from, fd);
    }
    fd
}

#[unsafe(no_mangle)]
unsafe extern "C" fn dup(fd: c_int) -> c_int {
    // SAFETY: the caller's own arguments, passed on.
    unsafe { duplicated(fd, || libc::syscall(libc::SYS_dup, fd)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn dup3(from: c_int, to: c_int, flags: c_int) -> c_int {
    // SAFETY: the caller's own arguments, passed on.
    unsafe { duplicated(from, || libc::syscall(libc::SYS_dup3, from, to, flags)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn dup2(from: c_int, to: c_int) -> c_int {
    if from == to {
        return to;
    }
    // SAFETY: as libc's dup2, which differs from dup3 only when both are equal.
    unsafe { dup3(from, to, 0) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int {
    let run = || {
        // SAFETY: the caller's own arguments, passed on.
        unsafe { libc::syscall(libc::SYS_fcntl, fd, command, argument) }
    };
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        // SAFETY: `run` makes the duplicate.
        return unsafe { duplicated(fd, run) };
    }
    narrow(run())
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, argument: c_long) -> c_int {
    // SAFETY: as libc's fcntl64.
    unsafe { fcntl(fd, command, argument) }
}
