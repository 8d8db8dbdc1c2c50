//! A run as the ledger knows it.

use std::collections::HashMap;

use super::{Known, Sent};
use crate::protect::EmailHash;
use crate::run::{RecipientId, RequestId};

/// A run as the ledger knows it. Recipients are counted once each, by their last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its name.
    pub name: String,
    /// First claim, µs since the epoch.
    pub begun_at: i64,
    /// When SendGrid last accepted mail of it, µs; `None` where it never did.
    pub accepted_at: Option<i64>,
    /// The latest time before which mail is not to be delivered, µs.
    pub send_at: Option<i64>,
    /// Whether its last send was only validated by the sandbox.
    pub sandbox: bool,
    /// How many recipients stand at which state.
    pub counts: Vec<(Sent, u64)>,
}

impl RunRecord {
    /// How many recipients stand at a state.
    #[must_use]
    pub fn count(&self, state: Sent) -> u64 {
        self.counts.iter().find(|(found, _)| *found == state).map_or(0, |(_, count)| *count)
    }

    /// How many recipients there are.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// A recipient of a run, by the last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub hash: EmailHash,
    /// How it stands.
    pub sent: Sent,
    /// Its number, from 1.
    pub attempt: u32,
    /// The id that its events carry.
    pub recipient: RecipientId,
    /// The request that asked for it.
    pub request: RequestId,
    /// `X-Message-Id`, where SendGrid gave one.
    pub message_id: Option<String>,
    /// When it came to stand so, µs since the epoch.
    pub at: i64,
    /// Why SendGrid refused it; `None` in every other state.
    pub refusal: Option<Box<Refusal>>,
}

/// Why SendGrid's API did not accept a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// HTTP status.
    pub status: Option<u16>,
    /// SendGrid's reason, without addresses; earlier versions did not keep it.
    pub why: Option<String>,
}

impl Refusal {
    /// What a row says of a recipient in this state.
    pub(in crate::store) fn of(sent: Sent, status: Option<u16>, why: Option<String>) -> Option<Box<Self>> {
        (sent == Sent::Refused).then(|| Box::new(Self { status, why }))
    }
}

/// A run with its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnRecord {
    /// Its figures.
    pub record: RunRecord,
    /// Each once, by the last attempt; in no order.
    pub recipients: Vec<Asked>,
}

impl OnRecord {
    /// Each with the last attempt.
    #[must_use]
    pub fn known(&self) -> HashMap<EmailHash, Known> {
        let known = |asked: &Asked| Known { sent: asked.sent, attempt: asked.attempt, recipient: asked.recipient };
        self.recipients.iter().map(|asked| (asked.hash, known(asked))).collect()
    }
}
