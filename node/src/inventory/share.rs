//! Shares of the stock: rights given to the relay, so that it can sell while the node is away, and to the site's other nodes (SPEC S2, S7).

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::{IngredientId, OriginId};
use pilotlight_sync::domain::money::BasisPoints;
use pilotlight_sync::domain::pricing::{CartLine, price};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::stock::needs;
use std::convert::Infallible;

/// Of each delivery that the relay has no share of yet.
const FIRST_SHARE: BasisPoints = BasisPoints(3_000);
/// Of each delivery that another node of the site has no share of yet, after the relay's.
const SIBLING_SHARE: BasisPoints = BasisPoints(2_500);
/// Of what the node has left, at most, when the relay asks for more.
const MORE_SHARE: BasisPoints = BasisPoints(5_000);
/// Ingredients that one request may name.
pub const WISHES_MAX: usize = 256;

/// Gives the relay, and each other node, its first share of each ingredient that was delivered here and that it never had any of.
pub fn first_shares(replica: &Replica) -> Vec<Change> {
    let site = replica.site();
    let shares: Vec<(OriginId, BasisPoints)> = site
        .relay()
        .map(|relay| (relay, FIRST_SHARE))
        .into_iter()
        .chain(siblings(replica).map(|node| (node, SIBLING_SHARE)))
        .collect();
    let first = site.stocks().filter_map(|(ingredient, _)| {
        let mut own = Own::of(replica, ingredient)?;
        // What was given here is not given on unasked: it would go round.
        if own.row.added == 0 {
            return None;
        }
        let mut given = false;
        for (to, share) in &shares {
            given |= !own.row.given.contains_key(to) && own.give(*to, *share, u64::MAX);
        }
        given.then(|| own.change())
    });
    first.collect()
}

/// The site's other nodes that no fence has ended.
fn siblings(replica: &Replica) -> impl Iterator<Item = OriginId> {
    let (site, own) = (replica.site(), replica.identity().origin);
    let live =
        move |card: &&OriginCard| card.role == OriginRole::Node && card.origin != own && !site.is_fenced(&card.origin);
    site.origins().filter(live).map(|card| card.origin)
}

/// Whether there is somebody new who has no share yet: cheap, for deciding whether to look.
pub fn others(replica: &Replica) -> usize {
    usize::from(replica.site().relay().is_some()) + siblings(replica).count()
}

/// Plans an answer to the wishes of the relay or of another node: each gets what it asks for, but no more than half of what is left here.
pub fn plan(
    replica: &Replica,
    to: OriginId,
    wishes: &[(IngredientId, u64)],
) -> Result<Plan<usize>, PlanError<Infallible>> {
    if to != replica.identity().origin && replica.site().origin(&to).is_some() && !replica.site().is_fenced(&to) {
        let give = |(ingredient, amount): &(IngredientId, u64)| {
            let mut own = Own::of(replica, ingredient)?;
            own.give(to, MORE_SHARE, *amount).then(|| own.change())
        };
        let given: Vec<Change> = wishes.iter().take(WISHES_MAX).filter_map(give).collect();
        let count = given.len();
        return Ok(Plan::new(Actor::System, given, move |_| count));
    }
    Ok(Plan::answer_only(Actor::System, 0))
}

/// What this node would like to have of others to sell these lines: of each ingredient that is short here, twice what it lacks.
pub fn wishes(replica: &Replica, lines: &[CartLine]) -> Vec<(IngredientId, u64)> {
    let Ok(priced) = price(lines, replica.site().menu()) else { return Vec::new() };
    let own = replica.identity().origin;
    let lacking = |(ingredient, amount): (IngredientId, u64)| {
        let rights = replica.site().sellable(&ingredient, &own)?;
        (rights < amount).then(|| (ingredient, 2 * (amount - rights)))
    };
    needs(&priced.lines).into_iter().filter_map(lacking).take(WISHES_MAX).collect()
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

    /// Whether there was anything to give.
    fn give(&mut self, to: OriginId, share: BasisPoints, wanted: u64) -> bool {
        let most = share.of(i64::try_from(self.rights).unwrap_or(i64::MAX));
        let amount = wanted.min(u64::try_from(most).unwrap_or(0));
        let row = (amount > 0).then(|| self.row.clone().give(to, amount, self.rights)).and_then(Result::ok);
        let Some(row) = row else { return false };
        self.row = row;
        self.rights -= amount;
        true
    }

    fn change(self) -> Change {
        Change::Stock(self.ingredient, self.row)
    }
}
