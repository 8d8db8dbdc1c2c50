//! Each fault, as a real client meets it.

use std::time::{Duration, Instant};

use sendgrid_simulator::mail_api::Fault;
use tokio::time::timeout;

use crate::support::{NOW, answer, api, message_to, post, posting};

const SOON: Duration = Duration::from_secs(10);

/// Two requests, of which the first meets `fault`; what the client saw of the first, and what the server holds.
struct Met {
    first: Result<crate::support::Answer, reqwest::Error>,
    accepted: bool,
    status: Option<u16>,
}

async fn meet(fault: Fault) -> Met {
    let api = api(move |number| if number == 0 { fault } else { Fault::None }).await;
    let body = message_to(["first@example.com"]).to_string();
    let first = answer(posting(&api, body).timeout(Duration::from_millis(500))).await;
    assert_eq!(post(&api, &message_to(["second@example.com"])).await.status, 202, "the next one goes well");
    let requests = api.requests();
    assert_eq!((requests.len(), requests[0].fault, requests[1].fault), (2, fault, Fault::None));
    let mails = api.mails_to("first@example.com");
    assert_eq!(requests[0].message_id.as_deref(), mails.first().map(|mail| mail.message_id.as_str()));
    assert_eq!(api.mails_to("second@example.com").len(), 1);
    timeout(SOON, api.stop()).await.expect("stops, whatever hangs");
    Met { first, accepted: !mails.is_empty(), status: requests[0].status }
}

#[tokio::test]
async fn a_time_out_after_accepting() {
    let met = meet(Fault::TimeOutAfterAccepting).await;
    assert!(met.first.expect_err("no answer").is_timeout());
    assert_eq!((met.accepted, met.status), (true, None));
}

#[tokio::test]
async fn cuts_before_and_after_accepting_look_the_same() {
    for (fault, accepted) in [(Fault::CutAfterAccepting, true), (Fault::CutBeforeAccepting, false)] {
        let met = meet(fault).await;
        let error = met.first.expect_err("no answer");
        assert!(error.is_request() && !error.is_timeout() && !error.is_connect(), "{error:?}");
        assert_eq!((met.accepted, met.status), (accepted, None), "{fault:?}");
    }
}

#[tokio::test]
async fn a_500_may_have_been_accepted() {
    for accepted in [true, false] {
        let met = meet(Fault::Status500 { accepted }).await;
        let answer = met.first.expect("answered");
        assert_eq!((answer.status, answer.header("X-Message-Id")), (500, None));
        assert_eq!(answer.json()["errors"][0]["message"], "internal server error");
        assert_eq!((met.accepted, met.status), (accepted, Some(500)));
    }
}

#[tokio::test]
async fn too_many_says_when_to_come_again() {
    let met = meet(Fault::TooMany { reset_after: Duration::from_millis(1500) }).await;
    let answer = met.first.expect("answered");
    assert_eq!((answer.status, answer.header("X-RateLimit-Remaining")), (429, Some("0")));
    let reset = answer.header("X-RateLimit-Reset").and_then(|text| text.parse::<i64>().ok()).expect("a number");
    assert!((NOW + 2..NOW + 12).contains(&reset), "{reset}");
    assert_eq!(answer.json()["errors"][0]["message"], "too many requests");
    assert_eq!((met.accepted, met.status), (false, Some(429)));
}

#[tokio::test]
async fn nginx_refuses_in_html() {
    let met = meet(Fault::RefusedHtml413).await;
    let answer = met.first.expect("answered");
    assert_eq!((answer.status, answer.header("content-type")), (413, Some("text/html")));
    assert!(String::from_utf8_lossy(&answer.body).contains("413 Request Entity Too Large"));
    assert_eq!((met.accepted, met.status), (false, Some(413)));
}

#[tokio::test]
async fn a_slow_answer_comes_late_but_comes() {
    let started = Instant::now();
    let met = meet(Fault::Slow(Duration::from_millis(100))).await;
    assert_eq!(met.first.expect("answered").status, 202);
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!((met.accepted, met.status), (true, Some(202)));
}

#[tokio::test]
async fn what_is_refused_for_what_it_says_is_not_accepted_by_a_fault() {
    let api = api(|_| Fault::CutAfterAccepting).await;
    assert_eq!(post(&api, &message_to([])).await.fields(), ["personalizations"]);
    assert_eq!(api.mails(), []);
    api.stop().await;
}
