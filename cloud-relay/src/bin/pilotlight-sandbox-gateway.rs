//! The sandbox card gateway as a program: what went wrong, how often, and what was truly executed, all from outside the relay.
#![expect(clippy::print_stdout, reason = "a program speaks on its standard output")]

use anyhow::Context;
use clap::Parser;
use pilotlight_edge::clock::Clock;
use pilotlight_edge::files;
use pilotlight_edge::private_ca::PrivateCa;
use pilotlight_edge::program::{install_tls_provider, known_as, local_url, start_logging, stop_signal};
use pilotlight_relay::payments::sandbox::callback::CallbackSettings;
use pilotlight_relay::payments::sandbox::faults::Faults;
use pilotlight_relay::payments::sandbox::server::Sandbox;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A card gateway to try things on. Takes every card whose token begins with `tok_`, but `tok_declined`.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", env = "PILOTLIGHT_SANDBOX_LISTEN")]
    listen: SocketAddr,
    /// What was executed, one JSON line each; read back at the start.
    #[arg(long, env = "PILOTLIGHT_SANDBOX_JOURNAL")]
    journal: PathBuf,
    /// Serves over TLS with a certificate of its own authority, kept here.
    #[arg(long, env = "PILOTLIGHT_SANDBOX_TLS_DIR")]
    tls_dir: Option<PathBuf>,
    /// JSON with url, pid and ca once it serves.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// Signs webhooks.
    #[arg(long, default_value = "sandbox-secret", env = "PILOTLIGHT_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: String,
    /// Where webhooks go; may be set later by `PUT /callback`.
    #[arg(long)]
    callback_url: Option<String>,
    /// Who signed the callback's certificate.
    #[arg(long)]
    callback_ca: Option<PathBuf>,
    /// Waits so long before each operation.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Share of authorisations that are declined.
    #[arg(long, default_value_t = 0.0)]
    decline_share: f64,
    /// Share of requests that are lost before they are executed.
    #[arg(long, default_value_t = 0.0)]
    lost_request_share: f64,
    /// Share of requests that are executed and whose answer is lost.
    #[arg(long, default_value_t = 0.0)]
    lost_answer_share: f64,
    /// Draws the faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    start_logging(false, "info");
    install_tls_provider()?;
    let faults = Faults {
        latency_ms: cli.latency_ms,
        decline_share: cli.decline_share,
        lost_request_share: cli.lost_request_share,
        lost_answer_share: cli.lost_answer_share,
        seed: cli.seed,
    };
    if let Some(share) = faults.wrong_share() {
        anyhow::bail!("--{} is not between 0 and 1", share.replace('_', "-"));
    }
    let sandbox = Sandbox::open(&cli.journal, faults, cli.webhook_secret, Clock::machine())?;
    if let Some(url) = cli.callback_url {
        let ca_pem = cli.callback_ca.as_ref().map(std::fs::read_to_string).transpose().context("--callback-ca")?;
        sandbox.call_back(&CallbackSettings { url, ca_pem })?;
    }
    let listener = TcpListener::bind(cli.listen).await.with_context(|| format!("listening on {}", cli.listen))?;
    let address = listener.local_addr()?;
    let clock = Clock::machine();
    let (names, addresses) = known_as(&[], address);
    let open_ca = |dir: &PathBuf| PrivateCa::open(dir, "sandbox-gateway", "sandbox", &names, &addresses, clock.now().0);
    let ca = cli.tls_dir.as_ref().map(open_ca).transpose()?;
    let url = if ca.is_some() { local_url(address) } else { format!("http://{address}") };
    if let Some(path) = &cli.ready_file {
        let ca_path = ca.as_ref().map(|ca| ca.ca_path.clone());
        let ready = serde_json::json!({"url": url, "pid": std::process::id(), "ca": ca_path});
        files::write_whole(path, ready.to_string().as_bytes())?;
    }
    println!("ready {url}");
    let stopping = CancellationToken::new();
    let serving = tokio::spawn(sandbox.serve(listener, ca.map(|ca| ca.tls), stopping.clone()));
    stop_signal().await?;
    stopping.cancel();
    serving.await?;
    Ok(())
}
