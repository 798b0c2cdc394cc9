//! The relay's program: reads what the operator set, opens the data, serves until it is told to stop.
#![expect(clippy::print_stdout, reason = "a program speaks on its standard output")]

use anyhow::Context;
use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use pilotlight_edge::clock::{Clock, Stopwatch};
use pilotlight_edge::private_ca::PrivateCa;
use pilotlight_edge::program::{install_tls_provider, known_as, local_url, start_logging, stop_signal};
use pilotlight_edge::{files, server};
use pilotlight_relay::app::App;
use pilotlight_relay::config::{Cli, Command, RunConfig};
use pilotlight_relay::serving;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> anyhow::Result<ExitCode> {
    pilotlight_edge::program::keep_files_private();
    match Cli::parse().command {
        Command::Openapi => {
            println!("{}", pilotlight_relay::api::openapi::document());
            Ok(ExitCode::SUCCESS)
        }
        Command::DispatchReplay(config) => {
            println!("{}", pilotlight_relay::dispatch::replay::command::run(&config)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(config) => {
            let boot = Stopwatch::start();
            start_logging(config.log_json, "info,sqlx=warn");
            install_tls_provider()?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run(*config, boot))
        }
    }
}

async fn run(config: RunConfig, boot: Stopwatch) -> anyhow::Result<ExitCode> {
    let clock = Clock::of(config.clock_file.as_deref())?;
    let metrics = PrometheusBuilder::new().install_recorder().context("starting metrics")?;
    files::create_dir(&config.data)?;
    let listener = server::bind(config.listen)?;
    let address = listener.local_addr()?;
    let (names, addresses) = known_as(&config.host_names, address);
    let ca = PrivateCa::open(&config.data.join("tls"), "relay", "relay", &names, &addresses, clock.real().0)?;
    let url = local_url(address);
    let app = App::start(&config, clock, ca.ca_pem.clone(), Some(metrics)).await?;
    let operator_token = app.first_operator_token().await?;
    let tasks = app.start_tasks();
    let serving = tokio::spawn(server::serve(serving::served(&app), listener, ca.tls.clone()));
    announce(&config, &url, operator_token.as_deref(), &ca, &boot)?;
    stop_signal().await?;
    tracing::info!("stopping");
    app.stopping.cancel();
    serving.await?;
    for task in tasks {
        task.await?;
    }
    app.close().await;
    Ok(ExitCode::SUCCESS)
}

fn announce(
    config: &RunConfig,
    url: &str,
    operator_token: Option<&str>,
    ca: &PrivateCa,
    boot: &Stopwatch,
) -> anyhow::Result<()> {
    let boot_ms = u64::try_from(boot.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(path) = &config.ready_file {
        let ready = serde_json::json!({
            "url": url, "pid": std::process::id(), "operator_token": operator_token, "ca": ca.ca_path, "boot_ms": boot_ms,
        });
        files::write_whole(path, ready.to_string().as_bytes())?;
    }
    println!("ready {url}");
    if let Some(token) = operator_token {
        println!("operator token: {token}  (shown once; it creates sites: POST {url}/api/v1/sites)");
    }
    Ok(())
}

const _: fn() = || {
    // The app is shared by every connection's task.
    fn shared<T: Send + Sync>() {}
    shared::<Arc<App>>();
};
