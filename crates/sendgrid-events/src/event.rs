//! One event: typed fields where SendGrid documents a type, everything else kept as sent.

use std::borrow::Cow;

use crate::fields::{self, Column, Place};
use crate::ids::MessageId;
use crate::timestamp::Timestamp;
use crate::value::{Form, Object, Value};

/// The twelve types of event that SendGrid documents (Event reference), as `event` has them.
pub const EVENT_NAMES: [&str; 12] = [
    "processed",
    "deferred",
    "delivered",
    "bounce",
    "dropped",
    "open",
    "click",
    "spamreport",
    "unsubscribe",
    "group_unsubscribe",
    "group_resubscribe",
    "account_status_change",
];

/// A decoded event, borrowing from the body.
///
/// Every key received is in a field, in [`custom_args`](Self::custom_args) or in [`extra`](Self::extra). A value that
/// does not fit its field (a number as `reason`, text as `attempt`) leaves the field empty and stands in `extra`; so does
/// each repetition of a key after the first that fitted. `null` fits every field as its absence.
///
/// Holds what customers wrote, addresses among it, so `Debug` shows the type and time only.
#[derive(Clone)]
pub struct Event<'a> {
    /// `event`, trimmed, lower case: one of SendGrid's twelve or anything else it may send one day.
    pub event: Cow<'a, str>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The recipient, as sent; absent on `account_status_change`.
    pub email: Option<Cow<'a, str>>,
    /// As sent. Unique for each event where present, but repeats may carry another.
    pub sg_event_id: Option<Cow<'a, str>>,
    /// As sent; absent on asynchronous bounces. See [`message_id`](Self::message_id).
    pub sg_message_id: Option<Cow<'a, str>>,
    /// `smtp-id`, as sent; of relayed mail it is the client's own Message-ID.
    pub smtp_id: Option<Cow<'a, str>>,
    /// Always a list, in the order sent; a string becomes a list of one.
    pub category: Vec<Cow<'a, str>>,
    /// Why it bounced, was dropped or deferred: free text of the remote server.
    pub reason: Option<Cow<'a, str>>,
    /// What the remote server said.
    pub response: Option<Cow<'a, str>>,
    /// Enhanced (`5.1.1`) or plain (`550`) status code.
    pub status: Option<Cow<'a, str>>,
    /// `type`: of a bounce `bounce` or `blocked`; of `account_status_change` what happened.
    pub r#type: Option<Cow<'a, str>>,
    /// SendGrid's class of a bounce; its spelling differs between its own APIs.
    pub bounce_classification: Option<Cow<'a, str>>,
    /// Which attempt, zero-based; a string on the wire.
    pub attempt: Option<i64>,
    /// Unsubscribe group.
    pub asm_group_id: Option<i64>,
    /// The link of a click.
    pub url: Option<Cow<'a, str>>,
    /// The reader's user agent.
    pub useragent: Option<Cow<'a, str>>,
    /// The sending server's address on delivery events, the reader's on engagement events.
    pub ip: Option<Cow<'a, str>>,
    /// Whether a machine (Apple Mail Privacy Protection) opened it; often omitted when false.
    pub sg_machine_open: Option<bool>,
    /// Whether TLS was used; often omitted when not.
    pub tls: Option<bool>,
    /// The caller's own keys, in the order sent.
    pub custom_args: Object<'a>,
    /// SendGrid's keys without a field, and values that did not fit theirs, in the order sent.
    pub extra: Object<'a>,
    canonical: String,
}

/// Why an object is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAnEvent {
    NoEventName,
    NoTimestamp,
}

impl std::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

impl<'a> Event<'a> {
    /// `object`: as [`crate::reader`] read it.
    pub(crate) fn from_object(object: Object<'a>) -> Result<Self, NotAnEvent> {
        let name = object.iter().find_map(|(key, value)| match value {
            Value::String(text) if key == "event" && !text.trim().is_empty() => Some(text),
            _ => None,
        });
        let name: Cow<'a, str> = match name.ok_or(NotAnEvent::NoEventName)? {
            Cow::Borrowed(text) if is_normal(text.trim()) => Cow::Borrowed(text.trim()),
            text => Cow::Owned(text.trim().to_lowercase()),
        };
        let timestamp = object
            .iter()
            .filter(|(key, _)| key == "timestamp")
            .find_map(|(_, value)| Timestamp::from_value(value))
            .ok_or(NotAnEvent::NoTimestamp)?;
        let canonical = canonical(&object);
        let mut event = Self::empty(name, timestamp, canonical);
        // `event` and `timestamp` were found above; a repetition that differs is kept like any other.
        let (mut name_seen, mut time_seen) = (false, false);
        for (key, value) in object {
            match fields::place(&event.event, &key) {
                Place::CustomArg => event.custom_args.push((key, value)),
                Place::Extra => event.extra.push((key, value)),
                Place::Column(column) => {
                    let left_over = match column {
                        Column::Event => {
                            keep_first(&mut name_seen, value, |v| v.as_str().is_some_and(|s| !s.trim().is_empty()))
                        }
                        Column::Timestamp => keep_first(&mut time_seen, value, |v| Timestamp::from_value(v).is_some()),
                        column => event.fill(column, value),
                    };
                    if let Some(value) = left_over {
                        event.extra.push((key, value));
                    }
                }
            }
        }
        Ok(event)
    }

    fn empty(event: Cow<'a, str>, timestamp: Timestamp, canonical: String) -> Self {
        Self {
            event,
            timestamp,
            email: None,
            sg_event_id: None,
            sg_message_id: None,
            smtp_id: None,
            category: Vec::new(),
            reason: None,
            response: None,
            status: None,
            r#type: None,
            bounce_classification: None,
            attempt: None,
            asm_group_id: None,
            url: None,
            useragent: None,
            ip: None,
            sg_machine_open: None,
            tls: None,
            custom_args: Vec::new(),
            extra: Vec::new(),
            canonical,
        }
    }

    /// Puts `value` into its field; gives it back where it does not fit or the field is taken.
    fn fill(&mut self, column: Column, value: Value<'a>) -> Option<Value<'a>> {
        match column {
            Column::Email => fill_text(&mut self.email, value),
            Column::SgEventId => fill_text(&mut self.sg_event_id, value),
            Column::SgMessageId => fill_text(&mut self.sg_message_id, value),
            Column::SmtpId => fill_text(&mut self.smtp_id, value),
            Column::Reason => fill_text(&mut self.reason, value),
            Column::Response => fill_text(&mut self.response, value),
            Column::Status => fill_text(&mut self.status, value),
            Column::Type => fill_text(&mut self.r#type, value),
            Column::BounceClassification => fill_text(&mut self.bounce_classification, value),
            Column::Url => fill_text(&mut self.url, value),
            Column::Useragent => fill_text(&mut self.useragent, value),
            Column::Ip => fill_text(&mut self.ip, value),
            Column::Attempt => fill_integer(&mut self.attempt, value),
            Column::AsmGroupId => fill_integer(&mut self.asm_group_id, value),
            Column::SgMachineOpen => fill_parsed(&mut self.sg_machine_open, value, boolean),
            Column::Tls => fill_parsed(&mut self.tls, value, boolean),
            Column::Category => fill_category(&mut self.category, value),
            Column::Event | Column::Timestamp => Some(value),
        }
    }

    /// The part of `sg_message_id` that equals the `X-Message-Id` of the API response.
    #[must_use]
    pub fn message_id(&self) -> Option<MessageId> {
        MessageId::from_sg_message_id(self.sg_message_id.as_deref()?)
    }

    /// The `sg_event_id` where it can tell events apart: present and not blank; trimmed.
    #[must_use]
    pub fn usable_event_id(&self) -> Option<&str> {
        self.sg_event_id.as_deref().map(str::trim).filter(|id| !id.is_empty())
    }

    /// The raw event in canonical form, without a usable `sg_event_id`: JSON without white space, members sorted by the
    /// bytes of their keys at every depth, strings decoded and written with the fewest escapes, numbers as their tokens,
    /// repeated keys in the order sent. The same event under another id has the same canonical form.
    ///
    /// Holds plain addresses: for keyed digests only.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// `object`: as read.
fn canonical(object: &Object<'_>) -> String {
    let members = object
        .iter()
        .filter(|(key, value)| !(key == "sg_event_id" && value.as_str().is_some_and(|id| !id.trim().is_empty())));
    let mut out = String::with_capacity(512);
    Form { sorted: true, as_read: true }.write_sorted(members, &mut out);
    out
}

fn is_normal(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn keep_first<'a>(seen: &mut bool, value: Value<'a>, fits: impl Fn(&Value<'a>) -> bool) -> Option<Value<'a>> {
    if !*seen && fits(&value) {
        *seen = true;
        return None;
    }
    Some(value)
}

fn fill_text<'a>(field: &mut Option<Cow<'a, str>>, value: Value<'a>) -> Option<Value<'a>> {
    match value {
        Value::Null => None,
        Value::String(text) if field.is_none() => {
            *field = Some(text);
            None
        }
        value => Some(value),
    }
}

fn fill_parsed<'a, T>(
    field: &mut Option<T>,
    value: Value<'a>,
    parse: fn(&Value<'_>) -> Option<T>,
) -> Option<Value<'a>> {
    if matches!(value, Value::Null) {
        return None;
    }
    match parse(&value) {
        Some(parsed) if field.is_none() => {
            *field = Some(parsed);
            None
        }
        _ => Some(value),
    }
}

/// As [`fill_parsed`]. A number that is an integer in another notation (`12.0`) fills the field, and is also given back as sent.
fn fill_integer<'a>(field: &mut Option<i64>, value: Value<'a>) -> Option<Value<'a>> {
    let left_over = fill_parsed(field, value, integer)?;
    if field.is_none() {
        *field = whole(&left_over);
    }
    Some(left_over)
}

fn fill_category<'a>(field: &mut Vec<Cow<'a, str>>, value: Value<'a>) -> Option<Value<'a>> {
    match value {
        Value::Null => None,
        Value::String(text) if field.is_empty() => {
            field.push(text);
            None
        }
        Value::Array(items) if field.is_empty() => {
            let all_fit = items.iter().all(|item| item.as_str().is_some());
            field.extend(items.iter().filter_map(|item| match item {
                Value::String(text) => Some(text.clone()),
                _ => None,
            }));
            // What is no name is kept in the list as sent.
            (!all_fit).then_some(Value::Array(items))
        }
        value => Some(value),
    }
}

/// An integer, or a string that holds one.
fn integer(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Number(token) => token.parse().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A number without a fraction, however it is written, that a double holds exactly.
fn whole(value: &Value<'_>) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number: f64 = match value {
        Value::Number(token) => token.parse().ok()?,
        Value::String(text) if text.trim().bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-')) => {
            text.trim().parse().ok()?
        }
        _ => return None,
    };
    (number.fract() == 0.0 && number.abs() <= EXACT).then(|| format!("{number:.0}").parse().ok())?
}

/// A boolean, `0` or `1`, or a string that holds one of these: `tls` is `1` on the wire, `"1"` in one capture.
fn boolean(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Number(token) | Value::String(token) => match token.trim() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
