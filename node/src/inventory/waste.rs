//! Books waste: what was there and cannot be sold any more, with its reason. It is used up in the keeper's own row; what no right there
//! covers is a shortage, as after a count (SPEC S11, S13).

use crate::inventory::{OtherKeeper, keeper_elsewhere};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::crdt::counter::{Row, ShortRow};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::site::Receipt;
use pilotlight_sync::domain::id::{IngredientId, IntentId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::limits::STOCK_AMOUNT_MAX;

/// Waste as a person says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waste {
    /// Minted by the device: sending it again books nothing twice.
    pub intent: IntentId,
    /// Of what.
    pub ingredient: IngredientId,
    /// How much, in its unit.
    pub amount: u64,
    /// Burnt, dropped, past its date: in a person's words.
    pub why: String,
}

/// Why nothing was booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WasteRefusal {
    /// Another node books the stock.
    #[error(transparent)]
    OtherKeeper(#[from] OtherKeeper),
    /// No such ingredient.
    #[error("ingredient {0} is not known")]
    UnknownIngredient(IngredientId),
    /// This id booked something else.
    #[error("this id booked something else")]
    SameIdOther {
        /// The first field that differs.
        field: &'static str,
    },
    /// Nobody says why.
    #[error("waste needs a reason")]
    NoReason,
    /// Nothing, or more than the books have of it.
    #[error("amount {amount} is not between 1 and {most}, which the books have")]
    Amount {
        /// What was sent.
        amount: u64,
        /// All rights less what is known to miss, in the ingredient's unit.
        most: u64,
    },
}

/// Plans it; sent again it is answered as before.
pub fn plan(replica: &Replica, by: Actor, waste: Waste) -> Result<Plan<()>, PlanError<WasteRefusal>> {
    let refuse = |refusal| Err(PlanError::Refused(refusal));
    let Waste { intent, ingredient, amount, why } = waste;
    if let Some(booked) = replica.receipt(&intent)? {
        let field = match &booked {
            Receipt { wasted: None, .. } => "id",
            Receipt { ingredient: of, .. } if *of != ingredient => "ingredient",
            Receipt { amount: of, .. } if *of != amount => "amount",
            Receipt { wasted: Some(said), .. } if *said != why => "why",
            Receipt { .. } => return Ok(Plan::answer_only(by, ())),
        };
        return refuse(WasteRefusal::SameIdOther { field });
    }
    keeper_elsewhere(replica).map_err(|other| PlanError::Refused(other.into()))?;
    let site = replica.site();
    if !site.menu().ingredients.contains_key(&ingredient) {
        return refuse(WasteRefusal::UnknownIngredient(ingredient));
    }
    if why.trim().is_empty() {
        return refuse(WasteRefusal::NoReason);
    }
    let own = replica.identity().origin;
    let stock = site.stock(&ingredient).cloned().unwrap_or_default();
    // What is known to miss is in the rights still, and not on the shelf.
    let most = stock.stock().saturating_sub(stock.shortage()).min(STOCK_AMOUNT_MAX);
    if amount == 0 || amount > most {
        return refuse(WasteRefusal::Amount { amount, most });
    }
    let (row, short) = (stock.row(&own), stock.short(&own));
    let used = amount.min(stock.rights(&own));
    let open = amount - used;
    let row = Row { used: row.used.saturating_add(used), ..row };
    let receipt = Receipt { wasted: Some(why), ..Receipt::delivered(ingredient, amount) };
    let mut changes = vec![Change::Receipt(intent, receipt), Change::Stock(ingredient, row)];
    if open > 0 {
        let short = ShortRow { booked: short.booked.saturating_add(open), ..short };
        changes.push(Change::Short(ingredient, short));
    }
    Ok(Plan::new(by, changes, |_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{count, receive};
    use crate::testing::{Shop, Sibling, dough};

    fn waste(shop: &mut Shop, id: &str, amount: u64, why: &str) -> Result<u64, WasteRefusal> {
        let intent = IntentId::derived(&[id]);
        let waste = Waste { intent, ingredient: dough(), amount, why: why.to_owned() };
        shop.run(|replica, _| plan(replica, Actor::System, waste))?;
        Ok(shop.rights())
    }

    #[test]
    fn s13_waste_is_used_up_once_and_for_a_reason() {
        let mut shop = Shop::open();
        assert_eq!(waste(&mut shop, "one", 300, " "), Err(WasteRefusal::NoReason));
        for _ in 0..2 {
            assert_eq!(waste(&mut shop, "one", 300, "burnt"), Ok(700));
        }
        assert_eq!(waste(&mut shop, "one", 300, "dropped"), Err(WasteRefusal::SameIdOther { field: "why" }));
        assert_eq!(waste(&mut shop, "two", 701, "burnt"), Err(WasteRefusal::Amount { amount: 701, most: 700 }));
        shop.reopen();
        assert_eq!(waste(&mut shop, "one", 300, "burnt"), Ok(700));
    }

    #[test]
    fn s13_what_another_may_sell_and_is_gone_is_a_shortage() {
        let mut shop = Shop::open();
        let bar = Sibling::join(&mut shop, "B");
        let own = shop.replica().identity().origin;
        let row = shop.replica().site().stock(&dough()).unwrap().row(&own).give(bar.origin, 900, 1_000).unwrap();
        shop.commit(&[Change::Stock(dough(), row)]);
        assert_eq!(waste(&mut shop, "one", 250, "the freezer was off"), Ok(0));
        assert_eq!(shop.replica().site().stock(&dough()).unwrap().shortage(), 150);
        // 900 may be sold by the bar, and 150 of these are known not to be there.
        assert_eq!(waste(&mut shop, "two", 751, "dropped"), Err(WasteRefusal::Amount { amount: 751, most: 750 }));
        assert_eq!(waste(&mut shop, "two", 750, "dropped"), Ok(0));
        assert_eq!(waste(&mut shop, "three", 1, "dropped"), Err(WasteRefusal::Amount { amount: 1, most: 0 }));
    }

    #[test]
    fn s12_only_the_stock_keeper_books_deliveries_waste_and_counts() {
        let mut shop = Shop::open();
        let bar = Sibling::join(&mut shop, "0");
        let other = OtherKeeper { keeper: Some(bar.origin), letter: "0".to_owned() };
        assert_eq!(waste(&mut shop, "one", 300, "burnt"), Err(other.clone().into()));
        let (intent, by) = (IntentId::derived(&["two"]), Actor::System);
        let receipt = Receipt::delivered(dough(), 5);
        let received = shop.run(|replica, now| receive::plan(replica, now, by, intent, receipt.clone()));
        assert_eq!(received, Err(other.clone().into()));
        let counted = shop.run(|replica, now| count::plan(replica, now, by, intent, (dough(), 900)));
        assert_eq!(counted, Err(other.into()));
        let found = Receipt { found: Some("second shelf".to_owned()), ..receipt };
        let found = shop.run(|replica, now| receive::plan(replica, now, by, intent, found));
        assert_eq!(found, Ok(()), "whoever stands before the guest has found it");
        let own = shop.replica().identity().origin;
        let named = shop.replica().site().write_keeper(own);
        shop.commit(&[named]);
        assert_eq!(waste(&mut shop, "one", 300, "burnt"), Ok(705));
    }
}
