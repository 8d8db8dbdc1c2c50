//! Opening a source, by what it is.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use super::csv::Csv;
use super::format::{self, Format};
use super::objects::Objects;
use super::parquet::Parquet;
use super::record::OtherTrail;
use super::source::{Source, SourceError};
use super::table::Table;
use crate::store::Paths;
use crate::store::bigquery::TableRows;
use crate::store::sqlite::Reader;

/// So much of a file is looked at to know what it is.
const SAMPLE: u64 = 256 * 1024;

/// A source, open for being read once.
pub struct Opened {
    pub(super) source: Box<dyn Source>,
    total: Option<u64>,
    format: Format,
}

impl Opened {
    fn new(source: impl Source + 'static, total: Option<u64>, format: Format) -> Self {
        Self { source: Box::new(source), total, format }
    }

    /// How far [`read`](Self::read) goes, where that is known.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// How far it is: bytes of a text, rows of anything else.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.source.read()
    }

    /// What it was taken for.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// A file; what it is, it says by how it begins, unless it is said here.
    ///
    /// # Errors
    /// When it cannot be read, or nobody can say what it is.
    pub fn file(path: &Path, said: Option<Format>) -> Result<Self, SourceError> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(SourceError::Form("it is a folder: name the files in it".to_owned()));
        }
        let mut sample = Vec::new();
        (&mut file).take(SAMPLE).read_to_end(&mut sample)?;
        let format = said.or_else(|| format::of(&sample)).ok_or_else(|| SourceError::Form(format::unknown(&sample)))?;
        let total = file.metadata()?.len();
        Ok(match format {
            Format::Trail => Self::new(OtherTrail::new(Reader::open(&Paths::new(path))?)?, None, format),
            Format::Parquet => {
                let parquet = Parquet::new(file)?;
                let rows = parquet.rows();
                Self::new(parquet, Some(rows), format)
            }
            format => {
                // A pipe has no way back.
                if file.seek(SeekFrom::Start(0)).is_ok() {
                    Self::text(file, &sample, Some(total), format)?
                } else {
                    Self::text(Cursor::new(sample.clone()).chain(file), &sample, None, format)?
                }
            }
        })
    }

    /// What comes in by a pipe.
    ///
    /// # Errors
    /// As [`file`](Self::file), and for what cannot be read from a pipe.
    pub fn input(mut input: impl Read + 'static, said: Option<Format>) -> Result<Self, SourceError> {
        let mut sample = Vec::new();
        (&mut input).take(SAMPLE).read_to_end(&mut sample)?;
        let format = said.or_else(|| format::of(&sample)).ok_or_else(|| SourceError::Form(format::unknown(&sample)))?;
        if matches!(format, Format::Parquet | Format::Trail) {
            return Err(SourceError::Form("Parquet and trails cannot be read from a pipe: name the file".to_owned()));
        }
        Self::text(Cursor::new(sample.clone()).chain(input), &sample, None, format)
    }

    /// A table of BigQuery's.
    ///
    /// # Errors
    /// When it has no events.
    pub fn table(rows: TableRows) -> Result<Self, SourceError> {
        let total = rows.total();
        Ok(Self::new(Table::new(rows)?, total, Format::BigQuery))
    }

    fn text(
        input: impl Read + 'static,
        sample: &[u8],
        total: Option<u64>,
        format: Format,
    ) -> Result<Self, SourceError> {
        Ok(match format.form() {
            Some(form) => Self::new(Objects::new(input, form, sample), total, format),
            None => Self::new(Csv::new(input)?, total, format),
        })
    }
}
