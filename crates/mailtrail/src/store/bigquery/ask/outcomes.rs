//! What events in BigQuery tell of who was mailed. They have no order there: once something is new, all of a send is read again.

use std::sync::Arc;

use super::Asker;
use super::cell::Cells;
use super::list;
use super::select::{condition_of_mail, on_days, select};
use super::status::{self, NOT_SENDGRID};
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::query::{Parameter, Rows};
use crate::store::outcomes::Outcomes;
use crate::store::query::{Mailed, RecipientOutcome, Scope};
use crate::store::questions::AskError;

impl Outcomes for Arc<Asker> {
    /// How many events there are, and when the last one came in.
    fn mark(&self, mailed: &Mailed) -> Result<i64, AskError> {
        let (condition, parameter) = condition_of_mail(&mailed.scope);
        let columns = "COUNT(*), IFNULL(UNIX_MICROS(MAX(received_at)), 0)";
        // What names no run may be of this mail all the same.
        let astray = match mailed.scope {
            Scope::Run(_) => "run IS NULL",
            Scope::Category(_) => "(event = 'bounce' AND message_id IS NULL AND run IS NULL)",
        };
        let condition = format!("({condition} OR {astray})");
        let mut query = on_days(&self.dataset.names, columns, &condition, mailed.since, mailed.until).fresh();
        query.parameters.push(parameter);
        let found = self.ask_at_once(&query)?;
        let Some(row) = found.rows.first() else { return Ok(0) };
        let mut cells = Cells::new(row);
        let (count, last) = (cells.time()?, cells.time()?);
        // Events can also be taken away, and others come: a number of both.
        Ok(count.wrapping_mul(1_000_003).wrapping_add(last))
    }

    fn outcomes(&self, mailed: &Mailed) -> Result<Vec<RecipientOutcome>, AskError> {
        Ok(status::outcomes(self, mailed)?)
    }

    fn unproven(&self, mailed: &Mailed) -> Result<u64, AskError> {
        let Some(keyed) = self.keyed()? else { return Ok(0) };
        let Some(mailed) = &self.bounded(mailed)? else { return Ok(0) };
        let mut query = select(&self.dataset.names, &mailed.filter(), "verified_by, received_at");
        query.sql = format!(
            "WITH found AS ({}) SELECT COUNT(*) FROM found WHERE verified_by IS NULL AND received_at >= @keyed",
            query.sql
        );
        Ok(number(&self.ask_at_once(&query.with("keyed", Parameter::Timestamp(keyed)))?)?.unwrap_or(0).unsigned_abs())
    }

    fn about_nobody(&self, mailed: &Mailed) -> Result<u64, AskError> {
        let Some(mailed) = &self.bounded(mailed)? else { return Ok(0) };
        let mut query = select(&self.dataset.names, &mailed.filter(), "email_hash, verified_by");
        query.sql = format!(
            "WITH found AS ({}) SELECT COUNT(*) FROM found WHERE email_hash IS NULL AND verified_by = 'import'",
            query.sql
        );
        Ok(number(&self.ask_at_once(&query)?)?.unwrap_or(0).unsigned_abs())
    }

    fn left_out(&self) -> Result<u64, AskError> {
        Ok(self.blocking.wait(self.dataset.left_out())?)
    }

    fn proven_requests(&self, mailed: &Mailed, _: Option<(i64, i64)>) -> Result<Vec<String>, AskError> {
        let Scope::Run(run) = &mailed.scope else { return Ok(Vec::new()) };
        let condition =
            "run = @run AND request IS NOT NULL AND verified_by IS NOT NULL AND verified_by NOT IN UNNEST(@others)";
        let others = NOT_SENDGRID.map(str::to_owned).to_vec();
        let query = on_days(&self.dataset.names, "DISTINCT request", condition, mailed.since, mailed.until)
            .with("run", Parameter::Text(run.clone()))
            .with("others", Parameter::Texts(others));
        texts(&self.ask_at_once(&query)?)
    }

    fn knows_run(&self, run: &str) -> Result<bool, AskError> {
        let mut query = on_days(&self.dataset.names, "1", "run = @run", None, None);
        query.sql.push_str(" LIMIT 1");
        Ok(!self.ask_at_once(&query.with("run", Parameter::Text(run.to_owned())))?.rows.is_empty())
    }

    fn run_names(&self) -> Result<Vec<String>, AskError> {
        let mut query = on_days(&self.dataset.names, "DISTINCT run", "run IS NOT NULL", None, None);
        query.sql.push_str(" ORDER BY run");
        texts(&self.ask_at_once(&query)?)
    }

    fn last_received(&self) -> Result<Option<i64>, AskError> {
        // What came in last happened of late, nearly always.
        for since in [Some(list::recently()), None] {
            let query = on_days(&self.dataset.names, "MAX(received_at)", "TRUE", since, None);
            if let Some(last) = number(&self.ask_at_once(&query)?)? {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }
}

impl Asker {
    /// The mail with the days it has events on: where nobody says from when, two columns tell what else would be read from all.
    /// `None`: there are no events.
    pub(super) fn bounded(&self, mailed: &Mailed) -> Result<Option<Mailed>, BigQueryError> {
        if mailed.since.is_some() {
            return Ok(Some(mailed.clone()));
        }
        let (condition, parameter) = condition_of_mail(&mailed.scope);
        let mut query = on_days(&self.dataset.names, "MIN(timestamp)", condition, None, mailed.until);
        query.parameters.push(parameter);
        let found = self.ask_at_once(&query)?;
        let since = found.rows.first().map_or(Ok(None), |row| Cells::new(row).integer())?;
        Ok(since.map(|since| Mailed { since: Some(since), ..mailed.clone() }))
    }
}

fn number(rows: &Rows) -> Result<Option<i64>, AskError> {
    Ok(rows.rows.first().map_or(Ok(None), |row| Cells::new(row).integer())?)
}

fn texts(rows: &Rows) -> Result<Vec<String>, AskError> {
    rows.rows.iter().map(|row| Ok(Cells::new(row).needed()?)).collect()
}
