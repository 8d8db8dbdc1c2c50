//! Who asks, in which language, and for a page or a part of one.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::guard::{Person, SESSION};
use super::page::App;
use super::preferences::Preferences;
use super::zone::Zone;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Somebody who may look, and how.
pub(super) struct Visitor {
    pub(super) person: Person,
    pub(super) preferences: Preferences,
    /// The clock that is shown.
    pub(super) zone: Zone,
    /// Path and query.
    pub(super) here: String,
    /// The id of the element that a script will fill; `None` where a whole page is wanted.
    pub(super) part: Option<String>,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let here = parts.uri.path_and_query().map_or("/", |whole| whole.as_str()).to_owned();
        let Some(person) = recognise(parts, app) else { return Err(to_log_in(&parts.headers, &here)) };
        let restoring = parts.headers.contains_key("hx-history-restore-request");
        let part = parts.headers.get("hx-target").filter(|_| !restoring);
        let part = part.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let preferences = Preferences::of(&parts.headers, app.output.language);
        Ok(Self { person, preferences, zone: app.zone(), here, part })
    }
}

fn recognise(parts: &Parts, app: &App) -> Option<Person> {
    let by_session = || app.guard.by_session(&cookie(&parts.headers, session_cookie(app))?);
    let by_proxy = || {
        let Peer(peer) = parts.extensions.get::<Peer>()?;
        let mut given = parts.headers.get_all(app.guard.web().proxy_header.as_str()).iter();
        // Two of them: one may be from outside.
        let (Some(name), None) = (given.next(), given.next()) else { return None };
        app.guard.by_proxy(*peer, name.to_str().ok()?)
    };
    by_session().or_else(by_proxy).or_else(|| app.guard.anybody())
}

/// To the log-in and back; a script's request moves the whole page.
fn to_log_in(headers: &HeaderMap, here: &str) -> Response {
    if headers.contains_key("hx-request") {
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", "/login")]).into_response();
    }
    let query: String = form_urlencoded::Serializer::new(String::new()).append_pair("next", here).finish();
    Redirect::to(&format!("/login?{query}")).into_response()
}

/// With TLS a name that no other host of the domain can set.
pub(super) fn session_cookie(app: &App) -> &'static str {
    if is_https(app) { "__Host-mailtrail" } else { "mailtrail_session" }
}

/// Says that somebody logged in here before; it gives no access.
pub(super) fn device_cookie(app: &App) -> &'static str {
    if is_https(app) { "__Host-mailtrail-device" } else { "mailtrail_device" }
}

fn is_https(app: &App) -> bool {
    app.guard.web().public_url.as_ref().is_some_and(crate::config::PublicUrl::is_https)
}

/// A cookie that scripts cannot read and other pages cannot send; an empty one goes at once.
pub(super) fn set_cookie(app: &App, name: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
    let secure = if is_https(app) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).ok()
}

/// To a page of ours, with a session.
pub(super) fn begin_session(app: &App, token: &str, next: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = set_cookie(app, session_cookie(app), token, SESSION.as_secs()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

/// A path of ours, and nothing that a browser would take for another host.
pub(super) fn own_path(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'\\');
    if own { path } else { "/activity" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_here() {
        for (path, expected) in [
            ("/activity?event=bounce", "/activity?event=bounce"),
            ("//attacker.example", "/activity"),
            ("/\\attacker.example", "/activity"),
            ("https://attacker.example", "/activity"),
            ("/a\r\nSet-Cookie: x", "/activity"),
            ("", "/activity"),
        ] {
            assert_eq!(own_path(path), expected, "{path:?}");
        }
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("xmailtrail=1; mailtrail=2 ; other"));
        assert_eq!(cookie(&headers, "mailtrail").as_deref(), Some("2"));
        assert_eq!(cookie(&headers, "other"), None);
    }
}
