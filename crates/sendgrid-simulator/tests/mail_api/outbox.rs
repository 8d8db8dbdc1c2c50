//! No mail is lost or doubled, and who waits is woken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::header::HeaderValue;
use sendgrid_simulator::mail_api::{Fault, MailApi, Options, random};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{KEY, NOW, SEND, answer, api, client, message, message_to, post, posting, sound_api};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_request_becomes_the_mails_it_says() {
    let api = sound_api().await;
    let body = message().to_string();
    let sent = answer(posting(&api, body.clone()).header("on-behalf-of", "team-a")).await.expect("answered");
    let id = sent.header("X-Message-Id").expect("has one");
    let [to, cc, bcc] = &api.mails()[..] else { panic!("three mails") };
    assert_eq!(
        [to, cc, bcc].map(|mail| (mail.address.as_str(), mail.recipient, mail.message_id.as_str())),
        [("jane.doe@example.com", 0, id), ("cc@example.com", 1, id), ("bcc@example.com", 2, id)]
    );
    assert_eq!((to.subject.as_deref(), to.text.as_deref()), (Some("Dear Jane"), Some("Hi Jane")));
    assert_eq!((to.html.as_deref(), to.from.as_str()), (Some("<p>Jane</p>"), "sales@example.org"));
    let args = [("recipient", "r-1"), ("run", "spring")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!((&to.custom_args, to.send_at), (&BTreeMap::from(args), Some(NOW + 60)));
    assert_eq!(
        (to.categories.as_slice(), to.on_behalf_of.as_deref()),
        (&["spring".into(), "sale".into()][..], Some("team-a"))
    );
    let [request] = &api.requests()[..] else { panic!("one request") };
    assert_eq!((request.body.as_ref(), request.on_behalf_of.as_deref()), (body.as_bytes(), Some("team-a")));
    assert_eq!(request.headers.get("content-type"), Some(&HeaderValue::from_static("application/json")));
    assert!(!format!("{api:?} {request:?} {:?} {to:?}", request.headers).contains(KEY), "the key is shown");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_concurrency_and_faults_each_mail_is_there_as_often_as_it_was_accepted() {
    let shares = [
        (Fault::CutAfterAccepting, 10),
        (Fault::CutBeforeAccepting, 10),
        (Fault::Status500 { accepted: true }, 10),
        (Fault::Status500 { accepted: false }, 10),
        (Fault::TooMany { reset_after: Duration::from_secs(1) }, 10),
    ];
    let api = api(random(7, &shares)).await;
    let url = format!("{}{SEND}", api.url());
    let client = client();
    let mut tasks = JoinSet::new();
    for task in 0..10 {
        let (client, url) = (client.clone(), url.clone());
        tasks.spawn(async move {
            let mut told = Vec::new();
            for turn in 0..20 {
                let addresses: Vec<String> = (0..3).map(|n| format!("p{task}.{turn}.{n}@example.com")).collect();
                let message = message_to(addresses.iter().map(String::as_str));
                let request = client.post(&url).bearer_auth(KEY).header("Content-Type", "application/json");
                let response = request.body(message.to_string()).send().await;
                let Ok(response) = response else { continue };
                if response.status() == 202 {
                    let id = response.headers()["X-Message-Id"].to_str().expect("text").to_owned();
                    told.extend(addresses.into_iter().map(|address| (address, id.clone())));
                }
            }
            told
        });
    }
    let told: Vec<(String, String)> = tasks.join_all().await.into_iter().flatten().collect();
    let (requests, mails) = (api.requests(), api.mails());
    assert_eq!(requests.len(), 200, "no client repeats by itself");
    assert!(requests.iter().enumerate().all(|(place, request)| request.number == place));

    // What clients were told is there, once, under that id.
    let held: BTreeMap<&str, &str> = mails.iter().map(|m| (m.address.as_str(), m.message_id.as_str())).collect();
    assert_eq!(held.len(), mails.len(), "a mail twice");
    assert!(!told.is_empty() && told.iter().all(|(address, id)| held.get(address.as_str()) == Some(&id.as_str())));
    // What is there beside it was accepted under a fault that says so.
    for request in &requests {
        let accepting =
            matches!(request.fault, Fault::None | Fault::CutAfterAccepting | Fault::Status500 { accepted: true });
        let own: Vec<_> = mails.iter().filter(|mail| mail.request == request.number).collect();
        assert_eq!(own.len(), if accepting { 3 } else { 0 }, "{request:?}");
        assert!(own.iter().all(|mail| Some(&mail.message_id) == request.message_id.as_ref()));
        assert_eq!(request.status == Some(202), request.fault == Fault::None, "{request:?}");
    }
    let ids: BTreeSet<_> = requests.iter().filter_map(|request| request.message_id.as_ref()).collect();
    assert_eq!(ids.len() * 3, mails.len(), "an id for two requests");
    let met: BTreeSet<String> = requests.iter().map(|request| format!("{:?}", request.fault)).collect();
    assert_eq!(met.len(), 6, "each fault occurs");
    api.stop().await;
}

#[tokio::test]
async fn who_waits_is_woken_by_the_mail_that_makes_it_full() {
    let api = sound_api().await;
    timeout(SOON, api.wait_for(0)).await.expect("already there");
    let both = async {
        tokio::join!(api.wait_for(3), api.wait_for_requests(2), async {
            post(&api, &message_to(["a@example.com", "b@example.com"])).await;
            assert_eq!(api.mails().len(), 2);
            post(&api, &message_to(["c@example.com"])).await;
        })
    };
    timeout(SOON, both).await.expect("woken");
    assert_eq!(api.mails().len(), 3);
    let early = timeout(Duration::from_millis(50), api.wait_for(4)).await;
    assert!(early.is_err(), "woken without the mail");
    api.stop().await;
}

#[tokio::test]
async fn a_stopped_server_answers_nobody_and_a_dropped_one_stops() {
    for dropped in [false, true] {
        let api = api(|_| Fault::TimeOutAfterAccepting).await;
        let url = format!("{}{SEND}", api.url());
        let send = || posting(&api, message_to(["a@example.com"]).to_string());
        let hanging = tokio::spawn(send().send());
        timeout(SOON, api.wait_for(1)).await.expect("accepted");
        if dropped {
            drop(api);
        } else {
            timeout(SOON, api.stop()).await.expect("stops");
        }
        let hung = timeout(SOON, hanging).await.expect("cut").expect("no panic");
        assert!(hung.is_err(), "a request that hung is cut");
        let after = client().post(&url).send().await.expect_err("nobody listens");
        assert!(after.is_connect(), "{after:?}");
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let mut ids = Vec::new();
    for seed in [1, 1, 2] {
        let api = MailApi::start(Options { seed, ..Options::new(KEY, NOW) }).await.expect("loopback");
        post(&api, &message_to(["a@example.com"])).await;
        ids.push(api.mails()[0].message_id.clone());
        api.stop().await;
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}
