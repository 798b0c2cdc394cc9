//! What both programs do before and after they serve: logs, TLS provider, names for the certificate, signals.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::signal::unix::{SignalKind, signal};

/// A certificate that nobody vouches for is told by whoever met it, once and in its own words: the library's line would be an ERROR for a
/// mistyped address.
const TOLD_BY_OTHERS: &str = "rustls_platform_verifier=off";

/// Logs to standard error, as text or JSON lines. The level comes from RUST_LOG, or is `levels`.
pub fn start_logging(json: bool, levels: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(levels));
    let filter = TOLD_BY_OTHERS.parse().into_iter().fold(filter, tracing_subscriber::EnvFilter::add_directive);
    let logs = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    if json { logs.json().init() } else { logs.init() }
}

/// Files of this process are its user's alone: databases hold addresses and telephone numbers.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Chooses ring for all TLS of this process.
pub fn install_tls_provider() -> anyhow::Result<()> {
    let installed = rustls::crypto::ring::default_provider().install_default();
    installed.map_err(|_| anyhow::anyhow!("another TLS provider is installed"))
}

/// Names and addresses under which a program that listens here is known.
pub fn known_as(host_names: &[String], address: SocketAddr) -> (Vec<String>, Vec<IpAddr>) {
    let mut names = vec!["localhost".to_owned()];
    names.extend(host_names.iter().cloned());
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    if !address.ip().is_unspecified() {
        addresses.push(address.ip());
    }
    (names, addresses)
}

/// The address by which this machine itself reaches what listens here.
pub fn local_url(address: SocketAddr) -> String {
    let host = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    format!("https://{}", SocketAddr::new(host, address.port()))
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
