//! Stock and what can be sold of it.

pub mod adopt;
pub mod count;
pub mod eighty_six;
pub mod receive;
pub mod share;
pub mod waste;

use crate::store::replica::Replica;
use pilotlight_sync::domain::id::OriginId;

/// Another node of the site is its stock keeper (SPEC S12).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node {letter} books this site's stock")]
pub struct OtherKeeper {
    /// Which.
    pub keeper: Option<OriginId>,
    /// What its order numbers begin with.
    pub letter: String,
}

/// Whether deliveries, waste and counts are another node's to book.
fn keeper_elsewhere(replica: &Replica) -> Result<(), OtherKeeper> {
    let site = replica.site();
    let (keeper, _) = site.keeper();
    if keeper == Some(replica.identity().origin) {
        return Ok(());
    }
    let card = keeper.and_then(|keeper| site.origin(&keeper));
    Err(OtherKeeper { keeper, letter: card.map(|card| card.letter.clone()).unwrap_or_default() })
}
