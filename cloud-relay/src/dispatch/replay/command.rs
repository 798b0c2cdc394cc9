//! `dispatch-replay`: plays a recorded day, writes its solution files, says how it went.

use super::day::Day;
use super::forecast::Forecast;
use super::instance;
use super::lat_lon;
use super::play::{Game, Played, play};
use super::score::{Score, score};
use crate::config::{Part, ReplayConfig};
use crate::dispatch::kernel::settings::{CoverSettings, Settings};
use crate::dispatch::kernel::world::Unserved;
use anyhow::Context;
use pilotlight_edge::clock::Stopwatch;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What is printed as JSON: the scores, and the orders that were not brought.
#[derive(Debug, serde::Serialize)]
struct Report<'a> {
    instance: &'a str,
    #[serde(flatten)]
    score: &'a Score,
    unserved: BTreeMap<&'a str, String>,
}

/// Plays the day of these options. Returns what is to be printed.
///
/// # Errors
/// Names the file that cannot be read or written.
pub fn run(config: &ReplayConfig) -> anyhow::Result<String> {
    let folder = &config.instance;
    let day = if folder.join("orders.csv").exists() { lat_lon::read(folder) } else { instance::read(folder) };
    let day = day.with_context(|| format!("no instance can be read from {}", folder.display()))?;
    let settings = config.without.iter().fold(Settings::default(), |settings, part| without(settings, *part));
    let forecast = if config.estimated { Forecast::Estimated } else { Forecast::Known };
    let game = Game { settings, forecast, foresight_s: i32::from(config.foresight_min) * 60, explain: config.explain };
    let watch = Stopwatch::start();
    let mut micros = || u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX);
    let played = play(&day, &game, &mut micros);
    instance::write(&config.out, &day, &played)?;
    let score = score(&day, &played);
    let unserved =
        played.unserved.iter().filter_map(|(no, why)| Some((day.order(*no)?.name.as_str(), why.to_string())));
    let report = Report { instance: &day.name, score: &score, unserved: unserved.collect() };
    if config.json {
        return Ok(serde_json::to_string(&report)?);
    }
    text(&day, &played, &score)
}

/// The kernel without one of its parts.
fn without(settings: Settings, part: Part) -> Settings {
    match part {
        Part::Repair => Settings { repairs_max: 0, ..settings },
        Part::Bundles => Settings { bundle_max: 1, ..settings },
        // Longer than any day: whoever has a trip sets out.
        Part::Waiting => Settings { early_s: i32::MAX / 4, ..settings },
        Part::Cover => Settings { cover: CoverSettings { moves_max: 0, ..settings.cover }, ..settings },
        Part::Pay => Settings { pay_price: 0.0, ..settings },
        Part::Late => Settings { over_target: 0.0, ..settings },
    }
}

fn text(day: &Day, played: &Played, score: &Score) -> anyhow::Result<String> {
    let mut text = String::new();
    for line in &played.explained {
        writeln!(text, "{line}")?;
    }
    for (no, why) in &played.unserved {
        let name = day.order(*no).map_or("?", |order| order.name.as_str());
        let why: &Unserved = why;
        writeln!(text, "{name} is not brought: {why}")?;
    }
    let rows = [
        ("orders", score.orders as f64),
        ("undelivered_pct", score.undelivered_pct),
        ("ctd_mean", score.ctd_mean),
        ("ctd_p90", score.ctd_p90),
        ("ctd_max", score.ctd_max),
        ("ctd_bound_mean", score.ctd_bound_mean),
        ("ctd_bound_p90", score.ctd_bound_p90),
        ("rtp_mean", score.rtp_mean),
        ("rtp_p90", score.rtp_p90),
        ("cost_per_order", score.cost_per_order),
        ("orders_per_bundle", score.orders_per_bundle),
        ("earned_hour_p10", score.earned_hour_p10),
        ("earned_hour_p50", score.earned_hour_p50),
        ("round_p99_ms", score.round_p99_ms),
        ("round_max_ms", score.round_max_ms),
    ];
    for (name, value) in rows {
        writeln!(text, "{name:20} {value:.3}")?;
    }
    Ok(text.trim_end().to_owned())
}
