//! One run: how it stands, why mail did not arrive, and who is still to get it. It follows while there is something to come.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::super::failure::Failure;
use super::super::frame::{Frame, Section};
use super::super::page::App;
use super::super::texts::{Texts, grouped};
use super::super::visitor::Visitor;
use super::name::RunInPath;
use super::view::{RunView, status_name, tone};
use super::{digest, field, url};
use crate::clock;
use crate::outcome::{self, Watched};
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::show::visible;

/// Reasons, domains and recipients that are listed.
const LISTED: usize = 8;
const LISTED_RECIPIENTS: usize = 20;

/// Digits of a hash that tell recipients of one list apart.
const HASH_DIGITS: usize = 10;

#[derive(Template)]
#[template(path = "run.html")]
pub(super) struct RunPage {
    f: Frame,
    name: String,
    url: String,
    problem: Option<String>,
}

impl RunPage {
    /// The page; its figures come after it.
    pub(super) fn new(visitor: &Visitor, name: &str, problem: Option<String>) -> Self {
        let f = Frame { here: url(name), ..Frame::new(visitor, Section::Runs) };
        Self { f, name: visible(name).into_owned(), url: url(name), problem }
    }
}

pub(in crate::web) async fn page(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RunInPath(name): RunInPath,
) -> Result<Response, Failure> {
    if !app.runs.names().await?.contains(&name) {
        return Err(Failure::Missing);
    }
    Ok(Html(RunPage::new(&visitor, &name, None).render()?).into_response())
}

#[derive(Template)]
#[template(path = "run_figures.html")]
struct Figures {
    t: &'static Texts,
    /// The name of the clock.
    zone: String,
    run: RunView,
    reasons: Vec<ReasonView>,
    words: Vec<(String, String)>,
    deferred: Deferred,
    seen: String,
    /// Tenths of the recipients that are settled.
    tenth: u64,
    /// What a screen reader says.
    news: Option<String>,
}

struct ReasonView {
    text: String,
    status: &'static str,
    tone: &'static str,
    count: String,
    /// Of 100, for a bar.
    share: String,
}

#[derive(Default)]
struct Deferred {
    count: u64,
    domains: Vec<DomainView>,
    recipients: Vec<RecipientView>,
    more: Option<String>,
}

struct DomainView {
    name: String,
    count: String,
    since: String,
}

struct RecipientView {
    hash: String,
    domain: String,
    since: String,
    reason: String,
    url: String,
}

/// What is asked of a run for its page.
#[derive(Default)]
struct Asked {
    rows: Vec<outcome::Row>,
    words: Vec<(String, u64)>,
}

fn ask(watched: &Watched, now: i64) -> Asked {
    let details = watched.details(&|_| None);
    let mut words: Vec<(String, u64)> = details.raw_reasons.into_iter().collect();
    words.sort_by(|(a, some), (b, others)| others.cmp(some).then_with(|| a.cmp(b)));
    words.truncate(LISTED);
    let mut rows = outcome::unreached(watched, true, now);
    rows.retain(|row| row.status.is_unreached() || row.status == Status::Deferred);
    Asked { rows, words }
}

/// The figures of a run; nothing where the page shows them as they are.
pub(in crate::web) async fn figures(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RunInPath(name): RunInPath,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let query = query.unwrap_or_default();
    let (now, t) = (clock::now_micros(), visitor.preferences.texts());
    let (run, asked) = app.runs.look(&name, move |watched| ask(watched, now)).await?;
    let run = RunView::new(&run, &visitor, now, app.source.costs());
    let tenth = run.settled_percent / 10;
    let mut figures = Figures {
        t,
        zone: visitor.zone.name(),
        reasons: reasons(&asked.rows, t),
        words: asked.words.into_iter().map(|(text, count)| (visible(&text).into_owned(), grouped(count))).collect(),
        deferred: deferred(&asked.rows, &run.events_url, &visitor),
        run,
        seen: String::new(),
        tenth,
        news: None,
    };
    figures.seen = digest(&figures.render()?);
    if field(&query, "seen").as_ref() == Some(&figures.seen) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let told: Option<u64> = field(&query, "tenth").and_then(|text| text.parse().ok());
    figures.news = told.filter(|told| *told != tenth).map(|_| figures.run.settled_of.clone());
    Ok(Html(figures.render()?).into_response())
}

fn reasons(rows: &[outcome::Row], t: &'static Texts) -> Vec<ReasonView> {
    let mut counts: HashMap<(Status, String), u64> = HashMap::new();
    for row in rows.iter().filter(|row| row.status.is_unreached()) {
        *counts.entry((row.status, row.reason.text(t.spoken))).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(one, more), (other, fewer)| fewer.cmp(more).then_with(|| one.cmp(other)));
    let most = counts.first().map_or(1, |(_, count)| *count);
    let views = counts.into_iter().take(LISTED).map(|((status, reason), count)| ReasonView {
        text: visible(&reason).into_owned(),
        status: status_name(status, t),
        tone: tone(status),
        count: grouped(count),
        share: format!("{:.1}", count as f64 * 100.0 / most as f64),
    });
    views.collect()
}

fn deferred(rows: &[outcome::Row], events_url: &str, visitor: &Visitor) -> Deferred {
    let t = visitor.preferences.texts();
    let mut rows: Vec<&outcome::Row> = rows.iter().filter(|row| row.status == Status::Deferred).collect();
    rows.sort_by_key(|row| (row.first_seen, row.hash));
    let mut by_domain: HashMap<&str, (u64, Option<i64>)> = HashMap::new();
    for row in &rows {
        // Oldest first, so that the first one tells since when.
        let (count, _) = by_domain.entry(row.domain.as_deref().unwrap_or_default()).or_insert((0, row.first_seen));
        *count += 1;
    }
    let mut domains: Vec<_> = by_domain.into_iter().collect();
    domains.sort_by_key(|(name, (count, _))| (std::cmp::Reverse(*count), *name));
    let at = |at: Option<i64>| at.map(|at| visitor.zone.minute(at)).unwrap_or_default();
    let domain = |name: &str| if name.is_empty() { t.other.to_owned() } else { visible(name).into_owned() };
    let more = rows.len().saturating_sub(LISTED_RECIPIENTS);
    Deferred {
        count: rows.len() as u64,
        domains: domains
            .into_iter()
            .take(LISTED)
            .map(|(name, (count, since))| DomainView { name: domain(name), count: grouped(count), since: at(since) })
            .collect(),
        recipients: rows
            .iter()
            .take(LISTED_RECIPIENTS)
            .map(|row| RecipientView {
                hash: start_of(&row.hash),
                domain: row.domain.as_deref().map(domain).unwrap_or_default(),
                since: at(row.first_seen),
                reason: visible(&row.reason.text(t.spoken)).into_owned(),
                url: format!("{events_url}&recipient={}", row.hash),
            })
            .collect(),
        more: (more > 0).then(|| (t.runs.more_deferred)(&grouped(more as u64))),
    }
}

fn start_of(hash: &EmailHash) -> String {
    format!("{:.HASH_DIGITS$}…", hash.to_string())
}
