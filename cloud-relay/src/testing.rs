//! What tests of the relay share: the real sandbox gateway on a free port.

use crate::payments::sandbox::faults::Faults;
use crate::payments::sandbox::server::Sandbox;
use pilotlight_edge::clock::Clock;
use serde_json::Value;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A sandbox that serves until it is dropped.
pub(crate) struct SandboxServer {
    pub(crate) url: String,
    pub(crate) sandbox: Arc<Sandbox>,
    _dir: tempfile::TempDir,
    _stop: DropGuard,
}

impl SandboxServer {
    pub(crate) const SECRET: &str = "the webhook's secret";

    pub(crate) async fn start(faults: Faults) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Another test may have installed it already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let journal = dir.path().join("journal.jsonl");
        let sandbox = Sandbox::open(&journal, faults, Self::SECRET.to_owned(), Clock::machine()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stopping = CancellationToken::new();
        tokio::spawn(Arc::clone(&sandbox).serve(listener, stopping.clone()));
        Self { url, sandbox, _dir: dir, _stop: stopping.drop_guard() }
    }

    /// Everything that was truly executed.
    pub(crate) async fn journal(&self) -> Vec<Value> {
        let text = self.get("journal").await;
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How often each fault struck.
    pub(crate) async fn struck(&self) -> Value {
        serde_json::from_str::<Value>(&self.get("faults").await).unwrap()["struck"].clone()
    }

    async fn get(&self, path: &str) -> String {
        reqwest::get(format!("{}/{path}", self.url)).await.unwrap().text().await.unwrap()
    }
}
