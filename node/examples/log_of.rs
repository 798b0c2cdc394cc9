//! Writes the logs of a data directory to a file: what `cargo figures merge` merges.
//!
//! `log_of DATA FILE`. No node may have the store open. Of each commit: the origin, the number and the hash after it, the length, the
//! bytes; numbers are big-endian.

use anyhow::Context as _;
use pilotlight_edge::clock::Clock;
use pilotlight_node::opening::{self, Paths};
use std::io::Write as _;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("log_of DATA FILE");
    let paths = Paths { data: next()?.into() };
    let mut file = std::io::BufWriter::new(std::fs::File::create(next()?)?);
    let replica = opening::open(&paths, &Clock::machine())?;
    for (origin, head) in replica.state().heads() {
        for entry in replica.log(origin, 1, usize::try_from(head.seq)?)? {
            file.write_all(origin.as_bytes())?;
            file.write_all(&entry.head.seq.to_be_bytes())?;
            file.write_all(&entry.head.hash.0)?;
            file.write_all(&u32::try_from(entry.bytes.len())?.to_be_bytes())?;
            file.write_all(&entry.bytes)?;
        }
    }
    Ok(file.flush()?)
}
