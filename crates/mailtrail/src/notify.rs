//! What people are told: a notice is pure data without addresses; here it becomes words, a Slack message or signed JSON, and
//! is posted.

mod answer;
mod client;
mod label;
mod manner;
pub mod notice;
mod notifier;
mod page;
mod retry;
pub mod slack;
#[cfg(test)]
pub(crate) mod testing;
pub mod webhook;
mod words;

pub use answer::Taken;
pub(crate) use client::Client;
pub use client::SendError;
pub use label::Label;
pub use manner::Manner;
pub use notice::{
    AlertGroup, Concern, ConcernKind, Counted, Counts, Destination, Domains, Notice, Ops, Outstanding, RunSummary, View,
};
pub use notifier::{Channel, NoticeId, Notifier, NotifyError, Told};
pub use retry::{Backoff, Patience};
