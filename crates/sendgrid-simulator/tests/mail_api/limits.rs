//! SendGrid's limits, each refused under the name of its field.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{KEY, NOW, SEND, answer, client, message, message_to, post, posting, request, sound_api};

fn changed(pointer: &str, value: Value) -> Value {
    let mut message = message();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match message.pointer_mut(parent).expect("in the sample") {
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        Value::Array(items) => items[key.parse::<usize>().expect("a place")] = value,
        _ => panic!("{parent} is no container"),
    }
    message
}

fn without(key: &str) -> Value {
    let mut message = message();
    message.as_object_mut().expect("an object").remove(key);
    message["personalizations"][0].as_object_mut().expect("an object").remove(key);
    message
}

#[tokio::test]
async fn each_limit_is_refused_under_the_name_of_its_field() {
    let people = |count: usize| (0..count).map(|n| format!("p{n}@example.com")).collect::<Vec<_>>();
    let many = |count| message_to(people(count).iter().map(String::as_str));
    let list = |count| json!(people(count).iter().map(|a| json!({"email": a})).collect::<Vec<_>>());
    let dynamic = {
        let mut message = changed("/template_id", json!("d-1"));
        message["personalizations"][0]["dynamic_template_data"] = json!({"name": "Jane"});
        message
    };
    // With its quotes, braces and the message's own `run`, these make 9,999 and 10,000 bytes as JSON.
    let args = |extra: usize| {
        let rest = r#"{"run":"spring","x":""}"#.len();
        changed("/personalizations/0/custom_args", json!({"x": "y".repeat(9_999 + extra - rest)}))
    };
    let table = [
        ("personalizations", json!({"from": {"email": "a@example.org"}, "subject": "s", "template_id": "t"})),
        ("personalizations", changed("/personalizations", json!([]))),
        ("personalizations", many(1001)),
        ("personalizations", changed("/personalizations/0/to", list(999))),
        ("personalizations", changed("/personalizations/0/cc/0/email", json!("Jane.Doe@example.com"))),
        ("personalizations.0.to", changed("/personalizations/0/to", json!([]))),
        ("personalizations.0.to.0.email", changed("/personalizations/0/to/0/email", json!("jane@localhost"))),
        ("personalizations.0.to.0.email", changed("/personalizations/0/to/0", json!({"name": "Jane"}))),
        ("personalizations.0.substitutions", dynamic),
        (
            "personalizations.0.substitutions",
            changed("/personalizations/0/substitutions", json!({"-n-": "x".repeat(9_998)})),
        ),
        ("personalizations.0.custom_args", args(1)),
        ("personalizations.0.send_at", changed("/personalizations/0/send_at", json!(NOW + 73 * 3600))),
        ("personalizations.0.headers.Reply-To", changed("/personalizations/0/headers/Reply-To", json!("x"))),
        ("from.email", without("from")),
        ("from.email", changed("/from/email", json!("nöws@example.org"))),
        ("subject", without("subject")),
        ("subject", changed("/subject", json!(""))),
        ("content", without("content")),
        (
            "content",
            changed("/content", json!([{"type": "text/html", "value": "h"}, {"type": "text/plain", "value": "t"}])),
        ),
        ("content", changed("/content/1/type", json!("text/plain"))),
        ("content.1.value", changed("/content/1/value", json!(""))),
        ("reply_to_list", changed("/reply_to_list", list(1))),
        ("headers.X-SG-EID", changed("/headers/X-SG-EID", json!("x"))),
        ("categories", changed("/categories", json!((0..11).map(|n| n.to_string()).collect::<Vec<_>>()))),
        ("categories", changed("/categories", json!(["twice", "twice"]))),
        ("categories.0", changed("/categories/0", json!("x".repeat(256)))),
        ("categories.0", changed("/categories/0", json!("frühling"))),
        ("null", changed("/custom_args", json!({"run": 7}))),
        ("send_at", changed("/send_at", json!(NOW + 73 * 3600))),
        ("asm.group_id", changed("/asm", json!({"groups_to_display": []}))),
        ("asm.groups_to_display", changed("/asm/groups_to_display", json!((0..26).collect::<Vec<_>>()))),
        ("ip_pool_name", changed("/ip_pool_name", json!("x"))),
        ("mail_settings.sandbox_mode.enable", changed("/mail_settings/sandbox_mode/enable", json!("true"))),
        (
            "mail_settings.bypass_list_management",
            changed(
                "/mail_settings",
                json!({"bypass_list_management": {"enable": true}, "bypass_spam_management": {"enable": true}}),
            ),
        ),
        ("attachments.0.content", changed("/attachments/0/content", json!("no base64!"))),
        ("attachments.0.disposition", changed("/attachments/0/disposition", json!("sideways"))),
    ];
    let api = sound_api().await;
    for (field, message) in &table {
        let answer = post(&api, message).await;
        assert_eq!((answer.status, answer.fields()), (400, vec![(*field).to_owned()]), "{:?}", answer.body);
        let error = &answer.json()["errors"][0];
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{field}");
        assert_eq!(error["help"].is_null(), *field == "null", "{field}");
    }
    assert_eq!(api.mails(), [], "nothing of what was refused is accepted");

    // And just within: taken.
    let mut plain = message();
    plain["reply_to_list"] = plain["reply_to"].take();
    plain["reply_to_list"] = list(1000);
    plain.as_object_mut().expect("an object").remove("reply_to");
    for (what, message) in [
        ("1,000 personalizations", many(1000)),
        ("1,000 recipients in one", changed("/personalizations/0/to", list(998))),
        ("custom args of 9,999 bytes", args(0)),
        (
            "substitutions of 10,000 bytes",
            changed("/personalizations/0/substitutions", json!({"-n-": "x".repeat(9_997)})),
        ),
        ("72 hours", changed("/send_at", json!(NOW + 72 * 3600))),
        ("10 categories", changed("/categories", json!((0..10).map(|n| n.to_string()).collect::<Vec<_>>()))),
        ("a long category", changed("/categories/0", json!("x".repeat(255)))),
        ("1,000 addresses for answers", plain),
    ] {
        let answer = post(&api, &message).await;
        assert_eq!(answer.status, 202, "{what}: {:?}", answer.body);
    }
    api.stop().await;
}

/// SendGrid's Japanese support, article 360000019762; exment#800.
#[tokio::test]
async fn carrier_addresses_are_taken_in_quotes_alone_and_no_others_are() {
    let api = sound_api().await;
    for (local, quoted) in [("a..b", true), (".a", true), ("a.", true), ("a.b", false), ("a", false)] {
        for in_quotes in [true, false] {
            let address =
                if in_quotes { format!("\"{local}\"@docomo.example.jp") } else { format!("{local}@docomo.example.jp") };
            let answer = post(&api, &message_to([address.as_str()])).await;
            assert_eq!(answer.status == 202, in_quotes == quoted, "{address}");
        }
    }
    api.stop().await;
}

#[tokio::test]
async fn all_mistakes_are_told_at_once() {
    let api = sound_api().await;
    let answer = post(&api, &json!({"personalizations": [{"to": [{"email": "x"}]}], "catgories": []})).await;
    let fields = ["", "content", "from.email", "personalizations.0.to.0.email", "subject"];
    assert_eq!(answer.fields(), fields);
    api.stop().await;
}

#[tokio::test]
async fn a_template_stands_for_subject_and_content() {
    let api = sound_api().await;
    let message = json!({
        "personalizations": [{"to": [{"email": "jane@example.com"}], "dynamic_template_data": {"name": "Jane"}}],
        "from": {"email": "news@example.org"}, "template_id": "d-123",
    });
    assert_eq!(post(&api, &message).await.status, 202);
    let [mail] = &api.mails()[..] else { panic!("one mail") };
    assert_eq!((&mail.subject, &mail.html, mail.template_id.as_deref()), (&None, &None, Some("d-123")));
    assert_eq!(mail.dynamic_template_data, Some(json!({"name": "Jane"})));
    api.stop().await;
}

#[tokio::test]
async fn the_sandbox_judges_and_sends_nothing() {
    let api = sound_api().await;
    let sandbox = changed("/mail_settings/sandbox_mode/enable", json!(true));
    let answer = post(&api, &sandbox).await;
    assert_eq!((answer.status, answer.body.len(), answer.header("X-Message-Id")), (200, 0, None));
    let mut wrong = sandbox;
    wrong["categories"] = json!("spring");
    assert_eq!(post(&api, &wrong).await.fields(), ["categories"]);
    assert_eq!(api.mails(), []);
    api.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_in_html() {
    let api = sound_api().await;
    let mut large = message_to(["jane@example.com"]);
    large["content"][0]["value"] = json!("x".repeat(30 * 1024 * 1024));
    let answer = answer(posting(&api, large.to_string())).await.expect("answered");
    assert_eq!((answer.status, answer.header("content-type")), (413, Some("text/html")));
    assert!(answer.body.starts_with(b"<html>"));
    assert_eq!((api.mails().len(), api.requests()[0].status), (0, Some(413)));
    api.stop().await;
}

#[tokio::test]
async fn without_the_right_key_nothing_is_accepted() {
    let api = sound_api().await;
    let send = || client().post(format!("{}{SEND}", api.url())).header("Content-Type", "application/json");
    let body = message().to_string();
    for (request, text) in [
        (send(), "authorization required"),
        (send().bearer_auth("SG.other"), "The provided authorization grant is invalid, expired, or revoked"),
        (send().basic_auth("apikey", Some(KEY)), "The provided authorization grant is invalid, expired, or revoked"),
    ] {
        let answer = answer(request.body(body.clone())).await.expect("answered");
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json(), json!({"errors": [{"message": text, "field": null, "help": null}]}));
    }
    let batch = client().post(format!("{}/v3/mail/batch", api.url()));
    assert_eq!(answer(batch).await.expect("answered").status, 401);
    assert_eq!(api.mails(), []);
    assert_eq!(
        answer(request(&api, Method::DELETE, "/v3/mail/batch")).await.expect("answered").header("allow"),
        Some("POST")
    );
    api.stop().await;
}
