//! What an accepted request comes to: one mail a recipient.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// One mail that SendGrid accepted, to one recipient (`to`, `cc` and `bcc` alike). `Debug` shows no address.
#[derive(Clone, PartialEq)]
pub struct Mail {
    /// The recipient.
    pub address: String,
    /// Number of the request that brought it, as in [`Request::number`](super::Request::number).
    pub request: usize,
    /// Place of its personalization in the request, from 0.
    pub personalization: usize,
    /// Place of the recipient among all of the request, from 0: the last part of its `sg_message_id`.
    pub recipient: usize,
    /// `X-Message-Id` of the answer, also where the answer never arrived.
    pub message_id: String,
    /// When it was accepted, Unix seconds.
    pub accepted: i64,
    /// The sender's address: of the personalization, or else of the message.
    pub from: String,
    /// Header `on-behalf-of` of the request.
    pub on_behalf_of: Option<String>,
    /// `categories`
    pub categories: Vec<String>,
    /// `custom_args` of the message, under those of the personalization.
    pub custom_args: BTreeMap<String, String>,
    /// After substitutions; `None` where a template has it.
    pub subject: Option<String>,
    /// Content of type text/plain, after substitutions.
    pub text: Option<String>,
    /// Content of type text/html, after substitutions.
    pub html: Option<String>,
    /// `template_id`
    pub template_id: Option<String>,
    /// `dynamic_template_data` of the personalization.
    pub dynamic_template_data: Option<Value>,
    /// `send_at` of the personalization, or else of the message, Unix seconds. Kept, not waited for.
    pub send_at: Option<i64>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({}, recipient {} of request {})", self.message_id, self.recipient, self.request)
    }
}

/// What all mails of a request share.
pub(crate) struct Envelope<'e> {
    pub(crate) request: usize,
    pub(crate) message_id: &'e str,
    pub(crate) accepted: i64,
    pub(crate) on_behalf_of: Option<&'e str>,
}

/// The mails of a message that was judged to be sound.
pub(crate) fn mails(message: &Value, envelope: &Envelope<'_>) -> Vec<Mail> {
    let mut mails = Vec::new();
    let personalizations = message["personalizations"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (place, personalization) in personalizations.iter().enumerate() {
        let first = mail(message, personalization, place, envelope);
        let people = ["to", "cc", "bcc"].iter().filter_map(|key| personalization[*key].as_array()).flatten();
        for address in people.filter_map(|person| person["email"].as_str()) {
            mails.push(Mail { address: address.to_owned(), recipient: mails.len(), ..first.clone() });
        }
    }
    mails
}

fn mail(message: &Value, personalization: &Value, place: usize, envelope: &Envelope<'_>) -> Mail {
    let substitutions = texts(&personalization["substitutions"]);
    let filled = |text: &str| substitute(text, &substitutions);
    let content = |kind: &str| {
        let parts = message["content"].as_array()?;
        let part = parts.iter().find(|part| part["type"].as_str().is_some_and(|t| t.eq_ignore_ascii_case(kind)))?;
        part["value"].as_str().map(filled)
    };
    // What a personalization says goes before what the message says.
    let own_or = |key: &str| personalization.get(key).or_else(|| message.get(key));
    let mut custom_args = texts(&message["custom_args"]);
    custom_args.extend(texts(&personalization["custom_args"]));
    let categories = message["categories"].as_array().map(Vec::as_slice).unwrap_or_default();
    Mail {
        address: String::new(),
        request: envelope.request,
        personalization: place,
        recipient: 0,
        message_id: envelope.message_id.to_owned(),
        accepted: envelope.accepted,
        from: own_or("from").and_then(|from| from["email"].as_str()).unwrap_or_default().to_owned(),
        on_behalf_of: envelope.on_behalf_of.map(str::to_owned),
        categories: categories.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        custom_args,
        subject: own_or("subject").and_then(Value::as_str).map(filled),
        text: content("text/plain"),
        html: content("text/html"),
        template_id: message["template_id"].as_str().map(str::to_owned),
        dynamic_template_data: personalization.get("dynamic_template_data").cloned(),
        send_at: own_or("send_at").and_then(Value::as_i64),
    }
}

fn texts(object: &Value) -> BTreeMap<String, String> {
    let pairs = object.as_object().into_iter().flat_map(Map::iter);
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Puts values in the place of their tags, the longest tag first, and looks for no tags in the values.
fn substitute(text: &str, substitutions: &BTreeMap<String, String>) -> String {
    let mut tags: Vec<(&String, &String)> = substitutions.iter().filter(|(tag, _)| !tag.is_empty()).collect();
    tags.sort_by_key(|(tag, _)| std::cmp::Reverse(tag.len()));
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        match tags.iter().find_map(|(tag, value)| Some((value, rest.strip_prefix(tag.as_str())?))) {
            Some((value, behind)) => {
                filled.push_str(value);
                rest = behind;
            }
            None => {
                filled.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn accepted(message: &Value) -> Vec<Mail> {
        mails(message, &Envelope { request: 3, message_id: "id", accepted: 7, on_behalf_of: Some("team") })
    }

    #[test]
    fn values_are_no_tags_and_the_longest_tag_wins() {
        let tags = texts(&json!({"%n%": "%name%", "%name%": "Zoë", "": "never", "%na": "short"}));
        assert_eq!(substitute("é%n% %name%, %na %x%", &tags), "é%name% Zoë, short %x%");
    }

    #[test]
    fn each_recipient_gets_a_mail_and_a_personalization_goes_before_the_message() {
        let message = json!({
            "personalizations": [
                {"to": [{"email": "a@example.com"}], "bcc": [{"email": "b@example.com"}],
                 "substitutions": {"-name-": "Ann"}, "custom_args": {"run": "own", "id": "1"}},
                {"to": [{"email": "c@example.com"}], "subject": "For c", "send_at": 9,
                 "from": {"email": "other@example.org"}, "dynamic_template_data": {"x": [1]}},
            ],
            "from": {"email": "news@example.org"}, "subject": "Dear -name-", "send_at": 8,
            "content": [{"type": "text/plain", "value": "Hi -name-"}, {"type": "text/html", "value": "<p>-name-"}],
            "categories": ["spring", "sale"], "custom_args": {"run": "all"},
        });
        let mails = accepted(&message);
        let addresses: Vec<_> = mails.iter().map(|m| (m.address.as_str(), m.personalization, m.recipient)).collect();
        assert_eq!(addresses, [("a@example.com", 0, 0), ("b@example.com", 0, 1), ("c@example.com", 1, 2)]);
        assert_eq!(mails[1].subject.as_deref(), Some("Dear Ann"));
        assert_eq!((mails[1].text.as_deref(), mails[1].html.as_deref()), (Some("Hi Ann"), Some("<p>Ann")));
        assert_eq!(mails[0].custom_args, texts(&json!({"run": "own", "id": "1"})));
        assert_eq!(mails[0].categories, ["spring", "sale"]);
        assert_eq!((mails[0].from.as_str(), mails[0].send_at), ("news@example.org", Some(8)));
        assert_eq!((mails[2].from.as_str(), mails[2].send_at), ("other@example.org", Some(9)));
        assert_eq!(mails[2].subject.as_deref(), Some("For c"));
        assert_eq!(mails[2].custom_args, texts(&json!({"run": "all"})));
        assert_eq!(mails[2].dynamic_template_data, Some(json!({"x": [1]})));
        assert!(!format!("{mails:?}").contains('@'), "Debug shows an address");
    }
}
