//! Removes from the trail what is proven to be kept elsewhere.

use super::ArchiveError;
use super::proof::{Judge, Rules, Survey};
use crate::store::Paths;
use crate::store::query::EventKey;
use crate::store::sqlite::{Deleted, Reader, Trail};

const DAY: i64 = 86_400 * 1_000_000;

/// What is younger is never pruned, in µs. SendGrid repeats for a day, and `reconcile` adds what its logs still hold, for 30 days:
/// an event that was pruned would come back as a new one.
pub const YOUNGEST: i64 = 31 * DAY;

/// Keys read, and events removed, before the next are read.
const PAGE: u32 = 20_000;

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// From the trail.
    pub deleted: Deleted,
    /// What was found in it.
    pub survey: Survey,
    /// Bytes of the trail's file that hold nothing now; new events fill them.
    pub free_bytes: u64,
}

/// Whether events up to this time may not be pruned yet; `now` and both are µs since the epoch.
#[must_use]
pub fn young(until: i64, now: i64) -> bool {
    until > now.saturating_sub(YOUNGEST)
}

/// What pruning before a time would remove, and what would have to stay. Writes nothing.
///
/// # Errors
/// When the trail or the archive cannot be read, or a file of it is not as it was written.
pub fn survey(reader: &Reader, until: i64, rules: Rules<'_>) -> Result<Survey, ArchiveError> {
    let mut survey = Survey::default();
    let mut judge = Judge::new(rules);
    each_page(reader, until, |page| {
        for event in page {
            survey.count(judge.judge(event)?);
        }
        Ok(())
    })?;
    Ok(survey)
}

/// Removes the events before a time that are proven to be kept elsewhere; others stay. In short transactions, beside a running
/// `serve`; interrupted, it is begun again.
///
/// # Errors
/// As [`survey`], and when the trail cannot be written.
pub fn prune(paths: &Paths, reader: &Reader, until: i64, rules: Rules<'_>) -> Result<Pruned, ArchiveError> {
    let mut trail = Trail::open(paths.trail())?;
    let mut pruned = Pruned::default();
    let mut judge = Judge::new(rules);
    each_page(reader, until, |page| {
        let mut ids = Vec::with_capacity(page.len());
        for event in page {
            let stays = judge.judge(event)?;
            pruned.survey.count(stays);
            if stays.is_none() {
                ids.push(event.id);
            }
        }
        if !ids.is_empty() {
            trail.note_pruned_until(until)?;
            pruned.deleted += trail.remove_events(&ids)?;
        }
        Ok(())
    })?;
    trail.settle()?;
    pruned.free_bytes = trail.free_bytes()?;
    Ok(pruned)
}

/// Builds the trail's file anew without what holds nothing. Events received meanwhile wait in the spool.
///
/// # Errors
/// When the trail cannot be written; it is as it was then.
pub fn give_back(paths: &Paths) -> Result<(), ArchiveError> {
    let mut trail = Trail::open(paths.trail())?;
    trail.rebuild(true)?;
    trail.empty_log()?;
    Ok(())
}

fn each_page(
    reader: &Reader,
    until: i64,
    mut work: impl FnMut(&[EventKey]) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut after: Option<EventKey> = None;
    loop {
        let page = reader.keys(until, after.as_ref(), PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(*last);
        work(&page)?;
    }
}
