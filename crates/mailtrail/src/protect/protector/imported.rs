//! An event of another store → one row without addresses. What the store says of it counts for no more than it can prove.

use std::borrow::Cow;
use std::fmt;

use sendgrid_events::{MessageId, Value, batch};

use super::{Protector, SAMPLE_MESSAGE};
use crate::config::{IpPolicy, Presence};
use crate::protect::batch::ProtectedBatch;
use crate::protect::key_ring::event_key_of_id;
use crate::protect::redact::{Kind, REPLACEMENT, Redactor};
use crate::protect::row::{AddressRow, BatchRow, EventRow};
use crate::protect::{EmailHash, StoredEvent, address, ids, ip, url, values};
use crate::receive::VerifiedBy;

/// Who an event of another store is about.
#[derive(Clone)]
pub struct Recipient<'a> {
    /// Under a key of ours.
    pub hash: EmailHash,
    /// Which.
    pub key_id: String,
    /// Where it is known: what is written about somebody known is redacted more closely.
    pub address: Option<&'a str>,
}

/// What becomes of a source's own word on who vouched for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vouching {
    /// A file proves nothing: `import`. What was a test stays one, and what nothing vouched for does not rise.
    #[default]
    Import,
    /// As the source says, on the word of whoever imports it.
    AsStored,
}

/// An event of another store, protected.
pub struct Imported {
    row: EventRow<String>,
    received_at: i64,
    verified_by: Option<String>,
    key_id: String,
}

impl Imported {
    /// Event time, µs since the epoch, and the dedupe key: what tells events apart.
    #[must_use]
    pub fn place(&self) -> (i64, [u8; 16]) {
        (self.row.timestamp, self.row.event_key)
    }
}

impl fmt::Debug for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imported").field("row", &self.row).finish_non_exhaustive()
    }
}

impl Protector {
    /// Protects an event of another store. `now`: when it came in where the source does not say, µs since the epoch.
    #[must_use]
    pub fn import(
        &self,
        stored: &StoredEvent,
        recipient: Option<&Recipient<'_>>,
        vouching: Vouching,
        now: i64,
    ) -> Imported {
        let (event_key, fingerprint) = self.keys_of(stored);
        let redactor = Redactor::new(recipient.and_then(|recipient| recipient.address));
        let fixed = |text: &Option<String>| text.as_deref().map(|text| redactor.text(text, Kind::Fixed).into_owned());
        let free = |text: &Option<String>| text.as_deref().map(|text| redactor.text(text, Kind::Free).into_owned());
        let id = |text: &Option<String>| text.as_deref().map(|text| ids::id(text, &redactor).into_owned());

        let event = redactor.text(&stored.event.trim().to_lowercase(), Kind::Fixed).into_owned();
        let mut extra = Vec::new();
        let mut custom_args = Vec::new();
        for (name, json, members) in
            [("custom_args", &stored.custom_args, &mut custom_args), ("extra", &stored.extra, &mut extra)]
        {
            match json.as_deref().map(|json| batch::object(json.trim().as_bytes())) {
                Some(Ok(object)) => *members = object,
                Some(Err(_)) => {
                    members.push((name.into(), Value::String(Cow::from(json.as_deref().unwrap_or_default()))))
                }
                None => {}
            }
        }
        for (name, text) in &stored.left_over {
            extra.push((Cow::from(name), Value::String(Cow::from(text))));
        }
        let kept_ip = stored.ip.as_deref().and_then(|text| ip::protect(text, &event, self.ip));
        if stored.ip.is_some() && kept_ip.is_none() && self.ip != IpPolicy::Drop {
            extra.push((Cow::from("ip"), Value::Null));
        }
        let sg_message_id = id(&stored.sg_message_id);
        let message_id =
            sg_message_id.as_deref().and_then(MessageId::from_sg_message_id).map(|id| id.as_str().to_owned());
        let row = EventRow {
            event_key,
            fingerprint,
            timestamp: stored.timestamp,
            address: recipient.map(|recipient| self.address_of(stored, recipient, &redactor)),
            sample: sg_message_id.as_deref().is_some_and(|id| id.trim().starts_with(SAMPLE_MESSAGE)),
            sg_event_id: id(&stored.sg_event_id),
            message_id: message_id.or_else(|| id(&stored.message_id)),
            sg_message_id,
            smtp_id: stored.smtp_id.as_deref().map(|text| ids::smtp_id(text, &redactor).into_owned()),
            category: stored.category.iter().map(|text| redactor.text(text, Kind::Fixed).into_owned()).collect(),
            reason: free(&stored.reason),
            response: free(&stored.response),
            status: fixed(&stored.status),
            r#type: fixed(&stored.r#type),
            bounce_classification: fixed(&stored.bounce_classification),
            attempt: stored.attempt,
            asm_group_id: stored.asm_group_id,
            url: stored.url.as_deref().and_then(|text| url::protect(text, self.url, &redactor)),
            useragent: fixed(&stored.useragent).filter(|_| self.useragent == Presence::Keep),
            ip: kept_ip,
            sg_machine_open: stored.sg_machine_open,
            tls: stored.tls,
            run: fixed(&stored.run),
            recipient: fixed(&stored.recipient),
            request: fixed(&stored.request),
            custom_args: values::custom_args(
                &custom_args,
                &self.drop_custom_args,
                &redactor,
                &self.keys,
                values::UNREADABLE,
            ),
            extra: values::extra(&extra, &redactor, values::UNREADABLE),
            event,
        };
        Imported {
            row,
            // Nothing is received after now: what came in later has to look later.
            received_at: stored.received_at.filter(|at| *at <= now).unwrap_or(now),
            verified_by: verified_by(stored, vouching),
            key_id: recipient.map_or_else(|| self.keys.key_id().to_owned(), |recipient| recipient.key_id.clone()),
        }
    }

    /// Rows as batches, in their order: those together that came in together.
    #[must_use]
    pub fn batches(&self, imported: impl IntoIterator<Item = Imported>) -> Vec<ProtectedBatch> {
        let mut batches: Vec<BatchRow<String>> = Vec::new();
        for Imported { row, received_at, verified_by, key_id } in imported {
            match batches.last_mut() {
                Some(batch)
                    if batch.received_at == received_at
                        && batch.verified_by == verified_by
                        && batch.key_id == key_id =>
                {
                    batch.events.push(row);
                }
                _ => batches.push(BatchRow { received_at, verified_by, key_id, events: vec![row], sealed: Vec::new() }),
            }
        }
        batches.into_iter().map(ProtectedBatch::of_rows).collect()
    }

    /// Bytes of a source that could not be read, sealed, each with why.
    #[must_use]
    pub fn seal<'b>(&self, unread: impl IntoIterator<Item = (&'b [u8], &'b str)>, now: i64) -> ProtectedBatch {
        ProtectedBatch::of_rows(BatchRow {
            received_at: now,
            verified_by: VerifiedBy::Import.as_column().map(str::to_owned),
            key_id: self.keys.key_id().to_owned(),
            events: Vec::new(),
            sealed: unread.into_iter().map(|(bytes, why)| self.keys.seal(bytes, why)).collect(),
        })
    }

    /// Dedupe key and fingerprint: the same as the event has when it comes by the webhook, wherever they can be.
    fn keys_of(&self, stored: &StoredEvent) -> ([u8; 16], [u8; 16]) {
        // Keyed digests of another key file mean nothing here.
        let fits = stored.key_id.as_deref().is_none_or(|id| self.keys.knows(id));
        let digest = |what: &str, bytes: &[u8]| self.keys.imported_digest(what, bytes);
        let fingerprint = match stored.fingerprint {
            Some(fingerprint) if fits => fingerprint,
            Some(fingerprint) => digest("fingerprint", &fingerprint),
            None => digest("event", stored.canonical().as_bytes()),
        };
        let name = stored.event.trim().to_lowercase();
        let event_key = match (stored.usable_event_id(), stored.event_key) {
            // What was redacted is not what was sent.
            (Some(id), Some(key)) if fits && (id.contains(REPLACEMENT) || name.contains(REPLACEMENT)) => key,
            (Some(id), _) => event_key_of_id(id, &name, stored.timestamp),
            (None, Some(key)) if fits => key,
            (None, Some(key)) => digest("key", &key),
            (None, None) => fingerprint,
        };
        (event_key, fingerprint)
    }

    fn address_of(
        &self,
        stored: &StoredEvent,
        recipient: &Recipient<'_>,
        redactor: &Redactor<'_>,
    ) -> AddressRow<String> {
        let told = stored
            .email_domain
            .as_deref()
            .map(|text| text.rsplit('@').next().unwrap_or_default().trim().to_lowercase());
        let told = told.filter(|text| !text.is_empty()).map(|text| redactor.text(&text, Kind::Fixed).into_owned());
        AddressRow {
            email_hash: *recipient.hash.as_bytes(),
            email_domain: recipient.address.and_then(address::domain).or(told).filter(|_| self.email_domain),
            email: recipient.address.filter(|_| self.keep_address).map(|address| address.trim().to_owned()),
        }
    }
}

fn verified_by(stored: &StoredEvent, vouching: Vouching) -> Option<String> {
    let said = VerifiedBy::from_column(stored.verified_by.as_deref());
    let is_ours = stored.event_key.is_some();
    let proof = match (said, vouching) {
        (VerifiedBy::Test, _) => VerifiedBy::Test,
        (VerifiedBy::Nothing, _) if is_ours && stored.verified_by.is_none() => VerifiedBy::Nothing,
        (said, Vouching::AsStored) if said != VerifiedBy::Nothing => said,
        _ => VerifiedBy::Import,
    };
    proof.as_column().map(str::to_owned)
}

#[cfg(test)]
mod tests;
