//! The threads that requests are answered on. Each looks after its own connections and waits for them by itself: a POST's
//! proof keeps a thread busy for longer than all the rest of it, and on a runtime of many threads nobody looks for the next
//! requests meanwhile.

use std::io;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// So many at least. On few processors the system shares them out better among many threads than a thread does among the
/// connections that are its own.
const LEAST: usize = 8;

/// Threads that run until this is dropped.
pub(super) struct Threads {
    threads: Vec<Thread>,
    next: usize,
}

struct Thread {
    handle: Handle,
    /// Ends it when dropped.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Threads {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start() -> io::Result<Self> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..processors.max(LEAST)).map(|_| Thread::start()).collect::<io::Result<_>>()?;
        Ok(Self { threads, next: 0 })
    }

    /// Each in its turn.
    pub(super) fn next(&mut self) -> &Handle {
        self.next = (self.next + 1) % self.threads.len();
        &self.threads[self.next].handle
    }

    /// Drops what they still work on, and returns when nothing of it is left.
    pub(super) async fn end(self) {
        let (stops, threads): (Vec<_>, Vec<_>) = self.threads.into_iter().map(|t| (t.stop, t.thread)).unzip();
        drop(stops);
        let ended = move || threads.into_iter().all(|thread| thread.join().is_ok());
        if !tokio::task::spawn_blocking(ended).await.unwrap_or(false) {
            tracing::error!("a thread of the listener ended in a panic");
        }
    }
}

impl Thread {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("receive".to_owned()).spawn(move || {
            // An error is the sender's end, which is what is waited for.
            let _ended = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, stop, thread })
    }
}
