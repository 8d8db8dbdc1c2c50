//! The runs: which there are, how each stands, and whom it did not reach.
//!
//! A page is there at once; its figures come after it, since a run may have a hundred thousand recipients. What they are is
//! room `outcome`'s to say.

mod detail;
mod held;
mod name;
mod row;
mod unreached;
mod view;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};

use super::failure::Failure;
use super::frame::{Frame, Section};
use super::page::App;
use super::visitor::Visitor;
use crate::run::path_segment;
use crate::show::visible;

pub(super) use detail::{figures, page as detail};
pub(super) use held::Held;
pub(super) use name::RunInPath;
pub(super) use row::row;
pub(super) use unreached::{LONGEST_LIST, download};

/// Runs of a page.
const PAGE: usize = 20;

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    f: Frame,
    runs: Vec<Link>,
    /// Whether each run's figures are asked for only when somebody wants them.
    costs: bool,
    newer: Option<String>,
    older: Option<String>,
}

/// A run whose figures are still to come.
struct Link {
    name: String,
    url: String,
    id: String,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let names = app.runs.names().await?;
    let skipped = field(query.as_deref().unwrap_or_default(), "after").and_then(|text| text.parse().ok());
    let skipped: usize = skipped.unwrap_or_default();
    let shown = names.iter().skip(skipped).take(PAGE);
    let page = RunsPage {
        f: Frame::new(&visitor, Section::Runs),
        runs: shown.map(|name| Link::of(name)).collect(),
        costs: app.source.costs(),
        newer: (skipped > 0).then(|| match skipped.saturating_sub(PAGE) {
            0 => "/runs".to_owned(),
            before => format!("/runs?after={before}"),
        }),
        older: (names.len().saturating_sub(skipped) > PAGE).then(|| format!("/runs?after={}", skipped + PAGE)),
    };
    Ok(Html(page.render()?).into_response())
}

impl Link {
    fn of(name: &str) -> Self {
        Self { name: visible(name).into_owned(), url: url(name), id: id(name) }
    }
}

/// Where a run's page is.
pub(super) fn url(name: &str) -> String {
    // Everything that could cut a path or change it.
    let mut url = "/runs/".to_owned();
    for byte in path_segment(name).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

/// A name for the run's elements in a page.
fn id(name: &str) -> String {
    digest(name)
}

/// Tells two texts apart.
fn digest(text: &str) -> String {
    let [a, b, c, d, e, f, ..] = super::password::digest_of(text);
    format!("{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{f:02x}")
}

fn field(query: &str, wanted: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        for (name, expected) in [
            ("2026-11-news", "/runs/2026-11-news"),
            ("a b/../c?d#e%f", "/runs/a%20b%2F..%2Fc%3Fd%23e%25f"),
            ("\"><svg>", "/runs/%22%3E%3Csvg%3E"),
            ("冬", "/runs/%E5%86%AC"),
            ("..", "/runs/~.."),
            ("~..", "/runs/~~.."),
            ("...", "/runs/..."),
        ] {
            assert_eq!(url(name), expected);
        }
    }
}
