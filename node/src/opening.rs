//! Opens the node's own data: who it is, whether its disk can be believed, and what to do when not.
//!
//! A store behind its witness has lost what it had confirmed: it goes on as a new origin, and the old one's rights are no stock
//! any more (SPEC I3, I5). A store that does not open is moved aside and never silently replaced by an empty one.

use crate::archive::Archive;
use crate::store::StoreError;
use crate::store::branch;
use crate::store::identity::Identity;
use crate::store::node_store::NodeStore;
use crate::store::replica::Replica;
use crate::store::sled_store::{SledStore, move_aside};
use crate::store::witness::Witness;
use pilotlight_edge::clock::Clock;
use pilotlight_edge::files::{self, FileError};
use pilotlight_edge::tokens::{self, NoRandom};
use pilotlight_sync::crdt::chain::Head;
use pilotlight_sync::doc::change::{Change, CommitTooLarge};
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::doc::replica::OWN_NOTE;
use pilotlight_sync::domain::id::{OriginId, SiteId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where things lie in the data directory.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The data directory.
    pub data: PathBuf,
}

impl Paths {
    /// The sled directory.
    pub fn store(&self) -> PathBuf {
        self.data.join("store")
    }
    /// Origin and key.
    pub fn identity(&self) -> PathBuf {
        self.data.join("identity")
    }
    /// Where the log ended.
    pub fn witness(&self) -> PathBuf {
        self.data.join("witness")
    }
    /// Closed orders that have left the store.
    pub fn archive(&self) -> PathBuf {
        self.data.join("archive")
    }
    /// Certificates.
    pub fn tls(&self) -> PathBuf {
        self.data.join("tls")
    }
    /// The relay this node belongs to: address, token, key.
    pub fn uplink(&self) -> PathBuf {
        self.data.join("uplink")
    }
    /// The site's other nodes: whom to dial, whose token is good.
    pub fn siblings(&self) -> PathBuf {
        self.data.join("siblings")
    }
    /// Which site this machine belongs to: it stays when the store is lost.
    pub fn site(&self) -> PathBuf {
        self.data.join("site")
    }
    /// Says that the store was moved aside, and why; removed by a manager's decision only.
    pub fn recovery_note(&self) -> PathBuf {
        self.data.join("RECOVERY")
    }
}

/// Why the data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else has it open.
    #[error("the store is open in another process: stop that one, or use another --data directory")]
    InUse,
    /// A person must decide: the store is damaged or gone.
    #[error("{0}")]
    NeedsRecovery(String),
    /// It failed for a reason that may pass.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine is out of randomness.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl From<FileError> for OpenError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// Opens the data, or says that a person must decide. What is damaged is moved aside first.
pub fn open(paths: &Paths, clock: &Clock) -> Result<Replica, OpenError> {
    open_with(paths, clock, &Arc::new(Archive::open(&paths.archive())))
}

/// The same again in a running node, whose archive is open.
pub fn open_with(paths: &Paths, clock: &Clock, archive: &Arc<Archive>) -> Result<Replica, OpenError> {
    files::create_dir(&paths.data)?;
    if let Some(note) = files::read_if_there(&paths.recovery_note())? {
        return Err(OpenError::NeedsRecovery(String::from_utf8_lossy(&note).into_owned()));
    }
    match open_store(paths, clock, archive) {
        // Without identity and witness nothing was ever confirmed: the power went while the first start made its files.
        Err(OpenError::Store(error)) if is_damage(&error) && is_new(paths)? => {
            tracing::warn!(%error, "the first start was broken off; its files are moved aside and it begins again");
            move_aside(&paths.store(), clock.now().0)?;
            open_store(paths, clock, archive)
        }
        Err(OpenError::Store(error)) => Err(set_aside(paths, clock, error)),
        opened => opened,
    }
}

fn open_store(paths: &Paths, clock: &Clock, archive: &Arc<Archive>) -> Result<Replica, OpenError> {
    let mut store = SledStore::open(&paths.store())?;
    let known = Identity::load(&paths.identity())?;
    let said = match &known {
        Some(identity) => {
            let (witness, said) = Witness::open(&paths.witness(), &identity.origin)?;
            store.set_witness(identity.origin, witness);
            said
        }
        None => None,
    };
    let identity = match (judge(&store, known.as_ref(), said)?, known) {
        (Verdict::Gone, _) => {
            drop(store);
            return Err(gone(paths, clock)?);
        }
        (Verdict::GoesOn, Some(identity)) => identity,
        (Verdict::GoesOn | Verdict::Anew, known) => {
            let first = store.log_heads()?.is_empty() && kept_site(paths)?.is_none();
            let identity = new_identity(known.as_ref(), first)?;
            identity.save(&paths.identity())?;
            let (witness, _) = Witness::open(&paths.witness(), &identity.origin)?;
            store.set_witness(identity.origin, witness);
            identity
        }
    };
    Ok(take_up(store, identity, archive.clone(), clock.now())?)
}

/// What store, identity and witness say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The store is what it was: it goes on under its name.
    GoesOn,
    /// It is new, or it has gone back: it goes on as a new origin (SPEC I3).
    Anew,
    /// It is empty, and was not: a person must decide (SPEC X4).
    Gone,
}

/// Judges a store by who it was and by what its witness last said.
pub fn judge(store: &dyn NodeStore, known: Option<&Identity>, said: Option<Head>) -> Result<Verdict, StoreError> {
    let heads = store.log_heads()?;
    let Some(identity) = known else { return Ok(Verdict::Anew) };
    if heads.is_empty() && said.is_some() {
        return Ok(Verdict::Gone);
    }
    // A branch of its own log is told under another name.
    let parted = branch::ends(store)?.contains_key(&identity.origin);
    let goes_on = !parted && agrees(store, &heads, &identity.origin, said)?;
    Ok(if goes_on { Verdict::GoesOn } else { Verdict::Anew })
}

/// Under which origin the store was written last: also in a backup, which has no identity. `None`: an older version made it.
pub fn was(store: &dyn NodeStore) -> Result<Option<OriginId>, StoreError> {
    let damaged = |error: minicbor::decode::Error| StoreError::Damaged { tree: "notes-1", why: error.to_string() };
    store.noted(OWN_NOTE)?.map(|bytes| minicbor::decode(&bytes).map_err(damaged)).transpose()
}

/// Reads the replica and sees to it that its log begins with the origin's card: others check its seals with that. An origin that the
/// store does not know yet ends the one that the store was, in the same group: a cut leaves both or nothing.
pub fn take_up(
    store: impl NodeStore + 'static,
    identity: Identity,
    archive: Arc<Archive>,
    now: Timestamp,
) -> Result<Replica, StoreError> {
    let heads = store.log_heads()?;
    let was = was(&store)?;
    let ends = branch::ends(&store)?;
    let parted = !ends.is_empty();
    let mut replica = if parted {
        branch::open_without(store, identity, archive, ends)?
    } else {
        Replica::load(store, identity, archive)?
    };
    let too_large = |error: CommitTooLarge| StoreError::Damaged { tree: "log-1", why: error.to_string() };
    let card = replica.identity().card();
    if replica.site().origin(&card.origin).is_none() {
        replica.commit(Actor::System, now, &[Change::Origin(card)]).map_err(too_large)?;
    }
    replica.tell_branch(now)?;
    // Who lost a branch only may go on elsewhere: a person says when that machine is off.
    if !parted && !heads.is_empty() && !heads.contains_key(&replica.identity().origin) {
        tracing::error!(
            new_origin = %replica.identity().origin,
            "the store does not end where its witness says: its disk went back, or its identity is lost. It goes on as a new origin; \
             count the stock, because what was sold since then may be missing here"
        );
        // This store cannot vouch for what it was any more. What that did stays. The relay and the site's other nodes are other
        // machines: they go on. A store that an older version made does not say which of its nodes it was, and knew of one only.
        let was = |origin: &&OriginId| match was {
            Some(was) => **origin == was,
            None => replica.site().origin(origin).is_none_or(|card| card.role == OriginRole::Node),
        };
        let fences: Vec<Change> = heads.keys().filter(was).map(|origin| Change::Fence(*origin)).collect();
        replica.commit(Actor::System, now, &fences).map_err(too_large)?;
    }
    if replica.is_staged() {
        replica.flush()?;
    }
    Ok(replica)
}

/// Whether the log ends where the witness says, or later on the same chain.
fn agrees(
    store: &dyn NodeStore,
    heads: &BTreeMap<OriginId, Head>,
    origin: &OriginId,
    said: Option<Head>,
) -> Result<bool, StoreError> {
    let ours = heads.get(origin).copied();
    match (said, ours) {
        (None, None) => Ok(heads.is_empty()),
        // The witness is written in every commit: without it somebody removed it, or the disk lost it.
        (None, Some(_)) | (Some(_), None) => Ok(false),
        (Some(said), Some(ours)) if said.seq > ours.seq => Ok(false),
        (Some(said), Some(_)) => {
            let entries = store.log_from(origin, said.seq, 1)?;
            Ok(entries.first().is_some_and(|entry| entry.head == said))
        }
    }
}

fn new_identity(known: Option<&Identity>, first: bool) -> Result<Identity, NoRandom> {
    let letter = if first {
        "A".to_owned()
    } else {
        Identity::successor_letter(known.map_or("A", |known| &known.letter), tokens::random()?)
    };
    Ok(Identity::new(tokens::random()?, letter))
}

/// Whether this node has never got as far as confirming anything.
fn is_new(paths: &Paths) -> Result<bool, StoreError> {
    Ok(Identity::load(&paths.identity())?.is_none() && files::read_if_there(&paths.witness())?.is_none())
}

/// Whether these are words of a store that cannot be read, not of a system that refuses for now.
fn is_damage(error: &StoreError) -> bool {
    matches!(error, StoreError::Engine(_) | StoreError::Damaged { .. } | StoreError::Panicked(_))
}

/// The store is empty, but this node has a history. sled opens some damaged files as an empty store, so they are kept.
fn gone(paths: &Paths, clock: &Clock) -> Result<OpenError, StoreError> {
    let aside = move_aside(&paths.store(), clock.now().0)?;
    let name = aside.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let note = format!(
        "The store is empty, but this node has taken orders before: its files were removed, lost or damaged. What was there was \
         moved aside to {name}."
    );
    files::write_whole(&paths.recovery_note(), note.as_bytes())?;
    Ok(OpenError::NeedsRecovery(note))
}

fn set_aside(paths: &Paths, clock: &Clock, error: StoreError) -> OpenError {
    match error {
        StoreError::InUse => OpenError::InUse,
        damaged @ (StoreError::Engine(_) | StoreError::Damaged { .. } | StoreError::Panicked(_)) => {
            let moved = move_aside(&paths.store(), clock.now().0).and_then(|aside| {
                let name = aside.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let note = format!("The store could not be opened ({damaged}). It was moved aside to {name}.");
                files::write_whole(&paths.recovery_note(), note.as_bytes())?;
                Ok(note)
            });
            match moved {
                Ok(note) => OpenError::NeedsRecovery(note),
                Err(error) => OpenError::Store(error),
            }
        }
        passing @ (StoreError::Io { .. } | StoreError::Archive(_)) => OpenError::Store(passing),
    }
}

/// The site that this machine belongs to, if it ever had a store that knew it.
pub fn kept_site(paths: &Paths) -> Result<Option<SiteId>, StoreError> {
    let kept = files::read_if_there(&paths.site())?;
    Ok(kept.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok()))
}

/// Keeps it beside the store, durably.
pub fn keep_site(paths: &Paths, site: &SiteId) -> Result<(), StoreError> {
    if kept_site(paths)?.as_ref() != Some(site) {
        files::write_whole(&paths.site(), format!("{site}\n").as_bytes())?;
    }
    Ok(())
}

/// A manager has decided: begin anew. The old files stay where they were moved to. A machine that knows its site stays its node, under
/// another name: what the relay has of it comes back (SPEC I10).
pub fn begin_anew(paths: &Paths) -> Result<(), StoreError> {
    let stranger = kept_site(paths)?.is_none().then(|| [paths.uplink(), paths.siblings()]);
    let files = [paths.identity(), paths.witness(), paths.recovery_note()];
    for path in files.into_iter().chain(stranger.into_iter().flatten()) {
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io(format!("removing {}", path.display()))(error)),
        }
    }
    files::sync_dir(Path::new(&paths.data))?;
    Ok(())
}

#[cfg(test)]
mod tests;
