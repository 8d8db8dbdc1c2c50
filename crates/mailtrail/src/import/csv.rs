//! CSV with a heading. Records are cut here, line by line, so that a quote which is never closed costs its own line alone; each is
//! then read by itself.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

use super::cell::Cell;
use super::row::{self, Fault, Unknown};
use super::source::{Item, Source, SourceError};
use crate::list::original;

/// A record goes on over at most so many lines, and bytes.
const MOST_LINES: usize = 500;
const LONGEST: usize = 1024 * 1024;

pub(super) struct Csv<R> {
    input: BufReader<R>,
    /// Lines that were read ahead, with their ends.
    ahead: VecDeque<Vec<u8>>,
    heading: Vec<String>,
    delimiter: u8,
    read: u64,
    unknown: Unknown,
}

impl<R: Read> Csv<R> {
    pub(super) fn new(input: R) -> Result<Self, SourceError> {
        let mut csv = Self {
            input: BufReader::new(input),
            ahead: VecDeque::new(),
            heading: Vec::new(),
            delimiter: b',',
            read: 0,
            unknown: Unknown::default(),
        };
        let Some((heading, _)) = csv.record()? else { return Err(SourceError::Form("it is empty".to_owned())) };
        let heading = heading.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&heading);
        csv.delimiter = delimiter(heading);
        let names = cells(heading, csv.delimiter).unwrap_or_default();
        csv.heading = names.iter().map(|name| original(name).trim().to_ascii_lowercase()).collect();
        for needed in ["event", "timestamp"] {
            if !csv.heading.iter().any(|name| name == needed) {
                return Err(SourceError::Form(format!(
                    "its first line names no column {needed:?}, which every event has: is it CSV with a heading?"
                )));
            }
        }
        Ok(csv)
    }

    /// The lines of one record, and whether its quotes pair up.
    fn record(&mut self) -> Result<Option<(Vec<u8>, bool)>, SourceError> {
        let Some(mut record) = self.line()? else { return Ok(None) };
        let mut lines = Vec::new();
        let mut quotes = quotes_in(&record);
        while quotes % 2 == 1 {
            let next = if lines.len() < MOST_LINES && record.len() < LONGEST { self.line()? } else { None };
            let Some(next) = next else {
                // Nothing closes it: it ends with its first line, and the others are looked at by themselves.
                let first = record.len() - lines.iter().map(Vec::len).sum::<usize>();
                record.truncate(first);
                lines.into_iter().rev().for_each(|line| self.ahead.push_front(line));
                return Ok(Some((record, false)));
            };
            quotes += quotes_in(&next);
            record.extend_from_slice(&next);
            lines.push(next);
        }
        Ok(Some((record, true)))
    }

    /// A line with its end; of a longer one than [`LONGEST`] so much, and the rest is passed over.
    fn line(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        if let Some(line) = self.ahead.pop_front() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok((!line.is_empty()).then_some(line));
            }
            let end = memchr::memchr(b'\n', buffer);
            let taken = end.map_or(buffer.len(), |at| at + 1);
            let room = (LONGEST + 2).saturating_sub(line.len()).min(taken);
            line.extend_from_slice(buffer.get(..room).unwrap_or_default());
            self.input.consume(taken);
            self.read += taken as u64;
            if end.is_some() {
                return Ok(Some(line));
            }
        }
    }

    fn row(&mut self, record: &[u8]) -> Result<Item, Fault> {
        let cells = cells(record, self.delimiter).ok_or(Fault::Malformed)?;
        if cells.len() != self.heading.len() || record.len() > LONGEST {
            return Err(Fault::Malformed);
        }
        let named = self.heading.iter().zip(&cells).map(|(name, cell)| {
            // CSV has one spelling for nothing and for an empty text.
            let cell = if cell.is_empty() { Cell::Null } else { Cell::Text(original(cell)) };
            (name.as_str(), cell)
        });
        Ok(Item::Row(Box::new(row::of_cells(named, &mut self.unknown)?)))
    }
}

impl<R: Read> Source for Csv<R> {
    fn next(&mut self) -> Result<Option<Item>, SourceError> {
        loop {
            let Some((record, closed)) = self.record()? else { return Ok(None) };
            if record.trim_ascii().is_empty() {
                continue;
            }
            let row = if closed { self.row(&record) } else { Err(Fault::Malformed) };
            return Ok(Some(row.unwrap_or_else(|fault| Item::Unread {
                bytes: record.trim_ascii_end().to_vec(),
                why: fault.as_str(),
            })));
        }
    }

    fn read(&self) -> u64 {
        self.read
    }

    fn unknown(&self) -> &Unknown {
        &self.unknown
    }
}

fn quotes_in(line: &[u8]) -> usize {
    memchr::memchr_iter(b'"', line).count()
}

/// The cells of one record; `None` where they are no UTF-8.
fn cells(record: &[u8], delimiter: u8) -> Option<Vec<String>> {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(record.len().max(1))
        .from_reader(record);
    let mut cells = ::csv::StringRecord::new();
    reader.read_record(&mut cells).ok()?.then(|| cells.iter().map(str::to_owned).collect())
}

fn delimiter(heading: &[u8]) -> u8 {
    let count = |wanted: u8| memchr::memchr_iter(wanted, heading).count();
    // The first of equals wins: `max_by_key` would take the last.
    [b'\t', b';', b','].into_iter().max_by_key(|wanted| count(*wanted)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::show;
    use crate::show::csv::{Manner, heading, line};

    /// Ids of rows that were read, and `-` for each that was not.
    fn ids(text: &str) -> Vec<String> {
        let mut csv = Csv::new(text.as_bytes()).unwrap();
        let mut found = Vec::new();
        while let Some(item) = csv.next().unwrap() {
            found.push(match item {
                Item::Row(row) => row.sg_event_id.unwrap(),
                _ => "-".to_owned(),
            });
        }
        assert_eq!(csv.read(), text.len() as u64);
        found
    }

    #[test]
    fn a_bad_record_costs_its_neighbours_nothing() {
        let heading = "\u{feff}sg_event_id,timestamp,Event,reason\n";
        let good = |id: &str| format!("{id},1700000000,open,\"one line, \"\"quoted\"\"\"\r\n");
        for bad in
            ["x", "x,1700000000,open", "x,1700000000,open,\"never closed", "x,,open,", "x,1700000000,,", "\u{0}", "\""]
        {
            let over_lines = "a,1700000000,open,\"two\nlines \"\"quoted\"\"\"\r\n";
            let text = format!("{heading}{over_lines}{bad}\n{}\n{}", good("b"), good("c"));
            let found = ids(&text);
            assert_eq!(found.first().map(String::as_str), Some("a"), "{bad}");
            assert_eq!(found.last().map(String::as_str), Some("c"), "{bad}");
            assert!(found.contains(&"-".to_owned()) && found.len() <= 6, "{bad}: {found:?}");
        }
        assert_eq!(ids("sg_event_id;timestamp;event\r\na;1700000000;open\r\n"), ["a"]);
        assert_eq!(ids("sg_event_id\ttimestamp\tevent\na\t1700000000\topen"), ["a"]);
        let long = format!("{heading}x,1700000000,open,{}\n{}", "y".repeat(2 * LONGEST), good("b"));
        assert_eq!(ids(&long), ["-", "b"]);
    }

    proptest! {
        #[test]
        fn a_cell_of_an_export_is_read_as_it_was(reasons in prop::collection::vec("[=+@＝＋－＠'\",;\t\r\n あa-]{1,8}", 1..8)) {
            let zone = jiff::tz::TimeZone::UTC;
            let manner = Manner { raw: false, terminal: false, zone: &zone, bom: true };
            let mut file = Vec::new();
            heading(&mut file, &["event", "timestamp", "reason"], manner).unwrap();
            for reason in &reasons {
                let cells = ["bounce", "2026-11-24T10:00:00Z", reason].map(|text| show::Cell::Text(text.to_owned()));
                line(&mut file, &cells, manner).unwrap();
            }
            let mut csv = Csv::new(file.as_slice()).unwrap();
            let mut read = Vec::new();
            while let Some(item) = csv.next().unwrap() {
                let Item::Row(row) = item else { return Err(TestCaseError::fail("not read")) };
                read.push(row.reason.unwrap());
            }
            prop_assert_eq!(read, reasons);
        }
    }

    #[test]
    fn what_has_no_heading_is_refused() {
        for text in ["", "a,b\n1,2\n", "event\nopen\n"] {
            assert!(Csv::new(text.as_bytes()).is_err(), "{text}");
        }
    }
}
