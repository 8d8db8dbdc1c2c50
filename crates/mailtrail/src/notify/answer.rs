//! What answered a Slack message: Slack's `ok`, JSON as from Mattermost and Rocket.Chat, or something that took nothing.

use reqwest::Response;
use serde_json::Value;

use super::client::{SendError, read};
use crate::config::HookUrl;
use crate::protect::without_addresses;

/// Characters of a page's title that are shown.
const TITLE: usize = 60;

/// Who took a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The service said `ok` (or is a webhook, whose answer has no form).
    Plain,
    /// The service answered with a JSON object.
    Json,
}

/// Whether the answer to a message says that it was taken.
pub(super) async fn of_slack(response: Response, url: &HookUrl) -> Result<Taken, SendError> {
    let status = response.status().as_u16();
    judge(&read(response).await, url).map_err(|answer| SendError::NotTaken { status, answer })
}

fn judge(body: &[u8], url: &HookUrl) -> Result<Taken, String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.eq_ignore_ascii_case("ok") {
        return Ok(Taken::Plain);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(object)) => {
            let no = ["ok", "success"].into_iter().any(|key| object.get(key) == Some(&Value::Bool(false)));
            return if no { Err("JSON that says that it failed".to_owned()) } else { Ok(Taken::Json) };
        }
        Ok(_) => return Err("JSON that is not an object".to_owned()),
        Err(_) => {}
    }
    if text.is_empty() {
        return Err("empty".to_owned());
    }
    if !text.starts_with('<') {
        return Err("another text".to_owned());
    }
    Err(match title(text, url) {
        Some(title) => format!("an HTML page ({title:?})"),
        None => "an HTML page".to_owned(),
    })
}

/// The title of an HTML page, unless it repeats the URL, which is a secret.
fn title(page: &str, url: &HookUrl) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower.get(start..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find('<')?;
    let words: Vec<&str> = page.get(start..end)?.split_whitespace().collect();
    let title = without_addresses(&words.join(" ")).into_owned();
    let parts = url.expose().path_segments().into_iter().flatten();
    if title.is_empty() || parts.filter(|part| part.len() > 3).any(|part| title.contains(part)) {
        return None;
    }
    Some(title.chars().filter(|c| !c.is_control()).take(TITLE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ok_and_json_are_taken_and_nothing_else() {
        let url = HookUrl::parse("https://hooks.example.com/services/T0/B0/secretpath").expect("a URL");
        for (body, expected) in [
            ("ok", Ok(Taken::Plain)),
            (" ok\n", Ok(Taken::Plain)),
            ("OK", Ok(Taken::Plain)),
            (r#"{"success":true}"#, Ok(Taken::Json)),
            ("{}", Ok(Taken::Json)),
            (r#"{"success":false,"error":"x"}"#, Err("JSON that says that it failed")),
            (r#"{"ok":false}"#, Err("JSON that says that it failed")),
            ("[]", Err("JSON that is not an object")),
            ("", Err("empty")),
            ("hello jane@example.com", Err("another text")),
            ("<!DOCTYPE html><html><head><title>Sign in\n to X</title>", Err("an HTML page (\"Sign in to X\")")),
            ("<html><TITLE lang=en>/services/T0/B0/secretpath</TITLE>", Err("an HTML page")),
            ("<html>", Err("an HTML page")),
        ] {
            assert_eq!(judge(body.as_bytes(), &url), expected.map_err(str::to_owned), "{body}");
        }
    }
}
