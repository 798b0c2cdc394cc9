//! Books a delivery: adding is always allowed, and a repeated request adds once.

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
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
    /// No such ingredient.
    #[error("ingredient {0} is not known")]
    UnknownIngredient(IngredientId),
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
    let site = replica.site();
    let known = site.menu().ingredients.get(&receipt.ingredient);
    let known = known.ok_or(PlanError::Refused(ReceiveRefusal::UnknownIngredient(receipt.ingredient)))?;
    if receipt.amount == 0 || receipt.amount > STOCK_AMOUNT_MAX {
        return Err(PlanError::Refused(ReceiveRefusal::Amount(receipt.amount)));
    }
    if replica.has_receipt(&intent)? {
        return Ok(Plan::answer_only(by, ()));
    }
    // An imported ingredient is unlimited until somebody counts it: the first delivery begins that.
    let first = site.stock(&receipt.ingredient).is_none_or(|stock| stock.is_never_stocked());
    let begin = (first && !known.enforced)
        .then(|| site.write_ingredient(known.id, Some(Ingredient { enforced: true, ..known.clone() })));
    let row = site.stock(&receipt.ingredient).map(|stock| stock.row(&replica.identity().origin)).unwrap_or_default();
    let mut changes =
        vec![Change::Receipt(intent, receipt), Change::Stock(receipt.ingredient, row.deliver(receipt.amount))];
    changes.extend(begin);
    Ok(Plan::new(by, changes, |_| ()))
}
