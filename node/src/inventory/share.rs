//! The relay's share of the stock: rights given to it, so that it can sell while the node is away (SPEC S2, S7).

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::domain::id::{IngredientId, OriginId};
use pilotlight_sync::domain::money::BasisPoints;
use pilotlight_sync::domain::role::Actor;
use std::convert::Infallible;

/// Of each delivery that the relay has no share of yet.
const FIRST_SHARE: BasisPoints = BasisPoints(3_000);
/// Of what the node has left, at most, when the relay asks for more.
const MORE_SHARE: BasisPoints = BasisPoints(5_000);
/// Ingredients that one request may name.
pub const WISHES_MAX: usize = 256;

/// Gives the relay its first share of each ingredient that it never had any of.
pub fn first_shares(replica: &Replica) -> Vec<Change> {
    let site = replica.site();
    let Some(relay) = site.relay() else { return Vec::new() };
    let first = site.stocks().filter_map(|(ingredient, _)| {
        let own = Own::of(replica, ingredient)?;
        if own.row.given.contains_key(&relay) {
            return None;
        }
        own.give(relay, FIRST_SHARE, u64::MAX)
    });
    first.collect()
}

/// Plans an answer to the relay's wishes: each gets what it asks for, but no more than half of what is left here.
pub fn plan(replica: &Replica, wishes: &[(IngredientId, u64)]) -> Result<Plan<usize>, PlanError<Infallible>> {
    let Some(relay) = replica.site().relay() else { return Ok(Plan::answer_only(Actor::System, 0)) };
    let wishes = wishes.iter().take(WISHES_MAX);
    let given: Vec<Change> = wishes
        .filter_map(|(ingredient, amount)| Own::of(replica, ingredient)?.give(relay, MORE_SHARE, *amount))
        .collect();
    let count = given.len();
    Ok(Plan::new(Actor::System, given, move |_| count))
}

/// The own row of an ingredient that is counted.
struct Own {
    ingredient: IngredientId,
    row: pilotlight_sync::crdt::counter::Row,
    rights: u64,
}

impl Own {
    fn of(replica: &Replica, ingredient: &IngredientId) -> Option<Self> {
        let (site, origin) = (replica.site(), replica.identity().origin);
        let rights = site.sellable(ingredient, &origin)?;
        Some(Self { ingredient: *ingredient, row: site.stock(ingredient)?.row(&origin), rights })
    }

    fn give(self, to: OriginId, share: BasisPoints, wanted: u64) -> Option<Change> {
        let most = share.of(i64::try_from(self.rights).unwrap_or(i64::MAX));
        let amount = wanted.min(u64::try_from(most).unwrap_or(0));
        let row = (amount > 0).then(|| self.row.give(to, amount, self.rights)).and_then(Result::ok)?;
        Some(Change::Stock(self.ingredient, row))
    }
}
