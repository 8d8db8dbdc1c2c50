//! Whether a request is meant for this page and comes from it; and the headers that every answer carries.
//!
//! A name that points here but is not ours (DNS rebinding) is refused by `Host`; a form of another page by where it says it
//! comes from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::{self, Problem};
use super::page::App;
use crate::config::Web;

/// How long an answer may take to begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Nothing but what this page itself serves; no inline script or style, no frame, no other form target.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not no-referrer: browsers would then send forms with `Origin: null`.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Names under which the page may be asked for.
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// The public name, or the names of this machine's loopback with the port that is bound.
    pub(super) fn new(web: &Web, bound: SocketAddr) -> Self {
        let mut names = vec![bound.to_string()];
        names.extend(web.public_url.as_ref().map(|url| url.host().to_owned()));
        if bound.ip().is_loopback() {
            let port = bound.port();
            names.extend(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")));
        }
        Self(names)
    }

    fn has(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (given.next().and_then(|host| host.to_str().ok()), given.next()) else { return false };
        let host = host.to_ascii_lowercase();
        self.0.contains(&host)
    }

    /// Whether a request says that one of our own pages made it.
    fn made(&self, headers: &HeaderMap) -> bool {
        if let Some(site) = headers.get("sec-fetch-site") {
            return site == "same-origin";
        }
        let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let host = origin.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
        host.is_some_and(|host| self.0.iter().any(|name| name == host))
    }
}

/// Lets through what is meant for us.
pub(super) async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    // A program says who it is in a header that no browser sends by itself.
    let is_api = api::is_meant(request.uri().path());
    let refused = |status: StatusCode, why: &'static str| {
        if is_api {
            Problem::refused(status, why).into_response()
        } else {
            (status, format!("{why}\n")).into_response()
        }
    };
    let mut response = if !app.hosts.has(request.headers()) {
        refused(StatusCode::MISDIRECTED_REQUEST, "this page has another name: see [web] public_url")
    } else if !safe && !is_api && !app.hosts.made(request.headers()) {
        refused(StatusCode::FORBIDDEN, "this form was sent from another page")
    } else {
        let answer = tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await;
        answer.unwrap_or_else(|_| refused(StatusCode::SERVICE_UNAVAILABLE, "this took too long: narrow the time"))
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PublicUrl;

    fn hosts(public: Option<&str>, bound: &str) -> Hosts {
        let web = Web {
            listen: bound.parse().expect("an address"),
            public_url: public.and_then(PublicUrl::parse),
            users: Vec::new(),
            tokens: Vec::new(),
            trusted_proxies: Vec::new(),
            proxy_header: String::new(),
            open_on_loopback: false,
            viewer_events_per_day: 1,
            viewer_addresses_per_day: 1,
        };
        Hosts::new(&web, web.listen)
    }

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_names_of_ours() {
        let local = hosts(None, "127.0.0.1:8081");
        let public = hosts(Some("https://mail.example"), "10.0.0.1:8081");
        for (hosts, host, expected) in [
            (&local, "127.0.0.1:8081", true),
            (&local, "LOCALHOST:8081", true),
            (&local, "[::1]:8081", true),
            (&local, "127.0.0.1", false),
            (&local, "127.0.0.1:8082", false),
            (&local, "attacker.example:8081", false),
            (&public, "mail.example", true),
            (&public, "localhost:8081", false),
            (&public, "mail.example.attacker.example", false),
        ] {
            assert_eq!(hosts.has(&headers(&[("host", host)])), expected, "{host}");
        }
        assert!(!local.has(&headers(&[])));
        assert!(!local.has(&headers(&[("host", "localhost:8081"), ("host", "attacker.example")])));
    }

    #[test]
    fn only_forms_of_ours() {
        let hosts = hosts(None, "127.0.0.1:8081");
        for (list, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:8081")], false),
            (&[("origin", "http://127.0.0.1:8081")], true),
            (&[("origin", "http://127.0.0.1:9999")], false),
            (&[("origin", "null")], false),
            (&[], false),
        ] {
            assert_eq!(hosts.made(&headers(list)), expected, "{list:?}");
        }
    }
}
