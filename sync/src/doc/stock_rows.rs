//! A replica's own stock rows as a plan changes them: what is given back first, then what is used (SPEC S2, S3).

use crate::crdt::counter::{BoundedCounter, Row};
use crate::doc::change::Change;
use crate::doc::site::Site;
use crate::domain::id::{IngredientId, OriginId};
use crate::domain::pricing::PricedLine;
use crate::domain::stock::{Shortfall, check};
use std::collections::BTreeMap;

/// Rows touched so far.
#[derive(Debug)]
pub struct StockRows<'site> {
    site: &'site Site,
    origin: OriginId,
    rows: BTreeMap<IngredientId, (Row, u64)>,
}

impl<'site> StockRows<'site> {
    /// The rows of this origin, as they are.
    pub fn of(site: &'site Site, origin: OriginId) -> Self {
        Self { site, origin, rows: BTreeMap::new() }
    }

    fn row(&mut self, ingredient: &IngredientId) -> &mut (Row, u64) {
        let (site, origin) = (self.site, self.origin);
        self.rows.entry(*ingredient).or_insert_with(|| {
            let stock = site.stock(ingredient);
            let row = stock.map(|stock| stock.row(&origin)).unwrap_or_default();
            (row, stock.map_or(0, |stock: &BoundedCounter| stock.rights(&origin)))
        })
    }

    /// Takes back what a line used.
    pub fn take_back(&mut self, line: &PricedLine) {
        for used in &line.uses {
            let (row, rights) = self.row(&used.ingredient);
            *row = std::mem::take(row).take_back(used.amount);
            *rights = rights.saturating_add(used.amount);
        }
    }

    /// Adds what was found on the shelf.
    pub fn find(&mut self, ingredient: &IngredientId, amount: u64) {
        let (row, rights) = self.row(ingredient);
        *row = std::mem::take(row).deliver(amount);
        *rights = rights.saturating_add(amount);
    }

    /// Uses what lines need, or says which line there is no right to sell.
    pub fn spend(&mut self, lines: &[PricedLine]) -> Result<(), Shortfall> {
        let ingredients: Vec<IngredientId> =
            lines.iter().flat_map(|line| &line.uses).map(|used| used.ingredient).collect();
        for ingredient in &ingredients {
            self.row(ingredient);
        }
        let enforced = |ingredient: &IngredientId| self.site.sellable(ingredient, &self.origin).is_some();
        let rights = |ingredient: &IngredientId| {
            let rights = self.rows.get(ingredient).map_or(0, |(_, rights)| *rights);
            enforced(ingredient).then_some(rights)
        };
        for (ingredient, amount) in check(lines, rights)? {
            let (row, rights) = self.row(&ingredient);
            // What is not enforced is unlimited: it is counted all the same, for the forecast.
            row.used = row.used.saturating_add(amount);
            *rights = rights.saturating_sub(amount);
        }
        Ok(())
    }

    /// The rows as changes of one commit.
    pub fn into_changes(self) -> impl Iterator<Item = Change> {
        self.rows.into_iter().map(|(ingredient, (row, _))| Change::Stock(ingredient, row))
    }
}
