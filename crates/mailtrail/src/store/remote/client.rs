//! Requests to the API: HTTPS with the system's roots, no redirects; plain HTTP on this machine alone.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, Url, redirect};
use serde::Serialize;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use super::error::RemoteError;
use super::lines::Lines;
use super::wire::{ABOUT, About, Addresses, MOST_HASHED, Problem, ROOT};
use crate::config::PublicUrl;
use crate::log::chain;
use crate::protect::EmailHash;
use crate::visible::visible;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of a problem's document, and characters of each of its texts.
const LONGEST_PROBLEM: usize = 64 * 1024;
const LONGEST_TEXT: usize = 500;

/// Longer than the server lets a question take.
const SILENT_FOR: Duration = Duration::from_secs(100);

/// Another host's store, open for questions. Clones share one connection.
#[derive(Clone)]
pub struct Remote(Rc<Inner>);

struct Inner {
    server: PublicUrl,
    http: reqwest::Client,
    runtime: Runtime,
    /// What the last answer said beside its rows.
    about: RefCell<About>,
}

impl Remote {
    /// Takes a server's address, as `[web] public_url` has it, and a token; asks nothing yet.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn open(server: &str, token: &str) -> Result<Self, RemoteError> {
        let server = PublicUrl::parse(server).ok_or(RemoteError::Url)?;
        let loopback = is_loopback(&server);
        if !server.is_https() && !loopback {
            return Err(RemoteError::Url);
        }
        let token = token.trim();
        let authorization = Zeroizing::new(format!("Bearer {token}"));
        let authorization = HeaderValue::from_str(&authorization).ok().filter(|_| !token.is_empty());
        let mut authorization = authorization.ok_or(RemoteError::Token)?;
        authorization.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("mailtrail/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(SILENT_FOR);
        if loopback {
            // A proxy of the environment would lead elsewhere.
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| RemoteError::Client(chain(error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| RemoteError::Client(error.to_string()))?;
        Ok(Self(Rc::new(Inner { server, http, runtime, about: RefCell::default() })))
    }

    /// What the last answer said beside its rows.
    #[must_use]
    pub fn about(&self) -> About {
        self.0.about.borrow().clone()
    }

    /// The hashes of addresses, in their order, each under the server's current key first.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn hashes<'a>(&self, addresses: impl Iterator<Item = &'a str>) -> Result<Vec<Vec<EmailHash>>, RemoteError> {
        #[derive(serde::Deserialize)]
        struct Hashes {
            email_hash: Vec<String>,
        }
        let mut found = Vec::new();
        let mut addresses = addresses.map(str::to_owned).peekable();
        while addresses.peek().is_some() {
            let email: Vec<String> = addresses.by_ref().take(MOST_HASHED).collect();
            let asked = email.len();
            let rows: Vec<Hashes> = self.post("hashes", &Addresses { email })?.rows()?;
            if rows.len() != asked {
                return Err(self.broken_off());
            }
            let each =
                rows.into_iter().map(|row| row.email_hash.iter().filter_map(|text| EmailHash::parse(text)).collect());
            found.extend(each);
        }
        Ok(found)
    }

    /// Asks with a body.
    pub(super) fn post(&self, path: &str, body: &impl Serialize) -> Result<Lines, RemoteError> {
        let body = serde_json::to_vec(body).map_err(|error| RemoteError::Client(error.to_string()))?;
        self.send(Method::POST, &[path], &[], Some(body))
    }

    /// Asks without one; each part of the path is escaped by itself.
    pub(super) fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Lines, RemoteError> {
        self.send(Method::GET, path, query, None)
    }

    fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Lines, RemoteError> {
        let url = self.url(path, query).ok_or(RemoteError::Url)?;
        let mut request = self.0.http.request(method, url).header(ACCEPT, "application/x-ndjson");
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        // Begun within the runtime, whose clock it needs.
        let response = self.0.runtime.block_on(async { request.send().await });
        // The error would name the URL, which has a run in it.
        let response = response
            .map_err(|error| RemoteError::Unanswered { server: self.server(), why: chain(error.without_url()) })?;
        if response.status() != reqwest::StatusCode::OK || !is(&response, "application/x-ndjson") {
            return Err(self.refusal(response));
        }
        let about = response.headers().get(ABOUT).and_then(|told| serde_json::from_slice(told.as_bytes()).ok());
        *self.0.about.borrow_mut() = about.unwrap_or_default();
        Ok(Lines::new(self.clone(), response))
    }

    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Option<Url> {
        let mut url = Url::parse(&format!("{}{ROOT}", self.0.server)).ok()?;
        url.path_segments_mut().ok()?.extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Some(url)
    }

    fn refusal(&self, response: Response) -> RemoteError {
        let (server, status) = (self.server(), response.status().as_u16());
        if !is(&response, "application/problem+json") {
            return RemoteError::NoApi { server, status };
        }
        match self.problem(response) {
            Some(problem) => RemoteError::Refused { server, problem: Box::new(problem) },
            None => RemoteError::NoApi { server, status },
        }
    }

    /// What the other side says, as long as a problem may be, and without characters that steer a terminal.
    fn problem(&self, mut response: Response) -> Option<Problem> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).ok()? {
            if bytes.len() + chunk.len() > LONGEST_PROBLEM {
                return None;
            }
            bytes.extend_from_slice(&chunk);
        }
        let problem: Problem = serde_json::from_slice(&bytes).ok()?;
        let text = |text: String| visible(&text.chars().take(LONGEST_TEXT).collect::<String>()).into_owned();
        Some(Problem {
            title: text(problem.title),
            detail: text(problem.detail),
            advice: text(problem.advice),
            ..problem
        })
    }

    /// The next piece of an answer; `None` at its end.
    pub(super) fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, RemoteError> {
        self.0.runtime.block_on(async { response.chunk().await }).map_err(|_| self.broken_off())
    }

    pub(super) fn broken_off(&self) -> RemoteError {
        RemoteError::BrokenOff { server: self.server() }
    }

    /// Scheme and host.
    pub(super) fn server(&self) -> String {
        self.0.server.to_string()
    }
}

fn is(response: &Response, kind: &str) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|given| given == kind)
}

/// Whether the host is this machine, by its number or by its one name.
fn is_loopback(server: &PublicUrl) -> bool {
    let Ok(url) = Url::parse(&server.to_string()) else { return false };
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel_over_tls_or_not_at_all() {
        for (server, usable) in [
            ("https://mailtrail.example.com", true),
            ("https://10.0.0.1:8443/", true),
            ("http://127.0.0.1:8081", true),
            ("http://localhost:8081", true),
            ("http://[::1]:8081", true),
            ("http://mailtrail.example.com", false),
            ("http://10.0.0.1:8081", false),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
            ("https://user@mailtrail.example.com", false),
            ("https://mailtrail.example.com/path", false),
            ("mailtrail.example.com", false),
        ] {
            assert_eq!(Remote::open(server, "mailtrail_x").is_ok(), usable, "{server}");
        }
        assert!(matches!(Remote::open("https://a.example", " \n"), Err(RemoteError::Token)));
        assert!(matches!(Remote::open("https://a.example", "a\nb"), Err(RemoteError::Token)));
    }

    #[test]
    fn what_is_asked_about_stays_in_its_part_of_the_url() {
        let remote = Remote::open("https://a.example", "x").unwrap();
        let url = remote.url(&["runs", "a/b ?#é"], &[("limit", "3".to_owned())]).unwrap();
        assert_eq!(url.as_str(), "https://a.example/api/v1/runs/a%2Fb%20%3F%23%C3%A9?limit=3");
    }
}
