//! The Email Logs, held against SendGrid's published document.

use std::time::Duration;

use reqwest::Method;
use sendgrid_openapi_check::{Document, LOGS};
use sendgrid_simulator::mail_api::{Fault, Logged, MailApi, Options};
use sendgrid_simulator::{Message, Random};
use serde_json::{Value, json};

use crate::support::{Answer, KEY, NOW, answer, request, sound_api};

const PATH: &str = "/v3/logs";

async fn search(api: &MailApi, body: &Value) -> Answer {
    let document = Document::shared(LOGS);
    let asked = request(api, Method::POST, PATH).header("Content-Type", "application/json").body(body.to_string());
    let answered = answer(asked).await.expect("answered");
    if let Some(document) = document {
        if answered.status == 200 {
            assert_eq!(document.request("POST", PATH, body.to_string().as_bytes()), Ok(()));
        }
        let kind = answered.header("content-type");
        assert_eq!(document.answer("POST", PATH, answered.status, kind, &answered.body), Ok(()));
    }
    answered
}

fn messages(count: usize) -> Vec<Logged> {
    let mut random = Random::new(1);
    let logged = |place: usize| {
        let at = NOW + i64::try_from(place).expect("small");
        let mut message = Message::new(&mut random, &format!("p{place}@example.com"), at);
        message.custom_args = vec![("order".to_owned(), place.to_string())];
        message.categories = vec![if place.is_multiple_of(2) { "even" } else { "odd" }.to_owned()];
        let events = [message.processed(at), message.delivered(at, 0, &mut random)];
        Logged::new(&message, "Hello", at * 1000, &events)
    };
    (0..count).map(logged).collect()
}

#[tokio::test]
async fn searches_have_no_second_page_and_details_are_as_documented() {
    let api = sound_api().await;
    let logged = messages(1500);
    api.log(logged.clone());
    let found = |answer: &Answer| answer.json()["messages"].as_array().map(Vec::len);
    assert_eq!(found(&search(&api, &json!({})).await), Some(10));
    assert_eq!(found(&search(&api, &json!({"limit": 1000})).await), Some(1000));
    for limit in [0, 1001] {
        assert_eq!(search(&api, &json!({"limit": limit})).await.status, 400);
    }
    let from = "sg_message_id_created_at >= TIMESTAMP \"2023-11-14T22:13:30Z\"";
    let until = "sg_message_id_created_at < TIMESTAMP \"2023-11-14T22:13:50Z\"";
    let window = search(&api, &json!({"query": format!("{from} AND {until}"), "limit": 1000})).await;
    assert_eq!(found(&window), Some(20));
    let odd = format!("{from} AND {until} AND categories IN ('odd') AND status IN ('delivered')");
    assert_eq!(found(&search(&api, &json!({"query": odd, "limit": 1000})).await), Some(10));
    assert_eq!(search(&api, &json!({"query": "status = 'delivered'"})).await.status, 400);

    let id = &logged[7].sg_message_id;
    let details = answer(request(&api, Method::GET, &format!("{PATH}/{id}"))).await.expect("answered");
    let unknown = answer(request(&api, Method::GET, &format!("{PATH}/unknown"))).await.expect("answered");
    if let Some(document) = Document::shared(LOGS) {
        for told in [&details, &unknown] {
            let kind = told.header("content-type");
            assert_eq!(document.answer("GET", "/v3/logs/{sg_message_id}", told.status, kind, &told.body), Ok(()));
        }
    }
    let details = details.json();
    assert_eq!(details["events"][1]["custom_args"]["order"], json!("7"));
    assert_eq!(details["events"][1].get("order"), None, "custom args stand apart");
    assert_eq!((details["to_email"].as_str(), unknown.status), (Some("p7@example.com"), 404));
    api.stop().await;
}

#[tokio::test]
async fn a_subusers_messages_show_only_where_it_is_named() {
    let api = sound_api().await;
    let mut logged = messages(5);
    let theirs = logged.split_off(3).into_iter().map(|message| message.of_subuser("20223230"));
    logged.extend(theirs);
    api.log(logged.clone());
    let found = |answer: &Answer| answer.json()["messages"].as_array().map(Vec::len);
    assert_eq!(found(&search(&api, &json!({"limit": 9})).await), Some(3));
    assert_eq!(found(&search(&api, &json!({"limit": 9, "subusers": ["20223230"]})).await), Some(2));
    assert_eq!(found(&search(&api, &json!({"limit": 9, "subusers": ["1"]})).await), Some(0));
    for wrong in [json!(["1", "2"]), json!(["name"]), json!("1")] {
        assert_eq!(search(&api, &json!({"subusers": wrong})).await.status, 400);
    }
    let id = &logged[4].sg_message_id;
    for (query, status) in [("", 404), ("?subuser=20223230", 200), ("?subuser=1", 404)] {
        let told = answer(request(&api, Method::GET, &format!("{PATH}/{id}{query}"))).await.expect("answered");
        assert_eq!(told.status, status, "{query}");
    }
    api.stop().await;
}

#[tokio::test]
async fn too_many_requests_say_until_when() {
    let plan = |number| match number {
        0 => Fault::TooMany { reset_after: Duration::from_secs(2) },
        1 => Fault::Status500 { accepted: false },
        _ => Fault::None,
    };
    let api = MailApi::start(Options::new(KEY, NOW).with_log_faults(plan)).await.expect("loopback");
    let many = search(&api, &json!({})).await;
    assert_eq!((many.status, many.header("X-RateLimit-Remaining")), (429, Some("0")));
    let asked = request(&api, Method::POST, PATH).body("{}");
    assert_eq!(answer(asked).await.expect("answered").status, 500);
    assert_eq!((search(&api, &json!({})).await.status, api.log_requests()), (200, 3));
    api.stop().await;
}
