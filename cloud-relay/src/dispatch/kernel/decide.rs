//! One round: from what is known now to what riders are told now.

use super::cover;
use super::demand::Demand;
use super::explain::{self, Reason};
use super::problem::{Problem, Trip, carried_over};
use super::search::{Dice, Search};
use super::settings::Settings;
use super::world::{Instruction, OrderNo, PlannedTrip, Rider, Routes, Rules, Unserved, View, Waiting};

/// Times are no further from now than this: about eleven days.
const TIME_S_MAX: i32 = 1_000_000;
/// No more orders are planned in a round; the rest waits for the next.
const ORDERS_MAX: usize = 2_000;

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
    let riders: Vec<Rider> = view.riders.iter().filter(|rider| makes_sense(rider, rules, now_s)).cloned().collect();
    let (waiting, unserved) = sift(view, &riders, rules, now_s);
    let view = View { waiting, riders, refused: view.refused.clone() };
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

/// Whether a rider can be reckoned with: somewhere, in a shift that has an end.
fn makes_sense(rider: &Rider, rules: &Rules, now_s: i32) -> bool {
    let times = [rider.free_s, rider.on_s, rider.off_s];
    rules.metric.knows(rider.place) && times.iter().all(|at_s| near(*at_s, now_s)) && rider.on_s <= rider.off_s
}

fn near(at_s: i32, now_s: i32) -> bool {
    at_s.saturating_sub(now_s).saturating_abs() <= TIME_S_MAX
}

/// Orders that can be planned, and those that make no sense. Of a flood those that are ready first are planned first.
fn sift(view: &View, riders: &[Rider], rules: &Rules, now_s: i32) -> (Vec<Waiting>, Vec<(OrderNo, Unserved)>) {
    let (mut sound, mut unserved) = (Vec::new(), Vec::new());
    for order in &view.waiting {
        let why = match rules.shops.get(&order.shop) {
            _ if !rules.metric.knows(order.to) => Some(Unserved::NoPlace),
            None => Some(Unserved::NoShop),
            Some(shop) if !rules.metric.knows(*shop) => Some(Unserved::NoShop),
            Some(_) if order.ready_s < order.placed_s => Some(Unserved::ClocksOutOfOrder),
            Some(_) if !near(order.ready_s, now_s) || !near(order.placed_s, now_s) => Some(Unserved::ClocksOutOfOrder),
            Some(_) if riders.is_empty() => Some(Unserved::NobodyOnDuty),
            Some(_) => None,
        };
        match why {
            Some(why) => unserved.push((order.order, why)),
            None => sound.push(*order),
        }
    }
    if sound.len() > ORDERS_MAX {
        sound.sort_by_key(|order| (order.ready_s, order.order));
        unserved.extend(sound.drain(ORDERS_MAX..).map(|order| (order.order, Unserved::TooMany)));
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
