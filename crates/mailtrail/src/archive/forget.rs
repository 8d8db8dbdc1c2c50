//! Takes people out of an archive: the files that speak of them are written anew without them.

use std::borrow::Cow;

use super::folder::Folder;
use super::manifest::Entry;
use super::names;
use super::parquet::Records;
use super::write::NewFile;
use super::{ArchiveError, form_at};
use crate::protect::{EmailHash, Wanted};
use crate::store::forget::without_people;
use crate::store::query::EventRecord;

/// What was taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Events of theirs.
    pub events: u64,
    /// Events of others whose custom args named them, by hash, digest or address; the events stay.
    pub mentions: u64,
    /// Files that were written anew.
    pub files: u64,
}

impl std::ops::AddAssign for Forgotten {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.mentions += other.mentions;
        self.files += other.files;
    }
}

/// Takes them out; with `dry_run` only counts.
///
/// # Errors
/// When a file cannot be read or written; those that were done stay done, and it may be repeated.
pub fn forget(folder: &mut Folder, who: &Wanted, dry_run: bool) -> Result<Forgotten, ArchiveError> {
    let mut done = Forgotten::default();
    let entries = folder.manifest().files.clone();
    for entry in entries {
        let found = look(folder, &entry, who)?;
        if found.events + found.mentions == 0 {
            continue;
        }
        if !dry_run {
            rewrite(folder, &entry, who)?;
        }
        done.events += found.events;
        done.mentions += found.mentions;
        done.files += 1;
    }
    Ok(done)
}

fn records<'f>(
    folder: &'f Folder,
    entry: &'f Entry,
) -> Result<impl Iterator<Item = Result<Vec<EventRecord>, ArchiveError>> + use<'f>, ArchiveError> {
    let path = folder.path().join(&entry.name);
    let records = Records::open(folder.open_sound(entry)?).map_err(form_at(&path))?;
    Ok(records.map(move |page| page.map_err(form_at(&path))))
}

fn look(folder: &Folder, entry: &Entry, who: &Wanted) -> Result<Forgotten, ArchiveError> {
    let mut found = Forgotten::default();
    for page in records(folder, entry)? {
        for event in page? {
            if is_theirs(&event, who) {
                found.events += 1;
            } else if names_them(&event, who).is_some() {
                found.mentions += 1;
            }
        }
    }
    Ok(found)
}

fn rewrite(folder: &mut Folder, entry: &Entry, who: &Wanted) -> Result<(), ArchiveError> {
    let Some((month, _)) = names::parse(&entry.name) else { return Ok(()) };
    let (name, path) = folder.free(month);
    let mut file: Option<NewFile<'_>> = None;
    for page in records(folder, entry)? {
        let mut kept = page?;
        kept.retain(|event| !is_theirs(event, who));
        for event in &mut kept {
            if let Some(without) = names_them(event, who) {
                event.custom_args = Some(without);
            }
        }
        if !kept.is_empty() {
            if file.is_none() {
                file = Some(NewFile::begin(folder, &path)?);
            }
            if let Some(file) = &mut file {
                file.add(&kept)?;
            }
        }
    }
    let new = file.map(|file| file.finish(name, month)).transpose()?;
    folder.commit(new, Some(entry))
}

fn is_theirs(event: &EventRecord, who: &Wanted) -> bool {
    event.email_hash.as_deref().and_then(EmailHash::parse).is_some_and(|hash| who.has(&hash))
}

/// Custom args without them, where they are named there.
fn names_them(event: &EventRecord, who: &Wanted) -> Option<String> {
    match without_people(event.custom_args.as_deref()?, who) {
        Cow::Owned(without) => Some(without),
        Cow::Borrowed(_) => None,
    }
}
