//! All orders of a site, page by page, in the order in which they were placed.

use crate::sites::node_registry::Sites;
use crate::sites::site_handle::SiteHandle;
use crate::store::StoreError;
use pilotlight_sync::doc::key::DocKey;
use pilotlight_sync::doc::replica::{LiveOrder, order_of_key};
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::store::SiteStore;

/// Where a page begins: after this entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After(Vec<u8>);

impl After {
    /// Before the first order.
    pub fn start() -> Self {
        Self(Vec::new())
    }

    /// Reads it as it was given out.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 || !text.is_ascii() || !text.len().is_multiple_of(2) {
            return None;
        }
        let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        (0..text.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>().map(Self)
    }

    /// As it is given out.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Sites {
    /// Orders after a place, at most so many, and where the next page begins if there may be one.
    pub async fn orders_after(
        &self,
        site: &SiteHandle,
        after: &After,
        limit: usize,
    ) -> Result<(Vec<(OrderId, LiveOrder)>, Option<After>), StoreError> {
        let store = site.store(self.database());
        let from = if after.0.first() == Some(&b's') { [after.0.as_slice(), &[0]].concat() } else { b"s".to_vec() };
        let keys = store.index(&from, b"t", limit).await?;
        let next = keys.last().filter(|_| keys.len() == limit).cloned().map(After);
        let named: Vec<OrderId> = keys.iter().filter_map(|key| order_of_key(key)).collect();
        let docs: Vec<DocKey> = named.iter().copied().map(DocKey::Order).collect();
        let mut orders = Vec::with_capacity(named.len());
        for (id, bytes) in named.into_iter().zip(store.load(&docs).await?) {
            let damaged = |why: String| StoreError::Damaged { table: "site_doc", why: format!("order {id}: {why}") };
            let bytes = bytes.ok_or_else(|| damaged("it is in the index only".to_owned()))?;
            orders.push((id, LiveOrder::from_bytes(&bytes).map_err(|error| damaged(error.to_string()))?));
        }
        Ok((orders, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_nonsense_is_none() {
        let place = After(vec![b's', 0, 255]);
        assert_eq!(After::parse(&place.to_text()), Some(place));
        assert_eq!(After::parse(""), Some(After::start()));
        for nonsense in ["7", "zz", "é1", &"00".repeat(40)] {
            assert_eq!(After::parse(nonsense), None, "{nonsense}");
        }
    }
}
