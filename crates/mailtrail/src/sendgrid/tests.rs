//! Every end of a request, against real sockets that answer as written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use serde_json::value::to_raw_value;

use super::*;
use crate::config::{ApiKey, SendGrid};

const KEY: &str = "SG.very-secret";

pub(super) fn config(port: u16) -> SendGrid {
    SendGrid {
        api_key: ApiKey::parse(KEY),
        host: Url::parse(&format!("http://127.0.0.1:{port}")).unwrap(),
        from: None,
        on_behalf_of: Some("subuser".to_owned()),
        timeout: Duration::from_secs(10),
        utf8_addresses: false,
    }
}

fn mail() -> MailSend {
    let address = |email: &str| EmailAddress { email: email.to_owned(), name: None };
    MailSend {
        personalizations: vec![
            to_raw_value(&Personalization { to: vec![address("jane@example.com")], ..Personalization::default() })
                .unwrap(),
        ],
        from: address("news@example.com"),
        reply_to: None,
        subject: Some("S".to_owned()),
        content: vec![Content { r#type: "text/plain", value: "T".to_owned() }],
        template_id: None,
        categories: Vec::new(),
        custom_args: std::collections::BTreeMap::new(),
        asm: None,
        send_at: None,
        mail_settings: None,
    }
}

/// Reads one request; `None` where the client closed instead.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// A server that gives each connection the next answer and closes it.
pub(super) async fn server(answers: Vec<&'static str>) -> (Client, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&config(listener.local_addr().unwrap().port())).unwrap();
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            requests.extend(request(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (client, task)
}

async fn outcome(answer: &'static str) -> Outcome {
    let (client, task) = server(vec![answer]).await;
    let outcome = client.send(&mail()).await;
    let requests = task.await.unwrap();
    assert_eq!(requests.len(), 1);
    let head = requests[0].to_ascii_lowercase();
    assert!(head.starts_with("post /v3/mail/send http/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: bearer sg.very-secret\r\n") && head.contains("on-behalf-of: subuser\r\n"));
    assert!(requests[0].ends_with(
        r#"{"personalizations":[{"to":[{"email":"jane@example.com"}]}],"from":{"email":"news@example.com"},"subject":"S","content":[{"type":"text/plain","value":"T"}]}"#
    ));
    let told = format!("{outcome:?}");
    assert!(!told.contains("secret") && !told.contains("jane") && !told.contains("http://"), "{told}");
    outcome
}

fn refused(outcome: Outcome) -> (u16, String) {
    let Outcome::Refused { status, errors } = outcome else { panic!("not refused: {outcome:?}") };
    (status, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

#[tokio::test]
async fn accepted_and_validated() {
    let accepted = outcome("HTTP/1.1 202 Accepted\r\nX-Message-Id: abc-DEF_1\r\nContent-Length: 0\r\n\r\n").await;
    let Outcome::Accepted { message_id: Some(id) } = accepted else { panic!("{accepted:?}") };
    assert_eq!(id.as_str(), "abc-DEF_1");
    let without = outcome("HTTP/1.1 202 Accepted\r\nX-Message-Id: jane@example.com\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(without, Outcome::Accepted { message_id: None });
    let (client, _task) = server(vec!["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]).await;
    let sandbox = MailSettings { sandbox_mode: SandboxMode { enable: true } };
    assert_eq!(client.send(&MailSend { mail_settings: Some(sandbox), ..mail() }).await, Outcome::Validated);
    // The status is there: what is missing of the body says nothing.
    let cut = outcome("HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\nx").await;
    assert_eq!(cut, Outcome::Accepted { message_id: None });
}

#[tokio::test]
async fn refused_with_sendgrid_s_words_but_without_addresses() {
    let (status, told) = refused(
        outcome("HTTP/1.1 400 Bad Request\r\n\r\n{\"errors\":[{\"message\":\"bad: jane@example.com SG.very-secret\",\"field\":\"from\",\"help\":null}]}").await,
    );
    assert_eq!((status, told.as_str()), (400, "from: bad: [address] [key]"));
    let (status, told) = refused(
        outcome("HTTP/1.1 413 Too Large\r\n\r\n<html><head><title>413 Request Entity Too Large</title></head></html>")
            .await,
    );
    assert_eq!((status, told.as_str()), (413, "HTML page: 413 Request Entity Too Large"));
    let redirect = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(refused(outcome(redirect).await).0, 302);
}

#[tokio::test]
async fn uncertain_where_bytes_went_out_and_no_clear_answer_came_back() {
    for answer in [
        "HTTP/1.1 502 Bad Gateway\r\n\r\n<html><title>502 Bad Gateway</title>",
        "HTTP/1.1 500 E\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 20",
        "",
        "garbage\r\n\r\n",
    ] {
        let outcome = outcome(answer).await;
        let Outcome::Uncertain { why } = outcome else { panic!("{answer:?}: {outcome:?}") };
        assert!(!why.is_empty());
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_uncertain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(listener.local_addr().unwrap().port());
    config.timeout = Duration::from_millis(200);
    let client = Client::new(&config).unwrap();
    let holds = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(request(&mut stream).await.is_some());
        stream
    });
    assert_eq!(client.send(&mail()).await, Outcome::Uncertain { why: "no answer in time".to_owned() });
    drop(holds.await.unwrap());
}

#[tokio::test]
async fn no_connection_means_nobody_was_mailed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let outcome = Client::new(&config(port)).unwrap().send(&mail()).await;
    let Outcome::NotSent { why } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("refused") && !why.contains("http://"), "{why}");
}

#[tokio::test]
async fn too_many_says_when() {
    let reset = crate::clock::now_micros() / 1_000_000 + 60;
    for (header, expected) in [("Retry-After: 7".to_owned(), 6..=7), (format!("X-RateLimit-Reset: {reset}"), 55..=60)] {
        let answer = format!("HTTP/1.1 429 Too Many Requests\r\n{header}\r\nContent-Length: 0\r\n\r\n").leak();
        let (client, _task) = server(vec![answer]).await;
        let outcome = client.send(&mail()).await;
        let Outcome::TooMany { retry_after: Some(wait) } = outcome else { panic!("{outcome:?}") };
        assert!(expected.contains(&wait.as_secs()), "{wait:?}");
        assert!(client.ready_at() > crate::clock::now_micros() + 5_000_000);
    }
    let spent = format!(
        "HTTP/1.1 202 A\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {reset}\r\nContent-Length: 0\r\n\r\n"
    )
    .leak();
    let (client, _task) = server(vec![spent]).await;
    assert_eq!(client.send(&mail()).await, Outcome::Accepted { message_id: None });
    assert_eq!(client.ready_at() / 1_000_000, reset);
}

pub(super) const QUICK: Patience = Patience {
    attempts: 4,
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(2),
    longest_wait: Duration::from_secs(5),
};
const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn patience_repeats_what_mailed_nobody_and_nothing_else() {
    let (client, task) = server(vec![BUSY, BUSY, ACCEPTED]).await;
    assert_eq!(client.send_with_patience(&mail(), &QUICK).await, Outcome::Accepted { message_id: None });
    assert_eq!(task.await.unwrap().len(), 3);

    let (client, task) = server(vec![BUSY, BUSY, BUSY, BUSY]).await;
    assert_eq!(client.send_with_patience(&mail(), &QUICK).await, Outcome::TooMany { retry_after: None });
    assert_eq!(task.await.unwrap().len(), 4);

    let (client, task) = server(vec!["HTTP/1.1 503 S\r\nContent-Length: 0\r\n\r\n"]).await;
    // Were it repeated, nobody would be listening any more and it would end as not sent.
    let outcome = client.send_with_patience(&mail(), &QUICK).await;
    assert!(matches!(outcome, Outcome::Uncertain { .. }), "{outcome:?}");
    assert_eq!(task.await.unwrap().len(), 1);
}

#[tokio::test]
async fn patience_does_not_outlast_its_bound() {
    let (client, task) = server(vec!["HTTP/1.1 429 T\r\nRetry-After: 3000\r\nContent-Length: 0\r\n\r\n"]).await;
    let outcome = client.send_with_patience(&mail(), &QUICK).await;
    assert!(matches!(outcome, Outcome::TooMany { retry_after: Some(_) }), "{outcome:?}");
    assert_eq!(task.await.unwrap().len(), 1);
}

/// The server closes an idle connection; the next request goes over a new one, and each arrives once.
#[tokio::test]
async fn a_connection_closed_while_idle_costs_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&config(listener.local_addr().unwrap().port())).unwrap();
    let arrived = Arc::new(AtomicUsize::new(0));
    let (closed, mut is_closed) = tokio::sync::mpsc::channel(1);
    let counter = Arc::clone(&arrived);
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if request(&mut stream).await.is_some() {
                counter.fetch_add(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                // No "Connection: close": the client keeps it until it finds it closed.
                drop(stream);
                closed.send(()).await.unwrap();
            }
        }
    });
    for _ in 0..20 {
        assert_eq!(client.send(&mail()).await, Outcome::Accepted { message_id: None });
        is_closed.recv().await.unwrap();
    }
    assert_eq!(arrived.load(Ordering::SeqCst), 20);
    server.abort();
}

#[test]
fn without_a_key_there_is_no_client() {
    let config = SendGrid { api_key: None, ..config(1) };
    let told = Client::new(&config).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(told.contains("MAILTRAIL_SENDGRID_API_KEY"), "{told}");
    assert!(!format!("{config:?}").contains("secret"));
}
