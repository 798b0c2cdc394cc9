//! Staff take an item off sale, or put it back.

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::site::Off;
use pilotlight_sync::domain::id::MenuItemId;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;

/// Why nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EightySixRefusal {
    /// No such item.
    #[error("item {0} is not on the menu")]
    UnknownItem(MenuItemId),
    /// The return lies in the past.
    #[error("the return time {0} is not in the future")]
    ReturnInThePast(Timestamp),
}

/// Plans it. Saying what is so already changes nothing.
pub fn plan(
    replica: &Replica,
    now: Timestamp,
    by: Actor,
    item: MenuItemId,
    off: Option<Off>,
) -> Result<Plan<()>, PlanError<EightySixRefusal>> {
    let site = replica.site();
    if !site.menu().items.contains_key(&item) {
        return Err(PlanError::Refused(EightySixRefusal::UnknownItem(item)));
    }
    if let Some(until) = off.and_then(|off| off.until).filter(|until| *until <= now) {
        return Err(PlanError::Refused(EightySixRefusal::ReturnInThePast(until)));
    }
    if site.off_sale(&item, now) == off {
        return Ok(Plan::answer_only(by, ()));
    }
    Ok(Plan::new(by, vec![site.write_eighty_six(item, off)], |_| ()))
}
