//! Rights for a node: the relay gives of its own row what a node asks for, as the nodes give to the relay (SPEC S7).

use crate::sites::site_handle::SiteHandle;
use crate::store::site_tx::WorkError;
use futures_util::FutureExt;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::money::BasisPoints;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::protocol::Want;
use std::convert::Infallible;

/// Of what the relay has left, at most.
const SHARE: BasisPoints = BasisPoints(5_000);

/// What the relay's row gives to a node of the site that no fence has ended: what it asks for, but no more than half of what is left.
pub fn given(site: &Site, relay: &OriginId, to: OriginId, wants: &[Want]) -> Vec<Change> {
    let live = site.origin(&to).is_some_and(|card| card.role == OriginRole::Node) && !site.is_fenced(&to);
    if !live {
        return Vec::new();
    }
    let give = |want: &Want| {
        let rights = site.sellable(&want.ingredient, relay)?;
        let most = u64::try_from(SHARE.of(i64::try_from(rights).unwrap_or(i64::MAX))).unwrap_or(0);
        let amount = want.amount.min(most);
        let row = site.stock(&want.ingredient)?.row(relay);
        let row = (amount > 0).then(|| row.give(to, amount, rights))?.ok()?;
        Some(Change::Stock(want.ingredient, row))
    };
    wants.iter().filter_map(give).collect()
}

/// Gives, durably. Answers of how many ingredients.
pub async fn give(site: &SiteHandle, to: OriginId, wants: Vec<Want>) -> Result<usize, WorkError<Infallible>> {
    site.run(move |tx| {
        async move {
            let changes = given(tx.site(), &tx.origin(), to, &wants);
            if !changes.is_empty() {
                tx.commit(Actor::System, &changes).await?;
            }
            Ok(changes.len())
        }
        .boxed()
    })
    .await
}
