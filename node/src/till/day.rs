//! Closes business days: a report of what the logs here say, signed, once; what comes later is booked in the next one (SPEC D3, D4).

use crate::store::StoreError;
use crate::store::replica::Replica;
use crate::store::store_handle::{Plan, PlanError};
use pilotlight_sync::crdt::chain::ChainHash;
use pilotlight_sync::doc::books::{Closing, Cover, SignedReport};
use pilotlight_sync::doc::change::{Change, Seen};
use pilotlight_sync::doc::origin::OriginRole;
use pilotlight_sync::doc::site::{Day, Site};
use pilotlight_sync::domain::business_day::{CLOSES_AFTER_MS, DayNumber, DayRule};
use pilotlight_sync::domain::id::OriginId;
use pilotlight_sync::domain::role::Actor;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::convert::Infallible;

/// By itself a day is closed later where the clock is further ahead of all others that were heard lately, in milliseconds.
pub const CLOCK_AHEAD_MS_MAX: u64 = 3_600_000;
/// By so much at most, in milliseconds, where one other node was heard alone: it may be that one that is wrong.
pub const CLOCK_WAIT_MS_MAX: u64 = 24 * 3_600_000;
/// A day that is over for longer and not closed is an alarm, in milliseconds: nothing that was sold since is archived.
pub const OVERDUE_MS: u64 = 3 * 24 * 3_600_000;
/// By itself no day is closed sooner after the close before it: whatever the clocks say, days are not closed one after the other.
pub const CLOSE_PAUSE_MS: u64 = 12 * 3_600_000;

/// Why a day was not closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseRefusal {
    /// Nothing has happened since the last close.
    #[error("no day is open")]
    NoDay,
    /// Days are closed one after the other.
    #[error("day {} is to be closed next", next.0)]
    NotNext {
        /// Which one is.
        next: DayNumber,
    },
    /// Another node keeps the days.
    #[error("node {letter} closes this site's days")]
    OtherKeeper {
        /// Which.
        keeper: Option<OriginId>,
        /// What its numbers begin with.
        letter: String,
    },
    /// Its cash is in no report before it is counted.
    #[error("the shift of drawer {drawer:?} at node {letter} is open")]
    ShiftOpen {
        /// Which drawer.
        drawer: String,
        /// Where.
        letter: String,
    },
}

/// Why the keeper stays who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeeperRefusal {
    /// Not a node of this site, or one that has ended.
    #[error("{0} is no living node of this site")]
    NoNode(OriginId),
}

/// A letter that people know a node by.
pub fn letter_of(site: &Site, origin: &OriginId) -> String {
    site.origin(origin).map(|card| card.letter.clone()).unwrap_or_default()
}

/// Plans a close by a person. A day that is closed is answered with its report.
pub fn plan(
    replica: &Replica,
    now: Timestamp,
    by: Actor,
    number: DayNumber,
) -> Result<Plan<SignedReport>, PlanError<CloseRefusal>> {
    let refuse = |refusal| Err(PlanError::Refused(refusal));
    let site = replica.site();
    if let Some(signed) = site.report_of(number) {
        return Ok(Plan::answer_only(by, signed.clone()));
    }
    // Which day is the next one the keeper knows best.
    let (keeper, _) = site.keeper();
    if keeper != Some(replica.identity().origin) {
        let letter = keeper.map(|keeper| letter_of(site, &keeper)).unwrap_or_default();
        return refuse(CloseRefusal::OtherKeeper { keeper, letter });
    }
    let Some(day) = site.closable() else { return refuse(CloseRefusal::NoDay) };
    if day.number != number {
        return refuse(CloseRefusal::NotNext { next: day.number });
    }
    let mut open = site.open_shifts().filter_map(|(_, doc)| doc.opening());
    if let Some(shift) = open.find(|opening| opening.day <= number) {
        let letter = letter_of(site, &shift.node);
        return refuse(CloseRefusal::ShiftOpen { drawer: shift.drawer.clone(), letter });
    }
    let signed = signed(replica, now, by, day)?;
    Ok(Plan::new(by, vec![Change::DayClosed(signed.clone())], move |_| signed))
}

/// Plans the close of a day that nobody has closed in time: six hours after its end. Shifts that nobody has counted do not stop it.
pub fn plan_due(replica: &Replica, now: Timestamp) -> Result<Plan<Option<DayNumber>>, PlanError<Infallible>> {
    let site = replica.site();
    let keeps = site.keeper().0 == Some(replica.identity().origin);
    let due = site.closable().filter(|day| keeps && closes_at(replica, now, day).is_some_and(|at| at <= now));
    let Some(day) = due else { return Ok(Plan::answer_only(Actor::System, None)) };
    let signed = signed(replica, now, Actor::System, day)?;
    Ok(Plan::new(Actor::System, vec![Change::DayClosed(signed)], move |_| Some(day.number)))
}

/// When a day is over. It is when a later one is: its own date may be of a clock that was wrong. `None` while the site has no time zone.
fn over_at(site: &Site, day: &Day) -> Option<Timestamp> {
    let settings = site.settings()?;
    let rule = DayRule::new(&settings.time_zone, settings.roll_over_hour).ok()?;
    site.days_from(day.number).filter_map(|day| rule.end(day.date)).min()
}

/// The day that is to be closed next, when it is over for more than three days.
pub fn overdue(site: &Site, now: Timestamp) -> Option<DayNumber> {
    let day = site.closable()?;
    over_at(site, &day).filter(|end| now.ms_since(*end) > OVERDUE_MS).map(|_| day.number)
}

/// When this day closes by itself. `None` while the site has no time zone.
pub fn closes_at(replica: &Replica, now: Timestamp, day: &Day) -> Option<Timestamp> {
    let site = replica.site();
    // A close that lies ahead was made while our clock did.
    let last = site.books().last().map(|last| last.report.closed_at).filter(|closed_at| *closed_at <= now);
    let due = over_at(site, day)?.plus_ms(CLOSES_AFTER_MS).plus_ms(put_off_ms(replica, now));
    Some(last.map_or(due, |last| due.max(last.plus_ms(CLOSE_PAUSE_MS))))
}

/// By how much later a day closes by itself, because our clock is ahead of all that were heard lately. The relay, and two others that
/// agree, are right: then our clock closes no day that still runs, however far ahead it is.
fn put_off_ms(replica: &Replica, now: Timestamp) -> u64 {
    let relay = replica.site().relay();
    let heard: Vec<(&OriginId, u64)> = replica.state().ahead_of(now).collect();
    let least = heard.iter().map(|(_, ahead)| *ahead).min();
    let ahead = least.filter(|ahead| *ahead > CLOCK_AHEAD_MS_MAX).unwrap_or(0);
    let sure = heard.len() > 1 || heard.iter().any(|(origin, _)| relay.as_ref() == Some(*origin));
    if sure { ahead } else { ahead.min(CLOCK_WAIT_MS_MAX) }
}

/// What a report of this day would book now. It looks at orders of which something came after the last report, and at those of the days
/// since then: nothing else can have been booked otherwise than it is.
pub fn gather(replica: &Replica, number: DayNumber) -> Result<Closing, StoreError> {
    let site = replica.site();
    let (books, state) = (site.books(), replica.state());
    // What the last report claims, which a later version may have made, this one does as well.
    let last = books.last().map(|last| &last.report);
    let seen = last.map(|last| last.seen.as_slice()).unwrap_or_default();
    let claimed = seen.iter().filter(|seen| state.heads().contains_key(&seen.origin)).map(|upto| Seen::from(*upto));
    let mut closing = Closing::begin(number, state.understood().chain(claimed));
    let broken = match last.filter(|last| last.more.is_none()) {
        // What the last one had no room for came before it.
        None => replica.each_order(&mut |order| closing.order(books, &order.doc))?,
        Some(last) => {
            // What came after the vector cannot be booked yet: a log that is not understood is not read again with every close.
            let after = Cover::of(last.seen.iter().copied());
            let mut ids = replica.orders_between(&after, closing.cover())?;
            ids.extend(replica.orders_of_days(last.day.number, number)?);
            let mut broken = BTreeSet::new();
            for id in ids {
                match replica.order(&id) {
                    Ok(order) => order.iter().for_each(|order| closing.order(books, &order.doc)),
                    Err(error) => {
                        tracing::error!(order = %id, %error, "an order cannot be read: its report is made from the logs");
                        broken.insert(id);
                    }
                }
            }
            broken
        }
    };
    // The vector claims what the logs have, whether or not the document of it can be read.
    replica.orders_of_logs(&broken)?.iter().for_each(|doc| closing.order(books, doc));
    site.unlisted_shifts().for_each(|(id, doc)| closing.shift(books, *id, doc, |fact| site.is_here(id, fact)));
    Ok(closing)
}

fn signed(replica: &Replica, now: Timestamp, by: Actor, day: Day) -> Result<SignedReport, StoreError> {
    let (site, identity) = (replica.site(), replica.identity());
    let keeper = (identity.origin, site.keeper().1);
    let mut closing = gather(replica, day.number)?;
    closing.name_logs(|origin, seq| replica.hash_at(origin, seq))?;
    let report = closing.report(site.books(), day, keeper, by, now);
    Ok(SignedReport::sign(&report, |hash| identity.sign(&ChainHash(*hash))))
}

/// Plans that a manager names the node that books stock and closes days.
pub fn plan_keeper(replica: &Replica, by: Actor, node: OriginId) -> Result<Plan<()>, PlanError<KeeperRefusal>> {
    let site = replica.site();
    let lives = site.origin(&node).is_some_and(|card| card.role == OriginRole::Node) && !site.is_fenced(&node);
    if !lives {
        return Err(PlanError::Refused(KeeperRefusal::NoNode(node)));
    }
    // Named or not: it is so already.
    if site.keeper().0 == Some(node) {
        return Ok(Plan::answer_only(by, ()));
    }
    Ok(Plan::new(by, vec![site.write_keeper(node)], |_| ()))
}

#[cfg(test)]
mod tests;
