use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use sendgrid_simulator::mail_api::{Fault, MailApi, Options};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "SG.test.key";
pub(crate) const NOW: i64 = 1_700_000_000;
pub(crate) const SEND: &str = "/v3/mail/send";

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The fields that the errors name, each once, sorted.
    pub(crate) fn fields(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().expect("SendGrid's form");
        let fields: std::collections::BTreeSet<String> =
            errors.iter().map(|error| error["field"].as_str().unwrap_or("null").to_owned()).collect();
        fields.into_iter().collect()
    }
}

pub(crate) async fn api(plan: impl Fn(usize) -> Fault + Send + Sync + 'static) -> MailApi {
    MailApi::start(Options::new(KEY, NOW).with_faults(plan)).await.expect("loopback")
}

pub(crate) async fn sound_api() -> MailApi {
    api(|_| Fault::None).await
}

pub(crate) fn client() -> Client {
    let builder = Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(20));
    builder.build().expect("a client")
}

pub(crate) fn request(api: &MailApi, method: Method, path: &str) -> reqwest::RequestBuilder {
    client().request(method, format!("{}{path}", api.url())).bearer_auth(KEY)
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: response.bytes().await? })
}

pub(crate) fn posting(api: &MailApi, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    request(api, Method::POST, SEND).header("Content-Type", "application/json").body(body)
}

pub(crate) async fn post(api: &MailApi, message: &Value) -> Answer {
    answer(posting(api, message.to_string())).await.expect("an answer")
}

/// A message that says as much as a message to one can.
pub(crate) fn message() -> Value {
    json!({
        "personalizations": [{
            "to": [{"email": "jane.doe@example.com", "name": "Jane"}],
            "cc": [{"email": "cc@example.com"}],
            "bcc": [{"email": "bcc@example.com"}],
            "from": {"email": "sales@example.org"},
            "subject": "Dear -name-",
            "headers": {"X-Own": "1"},
            "substitutions": {"-name-": "Jane"},
            "custom_args": {"recipient": "r-1"},
            "send_at": NOW + 60,
        }],
        "from": {"email": "news@example.org", "name": "News"},
        "reply_to": {"email": "help@example.org"},
        "subject": "Dear all",
        "content": [{"type": "text/plain", "value": "Hi -name-"}, {"type": "text/html", "value": "<p>-name-</p>"}],
        "attachments": [{
            "content": "aGVsbG8=", "type": "text/plain", "filename": "hello.txt", "disposition": "inline", "content_id": "c",
        }],
        "headers": {"X-All": "1"},
        "categories": ["spring", "sale"],
        "custom_args": {"run": "spring"},
        "send_at": NOW + 30,
        "asm": {"group_id": 7, "groups_to_display": [7, 8]},
        "ip_pool_name": "pool",
        "mail_settings": {
            "bypass_list_management": {"enable": false},
            "footer": {"enable": true, "text": "t", "html": "h"},
            "sandbox_mode": {"enable": false},
        },
        "tracking_settings": {
            "click_tracking": {"enable": true, "enable_text": false},
            "open_tracking": {"enable": true, "substitution_tag": "%o%"},
            "subscription_tracking": {"enable": false, "text": "t", "html": "h", "substitution_tag": "s"},
            "ganalytics": {"enable": true, "utm_source": "s", "utm_campaign": "c"},
        },
    })
}

/// A plain message to these addresses, a personalization each.
pub(crate) fn message_to<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Value {
    let people: Vec<Value> = addresses.into_iter().map(|a| json!({"to": [{"email": a}]})).collect();
    json!({
        "personalizations": people, "from": {"email": "news@example.org"}, "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hi"}],
    })
}
