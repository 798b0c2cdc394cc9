//! Who is asked for what now: the dispatch kernel over those who are free, one order for each.
//!
//! Pure. A rider is asked for one order at a time, and an order asks one rider at a time; who does not answer in time is passed over.

use crate::dispatch::kernel::decide::decide;
use crate::dispatch::kernel::demand::Demand;
use crate::dispatch::kernel::metric::{Metric, Spot, Surface};
use crate::dispatch::kernel::settings::{CoverSettings, Settings};
use crate::dispatch::kernel::world::{OrderNo, Pay, Rider, RiderNo, Routes, Rules, ShopNo, View, Waiting};
use crate::geo::{Place, RIDE_M_PER_S};
use pilotlight_sync::domain::id::{OrderId, RiderId};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeSet;

/// A rider is called so long before they would have to leave, in milliseconds of business time: time to answer.
pub const CALL_MS_AHEAD: u64 = 4 * 60_000;
/// A rider whose position is older than this is not asked, in milliseconds of business time.
pub const POSITION_AGE_MS_MAX: u64 = 30 * 60_000;
/// Nobody has said how long they work: long enough for any trip, in seconds.
const SHIFT_S: i32 = 4 * 3_600;
/// At a customer's door, in seconds; half before the order is delivered.
const DOOR_HALF_S: i32 = 60;

/// An order that needs a rider.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which.
    pub order: OrderId,
    /// Where it is made.
    pub store: Place,
    /// Where it goes.
    pub to: Place,
    /// When the kitchen is expected to be done.
    pub ready_at: Timestamp,
    /// Who refused it, or did not answer.
    pub passed: BTreeSet<RiderId>,
}

/// A rider with nothing to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FreeRider {
    /// Who.
    pub rider: RiderId,
    /// Where.
    pub place: Place,
    /// Since when that is known.
    pub seen_at: Timestamp,
}

/// Ask this rider for this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Which order.
    pub order: OrderId,
    /// Whom.
    pub rider: RiderId,
}

/// Who is asked for what now.
pub fn offers(jobs: &[Job], riders: &[FreeRider], now: Timestamp) -> Vec<Offer> {
    let known = |rider: &&FreeRider| now.ms_since(rider.seen_at) <= POSITION_AGE_MS_MAX;
    let riders: Vec<&FreeRider> = riders.iter().filter(known).collect();
    let spot = |place: &Place| Spot { x: place.lon, y: place.lat };
    let rules = Rules {
        metric: Metric { surface: Surface::Earth, metres_per_s: RIDE_M_PER_S, step_s: 1 },
        pickup_half_s: 0,
        dropoff_half_s: DOOR_HALF_S,
        target_s: 40 * 60,
        pay: Pay { order: 1.0, hour: 0.0 },
        // Each order counts as a restaurant of its own: one order is offered at a time.
        shops: (0..).map(ShopNo).zip(jobs.iter().map(|job| spot(&job.store))).collect(),
    };
    let mut view = View::default();
    for (no, job) in (0..).zip(jobs) {
        // The kernel counts seconds from now, rounded up: nobody is called early.
        let ready_s = if job.ready_at >= now {
            i32::try_from(job.ready_at.ms_since(now).div_ceil(1_000)).unwrap_or(i32::MAX)
        } else {
            -i32::try_from(now.ms_since(job.ready_at) / 1_000).unwrap_or(i32::MAX)
        };
        let (order, shop, to) = (OrderNo(no), ShopNo(no), spot(&job.to));
        view.waiting.push(Waiting { order, shop, to, placed_s: ready_s.min(0), ready_s, ready_error_s: 0 });
        let refused = (0..).zip(&riders).filter(|(_, rider)| job.passed.contains(&rider.rider));
        view.refused.extend(refused.map(|(rider, _)| (order, RiderNo(rider))));
    }
    for (no, rider) in (0..).zip(&riders) {
        view.riders.push(Rider {
            rider: RiderNo(no),
            place: spot(&rider.place),
            at_shop: None,
            free_s: 0,
            on_s: 0,
            off_s: SHIFT_S,
            told: 0,
            left: Vec::new(),
            accepts: 1.0,
        });
    }
    let defaults = Settings::default();
    let settings = Settings {
        bundle_max: 1,
        pay_price: 0.0,
        early_s: i32::try_from(CALL_MS_AHEAD / 1_000).unwrap_or(0),
        cover: CoverSettings { moves_max: 0, ..defaults.cover.clone() },
        ..defaults
    };
    let plan = decide(&view, &Routes::new(), &Demand::default(), &rules, &settings, 0);
    let told = plan.instructions.iter().filter_map(|instruction| {
        let (rider, shop) = instruction.to();
        let order = jobs.get(usize::try_from(shop.0).ok()?)?.order;
        Some(Offer { order, rider: riders.get(usize::try_from(rider.0).ok()?)?.rider })
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn job(name: &str, ready_in_ms: u64, passed: &[&str]) -> Job {
        Job {
            order: OrderId::derived(&[name]),
            store: Place { lat: 52.5, lon: 13.4 },
            to: Place { lat: 52.49, lon: 13.4 },
            ready_at: NOW.plus_ms(ready_in_ms),
            passed: passed.iter().map(|name| RiderId::derived(&[name])).collect(),
        }
    }

    fn rider(name: &str, north: f64) -> FreeRider {
        FreeRider { rider: RiderId::derived(&[name]), place: Place { lat: 52.5 + north, lon: 13.4 }, seen_at: NOW }
    }

    fn offered(jobs: &[Job], riders: &[FreeRider]) -> Vec<(OrderId, RiderId)> {
        let mut offered: Vec<_> = offers(jobs, riders, NOW).iter().map(|offer| (offer.order, offer.rider)).collect();
        offered.sort_unstable();
        offered
    }

    fn pair(order: &str, rider: &str) -> (OrderId, RiderId) {
        (OrderId::derived(&[order]), RiderId::derived(&[rider]))
    }

    #[test]
    fn u1_the_nearest_free_rider_is_asked_and_each_only_once() {
        let riders = [rider("far", 0.02), rider("near", 0.001), rider("mid", 0.01)];
        assert_eq!(offered(&[job("a", 0, &[])], &riders), [pair("a", "near")]);
        assert_eq!(offered(&[job("a", 0, &["near"])], &riders), [pair("a", "mid")]);
        assert_eq!(offered(&[job("a", 0, &["near", "mid", "far"])], &riders), []);
        let two = [job("later", 60_000, &[]), job("first", 0, &[])];
        let mut expected = [pair("first", "near"), pair("later", "mid")];
        expected.sort_unstable();
        assert_eq!(offered(&two, &riders), expected);
        assert_eq!(offered(&two, &riders[..1]), [pair("first", "far")]);
        assert_eq!(offered(&[], &riders), []);
        assert_eq!(offered(&two, &[]), []);
    }

    #[test]
    fn u1_two_orders_that_want_the_same_rider_are_shared_out_by_what_both_wait() {
        // The nearest rider of both is `mid`; who takes only what is nearest leaves the other order to `far`.
        let east = |lon: f64| Place { lat: 52.5, lon };
        let at = |name: &str, lon: f64| FreeRider { place: east(lon), ..rider(name, 0.0) };
        let riders = [at("far", 13.37), at("mid", 13.4), at("other", 13.43)];
        let from = |name: &str, lon: f64| Job { store: east(lon), ..job(name, 0, &[]) };
        let mut expected = [pair("a", "mid"), pair("b", "other")];
        expected.sort_unstable();
        assert_eq!(offered(&[from("b", 13.41), from("a", 13.395)], &riders), expected);
    }

    #[test]
    fn u2_a_rider_is_called_when_the_food_is_nearly_ready_and_not_before() {
        let near = [rider("near", 0.0)];
        assert_eq!(offered(&[job("a", CALL_MS_AHEAD, &[])], &near), [pair("a", "near")]);
        assert_eq!(offered(&[job("a", CALL_MS_AHEAD + 1, &[])], &near), []);
        let lost = [FreeRider { seen_at: Timestamp(NOW.0 - POSITION_AGE_MS_MAX - 1), ..near[0] }];
        assert_eq!(offered(&[job("a", 0, &[])], &lost), []);
        let forgotten = Job { ready_at: Timestamp(0), ..job("a", 0, &[]) };
        assert_eq!(offered(&[forgotten], &near).len(), 1, "an old order is late, not lost");
    }
}
