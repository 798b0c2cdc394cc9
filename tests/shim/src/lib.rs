//! `LD_PRELOAD` recorder: logs every write, name change and sync below one directory, in order, for the power-cut replayer.
//!
//! - Knobs: `PILOTLIGHT_FAULT_DIR` (absolute, canonical), `PILOTLIGHT_FAULT_LOG`, and `PILOTLIGHT_FAULT_IGNORE_FDATASYNC=1`, under which
//!   file syncs are neither done nor logged, so that the test can be seen to fail.
//! - One lock covers an operation and its record, so the log's order is the disk's order; a sync is logged after it has returned.
//! - `sync_file_range` is no sync: it is passed on and not logged.
//! - Operations are done by raw system calls, so the recorder never calls itself, and it allocates only on name changes.
//! - The replayer compares a full replay with the real directory: whatever escapes the recorder (mmap, sendfile) fails there.
#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "interposing libc needs C entry points and raw system calls")]

pub mod record;

mod entry;
mod recorder;
