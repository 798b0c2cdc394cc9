//! Offers orders to riders: for each order that will soon be ready, the nearest free rider who has not refused it.
//!
//! Pure. A rider is asked for one order at a time, and an order asks one rider at a time; who does not answer in time is passed over.

use crate::geo::{Place, ride_ms};
use pilotlight_sync::domain::id::{OrderId, RiderId};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::BTreeSet;

/// A rider is called so long before they would have to leave, in milliseconds of business time.
pub const CALL_MS_AHEAD: u64 = 4 * 60_000;
/// A rider whose position is older than this is not asked, in milliseconds of business time.
pub const POSITION_AGE_MS_MAX: u64 = 30 * 60_000;

/// An order that needs a rider.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which.
    pub order: OrderId,
    /// Where it is made.
    pub store: Place,
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
    /// How far the rider is from the restaurant, in metres.
    pub distance_m: u32,
}

/// Who is asked for what now. The order that is ready first chooses first.
pub fn nearest(jobs: &[Job], riders: &[FreeRider], now: Timestamp) -> Vec<Offer> {
    let mut waiting: Vec<&Job> = jobs.iter().collect();
    waiting.sort_by_key(|job| (job.ready_at, job.order));
    let mut free: Vec<&FreeRider> =
        riders.iter().filter(|rider| now.ms_since(rider.seen_at) <= POSITION_AGE_MS_MAX).collect();
    let mut offers = Vec::new();
    for job in waiting {
        let with_distance = free.iter().enumerate().filter(|(_, rider)| !job.passed.contains(&rider.rider));
        let closest = with_distance.map(|(at, rider)| (rider.place.distance_m(&job.store), rider.rider, at)).min();
        let Some((distance_m, rider, at)) = closest else { continue };
        // Called when the food is nearly ready, not before: a rider at the counter earns nothing.
        if now.plus_ms(ride_ms(distance_m) + CALL_MS_AHEAD) < job.ready_at {
            continue;
        }
        free.remove(at);
        offers.push(Offer { order: job.order, rider, distance_m });
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn job(name: &str, ready_in_ms: u64, passed: &[&str]) -> Job {
        Job {
            order: OrderId::derived(&[name]),
            store: Place { lat: 52.5, lon: 13.4 },
            ready_at: NOW.plus_ms(ready_in_ms),
            passed: passed.iter().map(|name| RiderId::derived(&[name])).collect(),
        }
    }

    fn rider(name: &str, north: f64) -> FreeRider {
        FreeRider { rider: RiderId::derived(&[name]), place: Place { lat: 52.5 + north, lon: 13.4 }, seen_at: NOW }
    }

    fn offered(jobs: &[Job], riders: &[FreeRider]) -> Vec<(OrderId, RiderId)> {
        nearest(jobs, riders, NOW).iter().map(|offer| (offer.order, offer.rider)).collect()
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
        assert_eq!(offered(&two, &riders), [pair("first", "near"), pair("later", "mid")]);
        assert_eq!(offered(&two, &riders[..1]), [pair("first", "far")]);
        assert_eq!(offered(&[], &riders), []);
    }

    #[test]
    fn u2_a_rider_is_called_when_the_food_is_nearly_ready_and_not_before() {
        let near = [rider("near", 0.0)];
        assert_eq!(offered(&[job("a", CALL_MS_AHEAD, &[])], &near), [pair("a", "near")]);
        assert_eq!(offered(&[job("a", CALL_MS_AHEAD + 1, &[])], &near), []);
        let lost = [FreeRider { seen_at: Timestamp(NOW.0 - POSITION_AGE_MS_MAX - 1), ..near[0] }];
        assert_eq!(offered(&[job("a", 0, &[])], &lost), []);
    }
}
