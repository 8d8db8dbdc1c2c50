//! Protected batches, durable before the 200, gone when drained.
//!
//! One thread writes, to one small SQLite file, and what waits at the same time shares a commit ([`Spool::commit`]); the
//! store drains the other end ([`Outlet`]). A file that met an I/O error is trusted no more: the next generation takes
//! over, and the old file is read until it is drained.

mod backlog;
mod file;
mod look;
mod outlet;
pub mod record;
mod writer;

pub use backlog::{Backlog, Underway};
pub(crate) use look::leave_out_posts;
pub use look::{Pending, count_events, look, span};
pub use outlet::SpooledPost;
pub(crate) use outlet::{Outlet, OutletError};
pub use record::Record;

use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::clock;
use crate::database::OpenError;
use crate::protect::SealedPost;
use backlog::Shared;
pub(crate) use file::FORMAT;
use file::{Reader, SpoolFile};
use writer::{Message, Waiting, Writer};

/// A place in the spool: batches are drained in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position {
    /// Which file.
    pub(crate) generation: u32,
    /// Which row of it.
    pub(crate) id: i64,
}

/// Proof that a batch is durable: only the spool makes one, after the commit.
#[derive(Debug)]
#[must_use = "what was committed is to be answered with 200"]
pub struct CommitReceipt(());

/// Why a batch was not taken. Each is answered 503, and SendGrid repeats.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The backlog is at its bound.
    #[error(
        "the spool holds as much as it may (`[store] max_backlog`): the trail cannot keep up, or cannot be written at all; `mailtrail doctor` says which"
    )]
    Full,
    /// The commit failed, or could not be tried.
    #[error("the spool cannot be written: {0}")]
    Failing(Arc<str>),
    /// The store is being closed.
    #[error("mailtrail is stopping")]
    Closed,
}

/// The file of a generation.
pub(crate) type FileName = Arc<dyn Fn(u32) -> PathBuf + Send + Sync>;

/// Where the files of the spool are.
pub(crate) struct SpoolFiles {
    /// The file of a generation.
    pub(crate) name: FileName,
    /// Generations that exist, oldest first.
    pub(crate) existing: Vec<u32>,
}

/// The spool's writing end.
pub(crate) struct Spool {
    /// Not bounded: what waits in it is one batch of each request in work at most, and the listener bounds those.
    sender: Sender<Message>,
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Spool {
    /// Opens the newest generation for writing, and all for draining. `guard` lives as long as something may write.
    pub(crate) fn open(
        files: SpoolFiles,
        max_bytes: u64,
        guard: Arc<dyn Send + Sync>,
    ) -> Result<(Self, Outlet), OpenError> {
        let mut existing = files.existing.clone();
        let shared = Arc::new(Shared::new(max_bytes));
        let newest = existing.pop().unwrap_or(1);
        let (generation, file) = match SpoolFile::open(&(files.name)(newest)) {
            Ok(file) => (newest, file),
            // Damage is met as at any other time: a new file takes over, and the old one is read as far as it goes.
            Err(error) if error.trouble().is_of_file() => {
                tracing::error!(generation = newest, "{error}; a new spool file takes over");
                existing.push(newest);
                (newest + 1, SpoolFile::open(&(files.name)(newest + 1))?)
            }
            Err(error) => return Err(error),
        };
        shared.add(file.backlog().map_err(|source| OpenError::Sqlite { path: (files.name)(generation), source })?);
        for &generation in &existing {
            let path = (files.name)(generation);
            let held = Reader::open(&path)
                .and_then(|reader| reader.backlog().map_err(|source| OpenError::Sqlite { path: path.clone(), source }));
            match held {
                Ok(held) => shared.add(held),
                Err(error @ (OpenError::Newer { .. } | OpenError::Foreign { .. })) => return Err(error),
                Err(error) => tracing::error!(generation, "an earlier spool file: {error}"),
            }
        }
        shared.begin(Position { generation, id: file.last_id() });

        let (sender, receiver) = channel();
        let outlet = Outlet::new(Arc::clone(&shared), sender.clone(), Arc::clone(&files.name), existing, generation);
        let writer = Writer::new(file, generation, files.name, Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || {
                writer.run(&receiver);
                drop(guard);
            })
            .map_err(|source| OpenError::Thread { source })?;
        Ok((Self { sender, shared, writer: Mutex::new(Some(thread)) }, outlet))
    }

    /// Makes a batch durable, and with it the POST where it is to be passed on: both or none.
    pub(crate) async fn commit(&self, record: Record, post: Option<SealedPost>) -> Result<CommitReceipt, CommitError> {
        if self.shared.is_closed() {
            return Err(CommitError::Closed);
        }
        if let Some(why) = self.shared.why_replaced() {
            return Err(CommitError::Failing(why));
        }
        let bytes = record.bytes().len() + post.as_ref().map_or(0, |post| post.sealed.len());
        let reserved = Shared::reserve(&self.shared, bytes as u64).ok_or(CommitError::Full)?;
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { record, post, received_at: clock::now_micros(), reserved, reply };
        self.sender.send(Message::Commit(waiting)).map_err(|_| CommitError::Closed)?;
        // A writer that is gone without an answer did not commit, as far as anybody knows.
        answer.await.unwrap_or(Err(CommitError::Closed))
    }

    /// A post is being worked on that will be committed, until what this returns is dropped.
    pub(crate) fn underway(&self) -> Underway {
        Shared::enter(&self.shared)
    }

    /// What is committed so far.
    pub(crate) fn head(&self) -> Position {
        self.shared.head()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Takes no more batches; returns when those that wait are answered.
    pub(crate) fn close(&self) {
        self.shared.close();
        let (reply, answer) = channel();
        if self.sender.send(Message::Flush(reply)).is_ok() {
            // An error says that the writer is gone, which is as good.
            let _done = answer.recv();
        }
    }

    /// Ends the writer, its file settled.
    pub(crate) fn stop(&self) {
        self.shared.close();
        let _gone = self.sender.send(Message::Stop);
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the spool's thread ended in a panic");
        }
    }
}

#[cfg(test)]
mod tests;
