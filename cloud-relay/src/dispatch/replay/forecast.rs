//! When a kitchen will be done: as it says, or as its earlier orders of the day suggest.

use super::day::Day;
use crate::dispatch::kernel::world::{OrderNo, ShopNo};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of ready times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// The kitchen names the true time when the order is placed.
    Known,
    /// Learned from the orders that became ready earlier in the day.
    Estimated,
}

/// An order is expected to take so long where nothing is known.
const COOKING_S: f64 = 17.0 * 60.0;
/// What is known of all restaurants counts as so many orders of one.
const PRIOR_ORDERS: f64 = 2.0;
/// An order that should have been ready is expected so much later.
const OVERDUE_S: i32 = 120;

/// Means and spread of cooking times so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Seen {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }
}

/// Learns cooking times while the day goes on.
#[derive(Debug)]
pub(super) struct Forecaster {
    forecast: Forecast,
    cooking: BTreeSet<OrderNo>,
    shops: BTreeMap<ShopNo, Seen>,
    all: Seen,
    /// What was said when the order was placed.
    said: BTreeMap<OrderNo, (i32, i32)>,
}

impl Forecaster {
    pub(super) fn new(forecast: Forecast) -> Self {
        Self { forecast, cooking: BTreeSet::new(), shops: BTreeMap::new(), all: Seen::default(), said: BTreeMap::new() }
    }

    /// An order was placed: what its kitchen says of it.
    pub(super) fn placed(&mut self, day: &Day, no: OrderNo) {
        let Some(order) = day.order(no) else { return };
        self.cooking.insert(no);
        if self.forecast == Forecast::Estimated {
            let all_mean = (self.all.sum + 5.0 * COOKING_S) / (self.all.count + 5.0);
            let shop = self.shops.get(&order.shop).copied().unwrap_or_default();
            let mean = (shop.sum + PRIOR_ORDERS * all_mean) / (shop.count + PRIOR_ORDERS);
            let square = (self.all.squares / self.all.count.max(1.0)
                - (self.all.sum / self.all.count.max(1.0)).powi(2))
            .max(0.0);
            #[expect(clippy::cast_possible_truncation, reason = "a day has fewer seconds")]
            self.said.insert(no, (order.placed_s + mean as i32, square.sqrt().max(60.0) as i32));
        }
    }

    /// What has become ready by now is learned from.
    pub(super) fn observe(&mut self, day: &Day, now_s: i32) {
        let done: Vec<OrderNo> = self
            .cooking
            .iter()
            .copied()
            .filter(|no| day.order(*no).is_none_or(|order| order.ready_s <= now_s))
            .collect();
        for no in done {
            self.cooking.remove(&no);
            if let Some(order) = day.order(no) {
                let took_s = f64::from(order.ready_s - order.placed_s);
                self.shops.entry(order.shop).or_default().add(took_s);
                self.all.add(took_s);
            }
        }
    }

    /// When an order will be ready, as far as anybody can know.
    pub(super) fn ready_s(&self, day: &Day, no: OrderNo, now_s: i32) -> i32 {
        let Some(order) = day.order(no) else { return now_s };
        if self.forecast == Forecast::Known || order.ready_s <= now_s {
            return order.ready_s;
        }
        let said_s = self.said.get(&no).map_or(now_s, |(said_s, _)| *said_s);
        said_s.max(now_s + OVERDUE_S)
    }

    /// How far that is usually off.
    pub(super) fn error_s(&self, no: OrderNo) -> i32 {
        self.said.get(&no).map_or(0, |(_, error_s)| *error_s)
    }
}
