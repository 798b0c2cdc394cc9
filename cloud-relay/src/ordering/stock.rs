//! The relay's own stock rows as a plan changes them: it spends only the rights that the node has given it (SPEC S2).

use pilotlight_sync::crdt::counter::{BoundedCounter, Row};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::site::Site;
use pilotlight_sync::domain::id::{IngredientId, OriginId};
use pilotlight_sync::domain::pricing::PricedLine;
use pilotlight_sync::domain::stock::{Shortfall, check};
use std::collections::BTreeMap;

/// Rows touched so far.
#[derive(Debug)]
pub struct StockRows<'site> {
    site: &'site Site,
    origin: OriginId,
    rows: BTreeMap<IngredientId, Row>,
}

impl<'site> StockRows<'site> {
    /// The rows of this origin, as they are.
    pub fn of(site: &'site Site, origin: OriginId) -> Self {
        Self { site, origin, rows: BTreeMap::new() }
    }

    fn row(&mut self, ingredient: &IngredientId) -> &mut Row {
        let (site, origin) = (self.site, self.origin);
        let known = || site.stock(ingredient).map(|stock: &BoundedCounter| stock.row(&origin)).unwrap_or_default();
        self.rows.entry(*ingredient).or_insert_with(known)
    }

    /// Uses what lines need, or says which line there is no right to sell.
    pub fn spend(&mut self, lines: &[PricedLine]) -> Result<(), Shortfall> {
        for (ingredient, amount) in check(lines, |ingredient| self.site.sellable(ingredient, &self.origin))? {
            // What is not enforced is unlimited: it is counted all the same, for the forecast.
            let row = self.row(&ingredient);
            row.used = row.used.saturating_add(amount);
        }
        Ok(())
    }

    /// Takes back what a line used.
    pub fn take_back(&mut self, line: &PricedLine) {
        for used in &line.uses {
            let row = self.row(&used.ingredient);
            *row = std::mem::take(row).take_back(used.amount);
        }
    }

    /// The rows as changes of one commit.
    pub fn into_changes(self) -> impl Iterator<Item = Change> {
        self.rows.into_iter().map(|(ingredient, row)| Change::Stock(ingredient, row))
    }
}
