//! Why another host gives no answer. No text here holds the token, and none what was asked.

use super::wire::Problem;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address cannot be used.
    #[error(
        "the server's address is not one of a page: write it as https://mailtrail.example.com, without a path; http:// works on \
         this machine alone, since the token and addresses would travel in the open"
    )]
    Url,
    /// The token cannot be one.
    #[error("the token file holds no token: `mailtrail web token NAME`, where the server runs, makes one")]
    Token,
    /// The HTTP client does not start.
    #[error("the HTTP client cannot be used: {0}")]
    Client(String),
    /// No answer.
    #[error("{server} gives no answer: {why}. Does serve run there, with [web] listen?")]
    Unanswered {
        /// Scheme and host.
        server: String,
        /// Why.
        why: String,
    },
    /// Something else answered.
    #[error(
        "{server} answered with HTTP status {status}, and not as mailtrail's API does: is this the page's address? Redirects are \
         not followed"
    )]
    NoApi {
        /// Scheme and host.
        server: String,
        /// HTTP status.
        status: u16,
    },
    /// The API says why not.
    #[error("{server}: {}: {}; {}", .problem.title, .problem.detail, .problem.advice)]
    Refused {
        /// Scheme and host.
        server: String,
        /// What it says.
        problem: Box<Problem>,
    },
    /// The answer ended before its end.
    #[error("the answer of {server} broke off: ask again")]
    BrokenOff {
        /// Scheme and host.
        server: String,
    },
    /// A row that cannot be read.
    #[error("{server} answered with a row that this version cannot read ({place}): use the same version on both sides")]
    Row {
        /// Scheme and host.
        server: String,
        /// Line and column.
        place: String,
    },
}

impl RemoteError {
    /// Whether the question is at fault, rather than the server or the way to it.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Url | Self::Token => true,
            Self::Refused { problem, .. } => matches!(problem.status, 400 | 413 | 422),
            _ => false,
        }
    }
}
