//! Logging in to the page while somebody attacks it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::api::with_page;
use crate::support::{Client, Site, wait_for};

fn site() -> Site {
    let site = Site::with("header_timeout = \"10m\"\nbody_timeout = \"10m\"\n");
    let hash = mailtrail::web::hash_password("right").unwrap();
    with_page(&site, &format!("users = [\"mia:viewer:{hash}\"]"));
    site
}

/// Status and cookies of a log-in from this machine.
fn log_in(page: SocketAddr, name: &str, password: &str, cookie: &str) -> (u16, Option<String>) {
    let body = format!("name={name}&password={password}&next=/activity");
    let mut client = Client::connect(page);
    client.send(
        format!(
            "POST /login HTTP/1.1\r\nHost: {page}\r\nSec-Fetch-Site: same-origin\r\nCookie: {cookie}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    let (status, headers, _) = client.answer().unwrap();
    (status, headers.get("set-cookie").cloned())
}

#[test]
fn a_known_browser_logs_in_while_an_attacker_behind_the_same_proxy_fails() {
    let site = site();
    let server = site.serve();
    let page = server.page();
    let (status, cookie) = log_in(page, "mia", "right", "");
    assert_eq!(status, 303);
    // The last of its cookies is the one that says so.
    let cookie = cookie.unwrap();
    assert!(cookie.starts_with("mailtrail_device="), "{cookie}");
    let (cookie, _) = cookie.split_once(';').unwrap();

    let (stop, refused) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0_u32.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                // The real name and invented ones.
                let name = if n.is_multiple_of(2) { "mia".to_owned() } else { format!("user{n}") };
                if log_in(page, &name, "wrong", "").0 == 429 {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        wait_for("the attacker to be refused", || refused.load(Ordering::Relaxed) > 3);
        let unknown = log_in(page, "mia", "right", "").0;
        let began = Instant::now();
        let known = log_in(page, "mia", "right", cookie).0;
        let took = began.elapsed();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(unknown, 429, "an unknown browser cannot be told from the attacker");
        assert_eq!(known, 303);
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

#[test]
fn silent_and_slow_connections_do_not_keep_others_from_the_page() {
    let site = site();
    let server = site.serve();
    let page = server.page();
    let mut silent: Vec<Client> = (0..150).map(|_| Client::connect(page)).collect();
    let slow = (0..150).map(|n| {
        let mut client = Client::connect(page);
        let request = match n % 3 {
            0 => format!("GET /login HTTP/1.1\r\nHost: {page}\r\n"),
            1 => format!("POST /login HTTP/1.1\r\nHost: {page}\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 9\r\n\r\nname="),
            _ => format!("POST /api/v1/stats HTTP/1.1\r\nHost: {page}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"),
        };
        client.send(request.as_bytes());
        client
    });
    silent.extend(slow);
    for path in ["/login", "/api/v1/openapi.yaml"] {
        let mut client = Client::connect(page);
        let (status, _) = client.request("GET", path, &[], b"").expect("an answer");
        assert!(status == 200 || status == 401, "{path}: {status}");
    }
}
