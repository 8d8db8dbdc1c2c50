//! Reads JSON text in one pass. Its structure is read here; a string with escapes in it is left to `serde_json`.

use std::borrow::Cow;

use crate::scan::special;
use crate::value::{Object, Value};

/// The text is no JSON (RFC 8259).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A place in a text.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the start of `text`, which the caller has seen to nest no deeper than is good for a recursion.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// One value and nothing behind it.
    pub(crate) fn whole_value(mut self) -> Result<Value<'a>, Malformed> {
        let value = self.value()?;
        self.end()?;
        Ok(value)
    }

    /// One object and nothing behind it.
    pub(crate) fn whole_object(mut self) -> Result<Object<'a>, Malformed> {
        self.expect(b'{')?;
        let object = self.members()?;
        self.end()?;
        Ok(object)
    }

    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        match self.next_token()? {
            b'"' => self.string(),
            b'{' => self.members().map(Value::Object),
            b'[' => self.items().map(Value::Array),
            b't' => self.literal("true", Value::Bool(true)),
            b'f' => self.literal("false", Value::Bool(false)),
            b'n' => self.literal("null", Value::Null),
            b'-' | b'0'..=b'9' => self.number().map(|token| Value::Number(Cow::Borrowed(token))),
            _ => Err(Malformed),
        }
    }

    /// Behind `{`.
    fn members(&mut self) -> Result<Object<'a>, Malformed> {
        if self.peek_token() == Some(b'}') {
            self.at += 1;
            return Ok(Object::new());
        }
        let mut members = Object::with_capacity(16);
        loop {
            self.expect(b'"')?;
            let key = match self.string()? {
                Value::String(key) => key,
                // A key is needed to keep the value by: the escape stays as it was written.
                Value::Unpaired(token) => decoded(&spelled_out(&token))?,
                _ => return Err(Malformed),
            };
            self.expect(b':')?;
            members.push((key, self.value()?));
            match self.next_token()? {
                b',' => {}
                b'}' => return Ok(members),
                _ => return Err(Malformed),
            }
        }
    }

    /// Behind `[`.
    fn items(&mut self) -> Result<Vec<Value<'a>>, Malformed> {
        if self.peek_token() == Some(b']') {
            self.at += 1;
            return Ok(Vec::new());
        }
        let mut items = Vec::new();
        loop {
            items.push(self.value()?);
            match self.next_token()? {
                b',' => {}
                b']' => return Ok(items),
                _ => return Err(Malformed),
            }
        }
    }

    /// Behind the opening quote: [`Value::String`], or [`Value::Unpaired`]. One without escapes is what stands between the quotes: most are.
    fn string(&mut self) -> Result<Value<'a>, Malformed> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut end = special(bytes, start).ok_or(Malformed)?;
        if bytes[end] == b'"' {
            self.at = end + 1;
            return Ok(Value::String(Cow::Borrowed(self.slice(start, end)?)));
        }
        while bytes[end] != b'"' {
            // A control character is refused, and a backslash escapes at least one byte behind it.
            let behind = (bytes[end] == b'\\').then_some(end + 2).ok_or(Malformed)?;
            end = special(bytes, behind).ok_or(Malformed)?;
        }
        self.at = end + 1;
        let token = self.slice(start - 1, end + 1)?;
        match decoded(token) {
            Ok(text) => Ok(Value::String(text)),
            // Readable with its halves of pairs spelled out, so nothing else is wrong with it.
            Err(Malformed) => decoded(&spelled_out(token)).map(|_| Value::Unpaired(Cow::Borrowed(token))),
        }
    }

    /// From its first byte, which was taken: `-`? (`0` | [1-9][0-9]*) (`.` [0-9]+)? ([eE] [+-]? [0-9]+)?
    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at - 1;
        let first = match self.text.as_bytes()[start] {
            b'-' => self.take().ok_or(Malformed)?,
            digit => digit,
        };
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return Err(Malformed),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        self.slice(start, self.at)
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Malformed> {
        let before = self.at;
        self.digits();
        if self.at > before { Ok(()) } else { Err(Malformed) }
    }

    /// From its first byte, which was taken.
    fn literal(&mut self, name: &str, value: Value<'a>) -> Result<Value<'a>, Malformed> {
        let start = self.at - 1;
        if !self.text.as_bytes()[start..].starts_with(name.as_bytes()) {
            return Err(Malformed);
        }
        self.at = start + name.len();
        Ok(value)
    }

    fn slice(&self, start: usize, end: usize) -> Result<&'a str, Malformed> {
        // Always on the boundaries of characters: all that is looked for is ASCII.
        self.text.get(start..end).ok_or(Malformed)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek_token(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.peek()
    }

    fn next_token(&mut self) -> Result<u8, Malformed> {
        let byte = self.peek_token().ok_or(Malformed)?;
        self.at += 1;
        Ok(byte)
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Malformed> {
        if self.next_token()? == wanted { Ok(()) } else { Err(Malformed) }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        if self.peek_token().is_none() { Ok(()) } else { Err(Malformed) }
    }
}

fn decoded(token: &str) -> Result<Cow<'static, str>, Malformed> {
    serde_json::from_str(token).map(Cow::Owned).map_err(|_| Malformed)
}

/// The string token with each escape of half a surrogate pair as text: `\\ud800` for `\ud800`.
fn spelled_out(token: &str) -> String {
    let mut out = String::with_capacity(token.len() + 8);
    let mut rest = token;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let unit = |text: &str| text.strip_prefix('u').and_then(|hex| u16::from_str_radix(hex.get(..4)?, 16).ok());
        let follows = |text: &str| text.get(5..).and_then(|rest| unit(rest.strip_prefix('\\')?));
        let length = match unit(escape) {
            Some(0xd800..=0xdbff) if follows(escape).is_some_and(|low| (0xdc00..=0xdfff).contains(&low)) => 11,
            Some(0xd800..=0xdfff) => {
                out.push('\\');
                5
            }
            _ => escape.chars().next().map_or(0, char::len_utf8),
        };
        out.push('\\');
        out.push_str(escape.get(..length).unwrap_or_default());
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    /// Text that is JSON, nearly JSON, or made of JSON's bytes.
    fn text() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            4 => "[\\[\\]{}:,\" \t\r\n]",
            2 => prop::sample::select(vec!["true", "false", "null", "tru", "nul", "0", "-", "-0", "01", "1.", ".5", "1e", "1E+2", "-1.50e-7"])
                .prop_map(str::to_owned),
            2 => "\"(\\\\[\"\\\\/bfnrtu]|[0-9a-dD]{4}|[ -~é🙂]|\\\\ud83d\\\\ude42|\\\\ud800){0,6}\"",
            1 => any::<char>().prop_map(String::from),
        ];
        let soup = prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat());
        let scalar = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_map(|n| format!("{n:e}")),
            any::<String>().prop_map(|text| serde_json::json!(text).to_string()),
        ];
        let json = scalar.prop_recursive(5, 30, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::vec((any::<String>(), inner), 0..6).prop_map(|members| {
                    let members: Vec<_> =
                        members.iter().map(|(key, value)| format!("{}: {value}", serde_json::json!(key))).collect();
                    format!("{{{}}}", members.join(",\n"))
                }),
            ]
        });
        let damaged = (json.clone(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(json, at, by)| {
            let at = at.index(json.chars().count());
            json.chars().enumerate().map(|(place, c)| if place == at { by } else { c }).collect()
        });
        prop_oneof![soup, json, damaged]
    }

    fn agrees(read: &Value<'_>, expected: &RawValue) {
        let token = expected.get();
        match read {
            Value::Null => assert_eq!(token, "null"),
            Value::Bool(flag) => assert_eq!(token, flag.to_string()),
            Value::Number(number) => assert_eq!(token, number),
            Value::String(text) => assert_eq!(serde_json::from_str::<String>(token).expect("a string"), *text),
            Value::Unpaired(read) => {
                assert_eq!(token, read);
                assert!(serde_json::from_str::<String>(token).is_err(), "{token}");
            }
            Value::Array(items) => {
                let expected: Vec<Box<RawValue>> = serde_json::from_str(token).expect("an array");
                assert_eq!(items.len(), expected.len());
                items.iter().zip(&expected).for_each(|(item, expected)| agrees(item, expected));
            }
            Value::Object(members) => {
                // Keys that are no text are none to it.
                let Ok(expected) = serde_json::from_str::<std::collections::HashMap<String, Box<RawValue>>>(token)
                else {
                    return;
                };
                let last: std::collections::HashMap<&str, &Value<'_>> =
                    members.iter().map(|(key, value)| (key.as_ref(), value)).collect();
                assert_eq!(last.len(), expected.len());
                last.iter().for_each(|(key, value)| agrees(value, &expected[*key]));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// `serde_json` looks only at the form of what it skips; a lone half of a surrogate pair shows when it decodes.
        #[test]
        fn what_serde_json_reads_is_read_as_it_reads_it(text in text()) {
            let whole = serde_json::from_str::<&RawValue>(&text).ok();
            let decoded = serde_json::from_str::<serde_json::Value>(&text);
            match Reader::new(&text).whole_value() {
                Ok(value) => agrees(&value, whole.expect("what is read is JSON")),
                // A number beyond the range of f64 is none to serde_json's own values.
                Err(Malformed) => prop_assert!(decoded.is_err(), "{text:?}"),
            }
        }
    }

    #[test]
    fn half_a_surrogate_pair_costs_its_own_string_alone() {
        let unpaired = [r#""\ud800""#, r#""a\udc00b""#, r#""\ud800\ud83d\ude42""#, r#""\ud800\n""#, r#""\uD800x\"""#];
        for token in unpaired {
            let text = format!("{{\"a\":[1,{token}],\"b\":2}}");
            let members = Reader::new(&text).whole_object().expect("JSON");
            let mut written = String::new();
            Value::Object(members).write_json(&mut written);
            assert_eq!(written, text);
        }
        for text in [r#""\ud83d\ude42""#, r#""\\ud800""#] {
            assert!(matches!(Reader::new(text).whole_value(), Ok(Value::String(_))), "{text}");
        }
        for text in [r#""\ud800\x""#, r#""\ud8""#, "\"\\ud800\t\""] {
            assert_eq!(Reader::new(text).whole_value().err(), Some(Malformed), "{text}");
        }
        let members = Reader::new(r#"{"k\ud800":1}"#).whole_object().expect("JSON");
        assert_eq!(members[0].0, r"k\ud800");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "{]",
            "[}",
            "{,}",
            "[,]",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{'a':1}",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "01",
            "-",
            "-a",
            "1.",
            ".1",
            "1e",
            "1e+",
            "+1",
            "0x1",
            "tru",
            "truee",
            "nullx",
            "\"",
            "\"\\",
            "\"\\\"",
            "\"\t\"",
            "\"\u{0}\"",
            "\"\\x\"",
            "\"\\u12\"",
            "1 1",
            "{} {}",
            "NaN",
            "Infinity",
            "/**/1",
            "\u{feff}1",
            "\u{a0}1",
        ] {
            assert_eq!(Reader::new(text).whole_value().err(), Some(Malformed), "{text:?}");
        }
    }
}
