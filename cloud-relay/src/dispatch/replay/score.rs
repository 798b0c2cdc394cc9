//! The benchmark's figures of a played day.

use super::day::Day;
use super::play::Played;
use std::collections::BTreeMap;

/// What the benchmark counts. Times in minutes.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Score {
    /// Orders of the day.
    pub orders: usize,
    /// Share that was not brought, in percent.
    pub undelivered_pct: f64,
    /// Click to door: mean.
    pub ctd_mean: f64,
    /// Nine in ten were faster.
    pub ctd_p90: f64,
    /// The slowest.
    pub ctd_max: f64,
    /// If every order were fetched when ready and brought straight.
    pub ctd_bound_mean: f64,
    /// Nine in ten of that.
    pub ctd_bound_p90: f64,
    /// Ready to pickup: mean.
    pub rtp_mean: f64,
    /// Nine in ten waited less.
    pub rtp_p90: f64,
    /// Riders' pay for each order brought.
    pub cost_per_order: f64,
    /// Orders a pickup.
    pub orders_per_bundle: f64,
    /// A tenth of the riders earn less in an hour.
    pub earned_hour_p10: f64,
    /// Half of the riders earn less in an hour.
    pub earned_hour_p50: f64,
    /// Rounds: 99 in 100 were faster, in milliseconds.
    pub round_p99_ms: f64,
    /// The slowest round, in milliseconds.
    pub round_max_ms: f64,
}

/// A quantile by linear interpolation; 0 of nothing.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let at = last as f64 * share;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
    let low = (at.floor() as usize).min(last);
    let high = (low + 1).min(last);
    values[low] + (values[high] - values[low]) * (at - low as f64)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len().max(1) as f64)
}

/// Scores a played day.
pub fn score(day: &Day, played: &Played) -> Score {
    let minutes = |seconds: i32| f64::from(seconds) / 60.0;
    let (mut ctd, mut rtp) = (Vec::new(), Vec::new());
    let mut brought: BTreeMap<_, u32> = BTreeMap::new();
    for trip in &played.brought {
        for (no, drop_s) in &trip.drops {
            let Some(order) = day.order(*no) else { continue };
            ctd.push(minutes(drop_s - order.placed_s));
            rtp.push(minutes(trip.pickup_s - order.ready_s));
            *brought.entry(trip.rider).or_default() += 1;
        }
    }
    let pay = day.rules.pay;
    let (mut paid, mut hourly) = (0.0, Vec::new());
    for (rider, no) in day.riders.iter().zip(0..) {
        let hours = f64::from(rider.off_s - rider.on_s) / 3_600.0;
        let orders = brought.get(&crate::dispatch::kernel::world::RiderNo(no)).copied().unwrap_or(0);
        let earned = (pay.order * f64::from(orders)).max(pay.hour * hours);
        paid += earned;
        if hours > 0.0 {
            hourly.push(earned / hours);
        }
    }
    let mut bound: Vec<f64> = day.orders.iter().map(|order| minutes(day.bound_s(order))).collect();
    let mut rounds: Vec<f64> = played.rounds_us.iter().map(|us| *us as f64 / 1_000.0).collect();
    let (orders, delivered) = (day.orders.len(), ctd.len());
    Score {
        orders,
        undelivered_pct: 100.0 * (orders - delivered.min(orders)) as f64 / orders.max(1) as f64,
        ctd_mean: mean(&ctd),
        ctd_max: ctd.iter().copied().fold(0.0, f64::max),
        ctd_p90: quantile(&mut ctd, 0.9),
        ctd_bound_mean: mean(&bound),
        ctd_bound_p90: quantile(&mut bound, 0.9),
        rtp_mean: mean(&rtp),
        rtp_p90: quantile(&mut rtp, 0.9),
        cost_per_order: paid / delivered.max(1) as f64,
        orders_per_bundle: delivered as f64 / played.brought.len().max(1) as f64,
        earned_hour_p10: quantile(&mut hourly, 0.1),
        earned_hour_p50: quantile(&mut hourly, 0.5),
        round_p99_ms: quantile(&mut rounds, 0.99),
        round_max_ms: rounds.last().copied().unwrap_or(0.0),
    }
}
