//! The ledger: whom SendGrid was asked to mail, and what it said. [`Claims`] is what its sender sees of it, [`Ledger`] what
//! everybody else does. On this machine it is a file of its own, so that a sender's claims never wait for a drain;
//! BigQuery's is in `store/bigquery/ledger.rs`.
//!
//! A request goes claimed → sending → accepted, refused or uncertain; each step is durable before the next is taken. Rows are
//! only added. A run has one sender at a time, so what an earlier one left claimed was never sent (abandoned), and what it left
//! sending may have been (uncertain).

mod error;
mod read;
mod record;
mod write;

use std::collections::HashMap;

pub use error::LedgerError;
pub use read::LedgerReader;
pub use record::{Asked, OnRecord, Refusal, RunRecord};
pub(in crate::store) use write::{FORMAT, OF_OTHERS, bring_up_to_date, note_hash_key};
pub use write::{RunLedger, note_sandbox};

use crate::protect::EmailHash;
use crate::run::{RecipientId, RequestId};
use crate::store::query::Scope;

/// What became of a request, as far as its sender knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sent {
    /// Set aside for a request that is not begun.
    Claimed,
    /// The request is under way.
    Sending,
    /// SendGrid has the mail.
    Accepted,
    /// SendGrid refused the recipient, or the whole request; nobody was mailed.
    Refused,
    /// The request may have arrived.
    Uncertain,
    /// The request was never made.
    Abandoned,
}

impl Sent {
    const ALL: [Self; 6] =
        [Self::Claimed, Self::Sending, Self::Accepted, Self::Refused, Self::Uncertain, Self::Abandoned];

    /// As in the column `state`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Uncertain => "uncertain",
            Self::Abandoned => "abandoned",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether mail may be on its way, so that another would be one too many.
    #[must_use]
    pub fn is_taken(self) -> bool {
        !matches!(self, Self::Refused | Self::Abandoned)
    }
}

/// The last attempt to mail somebody in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// How it stands.
    pub sent: Sent,
    /// Its number, from 1.
    pub attempt: u32,
    /// The id that its events carry.
    pub recipient: RecipientId,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// SendGrid has the mail, under this `X-Message-Id`.
    Accepted(Option<&'a str>),
    /// SendGrid refused all of it.
    Refused {
        /// SendGrid's HTTP status.
        status: u16,
        /// SendGrid's reason, without addresses.
        why: &'a str,
    },
    /// SendGrid refused it because of some recipients: they are refused. The others were not mailed either and count as abandoned.
    RefusedFor {
        /// SendGrid's HTTP status.
        status: u16,
        /// Each with SendGrid's reason, without addresses.
        recipients: &'a [(EmailHash, String)],
    },
    /// It may have arrived; a word that says what happened.
    Uncertain(&'a str),
    /// It was never made; a word that says why.
    Abandoned(&'a str),
}

/// A recipient set aside for a request: who, the id that its events carry, the number of the attempt.
pub type Claim = (EmailHash, RecipientId, u32);

/// The ledger of one run, for its only sender. A request goes claimed → sending → accepted, refused, uncertain or abandoned.
pub trait Claims {
    /// Who was asked for in this run, with the last attempt.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn known(&self) -> Result<HashMap<EmailHash, Known>, LedgerError>;

    /// Sets recipients aside for a request; durable when this returns. `send_at` in µs.
    ///
    /// # Errors
    /// When one of them has a claim of that number already (then none is claimed), or the ledger cannot be written.
    fn claim(
        &mut self,
        request: RequestId,
        categories: &[String],
        send_at: Option<i64>,
        recipients: Vec<Claim>,
        now: i64,
    ) -> Result<(), LedgerError>;

    /// The request is made from now on; when this returns that is durable, and the run is still this sender's.
    ///
    /// # Errors
    /// When the ledger cannot be written or the run was taken over: then the request must not be made.
    fn sending(&mut self, request: RequestId, now: i64) -> Result<(), LedgerError>;

    /// How the request ended; durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written: then it counts as uncertain.
    fn ended(&mut self, request: RequestId, ended: Ended<'_>, now: i64) -> Result<(), LedgerError>;

    /// Lets go of the run. Dropping does so, too, but cannot say that it failed.
    ///
    /// # Errors
    /// When nobody can be told that the run is free.
    fn close(self: Box<Self>) -> Result<(), LedgerError>;
}

/// The ledger, for who only reads.
pub trait Ledger: Send {
    /// The names of all runs, the newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn run_names(&self) -> Result<Vec<String>, LedgerError>;

    /// A run with its recipients; `None` where nothing was ever sent under this name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn run(&self, name: &str) -> Result<Option<OnRecord>, LedgerError>;

    /// Another number whenever there may be new steps of that mail; `since` in µs.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn place(&self, scope: &Scope, since: i64) -> Result<i64, LedgerError>;

    /// Who was asked for under a category, in any run, since a time in µs; each by the last attempt in each run.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn recipients_of_category(&self, category: &str, since: i64) -> Result<Vec<Asked>, LedgerError>;

    /// The hash keys that sends were made with, or that were accepted for it.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn hash_keys(&self) -> Result<Vec<String>, LedgerError>;

    /// Who was asked for in a run, with the last attempt.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn known(&self, run: &str) -> Result<HashMap<EmailHash, Known>, LedgerError> {
        Ok(self.run(run)?.map(|run| run.known()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
