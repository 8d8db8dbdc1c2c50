//! The rest of a message: attachments, unsubscribe groups, pool, and the settings that must be real booleans.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::reader::{Findings, Node};

/// Settings with the keys each may have; those named `enable…` are booleans, the others texts.
const MAIL_SETTINGS: [(&str, &[&str]); 6] = [
    ("bypass_list_management", &["enable"]),
    ("bypass_spam_management", &["enable"]),
    ("bypass_bounce_management", &["enable"]),
    ("bypass_unsubscribe_management", &["enable"]),
    ("footer", &["enable", "text", "html"]),
    ("sandbox_mode", &["enable"]),
];
const TRACKING_SETTINGS: [(&str, &[&str]); 4] = [
    ("click_tracking", &["enable", "enable_text"]),
    ("open_tracking", &["enable", "substitution_tag"]),
    ("subscription_tracking", &["enable", "text", "html", "substitution_tag"]),
    ("ganalytics", &["enable", "utm_source", "utm_medium", "utm_term", "utm_content", "utm_campaign"]),
];

/// Judges them, and tells whether the message is for the sandbox.
pub(crate) fn judge(body: &Node<'_>, found: &mut Findings) -> bool {
    if let Some(list) = body.get("attachments") {
        for attachment in found.list(&list).unwrap_or_default() {
            self::attachment(&attachment, found);
        }
    }
    if let Some(node) = body.get("asm") {
        asm(&node, found);
    }
    if let Some(node) = body.get("ip_pool_name") {
        let length = found.text(&node).map(|name| name.chars().count());
        if length.is_some_and(|length| !(2..=64).contains(&length)) {
            found.refuse("ip_pool_name", "The ip pool name should be between 2 and 64 characters.");
        }
    }
    settings(body, "tracking_settings", &TRACKING_SETTINGS, found);
    let on = settings(body, "mail_settings", &MAIL_SETTINGS, found);
    if on.contains(&"bypass_list_management") && on.iter().filter(|name| name.starts_with("bypass_")).count() > 1 {
        found.refuse(
            "mail_settings.bypass_list_management",
            "bypass_list_management may not be combined with other bypass settings.",
        );
    }
    on.contains(&"sandbox_mode")
}

/// The names of those that are enabled.
fn settings(
    body: &Node<'_>,
    group: &str,
    known: &[(&'static str, &[&str])],
    found: &mut Findings,
) -> Vec<&'static str> {
    let mut on = Vec::new();
    let Some(group) = body.get(group) else { return on };
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    found.closed(&group, &names);
    for (name, keys) in known {
        let Some(setting) = group.get(name) else { continue };
        found.closed(&setting, keys);
        for key in *keys {
            let Some(node) = setting.get(key) else { continue };
            if !key.starts_with("enable") {
                found.text(&node);
            } else if found.flag(&node) == Some(true) && *key == "enable" {
                on.push(*name);
            }
        }
    }
    on
}

fn attachment(node: &Node<'_>, found: &mut Findings) {
    if found.closed(node, &["content", "type", "filename", "disposition", "content_id"]).is_none() {
        return;
    }
    for required in ["content", "filename"] {
        if node.get(required).is_none() {
            found.refuse(&node.below(required), format!("The attachment {required} is required."));
        }
    }
    for key in ["type", "filename", "content_id"] {
        if let Some(text) = node.get(key) {
            found.filled(&text);
        }
    }
    if let Some(content) = node.get("content") {
        let text = found.filled(&content);
        if text.is_some_and(|text| STANDARD.decode(text).is_err()) {
            found.refuse(&content.path, "The attachment content must be base64 encoded.");
        }
    }
    if let Some(disposition) = node.get("disposition")
        && found.text(&disposition).is_some_and(|text| !matches!(text, "inline" | "attachment"))
    {
        found.refuse(&disposition.path, "The disposition of an attachment is inline or attachment.");
    }
}

fn asm(node: &Node<'_>, found: &mut Findings) {
    if found.closed(node, &["group_id", "groups_to_display"]).is_none() {
        return;
    }
    match node.get("group_id") {
        Some(id) => {
            found.integer(&id);
        }
        None => found.refuse("asm.group_id", "The group_id is required where asm is present."),
    }
    let Some(groups) = node.get("groups_to_display") else { return };
    let Some(items) = found.list(&groups) else { return };
    if items.len() > 25 {
        found.refuse(&groups.path, "There is a limit of 25 groups to display.");
    }
    for item in &items {
        found.integer(item);
    }
}
