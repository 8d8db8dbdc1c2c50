//! Events themselves: searched, told, followed, exported.

use rusqlite::types::Value;

use super::record::{self, COLUMNS, JOINS};
use super::select::{Needs, Selection, Source, named};
use super::{ReadError, Reader};
use crate::store::query::{Answer, EventRecord, Filter, Place, Subject};

impl Reader {
    /// The newest events that fulfil a filter, newest first.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn activity(&self, filter: &Filter, limit: usize) -> Result<Answer<Vec<EventRecord>>, ReadError> {
        let selection = Selection::new(filter, None, self.knows_tests()?);
        let value = self.newest_of(&selection, limit, "DESC")?;
        Ok(Answer { value, scanned: selection.scanned })
    }

    /// All events of a recipient or a message, oldest first; of more than `limit` the newest ones.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn timeline(&self, subject: &Subject, limit: usize) -> Result<Vec<EventRecord>, ReadError> {
        let mut filter = Filter { include_tests: true, ..Filter::default() };
        match subject {
            // An empty list would ask for everything.
            Subject::Hashes(hashes) if hashes.is_empty() => return Ok(Vec::new()),
            Subject::Hashes(hashes) => filter.hashes.clone_from(hashes),
            Subject::Message(id) => filter.messages.push(id.clone()),
        }
        self.newest_of(&Selection::new(&filter, None, true), limit, "ASC")
    }

    /// The events stored last, oldest first.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn newest(&self, limit: usize) -> Result<Vec<EventRecord>, ReadError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM (SELECT id FROM event WHERE id > 0 ORDER BY id DESC LIMIT :limit) AS c
             CROSS JOIN event AS e ON e.id = c.id {JOINS} ORDER BY c.id"
        );
        self.events(&statement, &[(":limit", count(limit))])
    }

    /// The events stored after the one with this id, in the order they were stored.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn after(&self, id: i64, limit: usize) -> Result<Vec<EventRecord>, ReadError> {
        let statement = format!("SELECT {COLUMNS} FROM event AS e {JOINS} WHERE e.id > :id ORDER BY e.id LIMIT :limit");
        self.events(&statement, &[(":id", Value::Integer(id)), (":limit", count(limit))])
    }

    /// The next events that fulfil a filter after a place, in the order of (timestamp, event_key). Each page is a question
    /// of its own; pages of categories and runs go through the time index once in all.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn page(
        &self,
        filter: &Filter,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Answer<Vec<EventRecord>>, ReadError> {
        let keyed = !filter.hashes.is_empty() || !filter.messages.is_empty();
        let few = keyed && !filter.any;
        let mut selection = Selection::new(filter, (!few).then_some(Source::Time), self.knows_tests()?);
        let needs = Needs { event: true, ..Needs::default() };
        let mut inner =
            format!("SELECT e.id AS id, e.timestamp AS t, e.event_key AS k {}", selection.source_and_conditions(needs));
        if let Some(place) = after {
            inner.push_str(" AND (e.timestamp, e.event_key) > (:time, unhex(:key))");
            selection.parameters.push((":time", Value::Integer(place.timestamp)));
            selection.parameters.push((":key", Value::Text(place.event_key.clone())));
        }
        let statement = format!(
            "SELECT {COLUMNS} FROM ({inner} ORDER BY e.timestamp, e.event_key LIMIT :limit) AS c
             CROSS JOIN event AS e ON e.id = c.id {JOINS} ORDER BY c.t, c.k"
        );
        selection.parameters.push((":limit", count(limit)));
        let value = self.events(&statement, &selection.parameters)?;
        Ok(Answer { value, scanned: selection.scanned })
    }

    fn newest_of(&self, selection: &Selection, limit: usize, order: &str) -> Result<Vec<EventRecord>, ReadError> {
        // What is sorted are numbers alone; whole events are read where the search has ended.
        let (timestamp, id) = (selection.shared("timestamp"), selection.id());
        let found = selection.source_and_conditions(Needs::default());
        let statement = format!(
            "SELECT {COLUMNS} FROM
                 (SELECT {id} AS id, {timestamp} AS t {found} ORDER BY {timestamp} DESC, {id} DESC LIMIT :limit) AS c
             CROSS JOIN event AS e ON e.id = c.id {JOINS} ORDER BY c.t {order}, c.id {order}"
        );
        let mut parameters = selection.parameters.clone();
        parameters.push((":limit", count(limit)));
        self.events(&statement, &parameters)
    }

    pub(super) fn events(
        &self,
        statement: &str,
        parameters: &[(&'static str, Value)],
    ) -> Result<Vec<EventRecord>, ReadError> {
        let mut statement = self.prepare(statement)?;
        let rows = statement.query_map(&named(parameters)[..], record::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn count(limit: usize) -> Value {
    Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX))
}
