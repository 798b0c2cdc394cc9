//! Power cuts: a program's writes are recorded, and the disk is rebuilt as it may be found after the power went.
//!
//! An order that was answered is on every such disk; without the node's `fdatasync` it is not, which is how this test was seen to fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use pilotlight_tests::build;
use pilotlight_tests::power_cut::{Image, Promise, Recording};

/// A directory to record, with a name that the kernel would give it too.
fn canonical_directory() -> anyhow::Result<(tempfile::TempDir, PathBuf)> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().canonicalize()?;
    Ok((directory, path))
}

fn record_toy(data: &Path, log: &Path, ignore_syncs: bool) -> anyhow::Result<Recording> {
    std::fs::create_dir_all(data)?;
    let status = Command::new(env!("CARGO_BIN_EXE_toy_writer"))
        .arg(data)
        .env("LD_PRELOAD", build::fault_shim()?)
        .env("PILOTLIGHT_FAULT_DIR", data)
        .env("PILOTLIGHT_FAULT_LOG", log)
        .env("PILOTLIGHT_FAULT_IGNORE_FDATASYNC", if ignore_syncs { "1" } else { "0" })
        .status()?;
    ensure!(status.success(), "the toy writer ended with {status}");
    Recording::read(log)
}

#[test]
fn the_recorder_misses_nothing_that_a_program_does_to_its_files() -> anyhow::Result<()> {
    let (_keep, root) = canonical_directory()?;
    let data = root.join("data");
    let recording = record_toy(&data, &root.join("log"), false)?;
    let (replayed, real) = (recording.whole()?, Image::of_directory(&data)?);
    assert_eq!(replayed.difference(&real), None, "a full replay is the real directory");
    assert_eq!(real.files.len(), 2, "synced and loose");
    for seed in 0..100 {
        let image = recording.after_cut(recording.len(), Promise::Posix, seed)?;
        let synced = image.files.get(Path::new("aside/synced")).or_else(|| image.files.get(Path::new("store/synced")));
        let content = synced.map(|content| &content[..5050.min(content.len())]);
        let expected: Vec<u8> = [vec![1; 4950], vec![2; 50]].concat();
        assert_eq!(content.map(|content| content.get(..5000)), Some(Some(&expected[..])), "seed {seed}");
    }
    Ok(())
}

#[test]
fn a_program_whose_syncs_are_ignored_loses_what_it_thought_was_safe() -> anyhow::Result<()> {
    let (_keep, root) = canonical_directory()?;
    let recording = record_toy(&root.join("data"), &root.join("log"), true)?;
    let lost = (0..100)
        .map(|seed| recording.after_cut(recording.len(), Promise::Posix, seed))
        .filter(|image| {
            let whole = |image: &Image| image.files.iter().any(|(path, content)| path.ends_with("synced") && content.len() >= 5050 && content[..4950].iter().all(|byte| *byte == 1));
            image.as_ref().is_ok_and(|image| !whole(image))
        })
        .count();
    assert!(lost > 20, "only {lost} of 100 cuts lost the file that was not really synced");
    Ok(())
}
