//! Questions to the ledger in BigQuery.
//!
//! Steps have no order but what they say: of a request, the one that says more counts, whenever it was written, since clocks
//! differ and a sender that lost its run may still be heard. Where two requests were made of one attempt, the one that is more
//! likely to have mailed somebody counts.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::protect::EmailHash;
use crate::run::{RecipientId, RequestId};
use crate::store::bigquery::ask::Asker;
use crate::store::bigquery::ask::cell::{Cells, odd};
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::names::Names;
use crate::store::bigquery::query::{Parameter, Query, Rows};
use crate::store::bigquery::schema::{RUNS, SENDS};
use crate::store::ledger::{Asked, Ledger, LedgerError, OnRecord, RunRecord, Sent};

use super::step::Claimed;

const DAY: i64 = 86_400_000_000;
/// Days on which steps may have been written. (`at` is a word of GoogleSQL's own, so it stands in quotes everywhere.)
const ALL_DAYS: (i64, i64) = (1_577_836_800_000_000, 4_102_444_800_000_000);

/// A request's states, the one that says least first.
const BY_WORD: [Sent; 6] =
    [Sent::Claimed, Sent::Sending, Sent::Uncertain, Sent::Abandoned, Sent::Refused, Sent::Accepted];
/// The states of an attempt's requests, the one that is least likely to have mailed somebody first.
const BY_MAIL: [Sent; 6] =
    [Sent::Abandoned, Sent::Refused, Sent::Claimed, Sent::Sending, Sent::Uncertain, Sent::Accepted];

/// The ledger, for reading.
pub(in crate::store::bigquery) struct RunReader {
    asker: Arc<Asker>,
    /// When runs were begun, µs: that never changes.
    begun: RefCell<HashMap<String, i64>>,
}

/// A run's row.
struct Run {
    begun_at: Option<i64>,
    sandbox_at: Option<i64>,
}

impl RunReader {
    pub(in crate::store::bigquery) fn new(asker: &Arc<Asker>) -> Self {
        Self { asker: Arc::clone(asker), begun: RefCell::default() }
    }

    fn row(&self, name: &str) -> Result<Option<Run>, BigQueryError> {
        let sql = format!(
            "SELECT COUNT(*), MIN(begun_at), MAX(sandbox_at) FROM {} WHERE name = @run",
            self.asker.dataset.names.sql_table(&RUNS)
        );
        let found = self.asker.ask_at_once(&Query::new(sql).with("run", Parameter::Text(name.to_owned())).fresh())?;
        let Some(row) = found.rows.first() else { return Ok(None) };
        let mut cells = Cells::new(row);
        if cells.count()? == 0 {
            return Ok(None);
        }
        let run = Run { begun_at: cells.integer()?, sandbox_at: cells.integer()? };
        if let Some(begun_at) = run.begun_at {
            self.begun.borrow_mut().insert(name.to_owned(), begun_at);
        }
        Ok(Some(run))
    }
}

impl Ledger for RunReader {
    fn run_names(&self) -> Result<Vec<String>, LedgerError> {
        let sql = format!(
            "SELECT name, IFNULL(MIN(begun_at), MAX(sandbox_at)) AS since FROM {} GROUP BY name ORDER BY since DESC, name",
            self.asker.dataset.names.sql_table(&RUNS)
        );
        let found = self.asker.ask_at_once(&Query::new(sql).fresh())?;
        Ok(found.rows.iter().map(|row| Cells::new(row).needed()).collect::<Result<_, BigQueryError>>()?)
    }

    fn run(&self, name: &str) -> Result<Option<OnRecord>, LedgerError> {
        let Some(run) = self.row(name)? else { return Ok(None) };
        let Some(begun_at) = run.begun_at else {
            let record = RunRecord {
                name: name.to_owned(),
                begun_at: run.sandbox_at.unwrap_or_default(),
                accepted_at: None,
                send_at: None,
                sandbox: true,
                counts: Vec::new(),
            };
            return Ok(Some(OnRecord { record, recipients: Vec::new() }));
        };
        let rows = self.asker.ask_at_once(&of_run(&self.asker.dataset.names, name, begun_at))?;
        let found = asked(&rows)?;
        let mut counts: HashMap<Sent, u64> = HashMap::new();
        for (one, _) in &found {
            *counts.entry(one.sent).or_default() += 1;
        }
        let mut counts: Vec<(Sent, u64)> = counts.into_iter().collect();
        counts.sort_unstable();
        let accepted = found.iter().filter(|(one, _)| one.sent == Sent::Accepted);
        let record = RunRecord {
            name: name.to_owned(),
            begun_at,
            accepted_at: accepted.map(|(one, _)| one.at).max(),
            send_at: found.iter().filter_map(|(_, send_at)| *send_at).max(),
            sandbox: run.sandbox_at.is_some() && counts.is_empty(),
            counts,
        };
        Ok(Some(OnRecord { record, recipients: found.into_iter().map(|(one, _)| one).collect() }))
    }

    /// How many steps there are: none ever goes.
    fn place(&self, run: &str) -> Result<i64, LedgerError> {
        let known = self.begun.borrow().get(run).copied();
        let begun_at = match known {
            Some(begun_at) => begun_at,
            None => match self.row(run)? {
                Some(Run { begun_at: Some(begun_at), .. }) => begun_at,
                Some(Run { sandbox_at, .. }) => return Ok(-sandbox_at.unwrap_or(1)),
                None => return Ok(0),
            },
        };
        let sql = format!(
            "SELECT COUNT(*) FROM {} WHERE `at` >= @since AND `at` < @until AND run = @run",
            self.asker.dataset.names.sql_table(&SENDS)
        );
        let found = self.asker.ask_at_once(&on_days(sql, begun_at).with("run", Parameter::Text(run.to_owned())))?;
        let count = found.rows.first().map_or(Ok(0), |row| Cells::new(row).time())?;
        // A run that is begun differs from none.
        Ok(count + 1)
    }

    fn recipients_of_category(&self, category: &str, since: i64) -> Result<Vec<Asked>, LedgerError> {
        let names = &self.asker.dataset.names;
        let sql = format!(
            "WITH steps AS ({}) SELECT {COLUMNS} FROM ({}) AS last
             WHERE EXISTS (SELECT 1 FROM UNNEST(category) AS one WHERE one = @category)",
            steps(names, "TRUE"),
            last("*")
        );
        let query = on_days(sql, since.saturating_add(DAY)).with("category", Parameter::Text(category.to_owned()));
        let found = asked(&self.asker.ask_at_once(&query)?)?;
        Ok(found.into_iter().map(|(one, _)| one).filter(|one| one.at >= since).collect())
    }
}

const COLUMNS: &str = "email_hash, state, attempt, recipient, request, message_id, `at`, send_at";

/// Each recipient of a run, by the last attempt.
pub(super) fn of_run(names: &Names, run: &str, begun_at: i64) -> Query {
    let sql = format!("WITH steps AS ({}) {}", steps(names, "run = @run"), last(COLUMNS));
    on_days(sql, begun_at).with("run", Parameter::Text(run.to_owned()))
}

/// The claims of a run's requests that nobody has ended.
pub(super) fn unfinished(names: &Names, run: &str, begun_at: i64) -> Query {
    let sql = format!(
        "WITH steps AS ({}) SELECT email_hash, state, attempt, recipient, request, key_id, category, send_at FROM steps
         WHERE state IN UNNEST(@states)",
        steps(names, "run = @run")
    );
    let states = [Sent::Claimed, Sent::Sending].map(|sent| sent.as_str().to_owned()).to_vec();
    on_days(sql, begun_at).with("run", Parameter::Text(run.to_owned())).with("states", Parameter::Texts(states))
}

/// The keys that hashes of the ledger were made with.
pub(super) fn keys(names: &Names) -> Query {
    let sql = format!("SELECT DISTINCT key_id FROM {} WHERE `at` >= @since AND `at` < @until", names.sql_table(&SENDS));
    on_days(sql, i64::MIN)
}

/// Every request's recipients, with the step that counts.
fn steps(names: &Names, condition: &str) -> String {
    format!(
        "SELECT run, email_hash, key_id, recipient, request, attempt, state, message_id, category, `at`, send_at FROM {}
         WHERE `at` >= @since AND `at` < @until AND {condition}
         QUALIFY ROW_NUMBER() OVER (PARTITION BY request, email_hash ORDER BY {} DESC, `at` DESC) = 1",
        names.sql_table(&SENDS),
        place_in(BY_WORD)
    )
}

/// Of these, every run's recipients with the last attempt.
fn last(columns: &str) -> String {
    format!(
        "SELECT {columns} FROM steps WHERE TRUE
         QUALIFY ROW_NUMBER() OVER (PARTITION BY run, email_hash ORDER BY attempt DESC, {} DESC, `at` DESC) = 1",
        place_in(BY_MAIL)
    )
}

fn place_in(order: [Sent; 6]) -> String {
    let cases: Vec<String> = (0..).zip(order).map(|(at, sent)| format!("WHEN '{}' THEN {at}", sent.as_str())).collect();
    format!("CASE state {} ELSE -1 END", cases.join(" "))
}

/// A sender's clock may lag: a day more costs next to nothing.
fn on_days(sql: String, since: i64) -> Query {
    let (first, last) = ALL_DAYS;
    let since = since.saturating_sub(DAY).clamp(first, last);
    Query::new(sql).with("since", Parameter::Timestamp(since)).with("until", Parameter::Timestamp(last)).fresh()
}

/// Recipients, each with the time before which its mail is not to be delivered.
pub(super) fn asked(rows: &Rows) -> Result<Vec<(Asked, Option<i64>)>, BigQueryError> {
    let one = |row: &Vec<_>| {
        let mut cells = Cells::new(row);
        // A struct's fields are evaluated as written.
        let asked = Asked {
            hash: parsed(&cells.needed()?, EmailHash::parse)?,
            sent: parsed(&cells.needed()?, Sent::parse)?,
            attempt: number(cells.integer()?)?,
            recipient: parsed(&cells.needed()?, RecipientId::parse)?,
            request: parsed(&cells.needed()?, RequestId::parse)?,
            message_id: cells.text(),
            at: cells.time()?,
        };
        Ok((asked, cells.integer()?))
    };
    rows.rows.iter().map(one).collect()
}

/// The answer of [`unfinished`].
pub(super) fn claimed(rows: &Rows) -> Result<Vec<(Sent, Claimed)>, BigQueryError> {
    let one = |row: &Vec<_>| {
        let mut cells = Cells::new(row);
        let hash = parsed(&cells.needed()?, EmailHash::parse)?;
        let sent = parsed(&cells.needed()?, Sent::parse)?;
        let claimed = Claimed {
            hash,
            attempt: number(cells.integer()?)?,
            recipient: parsed(&cells.needed()?, RecipientId::parse)?,
            request: parsed(&cells.needed()?, RequestId::parse)?,
            key_id: cells.needed()?,
            category: cells.list(),
            send_at: cells.integer()?,
        };
        Ok((sent, claimed))
    };
    rows.rows.iter().map(one).collect()
}

fn parsed<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, BigQueryError> {
    parse(text).ok_or_else(|| odd("the ledger holds what mailtrail did not write"))
}

fn number(number: Option<i64>) -> Result<u32, BigQueryError> {
    number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| odd("an attempt has no number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bigquery::testing::names;

    #[test]
    fn words_of_sql_stand_in_quotes_and_values_nowhere() {
        for sql in [steps(&names(), "run = @run"), last(COLUMNS), keys(&names()).sql] {
            assert!(
                !sql.replace("`at`", "").split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "at"),
                "{sql}"
            );
        }
        let evil = "x') OR TRUE --";
        for query in [of_run(&names(), evil, 7), unfinished(&names(), evil, 7)] {
            assert!(
                !query.sql.contains("OR TRUE") && query.sql.contains("`at` >= @since AND `at` < @until") && query.fresh
            );
            assert!(
                query.parameters.iter().any(|(name, value)| *name == "run" && *value == Parameter::Text(evil.into()))
            );
        }
    }

    #[test]
    fn states_are_ordered_by_what_they_say() {
        let place = |order: [Sent; 6], sent| order.iter().position(|one| *one == sent).unwrap();
        for order in [BY_WORD, BY_MAIL] {
            let mut all = order.to_vec();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 6);
        }
        // What is known to have mailed nobody outweighs a doubt about the same request, but not another request's doubt.
        assert!(place(BY_WORD, Sent::Abandoned) > place(BY_WORD, Sent::Uncertain));
        assert!(BY_MAIL.iter().skip(2).all(|sent| sent.is_taken()) && BY_MAIL[..2].iter().all(|sent| !sent.is_taken()));
        assert!(place_in(BY_WORD).starts_with("CASE state WHEN 'claimed' THEN 0 WHEN 'sending' THEN 1"));
    }
}
