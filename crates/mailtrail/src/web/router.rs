//! Which handler answers what.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::Redirect;
use axum::routing::{get, post};

use super::page::App;
use super::{activity, admit, assets, export, failure, login, overview, preferences, runs, search};

/// Longest body of a form.
const LONGEST_FORM: usize = 64 * 1024;

pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/activity") }))
        .route("/login", get(login::form).post(login::log_in))
        .route("/enter/{token}", get(login::by_link))
        .route("/logout", post(login::log_out))
        .route("/preferences", post(preferences::choose))
        .route("/assets/{name}", get(assets::serve))
        .route("/activity", get(activity::page))
        .route("/activity/search", post(search::search))
        .route("/activity/live", get(activity::live))
        .route("/activity/count", get(activity::count))
        .route("/activity/export", post(export::from_form))
        .route("/overview", get(overview::page))
        .route("/overview/figures", get(overview::figures))
        .route("/runs", get(runs::list))
        .route("/runs/{name}", get(runs::detail))
        .route("/runs/{name}/row", get(runs::row))
        .route("/runs/{name}/figures", get(runs::figures))
        .route("/runs/{name}/unreached", post(runs::download).layer(DefaultBodyLimit::max(runs::LONGEST_LIST)))
        .fallback(|| async { failure::Failure::Missing })
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .layer(from_fn_with_state(Arc::clone(&app), admit::admit))
        .with_state(app)
}
