//! Which rights the relay asks a site for: by what was sold online lately, when little is left. Pure but for its own memory.

use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::{IngredientId, OriginId};
use pilotlight_sync::domain::pricing::PricedLine;
use pilotlight_sync::domain::stock::needs;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// Demand older than this, in milliseconds of business time, is forgotten.
pub const WINDOW_MS: u64 = 30 * 60_000;
/// Sales remembered of one site.
const SALES_MAX: usize = 4_096;
/// One request an ingredient in this time, in milliseconds of real time.
pub const PAUSE_MS: u64 = 5_000;

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
