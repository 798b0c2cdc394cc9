//! Why a rider is told something, in one line.

use super::problem::{Problem, Timing, Trip};
use super::world::{OrderNo, RiderNo, ShopNo, View};

/// The next best rider for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunnerUp {
    /// Who.
    pub rider: RiderNo,
    /// So much later (earlier, if negative) would the pickup be.
    pub later_s: i32,
}

/// Why a rider is told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// To fetch these orders.
    Fetch {
        /// What, in the sequence of the drop-offs.
        orders: Vec<OrderNo>,
        /// Who.
        rider: RiderNo,
        /// Where.
        shop: ShopNo,
        /// When the rider is there.
        there_s: i32,
        /// When the last of them is ready.
        ready_s: i32,
        /// Who else has nothing to do.
        runner_up: Option<RunnerUp>,
    },
    /// To be near the orders that are expected.
    Cover {
        /// Who.
        rider: RiderNo,
        /// Where.
        shop: ShopNo,
        /// What is expected at that restaurant itself, in hundredths of orders an hour.
        hundredths_per_hour: u32,
    },
}

/// What things are called.
pub trait Names {
    /// An order.
    fn order(&self, order: OrderNo) -> String;
    /// A rider.
    fn rider(&self, rider: RiderNo) -> String;
    /// A restaurant.
    fn shop(&self, shop: ShopNo) -> String;
    /// A time, as the clocks at this restaurant show it.
    fn clock(&self, shop: ShopNo, at_s: i32) -> String;
}

impl Reason {
    /// The line, in words.
    pub fn line(&self, names: &dyn Names) -> String {
        match self {
            Self::Fetch { orders, rider, shop, there_s, ready_s, runner_up } => {
                let orders: Vec<String> = orders.iter().map(|order| names.order(*order)).collect();
                let before = minutes(ready_s - there_s);
                let when = match before {
                    0 => "as it gets ready".to_owned(),
                    early @ 1.. => format!("{early} min before ready"),
                    late => format!("{} min after ready", -late),
                };
                let (rider, shop, there) = (names.rider(*rider), names.shop(*shop), names.clock(*shop, *there_s));
                let other = runner_up.map_or_else(
                    || "nobody else is free".to_owned(),
                    |other| {
                        let name = names.rider(other.rider);
                        match minutes(other.later_s) {
                            0 => format!("{name} would be as early"),
                            later @ 1.. => format!("{name} would be {later} min later"),
                            earlier => format!("{name} would be {} min earlier, but is needed elsewhere", -earlier),
                        }
                    },
                );
                format!("{} to {rider}: at {shop} by {there}, {when}; {other}", orders.join("+"))
            }
            Self::Cover { rider, shop, hundredths_per_hour } => {
                let (rider, shop) = (names.rider(*rider), names.shop(*shop));
                let (whole, part) = (hundredths_per_hour / 100, hundredths_per_hour % 100);
                format!("{rider} to {shop}: {whole}.{part:02} orders an hour expected there, and few riders are near")
            }
        }
    }
}

/// Minutes, rounded to the nearest.
fn minutes(seconds: i32) -> i32 {
    (seconds + 30).div_euclid(60)
}

/// Why this worker rides this trip; `idle` are workers without a trip.
pub(super) fn fetch(
    problem: &Problem<'_>,
    view: &View,
    worker: usize,
    trip: &Trip,
    timing: Timing,
    idle: &[usize],
) -> Reason {
    let shop = problem.shop(trip);
    let half_s = problem.rules.pickup_half_s;
    let jobs = || trip.stops().iter().map(|stop| problem.job_of(*stop));
    let ready_s = jobs().map(|job| job.ready_s).max().unwrap_or(timing.pickup_s);
    let others = idle.iter().filter(|at| **at != worker).filter_map(|at| {
        let other = &problem.workers[*at];
        let there_s = other.start_s + problem.rules.metric.travel_s(other.place, shop);
        let pickup_s = (there_s + half_s).max(ready_s);
        (pickup_s <= other.off_s).then_some((pickup_s - timing.pickup_s, there_s, view.riders[*at].rider))
    });
    let runner_up = others.min().map(|(later_s, _, rider)| RunnerUp { rider, later_s });
    let orders = jobs().filter_map(|job| Some(view.waiting.get(usize::try_from(job.source?).ok()?)?.order)).collect();
    let (rider, shop) = (view.riders[worker].rider, problem.shop_nos[usize::from(trip.shop)]);
    Reason::Fetch { orders, rider, shop, there_s: timing.arrive_s, ready_s, runner_up }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;

    impl Names for Plain {
        fn order(&self, order: OrderNo) -> String {
            format!("o{}", order.0)
        }
        fn rider(&self, rider: RiderNo) -> String {
            format!("c{}", rider.0)
        }
        fn shop(&self, shop: ShopNo) -> String {
            format!("r{}", shop.0)
        }
        fn clock(&self, _shop: ShopNo, at_s: i32) -> String {
            format!("{:02}:{:02}", at_s / 3_600, at_s / 60 % 60)
        }
    }

    #[test]
    fn u5_each_decision_says_why_in_one_line() {
        let fetch = |ready_s, runner_up| Reason::Fetch {
            orders: vec![OrderNo(17)],
            rider: RiderNo(4),
            shop: ShopNo(9),
            there_s: 18 * 3_600 + 42 * 60,
            ready_s,
            runner_up,
        };
        let at = 18 * 3_600 + 42 * 60;
        let other = |later_s| Some(RunnerUp { rider: RiderNo(2), later_s });
        for (reason, line) in [
            (fetch(at + 180, other(360)), "o17 to c4: at r9 by 18:42, 3 min before ready; c2 would be 6 min later"),
            (fetch(at - 60, None), "o17 to c4: at r9 by 18:42, 1 min after ready; nobody else is free"),
            (fetch(at, other(0)), "o17 to c4: at r9 by 18:42, as it gets ready; c2 would be as early"),
            (
                fetch(at, other(-120)),
                "o17 to c4: at r9 by 18:42, as it gets ready; c2 would be 2 min earlier, but is needed elsewhere",
            ),
            (
                Reason::Cover { rider: RiderNo(4), shop: ShopNo(9), hundredths_per_hour: 205 },
                "c4 to r9: 2.05 orders an hour expected there, and few riders are near",
            ),
        ] {
            assert_eq!(reason.line(&Plain), line);
        }
    }
}
