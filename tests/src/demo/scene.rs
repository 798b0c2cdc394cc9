//! The programs of a demo: relay, sandbox gateway and node as processes of their own, on free loopback ports with TLS.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::client::{Api, Target};
use crate::clock;
use crate::demo::business_clock::BusinessClock;
use crate::demo::persistent::ask;
use crate::demo::place::SHOP;
use crate::demo::proxy::Proxy;
use crate::node_process::{NodeOptions, NodeProcess};
use crate::process::Process;
use crate::shop::text;

/// Shared by relay and gateway: it signs webhooks.
const GATEWAY_SECRET: &str = "a-secret-of-the-sandbox";
/// The link's timers, printed at the start: an outage of half a minute must be one.
pub const LINK_FLAGS: [&str; 4] = ["--ping-ms", "500", "--dead-ms", "1500"];
/// The node's longest wait before it dials again.
pub const BACKOFF_FLAGS: [&str; 2] = ["--backoff-max-ms", "1000"];
/// How long the restaurant's held orders are kept, in business milliseconds: the outage, and a little more.
const HOLD_MS: u64 = 50 * 60_000;

/// How long everything may take to come to an end, in real time.
pub const SETTLE: Duration = Duration::from_secs(90);
/// Between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `pilotlight-node`.
    pub node: PathBuf,
    /// `pilotlight-relay`.
    pub relay: PathBuf,
    /// `pilotlight-sandbox-gateway`.
    pub gateway: PathBuf,
}

impl Programs {
    /// All of one directory.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Self {
        let at = |name: &str| directory.join(name);
        Self { node: at("pilotlight-node"), relay: at("pilotlight-relay"), gateway: at("pilotlight-sandbox-gateway") }
    }
}

/// The relay and where it is.
#[derive(Debug)]
pub struct Relay {
    process: Process,
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// Its certificate authority, as a file.
    pub ca: PathBuf,
    /// As its operator.
    pub operator: Api,
}

/// The gateway and where it is.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// Its certificate authority, as a file.
    pub ca: PathBuf,
    /// What it executed, one JSON line each.
    pub journal: PathBuf,
}

impl Gateway {
    /// Starts it; one answer in twenty is lost.
    pub fn start(program: &Path, home: &Path, lost_answer_share: f64, seed: u64) -> anyhow::Result<Self> {
        let (journal, ready) = (home.join("gateway-journal.jsonl"), home.join("gateway.ready.json"));
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--webhook-secret", GATEWAY_SECRET]);
        command.args(["--lost-answer-share", &lost_answer_share.to_string(), "--seed", &seed.to_string()]);
        command.arg("--tls-dir").arg(home.join("gateway-tls"));
        command.arg("--journal").arg(&journal).arg("--ready-file").arg(&ready);
        let mut process = Process::spawn("gateway", &mut command, &home.join("gateway.log"))?;
        process.until_ready()?;
        let said: Value = serde_json::from_slice(&std::fs::read(&ready)?)?;
        let (url, ca) = (text(&said["url"]).to_owned(), PathBuf::from(text(&said["ca"])));
        Ok(Self { process, url, ca, journal })
    }

    /// How often each of its faults struck.
    pub async fn struck(&self) -> anyhow::Result<Value> {
        let api = Api::new(Target::new(address(&self.url)?, &self.ca)?, None);
        Ok(api.get("/faults").await?.expect(200)?["struck"].clone())
    }

    /// What it has executed, line by line.
    pub fn executed(&self) -> anyhow::Result<Vec<Value>> {
        let lines = std::fs::read_to_string(&self.journal)?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Stops it, and complains about what it should not have logged.
    pub fn stop(self) -> anyhow::Result<()> {
        self.process.stop()
    }
}

impl Relay {
    /// Starts a relay over a new data directory.
    pub fn start(program: &Path, home: &Path, gateway: &Gateway, clock: &BusinessClock) -> anyhow::Result<Self> {
        // Its port must be the same after a restart: the node and the customers know it.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = |name: &str| home.join(name).display().to_string();
        let mut arguments: Vec<String> = vec!["run".to_owned()];
        for (name, value) in [
            ("--data", path("relay")),
            ("--listen", format!("127.0.0.1:{port}")),
            ("--ready-file", path("relay.ready.json")),
            ("--clock-file", clock.file().display().to_string()),
            ("--gateway-url", gateway.url.clone()),
            ("--gateway-ca", gateway.ca.display().to_string()),
            ("--gateway-secret", GATEWAY_SECRET.to_owned()),
        ] {
            arguments.extend([name.to_owned(), value]);
        }
        arguments.extend(LINK_FLAGS.map(str::to_owned));
        let log = home.join("relay.log");
        let process = spawn(program, &arguments, &log)?;
        let said: Value = serde_json::from_slice(&std::fs::read(home.join("relay.ready.json"))?)?;
        let (url, ca) = (text(&said["url"]).to_owned(), PathBuf::from(text(&said["ca"])));
        let target = Target::new(address(&url)?, &ca)?;
        let token = said["operator_token"].as_str().context("a first start has an operator's token")?;
        let operator = Api::new(target, Some(token.to_owned()));
        Ok(Self { process, program: program.to_path_buf(), arguments, log, url, ca, operator })
    }

    /// Where it listens.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        address(&self.url)
    }

    /// SIGKILL, and a start over the same data.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process = spawn(&self.program, &self.arguments, &self.log)?;
        Ok(())
    }

    /// Stops it, and complains about what it should not have logged.
    pub fn stop(self) -> anyhow::Result<()> {
        self.process.stop()
    }
}

fn spawn(program: &Path, arguments: &[String], log: &Path) -> anyhow::Result<Process> {
    let mut process = Process::spawn("relay", Command::new(program).args(arguments), log)?;
    process.until_ready()?;
    Ok(process)
}

fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let address = url.strip_prefix("https://").context("an https URL")?;
    Ok(address.trim_end_matches('/').parse()?)
}

/// How the demo's node is started, and started again after a kill.
pub fn node_options(
    programs: &Programs,
    home: &Path,
    listen: &str,
    clock: &BusinessClock,
) -> anyhow::Result<NodeOptions> {
    let mut options = NodeOptions::new(&home.join("node"))?.program(&programs.node).listen(listen);
    let clock_file = clock.file().display().to_string();
    // Nobody stands in this kitchen who could say yes to what would be late.
    options = options.argument("--side-by-side").argument("0");
    for argument in ["--name", "Pilotlight Pizza", "--time-zone", "UTC", "--clock-file", &clock_file] {
        options = options.argument(argument);
    }
    for argument in LINK_FLAGS.iter().chain(&BACKOFF_FLAGS) {
        options = options.argument(argument);
    }
    Ok(options)
}

/// Enrols the node at the relay, through the proxy; answers the site's id.
pub async fn enrol(relay: &Relay, proxy: &Proxy, admin: &Api) -> anyhow::Result<String> {
    let new = json!({"name": "Pilotlight Pizza", "lat": SHOP.0, "lon": SHOP.1});
    let code = relay.operator.post("/api/v1/sites", &new).await?.expect(201)?;
    let ca_pem = std::fs::read_to_string(&relay.ca)?;
    let uplink = json!({
        "relay_url": format!("https://{}", proxy.address()), "code": code["site_code"], "ca_pem": ca_pem,
    });
    let enrolled = admin.post("/api/v1/uplink", &uplink).await?;
    ensure!(enrolled.status / 100 == 2, "the enrolment was answered {}: {}", enrolled.status, enrolled.text());
    let site = text(&admin.get("/api/v1/site").await?.expect(200)?["site"]).to_owned();
    let terms_path = format!("/api/v1/sites/{site}/terms");
    let mut terms = relay.operator.get(&terms_path).await?.expect(200)?;
    terms["hold_ms"] = json!(HOLD_MS);
    let headers = [("content-type", "application/json")];
    relay.operator.call("PUT", &terms_path, &headers, terms.to_string().as_bytes()).await?.expect(200)?;
    Ok(site)
}

/// Reads something from a program that may be killed at any moment.
pub async fn look(api: &Api, path: &str) -> anyhow::Result<Value> {
    ask(api, "GET", path, None).await?.answer.expect(200)
}

/// Waits until both logs are equal, as the node's admin sees it.
pub async fn in_step(admin: &Api) -> anyhow::Result<()> {
    clock::within("end of catching up", SETTLE, async {
        loop {
            let uplink = look(admin, "/api/v1/uplink").await?;
            if uplink["state"] == "online" && uplink["waiting_commits"] == 0 && uplink["safe_on"] == 2 {
                return anyhow::Ok(());
            }
            clock::moment(LOOK_EVERY).await;
        }
    })
    .await?
}

/// A node whose process can be replaced.
#[derive(Debug)]
pub struct Node {
    /// It.
    pub process: NodeProcess,
    options: NodeOptions,
}

impl Node {
    /// Starts it.
    pub fn start(options: NodeOptions) -> anyhow::Result<Self> {
        Ok(Self { process: options.start()?, options })
    }

    /// SIGKILL, and a start over the same data at the same address.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        let listen = self.process.ready().url.trim_start_matches("https://").trim_end_matches('/').to_owned();
        self.process.kill()?;
        self.process = self.options.clone().listen(&listen).start()?;
        Ok(())
    }
}
