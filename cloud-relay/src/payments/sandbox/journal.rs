//! The sandbox's memory: one JSON line for each executed operation, on disk before the answer.

use crate::payments::sandbox::book::{Book, Entry};
use anyhow::Context;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal and reads it back. A last line that was torn by a crash was never answered: it is cut off.
    pub fn open(path: &Path) -> anyhow::Result<(Self, Book)> {
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text).with_context(|| path.display().to_string())?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut book = Book::default();
        for (at, line) in text[..whole].lines().enumerate() {
            let entry = serde_json::from_str(line).with_context(|| format!("{} line {}", path.display(), at + 1))?;
            book.apply(entry);
        }
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self { path: path.to_owned(), file }, book))
    }

    /// Appends an entry; it is on disk when this returns.
    pub fn append(&mut self, entry: &Entry) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        Ok(())
    }

    /// All of it, as it is on disk.
    pub fn text(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(&self.path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::sandbox::book::{Answer, Operation};

    #[test]
    fn a1_a_restarted_gateway_remembers_what_it_executed_and_forgets_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let pay = Operation::Authorise { amount_minor: 7, currency: "USD".into(), card: "tok_ok".into() };
        let (mut journal, book) = Journal::open(&path).unwrap();
        let (first, entry) = book.plan("k", pay.clone(), 1, false);
        journal.append(&entry.unwrap()).unwrap();
        let mut torn = File::options().append(true).open(&path).unwrap();
        torn.write_all(b"{\"n\":2,\"at").unwrap();
        let (journal, book) = Journal::open(&path).unwrap();
        assert_eq!(book.plan("k", pay, 9, true), (first.clone(), None));
        let Answer::Executed(entry) = first else { panic!() };
        assert_eq!(journal.text().unwrap(), serde_json::to_string(&entry).unwrap() + "\n");
    }
}
