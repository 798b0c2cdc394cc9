//! Numbers for people: they move in the commit that sends an order to the kitchen (SPEC D2, I4).

use crate::store::replica::Replica;
use pilotlight_sync::doc::change::Change;
use pilotlight_sync::doc::order::OrderFact;
use pilotlight_sync::doc::site::Day;
use pilotlight_sync::domain::timestamp::Timestamp;

/// The numbers that a plan gives out.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    day: Day,
    begins: bool,
    letter: String,
    last: u32,
}

impl Numbers {
    /// What comes after the numbers given out so far; `None` while the site has no time zone.
    pub(crate) fn of(replica: &Replica, now: Timestamp) -> Option<Self> {
        let (site, identity) = (replica.site(), replica.identity());
        let (day, begins) = site.business_day(now)?;
        let last = if begins { 0 } else { site.day().counter(&identity.origin) };
        Some(Self { day, begins, letter: identity.letter.clone(), last })
    }

    /// The change that opens the day; once, and only when it begins.
    pub(crate) fn opening(&mut self) -> Option<Change> {
        std::mem::take(&mut self.begins).then_some(Change::Day(self.day))
    }

    /// The next number, as the fact that sends an order to the kitchen.
    pub(crate) fn next(&mut self) -> OrderFact {
        self.last += 1;
        OrderFact::Sent { day: self.day.number, letter: self.letter.clone(), counter: self.last }
    }
}
