//! One round's problem in arrays: what a rider's route costs.

use super::metric::Spot;
use super::settings::Settings;
use super::world::{Rider, Routes, Rules, ShopNo, View, Waiting};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// No more drop-offs from one pickup.
pub(super) const BUNDLE_MAX: usize = 4;
/// No more restaurants.
const SHOPS_MAX: usize = 60_000;
/// Cost of an order that nobody brings, in minutes of delay.
pub(super) const UNSERVED_MIN: f64 = 600.0;

/// An order, or the expectation of one.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The place in `Problem::shops`.
    pub(super) shop: u16,
    pub(super) to: Spot,
    pub(super) placed_s: i32,
    pub(super) ready_s: i32,
    /// The same, or now: a delay that has passed is nobody's cost any more, and an order that is late is none to give up.
    pub(super) due_s: i32,
    /// From the restaurant straight to the customer.
    pub(super) ride_s: i32,
    /// The kitchen is not done, and only guesses when it will be.
    pub(super) unsure: bool,
    /// One for an order; less for one that has not been placed yet.
    pub(super) weight: f64,
    /// The place in `View::waiting`; none for an expected order.
    pub(super) source: Option<u32>,
}

/// Drop-offs from one pickup, in sequence. The numbers are places in `Problem::jobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trip {
    pub(super) shop: u16,
    len: u8,
    stops: [u16; BUNDLE_MAX],
}

impl Trip {
    pub(super) fn of(shop: u16, job: u16) -> Self {
        let mut stops = [0; BUNDLE_MAX];
        stops[0] = job;
        Self { shop, len: 1, stops }
    }

    pub(super) fn stops(&self) -> &[u16] {
        &self.stops[..usize::from(self.len)]
    }

    /// Whether there is room for one more, of at most so many.
    pub(super) fn has_room(&self, most: usize) -> bool {
        usize::from(self.len) < BUNDLE_MAX.min(most)
    }

    /// With one more stop before the `at`-th; the trip is not full.
    pub(super) fn with(mut self, at: usize, job: u16) -> Self {
        let len = usize::from(self.len);
        self.stops.copy_within(at..len, at + 1);
        self.stops[at] = job;
        self.len += 1;
        self
    }

    /// Without this job; none if nothing is left.
    pub(super) fn without(mut self, job: u16) -> Option<Self> {
        let mut kept = 0;
        for at in 0..usize::from(self.len) {
            if self.stops[at] != job {
                self.stops[kept] = self.stops[at];
                kept += 1;
            }
        }
        self.len = u8::try_from(kept).unwrap_or(0);
        (kept > 0).then_some(self)
    }
}

/// A rider in the arrays.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub(super) place: Spot,
    /// Stands at this restaurant since `free_s`.
    pub(super) at_shop: Option<u16>,
    /// Since when, or from when, idle.
    pub(super) free_s: i32,
    /// The earliest departure.
    pub(super) start_s: i32,
    pub(super) off_s: i32,
    /// Orders that the guaranteed pay still covers.
    pub(super) covered: f64,
    /// Not to be sent there as the first thing.
    pub(super) left: Vec<u16>,
    /// Minutes added to the cost of each trip: what a refusal would cost.
    pub(super) doubt: f64,
}

/// One round's problem.
#[derive(Debug)]
pub(super) struct Problem<'a> {
    pub(super) rules: &'a Rules,
    pub(super) settings: &'a Settings,
    pub(super) now_s: i32,
    pub(super) shops: Vec<Spot>,
    pub(super) shop_nos: Vec<ShopNo>,
    pub(super) jobs: Vec<Job>,
    pub(super) workers: Vec<Worker>,
    /// Job and worker that do not go together.
    pub(super) refused: BTreeSet<(u16, usize)>,
    rides: Rides,
}

/// Where a ride to a restaurant begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// Where this worker is, or will be.
    Worker(usize),
    /// Where this job goes.
    Job(u16),
    /// This restaurant, one that has a job.
    Shop(u16),
}

/// Seconds to the restaurants that have jobs. A search asks for the same rides again and again: each is reckoned once, when asked for.
#[derive(Debug, Default)]
struct Rides {
    /// The column of each restaurant that has a job.
    columns: Vec<u16>,
    width: usize,
    /// Rows: workers, jobs, restaurants that have jobs. Below zero: not reckoned yet.
    seconds: Vec<Cell<i32>>,
}

impl Rides {
    fn new(jobs: &[Job], workers: usize, shops: usize) -> Self {
        let mut columns = vec![u16::MAX; shops];
        let asked: BTreeSet<u16> = jobs.iter().map(|job| job.shop).collect();
        for (column, shop) in (0..).zip(&asked) {
            columns[usize::from(*shop)] = column;
        }
        let width = asked.len();
        Self { columns, width, seconds: vec![Cell::new(-1); (workers + jobs.len() + width) * width] }
    }
}

/// When a worker's first trip happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    /// The latest departure that is not late.
    pub(super) leave_s: i32,
    /// At the restaurant, if the worker sets out at once.
    pub(super) arrive_s: i32,
    /// The latest moment to tell the worker, at the restaurant, what to take.
    pub(super) tell_s: i32,
    pub(super) pickup_s: i32,
}

pub(super) fn minutes(seconds: i32) -> f64 {
    f64::from(seconds) / 60.0
}

impl<'a> Problem<'a> {
    /// The arrays of a view; orders that make no sense were taken out before.
    pub(super) fn new(view: &View, rules: &'a Rules, settings: &'a Settings, now_s: i32) -> Self {
        let shop_nos: Vec<ShopNo> = rules.shops.keys().copied().take(SHOPS_MAX).collect();
        let index: BTreeMap<ShopNo, u16> = shop_nos.iter().copied().zip(0..).collect();
        let shops: Vec<Spot> = rules.shops.values().copied().take(SHOPS_MAX).collect();
        let mut problem = Self {
            rules,
            settings,
            now_s,
            shops,
            shop_nos,
            jobs: Vec::new(),
            workers: Vec::new(),
            refused: BTreeSet::new(),
            rides: Rides::default(),
        };
        for (source, order) in (0..).zip(&view.waiting) {
            if let Some(shop) = index.get(&order.shop) {
                let job = problem.job(*shop, order, source);
                problem.jobs.push(job);
            }
        }
        problem.workers = view.riders.iter().map(|rider| problem.worker(rider, &index)).collect();
        problem.refused = problem.refusals(view);
        problem.rides = Rides::new(&problem.jobs, problem.workers.len(), problem.shops.len());
        problem
    }

    /// Seconds to a restaurant that has a job.
    pub(super) fn ride_s(&self, from: Origin, shop: u16) -> i32 {
        let column = |shop: u16| usize::from(self.rides.columns[usize::from(shop)]);
        let (row, place) = match from {
            Origin::Worker(worker) => (worker, &self.workers[worker].place),
            Origin::Job(job) => (self.workers.len() + usize::from(job), &self.job_of(job).to),
            Origin::Shop(shop) => (self.workers.len() + self.jobs.len() + column(shop), &self.shops[usize::from(shop)]),
        };
        let known = &self.rides.seconds[row * self.rides.width + column(shop)];
        if known.get() < 0 {
            known.set(self.rules.metric.travel_s(*place, self.shops[usize::from(shop)]));
        }
        known.get()
    }

    fn refusals(&self, view: &View) -> BTreeSet<(u16, usize)> {
        if view.refused.is_empty() {
            return BTreeSet::new();
        }
        let orders: BTreeMap<_, u16> = (0..)
            .zip(&self.jobs)
            .filter_map(|(at, job)| Some((view.waiting.get(usize::try_from(job.source?).ok()?)?.order, at)))
            .collect();
        let riders: BTreeMap<_, usize> = view.riders.iter().map(|rider| rider.rider).zip(0..).collect();
        view.refused.iter().filter_map(|(order, rider)| Some((*orders.get(order)?, *riders.get(rider)?))).collect()
    }

    fn job(&self, shop: u16, order: &Waiting, source: u32) -> Job {
        let ride_s = self.rules.metric.travel_s(self.shops[usize::from(shop)], order.to);
        let (placed_s, ready_s) = (order.placed_s, order.ready_s);
        let unsure = order.ready_error_s > 0 && ready_s > self.now_s;
        let due_s = ready_s.max(self.now_s);
        Job { shop, to: order.to, placed_s, ready_s, due_s, ride_s, unsure, weight: 1.0, source: Some(source) }
    }

    fn worker(&self, rider: &Rider, index: &BTreeMap<ShopNo, u16>) -> Worker {
        let shop = |shop: &ShopNo| index.get(shop).copied();
        let free_s = rider.free_s.max(rider.on_s);
        let pay = self.rules.pay;
        let guaranteed = pay.hour * f64::from(rider.off_s.saturating_sub(rider.on_s)) / 3_600.0;
        Worker {
            place: rider.place,
            at_shop: rider.at_shop.as_ref().and_then(shop),
            free_s,
            start_s: free_s.max(self.now_s),
            off_s: rider.off_s,
            covered: guaranteed / pay.order.max(f64::MIN_POSITIVE) - f64::from(rider.told),
            left: rider.left.iter().filter_map(shop).collect(),
            doubt: (1.0 / rider.accepts.clamp(0.05, 1.0) - 1.0) * self.settings.refusal_min,
        }
    }

    pub(super) fn shop(&self, trip: &Trip) -> Spot {
        self.shops[usize::from(trip.shop)]
    }

    pub(super) fn job_of(&self, stop: u16) -> &Job {
        &self.jobs[usize::from(stop)]
    }

    /// When a worker's first trip happens.
    pub(super) fn timing(&self, worker: &Worker, trip: &Trip) -> Timing {
        let rules = self.rules;
        let stands = worker.at_shop == Some(trip.shop);
        let ride_s = if stands { 0 } else { rules.metric.travel_s(worker.place, self.shop(trip)) };
        let arrive_s = if stands { worker.free_s } else { worker.start_s + ride_s };
        let ready_s = trip.stops().iter().map(|stop| self.job_of(*stop).ready_s).max().unwrap_or(0);
        let pickup_s = (arrive_s + rules.pickup_half_s).max(ready_s).max(worker.start_s);
        let begin_s = pickup_s - rules.pickup_half_s;
        // What nobody is sure of may take long: the rider is bound to it only once it is there.
        let unsure = trip.stops().iter().any(|stop| self.job_of(*stop).unsure);
        let tell_s = if unsure { pickup_s } else { begin_s };
        Timing { leave_s: begin_s - ride_s, arrive_s, tell_s, pickup_s }
    }

    /// What a worker's whole route costs, in minutes of delay; infinite if it cannot be ridden.
    pub(super) fn cost(&self, worker: usize, trips: &[Trip]) -> f64 {
        let (rules, settings) = (self.rules, self.settings);
        let mut from = Origin::Worker(worker);
        let worker = &self.workers[worker];
        let (mut at_s, mut cost, mut orders) = (worker.start_s, 0.0, 0.0);
        for (nth, trip) in trips.iter().enumerate() {
            if nth == 0 && worker.left.contains(&trip.shop) {
                return f64::INFINITY;
            }
            let stands = nth == 0 && worker.at_shop == Some(trip.shop);
            let empty_s = if stands { 0 } else { self.ride_s(from, trip.shop) };
            let arrive_s = if stands { worker.free_s } else { at_s + empty_s };
            let ready_s = trip.stops().iter().map(|stop| self.job_of(*stop).ready_s).max().unwrap_or(0);
            let pickup_s = (arrive_s + rules.pickup_half_s).max(ready_s).max(at_s);
            if pickup_s > worker.off_s {
                return f64::INFINITY;
            }
            at_s = pickup_s + rules.pickup_half_s;
            let mut place = None;
            for stop in trip.stops() {
                let job = self.job_of(*stop);
                at_s += place.map_or(job.ride_s, |place| rules.metric.travel_s(place, job.to));
                (place, from) = (Some(job.to), Origin::Job(*stop));
                at_s += rules.dropoff_half_s;
                let soonest_s = job.due_s + rules.pickup_half_s + job.ride_s + rules.dropoff_half_s;
                let delay = minutes(at_s - soonest_s);
                let promised_s = (job.placed_s + rules.target_s).max(self.now_s);
                let over = minutes((at_s - promised_s).max(0));
                cost += job.weight * (delay + settings.squared * delay * delay + settings.over_target * over);
                orders += job.weight;
                at_s += rules.dropoff_half_s;
            }
            cost += settings.empty_ride * minutes(empty_s) + worker.doubt;
        }
        if settings.pay_price > 0.0 {
            let extra = (orders - worker.covered.max(0.0)).max(0.0);
            cost += settings.pay_price * rules.pay.order * extra;
        }
        cost
    }
}

/// The routes of the last round that still make sense: riders and orders that are still there.
pub(super) fn carried_over(problem: &Problem<'_>, view: &View, previous: &Routes) -> Vec<Vec<Trip>> {
    let place_of: BTreeMap<_, u16> = problem
        .jobs
        .iter()
        .zip(0..)
        .filter_map(|(job, at)| Some((view.waiting.get(usize::try_from(job.source?).ok()?)?.order, at)))
        .collect();
    let mut routes = Vec::new();
    for (at, rider) in view.riders.iter().enumerate() {
        let mut trips = Vec::new();
        for planned in previous.get(&rider.rider).into_iter().flatten() {
            let mut trip: Option<Trip> = None;
            let known = planned.orders.iter().filter_map(|order| place_of.get(order));
            for job in known.filter(|job| !problem.refused.contains(&(**job, at))) {
                trip = Some(match trip {
                    None => Trip::of(problem.job_of(*job).shop, *job),
                    Some(trip) if !trip.has_room(BUNDLE_MAX) => trip,
                    Some(trip) => trip.with(trip.stops().len(), *job),
                });
            }
            trips.extend(trip);
        }
        // What has become impossible (a rider went off, a forecast moved) is planned anew.
        if !problem.cost(at, &trips).is_finite() {
            trips.clear();
        }
        routes.push(trips);
    }
    routes
}
