//! A manager states that an old machine is off: its origin is ended, and this node takes over its last known rights, which nobody has
//! counted. No relay is needed, and a replaced node sells at once (SPEC S8).

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::domain::id::{IngredientId, OriginId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;

/// Ingredients that are taken over in one commit.
const COMMIT_INGREDIENTS_MAX: usize = 500;

/// Why nothing was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdoptRefusal {
    /// Nobody of this name has written here.
    #[error("origin {0} is not known here")]
    Unknown(OriginId),
    /// It is this machine.
    #[error("this is the machine itself: it is on")]
    Own,
    /// It is the relay: what it holds is its own to sell.
    #[error("this is the relay, and no machine of the restaurant")]
    Relay,
}

/// What was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// How much of which ingredient, now; nothing when it had been taken over before.
    pub amounts: Vec<(IngredientId, u64)>,
}

/// Machines that have written here under other names and that a manager may state to be off: the ended ones of which something is left
/// to take over, and the others.
pub fn others(replica: &Replica) -> Vec<OriginId> {
    let (site, own) = (replica.site(), replica.identity().origin);
    let nodes = site.origins().filter(|card| card.role == OriginRole::Node && card.origin != own);
    let left = |of: &OriginId| site.stocks().any(|(_, stock)| stock.last_known(of) > 0);
    nodes.map(|card| card.origin).filter(|of| !site.is_fenced(of) || left(of)).collect()
}

/// Plans it. Done again it takes over what has come to be known since, and nothing twice.
pub fn plan(
    replica: &Replica,
    _now: Timestamp,
    by: Actor,
    of: OriginId,
) -> Result<Plan<Adopted>, PlanError<AdoptRefusal>> {
    let (site, own) = (replica.site(), replica.identity().origin);
    let card = site.origin(&of).ok_or(PlanError::Refused(AdoptRefusal::Unknown(of)))?;
    if of == own {
        return Err(PlanError::Refused(AdoptRefusal::Own));
    }
    if card.role != OriginRole::Node {
        return Err(PlanError::Refused(AdoptRefusal::Relay));
    }
    let left = site.stocks().filter_map(|(ingredient, stock)| {
        let amount = u64::try_from(stock.last_known(&of)).ok().filter(|amount| *amount > 0)?;
        Some((*ingredient, amount, stock.row(&own).deliver(amount), stock.adopted(&of, &own).saturating_add(amount)))
    });
    let left: Vec<_> = left.collect();
    let amounts = left.iter().map(|(ingredient, amount, ..)| (*ingredient, *amount)).collect();
    let mut commits = left.chunks(COMMIT_INGREDIENTS_MAX).map(|some| {
        let both = |(ingredient, _, row, total): &(IngredientId, u64, _, u64)| {
            let row: &pilotlight_sync::crdt::counter::Row = row;
            [Change::Adopted(*ingredient, of, *total), Change::Stock(*ingredient, row.clone())]
        };
        some.iter().flat_map(both).collect::<Vec<_>>()
    });
    // What is ended already is not ended again.
    let mut first: Vec<Change> = (!site.is_fenced(&of)).then_some(Change::Fence(of)).into_iter().collect();
    first.extend(commits.next().unwrap_or_default());
    let more = commits.collect();
    Ok(Plan { more, ..Plan::new(by, first, move |_| Adopted { amounts }) })
}

#[cfg(test)]
mod tests;
