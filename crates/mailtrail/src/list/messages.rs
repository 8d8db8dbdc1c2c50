//! Whole messages, one JSON object a line, read as they come.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use serde_json::{Map, Value};

use super::{Address, AddressFault, LocalParts};
use crate::config::nearest;

/// Every key of a message.
const KEYS: [&str; 8] = ["email", "subject", "html", "text", "template_id", "category", "custom_args", "data"];

/// The longest line, bytes: a request to SendGrid is smaller.
const LONGEST_LINE: u64 = 30_000_000;

/// One mail to one recipient.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// Line of the input, from 1.
    pub row: u64,
    /// Whom to mail.
    pub address: Address,
    /// Subject.
    pub subject: Option<String>,
    /// HTML part.
    pub html: Option<String>,
    /// Plain text part.
    pub text: Option<String>,
    /// SendGrid's id of a template.
    pub template_id: Option<String>,
    /// Categories; `None` where the line has no `category`.
    pub category: Option<Vec<String>>,
    /// Custom args, whatever they were, as text.
    pub custom_args: BTreeMap<String, String>,
    /// Variables of the content, or the template's data.
    pub data: Map<String, Value>,
}

/// A line that is no message.
#[derive(Debug, thiserror::Error)]
#[error("line {row} of the messages: {fault}")]
pub struct MessageError {
    /// Line of the input, from 1.
    pub row: u64,
    /// What is wrong.
    pub fault: MessageFault,
}

/// Why a line is no message. Never quotes it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageFault {
    /// The input broke.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// Too long.
    #[error("longer than {LONGEST_LINE} bytes, which no request to SendGrid may be")]
    Long,
    /// Not JSON.
    #[error("is not JSON from column {0} on")]
    Json(usize),
    /// Not an object.
    #[error("is not a JSON object such as {{\"email\": …, \"subject\": …, \"text\": …}}")]
    Form,
    /// A key that messages do not have.
    #[error("has a key {} that messages do not have{}", shown(.key), meant(*.nearest))]
    UnknownKey {
        /// As it stands.
        key: String,
        /// The most similar one there is.
        nearest: Option<&'static str>,
    },
    /// A value of the wrong form.
    #[error("{key} is not {expected}")]
    Value {
        /// Which.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// No address to mail.
    #[error("email: {0}")]
    Address(#[from] AddressFault),
}

/// Keys are shown where they can be nothing but a slip.
fn shown(key: &str) -> &str {
    let plain = key.len() <= 40 && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if plain { key } else { "(not shown)" }
}

fn meant(nearest: Option<&str>) -> String {
    match nearest {
        Some(key) => format!(": did you mean {key}?"),
        None => format!(": there are {}", KEYS.join(", ")),
    }
}

/// Reads messages one by one; after an error in one line the next is read, after an error of the input nothing.
pub struct Messages<R> {
    reader: R,
    row: u64,
    line: Vec<u8>,
    over: bool,
    local_parts: LocalParts,
}

impl<R: BufRead> Messages<R> {
    /// Over lines of JSON; blank ones are skipped.
    pub fn new(reader: R) -> Self {
        Self { reader, row: 0, line: Vec::new(), over: false, local_parts: LocalParts::default() }
    }

    /// With addresses that have such local parts.
    #[must_use]
    pub fn with_local_parts(mut self, local_parts: LocalParts) -> Self {
        self.local_parts = local_parts;
        self
    }

    /// Skips the rest of a line that is too long; the next one is read as usual.
    fn skip_line(&mut self) -> std::io::Result<()> {
        while !self.line.ends_with(b"\n") {
            self.line.clear();
            if (&mut self.reader).take(LONGEST_LINE).read_until(b'\n', &mut self.line)? == 0 {
                break;
            }
        }
        Ok(())
    }

    fn next_message(&mut self) -> Result<Option<Message>, MessageFault> {
        loop {
            self.row += 1;
            self.line.clear();
            let read = (&mut self.reader).take(LONGEST_LINE + 1).read_until(b'\n', &mut self.line);
            let read = match read {
                Ok(read) => read,
                Err(error) => {
                    self.over = true;
                    return Err(error.into());
                }
            };
            if read == 0 {
                self.over = true;
                return Ok(None);
            }
            if self.line.len() as u64 > LONGEST_LINE {
                self.skip_line()?;
                return Err(MessageFault::Long);
            }
            let line = if self.row == 1 { self.line.strip_prefix(b"\xef\xbb\xbf") } else { None };
            let line = line.unwrap_or(&self.line);
            if !line.trim_ascii().is_empty() {
                return parse(line.trim_ascii_end(), self.row, self.local_parts).map(Some);
            }
        }
    }
}

impl<R: BufRead> Iterator for Messages<R> {
    type Item = Result<Message, MessageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        self.next_message().map_err(|fault| MessageError { row: self.row, fault }).transpose()
    }
}

fn parse(line: &[u8], row: u64, local_parts: LocalParts) -> Result<Message, MessageFault> {
    // The parser's own words may quote the line.
    let value: Value = serde_json::from_slice(line).map_err(|error| MessageFault::Json(error.column()))?;
    let Value::Object(mut keys) = value else { return Err(MessageFault::Form) };
    if let Some(key) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(MessageFault::UnknownKey { key: key.clone(), nearest: nearest(key, KEYS.iter().copied()) });
    }
    let address = text(&mut keys, "email")?.unwrap_or_default();
    Ok(Message {
        row,
        address: Address::parse(&address, local_parts)?,
        subject: text(&mut keys, "subject")?,
        html: text(&mut keys, "html")?,
        text: text(&mut keys, "text")?,
        template_id: text(&mut keys, "template_id")?,
        category: category(&mut keys)?,
        custom_args: custom_args(&mut keys)?,
        data: match keys.remove("data") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(data)) => data,
            Some(_) => return Err(MessageFault::Value { key: "data", expected: "an object" }),
        },
    })
}

fn text(keys: &mut Map<String, Value>, key: &'static str) -> Result<Option<String>, MessageFault> {
    match keys.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(MessageFault::Value { key, expected: "a text" }),
    }
}

fn category(keys: &mut Map<String, Value>) -> Result<Option<Vec<String>>, MessageFault> {
    let wrong = || MessageFault::Value { key: "category", expected: "a text or a list of texts" };
    match keys.remove("category") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one])),
        Some(Value::Array(several)) => {
            let text = |value| if let Value::String(text) = value { Some(text) } else { None };
            several.into_iter().map(text).collect::<Option<_>>().map(Some).ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

/// SendGrid wants texts; numbers and booleans become what their JSON says.
fn custom_args(keys: &mut Map<String, Value>) -> Result<BTreeMap<String, String>, MessageFault> {
    let wrong = || MessageFault::Value { key: "custom_args", expected: "an object of texts, numbers or booleans" };
    let one = |(key, value)| match value {
        Value::String(text) => Ok((key, text)),
        Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
        _ => Err(wrong()),
    };
    match keys.remove("custom_args") {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(args)) => args.into_iter().map(one).collect(),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_does_not_hide_the_next() {
        let long = " ".repeat(usize::try_from(2 * LONGEST_LINE).unwrap_or_default() + 5);
        let input = format!("{long}{{}}\n{{\"email\":\"a@example.com\"}}\n{long}");
        let read: Vec<(u64, bool)> = Messages::new(input.as_bytes())
            .map(|message| match message {
                Ok(message) => (message.row, true),
                Err(error) => (error.row, !matches!(error.fault, MessageFault::Long)),
            })
            .collect();
        assert_eq!(read, [(1, false), (2, true), (3, false)]);
    }
}
