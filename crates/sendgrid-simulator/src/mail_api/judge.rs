//! Whether SendGrid would take a message, and if not, what it would say: the limits of `tsg_mail_v3.yaml`, of the
//! overview of Mail Send and of its page of errors. Where they leave room, this is on the strict side.

mod person;
mod reader;
mod settings;

use std::collections::BTreeSet;

use serde_json::Value;

use person::{person, personalizations, sender};
pub(crate) use reader::ApiError;
use reader::{Findings, Node};

/// Most personalizations in a request, and most recipients in all of them.
pub const MOST_PERSONALIZATIONS: usize = 1000;
/// Custom args of the message and a personalization together, as JSON, have less than this.
pub const CUSTOM_ARGS_BYTES: usize = 10_000;
/// Tags and values of a personalization's substitutions have at most this.
pub const SUBSTITUTIONS_BYTES: usize = 10_000;
/// A mail can be scheduled this far ahead.
pub const SCHEDULE_SECONDS: i64 = 72 * 3600;

const KEYS: [&str; 16] = [
    "personalizations",
    "from",
    "reply_to",
    "reply_to_list",
    "subject",
    "content",
    "attachments",
    "template_id",
    "headers",
    "categories",
    "custom_args",
    "send_at",
    "batch_id",
    "asm",
    "ip_pool_name",
    "mail_settings",
];

/// Names of headers that a message can't set.
const FORBIDDEN_HEADERS: [&str; 12] = [
    "x-sg-id",
    "x-sg-eid",
    "received",
    "dkim-signature",
    "content-type",
    "content-transfer-encoding",
    "to",
    "from",
    "subject",
    "reply-to",
    "cc",
    "bcc",
];

/// What the rules of a part need to know of the rest.
pub(crate) struct Rules<'v> {
    now: i64,
    dynamic_template: bool,
    custom_args: Vec<(&'v str, &'v str)>,
}

/// What a sound message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// To be sent.
    Send,
    /// To be judged alone.
    Sandbox,
}

/// Judges the body of `POST /v3/mail/send` at `now` (Unix seconds); `batch_known`: whether a batch id was given out.
pub(crate) fn judge(body: &Value, now: i64, batch_known: impl Fn(&str) -> bool) -> Result<Verdict, Vec<ApiError>> {
    let mut found = Findings::default();
    let body = Node { path: String::new(), value: body };
    let keys: Vec<&str> = KEYS.into_iter().chain(["tracking_settings"]).collect();
    if !body.value.is_object() {
        return Err(vec![ApiError::general("Bad Request")]);
    }
    found.closed(&body, &keys);
    let template = body.get("template_id").and_then(|id| found.filled(&id));
    let custom_args = body.get("custom_args").map(|node| person::texts(&node, &mut found)).unwrap_or_default();
    let rules = Rules { now, dynamic_template: template.is_some_and(|id| id.starts_with("d-")), custom_args };
    personalizations(&body, &rules, &mut found);
    people(&body, &mut found);
    subject(&body, template.is_some(), &mut found);
    content(&body, template.is_some(), &mut found);
    if let Some(node) = body.get("headers") {
        headers(&node, &mut found);
    }
    if let Some(node) = body.get("categories") {
        categories(&node, &mut found);
    }
    if let Some(node) = body.get("send_at") {
        send_at(&node, &rules, &mut found);
    }
    if let Some(node) = body.get("batch_id") {
        let known = found.text(&node).is_none_or(&batch_known);
        if !known {
            found.refuse("batch_id", "The batch id is not valid.");
        }
    }
    let sandbox = settings::judge(&body, &mut found);
    if !found.0.is_empty() {
        return Err(found.0);
    }
    Ok(if sandbox { Verdict::Sandbox } else { Verdict::Send })
}

fn people(body: &Node<'_>, found: &mut Findings) {
    match body.get("from") {
        Some(from) => sender(&from, found),
        None => found.refuse(
            "from.email",
            "The from object must be provided for every email send. It is an object that requires the email parameter, but may also contain a name parameter.",
        ),
    }
    if let Some(reply_to) = body.get("reply_to") {
        person(&reply_to, found);
    }
    let Some(list) = body.get("reply_to_list") else { return };
    if body.get("reply_to").is_some() {
        found.refuse("reply_to_list", "Only one of reply_to and reply_to_list may be used.");
    }
    let Some(items) = found.list(&list) else { return };
    if items.len() > 1000 {
        found.refuse("reply_to_list", "The reply_to_list is limited to 1000 addresses.");
    }
    let mut seen = BTreeSet::new();
    for item in &items {
        if person(item, found).is_some_and(|address| !seen.insert(address.to_ascii_lowercase())) {
            found.refuse(&item.path, "Each address in the reply_to_list should be unique.");
        }
    }
}

fn subject(body: &Node<'_>, template: bool, found: &mut Findings) {
    if let Some(subject) = body.get("subject") {
        found.filled(&subject);
        return;
    }
    let own = |items: &Vec<Value>| items.iter().all(|item| item.get("subject").is_some());
    let everywhere = body.value.get("personalizations").and_then(Value::as_array).is_some_and(own);
    if !template && !everywhere {
        found.refuse(
            "subject",
            "The subject is required. You can get around this requirement if you use a template with a subject defined or if every personalization has a subject defined.",
        );
    }
}

fn content(body: &Node<'_>, template: bool, found: &mut Findings) {
    let parts = match body.get("content") {
        Some(list) => found.list(&list),
        None => Some(Vec::new()),
    };
    let Some(parts) = parts else { return };
    if parts.is_empty() && !template {
        found.refuse(
            "content",
            "Unless a valid template_id is provided, the content parameter is required. There must be at least one defined content block.",
        );
    }
    let mut kinds = Vec::new();
    for part in &parts {
        if found.closed(part, &["type", "value"]).is_none() {
            continue;
        }
        for key in ["type", "value"] {
            let text = part.get(key).map(|node| found.filled(&node));
            match text {
                Some(text) if key == "type" => kinds.extend(text.map(str::to_ascii_lowercase)),
                Some(_) => {}
                None => found.refuse(
                    &part.below(key),
                    format!("The content {key} must be a string at least one character in length."),
                ),
            }
        }
    }
    let distinct: BTreeSet<&String> = kinds.iter().collect();
    let place = |kind: &str| kinds.iter().position(|k| k == kind);
    let plain_later = place("text/plain").is_some_and(|place| place > 0);
    let html_late = place("text/html").is_some_and(|html| html > usize::from(place("text/plain").is_some()));
    if distinct.len() < kinds.len() || plain_later || html_late {
        found.refuse(
            "content",
            "If present, text/plain and text/html may only be provided once, and must come first in this order.",
        );
    }
}

fn headers(node: &Node<'_>, found: &mut Findings) {
    for (name, _) in found.texts(node).unwrap_or_default() {
        if FORBIDDEN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            found.refuse(&node.below(name), format!("The header {name} is reserved and may not be set."));
        }
    }
}

fn categories(node: &Node<'_>, found: &mut Findings) {
    let Some(items) = found.list(node) else { return };
    if items.len() > 10 {
        found.refuse(&node.path, "A mail may have 10 categories at most.");
    }
    let mut seen = BTreeSet::new();
    for item in &items {
        let Some(name) = found.text(item) else { continue };
        if name.chars().count() > 255 {
            found.refuse(&item.path, "A category name may have 255 characters at most.");
        }
        if !name.is_ascii() {
            found.refuse(&item.path, "A category name may have 7-bit ASCII characters alone.");
        }
        if !seen.insert(name) {
            found.refuse(&node.path, "Each category should be unique.");
        }
    }
}

fn send_at(node: &Node<'_>, rules: &Rules<'_>, found: &mut Findings) {
    if found.integer(node).is_some_and(|at| at.saturating_sub(rules.now) > SCHEDULE_SECONDS) {
        found.refuse(&node.path, "Scheduling more than 72 hours in advance is forbidden.");
    }
}
