//! One event → one row without addresses.

mod imported;

use std::borrow::Cow;
use std::sync::Arc;

use sendgrid_events::value::Object;
use sendgrid_events::{Event, Item, Items, MessageId, Value};
use zeroize::Zeroizing;

use super::address;
use super::batch::{Encoder, ProtectedBatch};
use super::ids;
use super::ip;
use super::key_ring::{KeyRing, event_key_of_id};
use super::redact::{Kind, Redactor};
use super::row::{AddressRow, EventRow, SealedRow};
use super::url;
use super::values;
use crate::config::{IpPolicy, Presence, Privacy, UrlPolicy};
use crate::receive::Authentic;
use crate::run::{RECIPIENT_ARG, REQUEST_ARG, RUN_ARG};

pub use imported::{Imported, Recipient, Vouching};

/// Every sample that SendGrid's console sends on "Test Your Integration" carries this message id.
const SAMPLE_MESSAGE: &str = "14c5d75ce93.dfd.64b469";

/// Why members of a stored event are sealed: a string in them escapes half of a surrogate pair, and so is no text.
const UNPAIRED: &str = "lone_surrogate";

/// Turns events into rows, by the rules of `[privacy]`.
pub struct Protector {
    keys: Arc<KeyRing>,
    keep_address: bool,
    email_domain: bool,
    ip: IpPolicy,
    url: UrlPolicy,
    useragent: Presence,
    drop_custom_args: Vec<String>,
}

impl Protector {
    /// With these keys and rules.
    #[must_use]
    pub fn new(keys: Arc<KeyRing>, privacy: &Privacy) -> Self {
        Self {
            keys,
            keep_address: privacy.keep_address,
            email_domain: privacy.email_domain,
            ip: privacy.ip,
            url: privacy.url,
            useragent: privacy.useragent,
            drop_custom_args: privacy.drop_custom_args.clone(),
        }
    }

    /// Protects what one POST brought: events become rows, rejected parts are sealed.
    #[must_use]
    pub fn protect(&self, items: Items<'_>, post: &Authentic) -> ProtectedBatch {
        // Events take a little less in the batch than in the body.
        let mut encoder = Encoder::new(post.bytes().len());
        for item in items {
            match item {
                Item::Event(event) => self.encode(event, &mut encoder),
                Item::Rejected(part) => encoder.sealed(self.keys.seal(part.bytes, part.why.as_str())),
            }
        }
        encoder.finish(post.received_at, post.verified_by.as_column(), self.keys.key_id())
    }

    fn encode(&self, mut event: Event<'_>, encoder: &mut Encoder) {
        let timestamp = event.timestamp.as_micros();
        let fingerprint = self.keys.fingerprint(&event);
        let event_key = event.usable_event_id().map_or(fingerprint, |id| event_key_of_id(id, &event.event, timestamp));
        let sample = event.sg_message_id.as_deref().is_some_and(|id| id.trim().starts_with(SAMPLE_MESSAGE));

        let email = event.email.take();
        let redactor = Redactor::new(email.as_deref());
        let address = email.as_deref().filter(|email| !email.trim().is_empty()).map(|email| self.address(email));
        if let (None, Some(blank)) = (&address, email.as_deref()) {
            event.extra.push((Cow::Borrowed("email"), Value::String(Cow::Owned(blank.to_owned()))));
        }
        // What mailtrail itself put on the mail has columns; only texts fit them, and each once.
        let mut own = [const { None }; 3];
        event.custom_args.retain_mut(|(key, value)| {
            let column = [RUN_ARG, RECIPIENT_ARG, REQUEST_ARG].iter().position(|name| name == key);
            match (column, value) {
                (Some(at), Value::String(text)) if own[at].is_none() => {
                    own[at] = Some(std::mem::take(text));
                    false
                }
                _ => true,
            }
        });
        let [run, recipient, request] = own;
        let ip = event.ip.take().and_then(|text| {
            let kept = ip::protect(&text, &event.event, self.ip);
            if kept.is_none() && self.ip != IpPolicy::Drop {
                // No IP address: the key is found again in `extra`, without it.
                event.extra.push((Cow::Borrowed("ip"), Value::Null));
            }
            kept
        });

        let unreadable = self.seal_unpaired(&event, email.as_deref());
        let marker = unreadable.as_ref().map(|sealed| format!("[sealed:{}]", hex(&sealed.item_key)));
        let unpaired = marker.as_deref().unwrap_or(values::UNREADABLE);

        let fixed = |text: Option<_>| text.map(|text| changed(text, |t| redactor.text(t, Kind::Fixed)));
        let free = |text: Option<_>| text.map(|text| changed(text, |t| redactor.text(t, Kind::Free)));
        let sg_message_id = event.sg_message_id.map(|text| changed(text, |t| ids::id(t, &redactor)));
        let message_id = sg_message_id.as_deref().and_then(MessageId::part_of);
        encoder.event(&EventRow {
            event_key,
            fingerprint,
            timestamp,
            custom_args: values::custom_args(
                &event.custom_args,
                &self.drop_custom_args,
                &redactor,
                &self.keys,
                unpaired,
            )
            .map(Cow::Owned),
            extra: values::extra(&event.extra, &redactor, unpaired).map(Cow::Owned),
            url: event.url.and_then(|text| url::protect(&text, self.url, &redactor)).map(Cow::Owned),
            ip: ip.map(Cow::Owned),
            useragent: fixed(event.useragent.filter(|_| self.useragent == Presence::Keep)),
            address,
            sg_event_id: event.sg_event_id.map(|text| changed(text, |t| ids::id(t, &redactor))),
            message_id: message_id.map(Cow::Borrowed),
            sg_message_id: sg_message_id.as_deref().map(Cow::Borrowed),
            smtp_id: event.smtp_id.map(|text| changed(text, |t| ids::smtp_id(t, &redactor))),
            category: event.category.into_iter().map(|text| changed(text, |t| redactor.text(t, Kind::Fixed))).collect(),
            event: changed(event.event, |t| redactor.text(t, Kind::Fixed)),
            reason: free(event.reason),
            response: free(event.response),
            status: fixed(event.status),
            r#type: fixed(event.r#type),
            bounce_classification: fixed(event.bounce_classification),
            attempt: event.attempt,
            asm_group_id: event.asm_group_id,
            sg_machine_open: event.sg_machine_open,
            tls: event.tls,
            run: fixed(run),
            recipient: fixed(recipient),
            request: fixed(request),
            sample,
        });
        unreadable.into_iter().for_each(|sealed| encoder.sealed(sealed));
    }

    /// Seals the members of an event that hold a string which is no text. With them goes what says whose event it is, so that `forget`
    /// finds them; names that keep `replay` from taking them for an event.
    fn seal_unpaired(&self, event: &Event<'_>, email: Option<&str>) -> Option<SealedRow<String>> {
        let is_kept = |key: &str| !self.drop_custom_args.iter().any(|name| name == key);
        let custom_args = event.custom_args.iter().filter(|(key, _)| is_kept(key));
        let members = custom_args.chain(&event.extra).filter(|(_, value)| value.has_unpaired());
        let members: Object<'_> = members.cloned().collect();
        if members.is_empty() {
            return None;
        }
        let of = [("email", email), ("sg_event_id", event.sg_event_id.as_deref())];
        let of = of.into_iter().filter_map(|(name, text)| Some((name.into(), Value::String(text?.into()))));
        let whole =
            Value::Object(vec![("of".into(), Value::Object(of.collect())), ("members".into(), Value::Object(members))]);
        let mut json = Zeroizing::new(String::new());
        whole.write_json(&mut json);
        Some(self.keys.seal(json.as_bytes(), UNPAIRED))
    }

    fn address<'e>(&self, email: &'e str) -> AddressRow<Cow<'e, str>> {
        AddressRow {
            email_hash: *self.keys.email_hash(email).as_bytes(),
            email_domain: address::domain(email).filter(|_| self.email_domain).map(Cow::Owned),
            email: self.keep_address.then(|| Cow::Borrowed(email.trim())),
        }
    }
}

/// The text after `change`, which gives back what it leaves as it is; a copy only of what is changed.
fn changed<'t>(text: Cow<'t, str>, change: impl for<'c> Fn(&'c str) -> Cow<'c, str>) -> Cow<'t, str> {
    match text {
        Cow::Borrowed(text) => change(text),
        Cow::Owned(text) => match change(&text) {
            Cow::Owned(changed) => Cow::Owned(changed),
            Cow::Borrowed(_) => Cow::Owned(text),
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
