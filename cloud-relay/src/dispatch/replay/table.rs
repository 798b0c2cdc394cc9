//! Tables with a header line, read by exact column names.

use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// A table in memory.
pub(super) struct Table {
    path: String,
    columns: BTreeMap<String, usize>,
    /// Its rows, without the header.
    pub(super) rows: Vec<Vec<String>>,
}

/// Times further from midnight are a mistake in the file, in minutes.
const TIME_MIN_MAX: f64 = 1e5;

impl Table {
    /// Reads a file whose cells are parted by `separator`; empty lines are left out.
    pub(super) fn read(path: &Path, separator: char) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut lines = text.lines().map(|line| line.split(separator).map(|cell| cell.trim().to_owned()));
        let header = lines.next().with_context(|| format!("{} is empty", path.display()))?;
        let columns = header.enumerate().map(|(at, name)| (name, at)).collect();
        let rows = lines.map(Iterator::collect::<Vec<String>>).filter(|row| row.iter().any(|cell| !cell.is_empty()));
        Ok(Self { path: path.display().to_string(), columns, rows: rows.collect() })
    }

    /// A cell; empty where the row is short.
    pub(super) fn cell<'t>(&self, row: &'t [String], name: &str) -> anyhow::Result<&'t str> {
        let at = self.columns.get(name).with_context(|| format!("{}: no column {name:?}", self.path))?;
        Ok(row.get(*at).map_or("", String::as_str))
    }

    /// A finite number.
    pub(super) fn number(&self, row: &[String], name: &str) -> anyhow::Result<f64> {
        let cell = self.cell(row, name)?;
        let number: f64 =
            cell.parse().with_context(|| format!("{}: {name} {cell:?} is not a number: {row:?}", self.path))?;
        if !number.is_finite() {
            bail!("{}: {name} {cell:?} is not finite: {row:?}", self.path);
        }
        Ok(number)
    }

    /// A coordinate; none reads as not a number: such an order is one still, and the kernel names it.
    pub(super) fn coordinate(&self, row: &[String], name: &str) -> anyhow::Result<f64> {
        Ok(self.cell(row, name)?.parse().unwrap_or(f64::NAN))
    }

    /// Minutes in the file, seconds here.
    pub(super) fn minutes_s(&self, row: &[String], name: &str) -> anyhow::Result<i32> {
        let minutes = self.number(row, name)?;
        seconds(minutes).with_context(|| format!("{}: {name} {minutes} is beyond any day: {row:?}", self.path))
    }

    /// HH:MM:SS in the file, seconds here.
    pub(super) fn clock_s(&self, row: &[String], name: &str) -> anyhow::Result<i32> {
        let cell = self.cell(row, name)?;
        let parts: Vec<i32> = cell.split(':').filter_map(|part| part.parse().ok()).collect();
        match parts[..] {
            [h @ 0..=48, m @ 0..=59, s @ 0..=59] => Ok(h * 3_600 + m * 60 + s),
            _ => bail!("{}: {name} {cell:?} is not HH:MM:SS: {row:?}", self.path),
        }
    }
}

/// Minutes as seconds; none if no day is that long.
pub(super) fn seconds(minutes: f64) -> Option<i32> {
    #[expect(clippy::cast_possible_truncation, reason = "checked")]
    (minutes.abs() <= TIME_MIN_MAX).then(|| (minutes * 60.0).round() as i32)
}
