//! A tiny program with a known habit of writing, for the test of the recorder: one file it syncs, one it does not.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let root = PathBuf::from(std::env::args().nth(1).context("the directory to write into")?);
    let store = root.join("store");
    std::fs::create_dir(&store)?;
    let synced = File::create(store.join("synced"))?;
    synced.write_all_at(&[1; 5000], 0)?;
    synced.write_all_at(&[2; 100], 4950)?;
    synced.sync_data()?;
    File::open(&store)?.sync_all()?;
    File::open(&root)?.sync_all()?;

    std::fs::write(root.join("loose.tmp"), [3; 6000])?;
    std::fs::rename(root.join("loose.tmp"), root.join("loose"))?;
    let mut loose = OpenOptions::new().append(true).open(root.join("loose"))?;
    let mut twin = loose.try_clone()?;
    let written = loose.write_vectored(&[IoSlice::new(&[4; 10]), IoSlice::new(&[5; 20])])?;
    anyhow::ensure!(written == 30, "a short vectored write");
    twin.write_all(&[6; 7])?;
    loose.set_len(6020)?;

    std::fs::write(store.join("gone"), b"x")?;
    std::fs::remove_file(store.join("gone"))?;
    std::fs::rename(&store, root.join("aside"))?;
    synced.write_all_at(&[9; 50], 5000)?;
    Ok(())
}
