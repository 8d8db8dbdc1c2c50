//! The file of the ledger, for a run's only sender: whoever holds the run's lock file.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{Claim, Claims, Ended, Known, LedgerError, Sent, read};
use crate::database::{self, Format, OpenError, Wal};
use crate::protect::EmailHash;
use crate::run::{RequestId, RunName};
use crate::store::keys::Identity;
use crate::store::lock::{Lock, LockError};
use crate::store::paths::Paths;

pub(in crate::store) const FORMAT: Format = Format {
    name: "ledger",
    application_id: 0x4d54_4c47,
    migrations: &[include_str!("0001_ledger.sql"), include_str!("0002_refusal.sql")],
};

/// Why recipients of a refused request who are not to blame were not mailed.
pub(in crate::store) const OF_OTHERS: &str = "another recipient of the request was refused";

/// Pages in the log before a checkpoint.
const CHECKPOINT_PAGES: i32 = 1_000;

/// The ledger of one run, open for its only sender.
pub struct RunLedger {
    wal: Wal,
    sql: Connection,
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
            add_step(&transaction, request, &Step { code: Some("sender ended"), ..Step::new(now_is) }, now)?;
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
        add_step(&transaction, request_id, &Step::new(Sent::Claimed), now)?;
        transaction.commit()?;
        Ok(())
    }

    /// The request is made from now on; durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written: then the request must not be made.
    pub fn sending(&mut self, request: RequestId, now: i64) -> Result<(), LedgerError> {
        self.step(request, &Step::new(Sent::Sending), now)
    }

    /// How the request ended; durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written: then it counts as uncertain.
    pub fn ended(&mut self, request: RequestId, ended: Ended<'_>, now: i64) -> Result<(), LedgerError> {
        let status;
        let step = match ended {
            Ended::Accepted(message_id) => Step { message_id, ..Step::new(Sent::Accepted) },
            Ended::Refused { status: code, why } => {
                status = code.to_string();
                Step { code: Some(&status), why: Some(why), ..Step::new(Sent::Refused) }
            }
            Ended::RefusedFor { status: code, recipients } => {
                status = code.to_string();
                let step = Step { code: Some(&status), why: Some(OF_OTHERS), ..Step::new(Sent::Abandoned) };
                return self.refused_for(request, recipients, &step, now);
            }
            Ended::Uncertain(why) => Step { code: Some(why), ..Step::new(Sent::Uncertain) },
            Ended::Abandoned(why) => Step { code: Some(why), ..Step::new(Sent::Abandoned) },
        };
        self.step(request, &step, now)
    }

    fn step(&mut self, request: RequestId, step: &Step<'_>, now: i64) -> Result<(), LedgerError> {
        add_step(&self.sql, number_of(&self.sql, request)?, step, now)?;
        self.checkpoint();
        Ok(())
    }

    /// A step is durable in the log, whatever becomes of the checkpoint.
    fn checkpoint(&mut self) {
        if let Err(error) = self.wal.checkpoint_if_long(&self.sql) {
            tracing::warn!("the ledger's log stays long: {error}");
        }
    }

    fn refused_for(
        &mut self,
        request: RequestId,
        recipients: &[(EmailHash, String)],
        step: &Step<'_>,
        now: i64,
    ) -> Result<(), LedgerError> {
        let transaction = self.sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id = number_of(&transaction, request)?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO refusal (claim_id, why) SELECT id, ?3 FROM claim WHERE request_id = ?1 AND email_hash = ?2",
            )?;
            for (hash, why) in recipients {
                insert.execute(params![id, hash.as_bytes(), why])?;
            }
        }
        add_step(&transaction, id, step, now)?;
        transaction.commit()?;
        self.checkpoint();
        Ok(())
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
    add_key(sql, &keys.key_id)?;
    let mut statement = sql.prepare("SELECT key_id FROM hash_key")?;
    for known in statement.query_map([], |row| row.get::<_, String>(0))? {
        let known = known?;
        if known != keys.key_id && !keys.previous_key_ids.contains(&known) {
            return Err(LedgerError::UnknownKey(known));
        }
    }
    Ok(())
}

/// A step of a request: a row of `step`.
struct Step<'a> {
    state: Sent,
    message_id: Option<&'a str>,
    code: Option<&'a str>,
    why: Option<&'a str>,
}

impl Step<'_> {
    fn new(state: Sent) -> Self {
        Self { state, message_id: None, code: None, why: None }
    }
}

fn add_key(sql: &Connection, key_id: &str) -> rusqlite::Result<()> {
    sql.execute("INSERT INTO hash_key (key_id) VALUES (?1) ON CONFLICT DO NOTHING", [key_id]).map(drop)
}

/// Notes that a new hash key was accepted.
pub(in crate::store) fn note_hash_key(paths: &Paths, key_id: &str) -> Result<(), LedgerError> {
    let sql = database::open(&paths.ledger(), &FORMAT)?;
    add_key(&sql, key_id)?;
    database::settle(&sql)?;
    Ok(())
}

fn number_of(sql: &Connection, request: RequestId) -> rusqlite::Result<i64> {
    sql.prepare_cached("SELECT id FROM request WHERE request = ?1")?.query_row([request.to_string()], |row| row.get(0))
}

fn add_step(sql: &Connection, request_id: i64, step: &Step<'_>, now: i64) -> rusqlite::Result<()> {
    sql.prepare_cached(
        "INSERT INTO step (request_id, state, message_id, code, why, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![request_id, step.state.as_str(), step.message_id, step.code, step.why, now])?;
    Ok(())
}

/// Brings a ledger of an earlier version to this format; none is made.
pub(in crate::store) fn bring_up_to_date(paths: &Paths) -> Result<(), OpenError> {
    let path = paths.ledger();
    if path.exists() {
        database::open(&path, &FORMAT)?;
    }
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
    database::settle(&sql)?;
    Ok(())
}

/// Whether a run was sent to the sandbox and nowhere else.
pub(super) fn is_sandbox(sql: &Connection, run: &str) -> rusqlite::Result<bool> {
    sql.prepare_cached("SELECT 1 FROM sandbox WHERE name = ?1")?
        .query_row([run], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
}
