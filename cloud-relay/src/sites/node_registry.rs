//! All enrolled sites of this relay, each with its queue and its link.

use crate::config::LinkConfig;
use crate::sites::identity::Identity;
use crate::sites::site_handle::{React, Shared, SiteChange, SiteFacts, SiteHandle};
use crate::store::site_rows::{self, SiteRow};
use crate::store::{Database, StoreError};
use pilotlight_edge::clock::Clock;
use pilotlight_sync::domain::id::{OriginId, SiteId};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, Semaphore, broadcast};

/// Links that may begin at the same time: each reads its site. Whoever comes besides is asked to come again.
pub(super) const BEGINNING_MAX: usize = 128;
/// Sites that may send long logs at the same time: the others' orders must not wait behind them.
const BULK_SYNCS_MAX: usize = 4;
/// Changes that a listener may be behind; then it reads anew.
const CHANGES_MAX: usize = 1_024;

/// All enrolled sites.
#[derive(Debug)]
pub struct Sites {
    known: RwLock<BTreeMap<SiteId, SiteHandle>>,
    opening: Mutex<()>,
    shared: Shared,
    /// How links are watched.
    pub links: LinkConfig,
    /// Permits for long logs.
    pub(super) bulk: Semaphore,
    /// Permits for links that begin.
    pub(super) beginning: Semaphore,
}

impl Sites {
    /// Opens every enrolled site. `react` is what the relay does of itself when orders change.
    pub async fn start(
        database: Database,
        clock: Clock,
        links: LinkConfig,
        react: Arc<dyn React>,
    ) -> Result<Arc<Self>, StoreError> {
        let (changes, _) = broadcast::channel(CHANGES_MAX);
        let shared = Shared { database: database.clone(), clock, react, changes };
        let (known, opening, bulk) = (RwLock::default(), Mutex::default(), Semaphore::new(BULK_SYNCS_MAX));
        let beginning = Semaphore::new(BEGINNING_MAX);
        let sites = Arc::new(Self { known, opening, shared, links, bulk, beginning });
        for row in site_rows::all(&database).await? {
            sites.open(&row).await?;
        }
        Ok(sites)
    }

    /// A site, if it is enrolled.
    pub fn get(&self, id: &SiteId) -> Option<SiteHandle> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All of them, by id.
    pub fn all(&self) -> Vec<SiteHandle> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Hears what changes at any site. Who falls behind reads anew.
    pub fn changes(&self) -> broadcast::Receiver<Arc<SiteChange>> {
        self.shared.changes.subscribe()
    }

    /// Whether customers may order there now.
    pub fn is_open(&self, site: &SiteHandle) -> bool {
        site.link.is_open(self.shared.clock.now(), self.links.steady_ms)
    }

    /// The node that makes what customers order there now; `None` while the site is closed online.
    pub fn owner(&self, site: &SiteHandle) -> Option<OriginId> {
        site.link.owner(self.shared.clock.now(), self.links.steady_ms)
    }

    /// Opens a site unless it is open; `None` while its node has not enrolled.
    pub(super) async fn open(&self, row: &SiteRow) -> Result<Option<SiteHandle>, StoreError> {
        let Some(id) = row.id else { return Ok(None) };
        let _one = self.opening.lock().await;
        if let Some(site) = self.get(&id) {
            return Ok(Some(site));
        }
        let identity = Identity::new(row.own_origin, &row.own_key);
        let facts = SiteFacts { id, no: row.no, name: row.name.clone(), lat: row.lat, lon: row.lon, identity };
        let site = SiteHandle::start(facts, &self.shared).await?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, site.clone());
        Ok(Some(site))
    }

    pub(super) fn database(&self) -> &Database {
        &self.shared.database
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.shared.clock
    }
}
