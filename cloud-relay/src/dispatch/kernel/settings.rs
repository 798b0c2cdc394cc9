//! What the kernel weighs, and how much it may think.

/// Weights are in minutes of one order's delay.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// For each minute beyond the promised click-to-door, above the delay itself.
    pub over_target: f64,
    /// For each minute that a rider rides with nothing.
    pub empty_ride: f64,
    /// For each unit of money paid beyond the guarantee.
    pub pay_price: f64,
    /// What a refused offer costs.
    pub refusal_min: f64,
    pub load_slope: f64,
    pub load_from: f64,
    pub load_max: f64,
    /// How likely a free rider is still free when the next order comes; 0 leaves riders where they are.
    pub free_share: f64,
    /// How long a rider who was moved is expected to stay, in minutes.
    pub stay_min: f64,
    /// For each minute of such a ride.
    pub move_price: f64,
    /// No such ride is longer.
    pub move_s_max: i32,
    /// Restaurants that are considered.
    pub move_targets: usize,
    /// Moves in a round.
    pub moves_max: usize,
    /// Riders are not moved before they have been idle so long.
    pub settle_s: i32,
    /// Riders that are considered for an order.
    pub candidates: usize,
    /// Repairs tried in a round for each waiting order; 0 leaves insertion alone.
    pub repairs_per_order: f64,
    /// No more repairs in a round.
    pub repairs_max: usize,
    /// Riders set out so long before they must.
    pub early_s: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            over_target: 0.0,
            empty_ride: 0.05,
            pay_price: 0.05,
            free_share: 0.5,
            stay_min: 10.0,
            move_price: 0.02,
            move_s_max: 900,
            move_targets: 12,
            moves_max: 10,
            settle_s: 0,
            load_slope: 0.0,
            load_from: 0.5,
            load_max: 1.0,
            refusal_min: 3.0,
            candidates: 24,
            repairs_per_order: 4.0,
            repairs_max: 400,
            early_s: 0,
        }
    }
}
