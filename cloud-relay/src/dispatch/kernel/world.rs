//! What the kernel is told: orders, riders, restaurants, rules. Times are whole seconds of one clock.

use super::metric::{Metric, Spot};
use std::collections::{BTreeMap, BTreeSet};

/// An order, by the caller's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNo(pub u32);

/// A rider, by the caller's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RiderNo(pub u32);

/// A restaurant, by the caller's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopNo(pub u32);

/// An order that no rider has been told of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    /// Which.
    pub order: OrderNo,
    /// Where it is made.
    pub shop: ShopNo,
    /// Where it goes.
    pub to: Spot,
    /// When the customer clicked.
    pub placed_s: i32,
    /// When the kitchen is expected to be done.
    pub ready_s: i32,
    /// How far that forecast is usually off (standard deviation); 0 if it is certain.
    pub ready_error_s: i32,
}

/// A rider on duty, or due on duty.
#[derive(Debug, Clone, PartialEq)]
pub struct Rider {
    /// Who.
    pub rider: RiderNo,
    /// Where the rider is, or will be once free.
    pub place: Spot,
    /// The restaurant at which the rider stands (or will, once free), if at one.
    pub at_shop: Option<ShopNo>,
    /// When the rider can be told something: the past if idle, the end of the trip otherwise.
    pub free_s: i32,
    /// Begin of the shift.
    pub on_s: i32,
    /// End of the shift: nothing is picked up later.
    pub off_s: i32,
    /// Orders already given to this rider in this shift.
    pub told: u32,
    /// Restaurants left without a pickup since the last drop-off: the rider is not sent back there.
    pub left: Vec<ShopNo>,
    /// How likely the rider takes what is offered, 0 to 1.
    pub accepts: f64,
}

/// How riders are paid, in any currency's major unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pay {
    /// For each order.
    pub order: f64,
    /// At least this for each hour of the shift.
    pub hour: f64,
}

/// What holds all day.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Travel times.
    pub metric: Metric,
    /// Half of the service at a restaurant: it passes before and after a pickup.
    pub pickup_half_s: i32,
    /// Half of the service at a customer's.
    pub dropoff_half_s: i32,
    /// Customers are promised no more than this from click to door.
    pub target_s: i32,
    /// How riders are paid.
    pub pay: Pay,
    /// Where the restaurants are.
    pub shops: BTreeMap<ShopNo, Spot>,
}

/// All that is known at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Orders that nobody has been told of.
    pub waiting: Vec<Waiting>,
    /// Riders on duty or due.
    pub riders: Vec<Rider>,
    /// Who has refused what, or did not answer: they are not asked again.
    pub refused: BTreeSet<(OrderNo, RiderNo)>,
}

/// Several drop-offs from one restaurant, in sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTrip {
    /// Where they are picked up.
    pub shop: ShopNo,
    /// In the sequence of the drop-offs.
    pub orders: Vec<OrderNo>,
}

/// What each rider is meant to do. Nobody has been told; the next round may change all of it.
pub type Routes = BTreeMap<RiderNo, Vec<PlannedTrip>>;

/// What a rider is told now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instruction {
    /// Ride to this restaurant.
    Go {
        /// Who.
        rider: RiderNo,
        /// Where to.
        shop: ShopNo,
    },
    /// Take these from the restaurant where the rider stands, in this sequence.
    Take {
        /// Who.
        rider: RiderNo,
        /// Where.
        shop: ShopNo,
        /// In the sequence of the drop-offs.
        orders: Vec<OrderNo>,
    },
}

impl Instruction {
    /// Who is sent where.
    pub fn to(&self) -> (RiderNo, ShopNo) {
        match self {
            Self::Go { rider, shop } | Self::Take { rider, shop, .. } => (*rider, *shop),
        }
    }
}

/// Why nobody will bring an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unserved {
    /// It has no place to go to.
    #[error("the address has no usable coordinates")]
    NoPlace,
    /// The restaurant is not known.
    #[error("the restaurant is not known or has no usable coordinates")]
    NoShop,
    /// Its times contradict each other.
    #[error("its times contradict each other: ready before it was placed, or days away")]
    ClocksOutOfOrder,
    /// More orders wait than a round plans.
    #[error("too many orders wait at once")]
    TooMany,
    /// Nobody is on duty, or due.
    #[error("no rider is on duty or due")]
    NobodyOnDuty,
    /// No rider gets to the restaurant before the end of the shift.
    #[error("no rider can pick it up before the end of the shift")]
    OutOfReach,
    /// All who could are busy with others until it is too late.
    #[error("every rider who could reach it in time is taken")]
    AllTaken,
}
