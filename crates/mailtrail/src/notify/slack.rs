//! A notice as a message of Slack's incoming webhooks: Block Kit, within its documented limits whatever text came in.
//!
//! Texts of others stand in `plain_text` objects alone, where nothing is markup; what would call somebody (`<!here>`, `<@U1>`,
//! `@channel`) is written with other characters even there, and in the fallback text, which Slack reads as markup.
//! Limits: docs.slack.dev/reference/block-kit (header 150, text 3,000, field 2,000 characters, 10 fields, 50 blocks).

use serde_json::{Value, json};

use super::manner::Manner;
use super::notice::Notice;
use super::page::{Page, counted};

/// Characters in a header.
const HEADER: usize = 150;
/// Characters in a text object of a section or context.
const TEXT: usize = 3000;
/// Characters in a field of a section.
const FIELD: usize = 2000;
/// Fields in a section.
const FIELDS: usize = 10;
/// Blocks in a message.
const BLOCKS: usize = 50;
/// Characters in the text that notifications show: well below Slack's 40,000, since it is to be read at a glance.
const FALLBACK: usize = 1000;
/// Characters in a URL, so that it and its name are within a text.
const URL: usize = 2000;
/// Lines in one list.
const LINES: usize = 15;

/// The JSON to post.
#[must_use]
pub fn message(notice: &Notice, manner: &Manner) -> Value {
    let page = Page::new(notice, manner);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&page.title(), HEADER) })];
    for facts in page.facts.chunks(FIELDS) {
        let fields: Vec<Value> =
            facts.iter().map(|(name, value)| json!({ "type": "mrkdwn", "text": field(name, value) })).collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    for (heading, items) in &page.lists {
        let mut text = (*heading).to_owned();
        for item in items.iter().take(LINES) {
            text.push_str("\n• ");
            text.push_str(&counted(item));
        }
        blocks.push(json!({ "type": "section", "text": plain(&text, TEXT) }));
    }
    if !page.notes.is_empty() {
        let elements: Vec<Value> = page.notes.iter().take(FIELDS).map(|note| plain(note, TEXT)).collect();
        blocks.push(json!({ "type": "context", "elements": elements }));
    }
    blocks.truncate(BLOCKS - 1);
    if let Some((name, url)) = page.link.as_ref().filter(|(_, url)| units(url) < URL) {
        let link = json!({ "type": "mrkdwn", "text": format!("<{}|{name}>", escaped(url, TEXT)) });
        blocks.push(json!({ "type": "context", "elements": [link] }));
    }
    json!({
        "text": escaped(&neutral(&page.title()), FALLBACK),
        "blocks": blocks,
        "mrkdwn": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// A text object without markup.
fn plain(text: &str, limit: usize) -> Value {
    json!({ "type": "plain_text", "text": cut(&neutral(text), limit), "emoji": false })
}

/// A name in bold over a value; both are our own words.
fn field(name: &str, value: &str) -> String {
    let name = escaped(&neutral(name), FIELD / 4);
    format!("*{name}*\n{}", escaped(&neutral(value), FIELD / 2))
}

/// Without what begins a mention, a link or a command.
fn neutral(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '<' => '‹',
            '>' => '›',
            '@' => '＠',
            other => other,
        })
        .collect()
}

/// What Slack reads as markup is escaped; not longer than `limit` afterwards.
fn escaped(text: &str, limit: usize) -> String {
    shortened(text, limit, |character| match character {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        other => other.to_string(),
    })
}

fn cut(text: &str, limit: usize) -> String {
    shortened(text, limit, |character| character.to_string())
}

/// Each character written by `write`, with "…" where not all of them have room. Length is counted in UTF-16 units, the larger
/// of what a limit in characters may mean.
fn shortened(text: &str, limit: usize, write: impl Fn(char) -> String) -> String {
    let mut out = String::new();
    let mut length = 0;
    // Where the text would end if what follows had no room.
    let mut last_fit = 0;
    for character in text.chars() {
        let written = write(character);
        length += units(&written);
        if length > limit {
            out.truncate(last_fit);
            out.push('…');
            return out;
        }
        out.push_str(&written);
        if length < limit {
            last_fit = out.len();
        }
    }
    // No text object may be empty.
    if out.trim().is_empty() { "–".to_owned() } else { out }
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests;
