//! Logging in, by password or by the link that `serve` printed, and out.

use std::sync::Arc;

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::frame::{Frame, Section};
use super::guard::{Denied, LoggedIn};
use super::page::App;
use super::preferences::Preferences;
use super::visitor::{Peer, Visitor, begin_session, cookie, device_cookie, own_path, session_cookie, set_cookie};

/// How long a browser is known after its last log-in: a year.
const DEVICE_SECONDS: u64 = 365 * 86_400;

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage {
    f: Frame,
    next: String,
    has_passwords: bool,
    has_link: bool,
    problem: Option<&'static str>,
}

fn answer(
    app: &App,
    headers: &HeaderMap,
    next: &str,
    status: StatusCode,
    problem: Option<&'static str>,
) -> Result<Response, Failure> {
    let web = app.guard.web();
    let page = LogInPage {
        f: Frame::empty(Preferences::of(headers, app.output.language), Section::LogIn, "/login"),
        next: own_path(next).to_owned(),
        has_passwords: app.guard.has_passwords(),
        has_link: web.listen.ip().is_loopback() && web.public_url.is_none(),
        problem,
    };
    Ok((status, Html(page.render()?)).into_response())
}

pub(super) async fn form(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let query = query.unwrap_or_default();
    let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
    answer(&app, &headers, next.as_ref().map_or("", |(_, next)| next), StatusCode::OK, None)
}

pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let (mut name, mut next, mut password) = (String::new(), String::new(), Zeroizing::new(String::new()));
    for (field, value) in form_urlencoded::parse(&body) {
        match field.as_ref() {
            "name" => name = value.into_owned(),
            "next" => next = value.into_owned(),
            "password" => password = Zeroizing::new(value.into_owned()),
            _ => {}
        }
    }
    let t = Preferences::of(&headers, app.output.language).texts();
    let client = app.guard.client(peer, &headers);
    let device = cookie(&headers, device_cookie(&app));
    match app.guard.log_in(client, device.as_deref(), name.trim(), password).await {
        Ok(LoggedIn { session, device }) => {
            let mut response = begin_session(&app, &session, own_path(&next));
            let known = device.and_then(|device| set_cookie(&app, device_cookie(&app), &device, DEVICE_SECONDS));
            if let Some(known) = known {
                response.headers_mut().append(header::SET_COOKIE, known);
            }
            Ok(response)
        }
        Err(Denied::Wrong) => answer(&app, &headers, &next, StatusCode::UNAUTHORIZED, Some(t.log_in_wrong)),
        Err(Denied::TooOften) => {
            crate::log::limited("log-in", || tracing::warn!("passwords of the page are being tried too often"));
            answer(&app, &headers, &next, StatusCode::TOO_MANY_REQUESTS, Some(t.log_in_too_often))
        }
        Err(Denied::Busy) => {
            let mut busy = answer(&app, &headers, &next, StatusCode::SERVICE_UNAVAILABLE, Some(t.log_in_busy))?;
            busy.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            Ok(busy)
        }
    }
}

/// The link of `serve`.
pub(super) async fn by_link(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    let token = Zeroizing::new(token);
    match app.guard.accept(&token) {
        Some(session) => Ok(begin_session(&app, &session, "/activity")),
        None => {
            let t = Preferences::of(&headers, app.output.language).texts();
            answer(&app, &headers, "", StatusCode::UNAUTHORIZED, Some(t.link_used))
        }
    }
}

pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let csrf = form_urlencoded::parse(&body).find(|(name, _)| name == "csrf");
    if !visitor.person.sent(csrf.as_ref().map_or("", |(_, value)| value)) {
        return Err(Failure::OldForm);
    }
    if let Some(token) = cookie(&headers, session_cookie(&app)) {
        app.guard.log_out(&token);
    }
    let mut response = Redirect::to("/login").into_response();
    if let Some(gone) = set_cookie(&app, session_cookie(&app), "", 0) {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    Ok(response)
}
