//! The JSON API: the questions of the command line, for programs on other hosts.
//!
//! Who asks shows a token ([`caller`]). What is asked stands in a JSON body ([`body`], [`which`]), since it may hold addresses and
//! URLs get around. The answer is rows, the same as with `--format json` ([`rows`]), or a problem ([`problem`]).
//! `docs/openapi.yaml` describes all of it and is served as well ([`document`]).

mod body;
mod caller;
mod document;
mod events;
mod hashes;
mod latest;
mod mail;
mod problem;
mod query;
mod rows;
mod runs;
mod stats;
mod which;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::page::App;
use crate::store::remote::wire;

pub(super) use problem::Problem;

/// Below it stand all paths.
pub(super) const ROOT: &str = wire::ROOT;

/// Longest body of a question.
const LONGEST: usize = 1024 * 1024;

/// Longest body of a question that may name a list.
const LONGEST_LIST: usize = 16 * 1024 * 1024;

/// Whether a path is one of the API.
pub(super) fn is_meant(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn router() -> Router<Arc<App>> {
    let lists = Router::new()
        .route("/hashes", post(hashes::hashes))
        .route("/unreached", post(mail::unreached))
        .route("/sent", post(mail::sent))
        .layer(DefaultBodyLimit::max(LONGEST_LIST));
    Router::new()
        .route("/openapi.yaml", get(document::serve))
        .route("/activity", post(events::activity))
        .route("/timeline", post(events::timeline))
        .route("/newest", get(events::newest))
        .route("/export", post(events::export))
        .route("/stats", post(stats::stats))
        .route("/latest", post(latest::latest))
        .route("/runs", get(runs::list))
        .route("/runs/{name}", get(runs::one))
        .route("/runs/{name}/unreached", get(mail::unreached_of_run))
        .layer(DefaultBodyLimit::max(LONGEST))
        .merge(lists)
        .fallback(|| async { Problem::no_such_path() })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
}
