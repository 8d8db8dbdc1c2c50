use std::net::Ipv4Addr;

use super::*;
use crate::config::User;

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
        trusted_proxies: vec![PROXY],
        proxy_header: "x-forwarded-user".to_owned(),
        open_on_loopback: false,
    }
}

fn typed(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.to_owned())
}

#[tokio::test]
async fn a_password_opens_a_session_until_it_ends() {
    let guard = Guard::new(web()).expect("a guard");
    assert_eq!(guard.log_in(PEER, "mia", typed("wrong")).await, Err(Denied::Wrong));
    assert_eq!(guard.log_in(PEER, "nobody", typed("right")).await, Err(Denied::Wrong));
    let token = guard.log_in(PEER, "mia", typed("right")).await.expect("let in");
    let person = guard.by_session(&token).expect("known");
    assert_eq!((person.name.as_str(), person.role), ("mia", Role::Viewer));
    assert!(person.sent(&person.csrf) && !person.sent("") && !person.sent(&"0".repeat(64)));
    assert_eq!(guard.by_session("other"), None);
    guard.log_out(&token);
    assert_eq!(guard.by_session(&token), None);
}

#[tokio::test(start_paused = true)]
async fn sessions_end_by_themselves() {
    let guard = Guard::new(web()).expect("a guard");
    let token = guard.open("mia", Role::Viewer).expect("a session");
    tokio::time::advance(SESSION - Duration::from_secs(1)).await;
    assert!(guard.by_session(&token).is_some());
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(guard.by_session(&token), None);
}

#[tokio::test(start_paused = true)]
async fn trying_passwords_is_stopped_and_forgotten_later() {
    let mut attempts = Attempts::default();
    assert!((0..10).all(|_| attempts.may_try(PEER, "mia")));
    assert!(!attempts.may_try(PEER, "ken"), "by machine, whatever the name");
    let others = (2..=20).map(|n| IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)));
    let let_in = others.filter(|peer| attempts.may_try(*peer, "mia")).count();
    assert_eq!(let_in, 10, "by name, whatever the machine");
    tokio::time::advance(Duration::from_secs(15 * 60)).await;
    assert!(attempts.may_try(PEER, "mia"));
}

#[tokio::test]
async fn a_link_opens_once() {
    let guard = Guard::new(web()).expect("a guard");
    assert!(guard.accept("").is_none(), "there is none yet");
    let old = guard.invite().expect("a link");
    let new = guard.invite().expect("a link");
    assert!(guard.accept(&old).is_none(), "replaced");
    let token = guard.accept(&new).expect("let in");
    assert_eq!(guard.by_session(&token).map(|person| person.role), Some(Role::Operator));
    assert!(guard.accept(&new).is_none(), "once");
    let beyond = Web { public_url: crate::config::PublicUrl::parse("https://m.example"), ..web() };
    assert!(Guard::new(beyond).expect("a guard").invite().is_none(), "only for this machine");
}

#[tokio::test]
async fn a_proxy_is_believed_where_it_is_trusted() {
    let guard = Guard::new(web()).expect("a guard");
    assert_eq!(guard.by_proxy(PEER, "root"), None, "anybody can send a header");
    assert_eq!(guard.by_proxy(PROXY, " "), None);
    assert_eq!(guard.by_proxy(PROXY, "root").map(|person| person.role), Some(Role::Operator));
    assert_eq!(guard.by_proxy(PROXY, "stranger").map(|person| person.role), Some(Role::Viewer));
    assert_eq!(guard.anybody(), None);
    let open = Guard::new(Web { open_on_loopback: true, ..web() }).expect("a guard");
    assert_eq!(open.anybody().map(|person| person.role), Some(Role::Operator));
    assert!(open.invite().is_none());
}
