//! Plays a recorded day minute by minute: the kernel is told what is known by then, riders do what they are told.

use super::day::Day;
use super::forecast::{Forecast, Forecaster};
use crate::dispatch::kernel::decide::{Plan, decide};
use crate::dispatch::kernel::demand::Demand;
use crate::dispatch::kernel::explain::Names;
use crate::dispatch::kernel::metric::Spot;
use crate::dispatch::kernel::settings::Settings;
use crate::dispatch::kernel::world::{Instruction, OrderNo, Rider, RiderNo, Routes, ShopNo, Unserved, View, Waiting};
use std::collections::{BTreeMap, BTreeSet};

/// Rounds are so far apart.
const ROUND_S: i32 = 60;

/// A ride from one place to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// Who.
    pub rider: RiderNo,
    /// When.
    pub depart_s: i32,
    /// From where.
    pub from: Stop,
    /// Where to.
    pub to: Stop,
}

/// Where a ride begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Where the shift began.
    Start,
    /// A restaurant.
    Shop(ShopNo),
    /// A customer.
    Order(OrderNo),
}

/// A bundle that was brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Brought {
    /// By whom.
    pub rider: RiderNo,
    /// When the rider was told.
    pub told_s: i32,
    /// When it was picked up.
    pub pickup_s: i32,
    /// The orders, each with the time of its drop-off.
    pub drops: Vec<(OrderNo, i32)>,
}

/// What happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Played {
    /// Bundles.
    pub brought: Vec<Brought>,
    /// Rides.
    pub moves: Vec<Move>,
    /// Orders that nobody brought, and why.
    pub unserved: BTreeMap<OrderNo, Unserved>,
    /// Each decision in a line, if asked for.
    pub explained: Vec<String>,
    /// How long each round took, in microseconds.
    pub rounds_us: Vec<u64>,
}

/// How a day is played.
#[derive(Debug, Clone, PartialEq)]
pub struct Game {
    /// What the kernel weighs.
    pub settings: Settings,
    /// What the kitchen says of its ready times.
    pub forecast: Forecast,
    /// Keep each decision's reason.
    pub explain: bool,
    /// Orders are shown so long before they are placed, in seconds: 0 online, more for a clairvoyant.
    pub foresight_s: i32,
}

#[derive(Debug, Clone)]
struct Courier {
    place: Spot,
    stop: Stop,
    at_shop: Option<ShopNo>,
    free_s: i32,
    told: u32,
    left: Vec<ShopNo>,
    /// Of the bundle that is waited for: its orders, and what follows the pickup.
    holds: Option<(Vec<OrderNo>, i32, i32)>,
}

struct DayNames<'d>(&'d Day);

impl Names for DayNames<'_> {
    fn order(&self, order: OrderNo) -> String {
        self.0.order(order).map_or_else(String::new, |order| order.name.clone())
    }

    fn rider(&self, rider: RiderNo) -> String {
        self.0.rider(rider).map_or_else(String::new, |rider| rider.name.clone())
    }

    fn shop(&self, shop: ShopNo) -> String {
        let name = usize::try_from(shop.0).ok().and_then(|no| self.0.shops.get(no));
        name.cloned().unwrap_or_default()
    }

    fn clock(&self, _shop: ShopNo, at_s: i32) -> String {
        clock(at_s)
    }
}

fn clock(at_s: i32) -> String {
    format!("{:02}:{:02}", at_s.div_euclid(3_600), at_s.div_euclid(60).rem_euclid(60))
}

struct Board<'d> {
    day: &'d Day,
    now_s: i32,
    couriers: Vec<Courier>,
    waiting: BTreeSet<OrderNo>,
    forecaster: Forecaster,
    played: Played,
}

/// Plays a day. `stopwatch` tells microseconds.
pub fn play(day: &Day, game: &Game, stopwatch: &mut dyn FnMut() -> u64) -> Played {
    let begin_s = day.orders.iter().map(|order| order.placed_s).min().unwrap_or(0) - game.foresight_s;
    let begin_s = begin_s.min(day.riders.iter().map(|rider| rider.on_s).min().unwrap_or(begin_s));
    let end_s = day.riders.iter().map(|rider| rider.off_s).max().unwrap_or(begin_s);
    let last_s = day.orders.iter().map(|order| order.placed_s).max().unwrap_or(begin_s);
    let mut by_placement: Vec<(i32, OrderNo)> =
        day.orders.iter().zip(0..).map(|(order, no)| (order.placed_s - game.foresight_s, OrderNo(no))).collect();
    by_placement.sort_unstable();
    let mut to_come = by_placement.into_iter().peekable();
    let mut board = Board {
        day,
        now_s: begin_s.div_euclid(ROUND_S) * ROUND_S,
        couriers: day.riders.iter().map(Courier::new).collect(),
        waiting: BTreeSet::new(),
        forecaster: Forecaster::new(game.forecast),
        played: Played::default(),
    };
    let mut routes = Routes::new();
    let mut demand = Demand::default();
    // A day has no more rounds than this, whatever its file says.
    for _ in 0..7 * 24 * 60 {
        if board.now_s > end_s.max(last_s) {
            break;
        }
        while let Some((_, order)) = to_come.next_if(|(at_s, _)| *at_s <= board.now_s) {
            board.waiting.insert(order);
            board.forecaster.placed(day, order);
            if let Some(placed) = day.order(order) {
                demand.placed(placed.shop, board.now_s, board.forecaster.ready_s(day, order, board.now_s));
            }
        }
        board.forecaster.observe(day, board.now_s);
        let view = board.view();
        let before = stopwatch();
        let plan = decide(&view, &routes, &demand, &day.rules, &game.settings, board.now_s);
        board.played.rounds_us.push(stopwatch().saturating_sub(before));
        if game.explain {
            board.explain(&plan);
        }
        routes = board.perform(plan);
        board.now_s += ROUND_S;
    }
    for (_, order) in to_come {
        board.played.unserved.insert(order, Unserved::NobodyOnDuty);
    }
    let brought: BTreeSet<OrderNo> =
        board.played.brought.iter().flat_map(|trip| trip.drops.iter().map(|(order, _)| *order)).collect();
    for order in &board.waiting {
        board.played.unserved.entry(*order).or_insert(Unserved::AllTaken);
    }
    board.played.unserved.retain(|order, _| !brought.contains(order));
    board.played
}

impl Courier {
    fn new(rider: &super::day::DayRider) -> Self {
        Self {
            place: rider.place,
            stop: Stop::Start,
            at_shop: None,
            free_s: rider.on_s,
            told: 0,
            left: Vec::new(),
            holds: None,
        }
    }
}

impl Board<'_> {
    /// What is known now. Riders whose shift is over, or begins in more than two hours, are left out.
    fn view(&self) -> View {
        let riders = self.couriers.iter().zip(&self.day.riders).zip(0..).filter_map(|((courier, rider), no)| {
            if rider.off_s < self.now_s || rider.on_s > self.now_s + 7_200 {
                return None;
            }
            let free_s = match &courier.holds {
                Some((orders, soonest_s, rest_s)) if courier.free_s > self.now_s => {
                    let ready = orders.iter().map(|order| self.forecaster.ready_s(self.day, *order, self.now_s));
                    ready.max().unwrap_or(0).max(*soonest_s) + rest_s
                }
                _ => courier.free_s,
            };
            Some(Rider {
                rider: RiderNo(no),
                place: courier.place,
                at_shop: courier.at_shop,
                free_s: if courier.free_s > self.now_s { free_s.max(self.now_s + 1) } else { courier.free_s },
                on_s: rider.on_s,
                off_s: rider.off_s,
                told: courier.told,
                left: courier.left.clone(),
                accepts: 1.0,
            })
        });
        let waiting = self.waiting.iter().filter_map(|no| {
            let order = self.day.order(*no)?;
            Some(Waiting {
                order: *no,
                shop: order.shop,
                to: order.to,
                placed_s: order.placed_s,
                ready_s: self.forecaster.ready_s(self.day, *no, self.now_s),
                ready_error_s: self.forecaster.error_s(*no),
            })
        });
        View { waiting: waiting.collect(), riders: riders.collect(), refused: BTreeSet::new() }
    }

    fn explain(&mut self, plan: &Plan) {
        let names = DayNames(self.day);
        let now = clock(self.now_s);
        self.played.explained.extend(plan.reasons.iter().map(|reason| format!("{now} {}", reason.line(&names))));
    }

    fn perform(&mut self, plan: Plan) -> Routes {
        for instruction in plan.instructions {
            match instruction {
                Instruction::Go { rider, shop } => self.go(rider, shop),
                Instruction::Take { rider, shop, orders } => self.take(rider, shop, &orders),
            }
        }
        for (order, why) in plan.unserved {
            self.played.unserved.insert(order, why);
        }
        plan.routes
    }

    /// The rider, if idle and on duty: anything else the kernel may not say.
    fn idle(&mut self, rider: RiderNo) -> Option<(&mut Courier, &mut Vec<Move>)> {
        let on_s = self.day.rider(rider)?.on_s;
        let courier = self.couriers.get_mut(usize::try_from(rider.0).ok()?)?;
        (courier.free_s <= self.now_s && on_s <= self.now_s).then_some((courier, &mut self.played.moves))
    }

    fn go(&mut self, rider: RiderNo, shop: ShopNo) {
        let (now_s, metric) = (self.now_s, self.day.rules.metric);
        let Some(place) = self.day.rules.shops.get(&shop).copied() else { return };
        let Some((courier, moves)) = self.idle(rider) else { return };
        moves.push(Move { rider, depart_s: now_s, from: courier.stop, to: Stop::Shop(shop) });
        courier.left.extend(courier.at_shop);
        courier.free_s = now_s + metric.travel_s(courier.place, place);
        (courier.place, courier.stop, courier.at_shop) = (place, Stop::Shop(shop), Some(shop));
        courier.holds = None;
    }

    fn take(&mut self, rider: RiderNo, shop: ShopNo, orders: &[OrderNo]) {
        let (day, now_s) = (self.day, self.now_s);
        let rules = &day.rules;
        if orders.is_empty() || !orders.iter().all(|order| self.waiting.contains(order)) {
            return;
        }
        let Some((courier, moves)) = self.idle(rider) else { return };
        if courier.at_shop != Some(shop) {
            return;
        }
        let soonest_s = (courier.free_s + rules.pickup_half_s).max(now_s);
        let ready_s = orders.iter().filter_map(|order| Some(day.order(*order)?.ready_s)).max().unwrap_or(0);
        let pickup_s = soonest_s.max(ready_s);
        let mut at_s = pickup_s + rules.pickup_half_s;
        let mut drops = Vec::new();
        for no in orders {
            let Some(order) = day.order(*no) else { continue };
            moves.push(Move { rider, depart_s: at_s, from: courier.stop, to: Stop::Order(*no) });
            let drop_s = at_s + rules.metric.travel_s(courier.place, order.to) + rules.dropoff_half_s;
            drops.push((*no, drop_s));
            at_s = drop_s + rules.dropoff_half_s;
            (courier.place, courier.stop) = (order.to, Stop::Order(*no));
        }
        courier.told += u32::try_from(orders.len()).unwrap_or(0);
        courier.at_shop = None;
        courier.left.clear();
        courier.free_s = at_s;
        courier.holds = Some((orders.to_vec(), soonest_s, at_s - pickup_s));
        for order in orders {
            self.waiting.remove(order);
        }
        self.played.brought.push(Brought { rider, told_s: now_s, pickup_s, drops });
    }
}
