//! A recorded day: what happened to be ordered, and who was on duty. The kernel never sees it.

use crate::dispatch::kernel::metric::Spot;
use crate::dispatch::kernel::world::{OrderNo, RiderNo, Rules, ShopNo};

/// An order as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct DayOrder {
    /// Its name in the file.
    pub name: String,
    /// Where it is made.
    pub shop: ShopNo,
    /// Where it goes.
    pub to: Spot,
    /// When the customer clicked.
    pub placed_s: i32,
    /// When the kitchen was done.
    pub ready_s: i32,
}

/// A shift as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct DayRider {
    /// The name in the file.
    pub name: String,
    /// Where the shift begins.
    pub place: Spot,
    /// Begin and end.
    pub on_s: i32,
    /// Nothing is picked up later.
    pub off_s: i32,
}

/// A recorded day. Numbers are places in the lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// Its name.
    pub name: String,
    /// Travel, service, pay, restaurants.
    pub rules: Rules,
    /// Names of restaurants.
    pub shops: Vec<String>,
    /// Orders.
    pub orders: Vec<DayOrder>,
    /// Shifts.
    pub riders: Vec<DayRider>,
}

impl Day {
    /// An order by its number.
    pub fn order(&self, order: OrderNo) -> Option<&DayOrder> {
        self.orders.get(usize::try_from(order.0).ok()?)
    }

    /// A rider by number.
    pub fn rider(&self, rider: RiderNo) -> Option<&DayRider> {
        self.riders.get(usize::try_from(rider.0).ok()?)
    }

    /// Click-to-door of an order that is picked up the moment it is ready and brought straight, in seconds.
    pub fn bound_s(&self, order: &DayOrder) -> i32 {
        let rules = &self.rules;
        let ride_s = rules.shops.get(&order.shop).map_or(0, |shop| rules.metric.travel_s(*shop, order.to));
        order.ready_s - order.placed_s + rules.pickup_half_s + ride_s + rules.dropoff_half_s
    }
}
