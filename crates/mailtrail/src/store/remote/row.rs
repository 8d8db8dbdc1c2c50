//! A row as it came: its columns in their order; and a row that is an event.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::store::query::EventRecord;

/// A row: names and values in the order of the answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row(pub Vec<(String, Value)>);

impl Row {
    /// The value of a column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, value)| value)
    }

    /// The text of a column.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        self.get(column)?.as_str()
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Vec::new();
                while let Some(column) = map.next_entry()? {
                    row.push(column);
                }
                Ok(Row(row))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A time, µs since the epoch.
#[derive(Clone, Copy)]
struct Moment(i64);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        micros(&text).map(Self).ok_or_else(|| D::Error::custom("no time"))
    }
}

/// RFC 3339 as µs since the epoch.
pub(super) fn micros(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// A row of events, as `show::record` names its columns; what a later version adds is left out.
#[derive(Deserialize)]
pub(super) struct EventRow {
    sg_event_id: Option<String>,
    event: String,
    timestamp: Moment,
    email_hash: Option<String>,
    email_domain: Option<String>,
    email: Option<String>,
    sg_message_id: Option<String>,
    message_id: Option<String>,
    smtp_id: Option<String>,
    category: Vec<String>,
    reason: Option<String>,
    response: Option<String>,
    status: Option<String>,
    r#type: Option<String>,
    bounce_classification: Option<String>,
    attempt: Option<i64>,
    asm_group_id: Option<i64>,
    url: Option<String>,
    useragent: Option<String>,
    ip: Option<String>,
    sg_machine_open: Option<bool>,
    tls: Option<bool>,
    run: Option<String>,
    recipient: Option<String>,
    request: Option<String>,
    custom_args: Option<Box<RawValue>>,
    extra: Option<Box<RawValue>>,
    received_at: Moment,
    verified_by: Option<String>,
    key_id: Option<String>,
    event_key: String,
    fingerprint: String,
    id: Option<i64>,
}

impl From<EventRow> for EventRecord {
    fn from(row: EventRow) -> Self {
        let json = |raw: Option<Box<RawValue>>| raw.map(|raw| unescaped(raw.get()));
        Self {
            id: row.id.unwrap_or_default(),
            sg_event_id: row.sg_event_id,
            event: row.event,
            timestamp: row.timestamp.0,
            email_hash: row.email_hash,
            email_domain: row.email_domain,
            email: row.email,
            sg_message_id: row.sg_message_id,
            message_id: row.message_id,
            smtp_id: row.smtp_id,
            category: row.category,
            reason: row.reason,
            response: row.response,
            status: row.status,
            r#type: row.r#type,
            bounce_classification: row.bounce_classification,
            attempt: row.attempt,
            asm_group_id: row.asm_group_id,
            url: row.url,
            useragent: row.useragent,
            ip: row.ip,
            sg_machine_open: row.sg_machine_open,
            tls: row.tls,
            run: row.run,
            recipient: row.recipient,
            request: row.request,
            custom_args: json(row.custom_args),
            extra: json(row.extra),
            received_at: row.received_at.0,
            verified_by: row.verified_by,
            key_id: row.key_id,
            event_key: row.event_key,
            fingerprint: row.fingerprint,
        }
    }
}

/// JSON as the trail has it, where nothing beyond ASCII is escaped; on its way, what would steer a terminal is.
fn unescaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (unit, low) = (unit(escape), escape.get(6..).and_then(unit));
        let (character, length) = match unit {
            Some(high @ 0xd800..=0xdbff) => {
                let pair = [high, low.unwrap_or_default()];
                (char::decode_utf16(pair).next().and_then(Result::ok), 12)
            }
            Some(unit) if unit >= 0x7f => (char::from_u32(u32::from(unit)), 6),
            _ => (None, 0),
        };
        // Any other escape is kept: its backslash and what follows, which may be a backslash.
        let kept = escape.chars().take(2).map(char::len_utf8).sum();
        let length = if let Some(character) = character {
            out.push(character);
            length
        } else {
            out.push_str(&escape[..kept]);
            kept
        };
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// The code unit of `\uXXXX` at the beginning.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::show::{json, record};

    /// Texts, some of them unpleasant, and what stands where there is none.
    fn text() -> impl Strategy<Value = Option<String>> {
        prop::option::of(prop_oneof![".{0,12}", "[\\\\\"u0-9a-f\u{202e}\u{7f}\u{e0001}\n]{0,12}"])
    }

    /// A JSON object as `protect` writes it.
    fn object() -> impl Strategy<Value = Option<String>> {
        text().prop_map(|text| {
            let mut json = "{\"a\":[1.50,".to_owned();
            sendgrid_events::value::write_string(&text?, &mut json);
            json.push_str("]}");
            Some(json)
        })
    }

    prop_compose! {
        fn event_record()(
            texts in prop::collection::vec(text(), 19),
            times in prop::array::uniform2(1_230_768_000_000_000_i64..4_102_444_800_000_000),
            numbers in prop::array::uniform2(prop::option::of(any::<i64>())),
            flags in prop::array::uniform2(prop::option::of(any::<bool>())),
            objects in prop::array::uniform2(object()),
            category in prop::collection::vec(".{0,8}", 0..3),
            id in 0_i64..1_000,
        ) -> EventRecord {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().flatten();
            let [custom_args, extra] = objects;
            EventRecord {
                id,
                sg_event_id: text(),
                event: text().unwrap_or_default(),
                timestamp: times[0],
                email_hash: text(),
                email_domain: text(),
                email: text(),
                sg_message_id: text(),
                message_id: text(),
                smtp_id: text(),
                category,
                reason: text(),
                response: text(),
                status: text(),
                r#type: text(),
                bounce_classification: text(),
                attempt: numbers[0],
                asm_group_id: numbers[1],
                url: text(),
                useragent: text(),
                ip: text(),
                sg_machine_open: flags[0],
                tls: flags[1],
                run: text(),
                recipient: text(),
                request: text(),
                custom_args,
                extra,
                received_at: times[1],
                verified_by: text(),
                key_id: None,
                event_key: "00ff".to_owned(),
                fingerprint: "ff00".to_owned(),
            }
        }
    }

    #[test]
    fn escapes_of_the_way_are_undone_and_no_others() {
        for (given, expected) in [
            (r#"{"a":"\u202e\u007f"}"#, "{\"a\":\"\u{202e}\u{7f}\"}"),
            (r#"{"a":"\udb40\udc01x"}"#, "{\"a\":\"\u{e0001}x\"}"),
            (r#"{"a":"\\u202e \" \u001b \n"}"#, r#"{"a":"\\u202e \" \u001b \n"}"#),
            (r#"{"a":"\\\u202e"}"#, "{\"a\":\"\\\\\u{202e}\"}"),
            (r#""\ud800""#, r#""\ud800""#),
            (r"\", r"\"),
        ] {
            assert_eq!(unescaped(given), expected);
        }
    }

    proptest! {
        /// What the API writes of an event reads back as the event.
        #[test]
        fn a_row_reads_back(event in event_record()) {
            let columns: Vec<String> = record::COLUMNS.map(str::to_owned).to_vec();
            let mut line = Vec::new();
            json::line(&mut line, &columns, &record::cells(event.clone())).unwrap();
            let row: EventRow = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(EventRecord::from(row), event);
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _unescaped = unescaped(&text);
        }
    }
}
