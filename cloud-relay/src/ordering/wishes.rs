//! Which rights the relay asks a site for: by what was sold online lately, when little is left. Pure but for its own memory.

use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::{IngredientId, OriginId};
use pilotlight_sync::domain::pricing::PricedLine;
use pilotlight_sync::domain::stock::needs;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// Demand older than this, in milliseconds of business time, is forgotten.
const WINDOW_MS: u64 = 30 * 60_000;
/// Sales remembered of one site.
const SALES_MAX: usize = 4_096;
/// One request an ingredient in this time, in milliseconds of real time.
const PAUSE_MS: u64 = 5_000;

/// What was lately wanted online of one site.
#[derive(Debug, Default)]
pub struct Demand {
    sales: VecDeque<(Timestamp, IngredientId, u64)>,
    asked: BTreeMap<IngredientId, Timestamp>,
}

impl Demand {
    /// Remembers what a cart needs, whether it could be sold or not.
    pub fn note(&mut self, lines: &[PricedLine], now: Timestamp) {
        for (ingredient, amount) in needs(lines) {
            if self.sales.len() == SALES_MAX {
                self.sales.pop_front();
            }
            self.sales.push_back((now, ingredient, amount));
        }
    }

    /// Takes in what was noted elsewhere meanwhile.
    pub fn join(&mut self, other: Self) {
        for (ingredient, asked) in other.asked {
            let known = self.asked.entry(ingredient).or_insert(asked);
            *known = (*known).max(asked);
        }
        let room = SALES_MAX.saturating_sub(self.sales.len());
        self.sales.extend(other.sales.into_iter().take(room));
    }

    /// What to ask for now: twice the demand of the window, where less than the demand is left. One request an ingredient each 5 s.
    pub fn wishes(
        &mut self,
        site: &Site,
        relay: &OriginId,
        now: Timestamp,
        real: Timestamp,
    ) -> Vec<(IngredientId, u64)> {
        self.sales.retain(|(at, _, _)| now.ms_since(*at) <= WINDOW_MS);
        let mut wanted: BTreeMap<IngredientId, u64> = BTreeMap::new();
        for (_, ingredient, amount) in &self.sales {
            *wanted.entry(*ingredient).or_default() += amount;
        }
        let mut wishes = Vec::new();
        for (ingredient, demand) in wanted {
            let Some(rights) = site.sellable(&ingredient, relay) else { continue };
            let paused = self.asked.get(&ingredient).is_some_and(|asked| real.ms_since(*asked) < PAUSE_MS);
            if rights < demand && !paused {
                self.asked.insert(ingredient, real);
                wishes.push((ingredient, 2 * demand - rights));
            }
        }
        wishes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::sandbox::faults::Faults;
    use crate::testing::{Market, cart, dough, line};

    #[tokio::test]
    async fn b9_little_rights_and_much_demand_are_asked_for_with_a_pause() {
        let market = Market::open(Faults::default()).await;
        market.quote(cart(vec![line("a", "pizza", 2)])).await.unwrap();
        market.app.desk.wish(&market.site).await.unwrap();
        let wants = market.site.wants();
        assert!(wants.borrow().is_empty(), "600 g are enough for 400 g");
        // What cannot be sold is wanted all the same.
        market.quote(cart(vec![line("b", "pizza", 4)])).await.unwrap_err();
        market.app.desk.wish(&market.site).await.unwrap();
        let asked: Vec<(IngredientId, u64)> =
            wants.borrow().iter().map(|want| (want.ingredient, want.amount)).collect();
        assert_eq!(asked, [(dough(), 2 * 1_200 - 600)]);
        market.site.want(vec![]);
        market.app.desk.wish(&market.site).await.unwrap();
        assert!(wants.borrow().is_empty(), "not within five seconds");
        market.clock.advance(PAUSE_MS);
        market.app.desk.wish(&market.site).await.unwrap();
        assert_eq!(wants.borrow().len(), 1);
        market.clock.advance(WINDOW_MS + PAUSE_MS);
        market.site.want(vec![]);
        market.app.desk.wish(&market.site).await.unwrap();
        assert!(wants.borrow().is_empty(), "what was wanted long ago is forgotten");
    }
}
