//! What a document says no to.

use std::fmt;

/// Why a document could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Not to be read.
    #[error("the OpenAPI document could not be read: {0}")]
    Io(#[from] std::io::Error),
    /// Not YAML, or YAML that is no JSON.
    #[error("the OpenAPI document is not YAML: {0}")]
    Yaml(String),
    /// It no longer says what is set right here.
    #[error(
        "the OpenAPI document changed at {pointer}: see whether it now says what live answers say, and drop what is set right"
    )]
    Changed {
        /// JSON pointer into the document.
        pointer: &'static str,
    },
}

/// What a request or an answer breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breach {
    /// The document has no such path and method.
    NoOperation,
    /// The operation has no such status.
    Undocumented(u16),
    /// The status has no content of this type.
    ContentType(Option<String>),
    /// Something where the document has nothing.
    BodyNotEmpty,
    /// Not JSON.
    NotJson(String),
    /// The document's schema is none.
    Schema(String),
    /// The schema says no.
    Refused(Vec<Fault>),
}

/// One place that the schema says no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer into the body.
    pub place: String,
    /// What is wrong. May repeat the value: this is for tests alone.
    pub text: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOperation => f.write_str("the document has no such path and method"),
            Self::Undocumented(status) => write!(f, "the document has no answer of status {status} here"),
            Self::ContentType(Some(found)) => write!(f, "the document has no content of type {found} here"),
            Self::ContentType(None) => f.write_str("the document has content here, but no type is said"),
            Self::BodyNotEmpty => f.write_str("the document has no content here, but the body is not empty"),
            Self::NotJson(error) => write!(f, "the body is not JSON: {error}"),
            Self::Schema(error) => write!(f, "the document's schema is none: {error}"),
            Self::Refused(faults) => {
                let places: Vec<String> =
                    faults.iter().map(|fault| format!("{}: {}", fault.place, fault.text)).collect();
                f.write_str(&places.join("; "))
            }
        }
    }
}

impl std::error::Error for Breach {}
