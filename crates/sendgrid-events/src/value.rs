//! A JSON value that loses nothing: numbers stay the tokens that were sent, object keys keep their order and their
//! repetitions. Built over `serde_json`'s lexer; `serde_json::Value` would round numbers and drop repeated keys.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A decoded JSON value that borrows from the body where it can.
#[derive(Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as the token that was sent (`1`, `1.0` and `1e0` stay three different values).
    Number(Cow<'a, str>),
    /// A string with its escapes decoded.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object, in the order sent; a key may occur more than once.
    Object(Object<'a>),
}

/// The members of an object in the order sent.
pub type Object<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

impl<'a> Value<'a> {
    /// Decodes one JSON value.
    ///
    /// Recursion follows the nesting of `json`, so the caller bounds that first (the batch splitter does).
    ///
    /// # Errors
    /// When `json` is not one whole JSON value.
    pub(crate) fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        let raw: &'a RawValue = serde_json::from_str(json)?;
        Self::from_raw(raw.get())
    }

    fn from_raw(token: &'a str) -> Result<Self, serde_json::Error> {
        Ok(match token.as_bytes().first() {
            Some(b'"') => Value::String(parse_string(token)?),
            Some(b'{') => Value::Object(parse_object(token)?),
            Some(b'[') => {
                let items = serde_json::from_str::<RawItems<'a>>(token)?.0;
                Value::Array(items.into_iter().map(|item| Self::from_raw(item.get())).collect::<Result<_, _>>()?)
            }
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(Cow::Borrowed(token)),
        })
    }

    /// The string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Writes this value as JSON without white space, members in the order sent.
    pub fn write_json(&self, out: &mut String) {
        self.write(out, false);
    }

    /// Writes this value in canonical form: as [`write_json`](Self::write_json), with the members of every object
    /// sorted by the bytes of their keys (repeated keys stay in the order sent).
    pub fn write_canonical(&self, out: &mut String) {
        self.write(out, true);
    }

    fn write(&self, out: &mut String, canonical: bool) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(token) => out.push_str(token),
            Value::String(text) => write_string(text, out),
            Value::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out, canonical);
                }
                out.push(']');
            }
            Value::Object(members) if canonical => {
                let mut sorted: Vec<&(Cow<'_, str>, Value<'_>)> = members.iter().collect();
                sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
                write_members(sorted.into_iter().map(|(key, value)| (key.as_ref(), value)), out, canonical);
            }
            Value::Object(members) => {
                write_members(members.iter().map(|(key, value)| (key.as_ref(), value)), out, canonical);
            }
        }
    }
}

/// Shows the kind of value only: values hold what customers wrote.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Value::Null => "Null",
            Value::Bool(_) => "Bool(..)",
            Value::Number(_) => "Number(..)",
            Value::String(_) => "String(..)",
            Value::Array(_) => "Array(..)",
            Value::Object(_) => "Object(..)",
        })
    }
}

pub(crate) fn write_members<'v, 'a: 'v>(
    members: impl Iterator<Item = (&'v str, &'v Value<'a>)>,
    out: &mut String,
    canonical: bool,
) {
    out.push('{');
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        value.write(out, canonical);
    }
    out.push('}');
}

/// Writes `text` as a JSON string: `"` and `\` escaped, control characters as `\b \t \n \f \r` or `\u00xx`, all else as is.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    if is_plain(text) {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut rest = text;
    while let Some(at) = rest.bytes().position(needs_escape) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(HEX[usize::from(control >> 4)]));
                out.push(char::from(HEX[usize::from(control & 15)]));
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Decodes one JSON object, repeated keys and number tokens kept.
pub(crate) fn parse_object(json: &str) -> Result<Object<'_>, serde_json::Error> {
    let raw: RawMembers<'_> = serde_json::from_str(json)?;
    raw.0.into_iter().map(|(key, value)| Ok((key.0, Value::from_raw(value.get())?))).collect()
}

/// Decodes a string token. One without escapes is what stands between its quotes: most are, and the token was already
/// read as JSON once. Bytes that JSON forbids in a string take the long way, to be refused there.
fn parse_string(token: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    if let Some(text) = token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
        && is_plain(text)
    {
        return Ok(Cow::Borrowed(text));
    }
    Ok(serde_json::from_str::<Text<'_>>(token)?.0)
}

/// Whether `text` stands in a JSON string as it is. Looks at every byte even after the answer is known: without an early
/// exit the compiler checks many at once.
fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |found, byte| found | needs_escape(byte))
}

/// Bytes that stand in a JSON string only behind a backslash, and the backslash itself.
fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// A string that borrows from the input unless an escape forced a copy.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

struct RawMembers<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawMembers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = RawMembers<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(RawMembers(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct RawItems<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for RawItems<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;
        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = RawItems<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(RawItems(items))
            }
        }
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> String {
        let mut out = String::new();
        Value::parse(json).expect("valid JSON").write_json(&mut out);
        out
    }

    #[test]
    fn number_tokens_and_repeated_keys_survive() {
        let json = r#"{"b":1.0,"a":1e400,"b":-0,"c":[123456789012345678901234567890,true,null]}"#;
        assert_eq!(written(json), json);
    }

    #[test]
    fn canonical_sorts_at_every_depth_and_keeps_repeats_in_order() {
        let mut out = String::new();
        Value::parse(r#" { "b" : {"z":1,"y":2}, "a":"\u00e9", "b":3 } "#).expect("valid").write_canonical(&mut out);
        assert_eq!(out, r#"{"a":"é","b":{"y":2,"z":1},"b":3}"#);
    }

    #[test]
    fn a_key_of_serde_json_s_own_is_an_ordinary_key() {
        let json = r#"{"$serde_json::private::Number":"1","$serde_json::private::RawValue":"2"}"#;
        assert_eq!(written(json), json);
    }

    #[test]
    fn strings_with_and_without_escapes_are_read_as_serde_json_reads_them() {
        for json in [
            r#""""#,
            r#""plain é 🙂""#,
            r#""a\"b""#,
            r#""\u00e9\n\\""#,
            r#""\ud83d\ude42""#,
            r#""\ud800""#,
            r#""\x""#,
            "\"a\tb\"",
            "\"a\nb\"",
            "\"\u{0}\"",
            "\"\u{1f}\"",
            "\"\u{7f}\"",
            "\"",
            "\"a",
            "\"a\\\"",
            r#""a"b""#,
        ] {
            let expected = serde_json::from_str::<String>(json).ok();
            let read = parse_string(json).ok().map(Cow::into_owned);
            assert_eq!(read, expected, "{json:?}");
            let whole = Value::parse(json).ok().and_then(|value| value.as_str().map(str::to_owned));
            assert_eq!(whole, expected, "{json:?}");
        }
    }

    #[test]
    fn strings_are_written_as_serde_json_writes_them() {
        for text in ["", "plain", "a\"b\\c", "\u{0}\u{8}\t\n\u{c}\r\u{1f} é ＠ 🙂"] {
            let mut out = String::new();
            write_string(text, &mut out);
            assert_eq!(out, serde_json::to_string(text).expect("a string serialises"));
        }
    }
}
