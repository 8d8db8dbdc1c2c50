//! Tests only: holds requests to SendGrid's API, and answers of it, against SendGrid's published OpenAPI documents, by
//! JSON Schema 2020-12 (which OpenAPI 3.1 is) in a library of its own.
//!
//! ```no_run
//! use sendgrid_openapi_check::{Document, MAIL};
//!
//! let Some(document) = Document::shared(MAIL) else { return };
//! document.request("POST", "/v3/mail/send", br#"{"from":{}}"#).expect_err("no personalizations");
//! document.answer("POST", "/v3/mail/send", 202, None, b"").expect("accepted, with an empty body");
//! ```

mod breach;
mod document;
mod livelike;

pub use breach::{Breach, ReadError};
pub use document::{Document, ERASURE, LOGS, MAIL, WEBHOOKS};
