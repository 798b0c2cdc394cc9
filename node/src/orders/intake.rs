//! A tap on pause, busy or open again: a register of the site, which the relay hears of when it can (SPEC PB1).

use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::domain::business_day::DayRule;
use pilotlight_sync::domain::intake::{Intake, IntakeCommand, IntakeRefusal as Unknown};
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;

/// Why nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntakeRefusal {
    /// The site has no time zone yet.
    #[error("the site has no time zone yet")]
    NotSetUp,
    /// Not one of what can be tapped.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

/// Plans it. Tapping a pause again begins it anew; opening what is open changes nothing.
pub fn plan(
    replica: &Replica,
    now: Timestamp,
    by: Actor,
    command: IntakeCommand,
) -> Result<Plan<Intake>, PlanError<IntakeRefusal>> {
    let site = replica.site();
    let settings = site.settings().ok_or(PlanError::Refused(IntakeRefusal::NotSetUp))?;
    let rule = DayRule::new(&settings.time_zone, settings.roll_over_hour);
    let rule = rule.map_err(|_| PlanError::Refused(IntakeRefusal::NotSetUp))?;
    let before = site.intake();
    let after = before.after(command, &rule, now).map_err(|refusal| PlanError::Refused(refusal.into()))?;
    if after == before {
        return Ok(Plan::answer_only(by, before));
    }
    Ok(Plan::new(by, vec![site.write_intake(after)], move |_| after))
}
