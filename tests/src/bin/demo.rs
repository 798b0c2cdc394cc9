//! `cargo demo`: one real evening through an outage, in front of your eyes, and one page that says what was lost.
//!
//! Builds the programs as they are shipped, starts relay, sandbox gateway and node as processes of their own, plays real evenings of
//! the pizzaplace with an outage and two kills, and compares everyone's journal with both replicas. Then it stays up to click around.
#![expect(clippy::print_stdout, reason = "a command speaks on its standard output")]

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use clap::Parser;
use fast_qr::qr::QRBuilder;
use pilotlight_tests::client::install_tls_provider;
use pilotlight_tests::demo::evenings::{EVENINGS_MAX, Place};
use pilotlight_tests::demo::play::{Evening, OUTAGE, Setting, Standing, node_url, play};
use pilotlight_tests::demo::plot;
use pilotlight_tests::demo::report::{Findings, examine};
use pilotlight_tests::demo::scene::{BACKOFF_FLAGS, LINK_FLAGS, Programs};
use pilotlight_tests::shop::{Recipes, text};
use pilotlight_tests::{build, clock};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// People who can sign in, with their PINs.
const PEOPLE: [(&str, &str, &str); 3] =
    [("Ada", "manager", "2468"), ("Ben", "staff", "1357"), ("Chiara", "kitchen", "8642")];
/// Cases of a finding that are printed.
const CASES_MAX: usize = 12;

/// Plays real evenings through an outage.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Arguments {
    /// Fridays and Saturdays of the real shop, overlaid on one clock.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=EVENINGS_MAX as i64))]
    evenings: u16,
    /// Chooses evenings, double taps, minds and faults; the same seed plays the same evening.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Business time against real time: 96 plays six hours in less than four minutes.
    #[arg(long, default_value_t = 96.0)]
    speed: f64,
    /// The outage of 40 business minutes takes at least so many real seconds.
    #[arg(long, default_value_t = 30.0)]
    outage: f64,
    /// Address and port of the node. For tablets on your network: 0.0.0.0:8443.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Keep all data here, in a directory that is empty or not there yet.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Programs that are built already, in this directory; otherwise they are built as they are shipped.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// End after the report.
    #[arg(long, conflicts_with = "stay")]
    once: bool,
    /// Keep everything up after the report, to click around; the default in a terminal.
    #[arg(long)]
    stay: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let programs = Programs::in_directory(&match &arguments.programs {
        Some(directory) => directory.clone(),
        None => build()?,
    });
    install_tls_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(&arguments, &programs))
}

fn build() -> anyhow::Result<PathBuf> {
    let began = clock::now();
    println!("Building node, relay and gateway as they are shipped (the first time takes some minutes) ...");
    let directory = build::build_release_programs()?;
    println!("built in {:.0} s", began.elapsed().as_secs_f64());
    Ok(directory)
}

async fn run(arguments: &Arguments, programs: &Programs) -> anyhow::Result<ExitCode> {
    let temporary = tempfile::tempdir()?;
    let home = arguments.data.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    std::fs::create_dir_all(&home)?;
    ensure!(home.read_dir()?.next().is_none(), "{} is not empty: choose another directory", home.display());
    let setting = Setting {
        evenings: usize::from(arguments.evenings),
        seed: arguments.seed,
        speed: arguments.speed,
        outage_s: arguments.outage,
        listen: arguments.listen.clone(),
        progress: std::io::stderr().is_terminal(),
    };
    println!(
        "seed {}, speed {}, link {} {}",
        setting.seed,
        setting.speed,
        LINK_FLAGS.join(" "),
        BACKOFF_FLAGS.join(" ")
    );
    let played = clock::now();
    let evening = tokio::select! {
        evening = play(setting, programs, &home) => evening?,
        // Dropping the evening ends the programs that it started.
        told = told_to_end() => {
            told?;
            println!("Ended before the report.");
            return Ok(ExitCode::from(130));
        }
    };
    let findings = examine(&evening.evidence, &Recipes::read()?);
    report(&evening, &findings, played.elapsed().as_secs_f64());
    let vacuous = evening.chances.vacuous();
    vacuous.iter().for_each(|why| println!("PROVES NOTHING: {why}"));
    let good = findings.none() && vacuous.is_empty();
    println!("\n{}", if good { "Nothing was lost." } else { "THE EVENING FAILED." });
    if !arguments.once && (arguments.stay || std::io::stdout().is_terminal()) {
        stay(&evening.standing, &home).await?;
    }
    end(evening.standing)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(evening: &Evening, findings: &Findings, seconds: f64) {
    let journals = &evening.evidence.journals;
    let taken =
        |cash: bool| journals.here.values().filter(|order| order.cash == cash && order.number.is_some()).count();
    let placed = journals.home.values().filter(|order| order.placed).count();
    let guests = &evening.evidence.guests;
    println!(
        "\nThe evening: {} guests, six hours in {seconds:.0} s. Ran short: {}.",
        guests.len(),
        evening.short.join(", ")
    );
    println!("  orders        kiosk {}, counter {}, from home {placed}", taken(false), taken(true));
    let chances = &evening.chances;
    println!(
        "  chances       {} taps sent twice, {} orders under way at a kill, {} just answered, {} gateway answers lost, {} orders held, {} of them \
         made afterwards, {} cancelled unconfirmed, {} guests heard \"sold out\"",
        chances.repeated,
        chances.killed_under,
        chances.just_answered,
        chances.lost_answers,
        chances.held,
        chances.released,
        chances.cancelled_unconfirmed,
        chances.sold_out
    );
    println!();
    for (name, cases) in findings.all() {
        println!("  {name:<26} {}", cases.len());
        cases.iter().take(CASES_MAX).for_each(|case| println!("      {case}"));
    }
    let digest = |text: &str| text.chars().take(16).collect::<String>();
    let [node, relay] = &evening.evidence.digests;
    println!("\n  digests       node {}, relay {}", digest(node), digest(relay));
    let mut here: Vec<f64> = journals.here.values().filter_map(|order| order.answered_in_ms).collect();
    let mut home: Vec<f64> = journals.home.values().filter_map(|order| order.placed_in_ms).collect();
    println!(
        "  placement     in the restaurant {}; from home, payment included, {}",
        percentiles(&mut here),
        percentiles(&mut home)
    );
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let shown = |order: &pilotlight_tests::demo::journals::HereOrder| {
        journals.shown.get(&order.id).map(|shown| shown.saturating_sub(order.sent_ms) as f64)
    };
    let mut shown: Vec<f64> = journals.here.values().filter(|order| order.sends == 1).filter_map(shown).collect();
    println!("  tap to screen {}", percentiles(&mut shown));
    println!("  catch-up      {:.2} s, {} KB over the line", evening.catch_up_s, evening.catch_up_bytes / 1_000);
    let times = |home: bool| -> Vec<u64> {
        guests.iter().filter(|guest| (guest.place == Place::Home) == home).map(|guest| guest.at_ms).collect()
    };
    println!();
    plot::evening(&times(false), &times(true), OUTAGE).iter().for_each(|line| println!("  {line}"));
}

/// Half and 99 in a hundred, in milliseconds.
fn percentiles(values: &mut [f64]) -> String {
    if values.is_empty() {
        return "not measured".to_owned();
    }
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| values[(values.len() - 1) * percent / 100];
    format!("p50 {:.1} ms, p99 {:.1} ms ({} taps)", at(50), at(99), values.len())
}

/// Keeps everything up: addresses, codes, PINs, until Ctrl-C.
async fn stay(standing: &Standing, home: &Path) -> anyhow::Result<()> {
    let admin = &standing.admin;
    println!("\nNode (LAN): {}   relay (cloud): {}   data: {}", node_url(standing), standing.relay.url, home.display());
    println!("\n  {:<10} {:<12} open this address on the device (good once, 15 minutes)", "screen", "code");
    let mut kitchen = String::new();
    for (screen, role) in [("kiosk", "customer"), ("kitchen", "kitchen"), ("owner", "manager"), ("counter", "staff")] {
        let code = admin.post("/api/v1/pairing-codes", &json!({"role": role})).await?.expect(201)?;
        println!("  {screen:<10} {:<12} {}", text(&code["code"]), text(&code["url"]));
        if screen == "kitchen" {
            text(&code["url"]).clone_into(&mut kitchen);
        }
    }
    println!("  customer   {:<12} {}/order", "", standing.relay.url);
    println!("  rider      {:<12} {}/ride", "", standing.relay.url);
    println!("\n  people (sign in with a PIN on a shared device):");
    for (name, role, pin) in PEOPLE {
        admin.post("/api/v1/staff", &json!({"name": name, "role": role, "pin": pin})).await?.expect(201)?;
        println!("  {name:<10} {role:<12} PIN {pin}");
    }
    println!("\nThe certificates are the programs' own: a browser asks once whether to trust them.");
    if let Ok(code) = QRBuilder::new(kitchen.as_str()).build() {
        println!("\nKitchen screen, to scan:\n{}", code.to_str());
    }
    println!("Ctrl-C ends the demo.");
    told_to_end().await
}

/// Waits for Ctrl-C, or for being asked to terminate.
async fn told_to_end() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}

fn end(standing: Standing) -> anyhow::Result<()> {
    standing.node.process.stop()?;
    standing.relay.stop()?;
    standing.gateway.stop()
}
