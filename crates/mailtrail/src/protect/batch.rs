//! What one POST came to, as the bytes that the spool keeps: encoded event by event, so that of a large batch no rows are
//! ever in memory together.

use postcard::ser_flavors::Flavor;
use sendgrid_events::EVENT_NAMES;
use serde::Serialize;

use super::row::{BatchRow, EventRow, SealedRow};

/// The format of the bytes: `postcard` of [`BatchRow`]. A change of any of its fields is a new format.
pub const BATCH_FORMAT: u16 = 1;

/// What stands before the events takes less.
const HEAD_BYTES: usize = 128;

/// What `protect` made of one POST. Nothing else can build one, so whatever takes it cannot be handed a plain address.
#[derive(Clone, PartialEq, Eq)]
pub struct ProtectedBatch {
    body: Vec<u8>,
    counts: Counts,
    sealed: usize,
}

/// Events by type, in the order of [`EVENT_NAMES`]; those of other types last.
pub type Counts = [u32; EVENT_NAMES.len() + 1];

impl ProtectedBatch {
    /// For `protect`, where every value has passed redaction.
    pub(super) fn of_rows(rows: BatchRow<String>) -> Self {
        let mut encoder = Encoder::new(0);
        rows.events.iter().for_each(|event| encoder.event(event));
        rows.sealed.into_iter().for_each(|sealed| encoder.sealed(sealed));
        encoder.finish(rows.received_at, rows.verified_by.as_deref(), &rows.key_id)
    }

    /// For testing and measuring the store without `protect`: the caller vouches that no address is in it.
    #[cfg(any(test, feature = "bench"))]
    #[must_use]
    pub fn vouched_for(rows: BatchRow<String>) -> Self {
        Self::of_rows(rows)
    }

    /// How many events it has, by type.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many events it has.
    #[must_use]
    pub fn events(&self) -> usize {
        self.counts.iter().map(|count| *count as usize).sum()
    }

    /// How many parts it has that could not be read.
    #[must_use]
    pub fn sealed(&self) -> usize {
        self.sealed
    }

    /// The rows, decoded.
    #[must_use]
    pub fn rows(&self) -> BatchRow<String> {
        postcard::from_bytes(&self.body).expect("what was encoded in this process decodes")
    }

    /// The bytes, in [`BATCH_FORMAT`].
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

impl std::fmt::Debug for ProtectedBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProtectedBatch({} events, {} sealed)", self.events(), self.sealed)
    }
}

/// Makes a batch from its events, one after the other.
pub(super) struct Encoder {
    events: Vec<u8>,
    counts: Counts,
    sealed: Vec<SealedRow<String>>,
}

impl Encoder {
    /// For events of about so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { events: Vec::with_capacity(bytes + HEAD_BYTES), counts: Counts::default(), sealed: Vec::new() }
    }

    pub(super) fn event<S: AsRef<str> + Serialize>(&mut self, row: &EventRow<S>) {
        let name = row.event.as_ref();
        self.counts[EVENT_NAMES.iter().position(|known| *known == name).unwrap_or(EVENT_NAMES.len())] += 1;
        append(row, &mut self.events);
    }

    pub(super) fn sealed(&mut self, sealed: SealedRow<String>) {
        self.sealed.push(sealed);
    }

    /// The fields of a [`BatchRow`], in their order: a sequence is its length and then its items.
    pub(super) fn finish(self, received_at: i64, verified_by: Option<&str>, key_id: &str) -> ProtectedBatch {
        let events: u32 = self.counts.iter().sum();
        let mut head = Vec::with_capacity(HEAD_BYTES);
        append(&(received_at, verified_by, key_id, events), &mut head);
        // A large batch is moved within its memory, which may wait long for its commit.
        let mut body = self.events;
        drop(body.splice(0..0, head));
        append(&self.sealed, &mut body);
        body.shrink_to_fit();
        ProtectedBatch { body, counts: self.counts, sealed: self.sealed.len() }
    }
}

/// Appends what `postcard` makes of a value.
fn append(value: &impl Serialize, out: &mut Vec<u8>) {
    // It fails only where a sequence has no length or the buffer is full; neither can happen here.
    postcard::serialize_with_flavor(value, Append(out)).expect("rows always encode");
}

struct Append<'v>(&'v mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The spool's files of every version hold what postcard makes of the whole.
    #[test]
    fn piece_by_piece_is_as_at_once() {
        for (events, sealed) in [(0, 0), (1, 0), (0, 2), (300, 1)] {
            let mut rows = crate::store::testing::batch(0..events);
            rows.sealed = (0..sealed)
                .map(|n| SealedRow {
                    item_key: [n; 16],
                    why: "malformed".to_owned(),
                    seal_key_id: "key".to_owned(),
                    sealed: vec![n; 200],
                })
                .collect();
            for verified_by in [None, Some("basic".to_owned())] {
                rows.verified_by = verified_by;
                let batch = ProtectedBatch::vouched_for(rows.clone());
                assert_eq!((batch.events() as u64, batch.sealed()), (events, usize::from(sealed)));
                assert!(batch.rows() == rows);
                assert_eq!(batch.into_body(), postcard::to_stdvec(&rows).expect("encoded"));
            }
        }
    }
}
