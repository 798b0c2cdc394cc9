//! A new machine becomes a further node of a site: it is taken in by the relay or by another node, with a one-time code, and fetches what
//! it must know to open. The rest of the logs comes while it serves.

use crate::config::JoinConfig;
use crate::opening::{self, Paths};
use crate::store::StoreError;
use crate::store::identity::Identity;
use crate::store::replica::Replica;
use crate::store::store_handle::StoreHandle;
use crate::uplink::enrol::{self, Joined};
use crate::uplink::link_loop::Told;
use crate::uplink::siblings::Siblings;
use crate::uplink::{Heads, Parts, Wishes, keep};
use anyhow::{Context, bail};
use pilotlight_edge::clock::Clock;
use pilotlight_edge::{files, tokens};
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::protocol::{Opened, Want};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What the node must know to open is there within this time.
const FETCH_MAX: Duration = Duration::from_secs(120);

/// What the machine has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What guests call the restaurant.
    pub name: String,
    /// What its order numbers begin with.
    pub letter: String,
}

/// Nobody listens: whoever joins waits for the logs alone.
struct Quiet;

impl Told for Quiet {
    fn dialling(&self, _: &str, _: Timestamp) {}
    fn online(&self, _: &Opened, _: Timestamp) {}
    fn acked(&self, _: OriginId, _: u64) {}
    fn forked(&self) {}
    fn wanted(&self, _: OriginId, _: Vec<Want>) {}
    fn lost(&self, _: String, _: Timestamp) {}
}

/// Joins. Once more after it was broken off begins where it was, with another code; a directory that has a site's data is left alone.
pub async fn join(config: &JoinConfig, clock: Clock) -> anyhow::Result<Member> {
    let paths = Paths { data: config.data.clone() };
    files::create_dir(&paths.data)?;
    let known = Identity::load(&paths.identity())?;
    if known.is_none() && paths.store().exists() || paths.recovery_note().exists() {
        bail!("{} has a node's data: join with an empty directory", paths.data.display());
    }
    let mut identity = match known {
        Some(identity) => identity,
        None => Identity::new(tokens::random()?, String::new()),
    };
    if paths.store().exists() && opening::open(&paths, &clock)?.site().settings().is_some() {
        bail!("{} has a site's data: join with an empty directory", paths.data.display());
    }
    let ca_pem = config.ca.as_ref().map(std::fs::read_to_string).transpose().context("reading the CA")?;
    let Joined { enrolment, site, letter, by, by_letter } =
        enrol::enrol(&config.with, &config.code, ca_pem, None, "a further node", identity.card()).await?;
    let (Some(site), Some(letter)) = (site, letter) else {
        bail!("what answers there is of a version that takes no further nodes in");
    };
    identity.letter = letter;
    identity.save(&paths.identity())?;
    let (wishes, _of_others) = Wishes::new();
    match by {
        OriginRole::Relay => enrolment.save(&paths.uplink())?,
        OriginRole::Node => Siblings::open(&paths, wishes.clone())?.joined(enrolment.clone(), &by_letter)?,
    }
    let replica = opening::open(&paths, &clock)?;
    let heads = watch::Sender::new(Arc::new(Heads::of(&replica)));
    let mut grown = heads.subscribe();
    let mut first = Some(replica);
    let open = move || first.take().ok_or(StoreError::InUse);
    let publish = move |replica: &Replica, _: &crate::store::replica::Flushed| {
        heads.send_replace(Arc::new(Heads::of(replica)));
    };
    let store = StoreHandle::start(open, publish, clock.clone())?;
    let stopping = CancellationToken::new();
    let parts = Parts {
        store: store.clone(),
        heads: grown.clone(),
        site,
        clock,
        stopping: stopping.clone(),
        config: config.link.clone(),
        asks: wishes.asked(),
    };
    let enrolment = watch::Sender::new(Some(enrolment));
    let fetching = keep(&parts, enrolment.subscribe(), &Quiet, "site");
    let fetched = async {
        loop {
            let name = store.read(|replica, _| Ok(replica.site().settings().map(|site| site.name.clone()))).await?;
            if let Some(name) = name {
                return anyhow::Ok(name);
            }
            grown.changed().await?;
        }
    };
    let name = tokio::select! {
        () = fetching => bail!("the link ended"),
        name = tokio::time::timeout(FETCH_MAX, fetched) => {
            name.context("the site's settings did not come; join again with another code")??
        }
    };
    stopping.cancel();
    Ok(Member { name, letter: identity.letter })
}
