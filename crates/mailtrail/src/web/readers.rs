//! Questions to the trail: few at once, each on a thread that may wait for a disk.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::failure::Failure;
use crate::store::Paths;
use crate::store::sqlite::{ReadError, Reader};

/// Questions at once: more would only wait for the same disk.
const AT_ONCE: usize = 4;

/// Readers of a trail, kept open between questions.
pub(super) struct Readers {
    paths: Paths,
    free: Mutex<Vec<Reader>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(paths: Paths) -> Arc<Self> {
        Arc::new(Self { paths, free: Mutex::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Asks, when it is this question's turn. The turn lasts as long as the question, even where nobody waits any more.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with(question).await
    }

    /// As [`ask`](Self::ask), whichever way the question may fail.
    pub(super) async fn with<T: Send + 'static, E: From<ReadError> + Into<Failure> + Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Reader) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Failure::Stopping)?;
        let readers = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let reader = readers.take()?;
            let answer = question(&reader)?;
            readers.free.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            Ok::<T, E>(answer)
        });
        answer.await.map_err(|_| Failure::Broken)?.map_err(Into::into)
    }

    fn take(&self) -> Result<Reader, ReadError> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.map_or_else(|| Reader::open(&self.paths), Ok)
    }
}
