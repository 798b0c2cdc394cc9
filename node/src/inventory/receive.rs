//! Books a delivery, or what was found on the shelf: adding is always allowed, and a repeated request adds once.

use crate::inventory::{OtherKeeper, keeper_elsewhere};
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::crdt::counter::{Row, ShortRow};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::site::Receipt;
use pilotlight_sync::domain::id::{IngredientId, IntentId};
use pilotlight_sync::domain::menu::Ingredient;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::STOCK_AMOUNT_MAX;

/// Why nothing was booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveRefusal {
    /// Another node books the stock.
    #[error(transparent)]
    OtherKeeper(#[from] OtherKeeper),
    /// No such ingredient.
    #[error("ingredient {0} is not known")]
    UnknownIngredient(IngredientId),
    /// This id booked something else.
    #[error("this id booked {} of ingredient {}", booked.amount, booked.ingredient)]
    SameIdOtherReceipt {
        /// The first field that differs.
        field: &'static str,
        /// What was booked.
        booked: Box<Receipt>,
    },
    /// Something was found, and nobody says why it was not in the books.
    #[error("what is found needs a reason")]
    NoReason,
    /// Nothing, or more than any shop holds.
    #[error("amount {0} is not between 1 and {STOCK_AMOUNT_MAX}")]
    Amount(u64),
}

/// Plans it.
pub fn plan(
    replica: &Replica,
    _now: Timestamp,
    by: Actor,
    intent: IntentId,
    receipt: Receipt,
) -> Result<Plan<()>, PlanError<ReceiveRefusal>> {
    if let Some(booked) = replica.receipt(&intent)? {
        let field = match &receipt {
            Receipt { ingredient, .. } if *ingredient != booked.ingredient => "ingredient",
            Receipt { amount, .. } if *amount != booked.amount => "amount",
            Receipt { found, .. } if *found != booked.found => "why",
            Receipt { .. } if booked.counted.is_some() || booked.wasted.is_some() => "id",
            Receipt { .. } => return Ok(Plan::answer_only(by, ())),
        };
        return Err(PlanError::Refused(ReceiveRefusal::SameIdOtherReceipt { field, booked: booked.into() }));
    }
    // Whoever stands before the guest has found it; what is delivered the keeper books.
    if receipt.found.is_none() {
        keeper_elsewhere(replica).map_err(|other| PlanError::Refused(other.into()))?;
    }
    let site = replica.site();
    let known = site.menu().ingredients.get(&receipt.ingredient);
    let known = known.ok_or(PlanError::Refused(ReceiveRefusal::UnknownIngredient(receipt.ingredient)))?;
    if receipt.amount == 0 || receipt.amount > STOCK_AMOUNT_MAX {
        return Err(PlanError::Refused(ReceiveRefusal::Amount(receipt.amount)));
    }
    if receipt.found.as_ref().is_some_and(|why| why.trim().is_empty()) {
        return Err(PlanError::Refused(ReceiveRefusal::NoReason));
    }
    // An imported ingredient is unlimited until somebody counts it: the first delivery begins that.
    let first = site.stock(&receipt.ingredient).is_none_or(|stock| stock.is_never_stocked());
    let begin = (first && !known.enforced)
        .then(|| site.write_ingredient(known.id, Some(Ingredient { enforced: true, ..known.clone() })));
    let row = site.stock(&receipt.ingredient).map(|stock| stock.row(&replica.identity().origin)).unwrap_or_default();
    // What a count found missing is made good first.
    let own = replica.identity().origin;
    let (short, open) = site.stock(&receipt.ingredient).map_or((ShortRow::default(), 0), |stock| {
        let short = stock.short(&own);
        (short, stock.shortage().min(short.booked))
    });
    let cover = open.min(receipt.amount);
    let row = row.deliver(receipt.amount);
    let stock = Change::Stock(receipt.ingredient, Row { used: row.used.saturating_add(cover), ..row });
    let covered = ShortRow { covered: short.covered.saturating_add(cover), ..short };
    let covered = (cover > 0).then_some(Change::Short(receipt.ingredient, covered));
    let mut changes = vec![Change::Receipt(intent, receipt), stock];
    changes.extend(covered);
    changes.extend(begin);
    Ok(Plan::new(by, changes, |_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::count;
    use crate::testing::{Shop, Sibling, dough};

    #[test]
    fn o6_a_delivery_is_booked_once_under_its_id_and_another_under_it_is_refused_by_the_field() {
        let mut shop = Shop::open();
        let other = IngredientId::derived(&["salt"]);
        let salt = Ingredient {
            id: other,
            name: "Salt".into(),
            unit: pilotlight_sync::domain::menu::Unit::Gram,
            enforced: false,
        };
        let known = shop.replica().site().write_ingredient(other, Some(salt));
        shop.commit(&[known]);
        let intent = IntentId::derived(&["delivery"]);
        let mut book = |ingredient, amount| -> Result<u64, ReceiveRefusal> {
            shop.run(|replica, now| plan(replica, now, Actor::System, intent, Receipt::delivered(ingredient, amount)))?;
            Ok(shop.rights())
        };
        let booked = Receipt::delivered(dough(), 500);
        for _ in 0..2 {
            assert_eq!(book(dough(), 500), Ok(1_500));
        }
        let refused = |field| Err(ReceiveRefusal::SameIdOtherReceipt { field, booked: booked.clone().into() });
        assert_eq!(book(dough(), 501), refused("amount"));
        assert_eq!(book(other, 500), refused("ingredient"));
        shop.reopen();
        let again = Receipt { amount: 1, ..booked.clone() };
        let late = shop.run(|replica, now| plan(replica, now, Actor::System, intent, again));
        assert_eq!(late, Err(ReceiveRefusal::SameIdOtherReceipt { field: "amount", booked: booked.into() }));
        assert_eq!(shop.rights(), 1_500);
    }

    #[test]
    fn s10_what_is_found_is_added_with_a_reason_and_never_without() {
        let mut shop = Shop::open();
        let mut find = |why: &str| {
            let found = Receipt { found: Some(why.to_owned()), ..Receipt::delivered(dough(), 200) };
            let intent = IntentId::derived(&["found"]);
            shop.run(|replica, now| plan(replica, now, Actor::System, intent, found))?;
            Ok(shop.rights())
        };
        assert_eq!(find(" "), Err(ReceiveRefusal::NoReason));
        assert_eq!((find("second shelf"), find("second shelf")), (Ok(1_200), Ok(1_200)));
        assert!(matches!(find("third"), Err(ReceiveRefusal::SameIdOtherReceipt { field: "why", .. })));
    }

    fn stock(shop: &mut Shop) -> (u64, u64) {
        let stock = shop.replica().site().stock(&dough()).unwrap();
        (stock.stock(), stock.shortage())
    }

    #[test]
    fn s12_o6_a_delivery_that_is_said_again_to_the_next_keeper_is_booked_once() {
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "0");
        let (intent, receipt) = (IntentId::derived(&["delivery"]), Receipt::delivered(dough(), 500));
        let booked = [Change::Receipt(intent, receipt.clone()), Change::Stock(dough(), Row::default().deliver(500))];
        bar.write(&mut shop, &booked);
        let own = shop.replica().identity().origin;
        let keeper = shop.replica().site().write_keeper(own);
        shop.commit(&[keeper]);
        let again = shop.run(|replica, now| plan(replica, now, Actor::System, intent, receipt));
        assert_eq!((again, stock(&mut shop)), (Ok(()), (1_500, 0)));
    }

    #[test]
    fn s12_s11_what_two_keepers_booked_that_had_not_heard_of_each_other_is_right_again_with_a_count() {
        let mut shop = Shop::open();
        let mut bar = Sibling::join(&mut shop, "B");
        let (intent, receipt) = (IntentId::derived(&["delivery"]), Receipt::delivered(dough(), 500));
        let there = [Change::Receipt(intent, receipt.clone()), Change::Stock(dough(), Row::default().deliver(500))];
        shop.run(|replica, now| plan(replica, now, Actor::System, intent, receipt)).unwrap();
        bar.write(&mut shop, &there);
        assert_eq!(stock(&mut shop), (2_000, 0), "each in its own row: nobody takes another's rights back");
        let counted = IntentId::derived(&["count"]);
        shop.run(|replica, now| count::plan(replica, now, Actor::System, counted, (dough(), 1_500))).unwrap();
        assert_eq!(stock(&mut shop), (1_500, 0));
    }
}
