//! What cannot be answered, told without quoting what was asked.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::list::ListError;
use crate::outcome::OutcomeError;
use crate::store::bigquery::BigQueryError;
use crate::store::questions::AskError;
use crate::store::sends::SendsError;
use crate::store::sqlite::ReadError;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Read(ReadError),
    /// Of a run.
    #[error(transparent)]
    Outcome(OutcomeError),
    #[error("{0} received events are not in the trail yet, so the list would not be whole: try again in a moment")]
    Behind(i64),
    /// What somebody sent along; told by row and column.
    #[error(transparent)]
    List(#[from] ListError),
    #[error("this form cannot be read: the list is too long (32 MiB), or was cut off")]
    BadForm,
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
            Self::Read(ReadError::TooManyGroups { .. })
            | Self::Wrong(_)
            | Self::List(_)
            | Self::BadForm
            | Self::Outcome(OutcomeError::Usage(_)) => StatusCode::BAD_REQUEST,
            Self::Read(_) | Self::Outcome(_) | Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Behind(_) | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotAllowed | Self::OldForm => StatusCode::FORBIDDEN,
            Self::Missing => StatusCode::NOT_FOUND,
        }
    }

    /// What may be told outside: not where files stand.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Read(ReadError::TooManyGroups { .. }) => "too many lines to count: narrow the time".to_owned(),
            Self::Read(ReadError::Missing { .. }) => "nothing has been stored yet".to_owned(),
            Self::Outcome(OutcomeError::Usage(why)) => why.to_string(),
            Self::Read(_) | Self::Outcome(_) => "the store cannot be read; the log says more".to_owned(),
            other => other.to_string(),
        }
    }
}

impl From<OutcomeError> for Failure {
    fn from(error: OutcomeError) -> Self {
        match error {
            OutcomeError::UnknownRun(_) => Self::Missing,
            OutcomeError::Store(error) => error.into(),
            other => Self::Outcome(other),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Sqlite(error) => Self::Read(error),
            AskError::BigQuery(error @ BigQueryError::TooExpensive { .. }) => Self::Wrong(error.to_string()),
            other => Self::Outcome(OutcomeError::Store(other.into())),
        }
    }
}

impl From<SendsError> for Failure {
    fn from(error: SendsError) -> Self {
        match error {
            SendsError::Behind(events) => Self::Behind(events),
            SendsError::Ask(error) => error.into(),
            other => Self::Outcome(other.into()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        crate::log::limited("page", || tracing::error!(%error, "a file could not be written for the page"));
        Self::Broken
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
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR {
            crate::log::limited("page", || tracing::error!(error = %self, "a page could not be answered"));
        }
        (self.status(), format!("{}\n", self.told())).into_response()
    }
}
