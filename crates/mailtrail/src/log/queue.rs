//! A bounded queue of log lines with a thread of its own, so that a stderr that nobody reads delays neither a request nor the
//! shutdown: only the queue's thread writes, and a line that finds the queue full is dropped and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait. A line has a few hundred bytes.
pub(super) const CAPACITY: usize = 1_024;

/// Gives lines to the thread that writes them.
#[derive(Debug, Clone)]
pub(super) struct LogQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// A line waits.
    added: Condvar,
    /// Nothing waits and nothing is being written.
    emptied: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    is_writing: bool,
    /// Dropped since the log last said so.
    unreported: u64,
}

impl LogQueue {
    /// Starts the thread that writes to `out`. After lines were dropped and the queue is empty again, it calls `report` with their number.
    pub(super) fn start(out: impl Write + Send + 'static, report: fn(u64)) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            added: Condvar::new(),
            emptied: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let queue = Self(shared);
        let writer = queue.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.write(out, report))?;
        Ok(queue)
    }

    /// Queues a line; drops it if the queue is full. Never waits for the writer.
    pub(super) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.lines.len() >= CAPACITY {
            state.unreported += 1;
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.lines.push_back(line.to_vec());
        drop(state);
        self.0.added.notify_one();
    }

    /// Lines dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all lines are written, at most `limit`.
    pub(super) fn flush(&self, limit: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty() || state.unreported > 0;
        // Whether time ran out makes no difference: the process ends.
        let _state = self.0.emptied.wait_timeout_while(self.lock(), limit, is_busy);
    }

    fn write(&self, mut out: impl Write, report: fn(u64)) {
        loop {
            let mut state = self.lock();
            state.is_writing = false;
            let unreported = if state.lines.is_empty() { std::mem::take(&mut state.unreported) } else { 0 };
            if unreported > 0 {
                drop(state);
                // It queues a line, for which there is room.
                report(unreported);
                continue;
            }
            if state.lines.is_empty() {
                self.0.emptied.notify_all();
            }
            let waited = self.0.added.wait_while(state, |state| state.lines.is_empty());
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            let lines = std::mem::take(&mut state.lines);
            state.is_writing = true;
            drop(state);
            for line in lines {
                // If stderr is closed, there is no place left for the line or for this error.
                let _written = out.write_all(&line);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The formatter writes each event with one call.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// Takes a line only when the test receives it.
    struct Blocking(SyncSender<Vec<u8>>);

    impl Write for Blocking {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.send(line.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn blocked(report: fn(u64)) -> (LogQueue, Receiver<Vec<u8>>) {
        let (sender, lines) = sync_channel(0);
        (LogQueue::start(Blocking(sender), report).unwrap(), lines)
    }

    #[test]
    fn lines_beyond_the_capacity_are_dropped_and_counted_without_waiting() {
        static REPORTED: AtomicU64 = AtomicU64::new(0);
        fn report(dropped: u64) {
            REPORTED.fetch_add(dropped, Ordering::Relaxed);
        }
        let (queue, lines) = blocked(report);
        // The writer takes the first line and blocks.
        queue.push(b"first");
        while !queue.lock().is_writing {
            std::thread::yield_now();
        }
        for _ in 0..CAPACITY + 7 {
            queue.push(b"line");
        }
        assert_eq!(queue.dropped(), 7);
        assert_eq!(REPORTED.load(Ordering::Relaxed), 0, "not before the queue is empty");
        let mut received = vec![lines.recv_timeout(LIMIT).unwrap()];
        received.extend((0..CAPACITY).map(|_| lines.recv_timeout(LIMIT).unwrap()));
        assert_eq!(received[0], b"first", "in order");
        queue.flush(LIMIT);
        assert_eq!(REPORTED.load(Ordering::Relaxed), 7);
        assert_eq!(queue.dropped(), 7);
    }

    #[test]
    fn flush_waits_for_lines_but_not_for_a_blocked_writer() {
        let (queue, lines) = blocked(|_| {});
        queue.push(b"line");
        queue.flush(Duration::from_millis(1));
        assert_eq!(lines.recv_timeout(LIMIT).unwrap(), b"line");
        queue.flush(LIMIT);
        assert!(!queue.lock().is_writing);
    }
}
