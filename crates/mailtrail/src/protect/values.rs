//! Custom args and SendGrid's other keys: walked key by key, value by value, and written anew.

use std::borrow::Cow;

use sendgrid_events::Value;
use sendgrid_events::value::{Object, write_string};

use super::key_ring::KeyRing;
use super::redact::{Kind, REPLACEMENT, Redactor};

/// Keys of SendGrid's without a column whose values are free text.
const FREE_EXTRA: [&str; 3] = ["message", "reason", "response"];

/// What stands for a value that is not kept.
const DROPPED: &str = "[dropped]";

/// What stands for a string that is no text and is not sealed either, because its source is still there (`import`).
pub(super) const UNREADABLE: &str = "[unreadable]";

/// The caller's own keys as a JSON object; `None` where there are none. `unpaired` stands for a string that is no text.
pub(super) fn custom_args(
    members: &Object<'_>,
    dropped: &[String],
    redactor: &Redactor<'_>,
    keys: &KeyRing,
    unpaired: &str,
) -> Option<String> {
    let mut out = String::with_capacity(room(members));
    for (key, value) in members {
        open_member(&mut out, key, redactor);
        if dropped.iter().any(|name| name == key.as_ref()) {
            write_string(DROPPED, &mut out);
            continue;
        }
        match value {
            // Names of runs and ids of ours are no free text.
            value if key.starts_with("mailtrail_") => write_value(value, (Kind::Fixed, unpaired), redactor, &mut out),
            // A value that is an address as a whole stays joinable.
            Value::String(text) if redactor.is_address(text) => {
                write_string(&format!("[email:{}]", keys.email_hash(text)), &mut out);
            }
            value => write_value(value, (Kind::Free, unpaired), redactor, &mut out),
        }
    }
    close(out)
}

/// SendGrid's other keys as a JSON object; `None` where there are none.
///
/// `url`, `ip` and `useragent` are here only where they came twice or fitted no column: their policies hold for texts of
/// columns, so of these nothing stays but the key.
pub(super) fn extra(members: &Object<'_>, redactor: &Redactor<'_>, unpaired: &str) -> Option<String> {
    let mut out = String::with_capacity(room(members));
    for (key, value) in members {
        open_member(&mut out, key, redactor);
        if matches!(key.as_ref(), "url" | "ip" | "useragent") {
            write_string(DROPPED, &mut out);
            continue;
        }
        let kind = if FREE_EXTRA.contains(&key.as_ref()) { Kind::Free } else { Kind::Fixed };
        write_value(value, (kind, unpaired), redactor, &mut out);
    }
    close(out)
}

/// Bytes for most members of this many.
fn room(members: &Object<'_>) -> usize {
    members.len() * 48
}

fn open_member(out: &mut String, key: &str, redactor: &Redactor<'_>) {
    out.push(if out.is_empty() { '{' } else { ',' });
    write_string(&redactor.text(key, Kind::Fixed), out);
    out.push(':');
}

fn close(mut out: String) -> Option<String> {
    if out.is_empty() {
        return None;
    }
    out.push('}');
    Some(out)
}

/// What texts become on their way into a row, or within one.
pub(super) trait Cleaner {
    fn text<'t>(&self, text: &'t str, kind: Kind) -> Cow<'t, str>;

    /// Whether a number in free text goes.
    fn hides_number(&self, token: &str) -> bool;
}

impl Cleaner for Redactor<'_> {
    fn text<'t>(&self, text: &'t str, kind: Kind) -> Cow<'t, str> {
        Redactor::text(self, text, kind)
    }

    fn hides_number(&self, token: &str) -> bool {
        self.is_local_part(token)
    }
}

/// An object with its texts cleaned, keys included.
pub(super) fn cleaned(members: &Object<'_>, cleaner: &impl Cleaner) -> String {
    let mut out = String::with_capacity(room(members));
    write_members(members, (Kind::Fixed, DROPPED), cleaner, &mut out);
    out
}

fn write_members(members: &Object<'_>, (kind, unpaired): (Kind, &str), cleaner: &impl Cleaner, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(&cleaner.text(key, Kind::Fixed), out);
        out.push(':');
        write_value(value, (kind, unpaired), cleaner, out);
    }
    out.push('}');
}

fn write_value(value: &Value<'_>, (kind, unpaired): (Kind, &str), cleaner: &impl Cleaner, out: &mut String) {
    match value {
        Value::Unpaired(_) => write_string(unpaired, out),
        Value::String(text) => write_string(&cleaner.text(text, kind), out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, (kind, unpaired), cleaner, out);
            }
            out.push(']');
        }
        Value::Object(members) => write_members(members, (kind, unpaired), cleaner, out),
        Value::Number(token) if kind == Kind::Free && cleaner.hides_number(token) => write_string(REPLACEMENT, out),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.write_json(out),
    }
}
