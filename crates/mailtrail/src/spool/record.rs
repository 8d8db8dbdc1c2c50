//! One spool row: a protected batch as bytes, with the version of their format. Every released format decodes for ever.

use crate::protect::{BATCH_FORMAT, BatchRow, EventRow, ProtectedBatch};

/// A protected batch, encoded. Made from what `protect` built, or read back from a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    format: u16,
    items: u32,
    body: Vec<u8>,
}

/// Why a record cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer mailtrail.
    #[error(
        "spool row has format {0}, this version reads up to {BATCH_FORMAT}: start the newer version again and let it drain"
    )]
    UnknownFormat(u16),
    /// The bytes are damaged.
    #[error("spool row is damaged")]
    Damaged,
}

impl Record {
    /// Of a batch, in the format written today.
    #[must_use]
    pub fn of(batch: ProtectedBatch) -> Self {
        let items = u32::try_from(batch.events() + batch.sealed()).unwrap_or(u32::MAX);
        Self { format: BATCH_FORMAT, items, body: batch.into_body() }
    }

    /// For the spool, which stored it.
    pub(crate) fn from_stored(format: u16, items: u32, body: Vec<u8>) -> Self {
        Self { format, items, body }
    }

    /// One event of a batch alone, with what the batch says of it.
    pub(crate) fn of_one(batch: &BatchRow<&str>, event: &EventRow<&str>) -> Self {
        let alone = BatchRow {
            received_at: batch.received_at,
            verified_by: batch.verified_by,
            key_id: batch.key_id,
            events: vec![event.clone()],
            sealed: Vec::new(),
        };
        Self { format: BATCH_FORMAT, items: 1, body: postcard::to_stdvec(&alone).expect("a BatchRow always encodes") }
    }

    /// This record as bytes, to be sealed when it cannot be drained.
    #[must_use]
    pub fn to_sealable(&self) -> Vec<u8> {
        let mut bytes = self.format.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// A record from what [`to_sealable`](Self::to_sealable) made; `None` where the bytes are none.
    #[must_use]
    pub fn from_sealable(bytes: &[u8]) -> Option<Self> {
        let (format, body) = bytes.split_first_chunk::<2>()?;
        Some(Self { format: u16::from_le_bytes(*format), items: 1, body: body.to_vec() })
    }

    /// Version of the format.
    #[must_use]
    pub fn format(&self) -> u16 {
        self.format
    }

    /// How many items it holds, events and sealed ones.
    #[must_use]
    pub fn items(&self) -> u32 {
        self.items
    }

    /// The encoded bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The batch, borrowing from this record.
    ///
    /// # Errors
    /// When the format is newer than this version or the bytes are damaged.
    pub fn decode(&self) -> Result<BatchRow<&str>, RecordError> {
        match self.format {
            BATCH_FORMAT => postcard::from_bytes(&self.body).map_err(|_| RecordError::Damaged),
            other => Err(RecordError::UnknownFormat(other)),
        }
    }
}
