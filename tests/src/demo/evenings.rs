//! The real evenings: guests of Fridays and Saturdays, 17:00 to 23:00, overlaid on one clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Weekday, time};

use crate::seeded::Seeded;
use crate::shop::{Cart, Recipes};

/// From opening to the last order, in milliseconds.
pub const EVENING_MS: u64 = 6 * 3_600_000;
/// How many evenings the record of sales has.
pub const EVENINGS_MAX: usize = 52;
/// Ingredients that run short.
const SHORT_INGREDIENTS: usize = 4;
/// How much of the demand there is of those, in per cent.
const SHORT_PERCENT: u64 = 90;
/// How much there is of the others, in per cent of the demand.
const PLENTY_PERCENT: u64 = 300;

/// Where a guest orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At a kiosk, paid at the counter later.
    Kiosk,
    /// At the counter, in cash.
    Counter,
    /// At home, through the relay, brought by a rider.
    Home,
}

/// One guest of the evening.
#[derive(Debug, Clone)]
pub struct Guest {
    /// From opening, in milliseconds of business time.
    pub at_ms: u64,
    /// Where.
    pub place: Place,
    /// What.
    pub cart: Cart,
}

/// The guests of that many evenings chosen by the seed, in the order in which they come.
#[must_use]
pub fn guests(carts: &[Cart], evenings: usize, dice: &mut Seeded) -> Vec<Guest> {
    let (open, close) = (time(17, 0, 0, 0), time(23, 0, 0, 0));
    let of_evening = |cart: &&Cart| {
        let (date, clock) = (cart.placed().date(), cart.placed().time());
        matches!(date.weekday(), Weekday::Friday | Weekday::Saturday) && clock >= open && clock < close
    };
    let evening: Vec<&Cart> = carts.iter().filter(of_evening).collect();
    let dates: BTreeSet<_> = evening.iter().map(|cart| cart.placed().date()).collect();
    let mut dates: Vec<_> = dates.into_iter().collect();
    while dates.len() > evenings.max(1) {
        dates.swap_remove(dice.below(dates.len()));
    }
    let mut guests: Vec<Guest> = Vec::new();
    for cart in evening.into_iter().filter(|cart| dates.contains(&cart.placed().date())) {
        let since = cart.placed().time().duration_since(open).as_millis();
        let place = match dice.below(100) {
            0..30 => Place::Home,
            30..72 => Place::Kiosk,
            _ => Place::Counter,
        };
        guests.push(Guest { at_ms: u64::try_from(since).unwrap_or(0), place, cart: cart.clone() });
    }
    guests.sort_by_key(|guest| guest.at_ms);
    guests
}

/// What the shelves hold at opening, in grams by ingredient: plenty, but of four ingredients nine tenths of what guests will want.
#[must_use]
pub fn shelves(guests: &[Guest], recipes: &Recipes, dice: &mut Seeded) -> (BTreeMap<String, u64>, Vec<String>) {
    let mut demand: BTreeMap<String, u64> = BTreeMap::new();
    let mut wanted_by: BTreeMap<String, usize> = BTreeMap::new();
    for guest in guests {
        let mut uses = BTreeMap::new();
        guest.cart.add_uses(recipes, &mut uses);
        for (ingredient, grams) in uses {
            *demand.entry(ingredient.clone()).or_default() += grams;
            *wanted_by.entry(ingredient).or_default() += 1;
        }
    }
    // Neither what everyone wants (the evening would end early) nor what nearly nobody does.
    let between = |count: usize| count * 10 >= guests.len() && count * 10 <= guests.len() * 5;
    let mut candidates: Vec<String> =
        wanted_by.iter().filter(|(_, count)| between(**count)).map(|(name, _)| name.clone()).collect();
    while candidates.len() > SHORT_INGREDIENTS {
        candidates.swap_remove(dice.below(candidates.len()));
    }
    let percent = |name: &String| if candidates.contains(name) { SHORT_PERCENT } else { PLENTY_PERCENT };
    let shelves = demand.iter().map(|(name, grams)| (name.clone(), grams * percent(name) / 100)).collect();
    (shelves, candidates)
}
