//! What can go wrong with BigQuery, said so that somebody can act on it.

use tonic::Code;

/// Why BigQuery did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BigQueryError {
    /// No credentials.
    #[error(
        "no credentials for Google Cloud: {0}. Give this process a service account (on Google Cloud), or set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth application-default login`"
    )]
    Credentials(String),
    /// No answer, or one that was cut.
    #[error(
        "BigQuery cannot be reached at {endpoint}: {why}. Check the network, and [bigquery] endpoint and grpc_endpoint"
    )]
    Unreachable {
        /// Where.
        endpoint: String,
        /// Why.
        why: String,
    },
    /// An answer that says no.
    #[error("BigQuery refused to {doing}: {message} ({reason}){}", advice(.reason, .permission))]
    Refused {
        /// What was asked, in words that follow "to".
        doing: String,
        /// BigQuery's word for why: `accessDenied`, `notFound`, `invalid`, …
        reason: String,
        /// BigQuery's own text.
        message: String,
        /// The permission that this needs.
        permission: &'static str,
    },
    /// An answer that is none.
    #[error("BigQuery's answer to {doing} was not understood: {why}")]
    Answer {
        /// What was asked.
        doing: String,
        /// What was missing.
        why: String,
    },
    /// A table or dataset that is there is not what it should be.
    #[error("{0}")]
    Unfit(String),
    /// A question that would cost more than allowed.
    #[error(
        "this would scan {bytes} bytes, and [bigquery] max_bytes_billed allows {limit}: narrow the time with --since and --until, or raise the limit"
    )]
    TooExpensive {
        /// What it would scan.
        bytes: u64,
        /// What is allowed.
        limit: u64,
    },
}

impl BigQueryError {
    /// Whether the thing asked for is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason == "notFound")
    }
}

/// What to do about a refusal.
fn advice(reason: &str, permission: &str) -> String {
    match reason {
        "accessDenied" | "forbidden" => format!(
            ". This needs the permission {permission}: have the service account granted a role that holds it (roles/bigquery.dataEditor on the dataset for tables and rows, roles/bigquery.jobUser on the project for queries). It may also mean that the table is not there: `mailtrail bigquery init` makes it"
        ),
        "unauthorized" | "authError" => {
            ". The credentials were not accepted: are they of this project, and not expired?".to_owned()
        }
        "notFound" => ". Check [bigquery] project, dataset and location, or run `mailtrail bigquery init`".to_owned(),
        "quotaExceeded" | "rateLimitExceeded" => ". Try again later, or set [bigquery] quota_project".to_owned(),
        "bytesBilledLimitExceeded" => ". Narrow the time, or raise [bigquery] max_bytes_billed".to_owned(),
        _ => String::new(),
    }
}

/// A row that BigQuery will not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRefused {
    /// Its place in the request, from 0.
    pub index: usize,
    /// BigQuery's own text.
    pub message: String,
}

/// Why rows were not appended; nothing of the request was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Some rows are at fault; without them the others can be appended.
    #[error("BigQuery refused {} rows", .0.len())]
    Rows(Vec<RowRefused>),
    /// It may work when repeated.
    #[error("BigQuery did not take the rows: {0}")]
    Passing(String),
    /// Somebody must do something first.
    #[error("BigQuery refused the rows: {message}{}", advice(.reason, "bigquery.tables.updateData"))]
    Refused {
        /// As in [`BigQueryError::Refused`].
        reason: &'static str,
        /// BigQuery's own text.
        message: String,
    },
}

impl AppendError {
    /// Sorts a status of the Storage Write API. Only what surely needs somebody is no passing trouble.
    pub(crate) fn of(code: Code, message: &str) -> Self {
        let refused = |reason| Self::Refused { reason, message: message.to_owned() };
        match code {
            Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => refused("invalid"),
            Code::NotFound => refused("notFound"),
            Code::PermissionDenied => refused("accessDenied"),
            Code::Unimplemented => refused("notImplemented"),
            // UNAUTHENTICATED: the next connection asks for a new token.
            code => Self::Passing(format!("{code}: {message}")),
        }
    }
}
