//! Dispatch on the public delivery benchmark: each recorded day is played online by the shipped relay, checked, and compared.
//!
//! The days and the checker lie beside the repository (`../shared`); without them there is nothing to measure. All of it takes more than
//! an hour of a core: each day's checked score is kept in `target/figures/dispatch`, by the program that played it, and a run that is
//! broken off goes on where it was. Remove that folder to play everything again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use super::dispatch_plot::plot;
use super::{Figure, Plan};
use crate::build;
use crate::fixtures::outside;

/// What `dispatch-replay --json` prints of a day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Score {
    /// Its name.
    pub instance: String,
    orders: u32,
    undelivered_pct: f64,
    /// Mean click to door, in minutes.
    pub ctd_mean: f64,
    ctd_p90: f64,
    /// The same if every order were fetched when ready and brought straight.
    pub ctd_bound_mean: f64,
    ctd_bound_p90: f64,
    rtp_mean: f64,
    rtp_p90: f64,
    cost_per_order: f64,
    orders_per_bundle: f64,
    earned_hour_p10: f64,
    earned_hour_p50: f64,
    round_p99_ms: f64,
    round_max_ms: f64,
}

/// How a day is played: what is printed, the options.
type Way = (&'static str, &'static [&'static str]);

const KNOWN: Way = ("ours, ready times known", &[]);
const ESTIMATED: Way = ("ours, ready times estimated", &["--estimated"]);
/// What each part is worth, and what foresight would be worth: on every fifth day.
const VARIANTS: [Way; 10] = [
    ("all of it", &[]),
    ("without cover by idle riders", &["--without", "cover"]),
    ("without ruin and repair", &["--without", "repair"]),
    ("without bundles", &["--without", "bundles"]),
    ("without waiting", &["--without", "waiting"]),
    ("without the price on pay", &["--without", "pay"]),
    ("without the weight on what is late", &["--without", "late"]),
    ("insertion alone", &["--without", "cover", "--without", "repair", "--without", "pay", "--without", "late"]),
    ("sees 5 minutes ahead", &["--foresight-min", "5"]),
    ("sees 60 minutes ahead", &["--foresight-min", "60"]),
];
/// The goals, each with what is measured.
const GOALS: [(&str, &str, Column, f64); 5] = [
    ("undelivered", "%", |score| score.undelivered_pct, 0.05),
    ("click-to-door, mean", "min", |score| score.ctd_mean, 31.6),
    ("click-to-door, p90", "min", |score| score.ctd_p90, 46.0),
    ("ready-to-pickup, mean", "min", |score| score.rtp_mean, 1.4),
    ("pay for an order", "$", |score| score.cost_per_order, 11.0),
];
/// A decision round may take so long, in milliseconds.
const ROUND_P99_MS_MAX: f64 = 100.0;
/// So many orders are placed in one minute.
const FLOOD: usize = 1_000;
/// A round with them takes no longer, in milliseconds.
const FLOOD_MS_MAX: f64 = 1_000.0;
/// The exact results with hindsight are allowed this much less.
const HINDSIGHT: f64 = 1.015;

type Column = fn(&Score) -> f64;

/// Runs the benchmark; the tables go into `report`.
pub fn run(plan: &Plan, report: &mut String) -> anyhow::Result<Vec<Figure>> {
    let Some(data) = outside("mdrp") else {
        writeln!(report, "no delivery days beside the repository (../shared/data/mdrp): dispatch is not measured")?;
        return Ok(Vec::new());
    };
    let relay = plan.programs.relay.clone();
    let home = tempfile::tempdir()?;
    let program = blake3::hash(&std::fs::read(&relay).with_context(|| relay.display().to_string())?).to_hex();
    let kept = build::root().join("target/figures/dispatch").join(&program[..16]);
    let players = plan.choose(std::thread::available_parallelism().map_or(1, usize::from), 1);
    let bench = Bench { relay, out: home.path().to_owned(), players, kept: Some(kept) };
    let mut days = folders(&data.join("public_instances"))?;
    days.truncate(plan.choose(usize::MAX, 2));
    // One at a time: a round's time is that of a core that does nothing else.
    let largest: Vec<PathBuf> = days.iter().filter(|day| day.ends_with("7o100t100s1p100")).cloned().collect();
    let alone = Bench { players: 1, kept: None, ..bench.clone() };
    let flood = largest.iter().map(|day| flooded(day, home.path())).collect::<anyhow::Result<Vec<_>>>()?;
    let flood = alone.play(&flood, &KNOWN)?;
    let alone = alone.play(&largest, &KNOWN)?;
    let known = bench.play(&days, &KNOWN)?;
    let path = build::root().join("target/figures/dispatch.svg");
    std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
    std::fs::write(&path, plot(&known)).with_context(|| path.display().to_string())?;
    writeln!(report, "{HEAD}")?;
    for (name, scores) in
        [("all", half(&known, None)), ("tuned half", half(&known, Some(0))), ("other half", half(&known, Some(1)))]
    {
        writeln!(report, "{}", row(&format!("{}: {name}", KNOWN.0), &scores))?;
    }
    let mut figures: Vec<Figure> = GOALS
        .iter()
        .map(|(name, unit, column, goal)| Figure::new(*name, unit, mean(&known, *column), "goal", *goal))
        .collect();
    let bound = mean(&known, |score| score.ctd_bound_p90);
    figures.push(Figure::new("click-to-door, p90", "min", mean(&known, |score| score.ctd_p90), "bound", bound));
    let bound = mean(&known, |score| score.ctd_bound_mean);
    figures.push(Figure::new("click-to-door, mean", "min", mean(&known, |score| score.ctd_mean), "bound", bound));
    let longest = known.iter().map(|score| score.round_p99_ms).fold(0.0, f64::max);
    figures.push(Figure::new("decision round, p99, the longest of all days", "ms", longest, "limit", ROUND_P99_MS_MAX));
    for score in &alone {
        let name = format!("decision round, p99, {} orders", score.orders);
        figures.push(Figure::new(name, "ms", score.round_p99_ms, "limit", ROUND_P99_MS_MAX));
    }
    for score in &flood {
        let name = format!("longest round, {FLOOD} orders placed in one minute");
        figures.push(Figure::new(name, "ms", score.round_max_ms, "limit", FLOOD_MS_MAX));
    }
    if !plan.quick {
        by_class(report, &known)?;
        let estimated = bench.play(&days, &ESTIMATED)?;
        writeln!(report, "{}", row(ESTIMATED.0, &estimated))?;
        by_class(report, &estimated)?;
        figures.extend(colombia(&bench, &data, report)?);
        writeln!(report, "\nevery fifth day")?;
        let fifth: Vec<PathBuf> = days.iter().step_by(5).cloned().collect();
        for way in &VARIANTS {
            writeln!(report, "{}", row(way.0, &bench.play(&fifth, way)?))?;
        }
    }
    figures.extend(hindsight(&data, &known)?);
    writeln!(report, "\nclick-to-door against the bound, a dot a day: target/figures/dispatch.svg")?;
    Ok(figures)
}

/// Three days by latitude and longitude, with many more riders for an order.
fn colombia(bench: &Bench, data: &Path, report: &mut String) -> anyhow::Result<Vec<Figure>> {
    writeln!(report, "\nthree days in Colombia, by latitude and longitude")?;
    let one = Bench { players: 1, ..bench.clone() };
    let mut figures = Vec::new();
    for way in [&KNOWN, &ESTIMATED] {
        for score in one.play(&folders(&data.join("rappi_colombia"))?, way)? {
            let name = format!("decision round, p99, {} orders in Colombia, {}", score.orders, way.0);
            figures.push(Figure::new(name, "ms", score.round_p99_ms, "limit", ROUND_P99_MS_MAX));
            writeln!(report, "{}", row(&format!("day {}, {}", score.instance, way.0), &[score]))?;
        }
    }
    Ok(figures)
}

/// The day again, with its first thousand orders all placed in the same minute.
fn flooded(day: &Path, home: &Path) -> anyhow::Result<PathBuf> {
    let to = home.join("flood");
    std::fs::create_dir_all(&to)?;
    for name in ["instance_parameters.txt", "restaurants.txt", "couriers.txt"] {
        std::fs::copy(day.join(name), to.join(name)).with_context(|| name.to_owned())?;
    }
    let orders = std::fs::read_to_string(day.join("orders.txt"))?;
    let mut lines = orders.lines();
    let mut flood = format!("{}\n", lines.next().unwrap_or_default());
    for line in lines.take(FLOOD) {
        let mut cells: Vec<&str> = line.split('\t').collect();
        // order x y placement_time restaurant ready_time
        ensure!(cells.len() == 6, "orders.txt has other columns than were expected: {line}");
        (cells[3], cells[5]) = ("720", "735");
        writeln!(flood, "{}", cells.join("\t"))?;
    }
    std::fs::write(to.join("orders.txt"), flood)?;
    Ok(to)
}

fn folders(within: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(within).with_context(|| within.display().to_string())?;
    let mut found: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    found.sort();
    Ok(found)
}

/// Who plays days, and where the solutions go.
#[derive(Debug, Clone)]
struct Bench {
    relay: PathBuf,
    out: PathBuf,
    players: usize,
    /// Where scores are kept; none: everything is played.
    kept: Option<PathBuf>,
}

impl Bench {
    /// Plays these days, several at a time; each solution is checked.
    fn play(&self, days: &[PathBuf], way: &Way) -> anyhow::Result<Vec<Score>> {
        let next = AtomicUsize::new(0);
        let played: Mutex<Vec<anyhow::Result<Score>>> = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.players {
                scope.spawn(|| {
                    while let Some(day) = days.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let score = self.play_one(day, way).with_context(|| format!("{} {}", day.display(), way.0));
                        played.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(score);
                    }
                });
            }
        });
        let played = played.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut scores = played.into_iter().collect::<anyhow::Result<Vec<Score>>>()?;
        scores.sort_by(|a, b| a.instance.cmp(&b.instance));
        Ok(scores)
    }

    fn play_one(&self, day: &Path, way: &Way) -> anyhow::Result<Score> {
        let name = format!("{} {}.json", day.file_name().unwrap_or_default().to_string_lossy(), way.1.join(" "));
        let kept = self.kept.as_ref().map(|kept| kept.join(name));
        let known = kept.as_ref().and_then(|kept| serde_json::from_slice(&std::fs::read(kept).ok()?).ok());
        if let Some(known) = known {
            return Ok(known);
        }
        let score = self.play_now(day, way)?;
        if let Some(kept) = kept {
            std::fs::create_dir_all(kept.parent().unwrap_or(&kept))?;
            // Whole or not at all: a run may be broken off at any time.
            let new = kept.with_extension("new");
            std::fs::write(&new, serde_json::to_vec(&score)?)?;
            std::fs::rename(&new, &kept)?;
        }
        Ok(score)
    }

    fn play_now(&self, day: &Path, way: &Way) -> anyhow::Result<Score> {
        let out = self.out.join(day.file_name().unwrap_or_default());
        let mut command = Command::new(&self.relay);
        command.args(["dispatch-replay", "--json"]).args(way.1).arg("--instance").arg(day).arg("--out").arg(&out);
        let output = command.output().with_context(|| self.relay.display().to_string())?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let score: Score = serde_json::from_slice(&output.stdout).context("dispatch-replay printed no JSON")?;
        // Who sees ahead is told before an order is placed: no rule allows that, and no checker.
        if day.join("orders.txt").exists() && !way.1.contains(&"--foresight-min") {
            check(day, &out, &score)?;
        }
        Ok(score)
    }
}

/// The publishers' rules, by a program that is not ours: no breach, and the same numbers.
fn check(day: &Path, out: &Path, ours: &Score) -> anyhow::Result<()> {
    let data = outside("mdrp").context("../shared/data/mdrp")?;
    let Some(checker) = data.ancestors().map(|above| above.join("tools/mdrp_score.py")).find(|path| path.exists())
    else {
        return Ok(());
    };
    let output = Command::new("python3").arg(checker).arg(day).arg(out).arg("--json").output().context("python3")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "the checker: {said}");
    let theirs: serde_json::Value = serde_json::from_str(&said).context("the checker printed no JSON")?;
    for (name, ours) in [
        ("breaches", 0.0),
        ("undelivered_pct", ours.undelivered_pct),
        ("ctd_mean", ours.ctd_mean),
        ("ctd_p90", ours.ctd_p90),
        ("rtp_mean", ours.rtp_mean),
        ("cost_per_order", ours.cost_per_order),
    ] {
        let theirs = theirs[name].as_f64().with_context(|| format!("the checker says no {name}"))?;
        ensure!((theirs - ours).abs() < 0.006, "{name}: we say {ours}, the checker {theirs}");
    }
    Ok(())
}

/// Ours against the exact results with hindsight on the half-size days of seed 0.
fn hindsight(data: &Path, known: &[Score]) -> anyhow::Result<Vec<Figure>> {
    let mut table = csv::Reader::from_path(data.join("published/reyes2018_table4_and_yildiz2018.csv"))?;
    let mut exact = BTreeMap::new();
    for row in table.deserialize::<BTreeMap<String, String>>() {
        let row = row?;
        let mean = row.get("exact_bundle2_ctd_mean").and_then(|cell| cell.parse::<f64>().ok());
        if let (Some(name), Some(mean)) = (row.get("instance"), mean) {
            exact.insert(name.clone(), mean);
        }
    }
    let pairs: Vec<(f64, f64)> =
        known.iter().filter_map(|score| Some((score.ctd_mean, *exact.get(&score.instance)?))).collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let count = pairs.len() as f64;
    let ours = pairs.iter().map(|(ours, _)| ours).sum::<f64>() / count;
    let theirs = pairs.iter().map(|(_, exact)| exact).sum::<f64>() / count;
    let name = format!("click-to-door, mean, {} half-size days", pairs.len());
    Ok(vec![
        Figure::new(name.clone(), "min", ours, "exact, with hindsight", theirs),
        Figure::new(name, "min", ours, "1.5 % above exact", HINDSIGHT * theirs),
    ])
}

fn mean(scores: &[Score], column: Column) -> f64 {
    scores.iter().map(column).sum::<f64>() / scores.len().max(1) as f64
}

/// The half that was tuned on (0), the other (1), or all. By the bits of its place in the list: each class is in both.
fn half(scores: &[Score], which: Option<u32>) -> Vec<Score> {
    let chosen = scores.iter().enumerate().filter(|(at, _)| which.is_none_or(|half| at.count_ones() % 2 == half));
    chosen.map(|(_, score)| score.clone()).collect()
}

const HEAD: &str = "                                          days  undeliv %  ctd mean  (bound)   p90  rtp mean   p90  $/order  bundle  earned/h p10   p50  round p99 ms    max";

fn row(name: &str, scores: &[Score]) -> String {
    let of = |column: Column| mean(scores, column);
    let most = |column: Column| scores.iter().map(column).fold(0.0, f64::max);
    format!(
        "{name:<42}{:>4}{:>11.4}{:>10.2}{:>9.2}{:>6.1}{:>10.2}{:>6.1}{:>9.2}{:>8.3}{:>14.2}{:>6.2}{:>14.1}{:>7.0}",
        scores.len(),
        of(|score| score.undelivered_pct),
        of(|score| score.ctd_mean),
        of(|score| score.ctd_bound_mean),
        of(|score| score.ctd_p90),
        of(|score| score.rtp_mean),
        of(|score| score.rtp_p90),
        of(|score| score.cost_per_order),
        of(|score| score.orders_per_bundle),
        of(|score| score.earned_hour_p10),
        of(|score| score.earned_hour_p50),
        most(|score| score.round_p99_ms),
        most(|score| score.round_max_ms),
    )
}

/// One row a class: size, travel time, shifts, preparation time.
fn by_class(report: &mut String, scores: &[Score]) -> anyhow::Result<()> {
    // A name is the seed, then o100 | o50 | r50, t100 | t75, s1 | s2, p100 | p125.
    for class in ["o100", "o50", "r50", "t100", "t75", "s1", "s2", "p100", "p125"] {
        let these: Vec<Score> = scores.iter().filter(|score| score.instance[1..].contains(class)).cloned().collect();
        if !these.is_empty() {
            writeln!(report, "{}", row(&format!("  {class}"), &these))?;
        }
    }
    Ok(())
}
