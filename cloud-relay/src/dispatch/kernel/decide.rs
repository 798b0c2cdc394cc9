//! One round: from what is known now to what riders are told now.

use super::cover;
use super::demand::Demand;
use super::problem::{Problem, Timing, Trip, carried_over};
use super::search::{Dice, Search};
use super::settings::Settings;
use super::world::{Instruction, OrderNo, PlannedTrip, Routes, Rules, Unserved, View, Waiting};

/// What a round decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Tell riders this, now.
    pub instructions: Vec<Instruction>,
    /// What they are meant to do later; given back to the next round.
    pub routes: Routes,
    /// Orders that nobody will bring as things stand, and why.
    pub unserved: Vec<(OrderNo, Unserved)>,
}

/// Plans a round: `previous` are the last round's routes. The same arguments give the same plan.
pub fn decide(view: &View, previous: &Routes, demand: &Demand, rules: &Rules, settings: &Settings, now_s: i32) -> Plan {
    let (sound, mut unserved) = sift(view, rules);
    let view = View { waiting: sound, riders: view.riders.clone() };
    let problem = Problem::new(&view, rules, settings, now_s);
    let mut search = Search::new(&problem, carried_over(&problem, &view, previous));
    search.insert_open();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    let repairs = (settings.repairs_per_order * problem.jobs.len() as f64) as usize;
    search.improve(repairs.min(settings.repairs_max), &mut Dice::new(u64::from(now_s.unsigned_abs())));
    for job in search.open() {
        if let Some(order) = problem.job_of(job).source.and_then(|source| view.waiting.get(source as usize)) {
            unserved.push((order.order, why_open(&problem, job)));
        }
    }
    let mut plan = Plan { unserved, ..Plan::default() };
    for (at, trips) in search.routes.iter().enumerate() {
        let rider = &view.riders[at];
        if let Some(first) = trips.first() {
            let worker = &problem.workers[at];
            let timing = problem.timing(worker, first, worker.place, worker.start_s, true);
            let idle = rider.free_s.max(rider.on_s) <= now_s;
            let instruction = if idle { tell(&problem, at, first, timing, &view) } else { None };
            plan.instructions.extend(instruction.map(|told| match told {
                Told::Go => Instruction::Go { rider: rider.rider, shop: problem.shop_nos[usize::from(first.shop)] },
                Told::Take => Instruction::Take {
                    rider: rider.rider,
                    shop: problem.shop_nos[usize::from(first.shop)],
                    orders: orders(&problem, &view, first),
                },
            }));
        }
        if !trips.is_empty() {
            let planned = trips.iter().map(|trip| PlannedTrip {
                shop: problem.shop_nos[usize::from(trip.shop)],
                orders: orders(&problem, &view, trip),
            });
            plan.routes.insert(rider.rider, planned.filter(|trip| !trip.orders.is_empty()).collect());
        }
    }
    if settings.free_share > 0.0 {
        for (worker, shop) in cover::moves(&problem, &search.routes, demand) {
            let (rider, shop) = (view.riders[worker].rider, problem.shop_nos[usize::from(shop)]);
            plan.instructions.push(Instruction::Go { rider, shop });
        }
    }
    plan
}

enum Told {
    Go,
    Take,
}

/// What an idle rider must be told now, if the first trip is not to be late for it.
fn tell(problem: &Problem<'_>, worker: usize, first: &Trip, timing: Timing, _view: &View) -> Option<Told> {
    let rules = problem.rules;
    let stands = problem.workers[worker].at_shop == Some(first.shop);
    if stands {
        return (problem.now_s >= timing.pickup_s - rules.pickup_half_s).then_some(Told::Take);
    }
    let ride_s = timing.arrive_s - timing.depart_s;
    let must_s = timing.pickup_s - rules.pickup_half_s - ride_s - problem.settings.early_s;
    (problem.now_s >= must_s).then_some(Told::Go)
}

fn orders(problem: &Problem<'_>, view: &View, trip: &Trip) -> Vec<OrderNo> {
    let order = |stop: &u16| Some(view.waiting.get(problem.job_of(*stop).source? as usize)?.order);
    trip.stops().iter().filter_map(order).collect()
}

/// Orders that can be planned, and those that make no sense.
fn sift(view: &View, rules: &Rules) -> (Vec<Waiting>, Vec<(OrderNo, Unserved)>) {
    let (mut sound, mut unserved) = (Vec::new(), Vec::new());
    for order in &view.waiting {
        let shop = rules.shops.get(&order.shop);
        let why = match shop {
            _ if !rules.metric.knows(order.to) => Some(Unserved::NoPlace),
            None => Some(Unserved::NoShop),
            Some(shop) if !rules.metric.knows(*shop) => Some(Unserved::NoShop),
            Some(_) if order.ready_s < order.placed_s => Some(Unserved::ClocksOutOfOrder),
            Some(_) if view.riders.is_empty() => Some(Unserved::NobodyOnDuty),
            Some(_) => None,
        };
        match why {
            Some(why) => unserved.push((order.order, why)),
            None => sound.push(*order),
        }
    }
    (sound, unserved)
}

fn why_open(problem: &Problem<'_>, job: u16) -> Unserved {
    let job = problem.job_of(job);
    let shop = problem.shops[usize::from(job.shop)];
    let half_s = problem.rules.pickup_half_s;
    if problem.workers.iter().all(|worker| worker.off_s < problem.now_s) {
        return Unserved::NobodyOnDuty;
    }
    let reaches = problem.workers.iter().any(|worker| {
        let ride_s = problem.rules.metric.travel_s(worker.place, shop);
        (worker.start_s + ride_s + half_s).max(job.ready_s) <= worker.off_s
    });
    if reaches { Unserved::AllTaken } else { Unserved::OutOfReach }
}
