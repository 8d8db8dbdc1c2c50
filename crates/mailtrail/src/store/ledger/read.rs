//! Questions to the ledger.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::write::{FORMAT, bring_up_to_date, is_sandbox};
use super::{Asked, Known, Ledger, LedgerError, OnRecord, Refusal, RunRecord, Sent};
use crate::database::{self, OpenError};
use crate::protect::EmailHash;
use crate::run::{RecipientId, RequestId};
use crate::store::paths::Paths;
use crate::store::query::Scope;

/// The ledger, open for reading.
pub struct LedgerReader {
    sql: Connection,
}

/// Claims, each with the last step of its request and its own refusal.
const CLAIMS: &str = "request AS q JOIN step AS s ON s.id = (SELECT max(id) FROM step WHERE request_id = q.id)
     JOIN claim AS c ON c.request_id = q.id LEFT JOIN refusal AS f ON f.claim_id = c.id";

/// The state of a claim.
const STATE: &str = "CASE WHEN s.state = 'abandoned' AND f.claim_id IS NOT NULL THEN 'refused' ELSE s.state END";

impl LedgerReader {
    /// Opens the ledger; `None` where nothing was ever sent from here.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub fn open(paths: &Paths) -> Result<Option<Self>, LedgerError> {
        let path = paths.ledger();
        if !path.exists() {
            return Ok(None);
        }
        let sql = match database::open_read_only(&path, &FORMAT) {
            // Few commands write the ledger. Where this one may not, it says what to do.
            Err(older @ OpenError::Older { .. }) => match bring_up_to_date(paths) {
                Ok(()) => database::open_read_only(&path, &FORMAT)?,
                Err(_) => return Err(older.into()),
            },
            opened => opened?,
        };
        Ok(Some(Self { sql }))
    }

    /// The names of all runs, the newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn run_names(&self) -> Result<Vec<String>, LedgerError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT name FROM (SELECT name, begun_at AS at FROM run UNION
                 SELECT name, at FROM sandbox WHERE name NOT IN (SELECT name FROM run)) ORDER BY at DESC, name",
        )?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// One run; `None` where nothing was ever sent under this name.
    ///
    /// # Errors
    /// As [`run_names`](Self::run_names).
    pub fn run(&self, name: &str) -> Result<Option<RunRecord>, LedgerError> {
        let found: Option<(i64, i64)> = self
            .sql
            .prepare_cached("SELECT id, begun_at FROM run WHERE name = ?1")?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let sandboxed: Option<i64> = self
            .sql
            .prepare_cached("SELECT at FROM sandbox WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let Some((id, begun_at)) = found else {
            return Ok(sandboxed.map(|begun_at| RunRecord {
                name: name.to_owned(),
                begun_at,
                accepted_at: None,
                send_at: None,
                sandbox: true,
                counts: Vec::new(),
            }));
        };
        let mut counts: HashMap<Sent, u64> = HashMap::new();
        for known in known(&self.sql, id)?.into_values() {
            *counts.entry(known.sent).or_default() += 1;
        }
        let mut counts: Vec<(Sent, u64)> = counts.into_iter().collect();
        counts.sort_unstable();
        let (accepted_at, send_at) = self
            .sql
            .prepare_cached(
                "SELECT (SELECT max(s.at) FROM request AS q JOIN step AS s ON s.request_id = q.id
                         WHERE q.run_id = ?1 AND s.state = 'accepted'),
                        (SELECT max(send_at) FROM request WHERE run_id = ?1)",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let sandbox = is_sandbox(&self.sql, name)? && counts.is_empty();
        Ok(Some(RunRecord { name: name.to_owned(), begun_at, accepted_at, send_at, sandbox, counts }))
    }

    /// Grows whenever the ledger does.
    ///
    /// # Errors
    /// As [`run_names`](Self::run_names).
    pub fn place(&self) -> Result<i64, LedgerError> {
        let mut last = self.sql.prepare_cached("SELECT ifnull(max(id), 0) FROM step")?;
        Ok(last.query_row((), |row| row.get(0))?)
    }

    /// The recipients of a run, each once, by the last attempt; in no order.
    ///
    /// # Errors
    /// As [`run_names`](Self::run_names).
    pub fn recipients(&self, run: &str) -> Result<Vec<Asked>, LedgerError> {
        self.asked("r.name = ?1", run, i64::MIN)
    }

    /// Who was asked for under a category, in any run, since a time in µs; each by the last attempt in each run.
    ///
    /// # Errors
    /// As [`run_names`](Self::run_names).
    pub fn recipients_of_category(&self, category: &str, since: i64) -> Result<Vec<Asked>, LedgerError> {
        self.asked("?1 IN (SELECT value FROM json_each(q.categories))", category, since)
    }

    fn asked(&self, condition: &str, value: &str, since: i64) -> Result<Vec<Asked>, LedgerError> {
        let statement = format!(
            "SELECT c.email_hash, {STATE}, c.recipient, s.message_id, s.at, q.request, c.attempt, s.code, ifnull(f.why, s.why)
             FROM {CLAIMS} JOIN run AS r ON r.id = q.run_id
             WHERE {condition} AND s.at >= ?2
               AND c.attempt = (SELECT max(attempt) FROM claim WHERE run_id = c.run_id AND email_hash = c.email_hash)"
        );
        let mut statement = self.sql.prepare_cached(&statement)?;
        let mut rows = statement.query((value, since))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let sent = sent(row, 1)?;
            let refusal = match sent {
                Sent::Refused => {
                    Refusal::of(sent, row.get::<_, Option<String>>(7)?.as_deref().and_then(status), row.get(8)?)
                }
                _ => None,
            };
            found.push(Asked {
                hash: hash(row, 0)?,
                sent,
                attempt: row.get(6)?,
                recipient: recipient(row, 2)?,
                request: request(row, 5)?,
                message_id: row.get(3)?,
                at: row.get(4)?,
                refusal,
            });
        }
        Ok(found)
    }
}

impl Ledger for LedgerReader {
    fn run_names(&self) -> Result<Vec<String>, LedgerError> {
        Self::run_names(self)
    }

    fn run(&self, name: &str) -> Result<Option<OnRecord>, LedgerError> {
        let Some(record) = Self::run(self, name)? else { return Ok(None) };
        Ok(Some(OnRecord { record, recipients: self.recipients(name)? }))
    }

    fn place(&self, _: &Scope, _: i64) -> Result<i64, LedgerError> {
        Self::place(self)
    }

    fn recipients_of_category(&self, category: &str, since: i64) -> Result<Vec<Asked>, LedgerError> {
        Self::recipients_of_category(self, category, since)
    }

    fn hash_keys(&self) -> Result<Vec<String>, LedgerError> {
        let mut statement = self.sql.prepare_cached("SELECT key_id FROM hash_key")?;
        let keys = statement.query_map((), |row| row.get(0))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }
}

/// The last attempt for everybody in a run.
pub(super) fn known(sql: &Connection, run_id: i64) -> Result<HashMap<EmailHash, Known>, LedgerError> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT c.email_hash, {STATE}, c.attempt, c.recipient FROM {CLAIMS} WHERE q.run_id = ?1"
    ))?;
    let mut rows = statement.query([run_id])?;
    let mut known: HashMap<EmailHash, Known> = HashMap::new();
    while let Some(row) = rows.next()? {
        let new = Known { sent: sent(row, 1)?, attempt: row.get(2)?, recipient: recipient(row, 3)? };
        let held = known.entry(hash(row, 0)?).or_insert(new);
        if new.attempt > held.attempt {
            *held = new;
        }
    }
    Ok(known)
}

/// The HTTP status in the column `code`, which holds words where there is none.
fn status(code: &str) -> Option<u16> {
    code.parse().ok()
}

fn hash(row: &Row<'_>, at: usize) -> rusqlite::Result<EmailHash> {
    row.get::<_, [u8; 32]>(at).map(EmailHash::from_bytes)
}

fn sent(row: &Row<'_>, at: usize) -> rusqlite::Result<Sent> {
    let text = row.get_ref(at)?.as_str()?;
    Sent::parse(text).ok_or(rusqlite::Error::InvalidQuery)
}

fn recipient(row: &Row<'_>, at: usize) -> rusqlite::Result<RecipientId> {
    let text = row.get_ref(at)?.as_str()?;
    RecipientId::parse(text).ok_or(rusqlite::Error::InvalidQuery)
}

fn request(row: &Row<'_>, at: usize) -> rusqlite::Result<RequestId> {
    let text = row.get_ref(at)?.as_str()?;
    RequestId::parse(text).ok_or(rusqlite::Error::InvalidQuery)
}
