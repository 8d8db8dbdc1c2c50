//! The one thread that writes the spool.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::backlog::{Backlog, Reservation, Shared};
use super::file::SpoolFile;
use super::record::Record;
use super::{CommitError, CommitReceipt, FileName, Position};
use crate::database::{self, Trouble};
use crate::protect::SealedPost;

/// How often a write is tried while none succeeds, so that mending shows without traffic.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// What one commit takes at most; more waits for the next.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// A file is written anew in memory, and answers wait for it: only where little waits in it.
const SCRUB_BYTES: u64 = 64 * 1024 * 1024;

pub(super) enum Message {
    Commit(Waiting),
    Drained(Drained),
    /// What the outlet read from this generation was damaged.
    Distrust(u32, Arc<str>),
    Flush(Sender<()>),
    /// Leave nothing of what is deleted; answers whether that is so.
    Scrub(Sender<bool>),
    Stop,
}

/// A batch whose sender waits for the commit.
pub(super) struct Waiting {
    pub(super) record: Record,
    /// The POST as it came, where it is passed on.
    pub(super) post: Option<SealedPost>,
    pub(super) received_at: i64,
    pub(super) reserved: Reservation,
    pub(super) reply: oneshot::Sender<Result<CommitReceipt, CommitError>>,
}

/// What is in the trail and may go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drained {
    pub(super) through: Position,
    pub(super) amount: Backlog,
}

pub(super) struct Writer {
    /// `None` while a new generation is wanted but cannot be opened.
    file: Option<SpoolFile>,
    generation: u32,
    name: FileName,
    shared: Arc<Shared>,
    /// Drained rows that are not deleted yet.
    drained: Option<Drained>,
    failing: bool,
    opened: Option<Instant>,
}

impl Waiting {
    /// Size of all that is to be written.
    fn bytes(&self) -> usize {
        self.record.bytes().len() + self.post.as_ref().map_or(0, |post| post.sealed.len())
    }
}

impl Writer {
    pub(super) fn new(file: SpoolFile, generation: u32, name: FileName, shared: Arc<Shared>) -> Self {
        Self { file: Some(file), generation, name, shared, drained: None, failing: false, opened: None }
    }

    pub(super) fn run(mut self, receiver: &Receiver<Message>) {
        let (mut group, mut flushes, mut scrubs) = (Vec::new(), Vec::new(), Vec::new());
        let mut stop = false;
        while !stop {
            let mut next = match receiver.recv_timeout(PROBE_EVERY) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => {
                    self.probe();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            // Whatever waits by now shares the commit; nobody waits for company.
            let mut bytes = 0;
            while let Some(message) = next {
                match message {
                    Message::Commit(waiting) => {
                        bytes += waiting.bytes();
                        group.push(waiting);
                    }
                    Message::Drained(drained) => self.note_drained(drained),
                    Message::Distrust(generation, why) if generation == self.generation => self.replace_file(why),
                    Message::Distrust(..) => {}
                    Message::Flush(reply) => flushes.push(reply),
                    Message::Scrub(reply) => scrubs.push(reply),
                    Message::Stop => stop = true,
                }
                next = if bytes < GROUP_BYTES && !stop { receiver.try_recv().ok() } else { None };
            }
            self.commit(&mut group);
            for reply in flushes.drain(..) {
                // Whoever asked may have gone.
                let _told = reply.send(());
            }
            for reply in scrubs.drain(..) {
                let _told = reply.send(self.scrub());
            }
        }
        if let Some(file) = &self.file
            && let Err(error) = file.settle()
        {
            tracing::warn!("the spool's log stays for the next start: {error}");
        }
    }

    pub(super) fn note_drained(&mut self, new: Drained) {
        if new.through.generation != self.generation || self.file.is_none() {
            // Its file goes as a whole. Kept for a later commit, its ids would delete rows of the next file.
            self.shared.remove(new.amount);
            return;
        }
        let amount = self.drained.map_or(Backlog::default(), |drained| drained.amount);
        let amount = Backlog {
            rows: amount.rows + new.amount.rows,
            items: amount.items + new.amount.items,
            bytes: amount.bytes + new.amount.bytes,
        };
        self.drained = Some(Drained { through: new.through, amount });
    }

    pub(super) fn commit(&mut self, group: &mut Vec<Waiting>) {
        if group.is_empty() && self.drained.is_none() {
            return;
        }
        self.reopen_if_due();
        let Some(file) = &mut self.file else {
            return refuse(
                group,
                &self.shared.why_blocked().unwrap_or_else(|| Arc::from("no spool file can be opened")),
            );
        };
        let committed = file.commit(group.iter(), self.drained.map(|drained| drained.through.id));
        if committed.is_ok()
            && let Err(replaced) = file.check_in_place()
        {
            // What was committed is gone with this process, unless the file returns. SendGrid repeats it.
            let why: Arc<str> = replaced.to_string().into();
            self.fail(Arc::clone(&why));
            return refuse(group, &why);
        }
        match committed {
            Ok(last_id) => {
                // Counted before this thread can learn that they are drained.
                let replies: Vec<_> = group
                    .drain(..)
                    .map(|waiting| {
                        waiting.reserved.keep(waiting.record.items());
                        waiting.reply
                    })
                    .collect();
                if let Some(drained) = self.drained.take() {
                    self.shared.remove(drained.amount);
                }
                self.failing = false;
                self.shared.committed(last_id);
                for reply in replies {
                    // A client that hung up is told nothing; its batch is stored, and a repetition is a duplicate.
                    let _told = reply.send(Ok(CommitReceipt(())));
                }
                self.checkpoint();
            }
            Err(error) => {
                let why: Arc<str> = error.to_string().into();
                let trusted = !Trouble::of(&error).is_of_file() && file.is_clean();
                self.fail(Arc::clone(&why));
                refuse(group, &why);
                if !trusted {
                    self.replace_file(why);
                }
            }
        }
    }

    /// Rows that are drained but not deleted, as after a failed commit, are still there: then it is to be tried again.
    fn scrub(&mut self) -> bool {
        if self.shared.backlog().bytes > SCRUB_BYTES {
            return false;
        }
        let Some(Ok(scrubbed)) = self.file.as_mut().map(SpoolFile::scrub) else { return false };
        scrubbed && self.drained.is_none()
    }

    fn checkpoint(&mut self) {
        let Some(Err(error)) = self.file.as_mut().map(SpoolFile::checkpoint_if_long) else { return };
        if Trouble::of(&error).is_of_file() {
            self.replace_file(error.to_string().into());
        } else {
            // The log keeps everything and is tried again.
            tracing::warn!("the spool's log stays long: {error}");
        }
    }

    pub(super) fn probe(&mut self) {
        if !self.failing {
            return;
        }
        self.reopen_if_due();
        let Some(file) = &self.file else { return };
        match file.probe() {
            Ok(()) => {
                self.failing = false;
                self.shared.committed(0);
                tracing::info!("the spool can be written again");
            }
            Err(error) => {
                let why: Arc<str> = error.to_string().into();
                self.shared.blocked(Arc::clone(&why));
                if Trouble::of(&error).is_of_file() {
                    self.replace_file(why);
                }
            }
        }
    }

    fn fail(&mut self, why: Arc<str>) {
        if !self.failing {
            tracing::error!("the spool cannot be written: {why}; posts are answered 503 and SendGrid repeats them");
        }
        self.failing = true;
        self.shared.blocked(why);
    }

    /// Trusts the present file no more: the next generation takes over, at once where it can be opened.
    fn replace_file(&mut self, why: Arc<str>) {
        if let Some(file) = self.file.take() {
            file.abandon();
        }
        // What is drained of it is told by the outlet, which removes the file when all of it is.
        if let Some(drained) = self.drained.take() {
            self.shared.remove(drained.amount);
        }
        self.failing = true;
        self.shared.blocked(why);
        self.reopen_if_due();
    }

    fn reopen_if_due(&mut self) {
        if self.file.is_some() || self.opened.is_some_and(|at| at.elapsed() < PROBE_EVERY) {
            return;
        }
        // Also what keeps a disk that fails each write from getting a file each time.
        self.opened = Some(Instant::now());
        let generation = self.generation + 1;
        let path = (self.name)(generation);
        match SpoolFile::open(&path) {
            Ok(file) => {
                let position = Position { generation, id: file.last_id() };
                (self.file, self.generation, self.failing) = (Some(file), generation, false);
                self.shared.begin(position);
                self.shared.committed(0);
                tracing::error!(generation, "a spool file met an I/O error; a new one has taken over");
            }
            Err(error) => {
                self.shared.blocked(error.to_string().into());
                // Nothing was ever committed to it.
                if let Err(error) = database::remove_database(&path) {
                    tracing::warn!("an unusable spool file stays: {error}");
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn file_mut(&mut self) -> &mut SpoolFile {
        self.file.as_mut().expect("a file")
    }
}

fn refuse(group: &mut Vec<Waiting>, why: &Arc<str>) {
    for waiting in group.drain(..) {
        let _told = waiting.reply.send(Err(CommitError::Failing(Arc::clone(why))));
    }
}
