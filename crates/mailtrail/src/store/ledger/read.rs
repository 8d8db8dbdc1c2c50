//! Questions to the ledger.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{FORMAT, Known, LedgerError, Sent, is_sandbox};
use crate::database;
use crate::protect::EmailHash;
use crate::run::{RecipientId, RequestId};
use crate::store::paths::Paths;

/// A run as the ledger knows it. Recipients are counted once each, by their last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its name.
    pub name: String,
    /// First claim, µs since the epoch.
    pub begun_at: i64,
    /// When SendGrid last accepted mail of it, µs; `None` where it never did.
    pub accepted_at: Option<i64>,
    /// The latest time before which mail is not to be delivered, µs.
    pub send_at: Option<i64>,
    /// Whether its last send was only validated by the sandbox.
    pub sandbox: bool,
    /// How many recipients stand at which state.
    pub counts: Vec<(Sent, u64)>,
}

impl RunRecord {
    /// How many recipients stand at a state.
    #[must_use]
    pub fn count(&self, state: Sent) -> u64 {
        self.counts.iter().find(|(found, _)| *found == state).map_or(0, |(_, count)| *count)
    }

    /// How many recipients there are.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}

/// A recipient of a run, by the last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who.
    pub hash: EmailHash,
    /// How it stands.
    pub sent: Sent,
    /// The id that its events carry.
    pub recipient: RecipientId,
    /// The request that asked for it.
    pub request: RequestId,
    /// `X-Message-Id`, where SendGrid gave one.
    pub message_id: Option<String>,
    /// When it came to stand so, µs since the epoch.
    pub at: i64,
}

/// The ledger, open for reading.
pub struct LedgerReader {
    sql: Connection,
}

/// The last step of each request, for joins.
const LAST_STEP: &str = "JOIN step AS s ON s.id = (SELECT max(id) FROM step WHERE request_id = q.id)";

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
        Ok(Some(Self { sql: database::open_read_only(&path, &FORMAT)? }))
    }

    /// All runs, the newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRecord>, LedgerError> {
        let names = self.run_names()?;
        let mut runs = Vec::with_capacity(names.len());
        for (name, _) in names {
            runs.extend(self.run(&name)?);
        }
        Ok(runs)
    }

    /// All runs' names, the newest first, each with its first claim in µs since the epoch.
    ///
    /// # Errors
    /// As [`runs`](Self::runs).
    pub fn run_names(&self) -> Result<Vec<(String, i64)>, LedgerError> {
        let mut statement = self.sql.prepare_cached(
            "SELECT name, at FROM (SELECT name, begun_at AS at FROM run UNION
                 SELECT name, at FROM sandbox WHERE name NOT IN (SELECT name FROM run)) ORDER BY at DESC, name",
        )?;
        let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// One run; `None` where nothing was ever sent under this name.
    ///
    /// # Errors
    /// As [`runs`](Self::runs).
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
    /// As [`runs`](Self::runs).
    pub fn place(&self) -> Result<i64, LedgerError> {
        let mut last = self.sql.prepare_cached("SELECT ifnull(max(id), 0) FROM step")?;
        Ok(last.query_row((), |row| row.get(0))?)
    }

    /// Who was asked for in a run, with the last attempt.
    ///
    /// # Errors
    /// As [`runs`](Self::runs).
    pub fn known(&self, run: &str) -> Result<HashMap<EmailHash, Known>, LedgerError> {
        let id = self
            .sql
            .prepare_cached("SELECT id FROM run WHERE name = ?1")?
            .query_row([run], |row| row.get(0))
            .optional()?;
        id.map_or_else(|| Ok(HashMap::new()), |id| known(&self.sql, id))
    }

    /// The recipients of a run, each once, by the last attempt; in no order.
    ///
    /// # Errors
    /// As [`runs`](Self::runs).
    pub fn recipients(&self, run: &str) -> Result<Vec<Asked>, LedgerError> {
        self.asked("r.name = ?1", run, i64::MIN)
    }

    /// Who was mailed under a category, or may have been, in any run, since a time in µs; each perhaps several times.
    ///
    /// # Errors
    /// As [`runs`](Self::runs).
    pub fn recipients_of_category(&self, category: &str, since: i64) -> Result<Vec<Asked>, LedgerError> {
        self.asked("?1 IN (SELECT value FROM json_each(q.categories))", category, since)
    }

    fn asked(&self, condition: &str, value: &str, since: i64) -> Result<Vec<Asked>, LedgerError> {
        let statement = format!(
            "SELECT c.email_hash, s.state, c.recipient, s.message_id, s.at, q.request
             FROM request AS q JOIN run AS r ON r.id = q.run_id {LAST_STEP} JOIN claim AS c ON c.request_id = q.id
             WHERE {condition} AND s.at >= ?2
               AND c.attempt = (SELECT max(attempt) FROM claim WHERE run_id = c.run_id AND email_hash = c.email_hash)"
        );
        let mut statement = self.sql.prepare_cached(&statement)?;
        let mut rows = statement.query((value, since))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Asked {
                hash: hash(row, 0)?,
                sent: sent(row, 1)?,
                recipient: recipient(row, 2)?,
                request: request(row, 5)?,
                message_id: row.get(3)?,
                at: row.get(4)?,
            });
        }
        Ok(found)
    }
}

/// The last attempt for everybody in a run.
pub(super) fn known(sql: &Connection, run_id: i64) -> Result<HashMap<EmailHash, Known>, LedgerError> {
    let mut statement = sql.prepare_cached(&format!(
        "SELECT c.email_hash, s.state, c.attempt, c.recipient FROM request AS q {LAST_STEP} JOIN claim AS c ON c.request_id = q.id
         WHERE q.run_id = ?1"
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
