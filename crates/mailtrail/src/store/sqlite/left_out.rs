//! Events that an import left out because nobody knows whom they are about: remembered as a number a source, so that a question
//! about people can say that its answer may lack some.

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::TransactionBehavior;

use super::error::TrailError;
use super::meta;
use super::read::{ReadError, Reader};
use super::trail::Trail;
use crate::store::hex::hex;

/// Before what tells sources apart: a digest, since names of files may be telling.
const NAME: &str = "import_left_out/";

impl Trail {
    /// Remembers how many events of a source were left out; importing it again overwrites that.
    ///
    /// # Errors
    /// When the trail cannot be written.
    pub fn note_left_out(&mut self, source: &str, events: u64) -> Result<(), TrailError> {
        let name = format!("{NAME}{}", hex(&digest(&SHA256, source.as_bytes()).as_ref()[..8]));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = meta::get(&transaction, &name)?;
        if events > 0 || known.is_some() {
            meta::set(&transaction, &name, &events.to_string())?;
        }
        Ok(transaction.commit()?)
    }
}

impl Reader {
    /// How many events imports have left out because nobody knows whom they are about.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn left_out(&self) -> Result<u64, ReadError> {
        let mut statement =
            self.prepare("SELECT ifnull(sum(CAST(value AS INTEGER)), 0) FROM meta WHERE name GLOB ?1 || '*'")?;
        let count: i64 = statement.query_row([NAME], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Paths;

    #[test]
    fn each_source_counts_as_it_was_last_read() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().join("m.db"));
        let mut trail = Trail::open(paths.trail()).unwrap();
        let left_out = || Reader::open(&paths).unwrap().left_out().unwrap();
        assert_eq!(left_out(), 0);
        trail.note_left_out("a", 3).unwrap();
        trail.note_left_out("b", 4).unwrap();
        assert_eq!(left_out(), 7);
        trail.note_left_out("a", 0).unwrap();
        trail.note_left_out("c", 0).unwrap();
        assert_eq!(left_out(), 4);
    }
}
