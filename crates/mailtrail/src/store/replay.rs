//! Reads the quarantine again: what an earlier version could not read, this one may. Works beside a running receiver; may
//! be interrupted at any point, since an event that was appended already is found by its key.

use super::keys::Keys;
use super::sqlite::{Trail, TrailError, is_record};
use crate::decode::decode;
use crate::protect::Protector;
use crate::receive::{Authentic, VerifiedBy};
use crate::spool::Record;

/// How the reasons begin for which rows of other stores are sealed: to read them as what SendGrid posts would be wrong, so they
/// wait for `import` to read their source again.
pub const UNREAD_ROW: &str = "import_";

/// What became of the entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Entries looked at.
    pub entries: u64,
    /// Entries that were read, and are gone from the quarantine.
    pub read: u64,
    /// Events that came of them and were new.
    pub stored: u64,
    /// Entries that still cannot be read.
    pub unreadable: u64,
    /// Entries that no configured key opens.
    pub locked: u64,
}

/// Goes through the whole quarantine once.
///
/// # Errors
/// When the trail cannot be read or written; what was done stays done.
pub fn replay(trail: &mut Trail, keys: &dyn Keys, protector: &Protector) -> Result<Replayed, TrailError> {
    let mut replayed = Replayed::default();
    let mut after = 0;
    while let Some(entry) = trail.next_quarantined(after)? {
        after = entry.id;
        replayed.entries += 1;
        if entry.why.starts_with(UNREAD_ROW) {
            replayed.unreadable += 1;
            continue;
        }
        let Some(bytes) = keys.open(&entry.seal_key_id, &entry.sealed) else {
            replayed.locked += 1;
            continue;
        };
        let verified_by = VerifiedBy::from_column(entry.verified_by.as_deref());
        let record = if is_record(&entry.why) {
            Record::from_sealable(&bytes)
        } else {
            let body = Authentic::from_quarantine(bytes, verified_by, entry.received_at);
            let batch = protector.protect(decode(&body), &body);
            // Sealed anew under the same key: nothing was read of it.
            let unread = batch.rows().sealed.iter().any(|sealed| sealed.item_key == entry.item_key);
            (!unread).then(|| Record::of(batch))
        };
        let Some(record) = record else {
            replayed.unreadable += 1;
            continue;
        };
        let appended = trail.append(&[record], &|bytes, why| keys.seal(bytes, why))?;
        // It cannot be stored now either: it was sealed again, under the same key.
        if is_record(&entry.why) && appended.stored == 0 {
            replayed.unreadable += 1;
            continue;
        }
        trail.release_quarantined(entry.id)?;
        replayed.read += 1;
        replayed.stored += appended.stored;
    }
    Ok(replayed)
}
