//! What a Parquet file's pages take once they are unpacked. A page header says it, and a reader believes it: a few kilobytes may stand for
//! gigabytes. So the headers are read before any page is, and rows are then read in batches that fit into [`BUDGET`].
//!
//! A header is a Thrift struct in the compact protocol (parquet-format, `parquet.thrift`: `PageHeader`).

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::import::source::SourceError;

/// Bytes of unpacked pages, of all columns together, that a batch may need at once.
pub(super) const BUDGET: u64 = 256 << 20;
/// Bytes of a page header: what is long in it are the page's least and greatest value.
const LONGEST_HEADER: usize = 1 << 20;
/// Read at once for a header.
const FIRST_READ: usize = 4096;
/// Structs within structs within a header.
const DEEPEST: u32 = 16;

/// One page of a column: its values and its bytes when unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Page {
    values: u64,
    bytes: u64,
}

/// How many rows can be read at once, at most `rows`, so that their pages take at most `budget` bytes.
pub(super) fn rows_at_once(
    file: &File,
    metadata: &ParquetMetaData,
    rows: usize,
    budget: u64,
) -> Result<usize, SourceError> {
    let mut at_once = u64::try_from(rows).unwrap_or(u64::MAX).max(1);
    for group in metadata.row_groups() {
        let columns: Vec<Vec<Page>> =
            group.columns().iter().map(|column| pages(file, column)).collect::<Result<_, _>>()?;
        let needed = |rows: u64| -> u64 {
            let each = group.columns().iter().zip(&columns);
            each.map(|(column, pages)| match column.column_descr().max_rep_level() {
                0 => most_in_a_window(pages, rows),
                // A row may have any number of values.
                _ => sum(pages),
            })
            .fold(0, u64::saturating_add)
        };
        while needed(at_once) > budget {
            if at_once == 1 {
                return Err(SourceError::Form(format!(
                    "one of its rows would take more than {} MiB of memory when it is unpacked, the most that is allowed",
                    budget >> 20
                )));
            }
            at_once /= 2;
        }
    }
    Ok(usize::try_from(at_once).unwrap_or(rows))
}

fn sum(pages: &[Page]) -> u64 {
    pages.iter().fold(0, |sum, page| sum.saturating_add(page.bytes))
}

/// The most bytes of pages that so many consecutive rows lie in, anywhere. A dictionary page has no rows, and is needed all the time.
fn most_in_a_window(pages: &[Page], rows: u64) -> u64 {
    let always = pages.iter().filter(|page| page.values == 0).fold(0_u64, |sum, page| sum.saturating_add(page.bytes));
    let (mut most, mut bytes, mut inner) = (0_u64, 0_u64, 0_u64);
    let data: Vec<&Page> = pages.iter().filter(|page| page.values > 0).collect();
    let mut first = 0;
    for page in &data {
        bytes = bytes.saturating_add(page.bytes);
        inner = inner.saturating_add(page.values);
        // A window that begins with the last row of its first page ends in this page if what lies between is shorter.
        while let Some(start) = data.get(first)
            && inner.saturating_sub(start.values).saturating_sub(page.values).saturating_add(2) > rows
            && !std::ptr::eq(*start, *page)
        {
            bytes = bytes.saturating_sub(start.bytes);
            inner = inner.saturating_sub(start.values);
            first += 1;
        }
        most = most.max(bytes);
    }
    most.saturating_add(always)
}

/// The pages of a column in one row group.
fn pages(file: &File, column: &ColumnChunkMetaData) -> Result<Vec<Page>, SourceError> {
    let place = |place: i64| u64::try_from(place).map_err(|_| damaged());
    let data = place(column.data_page_offset())?;
    let mut at = match column.dictionary_page_offset() {
        Some(dictionary) => data.min(place(dictionary)?),
        None => data,
    };
    let end = at.checked_add(place(column.compressed_size())?).ok_or_else(damaged)?;
    let mut pages = Vec::new();
    while at < end {
        let (header, length) = header_at(file, at, end - at)?;
        pages.push(Page { values: header.values, bytes: header.unpacked });
        // At least the header itself, so that this ends.
        at = at.checked_add(length).and_then(|at| at.checked_add(header.packed)).ok_or_else(damaged)?;
    }
    Ok(pages)
}

fn damaged() -> SourceError {
    SourceError::Form("it is damaged: a page is not where it says it is".to_owned())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    unpacked: u64,
    packed: u64,
    values: u64,
}

fn header_at(file: &File, at: u64, left: u64) -> Result<(Header, u64), SourceError> {
    let most = usize::try_from(left).unwrap_or(usize::MAX).min(LONGEST_HEADER);
    let mut size = FIRST_READ.min(most);
    loop {
        let mut bytes = vec![0; size];
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at.saturating_add(u64::try_from(read).unwrap_or_default()))? {
                0 => break,
                more => read += more,
            }
        }
        bytes.truncate(read);
        let mut thrift = Thrift { bytes: &bytes, at: 0 };
        if let Some(header) = thrift.header() {
            return Ok((header, u64::try_from(thrift.at).map_err(|_| damaged())?));
        }
        if size == most || read < size {
            return Err(damaged());
        }
        size = (size * 8).min(most);
    }
}

/// A reader of the compact protocol; `None`: there is not enough, or it is none.
struct Thrift<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Thrift<'_> {
    fn header(&mut self) -> Option<Header> {
        let (mut unpacked, mut packed, mut values) = (None, None, 0);
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (2, INTEGER) => unpacked = Some(self.zigzag()?),
                (3, INTEGER) => packed = Some(self.zigzag()?),
                // Data pages of both versions; the first field of each is its number of values.
                (5 | 8, STRUCT) => values = self.first_integer()?,
                _ => self.skip(kind, 0)?,
            }
        }
        let size = |size: Option<i64>| u64::try_from(size?).ok();
        Some(Header { unpacked: size(unpacked)?, packed: size(packed)?, values: u64::try_from(values).ok()? })
    }

    /// Field 1 of a struct, which is read to its end.
    fn first_integer(&mut self) -> Option<i64> {
        let (mut field, mut found) = (0, None);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (1, INTEGER) => found = Some(self.zigzag()?),
                _ => self.skip(kind, 1)?,
            }
        }
        found
    }

    /// The kind of the next field, whose number is put in `field`; `Some(None)` at the struct's end.
    fn field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if kind == 0 {
            return Some(None);
        }
        *field = match byte >> 4 {
            0 => self.zigzag()?,
            delta => field.checked_add(i64::from(delta))?,
        };
        Some(Some(kind))
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // Both kinds of boolean are in the field's head.
            1 | 2 => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => self.pass(8)?,
            8 => {
                let length = self.varint()?;
                self.pass(usize::try_from(length).ok()?)?;
            }
            9 | 10 => {
                let byte = self.byte()?;
                let length = match byte >> 4 {
                    15 => self.varint()?,
                    length => u64::from(length),
                };
                // Each takes a byte at least but for booleans, which take one here.
                for _ in 0..length {
                    if matches!(byte & 0x0f, 1 | 2) {
                        self.byte()?;
                    } else {
                        self.skip(byte & 0x0f, depth + 1)?;
                    }
                }
            }
            STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth + 1)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn pass(&mut self, length: usize) -> Option<()> {
        self.at = self.at.checked_add(length).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }
}

/// `i32` of the compact protocol.
const INTEGER: u8 = 5;
/// A struct.
const STRUCT: u8 = 12;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reference(pages: &[Page], rows: u64) -> u64 {
        let mut spans = Vec::new();
        let mut at = 0;
        for page in pages.iter().filter(|page| page.values > 0) {
            spans.push((at, at + page.values, page.bytes));
            at += page.values;
        }
        let in_window = |from: u64| {
            let touched = spans.iter().filter(|(start, end, _)| *start < from + rows && *end > from);
            touched.map(|(_, _, bytes)| bytes).sum::<u64>()
        };
        let always: u64 = pages.iter().filter(|page| page.values == 0).map(|page| page.bytes).sum();
        (0..at).map(in_window).max().unwrap_or_default() + always
    }

    proptest! {
        #[test]
        fn a_window_of_rows_needs_the_pages_that_it_lies_in(
            pages in prop::collection::vec((0_u64..6, 0_u64..100), 0..12), rows in 1_u64..12,
        ) {
            let pages: Vec<Page> = pages.into_iter().map(|(values, bytes)| Page { values, bytes }).collect();
            prop_assert_eq!(most_in_a_window(&pages, rows), reference(&pages, rows));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut thrift = Thrift { bytes: &bytes, at: 0 };
            let _header = thrift.header();
            prop_assert!(thrift.at <= bytes.len());
        }
    }
}
