#![doc = include_str!("../README.md")]

pub mod random;
pub mod sign;

pub mod event;
pub mod message;
mod remote;

pub mod fate;

pub mod bulk;

pub mod plan;
pub mod target;

pub mod delivery;
pub mod report;

pub mod mail_api;

pub use bulk::{BulkMail, Outcome, Story};
pub use delivery::{Delivery, Retry};
pub use event::{Event, EventKey};
pub use fate::Fate;
pub use mail_api::MailApi;
pub use message::Message;
pub use plan::Plan;
pub use random::Random;
pub use report::Report;
pub use sign::Signer;
pub use target::Target;
