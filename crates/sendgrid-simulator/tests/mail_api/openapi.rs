//! The simulated API says what SendGrid's document says, judged by a JSON Schema validator that is none of ours.

use std::collections::BTreeSet;

use reqwest::Method;
use sendgrid_openapi_check::{Breach, Document, MAIL};
use sendgrid_simulator::MailApi;
use sendgrid_simulator::mail_api::Fault;
use serde_json::{Value, json};

use crate::support::{Answer, SEND, answer, api, client, message, post, posting, request, sound_api};

fn held(document: &Document, path: &str, answer: &Answer) -> Result<(), Breach> {
    document.answer("POST", path, answer.status, answer.header("content-type"), &answer.body)
}

fn has_rate_limits(answer: &Answer) {
    for name in ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"] {
        let value = answer.header(name).and_then(|text| text.parse::<i64>().ok());
        assert!(value.is_some_and(|value| value >= 0), "{name} of {}", answer.status);
    }
}

#[tokio::test]
async fn every_answer_is_the_one_the_document_has_for_its_status() {
    let Some(document) = Document::shared(MAIL) else { return };
    let api = api(|number| if number == 1 { Fault::Status500 { accepted: false } } else { Fault::None }).await;
    let url = format!("{}{SEND}", api.url());
    let wrong_key = client().post(&url).bearer_auth("SG.other").body("{}");
    let answers = [
        (202, post(&api, &message()).await),
        (500, post(&api, &message()).await),
        (400, post(&api, &json!({})).await),
        (400, answer(posting(&api, "{")).await.expect("answered")),
        (400, answer(posting(&api, "[]")).await.expect("answered")),
        (401, answer(client().post(&url).body("{}")).await.expect("answered")),
        (401, answer(wrong_key).await.expect("answered")),
        (404, answer(request(&api, Method::POST, "/v3/mail/sent")).await.expect("answered")),
        (405, answer(request(&api, Method::GET, SEND)).await.expect("answered")),
    ];
    for (status, answer) in &answers {
        assert_eq!(answer.status, *status);
        assert_eq!(held(&document, SEND, answer), Ok(()), "{status}");
        has_rate_limits(answer);
    }
    let id = answers[0].1.header("X-Message-Id").expect("has one");
    assert_eq!((id.len(), id), (22, api.mails()[0].message_id.as_str()));
    api.stop().await;
}

#[tokio::test]
async fn batch_ids_are_given_and_known_again() {
    let Some(document) = Document::shared(MAIL) else { return };
    let api = sound_api().await;
    let made = answer(request(&api, Method::POST, "/v3/mail/batch")).await.expect("answered");
    assert_eq!((made.status, held(&document, "/v3/mail/batch", &made)), (201, Ok(())));
    let id = made.json()["batch_id"].as_str().expect("in the document").to_owned();
    let one = "/v3/mail/batch/{batch_id}";
    for (asked, status) in [(id.as_str(), 200), ("unknown", 400)] {
        let known = answer(request(&api, Method::GET, &format!("/v3/mail/batch/{asked}"))).await.expect("answered");
        assert_eq!(known.status, status);
        assert_eq!(document.answer("GET", one, status, known.header("content-type"), &known.body), Ok(()));
        has_rate_limits(&known);
    }
    let mut sent = message();
    sent["batch_id"] = json!(id);
    assert_eq!(post(&api, &sent).await.status, 202);
    sent["batch_id"] = json!("unknown");
    assert_eq!(post(&api, &sent).await.fields(), ["batch_id"]);
    api.stop().await;
}

/// What live traffic has and the document has not; were it to have them one day, they would be held against it above.
#[tokio::test]
async fn answers_beyond_the_document_are_known_by_name() {
    let Some(document) = Document::shared(MAIL) else { return };
    let api = api(|number| match number {
        0 => Fault::TooMany { reset_after: std::time::Duration::from_secs(2) },
        1 => Fault::RefusedHtml413,
        _ => Fault::None,
    })
    .await;
    let many = post(&api, &message()).await;
    assert_eq!(held(&document, SEND, &many), Err(Breach::Undocumented(429)));
    let large = post(&api, &message()).await;
    assert_eq!(large.status, 413);
    assert_eq!(held(&document, SEND, &large), Err(Breach::ContentType(Some("text/html".to_owned()))));
    let mut sandbox = message();
    sandbox["mail_settings"]["sandbox_mode"]["enable"] = json!(true);
    let sandbox = post(&api, &sandbox).await;
    assert_eq!(held(&document, SEND, &sandbox), Err(Breach::Undocumented(200)));
    let form = answer(request(&api, Method::POST, SEND).body("a=b")).await.expect("answered");
    assert_eq!(held(&document, SEND, &form), Err(Breach::Undocumented(415)));
    for answer in [many, large, sandbox, form] {
        has_rate_limits(&answer);
    }
    api.stop().await;
}

#[tokio::test]
async fn sendgrids_own_examples_are_accepted() {
    let Some(document) = Document::shared(MAIL) else { return };
    let api = sound_api().await;
    let made = answer(request(&api, Method::POST, "/v3/mail/batch")).await.expect("answered").json();
    for (name, mails) in [("MailSendDynamicTemplate", 2), ("MailSendNoTemplate", 6)] {
        let pointer = format!("/components/requestBodies/PostMailSend/content/application~1json/examples/{name}/value");
        let mut example = document.example(&pointer).expect("in the document");
        example["batch_id"] = made["batch_id"].clone();
        let before = api.mails().len();
        let answer = post(&api, &example).await;
        assert_eq!(answer.status, 202, "{name}: {:?}", answer.body);
        assert_eq!(api.mails().len() - before, mails, "{name}");
    }
    api.stop().await;
}

/// JSON pointers of all values in a message.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let keys: Vec<String> = match value {
        Value::Object(map) => map.keys().cloned().collect(),
        Value::Array(items) => (0..items.len()).map(|place| place.to_string()).collect(),
        _ => Vec::new(),
    };
    for key in keys {
        let pointer = format!("{at}/{key}");
        pointers(value.pointer(&format!("/{key}")).expect("its own key"), &pointer, found);
        found.push(pointer);
    }
}

async fn agree(api: &MailApi, document: &Document, changed: &Value, what: &str) -> bool {
    let answer = post(api, changed).await;
    let refused = document.request("POST", SEND, changed.to_string().as_bytes());
    if let Err(breach) = &refused {
        assert_eq!(answer.status, 400, "{what}: the document says {breach}");
    }
    refused.is_err()
}

/// Each value of a full message changed to each other kind of value, or taken away: what the document refuses, the
/// server refuses.
#[tokio::test]
async fn the_server_is_at_least_as_strict_as_the_document() {
    let Some(document) = Document::shared(MAIL) else { return };
    let api = sound_api().await;
    let message = message();
    assert_eq!(document.request("POST", SEND, message.to_string().as_bytes()), Ok(()));
    let mut places = Vec::new();
    pointers(&message, "", &mut places);
    let mut refused = 0;
    for place in &places {
        for other in [json!(null), json!(true), json!(7), json!(""), json!("x"), json!([]), json!({}), json!([{}])] {
            let mut changed = message.clone();
            *changed.pointer_mut(place).expect("found there") = other.clone();
            refused += usize::from(agree(&api, &document, &changed, &format!("{place} = {other}")).await);
        }
        let (parent, key) = place.rsplit_once('/').expect("a pointer");
        let mut changed = message.clone();
        if let Some(map) = changed.pointer_mut(parent).and_then(Value::as_object_mut) {
            map.remove(key);
            map.insert(format!("{key}_misspelt"), json!("x"));
        }
        refused += usize::from(agree(&api, &document, &changed, &format!("{place} misspelt")).await);
    }
    assert!(refused > 400, "{refused} of {} places", places.len());
    let accepted = api.requests().iter().filter(|request| request.status == Some(202)).count();
    let sent: BTreeSet<usize> = api.mails().iter().map(|mail| mail.request).collect();
    assert_eq!(sent.len(), accepted, "mail of a refused request");
    api.stop().await;
}
