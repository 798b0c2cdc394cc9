//! All orders of a site, page by page, as its replica here keeps them.

use crate::sites::node_registry::Sites;
use crate::sites::site_handle::SiteHandle;
use crate::store::StoreError;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::replica::{LiveOrder, order_of_key};
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::store::SiteStore;

/// Orders of one page.
const PAGE: usize = 200;

/// Where a page ends: the next one begins behind it.
pub type After = (Timestamp, OrderId);

impl Sites {
    /// Orders placed after this one, the earliest first: at most a page; an empty one is the end.
    pub async fn orders_after(
        &self,
        site: &SiteHandle,
        after: Option<After>,
    ) -> Result<Vec<(OrderId, LiveOrder)>, StoreError> {
        let from = after.map_or_else(
            || b"s".to_vec(),
            |(placed_at, order)| [&b"s"[..], &placed_at.0.to_be_bytes(), order.as_bytes(), &[0]].concat(),
        );
        let store = site.store(self.database());
        let ids: Vec<OrderId> =
            store.index(&from, b"t", PAGE).await?.iter().filter_map(|key| order_of_key(key)).collect();
        let keys: Vec<DocKey> = ids.iter().copied().map(DocKey::Order).collect();
        let mut orders = Vec::with_capacity(ids.len());
        for (id, bytes) in ids.into_iter().zip(store.load(&keys).await?) {
            let damaged = |why: String| StoreError::Damaged { table: "site_doc", why: format!("order {id}: {why}") };
            let bytes = bytes.ok_or_else(|| damaged("it is in the index only".to_owned()))?;
            let order = LiveOrder::from_bytes(&bytes).map_err(|error| damaged(error.to_string()))?;
            orders.push((id, order));
        }
        Ok(orders)
    }
}
