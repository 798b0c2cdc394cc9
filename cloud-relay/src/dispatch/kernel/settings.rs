//! What the kernel weighs, and how much it may think.

/// Weights are in minutes of one order's delay.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// For each minute beyond the promised click-to-door, above the delay itself.
    pub over_target: f64,
    /// For each squared minute of delay: of two that could go first, the one that is ready first does.
    pub squared: f64,
    /// For each minute that a rider rides with nothing.
    pub empty_ride: f64,
    /// For each unit of money paid beyond the guarantee: spreads earnings.
    pub pay_price: f64,
    /// What a refused offer costs.
    pub refusal_min: f64,
    /// No more drop-offs from one pickup; at most four.
    pub bundle_max: usize,
    /// Riders that are considered for an order.
    pub candidates: usize,
    /// Repairs tried in a round for each waiting order; 0 leaves insertion alone.
    pub repairs_per_order: f64,
    /// No more repairs in a round.
    pub repairs_max: usize,
    /// Riders set out so long before they must.
    pub early_s: i32,
    /// Where riders with nothing to do stand.
    pub cover: CoverSettings,
}

/// How riders with nothing to do are spread.
#[derive(Debug, Clone, PartialEq)]
pub struct CoverSettings {
    /// How likely a free rider is still free when the next order comes.
    pub free_share: f64,
    /// How long a rider who was moved is expected to stay, in minutes.
    pub stay_min: f64,
    /// For each minute of such a ride.
    pub move_price: f64,
    /// No such ride is longer.
    pub ride_s_max: i32,
    /// Restaurants that are considered for a rider.
    pub targets: usize,
    /// Moves in a round; 0 leaves riders where they are.
    pub moves_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            over_target: 1.0,
            squared: 0.001,
            empty_ride: 0.05,
            pay_price: 0.02,
            refusal_min: 3.0,
            bundle_max: 4,
            candidates: 24,
            repairs_per_order: 4.0,
            repairs_max: 400,
            early_s: 0,
            cover: CoverSettings {
                free_share: 0.7,
                stay_min: 10.0,
                move_price: 0.02,
                ride_s_max: 900,
                targets: 12,
                moves_max: 10,
            },
        }
    }
}
