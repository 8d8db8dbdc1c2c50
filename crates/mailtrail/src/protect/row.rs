//! The protected rows, as the spool keeps them and the stores write them. Format 1; a change of any field is a new format.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One POST, protected. `S` is what holds a text: `Cow<str>` while it is made, `&str` or `String` when read back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRow<S> {
    /// Our clock, µs since the epoch.
    pub received_at: i64,
    /// Column `verified_by`.
    pub verified_by: Option<S>,
    /// Which key made the hashes: column `key_id`.
    pub key_id: S,
    /// The events, in the order sent.
    pub events: Vec<EventRow<S>>,
    /// What could not be read, sealed.
    pub sealed: Vec<SealedRow<S>>,
}

/// One event, protected: the columns of the design, §3.2.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow<S> {
    /// Dedupe key: of the id, or keyed over the canonical raw event.
    pub event_key: [u8; 16],
    /// Keyed over the canonical raw event without id.
    pub fingerprint: [u8; 16],
    /// Event time, µs since the epoch.
    pub timestamp: i64,
    /// `event`
    pub event: S,
    /// The recipient; `None` where the event has no address.
    pub address: Option<AddressRow<S>>,
    /// `sg_event_id`
    pub sg_event_id: Option<S>,
    /// `sg_message_id`
    pub sg_message_id: Option<S>,
    /// The part of `sg_message_id` before the first dot.
    pub message_id: Option<S>,
    /// `smtp-id`
    pub smtp_id: Option<S>,
    /// `category`, always a list.
    pub category: Vec<S>,
    /// `reason`
    pub reason: Option<S>,
    /// `response`
    pub response: Option<S>,
    /// `status`
    pub status: Option<S>,
    /// `type`
    pub r#type: Option<S>,
    /// `bounce_classification`
    pub bounce_classification: Option<S>,
    /// `attempt`
    pub attempt: Option<i64>,
    /// `asm_group_id`
    pub asm_group_id: Option<i64>,
    /// `url`
    pub url: Option<S>,
    /// `useragent`
    pub useragent: Option<S>,
    /// `ip`
    pub ip: Option<S>,
    /// `sg_machine_open`
    pub sg_machine_open: Option<bool>,
    /// `tls`
    pub tls: Option<bool>,
    /// Custom arg `mailtrail_run`.
    pub run: Option<S>,
    /// Custom arg `mailtrail_recipient`.
    pub recipient: Option<S>,
    /// Custom arg `mailtrail_request`.
    pub request: Option<S>,
    /// The caller's own keys, a JSON object; `None` where there are none.
    pub custom_args: Option<S>,
    /// SendGrid's other keys and values that did not fit, a JSON object; `None` where there are none.
    pub extra: Option<S>,
    /// SendGrid's fixed sample (the console's test button): stored with `verified_by = "test"`.
    pub sample: bool,
}

/// A recipient, protected.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRow<S> {
    /// 32 bytes; hex in the column.
    pub email_hash: [u8; 32],
    /// Lower case; `None` where switched off or the address has none.
    pub email_domain: Option<S>,
    /// The plain address, only with `keep_address`.
    pub email: Option<S>,
}

/// Input that was authentic but could not be read, encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedRow<S> {
    /// Keyed digest of the bytes, so that a repetition is kept once.
    pub item_key: [u8; 16],
    /// Why it could not be read: `sendgrid_events::Reject::as_str`, or `undrainable`.
    pub why: S,
    /// Id of the seal key.
    pub seal_key_id: S,
    /// Nonce and ciphertext.
    pub sealed: Vec<u8>,
}

// What rows hold is for the store: a log or a panic gets no more than what kind of thing it was.

impl<S> fmt::Debug for BatchRow<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchRow({} events, {} sealed)", self.events.len(), self.sealed.len())
    }
}

impl<S> fmt::Debug for EventRow<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRow")
            .field("event_key", &self.event_key)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for AddressRow<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressRow").finish_non_exhaustive()
    }
}
