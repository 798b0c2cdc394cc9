//! What the day has taught about orders to come: where they are placed, how many, and how soon they are ready.

use super::world::ShopNo;
use std::collections::{BTreeMap, VecDeque};

/// The rate of all orders is that of so many seconds.
const RECENT_S: i32 = 1_800;
/// A restaurant without an order yet counts as if it had so many.
const PRIOR_ORDERS: f64 = 0.3;
/// So many notices are kept.
const NOTICES_MAX: usize = 400;
/// Delays are tabled up to so many minutes.
const TABLE_MIN: usize = 90;

/// Orders placed so far, in what matters of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Demand {
    by_shop: BTreeMap<ShopNo, f64>,
    count: f64,
    recent: VecDeque<i32>,
    /// From placement to ready, in seconds; the last ones.
    notices_s: VecDeque<i32>,
}

impl Demand {
    /// An order was placed.
    pub fn placed(&mut self, shop: ShopNo, placed_s: i32, ready_s: i32) {
        *self.by_shop.entry(shop).or_default() += 1.0;
        self.count += 1.0;
        self.recent.push_back(placed_s);
        self.notices_s.push_back(ready_s.saturating_sub(placed_s));
        if self.notices_s.len() > NOTICES_MAX {
            self.notices_s.pop_front();
        }
        while self.recent.front().is_some_and(|at_s| at_s.saturating_add(RECENT_S) < placed_s) {
            self.recent.pop_front();
        }
    }

    /// Orders an hour that are expected at each of these restaurants.
    pub(super) fn per_hour(&self, shops: &[ShopNo], now_s: i32) -> Vec<f64> {
        let recent = self.recent.iter().filter(|at_s| at_s.saturating_add(RECENT_S) >= now_s).count();
        let all = recent as f64 * 3_600.0 / f64::from(RECENT_S);
        let prior = PRIOR_ORDERS * shops.len() as f64;
        let share = |shop: &ShopNo| {
            (self.by_shop.get(shop).copied().unwrap_or(0.0) + PRIOR_ORDERS) / (self.count + prior).max(1.0)
        };
        shops.iter().map(|shop| all * share(shop)).collect()
    }

    /// The mean delay in minutes of an order whose rider needs 0, 1, 2, ... minutes to the restaurant.
    pub(super) fn delays(&self) -> Vec<f64> {
        let count = self.notices_s.len().max(1) as f64;
        let delay = |minutes: usize| {
            let late = |notice_s: &i32| (minutes as f64 - f64::from(*notice_s) / 60.0).max(0.0);
            self.notices_s.iter().map(late).sum::<f64>() / count
        };
        (0..TABLE_MIN).map(delay).collect()
    }
}
