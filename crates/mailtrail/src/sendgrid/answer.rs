//! What an error's body says, in a form that may be shown: SendGrid's `errors`, or the title of a proxy's HTML page.

use serde::Deserialize;
use serde_json::Value;

use super::ApiError;
use crate::protect::without_addresses;

/// How much of an answer is read, bytes: a thousand recipients may each have errors of a few hundred bytes.
pub(super) const MAX_BODY: usize = 4 << 20;
/// How many errors are kept: several for each recipient of a request.
const MAX_ERRORS: usize = 5_000;
/// How long a text is kept, characters.
const MAX_TEXT: usize = 500;

#[derive(Deserialize)]
struct Body {
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    message: Option<String>,
    field: Option<String>,
    /// A link, or an object with one.
    help: Option<Value>,
}

/// The errors that a body tells; at least one.
pub(super) fn errors(body: &[u8], status: u16, secret: &str) -> Vec<ApiError> {
    let shown = |text: &str| shown(text, secret);
    let told: Vec<ApiError> = match serde_json::from_slice::<Body>(body) {
        Ok(body) => body
            .errors
            .into_iter()
            .take(MAX_ERRORS)
            .map(|error| ApiError {
                message: shown(error.message.as_deref().unwrap_or("no message")),
                field: error.field.as_deref().map(shown),
                help: error.help.as_ref().and_then(|help| match help {
                    Value::String(text) => Some(shown(text)),
                    Value::Object(object) => object.values().find_map(Value::as_str).map(shown),
                    _ => None,
                }),
            })
            .collect(),
        Err(_) => vec![ApiError { message: other(body, status, secret), field: None, help: None }],
    };
    if told.is_empty() {
        return vec![ApiError { message: format!("HTTP status {status} without a reason"), field: None, help: None }];
    }
    told
}

/// A body that is not SendGrid's JSON.
fn other(body: &[u8], status: u16, secret: &str) -> String {
    let text = String::from_utf8_lossy(body);
    let lower = text.to_ascii_lowercase();
    if let Some(from) = lower.find("<title>").map(|at| at + "<title>".len()) {
        let to = lower[from..].find('<').map_or(text.len(), |length| from + length);
        return format!("HTML page: {}", shown(text.get(from..to).unwrap_or_default(), secret));
    }
    if lower.trim_start().starts_with('<') {
        return format!("HTTP status {status} with an HTML page without a title");
    }
    match shown(&text, secret) {
        text if text.is_empty() => format!("HTTP status {status} without a reason"),
        text => text,
    }
}

/// Short, on one line, without control characters, addresses and the key.
fn shown(text: &str, secret: &str) -> String {
    let text = if secret.is_empty() { text.to_owned() } else { text.replace(secret, "[key]") };
    let text = without_addresses(&text);
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut words: Vec<&str> = Vec::new();
    words.extend(plain.split_whitespace());
    words.join(" ").chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> Vec<String> {
        errors(body.as_bytes(), 413, "SG.secret").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn bodies_of_every_kind() {
        let cases = [
            (
                r#"{"errors":[{"message":"Does not contain a valid address: jane@example.com","field":"personalizations.0.to.0.email","help":"https://sendgrid.com/x"},{"message":"m","field":null}]}"#,
                &[
                    "personalizations.0.to.0.email: Does not contain a valid address: [address] (https://sendgrid.com/x)",
                    "m",
                ][..],
            ),
            (
                "<html>\r\n<head><TITLE>413 Request Entity\n Too Large</TITLE></head>",
                &["HTML page: 413 Request Entity Too Large"],
            ),
            ("<html>", &["HTTP status 413 with an HTML page without a title"]),
            ("", &["HTTP status 413 without a reason"]),
            (r#"{"errors":[]}"#, &["HTTP status 413 without a reason"]),
            ("upstream\u{1b}[31m SG.secret", &["upstream [31m [key]"]),
        ];
        for (body, expected) in cases {
            assert_eq!(told(body), expected, "{body:?}");
        }
        assert_eq!(told(&"x ".repeat(5000))[0].len(), MAX_TEXT);
    }
}
