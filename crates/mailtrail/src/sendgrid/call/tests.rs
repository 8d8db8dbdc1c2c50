//! Which calls are repeated, and what is said of those that bring nothing.

use serde_json::{Value, json};

use super::CallError;
use crate::sendgrid::tests::{QUICK, server};

const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const DOWN: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{\"a\"";
const DONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{\"a\":1}";
const GONE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn what_only_asks_is_repeated_until_it_is_answered_whole() {
    let (client, task) = server(vec![BUSY, DOWN, CUT, DONE]).await;
    let told: Value = client.get(&["v3", "logs", "a/b?c"], &QUICK).await.expect("answered");
    assert_eq!(told, json!({"a": 1}));
    let requests = task.await.expect("served");
    assert_eq!((requests.len(), client.requests()), (4, 4));
    assert!(requests[0].starts_with("GET /v3/logs/a%2Fb%3Fc HTTP/1.1\r\n"), "{}", requests[0]);

    let (client, task) = server(vec![CUT, DONE]).await;
    client.query::<Value>(&["v3", "logs"], &json!({"limit": 1}), &QUICK).await.expect("answered");
    assert!(task.await.expect("served")[1].ends_with("{\"limit\":1}"));

    let (client, _task) = server(vec![DOWN, DOWN, DOWN, DOWN]).await;
    let error = client.get::<Value>(&["v3"], &QUICK).await.expect_err("down for good");
    assert!(error.to_string().contains("503"), "{error}");
}

#[tokio::test]
async fn what_creates_is_repeated_only_where_it_was_not_done() {
    let (client, task) = server(vec![BUSY, DONE]).await;
    client.create::<Value>(&["v3"], &json!({}), &QUICK).await.expect("created");
    assert_eq!(task.await.expect("served").len(), 2);
    for unclear in [DOWN, CUT] {
        let (client, task) = server(vec![unclear]).await;
        let error = client.create::<Value>(&["v3"], &json!({}), &QUICK).await.expect_err("unclear");
        assert!(matches!(error, CallError::Uncertain(_)), "{error:?}");
        assert_eq!(task.await.expect("served").len(), 1);
    }
}

#[tokio::test]
async fn deleting_what_is_gone_is_done_and_refusals_are_said_without_secrets() {
    let (client, _task) = server(vec![DOWN, GONE]).await;
    client.delete(&["v3"], &QUICK).await.expect("gone");
    let refusal = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n{\"errors\":[{\"message\":\"no: jane@example.com SG.very-secret\"}]}";
    let (client, task) = server(vec![refusal]).await;
    let error = client.patch::<Value>(&["v3"], &json!({}), &QUICK).await.expect_err("refused");
    assert_eq!(error.to_string(), "SendGrid refused (400): no: [address] [key]");
    assert_eq!(task.await.expect("served").len(), 1, "repeated in vain");
    let odd = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\":\"jane@example.com\"}";
    let (client, _task) = server(vec![odd]).await;
    let error = client.get::<std::collections::BTreeMap<String, u8>>(&["v3"], &QUICK).await.expect_err("no number");
    assert!(matches!(&error, CallError::Unreadable(why) if !why.contains("jane")), "{error}");
}
