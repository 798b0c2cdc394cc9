//! `cargo figures [NAME] [--json]`: every benchmark of the project, each with its floor or limit beside it.
#![expect(clippy::print_stdout, reason = "a command reports on stdout")]

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use pilotlight_tests::build;
use pilotlight_tests::clock;
use pilotlight_tests::demo::scene::Programs;
use pilotlight_tests::figures::{
    Figure, Plan, catch_up, cloud_order, dispatch, draw, history, menu, merge, place_order, rest, screens,
};

/// Measures the shipped programs.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this benchmark.
    name: Option<Name>,
    /// An array of {"figure","unit","ours","against","value","ratio"}.
    #[arg(long)]
    json: bool,
    /// Everything short: to see that it runs, not what it measures.
    #[arg(long)]
    quick: bool,
    /// The programs of this directory instead of a release build made now.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Placement, durable and answered.
    PlaceOrder,
    /// From a tap to every screen.
    Screens,
    /// Loading the menu.
    Menu,
    /// Memory at rest, and start.
    Rest,
    /// A million archived orders.
    History,
    /// Ten thousand orders placed while the internet was gone.
    CatchUp,
    /// An order from home, and what the relay hears of the kitchen.
    CloudOrder,
    /// Merging another replica's commits, and what an order takes in memory.
    Merge,
    /// Drawing a change in Chromium.
    Draw,
    /// Riders, on a public benchmark.
    Dispatch,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let programs = Programs::in_directory(&match arguments.programs {
        Some(directory) => directory,
        None => build::build_release_programs()?,
    });
    let plan = Plan { quick: arguments.quick, programs };
    // One thread: the generator shares the machine's cores with the node and must not take both.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut all = Vec::new();
    // On stderr where stdout is for a program to read.
    if arguments.json {
        eprintln!("{}", circumstances());
    } else {
        println!("{}", circumstances());
    }
    for name in Name::value_variants().iter().copied().filter(|name| arguments.name.is_none_or(|only| only == *name)) {
        let mut report = String::new();
        let figures = runtime.block_on(async {
            match name {
                Name::PlaceOrder => place_order::run(&plan).await,
                Name::Screens => screens::run(&plan).await,
                Name::Menu => menu::run(&plan).await,
                Name::Rest => rest::run(&plan).await,
                Name::History => history::run(&plan).await,
                Name::CatchUp => catch_up::run(&plan).await,
                Name::CloudOrder => cloud_order::run(&plan).await,
                Name::Merge => merge::run(&plan).await,
                Name::Draw => draw::run(),
                Name::Dispatch => dispatch::run(&plan, &mut report),
            }
        });
        let figures = figures.with_context(|| format!("{name:?}"))?;
        if !arguments.json {
            println!("\n{}", table(&figures));
            if !report.is_empty() {
                println!("\n{report}");
            }
        }
        all.extend(figures);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(())
}

/// Commit, cores, date: without them a figure cannot be repeated.
fn circumstances() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(build::root()).output();
        output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = if git(&["status", "--porcelain"]).is_empty() { "" } else { " with changes" };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let date = jiff::Timestamp::from_second(i64::try_from(clock::unix_seconds()).unwrap_or(0))
        .map_or_else(|_| String::new(), |date| date.to_string());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!(
        "commit {}{changed}, {cores} cores shared by node, generator and floors, load before {load}, {date}",
        git(&["rev-parse", "--short", "HEAD"])
    )
}

fn table(figures: &[Figure]) -> String {
    let widest = |column: fn(&Figure) -> usize| figures.iter().map(column).max().unwrap_or(0);
    let (figure, against) = (widest(|figure| figure.figure.len()), widest(|figure| figure.against.len()));
    let head = format!(
        "{:<figure$}  {:>4}  {:>10}  {:<against$}  {:>10}  {:>7}",
        "figure", "unit", "ours", "against", "value", "ratio"
    );
    let rows = figures.iter().map(|row| {
        format!(
            "{:<figure$}  {:>4}  {:>10.2}  {:<against$}  {:>10.2}  {:>7.2}",
            row.figure, row.unit, row.ours, row.against, row.value, row.ratio
        )
    });
    std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
}
