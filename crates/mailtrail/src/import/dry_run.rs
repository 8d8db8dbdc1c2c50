//! What would become of events, without storing any.

use std::collections::HashSet;

use crate::protect::ProtectedBatch;
use crate::store::sqlite::{Appended, ReadError, Reader};

/// A dry run tells repetitions within the source apart among so many events.
const REMEMBERED: usize = 2_000_000;

/// What appending would come to.
pub(super) fn would_append(
    batches: &[ProtectedBatch],
    reader: Option<&Reader>,
    seen: &mut HashSet<[u8; 16]>,
) -> Result<Appended, ReadError> {
    let mut appended = Appended::default();
    for batch in batches.iter().map(ProtectedBatch::rows) {
        for event in &batch.events {
            let known = reader.map(|reader| reader.has_event(event.timestamp, &event.event_key)).transpose()?;
            let repeated =
                if seen.len() < REMEMBERED { !seen.insert(event.event_key) } else { seen.contains(&event.event_key) };
            if known.unwrap_or(false) || repeated {
                appended.duplicate += 1;
            } else {
                appended.stored += 1;
            }
        }
        for sealed in &batch.sealed {
            let known = reader.map(|reader| reader.has_quarantined(&sealed.item_key)).transpose()?.unwrap_or(false);
            if known || !seen.insert(sealed.item_key) {
                appended.duplicate += 1;
            } else {
                appended.quarantined += 1;
            }
        }
    }
    Ok(appended)
}
