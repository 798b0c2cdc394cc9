//! The kernel against brute force, and against nonsense.

use super::decide::{Plan, decide};
use super::demand::Demand;
use super::metric::{Metric, Spot, Surface};
use super::problem::{Problem, Trip};
use super::search::{Dice, Search};
use super::settings::{CoverSettings, Settings};
use super::world::{Instruction, OrderNo, Pay, Rider, RiderNo, Routes, Rules, ShopNo, Unserved, View, Waiting};
use std::collections::{BTreeMap, BTreeSet};

const NOW_S: i32 = 36_000;

fn rules(shops: &[Spot]) -> Rules {
    Rules {
        metric: Metric { surface: Surface::Plane, metres_per_s: 5.0, step_s: 60 },
        pickup_half_s: 120,
        dropoff_half_s: 120,
        target_s: 2_400,
        pay: Pay { order: 10.0, hour: 15.0 },
        shops: shops.iter().enumerate().map(|(no, spot)| (ShopNo(u32::try_from(no).unwrap()), *spot)).collect(),
    }
}

fn order(no: u32, shop: u32, to: Spot, ready_in_s: i32) -> Waiting {
    let (order, shop) = (OrderNo(no), ShopNo(shop));
    Waiting { order, shop, to, placed_s: NOW_S.min(NOW_S + ready_in_s), ready_s: NOW_S + ready_in_s, ready_error_s: 0 }
}

fn rider(no: u32, place: Spot, free_in_s: i32, off_in_s: i32) -> Rider {
    Rider {
        rider: RiderNo(no),
        place,
        at_shop: None,
        free_s: NOW_S + free_in_s,
        on_s: NOW_S - 7_200,
        off_s: NOW_S + off_in_s,
        told: 0,
        left: Vec::new(),
        accepts: 1.0,
    }
}

fn spot(dice: &mut Dice) -> Spot {
    let mut axis = || f64::from(u32::try_from(dice.below(6_000)).unwrap());
    Spot { x: axis(), y: axis() }
}

fn round(view: &View, rules: &Rules) -> Plan {
    decide(view, &Routes::new(), &Demand::default(), rules, &Settings::default(), NOW_S)
}

/// A route's cost, written down from the rules alone; none if it cannot be ridden.
fn cost_by_the_rules(rules: &Rules, settings: &Settings, rider: &Rider, trips: &[Vec<Waiting>]) -> Option<f64> {
    let (mut at, mut place, mut cost, mut count) = (rider.free_s.max(NOW_S), rider.place, 0.0, 0.0);
    for trip in trips {
        let shop = rules.shops[&trip[0].shop];
        let empty = rules.metric.travel_s(place, shop);
        let ready = trip.iter().map(|order| order.ready_s).max()?;
        let pickup = (at + empty + rules.pickup_half_s).max(ready);
        if pickup > rider.off_s {
            return None;
        }
        (at, place) = (pickup + rules.pickup_half_s, shop);
        cost += settings.empty_ride * f64::from(empty) / 60.0;
        for order in trip {
            let drop = at + rules.metric.travel_s(place, order.to) + rules.dropoff_half_s;
            let straight = rules.pickup_half_s + rules.metric.travel_s(shop, order.to) + rules.dropoff_half_s;
            let delay = f64::from(drop - order.ready_s.max(NOW_S) - straight) / 60.0;
            cost += delay + settings.squared * delay * delay;
            let promised = (order.placed_s + rules.target_s).max(NOW_S);
            cost += settings.over_target * f64::from((drop - promised).max(0)) / 60.0;
            (at, place, count) = (drop + rules.dropoff_half_s, order.to, count + 1.0);
        }
    }
    let hours = f64::from(rider.off_s - rider.on_s) / 3_600.0;
    let covered = rules.pay.hour * hours / rules.pay.order;
    Some(cost + settings.pay_price * rules.pay.order * f64::max(count - covered, 0.0))
}

/// The cheapest of all ways to serve all orders, tried one by one.
fn brute_force(view: &View, rules: &Rules, settings: &Settings) -> f64 {
    fn go(view: &View, rules: &Rules, settings: &Settings, left: &[Waiting], routes: &mut [Vec<Vec<Waiting>>]) -> f64 {
        if left.is_empty() {
            let costs =
                view.riders.iter().zip(&*routes).map(|(rider, trips)| cost_by_the_rules(rules, settings, rider, trips));
            return costs.map(|cost| cost.unwrap_or(f64::INFINITY)).sum();
        }
        let mut best = f64::INFINITY;
        // Orders are appended only: every sequence of every route is met once.
        for (at, order) in left.iter().enumerate() {
            let rest: Vec<Waiting> =
                left.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, order)| *order).collect();
            for rider in 0..view.riders.len() {
                routes[rider].push(vec![*order]);
                best = best.min(go(view, rules, settings, &rest, routes));
                routes[rider].pop();
                if routes[rider].last().is_some_and(|trip| trip[0].shop == order.shop && trip.len() < 4) {
                    routes[rider].last_mut().unwrap().push(*order);
                    best = best.min(go(view, rules, settings, &rest, routes));
                    routes[rider].last_mut().unwrap().pop();
                }
            }
        }
        best
    }
    go(view, rules, settings, &view.waiting, &mut vec![Vec::new(); view.riders.len()])
}

#[test]
fn u6_small_cases_are_solved_as_brute_force_solves_them() {
    let settings = Settings { pay_price: 0.1, ..Settings::default() };
    let (mut same, mut cases) = (0, 0);
    for seed in 1..=120 {
        let mut dice = Dice::new(seed);
        let rules = rules(&[spot(&mut dice), spot(&mut dice)]);
        let mut view = View::default();
        for no in 0..2 + u32::try_from(dice.below(4)).unwrap() {
            let shop = u32::try_from(dice.below(2)).unwrap();
            let ready_in_s = 60 * (i32::try_from(dice.below(30)).unwrap() - 5);
            view.waiting.push(order(no, shop, spot(&mut dice), ready_in_s));
        }
        for no in 0..2 {
            let free_in_s = 60 * (i32::try_from(dice.below(30)).unwrap() - 15);
            view.riders.push(rider(no, spot(&mut dice), free_in_s, 4 * 3_600));
        }
        let best = brute_force(&view, &rules, &settings);
        let problem = Problem::new(&view, &rules, &settings, NOW_S);
        let mut search = Search::new(&problem, vec![Vec::<Trip>::new(); 2]);
        search.insert_open();
        search.improve(300, &mut Dice::new(seed));
        let found = search.total();
        assert!(found >= best - 1e-6, "seed {seed}: {found} is better than the best, {best}: the cost is wrong");
        assert!(found <= best + 2.0, "seed {seed}: {found}, the best is {best}");
        cases += 1;
        same += i32::from(found <= best + 1e-6);
    }
    assert!(same * 100 >= cases * 97, "{same} of {cases} are the best");
}

#[test]
fn u7_a_rider_is_told_when_waiting_longer_would_be_late_and_not_before() {
    let rules = rules(&[Spot { x: 0.0, y: 0.0 }]);
    // Five minutes away, two of service: the food that is ready in ten minutes leaves three to wait.
    let away = Spot { x: 1_500.0, y: 0.0 };
    let told = |ready_in_s, rider: Rider| {
        let view = View { waiting: vec![order(1, 0, away, ready_in_s)], riders: vec![rider], ..View::default() };
        let plan = round(&view, &rules);
        assert_eq!(plan.routes.len(), 1, "planned anyway");
        assert_eq!(plan.reasons.len(), plan.instructions.len());
        plan.instructions
    };
    let go = vec![Instruction::Go { rider: RiderNo(1), shop: ShopNo(0) }];
    assert_eq!(told(600, rider(1, away, -60, 3_600)), []);
    assert_eq!(told(420, rider(1, away, -60, 3_600)), go);
    assert_eq!(told(0, rider(1, away, -60, 3_600)), go);
    assert_eq!(told(0, rider(1, away, 60, 3_600)), [], "busy");
    assert_eq!(told(0, Rider { on_s: NOW_S + 60, ..rider(1, away, -60, 3_600) }), [], "not yet on duty");
    let there = |since_s: i32| Rider {
        place: Spot { x: 0.0, y: 0.0 },
        at_shop: Some(ShopNo(0)),
        ..rider(1, away, -since_s, 3_600)
    };
    let take = vec![Instruction::Take { rider: RiderNo(1), shop: ShopNo(0), orders: vec![OrderNo(1)] }];
    assert_eq!(told(180, there(600)), []);
    assert_eq!(told(120, there(600)), take);
    assert_eq!(told(0, there(0)), take);
}

#[test]
fn u8_what_makes_no_sense_is_named_and_the_rest_is_planned() {
    let nowhere = Spot { x: f64::NAN, y: 0.0 };
    let here = Spot { x: 100.0, y: 0.0 };
    let rules = rules(&[Spot { x: 0.0, y: 0.0 }, Spot { x: 9_000_000.0, y: 0.0 }, nowhere]);
    let good = order(1, 0, here, 0);
    let wrong = [
        (Waiting { to: nowhere, ..good }, Unserved::NoPlace),
        (Waiting { to: Spot { x: f64::INFINITY, y: 0.0 }, ..good }, Unserved::NoPlace),
        (Waiting { shop: ShopNo(7), ..good }, Unserved::NoShop),
        (Waiting { shop: ShopNo(2), ..good }, Unserved::NoShop),
        (Waiting { shop: ShopNo(1), ..good }, Unserved::OutOfReach),
        (Waiting { ready_s: good.placed_s - 1, ..good }, Unserved::ClocksOutOfOrder),
        (Waiting { ready_s: i32::MAX, ..good }, Unserved::ClocksOutOfOrder),
        (Waiting { placed_s: i32::MIN, ..good }, Unserved::ClocksOutOfOrder),
        (Waiting { ready_s: NOW_S + 3_601, ..good }, Unserved::OutOfReach),
    ];
    let riders = vec![
        Rider { place: nowhere, ..rider(2, here, 0, 3_600) },
        Rider { off_s: i32::MIN, ..rider(3, here, 0, 3_600) },
        Rider { on_s: i32::MAX, ..rider(4, here, 0, 3_600) },
        rider(1, here, 0, 3_600),
    ];
    for (nonsense, why) in wrong {
        let nonsense = Waiting { order: OrderNo(2), ..nonsense };
        let view = View { waiting: vec![nonsense, good], riders: riders.clone(), ..View::default() };
        let plan = round(&view, &rules);
        assert_eq!(plan.unserved, [(OrderNo(2), why)], "{nonsense:?}");
        assert_eq!(plan.instructions, [Instruction::Go { rider: RiderNo(1), shop: ShopNo(0) }]);
    }
    let off = View { waiting: vec![good], riders: vec![rider(1, here, 0, -1)], ..View::default() };
    assert_eq!(round(&off, &rules).unserved, [(OrderNo(1), Unserved::NobodyOnDuty)]);
    let nobody = View { waiting: vec![good], ..View::default() };
    assert_eq!(round(&nobody, &rules).unserved, [(OrderNo(1), Unserved::NobodyOnDuty)]);
    assert_eq!(round(&View::default(), &rules), Plan::default());
}

#[test]
fn u8_an_order_however_late_is_planned_and_never_given_up() {
    let here = Spot { x: 100.0, y: 0.0 };
    let rules = rules(&[Spot { x: 0.0, y: 0.0 }]);
    for late_s in [0, 3_600, 36_000, 360_000] {
        let view = View {
            waiting: vec![order(1, 0, here, -late_s)],
            riders: vec![rider(1, here, 0, 3_600)],
            ..View::default()
        };
        for over_target in [0.0, 1.0] {
            let settings = Settings { over_target, ..Settings::default() };
            let plan = decide(&view, &Routes::new(), &Demand::default(), &rules, &settings, NOW_S);
            assert_eq!(plan.unserved, [], "{late_s} s late");
            assert_eq!(plan.instructions, [Instruction::Go { rider: RiderNo(1), shop: ShopNo(0) }]);
        }
    }
}

#[test]
fn u8_a_thousand_orders_in_one_minute_are_planned_or_named() {
    let mut dice = Dice::new(7);
    let shops: Vec<Spot> = (0..40).map(|_| spot(&mut dice)).collect();
    let rules = rules(&shops);
    let mut view = View::default();
    for no in 0..3_000 {
        let shop = u32::try_from(dice.below(40)).unwrap();
        view.waiting.push(order(no, shop, spot(&mut dice), 600));
    }
    for no in 0..30 {
        view.riders.push(rider(no, spot(&mut dice), 0, 7_200));
    }
    let settings = Settings { repairs_max: 5, ..Settings::default() };
    let plan = decide(&view, &Routes::new(), &Demand::default(), &rules, &settings, NOW_S);
    let planned: Vec<OrderNo> = plan.routes.values().flatten().flat_map(|trip| trip.orders.clone()).collect();
    let named = plan.unserved.iter().map(|(order, _)| *order);
    let all: BTreeSet<OrderNo> = planned.iter().copied().chain(named).collect();
    assert_eq!((all.len(), planned.len() + plan.unserved.len()), (3_000, 3_000), "each once");
    assert!(planned.len() >= 100, "{} planned", planned.len());
    let why: BTreeSet<Unserved> = plan.unserved.iter().map(|(_, why)| *why).collect();
    assert_eq!(why, BTreeSet::from([Unserved::AllTaken, Unserved::TooMany]));
}

#[test]
fn u9_a_rider_with_nothing_to_do_goes_where_orders_are_expected_and_spreads() {
    let (busy, quiet) = (Spot { x: 0.0, y: 0.0 }, Spot { x: 3_000.0, y: 0.0 });
    let rules = rules(&[busy, quiet]);
    let mut demand = Demand::default();
    for at in 0..40 {
        demand.placed(ShopNo(u32::from(at % 10 == 0)), NOW_S - at * 30, NOW_S - at * 30 + 60);
    }
    let far = Spot { x: 2_400.0, y: 0.0 };
    let moved = |riders: Vec<Rider>, settings: &Settings| {
        let view = View { riders, ..View::default() };
        decide(&view, &Routes::new(), &demand, &rules, settings, NOW_S).instructions
    };
    let settings = Settings::default();
    let go = |rider, shop| Instruction::Go { rider: RiderNo(rider), shop: ShopNo(shop) };
    assert_eq!(moved(vec![rider(1, far, 0, 7_200)], &settings), [go(1, 0)]);
    let stands = Rider { at_shop: Some(ShopNo(0)), ..rider(2, busy, -60, 7_200) };
    assert_eq!(moved(vec![stands.clone()], &settings), [], "is there");
    assert_eq!(moved(vec![rider(1, far, 600, 7_200)], &settings), [], "busy");
    assert_eq!(moved(vec![rider(1, far, 0, 60)], &settings), [], "the shift ends");
    assert_eq!(
        moved(vec![Rider { left: vec![ShopNo(0)], ..rider(1, far, 0, 7_200) }], &settings),
        [],
        "not back and forth"
    );
    let still = Settings { cover: CoverSettings { moves_max: 0, ..settings.cover.clone() }, ..settings.clone() };
    assert_eq!(moved(vec![rider(1, far, 0, 7_200)], &still), []);
}

#[test]
fn u10_who_seldom_accepts_and_who_has_earned_enough_are_asked_later() {
    let (shop, here) = (Spot { x: 0.0, y: 0.0 }, Spot { x: 600.0, y: 0.0 });
    let rules = rules(&[shop]);
    let asked = |first: Rider, second: Rider| {
        let view = View { waiting: vec![order(1, 0, here, 0)], riders: vec![first, second], ..View::default() };
        round(&view, &rules).routes.keys().next().copied()
    };
    let (one, two) = (rider(1, here, 0, 3_600), rider(2, here, 0, 3_600));
    assert_eq!(asked(one.clone(), Rider { accepts: 0.5, ..two.clone() }), Some(RiderNo(1)));
    assert_eq!(asked(Rider { accepts: 0.5, ..one.clone() }, two.clone()), Some(RiderNo(2)));
    assert_eq!(asked(one.clone(), Rider { told: 20, ..two.clone() }), Some(RiderNo(1)));
    assert_eq!(asked(Rider { told: 20, ..one }, two), Some(RiderNo(2)));
}

#[test]
fn u6_several_orders_of_a_restaurant_are_bundled_when_that_is_faster() {
    let rules = rules(&[Spot { x: 0.0, y: 0.0 }]);
    let far = |y| Spot { x: 6_000.0, y };
    let view = View {
        waiting: vec![order(1, 0, far(0.0), 600), order(2, 0, far(300.0), 600)],
        riders: vec![rider(1, Spot { x: 0.0, y: 0.0 }, 0, 7_200)],
        ..View::default()
    };
    let trips = &round(&view, &rules).routes[&RiderNo(1)];
    assert_eq!(trips.iter().map(|trip| trip.orders.len()).collect::<Vec<_>>(), [2]);
    let single = Settings { bundle_max: 1, ..Settings::default() };
    let plan = decide(&view, &Routes::new(), &Demand::default(), &rules, &single, NOW_S);
    assert_eq!(plan.routes[&RiderNo(1)].len(), 2);
    // What was planned stays planned, and the same arguments give the same plan.
    let again = decide(&view, &plan.routes, &Demand::default(), &rules, &single, NOW_S);
    assert_eq!(again.routes, plan.routes);
    let known: BTreeMap<_, _> = again.routes;
    assert_eq!(decide(&view, &known, &Demand::default(), &rules, &single, NOW_S).routes, known);
}

#[test]
fn u9_the_first_to_be_moved_is_the_one_whose_move_saves_most() {
    let defaults = Settings::default();
    let settings = Settings { cover: CoverSettings { moves_max: 1, ..defaults.cover.clone() }, ..defaults };
    let cover = &settings.cover;
    let delays: Vec<f64> = (0..90).map(|minutes| f64::from(minutes * minutes) / 10.0).collect();
    let mut moved = 0;
    for seed in 1..=60 {
        let mut dice = Dice::new(seed);
        let shops: Vec<Spot> = (0..8).map(|_| spot(&mut dice)).collect();
        let rules = rules(&shops);
        let rates: Vec<f64> = (0..8).map(|_| f64::from(u32::try_from(dice.below(4)).unwrap())).collect();
        let riders = 1 + u32::try_from(dice.below(8)).unwrap();
        let free_in_s = |no: u32| if no % 4 == 3 { 300 } else { 0 };
        let riders: Vec<Rider> = (0..riders).map(|no| rider(no, spot(&mut dice), free_in_s(no), 7_200)).collect();
        let minutes = |rider: &Rider, shop: Spot| {
            let ride_s = rules.metric.travel_s(rider.place, shop);
            usize::try_from((rider.free_s - NOW_S + ride_s + rules.pickup_half_s + 59) / 60).unwrap()
        };
        // An order is fetched by the nearest with a probability, else by the next, at last by one who is far away.
        let expected = |riders: &[Rider]| -> f64 {
            let of = |shop: &Spot| {
                let mut near: Vec<usize> = riders.iter().map(|rider| minutes(rider, *shop)).collect();
                near.sort_unstable();
                let near = near.into_iter().take(4).zip(0..);
                let (sum, count) = near.fold((0.0, 0), |(sum, _), (minutes, nth)| {
                    (sum + (1.0 - cover.free_share).powi(nth) * cover.free_share * delays[minutes], nth + 1)
                });
                sum + (1.0 - cover.free_share).powi(count) * delays[45]
            };
            shops.iter().zip(&rates).map(|(shop, rate)| rate * cover.stay_min / 60.0 * of(shop)).sum()
        };
        let saved = |mover: usize, shop: Spot| {
            let ride_s = rules.metric.travel_s(riders[mover].place, shop);
            let mut after = riders.clone();
            after[mover].place = shop;
            expected(&riders) - expected(&after) - cover.move_price * f64::from(ride_s) / 60.0
        };
        let free = (0..riders.len()).filter(|at| riders[*at].free_s <= NOW_S);
        let asked = shops.iter().zip(&rates).filter(|(_, rate)| **rate > 0.0).map(|(shop, _)| *shop);
        let near_enough = |at: usize, shop| rules.metric.travel_s(riders[at].place, shop) <= cover.ride_s_max;
        let best = free.flat_map(|at| asked.clone().map(move |shop| (at, shop)));
        let best =
            best.filter(|(at, shop)| near_enough(*at, *shop)).map(|(at, shop)| saved(at, shop)).fold(0.0, f64::max);
        let view = View { riders: riders.clone(), ..View::default() };
        let problem = Problem::new(&view, &rules, &settings, NOW_S);
        let chosen = super::cover::moves(&problem, &vec![Vec::new(); riders.len()], &rates, &delays);
        let chosen = chosen.first().map_or(0.0, |(at, shop)| saved(*at, shops[usize::from(*shop)]));
        assert!((chosen - best).abs() < 1e-9, "seed {seed}: saves {chosen}, the best {best}");
        moved += i32::from(best > 0.0);
    }
    assert!(moved >= 30, "{moved} cases with a move");
}
