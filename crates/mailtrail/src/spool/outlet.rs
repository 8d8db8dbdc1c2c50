//! The spool's draining end: batches in the order they were committed, the oldest file first.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::backlog::{Backlog, Shared};
use super::file::{Reader, SpoolFile, Stored};
use super::record::Record;
use super::writer::{Drained, Message};
use super::{FileName, Position};
use crate::database::{self, OpenError, Replaced, Trouble};
use crate::protect::SealedPost;

/// Memory for one piece, about; a batch is bounded by the listener.
const PIECE_BYTES: usize = 2 * 1024 * 1024;
/// What is drained together, about.
const CHUNK_BYTES: u64 = 16 * 1024 * 1024;

/// A POST that is to be passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpooledPost {
    /// When it came in, µs since the epoch.
    pub received_at: i64,
    /// As it came, sealed.
    pub post: SealedPost,
}

/// Some of the batches that are drained together: all of them at once would be much memory where POSTs are large.
pub(crate) struct Piece {
    /// In the order committed.
    pub(crate) records: Vec<Record>,
    /// Those of their POSTs that are to be passed on, in the same order, each with the index of its batch.
    pub(crate) posts: Vec<(usize, SpooledPost)>,
}

/// What was handed out and is not drained yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The last batch of it.
    pub(crate) through: Position,
    amount: Backlog,
}

impl Chunk {
    fn is_empty(&self) -> bool {
        self.amount.rows == 0
    }

    fn is_full(&self, max_items: u64) -> bool {
        self.amount.items >= max_items || self.amount.bytes >= CHUNK_BYTES
    }

    /// Whether far more would have fitted.
    pub(crate) fn is_small(&self, max_items: u64) -> bool {
        self.amount.items < max_items / 2 && self.amount.bytes < CHUNK_BYTES / 2
    }
}

/// Why nothing can be read. The outlet can be asked again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutletError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the spool cannot be read: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("a drained spool file cannot be removed: {0}")]
    Remove(#[from] std::io::Error),
}

impl OutletError {
    /// Whether the file cannot be read, rather than not just now.
    fn is_of_file(&self) -> bool {
        match self {
            OutletError::Open(error) => error.trouble().is_of_file(),
            OutletError::Sqlite(error) => Trouble::of(error).is_of_file(),
            OutletError::Remove(_) => false,
        }
    }
}

/// Reads what the spool holds and tells it what may go.
pub(crate) struct Outlet {
    shared: Arc<Shared>,
    sender: Sender<Message>,
    name: FileName,
    /// Generations before the current one, oldest first.
    old: Vec<u32>,
    /// The newest generation this end knows.
    newest: u32,
    reader: Option<(u32, Reader)>,
    /// Up to where it is drained.
    position: Position,
    chunk: Chunk,
}

impl Outlet {
    pub(super) fn new(
        shared: Arc<Shared>,
        sender: Sender<Message>,
        name: FileName,
        old: Vec<u32>,
        generation: u32,
    ) -> Self {
        Self {
            shared,
            sender,
            name,
            old,
            newest: generation,
            reader: None,
            position: Position::default(),
            chunk: Chunk::default(),
        }
    }

    /// The next piece of a chunk of about so many items; `None` where that is all of it, or all is drained that was committed
    /// before the call.
    pub(crate) fn next(&mut self, max_items: u64) -> Result<Option<Piece>, OutletError> {
        if self.chunk.is_full(max_items) {
            return Ok(None);
        }
        loop {
            // Before the read: a file is finished when nothing is left in it after it ceased to be the current one.
            let head = self.shared.head();
            self.old.extend(self.newest..head.generation);
            self.newest = head.generation;
            let generation = self.old.first().copied().unwrap_or(head.generation);
            let path = (self.name)(generation);
            let finished = generation < head.generation;
            match self.read(generation, &path, max_items - self.chunk.amount.items) {
                Ok(Some(piece)) => return Ok(Some(piece)),
                // First what was handed out, which may be asked for again, is to be drained.
                Ok(None) if !self.chunk.is_empty() => return Ok(None),
                Err(error) if error.is_of_file() && !self.chunk.is_empty() => return Ok(None),
                Ok(None) if finished => self.remove(&path)?,
                Ok(None) => {
                    self.shared.set_oldest(None);
                    self.position = self.position.max(head);
                    return Ok(None);
                }
                Err(error) if error.is_of_file() => self.set_aside(generation, path, finished, error)?,
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, generation: u32, path: &Path, max_items: u64) -> Result<Option<Piece>, OutletError> {
        if self.reader.as_ref().is_none_or(|(open, _)| *open != generation) {
            self.reader = Some((generation, self.open(generation, path)?));
        }
        let Some((_, reader)) = &self.reader else { return Ok(None) };
        let reached = self.position.max(self.chunk.through);
        let after = if reached.generation == generation { reached.id } else { 0 };
        let found = reader.read_after(after, max_items, PIECE_BYTES)?;
        let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(None) };
        if self.chunk.is_empty() {
            self.shared.set_oldest(Some(first.received_at));
        }
        self.chunk.through = Position { generation, id: last.id };
        let amount = &mut self.chunk.amount;
        let (mut records, mut posts) = (Vec::with_capacity(found.len()), Vec::new());
        for stored in found {
            amount.rows += 1;
            amount.items += u64::from(stored.record.items());
            amount.bytes += stored.bytes() as u64;
            let Stored { received_at, record, post, .. } = stored;
            records.push(record);
            posts.extend(post.map(|post| (records.len() - 1, SpooledPost { received_at, post })));
        }
        Ok(Some(Piece { records, posts }))
    }

    /// An earlier file may be one that a failed sync left without tables, or with a journal that only a writer can roll back. Nobody
    /// writes it any more, so it is brought into order here.
    fn open(&self, generation: u32, path: &Path) -> Result<Reader, OpenError> {
        match Reader::open(path) {
            Err(error)
                if generation < self.newest
                    && !matches!(error, OpenError::Newer { .. } | OpenError::Foreign { .. }) =>
            {
                drop(SpoolFile::open(path)?);
                Reader::open(path)
            }
            opened => opened,
        }
    }

    /// The last batch that was handed out.
    pub(crate) fn chunk_through(&self) -> Position {
        self.chunk.through
    }

    /// What was handed out is to be handed out again.
    pub(crate) fn again(&mut self) {
        self.chunk = Chunk::default();
    }

    fn remove(&mut self, path: &Path) -> Result<(), OutletError> {
        self.reader = None;
        database::remove_database(path)?;
        self.old.remove(0);
        tracing::info!("an earlier spool file is drained and removed");
        Ok(())
    }

    fn set_aside(
        &mut self,
        generation: u32,
        path: PathBuf,
        finished: bool,
        error: OutletError,
    ) -> Result<(), OutletError> {
        self.reader = None;
        if !finished {
            // The writer begins a new file; this one is tried once more as an old one.
            let _gone = self.sender.send(Message::Distrust(generation, error.to_string().into()));
            return Err(error);
        }
        tracing::error!(
            "{error}; the batches left in {} cannot be read now and stay there; the next start tries again",
            path.display()
        );
        self.old.remove(0);
        Ok(())
    }

    /// What was handed out is in the trail, durably: the spool may delete it. Says what it was.
    pub(crate) fn drained(&mut self) -> Chunk {
        let chunk = std::mem::take(&mut self.chunk);
        self.position = self.position.max(chunk.through);
        // A spool that is gone keeps the rows; draining them again changes nothing.
        let _gone = self.sender.send(Message::Drained(Drained { through: chunk.through, amount: chunk.amount }));
        chunk
    }

    /// Posts are refused while files of the store are not the ones at their paths.
    pub(crate) fn set_replaced(&self, replaced: Option<Replaced>) {
        self.shared.set_replaced(replaced.map(|replaced| replaced.to_string()));
    }

    /// Up to where everything is drained.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// What is committed so far.
    pub(crate) fn head(&self) -> Position {
        self.shared.head()
    }

    /// Leaves nothing in the spool's current file of what is drained; `false` where it is to be tried again.
    pub(crate) fn scrub(&self) -> bool {
        let (reply, answer) = std::sync::mpsc::channel();
        self.sender.send(Message::Scrub(reply)).is_ok() && answer.recv().unwrap_or(false)
    }

    /// Waits for more batches, a poke, or the time.
    pub(crate) fn wait(&self, at_most: Duration) {
        self.shared.wait_beyond(self.position, at_most);
    }

    /// Whether answering posts comes first now.
    pub(crate) fn is_rushed(&self) -> bool {
        self.shared.is_rushed()
    }

    /// Waits while answering posts comes first, until poked, or the time is over.
    pub(crate) fn rest_while_rushed(&self, at_most: Duration) {
        self.shared.rest_while_rushed(at_most);
    }

    /// Waits until poked, or the time is over.
    pub(crate) fn rest(&self, at_most: Duration) {
        self.shared.rest(at_most);
    }
}
