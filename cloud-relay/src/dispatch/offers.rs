//! Who is asked for which trip now: the dispatch kernel over the riders on shift and the orders that wait.
//!
//! Pure. A rider has one trip at a time, an order asks one rider at a time; who does not answer in time is passed over. Riders under way
//! are planned for too, but asked only once they are back.

use crate::dispatch::kernel::decide::decide;
use crate::dispatch::kernel::demand::Demand;
use crate::dispatch::kernel::explain::Reason;
use crate::dispatch::kernel::metric::{Metric, Spot, Surface};
use crate::dispatch::kernel::settings::{CoverSettings, Settings};
use crate::dispatch::kernel::world::{
    OrderNo, Pay, PlannedTrip, Rider, RiderNo, Routes, Rules, ShopNo, Unserved, View, Waiting,
};
use crate::geo::{Place, RIDE_M_PER_S, ride_ms};
use pilotlight_sync::domain::id::{OrderId, RiderId, SiteId};
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A rider is called so long before they would have to leave, in milliseconds of business time: time to answer.
pub const CALL_MS_AHEAD: u64 = 4 * 60_000;
/// A rider whose position is older than this is not asked, in milliseconds of business time.
pub const POSITION_AGE_MS_MAX: u64 = 30 * 60_000;
/// Whose trip takes so much longer than its food is not reckoned with: nobody knows when that rider is back.
pub const TRIP_MS_MAX: u64 = 45 * 60_000;
/// Nobody has said how long they work: long enough for any trip, in seconds. What was earned in as long is to be alike.
pub const SHIFT_S: i32 = 4 * 3_600;
/// At a customer's door, in seconds; half before the order is delivered.
const DOOR_HALF_S: i32 = 60;
/// Customers are promised no more than this from click to door, in seconds.
const TARGET_S: i32 = 40 * 60;
/// A forecast that is further off is taken as this far off, in seconds.
const FORECAST_S_MAX: u64 = 86_400;
/// A rider of whom nothing is known counts as having said yes so often.
const PRIOR_YES: f64 = 4.0;

/// An order that needs a rider.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Which.
    pub order: OrderId,
    /// Who makes it.
    pub site: SiteId,
    /// Where it is made.
    pub store: Place,
    /// Where it goes; `None` when nobody knows.
    pub to: Option<Place>,
    /// When the customer clicked.
    pub placed_at: Timestamp,
    /// When the kitchen is expected to be done.
    pub ready_at: Timestamp,
    /// Who refused it, or did not answer.
    pub passed: BTreeSet<RiderId>,
}

/// An order that a rider has taken on, or is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leg {
    /// Where it is made.
    pub store: Place,
    /// Where it goes.
    pub to: Option<Place>,
    /// The rider has it.
    pub picked_up: bool,
    /// When the kitchen is expected to be done.
    pub ready_at: Timestamp,
    /// When the rider last said something of it.
    pub since: Timestamp,
}

/// A rider on shift.
#[derive(Debug, Clone, PartialEq)]
pub struct Courier {
    /// Who.
    pub rider: RiderId,
    /// Where.
    pub place: Place,
    /// Since when that is known.
    pub seen_at: Timestamp,
    /// What is under way, in the sequence of the drop-offs; nothing if the rider is free.
    pub under_way: Vec<Leg>,
    /// Orders brought in the last hours.
    pub brought: u32,
    /// Offers that were answered or lapsed, and those accepted.
    pub asked: (u32, u32),
}

/// What each rider is meant to do later: trips, each its orders in sequence. Nobody has been told.
pub type Planned = BTreeMap<RiderId, Vec<Vec<OrderId>>>;

/// Ask this rider for this trip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Whom.
    pub rider: RiderId,
    /// Where it is made.
    pub site: SiteId,
    /// Orders of that restaurant, in the sequence of the drop-offs.
    pub orders: Vec<OrderId>,
    /// Why, by the numbers of `Round`; times are seconds from now.
    pub reason: Reason,
}

/// What one round decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// Ask these now.
    pub offers: Vec<Offer>,
    /// For the next round.
    pub planned: Planned,
    /// Orders that nobody will bring as things stand.
    pub unserved: BTreeMap<OrderId, Unserved>,
    /// The kernel's numbers, as places in these.
    pub orders: Vec<OrderId>,
    /// The same for riders.
    pub riders: Vec<RiderId>,
    /// The same for restaurants.
    pub sites: Vec<SiteId>,
}

/// Who is asked for what now. `previous` is what the last round planned.
pub fn offers(jobs: &[Job], couriers: &[Courier], previous: &Planned, now: Timestamp) -> Round {
    let sites: BTreeMap<SiteId, Place> = jobs.iter().map(|job| (job.site, job.store)).collect();
    let mut round = Round {
        orders: jobs.iter().map(|job| job.order).collect(),
        sites: sites.keys().copied().collect(),
        ..Round::default()
    };
    let shop_of: BTreeMap<SiteId, ShopNo> = round.sites.iter().copied().zip((0..).map(ShopNo)).collect();
    let order_of: BTreeMap<OrderId, (OrderNo, ShopNo)> =
        (0..).zip(jobs).filter_map(|(no, job)| Some((job.order, (OrderNo(no), *shop_of.get(&job.site)?)))).collect();
    let mut view =
        View { waiting: jobs.iter().filter_map(|job| waiting(job, &order_of, now)).collect(), ..View::default() };
    let mut routes = Routes::new();
    for courier in couriers {
        let Some((place, free_s)) = free(courier, now) else { continue };
        let rider = RiderNo(u32::try_from(view.riders.len()).unwrap_or(u32::MAX));
        view.riders.push(as_rider(courier, rider, place, free_s));
        round.riders.push(courier.rider);
        view.refused.extend(
            (0..).zip(jobs).filter(|(_, job)| job.passed.contains(&courier.rider)).map(|(no, _)| (OrderNo(no), rider)),
        );
        let trips = previous.get(&courier.rider).into_iter().flatten().filter_map(|orders| {
            let known: Vec<(OrderNo, ShopNo)> =
                orders.iter().filter_map(|order| order_of.get(order).copied()).collect();
            let shop = known.first()?.1;
            Some(PlannedTrip { shop, orders: known.into_iter().map(|(order, _)| order).collect() })
        });
        routes.insert(rider, trips.collect());
    }
    let rules = rules(&sites, couriers);
    let plan = decide(&view, &routes, &Demand::default(), &rules, &settings(), 0);
    let order = |no: &OrderNo| Some(jobs.get(usize::try_from(no.0).ok()?)?.order);
    let riders = round.riders.clone();
    let who = |no: &RiderNo| riders.get(usize::try_from(no.0).ok()?).copied();
    for (rider, trips) in &plan.routes {
        let trips = trips.iter().map(|trip| trip.orders.iter().filter_map(order).collect()).collect();
        round.planned.extend(who(rider).map(|rider| (rider, trips)));
    }
    round.unserved = plan.unserved.iter().filter_map(|(no, why)| Some((order(no)?, *why))).collect();
    let mut asked = Vec::new();
    for (instruction, reason) in plan.instructions.iter().zip(&plan.reasons) {
        let Reason::Fetch { orders, .. } = reason else { continue };
        let (rider, shop) = instruction.to();
        let site = usize::try_from(shop.0).ok().and_then(|no| round.sites.get(no).copied());
        let (Some(rider), Some(site)) = (who(&rider), site) else { continue };
        asked.push(Offer { rider, site, orders: orders.iter().filter_map(order).collect(), reason: reason.clone() });
    }
    round.offers = asked;
    round
}

/// What the kernel weighs here. An order of who has brought more than the others costs a minute; riders are not sent about without one.
fn settings() -> Settings {
    let defaults = Settings::default();
    Settings {
        pay_price: 1.0,
        early_s: i32::try_from(CALL_MS_AHEAD / 1_000).unwrap_or(0),
        cover: CoverSettings { moves_max: 0, ..defaults.cover.clone() },
        ..defaults
    }
}

fn rules(sites: &BTreeMap<SiteId, Place>, couriers: &[Courier]) -> Rules {
    let count = couriers.len().max(1) as f64;
    let mean = couriers.iter().map(|courier| f64::from(courier.brought)).sum::<f64>() / count;
    Rules {
        metric: Metric { surface: Surface::Earth, metres_per_s: RIDE_M_PER_S, step_s: 1 },
        pickup_half_s: 0,
        dropoff_half_s: DOOR_HALF_S,
        target_s: TARGET_S,
        // Beyond one order more than the mean of all, an order of the same rider has a price.
        pay: Pay { order: 1.0, hour: (mean + 1.0) * 3_600.0 / f64::from(SHIFT_S) },
        shops: (0..).map(ShopNo).zip(sites.values().copied().map(spot)).collect(),
    }
}

fn spot(place: Place) -> Spot {
    Spot { x: place.lon, y: place.lat }
}

fn waiting(job: &Job, order_of: &BTreeMap<OrderId, (OrderNo, ShopNo)>, now: Timestamp) -> Option<Waiting> {
    let (order, shop) = *order_of.get(&job.order)?;
    let nowhere = Spot { x: f64::NAN, y: f64::NAN };
    let (placed_s, ready_s) = (seconds(job.placed_at, now), seconds(job.ready_at, now));
    let to = job.to.map_or(nowhere, spot);
    // A restaurant's clock may be ahead of the relay's: what is ready was placed before.
    Some(Waiting { order, shop, to, placed_s: placed_s.min(ready_s), ready_s, ready_error_s: 0 })
}

fn as_rider(courier: &Courier, rider: RiderNo, place: Place, free_s: i32) -> Rider {
    let (asked, said_yes) = courier.asked;
    Rider {
        rider,
        place: spot(place),
        at_shop: None,
        free_s,
        on_s: 0,
        off_s: SHIFT_S,
        told: courier.brought,
        left: Vec::new(),
        accepts: (f64::from(said_yes) + PRIOR_YES) / (f64::from(asked) + PRIOR_YES),
    }
}

/// Seconds from now, rounded up: nobody is called early.
fn seconds(at: Timestamp, now: Timestamp) -> i32 {
    let far = |s: u64| i32::try_from(s.min(FORECAST_S_MAX)).unwrap_or(i32::MAX);
    if at >= now { far(at.ms_since(now).div_ceil(1_000)) } else { -far(now.ms_since(at) / 1_000) }
}

/// Where a rider will be free, and in how many seconds; `None` if nobody knows.
pub fn free(courier: &Courier, now: Timestamp) -> Option<(Place, i32)> {
    if now.ms_since(courier.seen_at) > POSITION_AGE_MS_MAX {
        return None;
    }
    if courier.under_way.is_empty() {
        return Some((courier.place, 0));
    }
    let overdue = |leg: &Leg| now.ms_since(leg.since.max(leg.ready_at)) > TRIP_MS_MAX;
    if courier.under_way.iter().any(overdue) {
        return None;
    }
    let ride_s = |from: Place, to: Place| i32::try_from(ride_ms(from.distance_m(&to)) / 1_000).unwrap_or(i32::MAX);
    let (mut place, mut at_s) = (courier.place, 0i32);
    for leg in courier.under_way.iter().filter(|leg| !leg.picked_up) {
        at_s = at_s.saturating_add(ride_s(place, leg.store)).max(seconds(leg.ready_at, now));
        place = leg.store;
    }
    for to in courier.under_way.iter().filter_map(|leg| leg.to) {
        at_s = at_s.saturating_add(ride_s(place, to)).saturating_add(2 * DOOR_HALF_S);
        place = to;
    }
    Some((place, at_s.max(DOOR_HALF_S)))
}

#[cfg(test)]
mod tests;
