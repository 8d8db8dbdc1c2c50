//! An event's columns as another store has them.

use std::fmt;

use sendgrid_events::value::write_string;
use zeroize::Zeroizing;

/// An event as another store keeps it. Nothing of it is trusted: no text, and not what it says of itself. May hold addresses, so
/// it shows nothing.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub struct StoredEvent {
    pub event: String,
    /// µs since the epoch.
    pub timestamp: i64,
    pub sg_event_id: Option<String>,
    pub email: Option<Zeroizing<String>>,
    /// As the source has it, whatever made it.
    pub email_hash: Option<String>,
    pub email_domain: Option<String>,
    pub sg_message_id: Option<String>,
    pub message_id: Option<String>,
    pub smtp_id: Option<String>,
    pub category: Vec<String>,
    pub reason: Option<String>,
    pub response: Option<String>,
    pub status: Option<String>,
    pub r#type: Option<String>,
    pub bounce_classification: Option<String>,
    pub attempt: Option<i64>,
    pub asm_group_id: Option<i64>,
    pub url: Option<String>,
    pub useragent: Option<String>,
    pub ip: Option<String>,
    pub sg_machine_open: Option<bool>,
    pub tls: Option<bool>,
    pub run: Option<String>,
    pub recipient: Option<String>,
    pub request: Option<String>,
    /// A JSON object.
    pub custom_args: Option<String>,
    /// A JSON object.
    pub extra: Option<String>,
    /// Values that fit no column of theirs, by its name.
    pub left_over: Vec<(String, String)>,
    /// µs since the epoch.
    pub received_at: Option<i64>,
    pub verified_by: Option<String>,
    pub key_id: Option<String>,
    /// Only mailtrail's own tables have it.
    pub event_key: Option<[u8; 16]>,
    pub fingerprint: Option<[u8; 16]>,
}

impl StoredEvent {
    /// Bytes of its texts.
    #[must_use]
    pub fn size(&self) -> usize {
        let texts = [
            &self.sg_event_id,
            &self.email_hash,
            &self.email_domain,
            &self.sg_message_id,
            &self.message_id,
            &self.smtp_id,
            &self.reason,
            &self.response,
            &self.status,
            &self.r#type,
            &self.bounce_classification,
            &self.url,
            &self.useragent,
            &self.ip,
            &self.run,
            &self.recipient,
            &self.request,
            &self.custom_args,
            &self.extra,
            &self.verified_by,
            &self.key_id,
        ];
        let lists = self.category.iter().chain(self.left_over.iter().map(|(_, text)| text));
        let email = self.email.as_ref().map_or(0, |email| email.len());
        texts.into_iter().flatten().chain(lists).map(String::len).sum::<usize>() + self.event.len() + email
    }

    /// The `sg_event_id` where it tells events apart.
    pub(super) fn usable_event_id(&self) -> Option<&str> {
        self.sg_event_id.as_deref().map(str::trim).filter(|id| !id.is_empty())
    }

    /// The event without its ids, one text the same for the same columns, whatever file or table they come from. Holds what
    /// the source holds: for keyed digests only.
    pub(super) fn canonical(&self) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(512));
        let mut member = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                write_string(name, &mut out);
                out.push(':');
                write_string(value, &mut out);
                out.push(',');
            }
        };
        let number = |value: Option<i64>| value.map(|number| number.to_string());
        let flag = |value: Option<bool>| value.map(|flag| flag.to_string());
        member("event", Some(&self.event));
        member("timestamp", Some(&self.timestamp.to_string()));
        member("email_hash", self.email_hash.as_deref().map(str::to_ascii_lowercase).as_deref());
        // Who has a hash is told by it, whether or not an address stands beside it.
        if self.email_hash.is_none() {
            // With quotes kept, because keys of earlier versions were made so.
            member("email", self.email.as_deref().map(|email| super::address::lower(email)).as_deref());
        }
        for (name, value) in [
            ("sg_message_id", &self.sg_message_id),
            ("message_id", &self.message_id),
            ("smtp_id", &self.smtp_id),
            ("reason", &self.reason),
            ("response", &self.response),
            ("status", &self.status),
            ("type", &self.r#type),
            ("bounce_classification", &self.bounce_classification),
            ("url", &self.url),
            ("useragent", &self.useragent),
            ("ip", &self.ip),
            ("run", &self.run),
            ("recipient", &self.recipient),
            ("request", &self.request),
            ("custom_args", &self.custom_args),
            ("extra", &self.extra),
        ] {
            member(name, value.as_deref());
        }
        self.category.iter().for_each(|name| member("category", Some(name)));
        member("attempt", number(self.attempt).as_deref());
        member("asm_group_id", number(self.asm_group_id).as_deref());
        member("sg_machine_open", flag(self.sg_machine_open).as_deref());
        member("tls", flag(self.tls).as_deref());
        out
    }
}

impl fmt::Debug for StoredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredEvent").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}
