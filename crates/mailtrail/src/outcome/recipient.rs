//! What became of one recipient. Only here are the ledger and the events put together, so that every count, list and notice
//! says the same of a recipient.

use super::reason::{Reason, plain, refused};
use super::tracker::Known;
use crate::protect::EmailHash;
use crate::run::RequestId;
use crate::settle::Status;
use crate::store::ledger::{Asked, Refusal, Sent};

/// What the ledger says of a recipient.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) sent: Sent,
    pub(super) attempt: u32,
    /// The request that asked for it.
    pub(super) request: RequestId,
    /// When it came to stand so, µs since the epoch.
    pub(super) at: i64,
    refusal: Option<Box<Refusal>>,
}

impl Entry {
    pub(super) fn of(asked: Asked) -> Self {
        Self { sent: asked.sent, attempt: asked.attempt, request: asked.request, at: asked.at, refusal: asked.refusal }
    }
}

/// A recipient of some mail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient<'t> {
    /// Under the key that it was claimed by, or the current one.
    pub(super) hash: EmailHash,
    /// In the ledger; `None` of mail that was not sent from here.
    pub(super) entry: Option<&'t Entry>,
    /// What events say.
    pub(super) known: Option<&'t Known>,
}

/// Whether SendGrid has the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acceptance {
    /// It says so, or the mail is another tool's.
    Accepted,
    /// Its answer was lost, but an event proves it.
    Confirmed,
    /// Its answer was lost.
    Uncertain,
    /// It refused the mail.
    Refused,
    /// It was not asked for it: the request was never made.
    Unsent,
}

impl<'t> Recipient<'t> {
    /// Events outweigh the ledger: SendGrid speaks only of mail that it has.
    pub(super) fn status(&self) -> Status {
        match (self.known, self.sent()) {
            (Some(known), _) => known.status,
            (None, Some(Sent::Refused)) => Status::Refused,
            (None, _) => Status::Unknown,
        }
    }

    /// The state in the ledger.
    pub(super) fn sent(&self) -> Option<Sent> {
        self.entry.map(|entry| entry.sent)
    }

    /// `is_proven`: whether an event proves that SendGrid has this request.
    pub(super) fn acceptance(&self, is_proven: impl Fn(RequestId) -> bool) -> Acceptance {
        let proven = self.known.is_some_and(|known| known.proven);
        match self.entry.map(|entry| (entry.sent, entry.request)) {
            None | Some((Sent::Accepted, _)) => Acceptance::Accepted,
            // SendGrid answers a request as a whole, so one recipient's event speaks for all of it.
            Some((Sent::Uncertain | Sent::Sending, request)) if proven || is_proven(request) => Acceptance::Confirmed,
            Some((Sent::Uncertain | Sent::Sending, _)) => Acceptance::Uncertain,
            // Of an earlier attempt whose answer was lost.
            Some(_) if proven => Acceptance::Confirmed,
            Some(_) if self.known.is_some() => Acceptance::Uncertain,
            Some((Sent::Refused, _)) => Acceptance::Refused,
            Some((Sent::Claimed | Sent::Abandoned, _)) => Acceptance::Unsent,
        }
    }

    /// Whether nothing will come of it until somebody sends again: the request was never made.
    pub(super) fn is_unsent(&self) -> bool {
        self.known.is_none() && matches!(self.sent(), Some(Sent::Claimed | Sent::Abandoned))
    }

    /// Whether mail went out, or may have: the ledger says so, or any event but SendGrid's word that it did not send.
    pub(super) fn is_mailed(&self) -> bool {
        matches!(self.sent(), Some(Sent::Sending | Sent::Accepted | Sent::Uncertain))
            || self.known.is_some_and(|known| known.mailed)
    }

    /// SendGrid's reason for refusing it, where that is how it stands.
    pub(super) fn refusal(&self) -> Option<&'t Refusal> {
        let refusal = self.entry.and_then(|entry| entry.refusal.as_deref());
        refusal.filter(|_| self.known.is_none())
    }

    /// Why it stands so, in plain words.
    pub(super) fn reason(&self) -> Reason {
        if self.status() == Status::Refused {
            return refused(self.refusal());
        }
        if self.is_unsent() {
            return Reason::of(super::reason::UNSENT);
        }
        let known = self.known;
        Reason::of(plain(
            self.status(),
            known.and_then(|known| known.classification.as_deref()),
            known.and_then(|known| known.status_code.as_deref()),
            known.and_then(|known| known.reason.as_deref()),
        ))
    }

    /// SendGrid's classification of the failure, else the mail server's or SendGrid's status code.
    pub(super) fn classification(&self) -> Option<String> {
        match (self.known, self.refusal()) {
            (Some(known), _) => {
                known.classification.as_ref().or(known.status_code.as_ref()).map(|text| text.to_string())
            }
            (None, Some(refusal)) => refusal.status.map(|status| format!("HTTP {status}")),
            (None, None) => None,
        }
    }
}
