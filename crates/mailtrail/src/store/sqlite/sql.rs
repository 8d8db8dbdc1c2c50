//! A query that a person wrote, run so that it can do nothing but read, and not for long.
//!
//! A read-only connection alone would still let `VACUUM INTO` and `ATTACH` write files. What holds here is the authorizer: it
//! allows SELECT, reading the trail's own tables, and functions that are known to have no effect.

mod hint;
mod rules;
#[cfg(test)]
mod tests;
mod watched;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode};

use super::read::{self, ReadError};
use crate::store::Paths;
use watched::Rows;

/// What a query may cost.
#[derive(Debug, Clone, Copy)]
pub struct SqlLimits {
    /// How long it may run, the time its reader takes included: a query holds the write-ahead log back.
    pub time: Duration,
    /// Longest text or blob, bytes.
    pub cell: i32,
    /// Most bytes of one row of the result.
    pub row: usize,
    /// How much larger the process may become, bytes. Temporary data (sorting, grouping, `WITH`) is in memory too.
    pub memory: u64,
}

/// Most bytes of a query.
pub const LONGEST_QUERY: i32 = 100_000;

impl Default for SqlLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(60), cell: 8 << 20, row: 16 << 20, memory: 512 << 20 }
    }
}

/// One value of a result.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "SQLite's own types")]
pub enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// Takes the names of the columns and one row's cells; says whether it wants more.
pub type Each<'a> = &'a mut dyn FnMut(&[String], &[Cell]) -> ControlFlow<()>;

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlOutcome {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// How many rows were handed out.
    pub rows: u64,
}

/// Why a query has no result, or only the beginning of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// The trail cannot be opened.
    #[error(transparent)]
    Open(#[from] ReadError),
    /// It does more than read.
    #[error("refused: {what}. `sql` runs one SELECT over the trail's tables, nothing else")]
    Refused {
        /// What is not allowed.
        what: String,
    },
    /// It ran for too long.
    #[error(
        "ended after {} s, the longest a query may run. Narrow the time (timestamp >= ts('2026-11-24')), or export the events and query the file",
        .limit.as_secs()
    )]
    TooLong {
        /// How long it may run.
        limit: Duration,
    },
    /// A value became too long.
    #[error("a value would be longer than {limit} bytes, the longest a query may make")]
    TooBig {
        /// How long it may be.
        limit: i32,
    },
    /// A row of the result became too long.
    #[error(
        "a row would be longer than {limit} bytes, the longest a query may make. Select fewer columns, or parts of them by substr()"
    )]
    TooWide {
        /// How long it may be.
        limit: usize,
    },
    /// It needed too much memory.
    #[error("ended because it needed more than {} MiB of memory, the most a query may use. Narrow the time (timestamp >= ts('2026-11-24')), or sort and group fewer rows", .limit >> 20)]
    TooMuchMemory {
        /// How much it may use, bytes.
        limit: u64,
    },
    /// No thread can be started for it.
    #[error("no thread can be started for the query: {0}")]
    Thread(#[from] std::io::Error),
    /// SQLite does not understand it, or failed.
    #[error("{0}")]
    Sqlite(String),
}

/// What is odd about a query though it may run: a time compared with text.
#[must_use]
pub fn hint(query: &str) -> Option<String> {
    hint::of(query)
}

/// Runs one query over a store's trail and hands out its rows, with the columns' names, until it is told to stop.
///
/// # Errors
/// When the query does anything but read, cannot be understood or costs too much. Rows handed out before are right.
pub fn run(paths: &Paths, query: &str, limits: SqlLimits, each: Each<'_>) -> Result<SqlOutcome, SqlError> {
    let mut sql = read::open(paths)?;
    let refused = Arc::default();
    let setup = |error: rusqlite::Error| SqlError::Open(ReadError::Sqlite(error));
    let rows = Rows::new(limits);
    restrict(&mut sql, limits, &refused, &rows).map_err(setup)?;
    rows.watch(sql.get_interrupt_handle())?;
    let (handed, query) = (Arc::clone(&rows), query.to_owned());
    let started = thread::Builder::new().name("sql".to_owned()).spawn(move || {
        let ended = walk(&sql, &query, &handed).map_err(|error| match error {
            WalkError::TooWide => SqlError::TooWide { limit: limits.row },
            WalkError::Sqlite(error) => explain(error, limits, &refused),
        });
        // The trail is let go of before anybody is told that it is over.
        drop(sql);
        handed.end(ended);
    });
    if let Err(error) = started {
        let (text, kind) = (error.to_string(), error.kind());
        rows.end(Err(error.into()));
        return Err(std::io::Error::new(kind, text).into());
    }
    rows.read(each)
}

enum WalkError {
    TooWide,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for WalkError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn walk(sql: &Connection, query: &str, handed: &Rows) -> Result<SqlOutcome, WalkError> {
    let mut statement = sql.prepare(query)?;
    if statement.parameter_count() > 0 {
        return Err(rusqlite::Error::InvalidParameterCount(0, statement.parameter_count()).into());
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    handed.name(&columns);
    let mut rows = statement.query(())?;
    let mut outcome = SqlOutcome { columns, rows: 0 };
    while let Some(row) = rows.next()? {
        let width =
            (0..outcome.columns.len()).try_fold(0, |sum, at| row.get_ref(at).map(|value| sum + length(value)))?;
        if width > handed.limits().row {
            return Err(WalkError::TooWide);
        }
        let cells: Result<Vec<Cell>, _> = (0..outcome.columns.len()).map(|at| row.get_ref(at).map(cell)).collect();
        outcome.rows += 1;
        if handed.push(cells?).is_err() {
            break;
        }
    }
    Ok(outcome)
}

fn length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
    }
}

/// What the authorizer refused first.
type Refusal = Arc<Mutex<Option<String>>>;

fn restrict(sql: &mut Connection, limits: SqlLimits, refused: &Refusal, rows: &Arc<Rows>) -> rusqlite::Result<()> {
    sql.pragma_update(None, "query_only", true)?;
    // Where it counts: SQLite has no limit for temporary files.
    sql.pragma_update(None, "temp_store", "MEMORY")?;
    sql.pragma_update(None, "mmap_size", 0).or_else(|error| match error {
        // It answers with a row.
        rusqlite::Error::ExecuteReturnedResults => Ok(()),
        error => Err(error),
    })?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // "text" in double quotes would silently be text where no such column exists.
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    sql.create_scalar_function("ts", 1, flags, |call| ts(call.get_raw(0)))?;
    let tables = tables(sql)?;
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LENGTH, limits.cell),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_QUERY),
        // A row holds this many values of the longest length at most.
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_VDBE_OP, 200_000),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        sql.set_limit(limit, value)?;
    }
    let refused = Arc::clone(refused);
    sql.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| {
        match rules::judge(&context.action, &tables) {
            Ok(()) => rusqlite::hooks::Authorization::Allow,
            Err(what) => {
                refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
                rusqlite::hooks::Authorization::Deny
            }
        }
    }))?;
    let rows = Arc::clone(rows);
    sql.progress_handler(1_000, Some(move || rows.is_stopped()))
}

/// The trail's tables and views, which may be read.
fn tables(sql: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = sql.prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")?;
    statement.query_map((), |row| row.get(0))?.collect()
}

fn explain(error: rusqlite::Error, limits: SqlLimits, refused: &Refusal) -> SqlError {
    use rusqlite::Error;
    if let Some(what) = refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return SqlError::Refused { what };
    }
    let refused = |what: &str| SqlError::Refused { what: what.to_owned() };
    match error {
        Error::MultipleStatement => refused("more than one statement"),
        Error::InvalidParameterCount(..) => refused("a parameter (? or :name), which nobody gives a value"),
        Error::SqliteFailure(failure, message) => match failure.code {
            ErrorCode::OperationInterrupted => SqlError::TooLong { limit: limits.time },
            ErrorCode::TooBig => SqlError::TooBig { limit: limits.cell },
            _ => SqlError::Sqlite(message.unwrap_or_else(|| failure.to_string())),
        },
        Error::SqlInputError { msg, .. } => SqlError::Sqlite(msg),
        error => SqlError::Sqlite(error.to_string()),
    }
}

/// `ts('2026-11-24')`, `ts('2026-11-24T13:00:00+01:00')` → µs since the epoch, as times are kept.
fn ts(value: ValueRef<'_>) -> rusqlite::Result<Option<i64>> {
    let text = match value {
        ValueRef::Null => return Ok(None),
        ValueRef::Text(text) => std::str::from_utf8(text).ok(),
        _ => None,
    };
    let time = text.and_then(|text| {
        // A time of day without an offset is nobody's time.
        if text.len() > "2026-11-24".len() {
            return text.parse().ok();
        }
        jiff::tz::TimeZone::UTC
            .to_timestamp(text.parse::<jiff::civil::Date>().ok()?.to_datetime(jiff::civil::Time::midnight()))
            .ok()
    });
    match time {
        Some(time) => Ok(Some(time.as_microsecond())),
        None => Err(rusqlite::Error::UserFunctionError(
            "ts() takes a date or an RFC 3339 time: ts('2026-11-24'), ts('2026-11-24T13:00:00Z')".into(),
        )),
    }
}
