//! One node program: started, waited for by its own word, killed, started again.
//!
//! Ready is the line `ready https://...` on its stdout; its ready file then says the rest.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::build;
use crate::process::Process;

/// What the node writes when it serves.
#[derive(Debug, Clone, Deserialize)]
pub struct Ready {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// The node's process.
    pub pid: u32,
    /// Pairs the first administrator; only while there is none.
    pub admin_code: Option<String>,
    /// The site CA's certificate.
    pub ca: PathBuf,
    /// From start to serving.
    pub boot_ms: u64,
}

/// How to start a node.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// None: the node of this build, which is built when it is not there.
    program: Option<PathBuf>,
    data: PathBuf,
    listen: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl NodeOptions {
    /// The node of this build, over a data directory.
    pub fn new(data: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            program: None,
            data: data.to_path_buf(),
            listen: "127.0.0.1:0".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
        })
    }

    /// Another node program.
    #[must_use]
    pub fn program(mut self, program: &Path) -> Self {
        self.program = Some(program.to_path_buf());
        self
    }

    /// Another address and port than a free one on loopback.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// A further argument of `run`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the node and returns once it serves; one that only serves its recovery page is a failure.
    pub fn start(&self) -> anyhow::Result<NodeProcess> {
        let mut node = self.spawn()?;
        match node.next_word()? {
            Word::Ready => node.read_ready()?,
            Word::Recovery(recovery) => bail!("the node waits for a decision: {}", recovery.note),
        }
        Ok(node)
    }

    /// Starts a node whose store is damaged or gone, and returns once it says so.
    pub fn start_damaged(&self) -> anyhow::Result<(NodeProcess, Recovery)> {
        let mut node = self.spawn()?;
        match node.next_word()? {
            Word::Ready => bail!("the node serves as if nothing had happened"),
            Word::Recovery(recovery) => Ok((node, recovery)),
        }
    }

    fn spawn(&self) -> anyhow::Result<NodeProcess> {
        std::fs::create_dir_all(&self.data)?;
        let beside = |suffix: &str| {
            let mut name = self.data.file_name().unwrap_or_default().to_os_string();
            name.push(suffix);
            self.data.with_file_name(name)
        };
        let (ready_file, log) = (beside(".ready.json"), beside(".log"));
        let mut command = Command::new(self.program.clone().map_or_else(build::node_bin, Ok)?);
        command
            .args(["run", "--listen", &self.listen, "--data"])
            .arg(&self.data)
            .arg("--ready-file")
            .arg(&ready_file)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(NodeProcess { process: Process::spawn("node", &mut command, &log)?, ready: None, ready_file })
    }
}

/// What a node says first.
enum Word {
    Ready,
    Recovery(Recovery),
}

/// What a node whose store is damaged or gone says on its console.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// What happened.
    pub note: String,
    /// Where its page is.
    pub url: String,
    /// Lets a manager decide to begin anew.
    pub code: String,
}

/// A running node.
#[derive(Debug)]
pub struct NodeProcess {
    process: Process,
    ready: Option<Ready>,
    ready_file: PathBuf,
}

impl NodeProcess {
    fn next_word(&mut self) -> anyhow::Result<Word> {
        let mut note = String::new();
        loop {
            let line = self.process.line()?;
            if line.starts_with("ready ") {
                return Ok(Word::Ready);
            }
            if let Some((url, code)) =
                line.strip_prefix("Open ").and_then(|rest| rest.split_once(" and enter this code to begin anew: "))
            {
                let note = note.trim().to_owned();
                return Ok(Word::Recovery(Recovery { note, url: url.to_owned(), code: code.trim().to_owned() }));
            }
            note.push_str(&line);
        }
    }

    fn read_ready(&mut self) -> anyhow::Result<()> {
        let file = std::fs::read(&self.ready_file).context("the ready file")?;
        self.ready = Some(serde_json::from_slice(&file).context("the ready file")?);
        Ok(())
    }

    /// Returns once a node that waited for a decision serves.
    pub fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        match self.next_word()? {
            Word::Ready => self.read_ready(),
            Word::Recovery(recovery) => bail!("the node still waits for a decision: {}", recovery.note),
        }
    }

    /// What the node said when it began to serve.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        self.ready.as_ref().expect("`start` fills it before anyone has the node")
    }

    /// The process, for `/proc`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// SIGKILL, at once.
    pub fn kill_nine(mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// SIGKILL, at once, of a node that is replaced by another.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()
    }

    /// Asks the node to stop, waits for it, and complains about what it should not have logged.
    pub fn stop(self) -> anyhow::Result<()> {
        self.process.stop()
    }

    /// Lines of this run's log at level ERROR, and panics.
    pub fn errors(&self) -> anyhow::Result<Vec<String>> {
        self.process.errors()
    }

    /// This run's log.
    pub fn log_text(&self) -> anyhow::Result<String> {
        self.process.log_text()
    }
}

/// Runs `pilotlight-node check` on a store that nobody has open; returns its report, problems or not.
pub fn check(data: &Path) -> anyhow::Result<Value> {
    let output = Command::new(build::node_bin()?).arg("check").arg("--data").arg(data).stdin(Stdio::null()).output()?;
    let report = serde_json::from_slice(&output.stdout).with_context(|| {
        format!("check printed no report ({}): {}", output.status, String::from_utf8_lossy(&output.stderr))
    })?;
    Ok(report)
}

/// The problems in a report of `check`.
#[must_use]
pub fn problems(report: &Value) -> Vec<String> {
    match report["problems"].as_array() {
        Some(problems) => problems.iter().map(ToString::to_string).collect(),
        None => vec![format!("a report without a list of problems: {report}")],
    }
}
