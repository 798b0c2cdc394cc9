//! The node's program: reads what the operator set, opens the data, serves until it is told to stop.
#![expect(clippy::print_stdout, reason = "a program speaks on its standard output")]

use anyhow::Context;
use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use pilotlight_edge::clock::{Clock, Stopwatch};
use pilotlight_edge::files;
use pilotlight_edge::private_ca::PrivateCa;
use pilotlight_edge::program::{install_tls_provider, known_as, local_url, start_logging, stop_signal};
use pilotlight_node::app::App;
use pilotlight_node::config::{CheckConfig, Cli, Command, RunConfig};
use pilotlight_node::menu::import::{Format, ImportOptions, import};
use pilotlight_node::menu::upsert;
use pilotlight_node::opening::{self, OpenError, Paths};
use pilotlight_node::recovery::RecoveryDesk;
use pilotlight_node::store::replica::Replica;
use pilotlight_node::{check, joining, server};
use pilotlight_sync::domain::role::Actor;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> anyhow::Result<ExitCode> {
    pilotlight_edge::program::keep_files_private();
    match Cli::parse().command {
        Command::Openapi => {
            println!("{}", pilotlight_node::api::openapi::document());
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(config) => run_check(&config),
        Command::Join(config) => {
            start_logging(false, "info,sled=warn");
            install_tls_provider()?;
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let joined = runtime.block_on(joining::join(&config, Clock::of(None)?))?;
            println!("joined {} as node {}: start it with pilotlight-node run", joined.name, joined.letter);
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(config) => {
            let boot = Stopwatch::start();
            start_logging(config.log_json, "info,sled=warn");
            install_tls_provider()?;
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(run(*config, boot))
        }
    }
}

fn run_check(config: &CheckConfig) -> anyhow::Result<ExitCode> {
    let paths = Paths { data: config.data.clone() };
    let report = check::check(&paths)?;
    let (orders, archived, commits, problems) = (report.orders, report.archived, report.commits, &report.problems);
    let unread = report.unread;
    let said = serde_json::json!({
        "orders": orders, "archived": archived, "commits": commits, "unread": unread, "problems": problems
    });
    println!("{said}");
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run(config: RunConfig, boot: Stopwatch) -> anyhow::Result<ExitCode> {
    let clock = Clock::of(config.clock_file.as_deref())?;
    let paths = Paths { data: config.data.clone() };
    config.day_rule()?;
    let metrics = PrometheusBuilder::new().install_recorder().context("starting metrics")?;
    let listener = server::bind(config.listen)?;
    let address = listener.local_addr()?;
    files::create_dir(&paths.data)?;
    let (names, addresses) = known_as(&config.host_names, address);
    let ca = PrivateCa::open(&paths.tls(), "node", &config.name, &names, &addresses, clock.real().0)?;
    let url = local_url(address);
    let mut listener = Some(listener);
    let first = loop {
        match opening::open(&paths, &clock) {
            Ok(replica) => break replica,
            Err(OpenError::NeedsRecovery(note)) => {
                let taken = listener.take().map_or_else(|| server::bind(address), Ok)?;
                if !recover(&paths, note, &clock, taken, &ca, &url).await? {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            Err(error @ (OpenError::InUse | OpenError::Store(_) | OpenError::NoRandom(_))) => return Err(error.into()),
        }
    };
    let first = seed_menus(first, &config, &clock)?;
    let app = App::start(first, &paths, &config, clock, ca.ca_pem.clone(), Some(metrics))?;
    app.set_url(url.clone());
    let admin_code = app.first_admin_code()?;
    let listener = listener.map_or_else(|| server::bind(address), Ok)?;
    let tasks = [
        tokio::spawn(app.clone().tell_availability()),
        tokio::spawn(app.clone().watch_disk()),
        tokio::spawn(app.clone().tend_relay_orders()),
        tokio::spawn(app.clone().tell_link()),
        tokio::spawn(app.clone().tell_online()),
        tokio::spawn(app.clone().answer_wishes()),
        tokio::spawn(app.clone().keep_uplink()),
        tokio::spawn(app.clone().keep_siblings()),
        tokio::spawn(app.clone().tend_archive()),
        tokio::spawn(app.clone().tend_days()),
        tokio::spawn(app.clock.clone().follow(app.stopping.clone())),
    ];
    let serving = tokio::spawn(server::serve(app.clone(), listener, ca.tls.clone()));
    announce(&config, &url, admin_code.as_deref(), &ca, &boot)?;
    stop_signal().await?;
    tracing::info!("stopping");
    app.stopping.cancel();
    serving.await?;
    for task in tasks {
        task.await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves the recovery page until a manager decides (`true`) or the node is stopped (`false`).
async fn recover(
    paths: &Paths,
    note: String,
    clock: &Clock,
    listener: tokio::net::TcpListener,
    ca: &PrivateCa,
    url: &str,
) -> anyhow::Result<bool> {
    let desk = RecoveryDesk::new(paths.clone(), note, clock.clone())?;
    tracing::error!(note = desk.note, "the node cannot take orders: a manager must decide");
    println!("{}\nOpen {url} and enter this code to begin anew: {}", desk.note, desk.code());
    let stopped = tokio::select! {
        () = server::serve_recovery(desk.clone(), listener, ca.tls.clone()) => false,
        stopped = stop_signal() => { stopped?; true }
    };
    Ok(!stopped)
}

/// Imports menus at the first start; a site that has a menu keeps it.
fn seed_menus(mut replica: Replica, config: &RunConfig, clock: &Clock) -> anyhow::Result<Replica> {
    // A store that was begun anew gets the site's own menu back.
    let anew = opening::kept_site(&Paths { data: config.data.clone() })?.is_some();
    if anew || !replica.site().menu().items.is_empty() {
        return Ok(replica);
    }
    for seed in &config.seed_menus {
        let (format, path) = format_of(seed)?;
        let file = std::fs::read(path).with_context(|| format!("reading the menu {path}"))?;
        let options = ImportOptions { restaurant: None, currency: config.currency };
        let imported = import(format, &file, &options).with_context(|| format!("importing {path}"))?;
        for line in &imported.not_understood {
            tracing::warn!(place = line.place, remedy = line.remedy, "{}", line.what);
        }
        let upsert = upsert::changes(replica.site(), &imported.draft).with_context(|| format!("importing {path}"))?;
        for changes in upsert.commits {
            replica.commit(Actor::System, clock.now(), &changes)?;
        }
        if replica.is_staged() {
            replica.flush().context("writing the menu")?;
        }
    }
    Ok(replica)
}

fn format_of(seed: &str) -> anyhow::Result<(Format, &str)> {
    if let Some((word, path)) = seed.split_once('=')
        && let Some(format) = Format::parse(word)
    {
        return Ok((format, path));
    }
    let name = Path::new(seed).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let by_name = Format::ALL.into_iter().find(|format| {
        let word: String = format.word().chars().filter(char::is_ascii_alphanumeric).collect();
        name.replace(['_', '-'], "").contains(&word)
    });
    let words = || Format::ALL.map(Format::word).join(", ");
    let format = by_name.with_context(|| format!("{seed}: say its format, one of {}, as FORMAT=FILE", words()))?;
    Ok((format, seed))
}

fn announce(
    config: &RunConfig,
    url: &str,
    admin_code: Option<&str>,
    ca: &PrivateCa,
    boot: &Stopwatch,
) -> anyhow::Result<()> {
    let boot_ms = u64::try_from(boot.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(path) = &config.ready_file {
        let ready = serde_json::json!({
            "url": url, "pid": std::process::id(), "admin_code": admin_code, "ca": ca.ca_path, "boot_ms": boot_ms,
        });
        files::write_whole(path, ready.to_string().as_bytes())?;
    }
    println!("ready {url}");
    if let Some(code) = admin_code {
        println!("first admin code: {code}  (open {url}/pair?code={code}, or POST it to {url}/api/v1/pair; good once)");
    }
    Ok(())
}

const _: fn() = || {
    // The app is shared by every connection's task.
    fn shared<T: Send + Sync>() {}
    shared::<Arc<App>>();
};
