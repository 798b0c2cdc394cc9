//! What a run leaves behind: one hash over everything that happened, its last lines, and how often each rare situation occurred.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Arguments;

/// Lines that a failure shows.
const LINES_MAX: usize = 40;

/// Hashes every line and keeps the last ones.
#[derive(Debug)]
pub struct Trace {
    hasher: blake3::Hasher,
    last: VecDeque<String>,
    /// How often each rare situation occurred, by its name.
    pub rare: BTreeMap<&'static str, u64>,
    /// Prints every line as it is written.
    loud: bool,
}

impl Trace {
    /// An empty trace; `loud` prints it as it grows.
    #[must_use]
    pub fn new(loud: bool) -> Self {
        Self { hasher: blake3::Hasher::new(), last: VecDeque::new(), rare: BTreeMap::new(), loud }
    }

    /// Something happened at this virtual time.
    pub fn note(&mut self, now_ms: u64, what: Arguments<'_>) {
        let line = format!("{:>9.3} {what}", now_ms as f64 / 1_000.0);
        self.hasher.update(line.as_bytes());
        self.hasher.update(b"\n");
        if self.loud {
            eprintln!("{line}");
        }
        if self.last.len() == LINES_MAX {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// A rare situation occurred.
    pub fn rare(&mut self, name: &'static str) {
        *self.rare.entry(name).or_default() += 1;
    }

    /// The hash so far.
    #[must_use]
    pub fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// The last lines.
    #[must_use]
    pub fn last(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}
