//! A query on a thread of its own, with a watchdog. SQLite looks at an interrupt between its opcodes and at few places within one, so a
//! function over a long text may run for minutes; whoever asked gets an error all the same, and the thread ends with the process.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::InterruptHandle;

use super::{Cell, Each, SqlError, SqlLimits, SqlOutcome};

/// Bytes of rows that wait for their reader. So most queries end, and let go of the trail, before their rows are read.
const BUFFER: usize = 16 << 20;
/// How often time and memory are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long an interrupted query may take to end.
const GRACE: Duration = Duration::from_secs(1);

/// Why the watchdog ended a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Time,
    Memory,
}

/// What the query's thread, its reader and the watchdog share.
pub(super) struct Rows {
    state: Mutex<State>,
    changed: Condvar,
    deadline: Option<Instant>,
    limits: SqlLimits,
}

#[derive(Default)]
struct State {
    columns: Arc<[String]>,
    waiting: VecDeque<(Vec<Cell>, usize)>,
    bytes: usize,
    stopped: Option<Stop>,
    /// The reader wants no more.
    left: bool,
    ended: Option<Result<SqlOutcome, SqlError>>,
}

/// The query gets no more room: it was stopped, or nobody wants its rows.
pub(super) struct NoReader;

impl Rows {
    pub(super) fn new(limits: SqlLimits) -> Arc<Self> {
        let deadline = Instant::now().checked_add(limits.time);
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), deadline, limits })
    }

    pub(super) fn limits(&self) -> &SqlLimits {
        &self.limits
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole after its statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self, columns: &[String]) {
        self.state().columns = columns.into();
    }

    /// Hands a row over; waits while too many are unread, at most until the deadline.
    pub(super) fn push(&self, row: Vec<Cell>) -> Result<(), NoReader> {
        let bytes = size(&row);
        let mut state = self.state();
        while state.bytes > 0 && state.bytes + bytes > BUFFER && state.stopped.is_none() && !state.left {
            state = self.changed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.stopped.is_some() || state.left {
            return Err(NoReader);
        }
        state.bytes += bytes;
        state.waiting.push_back((row, bytes));
        self.changed.notify_all();
        Ok(())
    }

    /// Whether the watchdog has stopped the query.
    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped.is_some()
    }

    pub(super) fn end(&self, ended: Result<SqlOutcome, SqlError>) {
        self.state().ended = Some(ended);
        self.changed.notify_all();
    }

    /// Hands every row to `each` until the query ends, is stopped, or `each` wants no more.
    pub(super) fn read(&self, each: Each<'_>) -> Result<SqlOutcome, SqlError> {
        let (mut read, mut given_up_at) = (0, None);
        loop {
            let mut state = self.state();
            if let Some((row, bytes)) = state.waiting.pop_front() {
                state.bytes -= bytes;
                let columns = Arc::clone(&state.columns);
                self.changed.notify_all();
                drop(state);
                read += 1;
                if each(&columns, &row).is_break() {
                    self.state().left = true;
                    self.changed.notify_all();
                    return Ok(SqlOutcome { columns: columns.to_vec(), rows: read });
                }
                continue;
            }
            if let Some(stop) = state.stopped {
                let until = *given_up_at.get_or_insert_with(|| Instant::now() + GRACE);
                if state.ended.is_some() || Instant::now() >= until {
                    return Err(match stop {
                        Stop::Time => SqlError::TooLong { limit: self.limits.time },
                        Stop::Memory => SqlError::TooMuchMemory { limit: self.limits.memory },
                    });
                }
            } else if let Some(ended) = state.ended.take() {
                return ended;
            }
            let _state = self.changed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Interrupts the query when its time or its memory is used up; ends with it.
    pub(super) fn watch(self: &Arc<Self>, interrupt: InterruptHandle) -> std::io::Result<()> {
        let (rows, at_first) = (Arc::clone(self), resident());
        thread::Builder::new().name("sql watchdog".to_owned()).spawn(move || {
            loop {
                let late = rows.deadline.is_some_and(|deadline| Instant::now() >= deadline);
                // Of the whole process, which does nothing else.
                let grown = resident().saturating_sub(at_first);
                let mut state = rows.state();
                if state.ended.is_some() {
                    return;
                }
                if state.left {
                    interrupt.interrupt();
                } else if late || grown > rows.limits.memory {
                    state.stopped.get_or_insert(if late { Stop::Time } else { Stop::Memory });
                    rows.changed.notify_all();
                    // Again and again, since an interrupt that comes between two statements is forgotten.
                    interrupt.interrupt();
                }
                let _state = rows.changed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
            }
        })?;
        Ok(())
    }
}

/// What a row takes, for the limits.
fn size(row: &[Cell]) -> usize {
    let cell = |cell: &Cell| match cell {
        Cell::Text(text) => text.len(),
        Cell::Blob(bytes) => bytes.len(),
        Cell::Null | Cell::Integer(_) | Cell::Real(_) => 0,
    };
    row.iter().map(|value| size_of::<Cell>() + cell(value)).sum()
}

/// Bytes of this process in memory; 0 if the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default().saturating_mul(1024)
}
