//! Addresses, and the rules of one personalization.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::{ApiError, Findings, Node};
use super::{CUSTOM_ARGS_BYTES, MOST_PERSONALIZATIONS, Rules, SUBSTITUTIONS_BYTES};

const KEYS: [&str; 10] = [
    "to",
    "cc",
    "bcc",
    "from",
    "subject",
    "headers",
    "substitutions",
    "dynamic_template_data",
    "custom_args",
    "send_at",
];

/// All personalizations; how many of them bring a subject of their own is for the rules of the message.
pub(crate) fn personalizations(body: &Node<'_>, rules: &Rules<'_>, found: &mut Findings) {
    let Some(list) = body.get("personalizations") else {
        return found.refuse(
            "personalizations",
            "The personalizations field is required and must have at least one personalization.",
        );
    };
    let Some(items) = found.list(&list) else { return };
    if items.is_empty() {
        found.refuse(
            "personalizations",
            "The personalizations field is required and must have at least one personalization.",
        );
    }
    if items.len() > MOST_PERSONALIZATIONS {
        let count = items.len();
        found.refuse(
            "personalizations",
            format!(
                "The personalization block is limited to 1000 personalizations per API request. You have provided {count} personalizations. Please consider splitting this into multiple requests and resending your request."
            ),
        );
    }
    let recipients: usize = items.iter().map(|item| personalization(item, rules, found)).sum();
    if recipients > MOST_PERSONALIZATIONS {
        found.refuse("personalizations", "There is a limit of 1000 total recipients (to + cc + bcc) per request.");
    }
}

/// Judges one, and counts its recipients.
fn personalization(item: &Node<'_>, rules: &Rules<'_>, found: &mut Findings) -> usize {
    if found.closed(item, &KEYS).is_none() {
        return 0;
    }
    let recipients = recipients(item, found);
    if let Some(from) = item.get("from") {
        sender(&from, found);
    }
    if let Some(subject) = item.get("subject") {
        found.filled(&subject);
    }
    if let Some(headers) = item.get("headers") {
        super::headers(&headers, found);
    }
    if let Some(substitutions) = item.get("substitutions") {
        self::substitutions(&substitutions, rules, found);
    }
    if let Some(data) = item.get("dynamic_template_data") {
        found.object(&data);
    }
    if let Some(send_at) = item.get("send_at") {
        super::send_at(&send_at, rules, found);
    }
    custom_args(item, rules, found);
    recipients
}

fn recipients(item: &Node<'_>, found: &mut Findings) -> usize {
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for key in ["to", "cc", "bcc"] {
        let people = match item.get(key) {
            Some(list) => found.list(&list).unwrap_or_default(),
            None => Vec::new(),
        };
        if key == "to" && people.is_empty() {
            found.refuse(
                &item.below("to"),
                "The to array is required for all personalization objects, and must have at least one email object with a valid email address.",
            );
        }
        count += people.len();
        for person in &people {
            let Some(address) = self::person(person, found) else { continue };
            if !seen.insert(address.to_ascii_lowercase()) {
                found.refuse(
                    "personalizations",
                    format!(
                        "Each email address in the personalization block should be unique between to, cc, and bcc. We found the first duplicate instance of [{address}] in the {} field.",
                        item.below(key)
                    ),
                );
            }
        }
    }
    count
}

/// Addresses of this domain are refused, as SendGrid refuses some whose form is right.
const REFUSED: &str = "@refused.invalid";

/// An object with an address and perhaps a name; the address where it is one.
pub(crate) fn person<'v>(node: &Node<'v>, found: &mut Findings) -> Option<&'v str> {
    found.closed(node, &["email", "name"])?;
    if let Some(name) = node.get("name") {
        found.text(&name);
    }
    let address = match node.get("email") {
        Some(email) => found.text(&email)?,
        None => "",
    };
    if !is_address(address) || address.ends_with(REFUSED) {
        found.refuse(&node.below("email"), "Does not contain a valid address.");
        return None;
    }
    Some(address)
}

/// As a person, but SendGrid takes no Unicode in the sender's address.
pub(crate) fn sender(node: &Node<'_>, found: &mut Findings) {
    if person(node, found).is_some_and(|address| !address.is_ascii()) {
        found.refuse(&node.below("email"), "Does not contain a valid address.");
    }
}

/// A local part with a leading, trailing or doubled dot is taken only in quotes, and no other one in quotes (SendGrid's Japanese
/// support, article 360000019762).
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\\\"@".contains(c);
    let inner = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let name = inner.unwrap_or(local);
    let has_empty_atom = name.split('.').any(str::is_empty);
    !name.is_empty()
        && has_empty_atom == inner.is_some()
        && local.len() <= 64
        && text.len() <= 320
        && name.chars().chain(domain.chars()).all(is_plain)
        && domain.contains('.')
        && domain.split('.').all(|label| !label.is_empty())
}

fn substitutions(node: &Node<'_>, rules: &Rules<'_>, found: &mut Findings) {
    if rules.dynamic_template {
        found.refuse(&node.path, "Substitutions may not be used with dynamic templating.");
    }
    let Some(pairs) = found.texts(node) else { return };
    let bytes: usize = pairs.iter().map(|(tag, value)| tag.len() + value.len()).sum();
    if bytes > SUBSTITUTIONS_BYTES {
        found.refuse(
            &node.path,
            format!("Substitutions are limited to {SUBSTITUTIONS_BYTES} bytes per personalization block; these have {bytes}."),
        );
    }
}

/// Those of the message count for each personalization, under its own.
fn custom_args(item: &Node<'_>, rules: &Rules<'_>, found: &mut Findings) {
    let mut merged: BTreeMap<&str, &str> = rules.custom_args.iter().copied().collect();
    let mut path = "custom_args".to_owned();
    if let Some(own) = item.get("custom_args") {
        merged.extend(texts(&own, found));
        path = own.path;
    }
    // As JSON, which is the larger way to count: whoever keeps this keeps the other.
    let bytes = serde_json::to_string(&merged).map_or(usize::MAX, |text| text.len());
    if bytes >= CUSTOM_ARGS_BYTES {
        found.refuse(
            &path,
            format!("Custom arguments must be less than {CUSTOM_ARGS_BYTES} bytes; these have {bytes}."),
        );
    }
}

/// Custom args. A value that is no text brings the bare "Bad Request" it brings live (sendgrid-nodejs 288).
pub(crate) fn texts<'v>(node: &Node<'v>, found: &mut Findings) -> Vec<(&'v str, &'v str)> {
    let object = found.object(node);
    let pairs = object.into_iter().flatten().map(|(key, value)| Some((key.as_str(), value.as_str()?)));
    let Some(pairs) = pairs.collect::<Option<Vec<_>>>() else {
        found.0.push(ApiError::general("Bad Request"));
        return Vec::new();
    };
    pairs
}
