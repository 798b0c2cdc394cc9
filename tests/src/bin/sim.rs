//! `cargo sim --seeds N [--from S] [--mode safety|liveness]`: the simulated world, one run a seed.
#![expect(clippy::print_stdout, reason = "a command reports on stdout")]

use anyhow::bail;
use clap::Parser;
use pilotlight_tests::sim::batch::{Batch, command, run, shrink};
use pilotlight_tests::sim::faults::{Fault, Faults};
use pilotlight_tests::sim::named::NAMED;
use pilotlight_tests::sim::world::{Mode, Plan};
use std::time::Duration;

/// Failures that are shrunk and shown in full.
const SHOWN_MAX: usize = 3;

/// Runs seeds of the simulated world.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many.
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    /// The first.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Without it every other seed is run in each mode.
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Steps with faults.
    #[arg(long, default_value_t = 2_000)]
    steps: u32,
    /// Nodes of the restaurant; without it one to three, by the seed.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    nodes: Option<u8>,
    /// Whether they are also connected with each other; without it by the seed.
    #[arg(long)]
    lan: Option<bool>,
    /// Kinds of faults that are not played, by commas.
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Prints every line of the trace; for one seed.
    #[arg(long)]
    loud: bool,
    /// Shows failures as they are.
    #[arg(long)]
    no_shrink: bool,
    /// Begins nothing more once a seed has failed.
    #[arg(long)]
    until_found: bool,
    /// Prints how often each rare situation occurred.
    #[arg(long)]
    rare: bool,
    /// Runs the seeds that once failed besides.
    #[arg(long)]
    named: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut faults = Faults::ALL;
    for word in &arguments.without {
        match Fault::ALL.iter().find(|fault| fault.word() == word) {
            Some(fault) => faults = faults.without(*fault),
            None => {
                let words: Vec<&str> = Fault::ALL.iter().map(|fault| fault.word()).collect();
                bail!("--without {word}: the kinds are {}", words.join(", "));
            }
        }
    }
    // What panics in the world is caught and told with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let (nodes, steps) = (arguments.nodes.map(usize::from), arguments.steps);
    let Arguments { from, seeds, mode, lan, until_found, .. } = arguments;
    let batch = Batch { from, seeds, mode, steps, nodes, lan, faults, until_found };
    if arguments.loud {
        let outcome = run(&Plan { loud: true, ..batch.plan(batch.from) });
        println!("{} after {} steps, trace {}", verdict(outcome.finding.as_ref()), outcome.steps, outcome.hash);
        return Ok(());
    }
    let mut failed = 0;
    if arguments.named {
        for named in NAMED {
            let plan = named.plan();
            let outcome = run(&plan);
            if let Some(finding) = outcome.finding {
                failed += 1;
                println!("named seed {} ({}) fails: {finding}", named.seed, named.why);
            }
        }
    }
    let began = pilotlight_tests::clock::now();
    let report = batch.run();
    let took = began.elapsed();
    for (number, (plan, outcome)) in report.failed.iter().enumerate() {
        println!("\nseed {} {:?}: {}", plan.seed, plan.mode, verdict(outcome.finding.as_ref()));
        if number < SHOWN_MAX {
            let shrunk = if arguments.no_shrink { None } else { Some(shrink(plan, outcome)) };
            let (plan, outcome) = shrunk.as_ref().map_or((plan, outcome), |(plan, outcome)| (plan, outcome));
            outcome.last.iter().for_each(|line| println!("  {line}"));
            println!("  {}", command(plan));
        }
    }
    if arguments.rare {
        report.rare.iter().for_each(|(name, times)| println!("{times:>8} {name}"));
    }
    let per_minute = report_rate(report.seeds, took);
    println!(
        "{} seeds, {} failed, {} steps, {} virtual hours, {per_minute:.0} seeds a minute",
        report.seeds,
        report.failed.len(),
        report.steps,
        report.ms / 3_600_000,
    );
    if !report.missing.is_empty() {
        bail!("never occurred: {}", report.missing.join("; "));
    }
    if failed > 0 || !report.failed.is_empty() {
        bail!("{} seeds failed", failed + report.failed.len());
    }
    Ok(())
}

fn verdict(finding: Option<&pilotlight_tests::sim::checks::Finding>) -> String {
    finding.map_or_else(|| "good".to_owned(), |finding| format!("FAILED {finding}"))
}

fn report_rate(seeds: u64, took: Duration) -> f64 {
    seeds as f64 * 60.0 / took.as_secs_f64().max(0.001)
}
