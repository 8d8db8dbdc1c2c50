//! How a request can end.

use std::fmt;
use std::time::Duration;

use sendgrid_events::MessageId;

/// What became of one request to send. Holds no address and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 202: SendGrid has the mail.
    Accepted {
        /// `X-Message-Id`: the beginning of every `sg_message_id` that comes of it.
        message_id: Option<MessageId>,
    },
    /// 200 of the sandbox: valid, and nobody is mailed.
    Validated,
    /// SendGrid will not do it; nobody was mailed.
    Refused {
        /// HTTP status.
        status: u16,
        /// Why, in SendGrid's words; never empty.
        errors: Vec<ApiError>,
    },
    /// 429: not now; nobody was mailed.
    TooMany {
        /// How long SendGrid wants to be left alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// No connection came about, so nobody was mailed.
    NotSent {
        /// Why.
        why: String,
    },
    /// The request may have arrived, but SendGrid did not say that it has the mail.
    Uncertain {
        /// What happened instead.
        why: String,
    },
}

/// One of SendGrid's `errors`, without addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// What is wrong.
    pub message: String,
    /// Which field of the request.
    pub field: Option<String>,
    /// Where SendGrid explains it.
    pub help: Option<String>,
}

/// Whether a refusal says that the account may send no more for now. SendGrid answers 401 as for a wrong key (sendgrid-nodejs#1032).
#[must_use]
pub fn is_out_of_credits(status: u16, said: &str) -> bool {
    status == 401 && said.to_ascii_lowercase().contains("credits exceeded")
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// The first few errors on one line, and how many more there are.
#[must_use]
pub fn said(errors: &[ApiError]) -> String {
    first_of(errors, 5)
}

/// As [`said`], with another number of errors.
#[must_use]
pub fn first_of(errors: &[ApiError], most: usize) -> String {
    let mut said: Vec<String> = errors.iter().take(most).map(ToString::to_string).collect();
    if errors.len() > most {
        said.push(format!("and {} more", errors.len() - most));
    }
    said.join("; ")
}
