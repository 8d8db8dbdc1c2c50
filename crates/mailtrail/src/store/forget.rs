//! Forgets people, beside a running receiver or without one: spool, trail and quarantine, down to the bytes in the files.
//!
//! In this order: their marks, so that nothing of them is stored from here on; the spool, drained past everything that came in
//! before and written anew; what waits to be passed on; the trail; the quarantine; the logs. Each step can be interrupted, and the whole repeated.

mod bytes;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use super::sqlite::without_people;

use super::keeper::{Keeper, KeeperOptions, StartError};
use super::keys::Keys as _;
use super::lock::LockError;
use super::paths::Paths;
use super::relay::{RelayError, remove as relay};
use super::sqlite::{Deleted, Trail, TrailError, Unproven, is_record};
use crate::protect::{EmailHash, KeyRing, SealedPost, Wanted};
use crate::spool::{self, Record};

/// How long a running receiver may take to drain and clean its spool.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether it did: another process tells nothing.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why somebody is not forgotten, or not everywhere. It may be tried again, and goes on where it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgetError {
    /// The trail.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// The spool, where no receiver runs.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The spool, looked at.
    #[error(transparent)]
    Spool(#[from] crate::database::OpenError),
    /// What waits to be passed on.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// A file that is to be searched.
    #[error("cannot read {path}: {source}. Run as the user that runs mailtrail serve")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What was removed, and what not. Holds no address and no hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// From trail and quarantine.
    pub deleted: Deleted,
    /// Events that wait in the spool; counted by a dry run alone.
    pub spooled: u64,
    /// Entries of the quarantine that no configured key opens: whom they speak of is not known.
    pub locked: u64,
    /// Spool files that cannot be read, from before.
    pub unreadable_spools: usize,
    /// The receiver has not cleaned its spool in time.
    pub spool_pending: bool,
    /// POSTs that waited to be passed on and speak of them; events of others in them go, too, since a POST is whole or not.
    pub relayed: u64,
    /// POSTs that wait to be passed on and that no configured key opens.
    pub relay_locked: u64,
    /// A long reader keeps the trail's log.
    pub log_pending: bool,
    /// Places in the trail's files where they can still be read.
    pub remains: u64,
}

impl Report {
    /// Whether nothing of them is left within reach.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.spool_pending && !self.log_pending && self.remains == 0
    }
}

/// Says what forgetting them would remove; writes nothing.
///
/// # Errors
/// When the store cannot be read.
pub fn preview(paths: &Paths, keys: &KeyRing, who: &Wanted) -> Result<Report, ForgetError> {
    let mut report = Report { deleted: Trail::look(paths.trail())?.count_people(who)?, ..Report::default() };
    for number in spools(paths)? {
        match spool::count_events(&paths.spool(number), |hash| who.has(&EmailHash::from_bytes(*hash))) {
            Ok(count) => report.spooled += count,
            Err(_) => report.unreadable_spools += 1,
        }
    }
    search_quarantine(&Trail::look(paths.trail())?, keys, who, &mut report)?;
    note_relayed(&mut report, relay::count(paths, |post| judge(post, keys, who))?);
    Ok(report)
}

/// Forgets them.
///
/// # Errors
/// When the store cannot be read or written; what was done stays done.
pub fn forget(paths: &Paths, keys: &Arc<KeyRing>, who: &Wanted) -> Result<Report, ForgetError> {
    let mut trail = open(paths, keys)?;
    let wish = trail.mark_forgotten(who.hashes(), &keys.forgotten_key())?;
    let mut report = Report { spool_pending: !clean_spool(paths, keys, &trail, wish)?, ..Report::default() };
    // The drain has moved there what waited in the spool.
    note_relayed(&mut report, relay::remove(paths, |post| judge(post, keys, who))?);
    report.deleted = trail.delete_people(who)?;
    for entry in search_quarantine(&trail, keys, who, &mut report)? {
        trail.release_quarantined(entry)?;
    }
    report.unreadable_spools = unreadable(paths)?;
    clean_trail(paths, &mut trail, who, &mut report)?;
    Ok(report)
}

/// How many events no proof stands behind.
///
/// # Errors
/// When the trail cannot be read.
pub fn count_unproven(paths: &Paths, which: Unproven) -> Result<u64, ForgetError> {
    Ok(Trail::look(paths.trail())?.count_unproven(which, None)?)
}

/// Deletes what no proof stands behind.
///
/// # Errors
/// When the trail cannot be read or written; what was done stays done.
pub fn forget_unproven(paths: &Paths, keys: &KeyRing, which: Unproven) -> Result<Deleted, ForgetError> {
    let mut trail = open(paths, keys)?;
    let deleted = trail.delete_unproven(which)?;
    trail.empty_log()?;
    Ok(deleted)
}

/// Stores the events of people again who were forgotten; says how many of the hashes were.
///
/// # Errors
/// When the trail cannot be written.
pub fn lift(paths: &Paths, keys: &KeyRing, who: &Wanted) -> Result<usize, ForgetError> {
    Ok(open(paths, keys)?.lift_forgotten(who.hashes(), &keys.forgotten_key())?)
}

fn open(paths: &Paths, keys: &KeyRing) -> Result<Trail, ForgetError> {
    let mut trail = Trail::open(paths.trail())?;
    trail.adopt(&keys.identity())?;
    trail.overwrite_deleted()?;
    Ok(trail)
}

/// Waits until whoever holds the spool has drained and cleaned it; that is this process where nobody does.
fn clean_spool(paths: &Paths, keys: &Arc<KeyRing>, trail: &Trail, wish: i64) -> Result<bool, ForgetError> {
    let keeper = match Keeper::start(paths, KeeperOptions::default(), Arc::clone(keys) as _) {
        Ok(keeper) => Some(keeper),
        Err(StartError::Lock(LockError::Held { .. })) => None,
        Err(error) => return Err(error.into()),
    };
    let until = Instant::now() + PATIENCE;
    let mut scrubbed = trail.is_scrubbed(wish)?;
    while !scrubbed && Instant::now() < until {
        std::thread::sleep(LOOK_EVERY);
        scrubbed = trail.is_scrubbed(wish)?;
    }
    if let Some(keeper) = keeper {
        keeper.stop();
    }
    Ok(scrubbed)
}

/// Whether a POST that waits to be passed on speaks of them.
fn judge(post: &SealedPost, keys: &KeyRing, who: &Wanted) -> relay::Verdict {
    match keys.open_post(post) {
        Err(_) => relay::Verdict::Locked,
        Ok(post) if who.is_in(&post.body, keys) => relay::Verdict::Goes,
        Ok(_) => relay::Verdict::Stays,
    }
}

fn note_relayed(report: &mut Report, removed: relay::Removed) {
    (report.relayed, report.relay_locked) = (removed.posts, removed.locked);
}

/// Entries of the quarantine that speak of them.
fn search_quarantine(
    trail: &Trail,
    keys: &KeyRing,
    who: &Wanted,
    report: &mut Report,
) -> Result<Vec<i64>, ForgetError> {
    let (mut found, mut after) = (Vec::new(), 0);
    while let Some(entry) = trail.next_quarantined(after)? {
        after = entry.id;
        let Ok(bytes) = keys.open(&entry.seal_key_id, &entry.sealed) else {
            report.locked += 1;
            continue;
        };
        let theirs = match is_record(&entry.why).then(|| Record::from_sealable(&bytes)).flatten() {
            Some(record) => record.decode().map_or(true, |batch| {
                let mut addresses = batch.events.iter().filter_map(|event| event.address.as_ref());
                addresses.any(|address| who.has(&EmailHash::from_bytes(address.email_hash)))
            }),
            None => who.is_in(&bytes, keys),
        };
        if theirs {
            found.push(entry.id);
        }
    }
    report.deleted.quarantined = found.len() as u64;
    Ok(found)
}

/// Leaves no copy of what was deleted: the log is emptied, and where pages still hold copies in their unused parts, they are
/// built anew.
fn clean_trail(paths: &Paths, trail: &mut Trail, who: &Wanted, report: &mut Report) -> Result<(), ForgetError> {
    let keeps_addresses = trail.keeps_addresses()?;
    for rebuild in [None, Some(false), Some(true)] {
        if let Some(whole) = rebuild {
            trail.rebuild(whole)?;
        }
        report.log_pending = !trail.empty_log()?;
        report.remains = bytes::count(paths.trail(), who, keeps_addresses)?;
        if report.remains == 0 {
            break;
        }
    }
    Ok(())
}

fn spools(paths: &Paths) -> Result<Vec<u32>, ForgetError> {
    paths.spools().map_err(|source| ForgetError::Read { path: paths.folder().to_owned(), source })
}

fn unreadable(paths: &Paths) -> Result<usize, ForgetError> {
    Ok(spools(paths)?.into_iter().filter(|number| spool::look(&paths.spool(*number)).is_err()).count())
}

#[cfg(test)]
mod tests;
