//! The ledger: whom SendGrid was asked to mail, and what it said. [`Claims`] is what its sender sees of it, [`Ledger`] what
//! everybody else does; BigQuery's is in `store/bigquery/ledger.rs`. Here: rows that are only added, in a file of its own, so
//! that a sender's claims never wait for a drain.
//!
//! A request goes claimed → sending → accepted, refused or uncertain; each step is on disk before the next is taken. Whoever
//! holds a run's lock is its only sender, so what an earlier one left claimed was never sent (abandoned), and what it left
//! sending may have been (uncertain).

mod read;
mod record;

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

pub use read::LedgerReader;
pub use record::{Asked, OnRecord, RunRecord};

use super::bigquery::{AppendError, BigQueryError};
use super::keys::Identity;
use super::lock::{Lock, LockError};
use super::paths::Paths;
use super::restored::Restored;
use super::sqlite::ReadError;
use crate::database::{self, Format, OpenError, Wal};
use crate::protect::EmailHash;
use crate::run::{NoRandomness, RecipientId, RequestId, RunName};

const FORMAT: Format =
    Format { name: "ledger", application_id: 0x4d54_4c47, migrations: &[include_str!("ledger/0001_ledger.sql")] };

/// Pages in the log before a checkpoint.
const CHECKPOINT_PAGES: i32 = 1_000;

/// What became of a request, as far as its sender knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sent {
    /// Set aside for a request that is not begun.
    Claimed,
    /// The request is under way.
    Sending,
    /// SendGrid has the mail.
    Accepted,
    /// SendGrid would not have it; nobody was mailed.
    Refused,
    /// The request may have arrived.
    Uncertain,
    /// The request was never made.
    Abandoned,
}

impl Sent {
    const ALL: [Self; 6] =
        [Self::Claimed, Self::Sending, Self::Accepted, Self::Refused, Self::Uncertain, Self::Abandoned];

    /// As in the column `state`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Uncertain => "uncertain",
            Self::Abandoned => "abandoned",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether mail may be on its way, so that another would be one too many.
    #[must_use]
    pub fn is_taken(self) -> bool {
        !matches!(self, Self::Refused | Self::Abandoned)
    }
}

/// The last attempt to mail somebody in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// How it stands.
    pub sent: Sent,
    /// Its number, from 1.
    pub attempt: u32,
    /// The id that its events carry.
    pub recipient: RecipientId,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// SendGrid has the mail, under this `X-Message-Id`.
    Accepted(Option<&'a str>),
    /// SendGrid would not have it: its HTTP status.
    Refused(u16),
    /// It may have arrived; a word that says what happened.
    Uncertain(&'a str),
    /// It was never made; a word that says why.
    Abandoned(&'a str),
}

/// Why something is not in the ledger.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Somebody else is sending this run.
    #[error(
        "run {run} is being sent by {} right now. Wait until it has ended; started again, only those are mailed whom it left",
        .process.as_deref().unwrap_or("another process")
    )]
    Busy {
        /// The run.
        run: RunName,
        /// `process 4711`, where it is known.
        process: Option<String>,
    },
    /// The run's lock file cannot be used.
    #[error(transparent)]
    Lock(LockError),
    /// SQLite refused.
    #[error("the ledger cannot be read or written: {0}. Nothing is sent that is not on record first")]
    Sqlite(#[from] rusqlite::Error),
    /// Somebody else holds the run, or did and never let go.
    #[error(
        "run {run} is being sent by {holder}, since {since}. Wait until it has ended; started again, only those are mailed whom \
         it left. Where that sender is gone for good, which BigQuery cannot know, take the run from it by --take-over: what it \
         had under way then counts as uncertain"
    )]
    Held {
        /// The run.
        run: RunName,
        /// `process 4711 on host`.
        holder: String,
        /// RFC 3339.
        since: String,
    },
    /// Somebody else took the run over.
    #[error(
        "run {run} was taken over by {holder}: this sender stops before its next request. What it mailed is on record"
    )]
    Lost {
        /// The run.
        run: RunName,
        /// `process 4711 on host`.
        holder: String,
    },
    /// BigQuery refused, or cannot be reached.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
    /// BigQuery did not take a step.
    #[error("the ledger cannot be written, and nothing is sent that is not on record first")]
    Append(#[from] AppendError),
    /// The store came back from a backup.
    #[error(transparent)]
    Restored(#[from] Restored),
    /// Whether it came back from a backup cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No ids.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// Earlier claims were made under a key that is not configured.
    #[error(
        "earlier mail is on record under the hash key {0}, which is not configured: it would not be seen that somebody was mailed. \
         Name its file in [privacy] previous_key_files"
    )]
    UnknownKey(String),
    /// A claim that stands already: the caller did not look at what is known.
    #[error("a recipient is claimed already in this attempt of run {0}")]
    Claimed(RunName),
}

/// A recipient set aside for a request: who, the id that its events carry, the number of the attempt.
pub type Claim = (EmailHash, RecipientId, u32);

/// The ledger of one run, for its only sender. A request goes claimed → sending → accepted, refused, uncertain or abandoned.
pub trait Claims {
    /// Who was asked for in this run, with the last attempt.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn known(&self) -> Result<HashMap<EmailHash, Known>, LedgerError>;

    /// Sets recipients aside for a request; durable when this returns. `send_at` in µs.
    ///
    /// # Errors
    /// When one of them has a claim of that number already (then none is claimed), or the ledger cannot be written.
    fn claim(
        &mut self,
        request: RequestId,
        categories: &[String],
        send_at: Option<i64>,
        recipients: Vec<Claim>,
        now: i64,
    ) -> Result<(), LedgerError>;

    /// The request is made from now on; when this returns that is durable, and the run is still this sender's.
    ///
    /// # Errors
    /// When the ledger cannot be written or the run was taken over: then the request must not be made.
    fn sending(&mut self, request: RequestId, now: i64) -> Result<(), LedgerError>;

    /// How the request ended; durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written: then it counts as uncertain.
    fn ended(&mut self, request: RequestId, ended: Ended<'_>, now: i64) -> Result<(), LedgerError>;

    /// Lets go of the run. Dropping does so, too, but cannot say that it failed.
    ///
    /// # Errors
    /// When nobody can be told that the run is free.
    fn close(self: Box<Self>) -> Result<(), LedgerError>;
}

/// The ledger, for who only reads.
pub trait Ledger: Send {
    /// The names of all runs, the newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn run_names(&self) -> Result<Vec<String>, LedgerError>;

    /// A run with its recipients; `None` where nothing was ever sent under this name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn run(&self, name: &str) -> Result<Option<OnRecord>, LedgerError>;

    /// Another number whenever the run may have gone on.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn place(&self, run: &str) -> Result<i64, LedgerError>;

    /// Who was mailed under a category, or may have been, in any run, since a time in µs; each perhaps several times.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn recipients_of_category(&self, category: &str, since: i64) -> Result<Vec<Asked>, LedgerError>;

    /// Who was asked for in a run, with the last attempt.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn known(&self, run: &str) -> Result<HashMap<EmailHash, Known>, LedgerError> {
        Ok(self.run(run)?.map(|run| run.known()).unwrap_or_default())
    }
}

/// The ledger of one run, open for its only sender.
pub struct RunLedger {
    sql: Connection,
    wal: Wal,
    run: RunName,
    run_id: i64,
    key_id: String,
    _lock: Lock,
}

impl RunLedger {
    /// Takes a run for sending, and settles what an earlier sender left unfinished. `keys` are those whose
    /// hashes are claimed and looked up; `now` in µs since the epoch.
    ///
    /// # Errors
    /// When somebody else is sending the run, a key of earlier claims is missing, or the ledger cannot be written.
    pub fn open(paths: &Paths, run: &RunName, keys: &Identity, now: i64) -> Result<Self, LedgerError> {
        let lock = Lock::take(&paths.run_lock(run)).map_err(|error| match error {
            LockError::Held { process, .. } => LedgerError::Busy { run: run.clone(), process },
            other => LedgerError::Lock(other),
        })?;
        let mut sql = database::open(&paths.ledger(), &FORMAT)?;
        database::settle(&sql)?;
        let wal = Wal::watch(&mut sql, CHECKPOINT_PAGES)?;
        know_keys(&sql, keys)?;
        sql.execute(
            "INSERT INTO run (name, begun_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
            (run.as_str(), now),
        )?;
        let run_id = sql.query_row("SELECT id FROM run WHERE name = ?1", [run.as_str()], |row| row.get(0))?;
        let mut ledger = Self { sql, wal, run: run.clone(), run_id, key_id: keys.key_id.clone(), _lock: lock };
        ledger.recover(now)?;
        Ok(ledger)
    }

    fn recover(&mut self, now: i64) -> Result<(), LedgerError> {
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let left: Vec<(i64, String)> = transaction
            .prepare(
                "SELECT q.id, s.state FROM request AS q JOIN step AS s ON s.id =
                     (SELECT max(id) FROM step WHERE request_id = q.id)
                 WHERE q.run_id = ?1 AND s.state IN ('claimed', 'sending')",
            )?
            .query_map([self.run_id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (request, state) in left {
            let now_is = if state == Sent::Claimed.as_str() { Sent::Abandoned } else { Sent::Uncertain };
            add_step(&transaction, request, now_is, None, Some("sender ended"), now)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Who was asked for in this run, with the last attempt.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn known(&self) -> Result<HashMap<EmailHash, Known>, LedgerError> {
        read::known(&self.sql, self.run_id)
    }

    /// Sets recipients aside for a request, each with the number of its attempt; durable when this returns. `send_at` in µs.
    ///
    /// # Errors
    /// When one of them has a claim of that number already (then none is claimed), or the ledger cannot be written.
    pub fn claim(
        &mut self,
        request: RequestId,
        categories: &[String],
        send_at: Option<i64>,
        recipients: impl IntoIterator<Item = Claim>,
        now: i64,
    ) -> Result<(), LedgerError> {
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let categories = serde_json::to_string(categories).unwrap_or_else(|_| "[]".to_owned());
        transaction
            .prepare_cached("INSERT INTO request (request, run_id, categories, send_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![request.to_string(), self.run_id, categories, send_at])?;
        let request_id = transaction.last_insert_rowid();
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO claim (run_id, email_hash, attempt, key_id, recipient, request_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (run_id, email_hash, attempt) DO NOTHING",
            )?;
            for (hash, recipient, attempt) in recipients {
                let row =
                    params![self.run_id, hash.as_bytes(), attempt, self.key_id, recipient.to_string(), request_id];
                if insert.execute(row)? == 0 {
                    return Err(LedgerError::Claimed(self.run.clone()));
                }
            }
        }
        add_step(&transaction, request_id, Sent::Claimed, None, None, now)?;
        transaction.commit()?;
        Ok(())
    }

    /// The request is made from now on; durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written: then the request must not be made.
    pub fn sending(&mut self, request: RequestId, now: i64) -> Result<(), LedgerError> {
        self.step(request, Sent::Sending, None, None, now)
    }

    /// How the request ended; durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written: then it counts as uncertain.
    pub fn ended(&mut self, request: RequestId, ended: Ended<'_>, now: i64) -> Result<(), LedgerError> {
        match ended {
            Ended::Accepted(message_id) => self.step(request, Sent::Accepted, message_id, None, now),
            Ended::Refused(status) => self.step(request, Sent::Refused, None, Some(&status.to_string()), now),
            Ended::Uncertain(why) => self.step(request, Sent::Uncertain, None, Some(why), now),
            Ended::Abandoned(why) => self.step(request, Sent::Abandoned, None, Some(why), now),
        }
    }

    fn step(
        &mut self,
        request: RequestId,
        state: Sent,
        message_id: Option<&str>,
        code: Option<&str>,
        now: i64,
    ) -> Result<(), LedgerError> {
        let id: i64 = self
            .sql
            .prepare_cached("SELECT id FROM request WHERE request = ?1")?
            .query_row([request.to_string()], |row| row.get(0))?;
        add_step(&self.sql, id, state, message_id, code, now)?;
        Ok(self.wal.checkpoint_if_long(&self.sql)?)
    }
}

impl Claims for RunLedger {
    fn known(&self) -> Result<HashMap<EmailHash, Known>, LedgerError> {
        Self::known(self)
    }

    fn claim(
        &mut self,
        request: RequestId,
        categories: &[String],
        send_at: Option<i64>,
        recipients: Vec<Claim>,
        now: i64,
    ) -> Result<(), LedgerError> {
        Self::claim(self, request, categories, send_at, recipients, now)
    }

    fn sending(&mut self, request: RequestId, now: i64) -> Result<(), LedgerError> {
        Self::sending(self, request, now)
    }

    fn ended(&mut self, request: RequestId, ended: Ended<'_>, now: i64) -> Result<(), LedgerError> {
        Self::ended(self, request, ended, now)
    }

    fn close(self: Box<Self>) -> Result<(), LedgerError> {
        Ok(())
    }
}

/// Notes the current key; all earlier ones must be at hand.
fn know_keys(sql: &Connection, keys: &Identity) -> Result<(), LedgerError> {
    sql.execute("INSERT INTO hash_key (key_id) VALUES (?1) ON CONFLICT DO NOTHING", [&keys.key_id])?;
    let mut statement = sql.prepare("SELECT key_id FROM hash_key")?;
    for known in statement.query_map([], |row| row.get::<_, String>(0))? {
        let known = known?;
        if known != keys.key_id && !keys.previous_key_ids.contains(&known) {
            return Err(LedgerError::UnknownKey(known));
        }
    }
    Ok(())
}

fn add_step(
    sql: &Connection,
    request_id: i64,
    state: Sent,
    message_id: Option<&str>,
    code: Option<&str>,
    now: i64,
) -> rusqlite::Result<()> {
    sql.prepare_cached("INSERT INTO step (request_id, state, message_id, code, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![request_id, state.as_str(), message_id, code, now])?;
    Ok(())
}

/// Notes that a run's requests were only validated.
///
/// # Errors
/// When the ledger cannot be written.
pub fn note_sandbox(paths: &Paths, run: &RunName, now: i64) -> Result<(), LedgerError> {
    let sql = database::open(&paths.ledger(), &FORMAT)?;
    let insert = "INSERT INTO sandbox (name, at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET at = ?2";
    sql.execute(insert, (run.as_str(), now))?;
    Ok(database::settle(&sql)?)
}

/// Whether a run was sent to the sandbox and nowhere else.
fn is_sandbox(sql: &Connection, run: &str) -> rusqlite::Result<bool> {
    sql.prepare_cached("SELECT 1 FROM sandbox WHERE name = ?1")?
        .query_row([run], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}

#[cfg(test)]
mod tests;
