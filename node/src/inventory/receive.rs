//! Books a delivery: adding is always allowed, and a repeated request adds once.

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::site::Receipt;
use pilotlight_sync::domain::id::{IngredientId, IntentId};
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
    if !site.menu().ingredients.contains_key(&receipt.ingredient) {
        return Err(PlanError::Refused(ReceiveRefusal::UnknownIngredient(receipt.ingredient)));
    }
    if receipt.amount == 0 || receipt.amount > STOCK_AMOUNT_MAX {
        return Err(PlanError::Refused(ReceiveRefusal::Amount(receipt.amount)));
    }
    if replica.has_receipt(&intent)? {
        return Ok(Plan::answer_only(by, ()));
    }
    let row = site.stock(&receipt.ingredient).map(|stock| stock.row(&replica.identity().origin)).unwrap_or_default();
    let changes =
        vec![Change::Receipt(intent, receipt), Change::Stock(receipt.ingredient, row.deliver(receipt.amount))];
    Ok(Plan { by, changes, answer: Box::new(|_| ()) })
}
