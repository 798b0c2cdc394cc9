//! One hash over a site's documents here, to be compared with its node's (SPEC N4).

use crate::sites::node_registry::Sites;
use crate::sites::site_handle::SiteHandle;
use crate::store::StoreError;
use crate::store::site_tx::WorkError;
use pilotlight_sync::doc::digest::{Digest, Digesting};
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::replica::order_of_key;
use pilotlight_sync::store::SiteStore;
use std::convert::Infallible;

/// Orders that are read at once.
const PAGE: usize = 500;

impl Sites {
    /// Hashes the site's small documents, then every order by the time it was placed; answers with how many orders there are. It is
    /// of a moment only when nothing is written.
    pub async fn digest(&self, site: &SiteHandle) -> Result<(Digest, u64), WorkError<Infallible>> {
        let docs = site.read(|replica, _| {
            let mut digesting = Digesting::default();
            replica.site().docs().for_each(|(key, bytes)| digesting.add(&key, &bytes));
            digesting
        });
        let mut digesting = docs.await?;
        let (store, mut from, mut orders) = (site.store(self.database()), b"s".to_vec(), 0);
        loop {
            let keys = store.index(&from, b"t", PAGE).await?;
            let Some(last) = keys.last() else { break };
            from = [last.as_slice(), &[0]].concat();
            let named: Vec<DocKey> = keys.iter().filter_map(|key| order_of_key(key)).map(DocKey::Order).collect();
            for (key, bytes) in named.iter().zip(store.load(&named).await?) {
                let missing =
                    || StoreError::Damaged { table: "site_doc", why: format!("{key:?} is in the index only") };
                digesting.add(key, &bytes.ok_or_else(missing)?);
                orders += 1;
            }
        }
        Ok((digesting.finish(), orders))
    }
}
