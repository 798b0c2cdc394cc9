//! What an origin did on a branch that the site does not have: told again by whoever still has it, so that a fence ends an origin and
//! never what it did (SPEC I8).
//!
//! Writers: the node whose store has the branch. Readers: all.
//! Merge: each told change is named by what it says, so it counts once however many tell it; rows of a branch join cell by cell.
//! Retention: as what they tell of.

use crate::crdt::facts::{FactId, Way};
use crate::crdt::hlc::Hlc;
use crate::doc::change::{Change, Commit, RawChange, to_vec};
use crate::doc::reading::Effect;
use crate::domain::id::{BranchId, OriginId};
use crate::domain::role::Actor;
use crate::limits::COMMIT_BYTES_MAX;
use minicbor::{Decode, Encode};

/// Bytes that telling of a commit takes beside its changes, at most: its own head, and that of the commit that tells.
const TELLING_BYTES: usize = 15 * 1024;

/// A commit of a branch, or a part of it, as it is told again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Recovered {
    /// Who wrote it.
    #[n(0)]
    pub origin: OriginId,
    /// Under which number, on the branch.
    #[n(1)]
    pub seq: u64,
    /// When.
    #[n(2)]
    pub at: Hlc,
    /// Whether that clock was trusted.
    #[n(3)]
    pub clock_trusted: bool,
    /// Who caused it.
    #[n(4)]
    pub by: Actor,
    /// The place of the first of these changes in it.
    #[n(5)]
    pub first: u32,
    /// The changes, in order.
    #[n(6)]
    pub changes: Vec<RawChange>,
}

impl Recovered {
    /// A commit of a branch, in as many parts as fit into a commit each. What cannot be told of a branch is left out: its origin's
    /// card and stock rows, and what it told itself, which is told again as it was.
    pub fn of(commit: &Commit) -> Vec<Self> {
        let none = |first| Self {
            origin: commit.origin,
            seq: commit.seq,
            at: commit.at,
            clock_trusted: commit.clock_trusted,
            by: commit.by,
            first,
            changes: Vec::new(),
        };
        let mut parts: Vec<(Self, usize)> = Vec::new();
        for (index, raw) in (0u32..).zip(&commit.changes) {
            // What is not understood here is told as it is: an upgrade may.
            if Change::from_raw(raw).is_ok_and(|change| !change.is_recoverable()) {
                continue;
            }
            let bytes = to_vec(raw).len();
            match parts.last_mut() {
                Some((part, size))
                    if *size + bytes <= COMMIT_BYTES_MAX - TELLING_BYTES
                        && part.first as usize + part.changes.len() == index as usize =>
                {
                    part.changes.push(raw.clone());
                    *size += bytes;
                }
                Some(_) | None => parts.push((Self { changes: vec![raw.clone()], ..none(index) }, bytes)),
            }
        }
        parts.into_iter().map(|(part, _)| part).collect()
    }

    /// Its `index`-th change as it counts. The name follows from everything that is told: two branches may have used one number twice.
    pub(crate) fn effect(&self, index: usize, raw: &RawChange, change: Change) -> Effect {
        let index = self.first.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
        let mut hasher = blake3::Hasher::new_derive_key("pilotlight recovered 1");
        hasher.update(&to_vec((self.origin, self.seq, self.at, self.clock_trusted, self.by, index, raw)));
        let mut name = [0; 16];
        hasher.finalize_xof().fill(&mut name);
        Effect {
            id: FactId { origin: OriginId::from_bytes(name), seq: self.seq, index },
            writer: self.origin,
            at: self.at,
            clock_trusted: self.clock_trusted,
            by: self.by,
            way: Some(Way::Recovered),
            change,
        }
    }
}

impl BranchId {
    /// The branch that begins with this commit.
    pub fn of(first: &crate::store::LogEntry) -> Self {
        let mut name = [0; 16];
        name.copy_from_slice(&first.head.hash.0[..16]);
        Self::from_bytes(name)
    }
}
