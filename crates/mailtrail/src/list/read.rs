//! Reading a list: from CSV with a heading, or from addresses alone.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;

use super::characters::trim;
use super::encoding::Encoding;
use super::problem::{ListError, Problem, Problems};
use super::table::{ListOptions, ListTable, TableRow};
use super::{Address, List, LocalParts};

impl List {
    /// Reads CSV as [`ListTable::read`] does. Blank rows are skipped, rows that cannot be mailed are
    /// [problems](List::problems), an address that stood above already is a [duplicate](List::duplicates).
    ///
    /// # Errors
    /// When the file as a whole cannot be used.
    pub fn read(reader: impl Read, options: &ListOptions) -> Result<Self, ListError> {
        let table = ListTable::read(reader, options)?;
        let mut builder = Builder::new(table.columns().to_vec(), table.email_column(), table.encoding());
        for row in table.rows() {
            builder.add(&row, table.address(&row));
        }
        Ok(builder.list)
    }

    /// The same, where every row has to have an address.
    ///
    /// # Errors
    /// Also when a row has none.
    pub fn read_whole(reader: impl Read, options: &ListOptions) -> Result<Self, ListError> {
        let list = Self::read(reader, options)?;
        if list.problems.total() > 0 { Err(ListError::Rows(list.problems)) } else { Ok(list) }
    }

    /// A list of addresses alone; blank ones are skipped.
    pub fn of_addresses<A: AsRef<str>>(addresses: impl IntoIterator<Item = A>, local_parts: LocalParts) -> Self {
        let mut builder = Builder::new(vec!["email".to_owned()], 0, Encoding::UTF_8);
        for (number, line) in (1..).zip(addresses) {
            let cell = line.as_ref();
            if !trim(cell).is_empty() {
                let address = Address::parse(cell, local_parts).map_err(|fault| Problem {
                    row: number,
                    column: Some("email".to_owned()),
                    fault: fault.into(),
                });
                builder.add(&TableRow { number, cells: vec![Cow::Borrowed(cell)] }, address);
            }
        }
        builder.list
    }
}

struct Builder {
    list: List,
    seen: HashSet<String>,
}

impl Builder {
    fn new(columns: Vec<String>, email: usize, encoding: Encoding) -> Self {
        let list = List {
            columns,
            email,
            text: String::new(),
            ends: Vec::new(),
            numbers: Vec::new(),
            problems: Problems::default(),
            duplicates: Vec::new(),
            encoding,
        };
        Self { list, seen: HashSet::new() }
    }

    fn add(&mut self, row: &TableRow<'_>, address: Result<Address, Problem>) {
        let list = &mut self.list;
        let address = match address {
            Ok(address) => address,
            Err(problem) => return list.problems.note(problem),
        };
        if !self.seen.insert(address.normalised()) {
            list.duplicates.push(row.number);
            return;
        }
        for (column, cell) in row.cells.iter().enumerate() {
            list.text.push_str(if column == list.email { address.expose() } else { cell });
            list.ends.push(list.text.len());
        }
        list.numbers.push(row.number);
    }
}
