//! Power cuts: a program's writes are recorded, and the disk is rebuilt as it may be found after the power went.
//!
//! An order that was answered is on every such disk; without the node's `fdatasync` it is not, which is how this test was seen to fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use pilotlight_tests::client::{Api, Target};
use pilotlight_tests::node_process::{self, NodeOptions};
use pilotlight_tests::power_cut::{Image, Model, Recording};
use pilotlight_tests::scale::scaled;
use pilotlight_tests::seeded::Seeded;
use pilotlight_tests::shop::Shop;
use pilotlight_tests::writers::{Promised, Writers, broken_promises};
use pilotlight_tests::{build, clock};

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
        let image = recording.after_cut(recording.len(), Model::Posix, seed)?;
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
        .map(|seed| recording.after_cut(recording.len(), Model::Posix, seed))
        .filter(|image| {
            let whole = |image: &Image| {
                image.files.iter().any(|(path, content)| {
                    path.ends_with("synced") && content.len() >= 5050 && content[..4950].iter().all(|byte| *byte == 1)
                })
            };
            image.as_ref().is_ok_and(|image| !whole(image))
        })
        .count();
    assert!(lost > 20, "only {lost} of 100 cuts lost the file that was not really synced");
    Ok(())
}

/// Devices that place, bump and cancel at once.
const WRITERS: usize = 16;

/// A node's life under the recorder, ended by SIGKILL, and what it had promised by then.
struct Life {
    data: PathBuf,
    recording: Recording,
    promises: Vec<Promised>,
    writers: Writers,
}

/// A node over this directory, under the recorder.
fn recorded(data: &Path, log: &Path, ignore_syncs: bool) -> anyhow::Result<NodeOptions> {
    std::fs::create_dir_all(data)?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    Ok(NodeOptions::new(data)?
        .variable("LD_PRELOAD", &text(&build::fault_shim()?))
        .variable("PILOTLIGHT_FAULT_DIR", &text(data))
        .variable("PILOTLIGHT_FAULT_LOG", &text(log))
        .variable("PILOTLIGHT_FAULT_IGNORE_FDATASYNC", if ignore_syncs { "1" } else { "0" }))
}

async fn live_under_the_recorder(root: &Path, orders: usize, ignore_syncs: bool) -> anyhow::Result<Life> {
    let (data, log) = (root.join("data"), root.join("recorder.log"));
    let node = recorded(&data, &log, ignore_syncs)?.start()?;
    let shop = Shop::open(node.ready()).await?;
    let writers = Writers::pair(&shop, WRITERS, Some(&log)).await?;
    let mut working = writers.begin(shop.admin.target(), 1);
    clock::within("orders", clock::PATIENCE, working.until_answered(orders)).await??;
    node.kill_nine()?;
    let promises = working.promises().await?;
    Ok(Life { data, recording: Recording::read(&log)?, promises, writers })
}

impl Life {
    /// A cut at some point at which something had been promised.
    fn cut(&self, dice: &mut Seeded) -> usize {
        let first = self.promises.iter().map(|promise| promise.placed_at).min().unwrap_or(0);
        let from = self.recording.cut_behind(first);
        from + dice.below(self.recording.len() + 1 - from)
    }

    /// Puts the power back: what is wrong with the disk that this cut left.
    async fn after_cut(&self, root: &Path, cut: usize, model: Model, seed: u64) -> anyhow::Result<Vec<String>> {
        let image = self.recording.after_cut(cut, model, seed)?;
        let log_bytes = self.recording.log_bytes_at(cut);
        let home = tempfile::tempdir_in(root)?;
        let (offline, online) = (home.path().join("offline"), home.path().join("online"));
        for directory in [&offline, &online] {
            std::fs::create_dir(directory)?;
            image.write_to(directory)?;
        }
        let mut wrong = node_process::problems(&node_process::check(&offline)?);
        let node = NodeOptions::new(&online)?.start()?;
        let reader = self.writers.reader(&Target::of(node.ready())?);
        wrong.extend(broken_promises(&reader, &self.promises, log_bytes).await?);
        wrong.extend(node.errors()?);
        Ok(wrong)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x6_an_answered_order_survives_a_power_cut_at_any_point() -> anyhow::Result<()> {
    let (_keep, root) = canonical_directory()?;
    let life = live_under_the_recorder(&root, scaled(300, 1_500), false).await?;
    let (replayed, real) = (life.recording.whole()?, Image::of_directory(&life.data)?);
    assert_eq!(replayed.difference(&real), None, "the recorder saw all that the node wrote");
    for seed in 0..scaled(5, 50) as u64 {
        let mut dice = Seeded::new(seed);
        let cut = life.cut(&mut dice);
        let model = if seed % 2 == 0 { Model::Ext4 } else { Model::Posix };
        let wrong = life.after_cut(&root, cut, model, seed).await?;
        assert!(
            wrong.is_empty(),
            "seed {seed}, cut {cut} of {}, {model:?}:\n{}",
            life.recording.len(),
            wrong.join("\n")
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x6_without_the_fdatasync_answered_orders_are_lost() -> anyhow::Result<()> {
    let (_keep, root) = canonical_directory()?;
    let life = live_under_the_recorder(&root, 300, true).await?;
    assert_eq!(life.recording.file_syncs_before(life.recording.len()), 0, "no file sync reached the disk");
    let mut lost = 0;
    for seed in 0..5 {
        let cut = life.cut(&mut Seeded::new(seed));
        // A store that cannot even be opened has lost everything.
        let wrong =
            life.after_cut(&root, cut, Model::Ext4, seed).await.unwrap_or_else(|error| vec![format!("{error:#}")]);
        lost += usize::from(!wrong.is_empty());
    }
    assert!(lost > 0, "five cuts without any sync lost nothing: this test cannot see a missing fdatasync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x6_a_power_cut_during_the_first_start_leaves_a_node_that_starts() -> anyhow::Result<()> {
    let (_keep, root) = canonical_directory()?;
    let (data, log) = (root.join("data"), root.join("recorder.log"));
    let node = recorded(&data, &log, false)?.start()?;
    let admin = Shop::pair_first(node.ready()).await?;
    let paired_at = std::fs::metadata(&log)?.len();
    node.kill_nine()?;
    let recording = Recording::read(&log)?;
    for seed in 0..scaled(12, 120) as u64 {
        let cut = Seeded::new(seed).below(recording.len() + 1);
        let model = if seed % 2 == 0 { Model::Ext4 } else { Model::Posix };
        let what = || format!("seed {seed}, cut {cut} of {}, {model:?}", recording.len());
        let home = tempfile::tempdir_in(&root)?;
        let image = home.path().join("data");
        std::fs::create_dir(&image)?;
        recording.after_cut(cut, model, seed)?.write_to(&image)?;
        let node = NodeOptions::new(&image)?.start().with_context(what)?;
        let device = Api::new(Target::of(node.ready())?, Some(admin.token().to_owned()));
        let known = device.get("/api/v1/whoami").await?.status == 200;
        assert!(known || recording.log_bytes_at(cut) < paired_at, "{}: a device that was paired is unknown", what());
        assert!(known || node.ready().admin_code.is_some(), "{}: nobody can get in", what());
    }
    Ok(())
}
