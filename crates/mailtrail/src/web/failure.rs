//! What cannot be answered, told without quoting what was asked.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::store::sqlite::ReadError;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Read(ReadError),
    /// A template or a thread failed: a defect.
    #[error("this page could not be made; the log says more")]
    Broken,
    #[error("mailtrail is stopping; try again when it runs")]
    Stopping,
    #[error("{0}")]
    Wrong(String),
    #[error("your role is viewer: lists are for operators")]
    NotAllowed,
    #[error("this form is old: go back, load the page again, and send it again")]
    OldForm,
    #[error("there is no such page")]
    Missing,
}

impl Failure {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Read(ReadError::TooManyGroups { .. }) | Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::Read(_) | Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotAllowed | Self::OldForm => StatusCode::FORBIDDEN,
            Self::Missing => StatusCode::NOT_FOUND,
        }
    }

    /// What may be told outside: not where files stand.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Read(ReadError::TooManyGroups { .. }) => "too many lines to count: narrow the time".to_owned(),
            Self::Read(ReadError::Missing { .. }) => "nothing has been stored yet".to_owned(),
            Self::Read(_) => "the trail cannot be read; the log says more".to_owned(),
            other => other.to_string(),
        }
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        crate::log::limited("template", || tracing::error!(%error, "a page could not be made"));
        Self::Broken
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Self::Read(error) = &self {
            crate::log::limited("page", || tracing::error!(%error, "a page could not be answered"));
        }
        (self.status(), format!("{}\n", self.told())).into_response()
    }
}
