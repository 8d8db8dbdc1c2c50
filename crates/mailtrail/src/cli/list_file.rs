//! Lists of recipients in files: how every command that takes one reads it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context as _;

use super::exit::UsageError;
use super::output::note;
use crate::list::{Encoding, EncodingChoice, List, ListError, ListOptions, ListTable, LocalParts, Person, Problems};

/// How a list is written.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ListFormatArgs {
    /// Encoding of the list: auto, or a label of the WHATWG such as utf-8, cp932, windows-1252
    #[arg(long, value_name = "ENCODING", default_value = "auto")]
    encoding: EncodingChoice,
    /// The list's column of addresses [default: email]
    #[arg(long, value_name = "NAME")]
    pub(super) email_column: Option<String>,
    /// Accept cells of several lines of which one reads as a row with an address
    #[arg(long)]
    allow_multiline_addresses: bool,
}

impl ListFormatArgs {
    fn options(&self, local_parts: LocalParts) -> ListOptions {
        ListOptions {
            encoding: self.encoding,
            email_column: self.email_column.clone(),
            allow_multiline_addresses: self.allow_multiline_addresses,
            local_parts,
        }
    }

    /// A list of which each row is a recipient, or a problem.
    pub(super) fn read(&self, path: &Path, local_parts: LocalParts) -> anyhow::Result<List> {
        let list = self.open(path, |input| List::read(input, &self.options(local_parts)))?;
        self.note_encoding(list.encoding());
        Ok(list)
    }

    /// A list with all its rows.
    pub(super) fn read_table(&self, path: &Path) -> anyhow::Result<ListTable> {
        let table = self.open(path, |input| ListTable::read(input, &self.options(LocalParts::Utf8)))?;
        self.note_encoding(table.encoding());
        Ok(table)
    }

    /// A list of addresses and hashes; every row has to be one.
    pub(super) fn read_people(&self, path: &Path) -> anyhow::Result<Vec<Person>> {
        let (people, problems) =
            self.open(path, |input| ListTable::read_people(input, &self.options(LocalParts::Utf8)))?;
        refuse(&problems, "")?;
        Ok(people)
    }

    fn open<T>(&self, path: &Path, read: impl FnOnce(Box<dyn Read>) -> Result<T, ListError>) -> anyhow::Result<T> {
        let input: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).with_context(|| format!("opening {}", path.display()))?)
        };
        Ok(read(input).map_err(|error| UsageError(error.to_string()))?)
    }

    fn note_encoding(&self, encoding: Encoding) {
        if self.encoding == EncodingChoice::Auto && !encoding.is_unicode() {
            note(&format!("note: the list is read as {encoding}; --encoding names another encoding"));
        }
    }
}

/// Ends the command where rows of a list have no address. `instead`: what else may be done.
pub(super) fn refuse(problems: &Problems, instead: &str) -> Result<(), UsageError> {
    if problems.total() == 0 {
        return Ok(());
    }
    print_problems(problems, "error");
    let rows = plural(problems.total());
    Err(UsageError(format!("{rows} of the list cannot be used: correct the list{instead}")))
}

/// The first problems, a line each.
pub(super) fn print_problems(problems: &Problems, what: &str) {
    for problem in problems.shown() {
        note(&format!("{what}: {problem}"));
    }
    let more = problems.total() - problems.shown().len();
    if more > 0 {
        note(&format!("and {more} more"));
    }
}

/// `1 row`, `2 rows`.
pub(super) fn plural(rows: usize) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}
