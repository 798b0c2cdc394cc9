//! One program under test: started, listened to, killed or asked to stop.
//!
//! What it logs goes to a file; an `ERROR` in it fails the test that stops the program (house style 9). Dropping it ends it; only
//! processes started here are ended, by their handle.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context as _, bail, ensure};

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    /// Kept open: a program that prints to a closed pipe would fail.
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
    log_start: u64,
}

impl Process {
    /// Starts it; its log is appended to this file.
    pub fn spawn(name: &'static str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let stderr = File::options().create(true).append(true).open(log)?;
        let log_start = stderr.metadata()?.len();
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().with_context(|| format!("the {name} does not start"))?;
        let stdout = BufReader::new(child.stdout.take().context("stdout is piped")?);
        Ok(Self { name, child, stdout, log: log.to_path_buf(), log_start })
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            bail!("the {} ended before it was ready ({status}):\n{}", self.name, self.log_text()?);
        }
        Ok(line)
    }

    /// Waits until it says that it serves.
    pub fn until_ready(&mut self) -> anyhow::Result<()> {
        while !self.line()?.starts_with("ready ") {}
        Ok(())
    }

    /// The process, for `/proc`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, at once.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the program to stop, waits for it, and complains about what it should not have logged.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let status = self.terminate()?;
        let errors = self.errors()?;
        ensure!(errors.is_empty(), "the {} logged errors:\n{}", self.name, errors.join("\n"));
        ensure!(status.success(), "the {} stopped with {status}:\n{}", self.name, self.log_text()?);
        Ok(())
    }

    fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the {} had ended by itself ({status}):\n{}", self.name, self.log_text()?);
        }
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        Ok(self.child.wait()?)
    }

    /// Lines of this run's log at level ERROR, and panics.
    pub fn errors(&self) -> anyhow::Result<Vec<String>> {
        let text = self.log_text()?;
        let bad = |line: &&str| line.contains("ERROR") || line.contains("panicked at");
        Ok(text.lines().filter(bad).map(str::to_owned).collect())
    }

    /// This run's log.
    pub fn log_text(&self) -> anyhow::Result<String> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.log_start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is as good; a destructor has nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
