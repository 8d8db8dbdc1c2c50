//! A value of a file or table, and what it can be read as.

use std::borrow::Cow;

use sendgrid_events::Timestamp;
use sendgrid_events::value::write_string;

use super::time;

/// A value of a file or table.
pub(super) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    /// A number's token.
    Number(Cow<'a, str>),
    Bool(bool),
    List(Vec<String>),
    /// µs since the epoch.
    Time(i64),
}

impl Cell<'_> {
    pub(super) fn into_text(self) -> String {
        match self {
            Cell::Null => String::new(),
            Cell::Text(text) | Cell::Number(text) => text.into_owned(),
            Cell::Bool(flag) => flag.to_string(),
            Cell::Time(micros) => micros.to_string(),
            Cell::List(items) => json_list(&items),
        }
    }

    pub(super) fn micros(&self) -> Option<i64> {
        match self {
            Cell::Time(micros) => Some(*micros),
            Cell::Number(token) => Timestamp::from_number(token).map(Timestamp::as_micros),
            Cell::Text(text) => time::micros(text),
            _ => None,
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Cell::Number(token) | Cell::Text(token) => token.trim().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match self {
            Cell::Bool(flag) => Some(*flag),
            Cell::Number(token) | Cell::Text(token) => match token.trim() {
                "1" | "true" | "TRUE" | "True" => Some(true),
                "0" | "false" | "FALSE" | "False" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Several texts; a list may be written as one text of JSON, which is the only way CSV has.
    pub(super) fn into_list(self) -> Vec<String> {
        match self {
            Cell::List(items) => items,
            Cell::Null => Vec::new(),
            other => {
                let text = other.into_text();
                match serde_json::from_str(&text) {
                    Ok(items) => items,
                    Err(_) if text.trim().is_empty() => Vec::new(),
                    Err(_) => vec![text],
                }
            }
        }
    }
}

fn json_list(items: &[String]) -> String {
    let mut json = String::from("[");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write_string(item, &mut json);
    }
    json.push(']');
    json
}
