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
    /// Whether a statement was only in the way of another one, and may be tried again.
    pub(crate) fn is_contention(&self) -> bool {
        const SIGNS: [&str; 3] = ["concurrent update", "Could not serialize access", "Too many DML statements"];
        matches!(self, Self::Refused { message, .. } if SIGNS.iter().any(|sign| message.contains(sign)))
    }

    /// Whether the thing asked for is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason == "notFound")
    }

    /// Whether rows were to be changed that came in so lately that BigQuery does not let go of them yet.
    pub(crate) fn is_about_streaming(&self) -> bool {
        matches!(self, Self::Refused { message, .. } if message.to_ascii_lowercase().contains("streaming buffer"))
    }

    /// Whether BigQuery's table of errors says to retry with backoff, whatever the status is (403 `rateLimitExceeded`, 400
    /// `jobRateLimitExceeded`).
    pub(crate) fn is_temporary(&self) -> bool {
        const TEMPORARY: [&str; 7] = [
            "backendError",
            "internalError",
            "jobBackendError",
            "jobInternalError",
            "jobRateLimitExceeded",
            "rateLimitExceeded",
            "tableUnavailable",
        ];
        matches!(self, Self::Refused { reason, .. } if TEMPORARY.contains(&reason.as_str()))
    }

    /// Whether it may work when asked again later; of a quota, hours later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.is_temporary()
            || match self {
                Self::Unreachable { .. } => true,
                Self::Refused { reason, .. } => reason == "quotaExceeded",
                _ => false,
            }
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
        "quotaExceeded" | "rateLimitExceeded" | "jobRateLimitExceeded" => {
            ". Try again later, or set [bigquery] quota_project".to_owned()
        }
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

/// BigQuery's text about rows may quote them: what could be an address goes, and it ends somewhere.
pub(super) fn harmless(text: &str) -> String {
    const MOST: usize = 300;
    let suspicious = |word: &str| word.contains(['@', '＠']) || word.to_ascii_lowercase().contains("%40");
    let words = text.split(' ').map(|word| if suspicious(word) { "[…]" } else { word });
    let text = words.collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

impl AppendError {
    /// Sorts a status of the Storage Write API. Only what surely needs somebody is no passing trouble.
    pub(crate) fn of(code: Code, message: &str) -> Self {
        let message = harmless(message);
        let refused = |reason| Self::Refused { reason, message: message.clone() };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_quotes_a_row_is_said_without_what_could_be_an_address() {
        let told = harmless("Invalid value \"jane@example.com\" for a=b%40c and more");
        assert_eq!(told, "Invalid value […] for […] and more");
        assert_eq!(harmless(&"日".repeat(1000)).chars().count(), 301);
        let error = AppendError::of(Code::InvalidArgument, "bad row: jane@example.com");
        assert!(!format!("{error} {error:?}").contains("jane"));
    }

    #[test]
    fn what_stands_in_the_way_of_a_change_is_told_apart() {
        let refused = |reason: &str, message: &str| BigQueryError::Refused {
            doing: "change rows".to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            permission: "",
        };
        // As BigQuery words them.
        let streaming = refused(
            "invalidQuery",
            "UPDATE or DELETE statement over table p.d.t would affect rows in the streaming buffer, which is not supported",
        );
        let conflict = refused("invalidQuery", "Could not serialize access to table p:d.t due to concurrent update");
        let other = refused("invalidQuery", "Syntax error");
        assert!(streaming.is_about_streaming() && !streaming.is_contention() && !streaming.may_pass());
        assert!(conflict.is_contention() && !conflict.is_about_streaming());
        assert!(!other.is_contention() && !other.is_about_streaming() && !other.may_pass());
        // https://cloud.google.com/bigquery/docs/error-messages; dbt-core#2795
        for reason in
            ["backendError", "rateLimitExceeded", "jobRateLimitExceeded", "jobInternalError", "tableUnavailable"]
        {
            assert!(refused(reason, "Try again").is_temporary() && refused(reason, "Try again").may_pass(), "{reason}");
        }
        assert!(refused("quotaExceeded", "").may_pass() && !refused("quotaExceeded", "").is_temporary());
    }

    #[test]
    fn only_what_surely_needs_somebody_is_no_passing_trouble() {
        use Code::{
            Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unauthenticated, Unavailable, Unknown,
        };
        for code in
            [Aborted, Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unauthenticated, Unavailable, Unknown]
        {
            assert!(matches!(AppendError::of(code, ""), AppendError::Passing(_)), "{code:?}");
        }
        for code in [Code::InvalidArgument, Code::NotFound, Code::PermissionDenied, Code::Unimplemented] {
            assert!(matches!(AppendError::of(code, ""), AppendError::Refused { .. }), "{code:?}");
        }
    }
}
