//! A drawer's shift: opened with a counted float, closed with a count. It belongs to one drawer and one node (SPEC D6).

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::till::{Opening, ShiftView, TillFact};
use pilotlight_sync::domain::id::{IntentId, ShiftId};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::NAME_CHARS_MAX;

/// The most that a drawer holds, or that is moved at once, in minor units.
pub const CASH_MINOR_MAX: i64 = 1_000_000_000_000;

/// A shift as a device begins it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Minted by the device: sending it again begins nothing twice.
    pub shift: ShiftId,
    /// Of which drawer of this node.
    pub drawer: String,
    /// Counted in it, in minor units.
    pub float_minor: i64,
}

/// Cash that is put in or taken out for another reason than an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Of which drawer's shift.
    pub shift: ShiftId,
    /// The request.
    pub intent: IntentId,
    /// In minor units; below zero is taken out.
    pub amount_minor: i64,
    /// In a person's words.
    pub why: String,
}

/// Why nothing was booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShiftRefusal {
    /// The site has no time zone: no business day.
    #[error("the site is not set up")]
    NotSetUp,
    /// A drawer has a name.
    #[error("a drawer needs a name of at most {NAME_CHARS_MAX} characters")]
    Drawer,
    /// Somebody has counted it in, and nobody out.
    #[error("a shift of drawer {0:?} is open")]
    DrawerOpen(String),
    /// No such shift.
    #[error("shift {0} is not known here")]
    Unknown(ShiftId),
    /// It was counted.
    #[error("the shift has ended")]
    Ended,
    /// The drawer stands elsewhere.
    #[error("the drawer stands at node {0}")]
    OtherNode(String),
    /// Not an amount that a drawer holds.
    #[error("{amount_minor} is not an amount for a drawer")]
    Amount {
        /// Which field.
        field: &'static str,
        /// What was sent, in minor units.
        amount_minor: i64,
    },
    /// Money is moved for a reason.
    #[error("why is missing")]
    NoReason,
    /// This id was used for something else.
    #[error("this id was used with another {field}")]
    SameIdOther {
        /// The first field that differs.
        field: &'static str,
    },
}

type Planned = Result<Plan<ShiftView>, PlanError<ShiftRefusal>>;

/// The shift that takes this node's cash: of this drawer, or the only open one. `Err`: which drawer is not said, and several are open;
/// or no shift of that drawer is.
pub(super) fn taking(replica: &Replica, drawer: Option<&str>) -> Result<Option<ShiftId>, ()> {
    let own = replica.identity().origin;
    let here = replica.site().open_shifts().filter_map(|(id, doc)| Some((*id, doc.opening()?)));
    let mut here = here.filter(|(_, opening)| opening.node == own);
    match drawer {
        Some(drawer) => here.find(|(_, opening)| opening.drawer == drawer).map(|(id, _)| Some(id)).ok_or(()),
        None => match (here.next(), here.next()) {
            (None, _) => Ok(None),
            (Some((id, _)), None) => Ok(Some(id)),
            (Some(_), Some(_)) => Err(()),
        },
    }
}

/// Plans the beginning of a shift; of the business day too, when it is the first after the roll-over or a close (SPEC D2).
pub fn open(replica: &Replica, now: Timestamp, by: Actor, begin: Begin) -> Planned {
    let refuse = |refusal| Err(PlanError::Refused(refusal));
    let (site, node) = (replica.site(), replica.identity().origin);
    let Begin { shift, drawer, float_minor } = begin;
    let drawer = drawer.trim().to_owned();
    if let Some(known) = site.shift_view(&shift) {
        return match &known.opening {
            opening if opening.node != node => refuse(ShiftRefusal::SameIdOther { field: "id" }),
            opening if opening.drawer != drawer => refuse(ShiftRefusal::SameIdOther { field: "drawer" }),
            opening if opening.float_minor != float_minor => refuse(ShiftRefusal::SameIdOther { field: "float_minor" }),
            Opening { .. } => Ok(Plan::answer_only(by, known)),
        };
    }
    if drawer.is_empty() || drawer.chars().count() > NAME_CHARS_MAX {
        return refuse(ShiftRefusal::Drawer);
    }
    if !(0..=CASH_MINOR_MAX).contains(&float_minor) {
        return refuse(ShiftRefusal::Amount { field: "float_minor", amount_minor: float_minor });
    }
    // What a machine of this place left open under its former name is still in the drawer.
    let same = |opening: &Opening| opening.drawer == drawer && (opening.node == node || site.is_fenced(&opening.node));
    if site.open_shifts().filter_map(|(_, doc)| doc.opening()).any(same) {
        return refuse(ShiftRefusal::DrawerOpen(drawer));
    }
    let Some((day, begins)) = site.business_day(now) else { return refuse(ShiftRefusal::NotSetUp) };
    let mut changes: Vec<Change> = begins.then_some(Change::Day(day)).into_iter().collect();
    let opening = Opening { drawer, node, day: day.number, float_minor };
    changes.push(Change::Till(shift, TillFact::Opened(opening.clone())));
    let before = ShiftView {
        opening,
        opened_by: by,
        opened_at: now,
        taken: Default::default(),
        moved: Default::default(),
        end: None,
    };
    Ok(Plan::new(by, changes, move |replica| shown(replica, &shift).unwrap_or(before)))
}

/// Plans cash that is put in or taken out.
pub fn move_cash(replica: &Replica, by: Actor, moved: Move) -> Planned {
    let refuse = |refusal| Err(PlanError::Refused(refusal));
    let Move { shift, intent, amount_minor, why } = moved;
    let known = ours(replica, &shift)?;
    if let Some((before, said, _)) = known.moved.get(&intent) {
        return match () {
            () if *before != amount_minor => refuse(ShiftRefusal::SameIdOther { field: "amount_minor" }),
            () if *said != why => refuse(ShiftRefusal::SameIdOther { field: "why" }),
            () => Ok(Plan::answer_only(by, known)),
        };
    }
    if known.end.is_some() {
        return refuse(ShiftRefusal::Ended);
    }
    if amount_minor == 0 || !(-CASH_MINOR_MAX..=CASH_MINOR_MAX).contains(&amount_minor) {
        return refuse(ShiftRefusal::Amount { field: "amount_minor", amount_minor });
    }
    if why.trim().is_empty() {
        return refuse(ShiftRefusal::NoReason);
    }
    let change = Change::Till(shift, TillFact::Moved { intent, amount_minor, why });
    Ok(Plan::new(by, vec![change], move |replica| shown(replica, &shift).unwrap_or(known)))
}

/// Plans the end of a shift: what was counted against what was expected.
pub fn close(replica: &Replica, by: Actor, shift: ShiftId, counted_minor: i64) -> Planned {
    let refuse = |refusal| Err(PlanError::Refused(refusal));
    let known = ours(replica, &shift)?;
    if let Some(end) = known.end {
        let same = end.counted_minor == counted_minor;
        return if same { Ok(Plan::answer_only(by, known)) } else { refuse(ShiftRefusal::Ended) };
    }
    if !(0..=CASH_MINOR_MAX).contains(&counted_minor) {
        return refuse(ShiftRefusal::Amount { field: "counted_minor", amount_minor: counted_minor });
    }
    let closed = TillFact::Closed { counted_minor, expected_minor: known.expected_minor() };
    let change = Change::Till(shift, closed);
    Ok(Plan::new(by, vec![change], move |replica| shown(replica, &shift).unwrap_or(known)))
}

fn shown(replica: &Replica, shift: &ShiftId) -> Option<ShiftView> {
    replica.site().shift_view(shift)
}

/// A shift of this node, or of one that has ended.
fn ours(replica: &Replica, shift: &ShiftId) -> Result<ShiftView, PlanError<ShiftRefusal>> {
    let site = replica.site();
    let known = shown(replica, shift).ok_or(PlanError::Refused(ShiftRefusal::Unknown(*shift)))?;
    let node = known.opening.node;
    if node != replica.identity().origin && !site.is_fenced(&node) {
        let letter = site.origin(&node).map(|card| card.letter.clone()).unwrap_or_default();
        return Err(PlanError::Refused(ShiftRefusal::OtherNode(letter)));
    }
    Ok(known)
}

#[cfg(test)]
mod tests;
