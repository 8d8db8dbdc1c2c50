//! A JSON value that loses nothing: numbers stay the tokens that were sent, object keys keep their order and their
//! repetitions (`serde_json::Value` would round numbers and drop repeated keys).

use std::borrow::Cow;
use std::fmt;

use crate::reader::{Malformed, Reader};
use crate::scan::special;

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
    /// A string that is no text, because it escapes half of a surrogate pair (`"\\ud800"`; RFC 8259 §8.2): the token as sent, with its quotes.
    Unpaired(Cow<'a, str>),
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
    pub(crate) fn parse(json: &'a str) -> Result<Self, Malformed> {
        Reader::new(json).whole_value()
    }

    /// The string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is, or holds at any depth, a string that is no text.
    #[must_use]
    pub fn has_unpaired(&self) -> bool {
        match self {
            Value::Unpaired(_) => true,
            Value::Array(items) => items.iter().any(Value::has_unpaired),
            Value::Object(members) => members.iter().any(|(_, value)| value.has_unpaired()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
    }

    /// Writes this value as JSON without white space, members in the order sent.
    pub fn write_json(&self, out: &mut String) {
        self.write(out, Form { sorted: false, as_read: false });
    }

    /// Writes this value in canonical form: as [`write_json`](Self::write_json), with the members of every object
    /// sorted by the bytes of their keys (repeated keys stay in the order sent).
    pub fn write_canonical(&self, out: &mut String) {
        self.write(out, Form { sorted: true, as_read: false });
    }

    fn write(&self, out: &mut String, form: Form) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(true) => out.push_str("true"),
            Value::Bool(false) => out.push_str("false"),
            Value::Number(token) | Value::Unpaired(token) => out.push_str(token),
            Value::String(text) => form.write_string(text, out),
            Value::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out, form);
                }
                out.push(']');
            }
            Value::Object(members) if form.sorted => form.write_sorted(members.iter(), out),
            Value::Object(members) => form.write_members(members.iter(), out),
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    /// The members of objects by their keys.
    pub(crate) sorted: bool,
    /// The value comes from [`Reader`], so that a text which borrows has nothing that needs an escape.
    pub(crate) as_read: bool,
}

type Member<'a> = (Cow<'a, str>, Value<'a>);

impl Form {
    /// Members by the bytes of their keys, repeated keys in the order they have.
    pub(crate) fn write_sorted<'v, 'a: 'v>(self, members: impl Iterator<Item = &'v Member<'a>>, out: &mut String) {
        // Most keys differ in their first bytes.
        let mut sorted: Vec<(u64, &Member<'a>)> = members.map(|member| (beginning(&member.0), member)).collect();
        sorted.sort_by(|(begins, a), (other, b)| begins.cmp(other).then_with(|| a.0.as_bytes().cmp(b.0.as_bytes())));
        self.write_members(sorted.into_iter().map(|(_, member)| member), out);
    }

    fn write_members<'v, 'a: 'v>(self, members: impl Iterator<Item = &'v Member<'a>>, out: &mut String) {
        out.push('{');
        for (index, (key, value)) in members.enumerate() {
            if index > 0 {
                out.push(',');
            }
            self.write_string(key, out);
            out.push(':');
            value.write(out, self);
        }
        out.push('}');
    }

    #[expect(clippy::ptr_arg, reason = "whether it borrows tells something")]
    fn write_string(self, text: &Cow<'_, str>, out: &mut String) {
        match text {
            Cow::Borrowed(text) if self.as_read => {
                out.push('"');
                out.push_str(text);
                out.push('"');
            }
            text => write_string(text, out),
        }
    }
}

/// The first eight bytes, the first of them the most significant; zeros where there are fewer. The order of two texts that
/// differ in it is the order of their bytes.
fn beginning(text: &str) -> u64 {
    let bytes = text.as_bytes();
    match bytes.first_chunk::<8>() {
        Some(chunk) => u64::from_be_bytes(*chunk),
        None => {
            let mut chunk = [0; 8];
            chunk[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(chunk)
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
            Value::Unpaired(_) => "Unpaired(..)",
            Value::Array(_) => "Array(..)",
            Value::Object(_) => "Object(..)",
        })
    }
}

/// Writes `text` as a JSON string: `"` and `\` escaped, control characters as `\b \t \n \f \r` or `\u00xx`, all else as is.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = special(rest.as_bytes(), 0) {
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
    fn members_are_sorted_by_the_bytes_of_their_keys() {
        let keys = [
            "",
            "\u{0}",
            "a",
            "a\u{0}",
            "ab",
            "abcdefgh",
            "abcdefg",
            "abcdefgz",
            "abcdefgh\u{0}",
            "abcdefghi",
            "é",
            "z",
            "abcdefgha",
        ];
        let members = keys.map(|key| format!("{}:1", serde_json::json!(key)));
        let mut out = String::new();
        Value::parse(&format!("{{{}}}", members.join(","))).expect("valid").write_canonical(&mut out);
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        let expected: Vec<String> = sorted.into_iter().map(|key| format!("{}:1", serde_json::json!(key))).collect();
        assert_eq!(out, format!("{{{}}}", expected.join(",")));
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
