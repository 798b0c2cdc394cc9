//! Drawing a change in real Chromium, apart from the node: from the frame's text to the pixels, with 200 open orders.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::Figure;
use crate::build;

/// A tap must be answered on the screen within this time (screens, principle 4).
const DRAWN_MS_MAX: f64 = 50.0;

#[derive(Debug, Deserialize)]
struct Drawn {
    figure: String,
    ours: f64,
}

/// Runs the benchmark of the screens' own package.
pub fn run() -> anyhow::Result<Vec<Figure>> {
    let output = Command::new("npm")
        .args(["run", "--silent", "draw-figure", "--", "--json", "--all"])
        .current_dir(build::root().join("kds-ui"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("npm does not start: install Node.js 20.19 or later")?;
    ensure!(output.status.success(), "npm run draw-figure failed: cargo xtest --only tools installs what it needs");
    let drawn: Vec<Drawn> = serde_json::from_slice(&output.stdout).context("npm run draw-figure printed no JSON")?;
    ensure!(!drawn.is_empty(), "npm run draw-figure printed an empty array");
    let line = |drawn: Drawn| Figure::new(drawn.figure, "ms", drawn.ours, "limit", DRAWN_MS_MAX);
    Ok(drawn.into_iter().map(line).collect())
}
