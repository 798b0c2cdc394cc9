//! Where riders with nothing to do should stand: so that the orders that are likely next find somebody near.
//!
//! Expected cover: an order takes the nearest free rider with probability `free_share`, else the next one, and so on.

use super::metric::Spot;
use super::problem::{Problem, Trip, minutes};
use std::collections::BTreeMap;

/// So many of the nearest riders count for a restaurant.
const DEPTH: usize = 4;
/// What none of them does takes so long, in minutes.
const NOBODY_MIN: usize = 45;

struct Cover<'a, 'p> {
    problem: &'a Problem<'p>,
    delays: &'a [f64],
    rates: &'a [f64],
    /// For each restaurant, riders by minutes to be there.
    near: Vec<Vec<(usize, usize)>>,
    /// From a restaurant that riders may be sent to: minutes to be at each of all.
    there: BTreeMap<u16, Vec<usize>>,
}

/// A rider who may be sent, and the nearest restaurants with the seconds to them.
struct Mover {
    worker: usize,
    targets: Vec<(i32, u16)>,
}

/// Who should move where. `rates`: orders an hour by restaurant; `delays`: mean delay by minutes to the restaurant.
pub(super) fn moves(problem: &Problem<'_>, routes: &[Vec<Trip>], rates: &[f64], delays: &[f64]) -> Vec<(usize, u16)> {
    let mut cover = Cover { problem, delays, rates, near: Vec::new(), there: BTreeMap::new() };
    let spare: Vec<usize> = (0..problem.workers.len())
        .filter(|at| {
            let worker = &problem.workers[*at];
            routes[*at].is_empty() && worker.free_s <= problem.now_s + 900 && worker.off_s > problem.now_s + 900
        })
        .collect();
    let free = spare.iter().copied().filter(|at| problem.workers[*at].free_s <= problem.now_s);
    let mut movers: Vec<Mover> = free.map(|at| cover.mover(at)).collect();
    if movers.is_empty() || cover.rates.iter().all(|rate| *rate <= 0.0) {
        return Vec::new();
    }
    cover.fill(&spare);
    let mut moves = Vec::new();
    while !movers.is_empty() && moves.len() < problem.settings.cover.moves_max {
        let Some((mover, shop)) = cover.best_move(&movers) else { break };
        cover.settle(mover, shop);
        movers.retain(|other| other.worker != mover);
        moves.push((mover, shop));
    }
    moves
}

impl Cover<'_, '_> {
    fn mover(&mut self, at: usize) -> Mover {
        let problem = self.problem;
        let settings = &problem.settings.cover;
        let worker = &problem.workers[at];
        let allowed =
            |no: &u16| self.rates[usize::from(*no)] > 0.0 && !worker.left.contains(no) && worker.at_shop != Some(*no);
        let mut targets: Vec<(i32, u16)> = (0..)
            .zip(&problem.shops)
            .filter(|(no, _)| allowed(no))
            .map(|(no, shop)| (problem.rules.metric.travel_s(worker.place, *shop), no))
            .filter(|(ride_s, _)| *ride_s <= settings.ride_s_max)
            .collect();
        targets.sort_unstable();
        targets.truncate(settings.targets);
        for (_, target) in &targets {
            self.there.entry(*target).or_insert_with(|| {
                let place = problem.shops[usize::from(*target)];
                let ride_s = |shop: &Spot| problem.rules.metric.travel_s(place, *shop);
                problem.shops.iter().map(|shop| whole(ride_s(shop) + problem.rules.pickup_half_s)).collect()
            });
        }
        Mover { worker: at, targets }
    }

    fn fill(&mut self, spare: &[usize]) {
        let problem = self.problem;
        for (no, shop) in problem.shops.iter().enumerate() {
            let mut near: Vec<(usize, usize)> = Vec::new();
            for at in spare.iter().filter(|_| self.rates[no] > 0.0) {
                let worker = &problem.workers[*at];
                let ride_s = problem.rules.metric.travel_s(worker.place, *shop);
                near.push((whole((worker.start_s - problem.now_s) + ride_s + problem.rules.pickup_half_s), *at));
            }
            near.sort_unstable();
            near.truncate(DEPTH + 1);
            self.near.push(near);
        }
    }

    fn delay(&self, minutes: usize) -> f64 {
        self.delays.get(minutes).or(self.delays.last()).copied().unwrap_or(0.0)
    }

    /// Expected delay at a restaurant if these are the minutes of its riders.
    fn expected(&self, minutes: impl Iterator<Item = usize>) -> f64 {
        let free = self.problem.settings.cover.free_share;
        let (mut left, mut sum) = (1.0, 0.0);
        for minutes in minutes.take(DEPTH) {
            sum += left * free * self.delay(minutes);
            left *= 1.0 - free;
        }
        sum + left * self.delay(NOBODY_MIN)
    }

    /// What a restaurant gains when a rider is there in so many minutes; `mover` is one who counted for it until then.
    fn gain(&self, no: usize, there: usize, mover: Option<usize>) -> f64 {
        let near = &self.near[no];
        let before = self.expected(near.iter().map(|(minutes, _)| *minutes));
        let others = || near.iter().filter(|(_, at)| Some(*at) != mover).map(|(minutes, _)| *minutes);
        let nearer = others().take_while(|minutes| *minutes <= there);
        let after = self.expected(nearer.chain([there]).chain(others().skip_while(|minutes| *minutes <= there)));
        self.rates[no] * self.problem.settings.cover.stay_min / 60.0 * (before - after)
    }

    /// The most useful move.
    fn best_move(&self, movers: &[Mover]) -> Option<(usize, u16)> {
        let price = self.problem.settings.cover.move_price;
        let asked = || (0..).zip(&self.near).filter(|(no, _): &(usize, _)| self.rates[*no] > 0.0);
        // Where a rider counts, its leaving is felt: few places for each. The rest gains the same whoever comes.
        let mut counts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (no, near) in asked() {
            for (_, at) in near.iter().take(DEPTH) {
                counts.entry(*at).or_default().push(no);
            }
        }
        let reached = |no: usize, near: &[(usize, usize)], there: &[usize]| {
            near.get(DEPTH - 1).is_none_or(|(minutes, _)| there[no] < *minutes)
        };
        let to_all: BTreeMap<u16, Vec<(usize, f64)>> = self
            .there
            .iter()
            .map(|(target, there)| {
                let gains = asked().filter(|(no, near)| reached(*no, near, there));
                (*target, gains.map(|(no, _)| (no, self.gain(no, there[no], None))).collect())
            })
            .collect();
        let mut best: Option<(f64, usize, u16)> = None;
        for mover in movers {
            let own = counts.get(&mover.worker).map_or(&[][..], Vec::as_slice);
            for (ride_s, target) in &mover.targets {
                let (Some(there), Some(to_all)) = (self.there.get(target), to_all.get(target)) else { continue };
                let mut sum = -price * minutes(*ride_s);
                let mut own = own.iter().peekable();
                for (no, gain) in to_all {
                    while let Some(left) = own.next_if(|left| *left < no) {
                        sum += self.gain(*left, there[*left], Some(mover.worker));
                    }
                    let counts = own.next_if(|left| *left == no).is_some();
                    sum += if counts { self.gain(*no, there[*no], Some(mover.worker)) } else { *gain };
                }
                for left in own {
                    sum += self.gain(*left, there[*left], Some(mover.worker));
                }
                if sum > 0.0 && best.is_none_or(|(most, ..)| sum > most) {
                    best = Some((sum, mover.worker, *target));
                }
            }
        }
        best.map(|(_, mover, target)| (mover, target))
    }

    fn settle(&mut self, mover: usize, target: u16) {
        let Some(there) = self.there.get(&target) else { return };
        for (near, there) in self.near.iter_mut().zip(there) {
            near.retain(|(_, at)| *at != mover);
            near.push((*there, mover));
            near.sort_unstable();
            near.truncate(DEPTH + 1);
        }
    }
}

/// Whole minutes, rounded up.
fn whole(seconds: i32) -> usize {
    usize::try_from((seconds + 59) / 60).unwrap_or(0)
}
