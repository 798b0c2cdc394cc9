//! `cargo mutations [NAME...]`: takes one rule out at a time and expects that something notices.
//!
//! Each patch of `tests/mutations` says in its first line who shall notice: `play: sim`, the simulated world; `play: test PACKAGE
//! NAME...`, unit tests whose names contain one of these; `play: evening`, a short evening of `cargo demo`. It is applied to a copy
//! of the working tree, built there and played. The copy without a patch is played first: what fails anyway would prove nothing. A
//! mutation that survives ends the command with 1. Last comes the table that `sync/SPEC.md` shows.
#![expect(clippy::print_stdout, reason = "a command speaks on its standard output")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use pilotlight_tests::{build, clock};

/// A short evening: a minute and a half.
const EVENING: [&str; 5] = ["--once", "--speed", "300", "--outage", "12"];
/// What a simulated seed or a test says when it notices.
const FAILED: &str = ": FAILED ";
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
    /// Plays the evening of this seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plays so many seeds of the simulated world at most.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// Plays an evening of the demo, whoever else the patches say shall notice.
    #[arg(long)]
    evening: bool,
    /// Does not play the tree as it is: it is known to be good.
    #[arg(long)]
    trust: bool,
    /// Prints what the play printed.
    #[arg(long)]
    loud: bool,
}

/// Who shall notice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Play {
    Sim,
    Tests { package: String, names: Vec<String> },
    Evening,
}

#[derive(Debug)]
struct Patch {
    name: String,
    path: PathBuf,
    play: Play,
    /// The rule that is taken out, in words.
    what: String,
}

/// What a play showed.
struct Played {
    /// Who noticed and how, and after how many seeds; `None`: nobody.
    noticed: Option<(String, Option<u64>)>,
    printed: String,
}

/// The copy, and where it is built.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
    seed: u64,
    seeds: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let work = arguments.work.clone().unwrap_or_else(|| build::root().join("target/mutations"));
    let mut patches = patches()?;
    ensure!(!patches.is_empty(), "there are no patches in tests/mutations");
    if !arguments.names.is_empty() {
        patches.retain(|patch| arguments.names.contains(&patch.name));
        ensure!(patches.len() == arguments.names.len(), "not all of {:?} are in tests/mutations", arguments.names);
    }
    if arguments.evening {
        patches.iter_mut().for_each(|patch| patch.play = Play::Evening);
    }
    let copy =
        Copy { tree: work.join("tree"), target: work.join("target"), seed: arguments.seed, seeds: arguments.seeds };
    copy.restore()?;
    if !arguments.trust {
        for play in patches.iter().map(|patch| &patch.play).collect::<BTreeSet<_>>() {
            let played = copy.play(play).with_context(|| format!("{play:?} without a mutation"))?;
            ensure!(played.noticed.is_none(), "{play:?} fails without a mutation:\n{}", played.printed);
        }
        println!("without a mutation: nothing is noticed\n");
    }
    let mut table = vec!["| taken out | caught by | seeds |".to_owned(), "| --- | --- | --- |".to_owned()];
    let mut survived = 0;
    for patch in &patches {
        let began = clock::now();
        copy.restore()?;
        copy.apply(&patch.path)?;
        let played = copy.play(&patch.play).with_context(|| patch.name.clone())?;
        let took = began.elapsed().as_secs_f64();
        if arguments.loud {
            println!("{}", played.printed);
        }
        let (by, seeds) = played.noticed.unwrap_or_else(|| {
            survived += 1;
            ("SURVIVED".to_owned(), (patch.play == Play::Sim).then_some(copy.seeds))
        });
        let seeds = seeds.map(|seeds| seeds.to_string()).unwrap_or_default();
        println!("{} ({took:.0} s): {by} {seeds}", patch.name);
        table.push(format!("| `{}`: {} | {by} | {seeds} |", patch.name, patch.what));
    }
    copy.restore()?;
    println!("\n{}\n\n{survived} survived", table.join("\n"));
    Ok(if survived == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn patches() -> anyhow::Result<Vec<Patch>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(build::root().join("tests/mutations"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            found.push(Patch::read(path)?);
        }
    }
    found.sort_by(|one, other| (&one.play, &one.name).cmp(&(&other.play, &other.name)));
    Ok(found)
}

impl Patch {
    fn read(path: PathBuf) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(&path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let Some(play) = first.strip_prefix("play: ") else { bail!("{name}: its first line is no `play: ...`") };
        let mut words = play.split(' ').map(str::to_owned);
        let play = match (words.next().unwrap_or_default().as_str(), words.next()) {
            ("sim", None) => Play::Sim,
            ("evening", None) => Play::Evening,
            ("test", Some(package)) => Play::Tests { package, names: words.collect() },
            _ => bail!("{name}: {first:?} is none of `sim`, `evening`, `test PACKAGE NAME...`"),
        };
        let what = lines.take_while(|line| !line.starts_with("diff ")).map(str::trim).filter(|line| !line.is_empty());
        let what = what.collect::<Vec<_>>().join(" ");
        Ok(Self { name, path, play, what })
    }
}

impl Copy {
    /// Makes the copy equal to the working tree. What is equal already is left alone, so that little is built again.
    fn restore(&self) -> anyhow::Result<()> {
        let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(build::root()).output()?;
        ensure!(listed.status.success(), "git ls-files failed");
        for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let name = std::str::from_utf8(name)?;
            let (from, to) = (build::root().join(name), self.tree.join(name));
            let Ok(bytes) = std::fs::read(&from) else { continue };
            if std::fs::read(&to).ok().as_ref() != Some(&bytes) {
                std::fs::create_dir_all(to.parent().context("a file has a folder")?)?;
                std::fs::write(&to, bytes)?;
            }
        }
        Ok(())
    }

    fn apply(&self, patch: &Path) -> anyhow::Result<()> {
        // The copy may lie inside a repository, whose own files the patch must not touch.
        let mut command = Command::new("git");
        command.arg("apply").arg(patch).current_dir(&self.tree).env("GIT_DIR", self.tree.join("no-repository"));
        ensure!(command.status()?.success(), "{} does not apply", patch.display());
        Ok(())
    }

    fn play(&self, play: &Play) -> anyhow::Result<Played> {
        match play {
            Play::Sim => self.play_sim(),
            Play::Tests { package, names } => self.play_tests(package, names),
            Play::Evening => self.play_evening(),
        }
    }

    /// Cargo in the copy. Incremental and a little optimised: what is built is played at once, and only a few crates are new.
    fn cargo(&self) -> Command {
        let mut command = build::cargo();
        command.current_dir(&self.tree).stdin(Stdio::null()).env("CARGO_TARGET_DIR", &self.target);
        command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "false");
        command
    }

    fn build(&self, which: &[&str]) -> anyhow::Result<PathBuf> {
        let status = self.cargo().args(["build", "--quiet", "--workspace"]).args(which).status()?;
        ensure!(status.success(), "the copy cannot be built");
        Ok(self.target.join("debug"))
    }

    fn play_sim(&self) -> anyhow::Result<Played> {
        let programs = self.build(&["--bin", "sim"])?;
        let mut sim = Command::new(programs.join("sim"));
        sim.args(["--seeds", &self.seeds.to_string(), "--until-found", "--no-shrink"]).stdin(Stdio::null());
        let printed = printed(&mut sim)?.1;
        // seed 12 Liveness: FAILED charged twice: ...
        let noticed = printed.lines().find_map(|line| {
            let (seed, finding) = line.split_once(FAILED)?;
            let seed = seed.strip_prefix("seed ")?.split(' ').next()?.parse().ok()?;
            let name = finding.split(": ").next().unwrap_or(finding);
            Some((format!("the simulated world: *{name}*"), Some(seed)))
        });
        let good = noticed.is_some() || printed.contains(" seeds, 0 failed");
        ensure!(good, "the simulated world broke off:\n{printed}");
        Ok(Played { noticed, printed })
    }

    fn play_tests(&self, package: &str, names: &[String]) -> anyhow::Result<Played> {
        let mut command = self.cargo();
        command.args(["test", "--quiet", "--package", package, "--lib", "--"]).args(names);
        let (good, printed) = printed(&mut command)?;
        ensure!(good || printed.contains("test result: FAILED"), "the tests cannot be run:\n{printed}");
        ensure!(!printed.contains(" 0 passed; 0 failed"), "no test of {package} is named {names:?}");
        // `    doc::replica::tests::n1_what_is_known...`, below `failures:`.
        let failed = printed.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.contains("::"));
        let failed = failed.filter_map(|line| line.rsplit("::").next()).find(|test| !test.contains(' '));
        let noticed = (!good).then(|| (format!("`{}`", failed.unwrap_or("a test that broke off")), None));
        Ok(Played { noticed, printed })
    }

    fn play_evening(&self) -> anyhow::Result<Played> {
        let programs = self.build(&["--bins"])?;
        let mut demo = Command::new(programs.join("demo"));
        demo.arg("--programs").arg(&programs).args(EVENING).args(["--seed", &self.seed.to_string()]);
        let (good, printed) = printed(demo.stdin(Stdio::null()))?;
        let noticed = (!good).then(|| (format!("an evening: {}", told(&printed).join("; ")), None));
        Ok(Played { noticed, printed })
    }
}

/// Runs it; whether it ended well, and everything that it printed.
fn printed(command: &mut Command) -> anyhow::Result<(bool, String)> {
    let output = command.env("RUST_BACKTRACE", "0").output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), text(&output.stdout) + &text(&output.stderr)))
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
