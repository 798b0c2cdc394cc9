//! Where riders with nothing to do should stand: so that the orders that are likely next find somebody near.
//!
//! Expected cover: an order takes the nearest free rider with probability `free_share`, else the next one, and so on.

use super::problem::{Problem, Trip, minutes};

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
}

/// Who should move where. `rates`: orders an hour by restaurant; `delays`: mean delay by minutes to the restaurant.
pub(super) fn moves(problem: &Problem<'_>, routes: &[Vec<Trip>], rates: &[f64], delays: &[f64]) -> Vec<(usize, u16)> {
    let settings = &problem.settings.cover;
    let mut cover = Cover { problem, delays, rates, near: Vec::new() };
    let spare: Vec<usize> = (0..problem.workers.len())
        .filter(|at| {
            let worker = &problem.workers[*at];
            routes[*at].is_empty() && worker.free_s <= problem.now_s + 900 && worker.off_s > problem.now_s + 900
        })
        .collect();
    let mut movers: Vec<usize> =
        spare.iter().copied().filter(|at| problem.workers[*at].free_s <= problem.now_s).collect();
    if movers.is_empty() || cover.rates.iter().all(|rate| *rate <= 0.0) {
        return Vec::new();
    }
    cover.fill(&spare);
    let mut moves = Vec::new();
    while !movers.is_empty() && moves.len() < settings.moves_max {
        let mut best: Option<(f64, usize, u16)> = None;
        for mover in &movers {
            if let Some((gain, shop)) = cover.best_move(*mover)
                && best.is_none_or(|(most, ..)| gain > most)
            {
                best = Some((gain, *mover, shop));
            }
        }
        let Some((_, mover, shop)) = best else { break };
        cover.settle(mover, shop);
        movers.retain(|other| *other != mover);
        moves.push((mover, shop));
    }
    moves
}

impl Cover<'_, '_> {
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

    /// The most useful restaurant for a rider to go to, with what it saves.
    fn best_move(&self, mover: usize) -> Option<(f64, u16)> {
        let problem = self.problem;
        let settings = &problem.settings.cover;
        let worker = &problem.workers[mover];
        let mut targets: Vec<(i32, u16)> = (0..)
            .zip(&problem.shops)
            .filter(|(no, _)| {
                self.rates[usize::from(*no)] > 0.0 && !worker.left.contains(no) && worker.at_shop != Some(*no)
            })
            .map(|(no, shop)| (problem.rules.metric.travel_s(worker.place, *shop), no))
            .collect();
        targets.sort_unstable();
        targets.truncate(settings.targets);
        let mut best: Option<(f64, u16)> = None;
        for (ride_s, target) in targets {
            if ride_s > settings.ride_s_max {
                break;
            }
            let place = problem.shops[usize::from(target)];
            let mut gain = -settings.move_price * minutes(ride_s);
            for (no, near) in self.near.iter().enumerate().filter(|(no, _)| self.rates[*no] > 0.0) {
                let there_s = problem.rules.metric.travel_s(place, problem.shops[no]) + problem.rules.pickup_half_s;
                let there = whole(there_s);
                let beyond = near.get(DEPTH - 1).is_some_and(|(minutes, _)| there >= *minutes);
                if beyond && !near.iter().take(DEPTH).any(|(_, at)| *at == mover) {
                    continue;
                }
                let before = self.expected(near.iter().map(|(minutes, _)| *minutes));
                let others: Vec<usize> =
                    near.iter().filter(|(_, at)| *at != mover).map(|(minutes, _)| *minutes).collect();
                let nearer = others.partition_point(|minutes| *minutes <= there);
                let after = self
                    .expected(others[..nearer].iter().copied().chain([there]).chain(others[nearer..].iter().copied()));
                gain += self.rates[no] * settings.stay_min / 60.0 * (before - after);
            }
            if gain > 0.0 && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, target));
            }
        }
        best
    }

    fn settle(&mut self, mover: usize, target: u16) {
        let problem = self.problem;
        let place = problem.shops[usize::from(target)];
        for (no, near) in self.near.iter_mut().enumerate() {
            near.retain(|(_, at)| *at != mover);
            let there_s = problem.rules.metric.travel_s(place, problem.shops[no]) + problem.rules.pickup_half_s;
            near.push((whole(there_s), mover));
            near.sort_unstable();
            near.truncate(DEPTH + 1);
        }
    }
}

/// Whole minutes, rounded up.
fn whole(seconds: i32) -> usize {
    usize::try_from((seconds + 59) / 60).unwrap_or(0)
}
