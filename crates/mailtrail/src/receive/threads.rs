//! The threads that requests are answered on.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Runtime};

/// So many at least. A POST's proof alone keeps a thread busy for some 50 µs, and on few processors the system shares them out
/// better among many threads than a thread does among the requests that queue up behind it.
const LEAST: usize = 8;

/// A runtime for a receiver.
///
/// # Errors
/// When the system gives no thread.
pub fn runtime() -> io::Result<Runtime> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    Builder::new_multi_thread().worker_threads(processors.max(LEAST)).enable_all().build()
}
