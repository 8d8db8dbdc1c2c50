//! The form of the Activity page. What is typed ends here: an address becomes its hashes, every other field loses what is
//! shaped like one, and the browser is sent to a URL that holds neither.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use super::asked::Asked;
use super::failure::Failure;
use super::page::App;
use super::visitor::Visitor;
use crate::protect::{EmailHash, KeyRing, without_addresses};

pub(super) async fn search(State(app): State<Arc<App>>, visitor: Visitor, body: Bytes) -> Response {
    match read(&body, &app.keys) {
        Some(form) if visitor.person.sent(&form.csrf) => Redirect::to(&form.asked.url()).into_response(),
        _ => Failure::OldForm.into_response(),
    }
}

struct Form {
    csrf: String,
    asked: Asked,
}

fn read(body: &[u8], keys: &KeyRing) -> Option<Form> {
    let mut form = Form { csrf: String::new(), asked: Asked::default() };
    let (mut exact, mut preset) = (None, None);
    for (name, value) in form_urlencoded::parse(body) {
        match name.as_ref() {
            "csrf" => form.csrf = value.into_owned(),
            "who" => {
                for hash in who(&value, keys) {
                    form.asked.take("recipient", &hash.to_string());
                }
            }
            "since_exact" => exact = Some(value.trim().to_owned()).filter(|text| !text.is_empty()),
            "since" => preset = Some(value.into_owned()).filter(|text| !text.is_empty()),
            // Several values in one field, as lists are typed.
            "category" | "run" | "message" | "domain" => {
                for one in value.split(',') {
                    form.asked.take(&name, &without_addresses(one));
                }
            }
            _ => {
                form.asked.take(&name, &without_addresses(&value));
            }
        }
    }
    if let Some(since) = exact.or(preset) {
        form.asked.take("since", &without_addresses(&since));
    }
    (!form.csrf.is_empty()).then_some(form)
}

/// The hashes of who is asked for: an address under all keys, a hash as it is.
fn who(typed: &str, keys: &KeyRing) -> Vec<EmailHash> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Vec::new();
    }
    EmailHash::parse(typed).map_or_else(|| keys.lookup_hashes(typed), |hash| vec![hash])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HashMode;

    fn keys() -> KeyRing {
        KeyRing::new(HashMode::HmacSha256, &KeyRing::generate().expect("a key"))
    }

    #[test]
    fn no_address_reaches_the_url_from_whichever_field() {
        let keys = keys();
        let hash = keys.email_hash("jane.doe@example.com").to_string();
        let body = |name: &str, value: &str| {
            let mut body = form_urlencoded::Serializer::new(String::new());
            body.append_pair("csrf", "x").append_pair(name, value);
            body.finish().into_bytes()
        };
        let url = |name: &str, value: &str| read(&body(name, value), &keys).expect("a form").asked.url();
        assert_eq!(url("who", " Jane.Doe@Example.com"), format!("/activity?recipient={hash}"));
        assert_eq!(url("who", &hash), format!("/activity?recipient={hash}"));
        for name in ["category", "run", "message", "domain", "reason", "since", "since_exact", "until", "event"] {
            let url = url(name, "jane.doe@example.com");
            assert!(!url.to_lowercase().contains("jane") && !url.contains('@'), "{name}: {url}");
        }
        assert_eq!(url("category", "news, offers"), "/activity?category=news&category=offers");
        assert_eq!(url("since_exact", "2026-11-24"), "/activity?since=2026-11-24");
        assert!(read(b"who=x", &keys).is_none(), "a form of ours has a token");
    }
}
