//! One round: from what is known now to what riders are told now.

use super::cover;
use super::demand::Demand;
use super::explain::{self, Reason};
use super::problem::{Problem, Trip, carried_over};
use super::search::{Dice, Search};
use super::settings::Settings;
use super::world::{Instruction, OrderNo, PlannedTrip, Routes, Rules, Unserved, View, Waiting};

/// What a round decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Tell riders this, now.
    pub instructions: Vec<Instruction>,
    /// Why, one for each instruction.
    pub reasons: Vec<Reason>,
    /// What they are meant to do later; given back to the next round.
    pub routes: Routes,
    /// Orders that nobody will bring as things stand, and why.
    pub unserved: Vec<(OrderNo, Unserved)>,
}

/// Plans a round: `previous` are the last round's routes. The same arguments give the same plan.
pub fn decide(view: &View, previous: &Routes, demand: &Demand, rules: &Rules, settings: &Settings, now_s: i32) -> Plan {
    let (sound, unserved) = sift(view, rules);
    let view = View { waiting: sound, riders: view.riders.clone() };
    let problem = Problem::new(&view, rules, settings, now_s);
    let mut search = Search::new(&problem, carried_over(&problem, &view, previous));
    search.insert_open();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    let repairs = (settings.repairs_per_order * problem.jobs.len() as f64) as usize;
    search.improve(repairs.min(settings.repairs_max), &mut Dice::new(u64::from(now_s.unsigned_abs())));
    let mut plan = Plan { unserved, ..Plan::default() };
    for job in search.open() {
        plan.unserved.extend(order_of(&problem, &view, job).map(|order| (order, why_open(&problem, job))));
    }
    tell_riders(&problem, &view, &search.routes, &mut plan);
    if settings.cover.moves_max > 0 {
        let rates = demand.per_hour(&problem.shop_nos, now_s);
        for (worker, shop) in cover::moves(&problem, &search.routes, &rates, &demand.delays()) {
            let rider = view.riders[worker].rider;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let hundredths_per_hour = (100.0 * rates[usize::from(shop)]) as u32;
            let shop = problem.shop_nos[usize::from(shop)];
            plan.instructions.push(Instruction::Go { rider, shop });
            plan.reasons.push(Reason::Cover { rider, shop, hundredths_per_hour });
        }
    }
    plan
}

/// Late commitment: an idle rider is told of the first trip when waiting any longer would make it late, not before.
fn tell_riders(problem: &Problem<'_>, view: &View, routes: &[Vec<Trip>], plan: &mut Plan) {
    let idle: Vec<usize> = (0..routes.len()).filter(|at| routes[*at].is_empty()).collect();
    for (at, trips) in routes.iter().enumerate() {
        let (rider, worker) = (&view.riders[at], &problem.workers[at]);
        let Some(first) = trips.first() else { continue };
        let orders = |trip: &Trip| trip.stops().iter().filter_map(|stop| order_of(problem, view, *stop)).collect();
        let shop_no = |trip: &Trip| problem.shop_nos[usize::from(trip.shop)];
        let planned = trips.iter().map(|trip| PlannedTrip { shop: shop_no(trip), orders: orders(trip) });
        plan.routes.insert(rider.rider, planned.collect());
        if worker.free_s > problem.now_s {
            continue;
        }
        let timing = problem.timing(worker, first);
        let stands = worker.at_shop == Some(first.shop);
        if problem.now_s < if stands { timing.tell_s } else { timing.leave_s - problem.settings.early_s } {
            continue;
        }
        let (rider, shop) = (rider.rider, shop_no(first));
        plan.instructions.push(if stands {
            Instruction::Take { rider, shop, orders: orders(first) }
        } else {
            Instruction::Go { rider, shop }
        });
        plan.reasons.push(explain::fetch(problem, view, at, first, timing, &idle));
    }
}

fn order_of(problem: &Problem<'_>, view: &View, job: u16) -> Option<OrderNo> {
    let source = usize::try_from(problem.job_of(job).source?).ok()?;
    Some(view.waiting.get(source)?.order)
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
