//! Reading the whole archive to see that it is what was written.

use crate::archive::day_file::DayFile;
use crate::archive::row::Row;
use crate::archive::{Archive, ArchiveError, Listed};
use pilotlight_sync::domain::id::OrderId;
use std::collections::BTreeSet;

impl Archive {
    /// Reads every file, row group by row group, and tells `see` of each order. Answers what is wrong, in plain words.
    pub fn verify(&self, mut see: impl FnMut(OrderId, &[u8])) -> BTreeSet<String> {
        let mut wrong: BTreeSet<String> = self.problems().into_iter().collect();
        for listed in &self.now().0 {
            if let Err(error) = self.proven(&listed.entry) {
                wrong.insert(error.to_string());
            }
            if let Err(error) = self.verify_file(listed, &mut see, &mut wrong) {
                wrong.insert(error.to_string());
            }
        }
        wrong
    }

    fn verify_file(
        &self,
        listed: &Listed,
        see: &mut dyn FnMut(OrderId, &[u8]),
        wrong: &mut BTreeSet<String>,
    ) -> Result<(), ArchiveError> {
        let entry = &listed.entry;
        let file = DayFile::open(&self.dir.join(&entry.name))?;
        let (mut count, mut last) = (0, None);
        for group in 0..file.groups().len() {
            for row in file.rows(group)? {
                let said = format!("order {} in {} of the archive", row.id, entry.name);
                if last.is_some_and(|last| last >= row.place()) {
                    wrong.insert(format!("{said} stands out of order"));
                }
                last = Some(row.place());
                match Row::of(row.id, row.document.clone()) {
                    Ok(derived) if derived == row => {}
                    Ok(_) => drop(wrong.insert(format!("{said}: its columns are not what its document says"))),
                    Err(error) => drop(wrong.insert(format!("{said}: {error}"))),
                }
                let found = self.find(&self.now(), &row.id).filter(|(file, _)| file.entry.date == entry.date);
                let crc = crc32fast::hash(&row.document);
                if found.is_none_or(|(_, found)| found.row != count || found.crc != crc) {
                    wrong.insert(format!("{said} is not found by its id"));
                }
                see(row.id, &row.document);
                count += 1;
            }
        }
        if count != entry.rows {
            wrong.insert(format!("{} of the archive has {count} orders, its manifest says {}", entry.name, entry.rows));
        }
        Ok(())
    }

    /// Compares some day files with their hashes, from one on; what is damaged is named. Answers where to go on the next time.
    pub(crate) fn prove_some(&self, from: usize, count: usize) -> usize {
        let files = self.files();
        for entry in files.iter().skip(from).take(count) {
            if let Err(error) = self.proven(entry) {
                self.name(&entry.name, &error);
            }
        }
        if from + count < files.len() { from + count } else { 0 }
    }
}
