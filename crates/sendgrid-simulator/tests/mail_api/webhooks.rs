//! Settings of webhooks, held against SendGrid's published document.

use std::collections::BTreeSet;

use reqwest::Method;
use sendgrid_openapi_check::{Document, WEBHOOKS};
use sendgrid_simulator::mail_api::{MailApi, Options};
use serde_json::{Value, json};

use crate::support::{Answer, KEY, NOW, answer, request};

const SETTINGS: &str = "/v3/user/webhooks/event/settings";

/// Calls, and holds request and answer against the document where it is there.
async fn call(api: &MailApi, method: Method, path: &str, template: &str, body: Option<Value>) -> Answer {
    let mut asked = request(api, method.clone(), path);
    let document = Document::shared(WEBHOOKS);
    if let Some(body) = &body {
        asked = asked.header("Content-Type", "application/json").body(body.to_string());
        if let Some(document) = &document {
            assert_eq!(document.request(method.as_str(), template, body.to_string().as_bytes()), Ok(()), "{template}");
        }
    }
    let answered = answer(asked).await.expect("answered");
    if let Some(document) = &document {
        let kind = answered.header("content-type");
        let held = document.answer(method.as_str(), template, answered.status, kind, &answered.body);
        assert_eq!(held, Ok(()), "{method} {template} {}", answered.status);
    }
    answered
}

#[tokio::test]
async fn a_webhook_lives_its_whole_life() {
    let options = Options { most_webhooks: 2, ..Options::new(KEY, NOW) };
    let api = MailApi::start(options).await.expect("loopback");
    let one = format!("{SETTINGS}/{{id}}");
    let signed = format!("{SETTINGS}/signed/{{id}}");
    let url = "https://user:secret@hooks.example.org/event";
    let wanted = json!({"url": url, "enabled": true, "delivered": true, "bounce": true, "friendly_name": "mailtrail"});
    let made = call(&api, Method::POST, SETTINGS, SETTINGS, Some(wanted.clone())).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().expect("has one").to_owned();
    let path = format!("{SETTINGS}/{id}");
    assert_eq!(made.json()["open"], json!(false));

    let taken = call(&api, Method::POST, SETTINGS, SETTINGS, Some(wanted)).await;
    assert_eq!((taken.status, taken.json()["errors"][0]["id"].as_str()), (400, Some(id.as_str())));
    let invalid = call(&api, Method::POST, SETTINGS, SETTINGS, Some(json!({"url": "nothing"}))).await;
    assert_eq!(invalid.status, 400);
    let second = json!({"url": "https://hooks.example.org/other"});
    assert_eq!(call(&api, Method::POST, SETTINGS, SETTINGS, Some(second)).await.status, 201);
    let third = json!({"url": "https://hooks.example.org/third"});
    let full = call(&api, Method::POST, SETTINGS, SETTINGS, Some(third)).await;
    assert!(full.status == 400 && full.json()["errors"][0]["message"].as_str().is_some_and(|m| m.contains("maximum")));

    let off = call(&api, Method::GET, &format!("{SETTINGS}/signed/{id}"), &signed, None).await;
    assert_eq!(off.json()["public_key"], json!(""));
    let mut keys = BTreeSet::new();
    for enabled in [true, true, false, true] {
        let path = format!("{SETTINGS}/signed/{id}");
        let told = call(&api, Method::PATCH, &path, &signed, Some(json!({"enabled": enabled}))).await.json();
        keys.insert(told["public_key"].as_str().expect("text").to_owned());
    }
    assert_eq!(keys.len(), 3, "none, and two pairs");

    let changed =
        call(&api, Method::PATCH, &path, &one, Some(json!({"url": url, "enabled": false, "open": true}))).await;
    assert_eq!((changed.status, changed.json()["delivered"].clone()), (200, json!(true)));
    assert_eq!(call(&api, Method::GET, &path, &one, None).await.status, 200);
    let all = call(&api, Method::GET, &format!("{SETTINGS}/all"), &format!("{SETTINGS}/all"), None).await.json();
    assert_eq!((all["max_allowed"].as_u64(), all["webhooks"].as_array().map(Vec::len)), (Some(2), Some(2)));
    let hook = &api.webhooks()[0];
    assert!(!hook.enabled && hook.events == ["delivered", "bounce", "open"] && hook.signer.is_some());
    assert!(!format!("{hook:?}").contains("secret"));

    assert_eq!(call(&api, Method::DELETE, &path, &one, None).await.status, 204);
    assert_eq!(call(&api, Method::DELETE, &path, &one, None).await.status, 404);
    assert_eq!(call(&api, Method::GET, &path, &one, None).await.status, 404);
    api.stop().await;
}
