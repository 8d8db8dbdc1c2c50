//! The events of recipients, folded: by the side table of categories, by messages, or for some addresses alone.

use std::collections::HashMap;

use rusqlite::Row;
use rusqlite::types::Value;

use super::{NO_TEST, PROVEN, ReadError, Reader, UNPROVEN};
use crate::settle::{Fold, Seen};
use crate::store::query::{Mailed, Scope};
use crate::store::sqlite::append::message_digest;
use crate::store::sqlite::read::select::{LISTS, Needs, Selection, json, named};

/// Recipients by number.
pub(super) type Gathered = HashMap<i64, One>;

/// One recipient's events so far.
#[derive(Default)]
pub(super) struct One {
    pub(super) fold: Fold,
    pub(super) proven: bool,
    pub(super) mailed: bool,
}

impl One {
    pub(super) fn add(&mut self, seen: &Seen<'_>) {
        self.mailed |= seen.event != "dropped";
        self.fold.add(seen);
    }
}

/// Why mail did not arrive, of the alias; read only where somebody will want to know.
pub(super) fn texts_of(alias: &str) -> String {
    ["ifnull({}.reason, {}.response)", "{}.bounce_classification", "{}.status"]
        .map(|column| {
            let column = column.replace("{}", alias);
            format!("CASE WHEN {alias}.event IN ('bounce', 'dropped', 'deferred') THEN {column} END")
        })
        .join(", ")
}

/// Several numbers as one parameter.
pub(super) fn numbers(values: &[i64]) -> Value {
    Value::Text(serde_json::Value::from(values).to_string())
}

/// The parameters `:since` and `:until`.
pub(super) fn times(mailed: &Mailed) -> Vec<(&'static str, Value)> {
    vec![
        (":since", Value::Integer(mailed.since.unwrap_or(i64::MIN))),
        (":until", Value::Integer(mailed.until.unwrap_or(i64::MAX))),
    ]
}

/// Leaves out what nothing vouches for, where that is wanted.
pub(super) fn proof_condition(keyed: Option<i64>, parameters: &mut Vec<(&'static str, Value)>) -> String {
    let Some(keyed) = keyed else { return String::new() };
    parameters.push((":keyed", Value::Integer(keyed)));
    format!("AND NOT {UNPROVEN}")
}

/// Whether it is asked at all who vouches.
fn proven(scope: &Scope) -> &'static str {
    match scope {
        Scope::Run(_) => PROVEN,
        Scope::Category(_) => "0",
    }
}

impl Reader {
    /// Of a category: the side table has all that good news need, so only for bad news is the event itself read.
    pub(super) fn by_side_table(&self, selection: &Selection) -> Result<Gathered, ReadError> {
        let found = selection.source_and_conditions(Needs::default());
        let statement = format!(
            "SELECT l.address_id, l.message, l.event, l.timestamp, l.event_id {found} AND l.address_id IS NOT NULL"
        );
        let mut events = self.prepare(&statement)?;
        let mut news = self
            .prepare("SELECT type, ifnull(reason, response), bounce_classification, status FROM event WHERE id = ?1")?;
        let mut recipients = Gathered::new();
        let mut rows = events.query(&named(&selection.parameters)[..])?;
        while let Some(row) = rows.next()? {
            let event = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            let message = row.get::<_, Option<i64>>(1)?;
            let seen = Seen {
                message,
                event,
                r#type: None,
                timestamp: row.get(3)?,
                reason: None,
                classification: None,
                status_code: None,
            };
            let one = recipients.entry(row.get(0)?).or_default();
            if !matches!(event, "bounce" | "dropped" | "deferred") {
                one.add(&seen);
                continue;
            }
            news.query_row([row.get::<_, i64>(4)?], |row| {
                let text = |at| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
                let (r#type, reason) = (text(0)?, text(1)?);
                one.add(&Seen { r#type, reason, classification: text(2)?, status_code: text(3)?, ..seen });
                Ok(())
            })?;
        }
        Ok(recipients)
    }

    /// Of a run, by its messages; of a category where the side table does not tell enough.
    pub(super) fn by_events(
        &self,
        mut selection: Selection,
        scope: &Scope,
        keyed: Option<i64>,
    ) -> Result<Gathered, ReadError> {
        let found = selection.source_and_conditions(Needs { event: true, message: true, ..Needs::default() });
        let proof = proof_condition(keyed, &mut selection.parameters);
        let (address, texts, proven) = (selection.address(), texts_of("e"), proven(scope));
        let statement = format!(
            "SELECT {address}, m.message_id, e.event, e.type, e.timestamp, {texts}, {proven}
             {found} AND {address} IS NOT NULL {proof}"
        );
        self.gather(&statement, &selection.parameters)
    }

    /// The same for some addresses.
    pub(super) fn by_addresses(
        &self,
        mailed: &Mailed,
        keyed: Option<i64>,
        addresses: &[i64],
    ) -> Result<Gathered, ReadError> {
        let mut parameters = times(mailed);
        parameters.push((":addresses", numbers(addresses)));
        let (condition, parameter) = in_scope(&mailed.scope);
        parameters.push(parameter);
        let proof = proof_condition(keyed, &mut parameters);
        let (texts, proven) = (texts_of("e"), proven(&mailed.scope));
        let statement = format!(
            "SELECT m.address_id, m.message_id, e.event, e.type, e.timestamp, {texts}, {proven}
             FROM json_each(:addresses) AS c
             CROSS JOIN message AS m INDEXED BY message_address ON m.address_id = c.value
             CROSS JOIN event AS e ON e.message = m.id
             WHERE {condition} AND e.timestamp >= :since AND e.timestamp < :until AND {NO_TEST} {proof}"
        );
        self.gather(&statement, &parameters)
    }

    fn gather(&self, statement: &str, parameters: &[(&'static str, Value)]) -> Result<Gathered, ReadError> {
        let mut recipients = Gathered::new();
        let mut prepared = self.prepare(statement)?;
        let mut rows = prepared.query(&named(parameters)[..])?;
        while let Some(row) = rows.next()? {
            let one = recipients.entry(row.get(0)?).or_default();
            one.proven |= row.get::<_, bool>(8)?;
            one.add(&seen(row)?);
        }
        Ok(recipients)
    }
}

/// Whether a message `m` is in the scope.
pub(super) fn in_scope(scope: &Scope) -> (&'static str, (&'static str, Value)) {
    match scope {
        Scope::Run(name) => ("m.run = :run", (":run", Value::Text(name.clone()))),
        Scope::Category(name) => (LISTS, (":categories", Value::Text(json(std::slice::from_ref(name))))),
    }
}

/// Columns 1 to 7: message_id, event, type, timestamp, reason, classification, status code.
pub(super) fn seen<'r>(row: &'r Row<'_>) -> rusqlite::Result<Seen<'r>> {
    let text = |at| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
    Ok(Seen {
        message: text(1)?.map(message_digest),
        event: row.get_ref(2)?.as_str()?,
        r#type: text(3)?,
        timestamp: row.get(4)?,
        reason: text(5)?,
        classification: text(6)?,
        status_code: text(7)?,
    })
}
