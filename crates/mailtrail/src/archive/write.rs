//! A month of the trail → a file, read back and compared before it counts.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::folder::Folder;
use super::manifest::Entry;
use super::month::Month;
use super::parquet::{Form, Records, Writer};
use super::proof::Archived;
use super::tally::{Tally, Total};
use super::{ArchiveError, form_at, io_at};
use crate::clock;
use crate::store::backup::checksum_of;
use crate::store::query::{EventRecord, Filter};
use crate::store::sqlite::Reader;

/// Events read at once; memory is bounded by it.
const PAGE: usize = 5_000;

/// Archives whole months, as far as the archive does not hold their events yet; one file a month, and another one for what came in
/// when it was written. `tell` hears of each file.
///
/// # Errors
/// When the trail cannot be read, or a file not be written or not be read back as it was.
pub fn archive(
    reader: &Reader,
    folder: &mut Folder,
    before: Month,
    mut tell: impl FnMut(&Entry),
) -> Result<u64, ArchiveError> {
    let (mut from, mut written) = (i64::MIN, 0);
    while let Some(first) = reader.first_between(from, before.begin())? {
        let month = Month::of(first);
        if let Some(entry) = write_month(reader, folder, month)? {
            written += entry.events;
            tell(&entry);
            folder.commit(Some(entry), None)?;
        }
        from = month.end();
    }
    Ok(written)
}

fn write_month(reader: &Reader, folder: &Folder, month: Month) -> Result<Option<Entry>, ArchiveError> {
    let filter =
        Filter { since: Some(month.begin()), until: Some(month.end()), include_tests: true, ..Filter::default() };
    let (name, path) = folder.free(month);
    let mut known = Archived::new(folder);
    let mut file: Option<NewFile<'_>> = None;
    let mut after = None;
    loop {
        let mut page = reader.page(&filter, after.as_ref(), PAGE)?.value;
        let Some(last) = page.last() else { break };
        after = Some(last.place());
        let mut new = Vec::with_capacity(page.len());
        for mut event in page.drain(..) {
            if !known.has(&event)? {
                // The trail's own number, which no file keeps.
                event.id = 0;
                new.push(event);
            }
        }
        if !new.is_empty() {
            if file.is_none() {
                file = Some(NewFile::begin(folder, &path)?);
            }
            if let Some(file) = &mut file {
                file.add(&new)?;
            }
        }
    }
    file.map(|file| file.finish(name, month)).transpose()
}

/// A file being written, whose content is added up on the way in and again when it is read back.
pub(super) struct NewFile<'p> {
    writer: Writer<BufWriter<File>>,
    path: &'p Path,
    tally: Tally,
}

impl<'p> NewFile<'p> {
    pub(super) fn begin(folder: &Folder, path: &'p Path) -> Result<Self, ArchiveError> {
        let file = BufWriter::new(folder.create(path)?);
        let writer = Writer::begin(file, Form::ForKeeping).map_err(form_at(path))?;
        Ok(Self { writer, path, tally: Tally::default() })
    }

    /// Events with id 0, in the order of (timestamp, event_key).
    pub(super) fn add(&mut self, events: &[EventRecord]) -> Result<(), ArchiveError> {
        events.iter().for_each(|event| self.tally.add(event));
        self.writer.add(events).map_err(form_at(self.path))
    }

    /// Syncs it and reads it back.
    pub(super) fn finish(self, name: String, month: Month) -> Result<Entry, ArchiveError> {
        let path = self.path;
        let mut out = self.writer.finish().map_err(form_at(path))?;
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(io_at(path))?;
        drop(out);
        let unsound = |why: &str| ArchiveError::Unsound {
            path: path.to_owned(),
            why: format!("{why}: nothing was removed from the trail; look at disk and memory, and try again"),
        };
        let written = self.tally.total().ok_or_else(|| unsound("the trail gave events out of their order"))?;
        if read_back(path)?.as_ref() != Some(&written) {
            return Err(unsound("what was read back is not what was written"));
        }
        let mut file = File::open(path).map_err(io_at(path))?;
        let checksum = checksum_of(&mut file).map_err(io_at(path))?;
        Ok(Entry::new(name, month, &written, checksum, clock::now_micros()))
    }
}

fn read_back(path: &Path) -> Result<Option<Total>, ArchiveError> {
    let file = File::open(path).map_err(io_at(path))?;
    let mut tally = Tally::default();
    for page in Records::open(file).map_err(form_at(path))? {
        page.map_err(form_at(path))?.iter().for_each(|event| tally.add(event));
    }
    Ok(tally.total())
}
