//! The short form of `cargo hostile`: two hundred thousand hostile frames for each, under an allocator that counts.

use std::alloc::System;
use std::time::Duration;

use cap::Cap;
use pilotlight_tests::hostile::{Memory, Target, run};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn y4_hostile_frames_are_refused_by_name_and_take_no_more_than_the_limits() -> anyhow::Result<()> {
    let memory = Memory { taken: || MEMORY.allocated(), limit: |bytes| assert_eq!(MEMORY.set_limit(bytes), Ok(())) };
    for (target, inputs) in [(Target::Decoder, 200_000), (Target::Dialer, 200_000), (Target::Listener, 200_000)] {
        let report = run(target, inputs, 1, Duration::from_secs(240), memory)?;
        assert!(report.taken > inputs / 100 && !report.refused.is_empty(), "{target:?}: {report:?}");
        if target != Target::Decoder {
            // The dialer here has the relay's own name: one way to be refused fewer is reached.
            let names = if target == Target::Listener { 11 } else { 10 };
            assert!(report.commits > 0 && report.refused.len() >= names, "{target:?}: {report:?}");
        }
    }
    Ok(())
}
