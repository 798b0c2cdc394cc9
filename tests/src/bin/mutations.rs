//! `cargo mutations [NAME...]`: takes one rule out at a time, plays a short evening, and expects the report to say so.
//!
//! Each patch of `tests/mutations` is applied to a copy of the working tree, built there and played. The copy without a patch is
//! played first: a demo that fails anyway would prove nothing. A mutation that survives ends the command with 1.
#![expect(clippy::print_stdout, reason = "a command speaks on its standard output")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, ensure};
use clap::Parser;
use pilotlight_tests::{build, clock};

/// A short evening: a minute and a half.
const EVENING: [&str; 5] = ["--once", "--speed", "300", "--outage", "12"];
/// Lines of a report that are shown.
const LINES_MAX: usize = 6;

/// Takes rules out, one at a time.
#[derive(Debug, Parser)]
#[command(name = "cargo mutations")]
struct Arguments {
    /// Patches of `tests/mutations`, without `.patch`; otherwise all.
    names: Vec<String>,
    /// Where the copy is kept and built.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Plays this seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What an evening printed, and whether it ended well.
struct Played {
    good: bool,
    printed: String,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let work = arguments.work.clone().unwrap_or_else(|| build::root().join("target/mutations"));
    let mut patches = patches()?;
    ensure!(!patches.is_empty(), "there are no patches in tests/mutations");
    if !arguments.names.is_empty() {
        patches.retain(|(name, _)| arguments.names.contains(name));
        ensure!(patches.len() == arguments.names.len(), "not all of {:?} are in tests/mutations", arguments.names);
    }
    let tree = work.join("tree");
    copy_tree(&tree)?;
    let whole = play(&tree, &work, arguments.seed).context("the tree without a mutation")?;
    ensure!(whole.good, "the evening fails without a mutation:\n{}", whole.printed);
    println!("without a mutation: nothing was lost\n");
    let mut survived = 0;
    for (name, patch) in patches {
        let began = clock::now();
        copy_tree(&tree)?;
        apply(&tree, &patch)?;
        let played = play(&tree, &work, arguments.seed).with_context(|| name.clone())?;
        survived += usize::from(played.good);
        let verdict = if played.good { "SURVIVED" } else { "caught" };
        println!("{name}: {verdict} ({:.0} s)", began.elapsed().as_secs_f64());
        told(&played.printed).iter().for_each(|line| println!("    {line}"));
    }
    println!("\n{survived} survived");
    Ok(if survived == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn patches() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(build::root().join("tests/mutations"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Makes the copy equal to the working tree. What is equal already is left alone, so that little is built again.
fn copy_tree(tree: &Path) -> anyhow::Result<()> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(build::root()).output()?;
    ensure!(listed.status.success(), "git ls-files failed");
    for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = std::str::from_utf8(name)?;
        let (from, to) = (build::root().join(name), tree.join(name));
        let Ok(bytes) = std::fs::read(&from) else { continue };
        if std::fs::read(&to).ok().as_ref() != Some(&bytes) {
            std::fs::create_dir_all(to.parent().context("a file has a folder")?)?;
            std::fs::write(&to, bytes)?;
        }
    }
    Ok(())
}

fn apply(tree: &Path, patch: &Path) -> anyhow::Result<()> {
    // The copy may lie inside a repository, whose own files the patch must not touch.
    let mut command = Command::new("git");
    command.arg("apply").arg(patch).current_dir(tree).env("GIT_DIR", tree.join("no-repository"));
    ensure!(command.status()?.success(), "{} does not apply", patch.display());
    Ok(())
}

/// Builds the copy and plays a short evening with it.
fn play(tree: &Path, work: &Path, seed: u64) -> anyhow::Result<Played> {
    let target = work.join("target");
    let mut command = Command::new(env!("CARGO"));
    // Cargo's own variables are of the workspace that this program was built in.
    command.args(["build", "--quiet", "--workspace", "--bins"]).current_dir(tree).env("CARGO_TARGET_DIR", &target);
    command.env_remove("CARGO_MANIFEST_DIR").stdin(Stdio::null());
    ensure!(command.status()?.success(), "the copy cannot be built");
    let programs = target.join("debug");
    let mut demo = Command::new(programs.join("demo"));
    demo.arg("--programs").arg(&programs).args(EVENING).args(["--seed", &seed.to_string()]).stdin(Stdio::null());
    let output = demo.env("RUST_BACKTRACE", "0").output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut printed = text(&output.stdout);
    printed.push_str(&text(&output.stderr));
    Ok(Played { good: output.status.success(), printed })
}

/// What the report says of the mutation: findings that are not zero, and how it ended.
fn told(printed: &str) -> Vec<String> {
    let names = [
        "lost",
        "doubled",
        "oversold",
        "charged",
        "cooked",
        "unsettled",
        "PROVES",
        "Error",
        "Caused",
        "the node",
        "the relay",
    ];
    let shown = |line: &&str| {
        let line = line.trim();
        names.iter().any(|name| line.starts_with(name)) && !line.ends_with(" 0")
    };
    printed.lines().filter(shown).map(|line| line.trim().chars().take(160).collect()).take(LINES_MAX).collect()
}
