use std::net::Ipv4Addr;

use super::*;
use crate::config::{Network, User};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

fn web() -> Web {
    let hash = password::hash_password("right").expect("a hash");
    Web {
        listen: "127.0.0.1:0".parse().expect("an address"),
        public_url: None,
        users: ["mia:viewer:", "root:operator:"]
            .map(|entry| User::parse(&format!("{entry}{hash}")).expect("a user"))
            .into_iter()
            .collect(),
        tokens: Vec::new(),
        trusted_proxies: vec![Network::parse("10.0.0.2").expect("a network")],
        proxy_header: "x-forwarded-user".to_owned(),
        open_on_loopback: false,
        viewer_events_per_day: 1_000,
        viewer_addresses_per_day: 1_000,
    }
}

fn guard_of(web: Web) -> Guard {
    Guard::new(web, hmac::Key::new(hmac::HMAC_SHA256, b"known browsers")).expect("a guard")
}

fn client(last: u32) -> Client {
    Client::of(IpAddr::V4(Ipv4Addr::from(0xc000_0200 + last)))
}

fn typed(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.to_owned())
}

#[tokio::test]
async fn a_password_opens_a_session_until_it_ends() {
    let guard = guard_of(web());
    assert_eq!(guard.log_in(client(1), None, "mia", typed("wrong")).await, Err(Denied::Wrong));
    assert_eq!(guard.log_in(client(1), None, "nobody", typed("right")).await, Err(Denied::Wrong));
    let token = guard.log_in(client(1), None, "mia", typed("right")).await.expect("let in").session;
    let person = guard.by_session(&token).expect("known");
    assert_eq!((person.name.as_str(), person.role), ("mia", Role::Viewer));
    assert!(person.sent(&person.csrf) && !person.sent("") && !person.sent(&"0".repeat(64)));
    assert_eq!(guard.by_session("other"), None);
    guard.log_out(&token);
    assert_eq!(guard.by_session(&token), None);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_by_themselves() {
    let guard = guard_of(web());
    let token = guard.open("mia", Role::Viewer).expect("a session");
    tokio::time::advance(SESSION - Duration::from_secs(1)).await;
    assert!(guard.by_session(&token).is_some());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(guard.by_session(&token), None);
}

#[tokio::test(start_paused = true)]
async fn wrong_attempts_have_a_budget_by_client_which_returns_later() {
    let mut attempts = Attempts::default();
    assert!((0..attempts::BUDGET).all(|_| attempts.begin(client(1))));
    assert!(!attempts.begin(client(1)));
    assert!(attempts.begin(client(2)), "another client");
    attempts.take_back(client(1));
    assert!(attempts.begin(client(1)) && !attempts.begin(client(1)), "what was right does not count");
    tokio::time::advance(Duration::from_secs(15 * 60)).await;
    assert!(attempts.begin(client(1)));
}

#[tokio::test(start_paused = true)]
async fn many_clients_fill_the_table_for_nobody() {
    let mut attempts = Attempts::default();
    for n in 0..10_000 {
        assert!(attempts.begin(client(n)));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(attempts.len(), attempts::REMEMBERED);
}

#[tokio::test]
async fn a_known_browser_logs_in_while_others_at_its_address_may_not() {
    let guard = guard_of(web());
    let known = guard.log_in(client(1), None, "mia", typed("right")).await.expect("let in");
    let device = known.device.expect("randomness");
    for _ in 0..attempts::BUDGET {
        assert_eq!(guard.log_in(client(1), None, "mia", typed("wrong")).await, Err(Denied::Wrong));
    }
    assert_eq!(guard.log_in(client(1), None, "mia", typed("right")).await, Err(Denied::TooOften));
    assert_eq!(guard.log_in(client(1), Some(&device), "root", typed("right")).await, Err(Denied::TooOften));
    guard.log_in(client(1), Some(&device), "mia", typed("right")).await.expect("a budget of its own");
    // Strangers that wait for a check of their passwords do not stand before it.
    let _all = guard.checks.all.try_acquire_many((CHECKS + QUEUE) as u32).expect("none is used");
    assert_eq!(guard.log_in(client(2), None, "mia", typed("right")).await, Err(Denied::Busy));
    guard.log_in(client(1), Some(&device), "mia", typed("right")).await.expect("a check of its own");
    for _ in 0..attempts::BUDGET {
        assert_eq!(guard.log_in(client(3), Some(&device), "mia", typed("wrong")).await, Err(Denied::Wrong));
    }
    assert_eq!(guard.log_in(client(1), Some(&device), "mia", typed("right")).await, Err(Denied::TooOften));
}

#[tokio::test]
async fn a_link_opens_once() {
    let guard = guard_of(web());
    assert!(guard.accept("").is_none(), "there is none yet");
    let old = guard.invite().expect("a link");
    let new = guard.invite().expect("a link");
    assert!(guard.accept(&old).is_none(), "replaced");
    let token = guard.accept(&new).expect("let in");
    assert_eq!(guard.by_session(&token).map(|person| person.role), Some(Role::Operator));
    assert!(guard.accept(&new).is_none(), "once");
    let beyond = Web { public_url: crate::config::PublicUrl::parse("https://m.example"), ..web() };
    assert!(guard_of(beyond).invite().is_none(), "only for this machine");
}

#[tokio::test]
async fn a_proxy_is_believed_where_it_is_trusted() {
    let guard = guard_of(web());
    assert_eq!(guard.by_proxy(PEER, "root"), None, "anybody can send a header");
    assert_eq!(guard.by_proxy(PROXY, " "), None);
    assert_eq!(guard.by_proxy(PROXY, "root").map(|person| person.role), Some(Role::Operator));
    assert_eq!(guard.by_proxy(PROXY, "stranger").map(|person| person.role), Some(Role::Viewer));
    assert_eq!(guard.anybody(), None);
    let open = guard_of(Web { open_on_loopback: true, ..web() });
    assert_eq!(open.anybody().map(|person| person.role), Some(Role::Operator));
    assert!(open.invite().is_none());
}
