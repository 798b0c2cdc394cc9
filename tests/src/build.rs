//! Where the programs under test are: those that `cargo xtest` has built, or else built here.
//!
//! One cargo invocation for the whole workspace, so that features are unified as in every other build and nothing is compiled twice.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, ensure};

/// Names the node program; set by `cargo xtest`.
pub const NODE_BIN_VARIABLE: &str = "PILOTLIGHT_NODE_BIN";
/// Names the relay program; set by `cargo xtest`.
pub const RELAY_BIN_VARIABLE: &str = "PILOTLIGHT_RELAY_BIN";
/// Names the sandbox gateway; set by `cargo xtest`.
pub const GATEWAY_BIN_VARIABLE: &str = "PILOTLIGHT_GATEWAY_BIN";
/// Names the fault shim; set by `cargo xtest`.
pub const SHIM_VARIABLE: &str = "PILOTLIGHT_FAULT_SHIM";

/// The workspace's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The node program.
pub fn node_bin() -> anyhow::Result<PathBuf> {
    match std::env::var_os(NODE_BIN_VARIABLE) {
        Some(path) => Ok(path.into()),
        None => built("pilotlight-node"),
    }
}

/// The `LD_PRELOAD` recorder.
pub fn fault_shim() -> anyhow::Result<PathBuf> {
    match std::env::var_os(SHIM_VARIABLE) {
        Some(path) => Ok(path.into()),
        None => built("libpilotlight_fault_shim.so"),
    }
}

/// Cargo, as if a person had called it.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    forget_package(&mut command);
    command
}

/// Takes from a command what cargo tells the programs it runs about their own package. A cargo that hears it takes crates whose build
/// scripts ask for these variables (ring does) for changed, and compiles them again with everything above them: minutes.
pub fn forget_package(command: &mut Command) {
    let of_package = |name: &str| {
        let begins = ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|begin| name.starts_with(begin));
        begins || ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&name)
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        command.env_remove(name);
    }
}

fn built(file: &str) -> anyhow::Result<PathBuf> {
    static DIRECTORY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| build_workspace(false).map_err(|error| format!("{error:#}")));
    let path = directory.clone().map_err(anyhow::Error::msg)?.join(file);
    ensure!(path.exists(), "{} was not built", path.display());
    Ok(path)
}

/// Builds every program of the workspace and returns the directory that holds them.
pub fn build_workspace(release: bool) -> anyhow::Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--workspace", "--message-format=json-render-diagnostics"]).current_dir(root());
    if release {
        command.arg("--release");
    }
    artifact_directory(&mut command)
}

/// Builds the programs as they are shipped, and nothing else; returns the directory that holds them.
pub fn build_release_programs() -> anyhow::Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--release", "--message-format=json-render-diagnostics"]);
    // By their names alone: features stay unified over the workspace, and nothing is compiled twice.
    for program in ["pilotlight-node", "pilotlight-relay", "pilotlight-sandbox-gateway"] {
        command.args(["--bin", program]);
    }
    artifact_directory(command.current_dir(root()))
}

/// Builds one of the node's example programs as the node is shipped; returns it.
pub fn build_example(name: &str) -> anyhow::Result<PathBuf> {
    let mut command = cargo();
    let programs = ["--bin", "pilotlight-node", "--example", name];
    let how = ["build", "--quiet", "--release", "--message-format=json-render-diagnostics"];
    command.args(how).args(programs).current_dir(root());
    Ok(artifact_directory(&mut command)?.join("examples").join(name))
}

/// Runs a cargo build and finds the node program's directory in what cargo says.
fn artifact_directory(command: &mut Command) -> anyhow::Result<PathBuf> {
    let output = command.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    ensure!(output.status.success(), "cargo build failed");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .find(|path| path.file_name().is_some_and(|name| name == "pilotlight-node"))
        .and_then(|path| path.parent().map(Path::to_path_buf))
        .context("cargo built no pilotlight-node")
}
