//! A CSV file with the columns that a format needs.

use crate::menu::import::{Format, ImportRefusal};

/// The lines of a CSV file, with the needed columns in the order in which they were asked for.
pub(super) struct Rows {
    rows: Vec<Row>,
}

/// One line of it.
pub(super) struct Row {
    /// `line 17`, counted from one, the header included.
    pub(super) place: String,
    cells: Vec<String>,
}

/// Counts lines as editors do. The reader's own count starts a record at the line feed before it when lines end in CR LF.
struct Lines<'text> {
    text: &'text str,
    byte: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the record that begins at or after this byte, which must not go back.
    fn line_of(&mut self, byte: u64) -> usize {
        let bytes = self.text.as_bytes();
        let mut end = usize::try_from(byte).unwrap_or(usize::MAX).clamp(self.byte, bytes.len());
        while bytes.get(end).is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            end += 1;
        }
        self.line += bytes.get(self.byte..end).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        self.byte = end;
        self.line
    }
}

impl Row {
    /// The cell of the nth needed column; empty when the line is too short.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", |cell| cell.trim())
    }
}

impl Rows {
    /// Reads the file, or names the column it lacks.
    pub(super) fn read(format: Format, text: &str, columns: &[&'static str]) -> Result<Self, ImportRefusal> {
        let lacks = |missing| ImportRefusal::NotCsv { format, missing, expected: columns.join(",") };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let headers = reader.headers().cloned().unwrap_or_default();
        let places = columns
            .iter()
            .map(|column| headers.iter().position(|header| header.trim() == *column).ok_or_else(|| lacks(column)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut lines = Lines { text, byte: 0, line: 1 };
        // Reading cannot fail: the text is UTF-8, in memory, and lines of any length are taken.
        let rows = reader.records().filter_map(Result::ok).map(|record| Row {
            place: format!("line {}", record.position().map_or(0, |position| lines.line_of(position.byte()))),
            cells: places.iter().map(|place| record.get(*place).unwrap_or_default().to_owned()).collect(),
        });
        Ok(Self { rows: rows.collect() })
    }

    /// Line by line.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }
}
