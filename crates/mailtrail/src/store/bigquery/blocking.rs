//! Asking from code that waits for the answer, also where that code runs within a runtime.

use std::panic::resume_unwind;

use tokio::runtime::{Builder, Handle, Runtime};

use super::error::BigQueryError;

/// A runtime of one's own, on which connections live on between questions.
pub(super) struct Blocking {
    handle: Handle,
    /// Always there, but for the moment of dropping.
    runtime: Option<Runtime>,
}

impl Blocking {
    pub(super) fn new() -> Result<Self, BigQueryError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bigquery")
            .enable_all()
            .build()
            .map_err(|error| BigQueryError::Unfit(format!("the runtime cannot be started: {error}")))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Blocks until it is done.
    pub(super) fn wait<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        if Handle::try_current().is_err() {
            return self.handle.block_on(work);
        }
        // A thread that drives a runtime must not wait for another one.
        let done = std::thread::scope(|scope| scope.spawn(|| self.handle.block_on(work)).join());
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// For what starts tasks.
    pub(super) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.handle.enter()
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for its tasks is not allowed within another runtime; none of them has anything left to do.
            runtime.shutdown_background();
        }
    }
}
