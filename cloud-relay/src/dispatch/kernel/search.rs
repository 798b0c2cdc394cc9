//! Finds routes: cheapest insertion, then ruin and repair.

use super::problem::{Origin, Problem, Trip, UNSERVED_MIN, minutes};

/// Where an order goes.
#[derive(Debug, Clone, Copy)]
struct Spot {
    worker: usize,
    /// Which trip.
    trip: usize,
    /// As the n-th stop of that trip; none: a trip of its own before it.
    stop: Option<usize>,
    extra: f64,
}

/// Small deterministic random numbers (xorshift64*).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Below `n`; 0 if there is nothing below.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        usize::try_from(self.next().checked_rem(n).unwrap_or(0)).unwrap_or(0)
    }
}

/// Routes under construction.
#[derive(Debug)]
pub(super) struct Search<'a, 'p> {
    problem: &'a Problem<'p>,
    pub(super) routes: Vec<Vec<Trip>>,
    costs: Vec<f64>,
    /// Which worker has a job.
    holder: Vec<Option<usize>>,
    /// Workers by how soon they can be at a job's restaurant.
    near: Vec<Vec<(f64, usize)>>,
    scratch: Vec<Trip>,
    /// Routes and costs before the current repair.
    journal: Option<Vec<(usize, Vec<Trip>, f64)>>,
}

impl<'a, 'p> Search<'a, 'p> {
    /// Starts from these routes.
    pub(super) fn new(problem: &'a Problem<'p>, routes: Vec<Vec<Trip>>) -> Self {
        let costs = routes.iter().enumerate().map(|(worker, trips)| problem.cost(worker, trips)).collect();
        let mut holder = vec![None; problem.jobs.len()];
        for (worker, trips) in routes.iter().enumerate() {
            for stop in trips.iter().flat_map(|trip| trip.stops()) {
                holder[usize::from(*stop)] = Some(worker);
            }
        }
        let near = near(problem);
        Self { problem, routes, costs, holder, near, scratch: Vec::new(), journal: None }
    }

    /// Jobs that nobody has.
    pub(super) fn open(&self) -> Vec<u16> {
        (0..).zip(&self.holder).filter(|(_, holder)| holder.is_none()).map(|(job, _)| job).collect()
    }

    /// Inserts what nobody has yet where it costs least, what is ready first before the rest.
    pub(super) fn insert_open(&mut self) {
        let mut open = self.open();
        open.sort_by_key(|job| (self.problem.job_of(*job).ready_s, *job));
        for job in open {
            self.insert(job, None);
        }
    }

    fn insert(&mut self, job: u16, blink: Option<&mut Dice>) -> bool {
        let Some(spot) = self.best(job, blink) else { return false };
        let weight = self.problem.job_of(job).weight;
        if spot.extra >= UNSERVED_MIN * weight {
            return false;
        }
        self.put(job, spot);
        true
    }

    fn put(&mut self, job: u16, spot: Spot) {
        let shop = self.problem.job_of(job).shop;
        self.remember(spot.worker);
        let trips = &mut self.routes[spot.worker];
        match spot.stop {
            Some(stop) => trips[spot.trip] = trips[spot.trip].with(stop, job),
            None => trips.insert(spot.trip, Trip::of(shop, job)),
        }
        self.costs[spot.worker] = self.problem.cost(spot.worker, trips);
        self.holder[usize::from(job)] = Some(spot.worker);
    }

    /// The cheapest place for a job. With dice, one place in thirty is overlooked.
    fn best(&mut self, job: u16, mut blink: Option<&mut Dice>) -> Option<Spot> {
        let problem = self.problem;
        let shop = problem.job_of(job).shop;
        let mut best: Option<Spot> = None;
        let mut scratch = std::mem::take(&mut self.scratch);
        for (bound, worker) in &self.near[usize::from(job)] {
            if best.is_some_and(|best| *bound >= best.extra) {
                break;
            }
            let (trips, before) = (&self.routes[*worker], self.costs[*worker]);
            let mut try_spot = |trip: usize, stop: Option<usize>, scratch: &[Trip]| {
                let extra = problem.cost(*worker, scratch) - before;
                let blinked = blink.as_mut().is_some_and(|dice| dice.below(30) == 0);
                if !blinked && best.is_none_or(|best| extra < best.extra) && extra.is_finite() {
                    best = Some(Spot { worker: *worker, trip, stop, extra });
                }
            };
            for at in 0..=trips.len() {
                scratch.clear();
                scratch.extend_from_slice(&trips[..at]);
                scratch.push(Trip::of(shop, job));
                scratch.extend_from_slice(&trips[at..]);
                try_spot(at, None, &scratch);
            }
            for (at, trip) in trips
                .iter()
                .enumerate()
                .filter(|(_, trip)| trip.shop == shop && trip.has_room(problem.settings.bundle_max))
            {
                scratch.clear();
                scratch.extend_from_slice(trips);
                for stop in 0..=trip.stops().len() {
                    scratch[at] = trip.with(stop, job);
                    try_spot(at, Some(stop), &scratch);
                }
            }
        }
        self.scratch = scratch;
        best
    }

    fn remove(&mut self, job: u16) {
        let Some(worker) = self.holder[usize::from(job)].take() else { return };
        self.remember(worker);
        let trips = &mut self.routes[worker];
        if let Some(at) = trips.iter().position(|trip| trip.stops().contains(&job)) {
            match trips[at].without(job) {
                Some(trip) => trips[at] = trip,
                None => {
                    trips.remove(at);
                }
            }
        }
        self.costs[worker] = self.problem.cost(worker, trips);
    }

    /// All that the routes cost, and what is left undone.
    #[cfg(test)]
    pub(super) fn total(&self) -> f64 {
        let open = self.open().into_iter().map(|job| UNSERVED_MIN * self.problem.job_of(job).weight);
        self.costs.iter().sum::<f64>() + open.sum::<f64>()
    }

    /// Takes a few related jobs out and puts them back better, so many times.
    pub(super) fn improve(&mut self, times: usize, dice: &mut Dice) {
        let count = self.problem.jobs.len();
        if count == 0 {
            return;
        }
        for _ in 0..times {
            let mut out = self.related(dice.below(count), 1 + dice.below(6), dice);
            self.journal = Some(Vec::new());
            let before = self.undone(&out);
            for job in &out {
                self.remove(*job);
            }
            match dice.below(3) {
                0 => out.sort_by_key(|job| self.problem.job_of(*job).ready_s),
                1 => out.reverse(),
                _ => {}
            }
            for job in &out {
                self.insert(*job, Some(dice));
            }
            let journal = self.journal.take().unwrap_or_default();
            let changed: f64 = journal.iter().map(|(worker, _, cost)| self.costs[*worker] - cost).sum();
            if changed + self.undone(&out) - before > 1e-9 {
                self.restore(&out, journal);
            }
        }
    }

    /// What those of these jobs cost that nobody has.
    fn undone(&self, jobs: &[u16]) -> f64 {
        let open = jobs.iter().filter(|job| self.holder[usize::from(**job)].is_none());
        open.map(|job| UNSERVED_MIN * self.problem.job_of(*job).weight).sum()
    }

    fn restore(&mut self, out: &[u16], journal: Vec<(usize, Vec<Trip>, f64)>) {
        for job in out {
            self.holder[usize::from(*job)] = None;
        }
        for (worker, trips, cost) in journal {
            for stop in trips.iter().flat_map(|trip| trip.stops()) {
                self.holder[usize::from(*stop)] = Some(worker);
            }
            self.routes[worker] = trips;
            self.costs[worker] = cost;
        }
    }

    /// Remembers a worker's route before it is changed for the first time.
    fn remember(&mut self, worker: usize) {
        if let Some(journal) = &mut self.journal
            && !journal.iter().any(|(known, ..)| *known == worker)
        {
            journal.push((worker, self.routes[worker].clone(), self.costs[worker]));
        }
    }

    /// A job and those most like it: near restaurants, near times.
    fn related(&self, job: usize, count: usize, dice: &mut Dice) -> Vec<u16> {
        let problem = self.problem;
        let seed = &problem.jobs[job];
        let mut by_distance: Vec<(i32, u16)> = (0..)
            .zip(&problem.jobs)
            .map(|(at, other)| {
                let apart_s = problem.ride_s(Origin::Shop(seed.shop), other.shop);
                let later_s = (seed.ready_s - other.ready_s).abs();
                let noise_s = i32::try_from(dice.below(600)).unwrap_or(0);
                (if usize::from(at) == job { -1 } else { apart_s + later_s / 2 + noise_s }, at)
            })
            .collect();
        if count < by_distance.len() {
            by_distance.select_nth_unstable(count);
            by_distance.truncate(count);
        }
        by_distance.sort_unstable();
        by_distance.into_iter().map(|(_, at)| at).collect()
    }
}

/// For each job the workers by the least delay they could bring; by the triangle inequality no route does better.
fn near(problem: &Problem<'_>) -> Vec<Vec<(f64, usize)>> {
    let rules = problem.rules;
    let mut near = Vec::new();
    for (no, job) in (0..).zip(&problem.jobs) {
        let mut workers: Vec<(f64, f64, usize)> = Vec::new();
        for (at, worker) in problem.workers.iter().enumerate() {
            let stands = worker.at_shop == Some(job.shop);
            let empty_s = if stands { 0 } else { problem.ride_s(Origin::Worker(at), job.shop) };
            let arrive_s = if stands { worker.free_s } else { worker.start_s + empty_s };
            let pickup_s = (arrive_s + rules.pickup_half_s).max(worker.start_s);
            if pickup_s.max(job.ready_s) > worker.off_s || problem.refused.contains(&(no, at)) {
                continue;
            }
            let late = job.weight * minutes((pickup_s - job.due_s).max(0));
            workers.push((late, late + 0.1 * minutes(empty_s), at));
        }
        workers.sort_by(|a, b| a.1.total_cmp(&b.1));
        workers.truncate(problem.settings.candidates);
        workers.sort_by(|a, b| a.0.total_cmp(&b.0));
        near.push(workers.into_iter().map(|(late, _, at)| (late, at)).collect());
    }
    near
}
