//! SendGrid's v3 API, as a client that knows what may be repeated.
//!
//! The mail API has no idempotency key: a request whose answer is lost may or may not have mailed people. So every end of a
//! request is one [`Outcome`], and only those that certainly mailed nobody are repeated. Other calls (settings, logs) end in a
//! [`CallError`] or an answer, and are repeated where that changes nothing.

mod answer;
mod call;
mod client;
mod erase;
mod mail_send;
mod outcome;
mod patience;
mod rate_limit;

pub use call::CallError;
pub use client::{Client, ClientError};
pub use erase::{EraseJob, erase_requests};
pub use mail_send::{Asm, Content, EmailAddress, MailSend, MailSettings, Personalization, SandboxMode};
pub use outcome::{ApiError, Outcome, first_of, is_out_of_credits, said};
pub use patience::Patience;

#[cfg(test)]
mod tests;
