//! Taking orders into day files: write and sync the file, then replace the manifest. Deleting from sled is the archiver's.

use crate::archive::day_file::{self, DayFile, Written};
use crate::archive::id_index::IdIndex;
use crate::archive::row::Row;
use crate::archive::{Archive, ArchiveError, Catalogue, FileEntry, Listed, manifest};
use pilotlight_edge::files;
use pilotlight_sync::doc::order::OrderDoc;
use pilotlight_sync::domain::business_day::DayRule;
use pilotlight_sync::domain::id::OrderId;
use pilotlight_sync::domain::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

/// An order as sled has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Which.
    pub id: OrderId,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Its document.
    pub document: Vec<u8>,
}

/// An order that is in the archive now, and the document for which that was done: sled may let go of it if it is still that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub id: OrderId,
    /// BLAKE3 of the document that sled had.
    pub digest: blake3::Hash,
}

/// A day file that is written and synced, but not in the manifest.
#[derive(Debug)]
pub(crate) struct Prepared {
    listed: Listed,
}

/// What a batch has to do.
#[derive(Debug, Default)]
struct Sorted {
    /// Archived before, with all these facts.
    done: Vec<Taken>,
    /// To be written, by the date of their file.
    by_date: BTreeMap<u32, Vec<(Row, Taken)>>,
}

impl Archive {
    /// Makes the directory and its manifest, and removes what a move that was broken off has left. `false` when nothing may be
    /// written, because the manifest cannot be believed.
    pub fn make_ready(&self) -> Result<bool, ArchiveError> {
        if !self.manifest_is_good {
            return Ok(false);
        }
        files::create_dir(&self.dir)?;
        if !self.dir.join(manifest::NAME).exists() {
            manifest::write(&self.dir, &self.files())?;
        }
        self.sweep()?;
        Ok(true)
    }

    /// Removes files that the manifest does not name.
    pub fn sweep(&self) -> Result<(), ArchiveError> {
        let catalogue = self.now();
        let named: BTreeSet<String> = catalogue.0.iter().map(|listed| listed.entry.name.clone()).collect();
        let of_name = |name: &str| name.replace(".ids", ".parquet");
        for name in self.names(".parquet")?.into_iter().chain(self.names(".ids")?) {
            if !named.contains(&of_name(&name)) {
                let path = self.dir.join(&name);
                let io = |source| ArchiveError::Io { what: format!("removing {}", path.display()), source };
                std::fs::remove_file(&path).map_err(io)?;
            }
        }
        Ok(())
    }

    /// Puts orders into day files. Answers which are in the archive now; an order whose day cannot be written stays where it is.
    pub fn take_in(&self, orders: Vec<Stored>, rule: &DayRule) -> Vec<Taken> {
        let sorted = self.sort(orders, rule);
        let mut taken = sorted.done;
        for (date, orders) in sorted.by_date {
            let (rows, done): (Vec<Row>, Vec<Taken>) = orders.into_iter().unzip();
            match self.prepare(date, rows).and_then(|prepared| self.publish(prepared)) {
                Ok(()) => taken.extend(done),
                Err(error) => tracing::error!(date, %error, "a day cannot be archived: its orders stay in the store"),
            }
        }
        taken
    }

    fn sort(&self, orders: Vec<Stored>, rule: &DayRule) -> Sorted {
        let mut sorted = Sorted::default();
        for order in orders {
            let id = order.id;
            let taken = Taken { id, digest: blake3::hash(&order.document) };
            match self.sort_one(order, rule) {
                Ok(Some((date, row))) => sorted.by_date.entry(date).or_default().push((row, taken)),
                Ok(None) => sorted.done.push(taken),
                Err(error) => {
                    tracing::error!(order = %id, %error, "an order cannot be archived: it stays in the store")
                }
            }
        }
        sorted
    }

    /// The row to write and its file's date; `None` when the archive has all of it. An order stays in the file where it is.
    fn sort_one(&self, order: Stored, rule: &DayRule) -> Result<Option<(u32, Row)>, ArchiveError> {
        let unreadable = |error: &dyn std::fmt::Display| ArchiveError::Damaged {
            file: format!("order {}", order.id),
            why: error.to_string(),
        };
        let Some((listed, _)) = self.find(&self.now(), &order.id) else {
            let row = Row::of(order.id, order.document).map_err(|error| unreadable(&error))?;
            return Ok(Some((rule.date(row.placed_at), row)));
        };
        let known = self.get(&order.id)?.unwrap_or_default();
        if known == order.document {
            return Ok(None);
        }
        let doc = |bytes: &[u8]| minicbor::decode::<OrderDoc>(bytes).map_err(|error| unreadable(&error));
        let mut both = doc(&known)?;
        both.merge(doc(&order.document)?);
        let both = minicbor::to_vec(&both).unwrap_or_default();
        if both == known {
            return Ok(None);
        }
        let row = Row::of(order.id, both).map_err(|error| unreadable(&error))?;
        Ok(Some((listed.entry.date, row)))
    }

    /// Writes the next generation of a day, with what the last one has, and syncs it.
    pub(crate) fn prepare(&self, date: u32, mut rows: Vec<Row>) -> Result<Prepared, ArchiveError> {
        let catalogue = self.now();
        let old = catalogue.0.iter().find(|listed| listed.entry.date == date);
        if let Some(old) = old {
            // Damage must not be carried on under a new checksum.
            self.proven(&old.entry).inspect_err(|error| self.name(&old.entry.name, error))?;
        }
        rows.sort_by_key(Row::place);
        rows.dedup_by_key(|row| row.id);
        let generation = old.map_or(1, |old| old.entry.generation + 1);
        let name = FileEntry::name_of(date, generation);
        let file = old.map(|old| DayFile::open(&self.dir.join(&old.entry.name))).transpose()?;
        let path = self.dir.join(&name);
        let written = day_file::write(&path, Merged::new(file.as_ref(), rows))?;
        files::sync_dir(&self.dir)?;
        let Written { rows, bytes, blake3, placed, days, entries } = written;
        let ids = path.with_extension("ids");
        let index = IdIndex::write(&ids, blake3.as_bytes(), entries)
            .map_err(|source| ArchiveError::Io { what: format!("writing {}", ids.display()), source })?;
        let entry = FileEntry {
            date,
            generation,
            name,
            rows,
            bytes,
            first_placed_at: placed.0.0,
            last_placed_at: placed.1.0,
            first_day: days.map(|(first, _)| first),
            last_day: days.map(|(_, last)| last),
            blake3: blake3.to_hex().to_string(),
        };
        Ok(Prepared { listed: Listed { entry, index: Some(index) } })
    }

    /// Puts a day file into the manifest: from now on it is the archive.
    pub(crate) fn publish(&self, prepared: Prepared) -> Result<(), ArchiveError> {
        let others = self.now();
        let others = others.0.iter().filter(|listed| listed.entry.date != prepared.listed.entry.date).cloned();
        let mut listed: Vec<Arc<Listed>> = others.collect();
        listed.push(Arc::new(prepared.listed));
        listed.sort_by_key(|listed| listed.entry.date);
        let entries: Vec<FileEntry> = listed.iter().map(|listed| listed.entry.clone()).collect();
        manifest::write(&self.dir, &entries)?;
        // Nobody waits for the disk: readers see the old catalogue until the new one is durable.
        *self.catalogue.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Catalogue(listed));
        Ok(())
    }
}

/// Rows of the last generation and new ones, in their order; of an order that is in both the new one.
struct Merged<'a> {
    file: Option<&'a DayFile>,
    group: usize,
    old: std::vec::IntoIter<(OrderId, Vec<u8>)>,
    next_old: Option<Row>,
    new: std::iter::Peekable<std::vec::IntoIter<Row>>,
    replaced: BTreeSet<OrderId>,
}

impl<'a> Merged<'a> {
    fn new(file: Option<&'a DayFile>, rows: Vec<Row>) -> Self {
        let replaced = rows.iter().map(|row| row.id).collect();
        let new = rows.into_iter().peekable();
        Self { file, group: 0, old: Vec::new().into_iter(), next_old: None, new, replaced }
    }

    fn read_old(&mut self) -> Result<Option<Row>, ArchiveError> {
        loop {
            for (id, document) in self.old.by_ref() {
                if !self.replaced.contains(&id) {
                    let unreadable = |error: &dyn std::fmt::Display| ArchiveError::Damaged {
                        file: format!("order {id}"),
                        why: error.to_string(),
                    };
                    return Row::of(id, document).map(Some).map_err(|error| unreadable(&error));
                }
            }
            match self.file.filter(|file| self.group < file.groups().len()) {
                Some(file) => self.old = file.stored(self.group)?.into_iter(),
                None => return Ok(None),
            }
            self.group += 1;
        }
    }

    fn step(&mut self) -> Result<Option<Row>, ArchiveError> {
        let old = match self.next_old.take() {
            Some(old) => Some(old),
            None => self.read_old()?,
        };
        let Some(old) = old else { return Ok(self.new.next()) };
        let new = self.new.next_if(|new| new.place() < old.place());
        if new.is_some() {
            self.next_old = Some(old);
            return Ok(new);
        }
        Ok(Some(old))
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Row, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
