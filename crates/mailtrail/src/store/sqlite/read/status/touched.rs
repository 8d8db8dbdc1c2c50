//! Whose outcome may be another one since a place of the trail.

use rusqlite::types::Value;

use super::gather::in_scope;
use super::{PROVEN, ReadError, Reader, named};
use crate::store::query::Scope;

impl Reader {
    /// The recipients of all events with ids after the first and up to the second one, each with whether one of these events
    /// is in the scope. Any event counts: where an astray bounce belongs is told by the recipient's other mail.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn touched(&self, scope: &Scope, after: i64, until: i64) -> Result<Vec<(i64, bool)>, ReadError> {
        let (condition, parameter) = in_scope(scope);
        let mut statement = self.prepare(&format!(
            "SELECT m.address_id, max(ifnull({condition}, 0)) FROM event AS e CROSS JOIN message AS m ON m.id = e.message
             WHERE e.id > :after AND e.id <= :until AND m.address_id IS NOT NULL GROUP BY m.address_id"
        ))?;
        let parameters = [(":after", Value::Integer(after)), (":until", Value::Integer(until)), parameter];
        let rows = statement.query_map(&named(&parameters)[..], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The requests of a run of which there is an event that SendGrid vouches for; `within`: among the events with ids after the
    /// first and up to the second one, otherwise among all of the run.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn proven_requests(&self, run: &str, within: Option<(i64, i64)>) -> Result<Vec<String>, ReadError> {
        let mut parameters = vec![(":run", Value::Text(run.to_owned()))];
        let from = match within {
            Some((after, until)) => {
                parameters.extend([(":after", Value::Integer(after)), (":until", Value::Integer(until))]);
                "event AS e CROSS JOIN message AS m ON m.id = e.message WHERE e.id > :after AND e.id <= :until AND"
            }
            None => "message AS m CROSS JOIN event AS e ON e.message = m.id WHERE",
        };
        let mut statement = self.prepare(&format!(
            "SELECT DISTINCT m.request FROM {from} m.run = :run AND m.request IS NOT NULL AND {PROVEN}"
        ))?;
        let rows = statement.query_map(&named(&parameters)[..], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether any event names this run.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn knows_run(&self, run: &str) -> Result<bool, ReadError> {
        let mut statement = self.prepare("SELECT EXISTS (SELECT 1 FROM message WHERE run = ?1)")?;
        Ok(statement.query_row([run], |row| row.get(0))?)
    }

    /// The runs that events name.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn run_names(&self) -> Result<Vec<String>, ReadError> {
        // From one name to the next by the index: a run has many messages.
        let mut statement = self.prepare(
            "WITH RECURSIVE c (run) AS (
                 SELECT (SELECT min(run) FROM message WHERE run IS NOT NULL) UNION ALL
                 SELECT (SELECT min(run) FROM message WHERE run > c.run) FROM c WHERE c.run IS NOT NULL)
             SELECT run FROM c WHERE run IS NOT NULL",
        )?;
        let rows = statement.query_map((), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
