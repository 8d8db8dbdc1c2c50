//! What a page for people asks: further back from a place, one event, openings by machines.

use rusqlite::types::Value;

use super::record::{COLUMNS, JOINS};
use super::select::{Needs, Selection, named};
use super::{ReadError, Reader};
use crate::store::query::{Answer, EventRecord, Filter};

impl Reader {
    /// The newest events that fulfil a filter and stand before a place (time and id) in the order of time, newest first.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn activity_before(
        &self,
        filter: &Filter,
        place: (i64, i64),
        limit: usize,
    ) -> Result<Answer<Vec<EventRecord>>, ReadError> {
        let (time, id) = place;
        // The bound on time is what the index is entered by; the place itself only sorts out what shares its moment.
        let until = time.saturating_add(1);
        let filter = Filter { until: Some(filter.until.map_or(until, |given| given.min(until))), ..filter.clone() };
        let mut selection = Selection::new(&filter, None, self.knows_tests()?);
        let (timestamp, event) = (selection.shared("timestamp"), selection.id());
        let found = selection.source_and_conditions(Needs::default());
        let statement = format!(
            "SELECT {COLUMNS} FROM
                 (SELECT {event} AS id, {timestamp} AS t {found} AND ({timestamp} < :place OR {event} < :at)
                  ORDER BY {timestamp} DESC, {event} DESC LIMIT :limit) AS c
             CROSS JOIN event AS e ON e.id = c.id {JOINS} ORDER BY c.t DESC, c.id DESC"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        selection.parameters.push((":place", Value::Integer(time)));
        selection.parameters.push((":at", Value::Integer(id)));
        selection.parameters.push((":limit", Value::Integer(limit)));
        let value = self.events(&statement, &selection.parameters)?;
        Ok(Answer { value, scanned: selection.scanned })
    }

    /// The event with this id (its place in trail order).
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn event(&self, id: i64) -> Result<Option<EventRecord>, ReadError> {
        let found = self.after(id.saturating_sub(1), 1)?;
        Ok(found.into_iter().find(|event| event.id == id))
    }

    /// How many openings were a machine's and not a reader's (`sg_machine_open`).
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn machine_opens(&self, filter: &Filter) -> Result<u64, ReadError> {
        let selection = Selection::new(filter, None, self.knows_tests()?);
        let found = selection.source_and_conditions(Needs { event: true, ..Needs::default() });
        let event = selection.shared("event");
        let statement = format!("SELECT count(*) {found} AND {event} = 'open' AND e.sg_machine_open = 1");
        let count: i64 = self.prepare(&statement)?.query_row(&named(&selection.parameters)[..], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
