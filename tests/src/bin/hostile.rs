//! `cargo hostile`: feeds millions of hostile frames to the decoder and to sessions in both roles, under an allocator that counts.
#![expect(clippy::print_stdout, reason = "a command reports on stdout")]

use std::alloc::System;
use std::time::Duration;

use cap::Cap;
use clap::{Parser, ValueEnum};
use pilotlight_tests::hostile::{Memory, Target, run};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Feeds hostile input.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only this; otherwise each.
    target: Option<Target>,
    /// Inputs for each.
    #[arg(long, default_value_t = 10_000_000)]
    inputs: u64,
    /// From which they are drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Each must be done in this time.
    #[arg(long, default_value_t = 40)]
    minutes: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let memory = Memory {
        taken: || MEMORY.allocated(),
        limit: |bytes| {
            // Raising never fails, and the limit is never below what is taken.
            let _set = MEMORY.set_limit(bytes);
        },
    };
    let targets = Target::value_variants().iter().copied();
    for target in targets.filter(|target| arguments.target.is_none_or(|only| only == *target)) {
        println!("{target:?}: seed {}, {} inputs", arguments.seed, arguments.inputs);
        let within = Duration::from_secs(arguments.minutes * 60);
        let report = run(target, arguments.inputs, arguments.seed, within, memory)?;
        println!(
            "  {} inputs in {:.0} s: {} taken, {} commits handed over; at most {} KiB held",
            report.inputs,
            report.took.as_secs_f64(),
            report.taken,
            report.commits,
            report.held_max / 1_024,
        );
        report.refused.iter().for_each(|(word, times)| println!("  {times:>10} {word}"));
    }
    Ok(())
}
