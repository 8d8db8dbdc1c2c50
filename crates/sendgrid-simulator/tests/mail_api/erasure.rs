//! Erasing recipients' data, held against SendGrid's published document.

use reqwest::Method;
use sendgrid_openapi_check::{Document, ERASURE};
use sendgrid_simulator::mail_api::{ERASURE_BYTES, MOST_ERASED, MailApi, Options};
use serde_json::{Value, json};

use crate::support::{Answer, KEY, NOW, answer, client, request, sound_api};

const PATH: &str = "/v3/recipients/erasejob";

async fn erase(api: &MailApi, body: &Value) -> Answer {
    let asked = request(api, Method::POST, PATH).header("Content-Type", "application/json").body(body.to_string());
    let answered = answer(asked).await.expect("answered");
    if let Some(document) = Document::shared(ERASURE) {
        // What the document refuses, the simulator refuses; and it answers as the document says.
        let sound = document.request("POST", PATH, body.to_string().as_bytes());
        assert!(answered.status != 202 || sound == Ok(()), "{sound:?}");
        held(&document, &answered);
    }
    answered
}

fn held(document: &Document, answered: &Answer) {
    let kind = answered.header("content-type");
    assert_eq!(document.answer("POST", PATH, answered.status, kind, &answered.body), Ok(()));
}

#[tokio::test]
async fn jobs_have_ids_and_what_is_wrong_is_refused_as_documented() {
    let api = sound_api().await;
    let first = erase(&api, &json!({"email_addresses": ["b@example.com", "a@example.com", "b@example.com"]})).await;
    let second = erase(&api, &json!({"email_addresses": ["c@example.com"]})).await;
    assert_eq!((first.status, second.status), (202, 202));
    assert_ne!(first.json()["job_id"], second.json()["job_id"]);
    assert_eq!(api.erased(), [vec!["a@example.com", "b@example.com"], vec!["c@example.com"]]);

    let many: Vec<String> = (0..=MOST_ERASED).map(|n| format!("{n}@x.org")).collect();
    let wrong = [
        json!({}),
        json!({"email_addresses": []}),
        json!({"email_addresses": ["no address"]}),
        json!({"email_addresses": many}),
    ];
    for body in &wrong {
        assert_eq!(erase(&api, body).await.status, 400);
    }
    let most: Vec<&String> = many.iter().take(MOST_ERASED).collect();
    assert_eq!(erase(&api, &json!({"email_addresses": most})).await.status, 202);
    let long = json!({"email_addresses": [format!("{}@x.org", "l".repeat(ERASURE_BYTES))]}).to_string();
    let asked = request(&api, Method::POST, PATH).body(long);
    assert_eq!(answer(asked).await.expect("answered").status, 413);
    assert_eq!(api.erased().len(), 3);

    let other_key = client().post(format!("{}{PATH}", api.url())).bearer_auth("SG.other").body("{}");
    let unknown = answer(other_key).await.expect("answered");
    assert_eq!(unknown.status, 401);
    api.stop().await;
    let api = MailApi::start(Options { may_erase: false, ..Options::new(KEY, NOW) }).await.expect("loopback");
    assert_eq!(erase(&api, &json!({"email_addresses": ["a@example.com"]})).await.status, 403);
    if let Some(document) = Document::shared(ERASURE) {
        held(&document, &unknown);
    }
    api.stop().await;
}
