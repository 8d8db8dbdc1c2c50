//! Is the trail complete? Asked of SendGrid's Email Logs, which keep every message for 30 days; what is missing is added.
//!
//! The logs have no pages, so the time is gone through in windows that are halved whenever one is full. Of each message the
//! summary is held against the trail; only where something is missing are its events fetched. They take the road of every
//! event, decoding and `protect`, and are told by their keys: what is there is not stored twice, whatever was compared.

mod compare;
mod logs;
mod progress;
mod shape;
mod window;

pub use logs::KEPT_DAYS;
pub use progress::Progress;

use std::sync::Arc;

use crate::clock::now_micros;
use crate::config::Privacy;
use crate::decode::decode;
use crate::protect::{KeyRing, ProtectedBatch, Protector};
use crate::receive::Authentic;
use crate::sendgrid::{CallError, Client};
use crate::spool::Record;
use crate::store::sqlite::{ReadError, Reader, Trail, TrailError};
use compare::Known;
use logs::{Found, Logs};
use window::Windows;

/// Events in one transaction, about: beside a running `serve` nobody holds the trail for long.
const EVENTS_A_COMMIT: usize = 2000;
/// The statuses that a window too full to be halved is asked for one by one.
const STATUSES: [&str; 6] = ["processed", "delivered", "deferred", "dropped", "bounced", "blocked"];

/// Why it does not go on. What was repaired stays, and the saved place says from where to go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// SendGrid.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The trail cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The trail cannot be written.
    #[error(transparent)]
    Write(#[from] TrailError),
    /// The place cannot be saved.
    #[error("the place cannot be saved: {0}")]
    Progress(#[from] std::io::Error),
}

/// How it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Only say what is missing.
    pub dry_run: bool,
    /// Fetch the events of every message, also where the summary fits: opens, clicks and earlier deferrals show only there.
    pub every_message: bool,
}

/// Holds the logs against a trail.
pub struct Reconciler<'c> {
    logs: Logs<'c>,
    client: &'c Client,
    reader: Reader,
    /// Not opened for a dry run.
    trail: Option<Trail>,
    keys: Arc<KeyRing>,
    protector: Protector,
    manner: Manner,
}

impl<'c> Reconciler<'c> {
    /// `trail`: where to write; `None`: a dry run.
    #[must_use]
    pub fn new(
        client: &'c Client,
        reader: Reader,
        trail: Option<Trail>,
        keys: Arc<KeyRing>,
        privacy: &Privacy,
        every_message: bool,
    ) -> Self {
        let protector = Protector::new(Arc::clone(&keys), privacy);
        let manner = Manner { dry_run: trail.is_none(), every_message };
        Self { logs: Logs::new(client), client, reader, trail, keys, protector, manner }
    }

    /// Of a subuser of the key's account, by its number.
    #[must_use]
    pub fn of_subuser(mut self, subuser: Option<u64>) -> Self {
        self.logs.subuser = subuser;
        self
    }

    /// Goes on from where `progress` stands, to its end. `save` is called after each window, when all that it repaired is
    /// durable.
    ///
    /// # Errors
    /// When SendGrid or the trail fails for longer than patience; `progress` says how far it came.
    pub async fn run(
        &mut self,
        progress: &mut Progress,
        mut save: impl FnMut(&Progress) -> std::io::Result<()>,
    ) -> Result<(), ReconcileError> {
        let mut windows = Windows::new(progress.edge_ms(), progress.until_ms());
        let before = progress.requests;
        while let Some((from, to)) = windows.next() {
            let mut found = self.logs.search(from, to, None).await?;
            if logs::is_full(&found) {
                if windows.halve() {
                    progress.requests = before + self.client.requests();
                    continue;
                }
                found = self.by_status(from, to, progress).await?;
            }
            progress.messages += found.len() as u64;
            self.window(&found, progress).await?;
            windows.passed(found.len());
            progress.requests = before + self.client.requests();
            progress.reach(to);
            save(progress)?;
        }
        Ok(())
    }

    /// More messages at once than an answer holds: a request of a thousand recipients and others beside it.
    async fn by_status(&self, from: i64, to: i64, progress: &mut Progress) -> Result<Vec<Found>, ReconcileError> {
        let mut all = Vec::new();
        for status in STATUSES {
            let found = self.logs.search(from, to, Some(status)).await?;
            progress.unseen_windows += u64::from(logs::is_full(&found));
            all.extend(found);
        }
        Ok(all)
    }

    async fn window(&mut self, found: &[Found], progress: &mut Progress) -> Result<(), ReconcileError> {
        let wanted: Vec<&Found> = if self.manner.every_message {
            found.iter().collect()
        } else {
            let known = Known::of(&self.reader, found)?;
            found.iter().filter(|message| !known.has_all_of(message, &self.keys)).collect()
        };
        let mut events = Vec::new();
        for message in wanted {
            progress.incomplete += 1;
            let Some(details) = self.logs.details(&message.sg_message_id).await? else {
                progress.gone += 1;
                continue;
            };
            progress.cut_short += u64::from(details.is_cut_short());
            events.extend(shape::events(details));
            if events.len() >= EVENTS_A_COMMIT {
                self.add(&events, progress)?;
                events.clear();
            }
        }
        if !events.is_empty() {
            self.add(&events, progress)?;
        }
        Ok(())
    }

    fn add(&mut self, events: &[String], progress: &mut Progress) -> Result<(), ReconcileError> {
        let body = Authentic::of_api(format!("[{}]", events.join(",")), now_micros());
        let batch = self.protector.protect(decode(&body), &body);
        let Some(trail) = &mut self.trail else {
            progress.repaired += self.missing(&batch)?;
            return Ok(());
        };
        let keys = &self.keys;
        let appended = trail.append(&[Record::of(batch)], &|bytes, why| keys.seal(bytes, why))?;
        trail.checkpoint_if_long()?;
        progress.repaired += appended.stored;
        progress.quarantined += appended.quarantined;
        Ok(())
    }

    fn missing(&self, batch: &ProtectedBatch) -> Result<u64, ReadError> {
        let mut missing = 0;
        for event in &batch.rows().events {
            missing += u64::from(!self.reader.has_event(event.timestamp, &event.event_key)?);
        }
        Ok(missing)
    }
}
