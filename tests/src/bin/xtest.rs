//! `cargo xtest`: every check of the project in one command.
//!
//! - A step that fails does not stop the others; what failed is listed at the end.
//! - Nothing is skipped silently: a missing tool is installed or named with the command that installs it, and tests whose input lies
//!   outside the repository are counted and named when it is absent.
//! - The last line says how many checks passed and failed.
#![expect(clippy::print_stdout, reason = "a command reports on stdout")]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use indicatif::ProgressBar;
use pilotlight_tests::build::{self, GATEWAY_BIN_VARIABLE, NODE_BIN_VARIABLE, RELAY_BIN_VARIABLE, SHIM_VARIABLE};
use pilotlight_tests::fixtures;
use pilotlight_tests::scale::LONG_VARIABLE;
use pilotlight_tests::{clock, counts};

/// Lines of a failed step's output that are shown; all of it is in its log.
const TAIL_LINES: usize = 60;

/// Runs every check of the project.
#[derive(Debug, Parser)]
struct Arguments {
    /// Kill loops, power cuts and seeds in full.
    #[arg(long)]
    long: bool,
    /// Only this step; what it needs is built.
    #[arg(long)]
    only: Option<String>,
}

/// A step's name and what it does.
type Step = (&'static str, fn(&mut Run) -> anyhow::Result<Counted>);

const STEPS: [Step; 11] = [
    ("tools", tools),
    ("format", |run| run.check("cargo", &["fmt", "--all", "--check"])),
    ("clippy", |run| {
        run.check("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
    }),
    ("build", build_all),
    ("rust", rust_tests),
    ("types", |run| run.in_screens("npm", &["run", "check"]).map(|_| Counted::ONE)),
    ("vitest", |run| run.in_screens("npx", &["vitest", "run"]).and_then(|output| Counted::in_output(&output))),
    ("browser", |run| run.in_screens("npm", &["run", "e2e"]).and_then(|output| Counted::in_output(&output))),
    ("evening", short_evening),
    ("sim", simulated_evenings),
    ("figures", quick_figures),
];

/// Steps that run what the step `build` builds.
const NEED_PROGRAMS: [&str; 5] = ["rust", "browser", "evening", "sim", "figures"];

/// Tests or checks of one step.
#[derive(Debug, Clone, Copy)]
struct Counted {
    passed: usize,
    failed: usize,
}

impl Counted {
    const ONE: Self = Self { passed: 1, failed: 0 };

    fn in_output(output: &str) -> anyhow::Result<Self> {
        let (passed, failed) = counts::in_output(output).context("the output does not say how many tests ran")?;
        ensure!(passed + failed > 0, "no test ran");
        Ok(Self { passed, failed })
    }
}

/// How a step ended.
struct Ended {
    name: &'static str,
    counted: Counted,
    took: Duration,
    problem: Option<String>,
}

/// What the steps share.
struct Run {
    logs: PathBuf,
    environment: Vec<(&'static str, String)>,
    progress: ProgressBar,
    log: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let names = STEPS.map(|(name, _)| name);
    if let Some(only) = &arguments.only {
        ensure!(names.contains(&only.as_str()), "no step {only}: {}", names.join(", "));
    }
    let logs = build::root().join("target/xtest");
    std::fs::create_dir_all(&logs)?;
    let screenshots = build::root().join("target/screenshots");
    std::fs::create_dir_all(&screenshots)?;
    let mut run = Run {
        log: logs.clone(),
        logs: logs.clone(),
        environment: vec![
            (LONG_VARIABLE, u8::from(arguments.long).to_string()),
            // A failing test says why; a hundred frames of its runtime say nothing more.
            ("RUST_LIB_BACKTRACE", "0".to_owned()),
            ("PILOTLIGHT_SCREENSHOTS", screenshots.to_string_lossy().into_owned()),
        ],
        progress: ProgressBar::new_spinner(),
    };
    if arguments.only.as_deref().is_some_and(|only| NEED_PROGRAMS.contains(&only)) {
        run.log = run.logs.join("build.log");
        build_all(&mut run)?;
    }
    let wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| only == name);
    let ended: Vec<Ended> = STEPS.into_iter().filter(|(name, _)| wanted(name)).map(|step| run.step(step)).collect();
    Ok(report(&ended))
}

fn report(ended: &[Ended]) -> ExitCode {
    for step in ended.iter().filter(|step| step.problem.is_some()) {
        println!("\n---- {} failed\n{}", step.name, step.problem.as_deref().unwrap_or_default());
    }
    println!("\n{:<10} {:>8} {:>8} {:>9}", "step", "passed", "failed", "seconds");
    for step in ended {
        println!(
            "{:<10} {:>8} {:>8} {:>9.1}",
            step.name,
            step.counted.passed,
            step.counted.failed,
            step.took.as_secs_f64()
        );
    }
    let absent: Vec<_> = fixtures::OUTSIDE.into_iter().filter(|(_, file)| fixtures::outside(file).is_none()).collect();
    println!("\n{} data tests had no data (../shared/data)", absent.len());
    for (test, file) in &absent {
        println!("  {test}: {file}");
    }
    let passed: usize = ended.iter().map(|step| step.counted.passed).sum();
    let failed: usize = ended.iter().map(|step| step.counted.failed).sum();
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Run {
    fn step(&mut self, (name, act): Step) -> Ended {
        self.log = self.logs.join(format!("{name}.log"));
        // A log of an earlier run must not be taken for this one's.
        drop(std::fs::remove_file(&self.log));
        self.progress = ProgressBar::new_spinner();
        self.progress.enable_steady_tick(Duration::from_millis(100));
        self.progress.set_message(name);
        let start = clock::now();
        let result = act(self);
        let took = start.elapsed();
        self.progress.finish_and_clear();
        let (counted, problem) = match result {
            Ok(counted) if counted.failed == 0 => (counted, None),
            Ok(counted) => {
                (counted, Some(format!("{} tests failed; all output: {}", counted.failed, self.log.display())))
            }
            Err(error) => {
                let seen = std::fs::read_to_string(&self.log).ok().and_then(|output| counts::in_output(&output));
                let (passed, failed) = seen.unwrap_or((0, 0));
                (Counted { passed, failed: failed.max(1) }, Some(format!("{error:#}")))
            }
        };
        println!("{} {name} ({:.1} s)", if problem.is_none() { "ok    " } else { "FAILED" }, took.as_secs_f64());
        Ended { name, counted, took, problem }
    }

    /// A check that is one pass or one failure.
    fn check(&mut self, program: &str, arguments: &[&str]) -> anyhow::Result<Counted> {
        self.output(&build::root(), program, arguments).map(|_| Counted::ONE)
    }

    /// Runs something in the screens' package, with its dependencies in place.
    fn in_screens(&mut self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let screens = build::root().join("kds-ui");
        // The same mark as the build's, so that neither installs what the other has.
        let (mark, wanted) =
            (screens.join("node_modules/.pilotlight-lock"), std::fs::read(screens.join("package-lock.json"))?);
        if std::fs::read(&mark).ok().as_ref() != Some(&wanted) {
            self.output(&screens, "npm", &["ci", "--no-audit", "--no-fund"])?;
            std::fs::write(&mark, &wanted)?;
        }
        self.output(&screens, program, arguments)
    }

    /// Runs a command to its end, shows its last line meanwhile, keeps all of it in the step's log, and returns it.
    fn output(&mut self, directory: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let (reader, writer) = std::io::pipe()?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(directory)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        build::forget_package(&mut command);
        let mut child = command.spawn().with_context(|| format!("{program} does not start"))?;
        // The command holds the other end of the pipe, which would keep it open.
        drop(command);
        let mut log = File::options().create(true).append(true).open(&self.log)?;
        let mut output = String::new();
        for line in BufReader::new(reader).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            writeln!(log, "{line}")?;
            self.progress.set_message(line.chars().take(100).collect::<String>());
            output.push_str(&line);
            output.push('\n');
        }
        let status = child.wait()?;
        if !status.success() {
            let lines: Vec<&str> = output.lines().collect();
            let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
            bail!("{program} {} ended with {status}; its last lines:\n{tail}", arguments.join(" "));
        }
        Ok(output)
    }

    fn has(&self, program: &str) -> bool {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn is_root(&self) -> bool {
        Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
    }
}

/// A tool, the Debian packages that bring it, and whether it is installed from here.
const TOOLS: [(&str, &str); 4] =
    [("cc", "gcc"), ("node", "nodejs"), ("npm", "npm"), ("chromium", "chromium fonts-dejavu-core")];

fn tools(run: &mut Run) -> anyhow::Result<Counted> {
    let missing =
        |run: &Run| -> Vec<(&str, &str)> { TOOLS.into_iter().filter(|(program, _)| !run.has(program)).collect() };
    let first = missing(run);
    if !first.is_empty() && run.is_root() && run.has("apt-get") {
        let root = build::root();
        run.environment.push(("DEBIAN_FRONTEND", "noninteractive".to_owned()));
        run.output(&root, "apt-get", &["update"])?;
        let packages = first.iter().flat_map(|(_, packages)| packages.split(' '));
        let arguments: Vec<&str> =
            ["install", "--yes", "--no-install-recommends"].into_iter().chain(packages).collect();
        run.output(&root, "apt-get", &arguments)?;
    }
    let left: Vec<String> = missing(run)
        .iter()
        .map(|(program, packages)| {
            format!("{program} is missing: as root, apt-get update && apt-get install {packages}")
        })
        .collect();
    ensure!(left.is_empty(), "{}", left.join("\n"));
    Ok(Counted::ONE)
}

fn build_all(run: &mut Run) -> anyhow::Result<Counted> {
    let counted = run.check("cargo", &["build", "--workspace", "--all-targets"])?;
    let directory = build::build_workspace(false)?;
    let text = |file: &str| directory.join(file).to_string_lossy().into_owned();
    run.environment.push((NODE_BIN_VARIABLE, text("pilotlight-node")));
    run.environment.push((RELAY_BIN_VARIABLE, text("pilotlight-relay")));
    run.environment.push((GATEWAY_BIN_VARIABLE, text("pilotlight-sandbox-gateway")));
    run.environment.push((SHIM_VARIABLE, text("libpilotlight_fault_shim.so")));
    Ok(counted)
}

fn rust_tests(run: &mut Run) -> anyhow::Result<Counted> {
    let root = build::root();
    let nextest =
        Command::new("cargo").args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    let output = if nextest {
        run.output(&root, "cargo", &["nextest", "run", "--workspace", "--no-fail-fast", "--show-progress", "none"])?
    } else {
        run.output(&root, "cargo", &["test", "--workspace", "--no-fail-fast", "--", "--test-threads", "2"])?
    };
    Counted::in_output(&output)
}

/// A short evening through an outage: nothing may be lost, and the faults must have had their chances.
fn short_evening(run: &mut Run) -> anyhow::Result<Counted> {
    let directory = build::build_workspace(false)?;
    let programs = directory.to_string_lossy().into_owned();
    let arguments = ["--programs", &programs, "--once", "--speed", "300", "--outage", "12"];
    run.check(&directory.join("demo").to_string_lossy(), &arguments)
}

/// Seeds of the simulated world, and those that once failed. The programs are not optimised here: a seed has fewer steps than `cargo sim` gives.
fn simulated_evenings(run: &mut Run) -> anyhow::Result<Counted> {
    let directory = build::build_workspace(false)?;
    let arguments = ["--seeds", "300", "--steps", "600", "--named"];
    run.check(&directory.join("sim").to_string_lossy(), &arguments)
}

/// Every benchmark once, short and with the unoptimised node: that they run, not what they measure.
fn quick_figures(run: &mut Run) -> anyhow::Result<Counted> {
    let directory = build::build_workspace(false)?;
    let programs = directory.to_string_lossy().into_owned();
    let arguments = ["--programs", &programs, "--quick", "--json"];
    let output = run.output(&build::root(), &directory.join("figures").to_string_lossy(), &arguments)?;
    let start = output.find('[').context("figures printed no JSON")?;
    let figures: Vec<serde_json::Value> =
        serde_json::from_str(&output[start..]).context("figures printed no JSON array")?;
    ensure!(!figures.is_empty(), "figures printed an empty array");
    let bad: Vec<_> = figures.iter().filter(|figure| !figure["ours"].as_f64().is_some_and(f64::is_finite)).collect();
    ensure!(bad.is_empty(), "figures without a number: {bad:?}");
    Ok(Counted { passed: figures.len(), failed: 0 })
}
