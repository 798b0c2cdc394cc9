//! The simulated world as tests: a seed is one run, and seeds that once failed stay good. Many seeds are `cargo sim`'s business.

use pilotlight_tests::sim::batch::{command, run};
use pilotlight_tests::sim::faults::Faults;
use pilotlight_tests::sim::named::NAMED;
use pilotlight_tests::sim::world::{Mode, Plan};

fn plan(seed: u64, mode: Mode, steps: u32) -> Plan {
    Plan { seed, mode, steps, nodes: 2, lan: true, faults: Faults::ALL, loud: false }
}

#[test]
fn a_seed_gives_the_same_run_again_and_another_seed_another() {
    let hash = |seed| run(&plan(seed, Mode::Safety, 400)).hash;
    let (first, again, other) = (hash(3), hash(3), hash(5));
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[test]
fn seeds_that_once_failed_stay_good() {
    let failed: Vec<String> = NAMED
        .iter()
        .filter_map(|named| {
            let plan = named.plan();
            run(&plan).finding.map(|finding| format!("{} ({}): {finding}", command(&plan), named.why))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
