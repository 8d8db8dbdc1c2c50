//! The questions of every store, asked of another host.

use serde::Serialize;

use super::client::Remote;
use super::error::RemoteError;
use super::lines::Lines;
use super::row::{EventRow, Row, micros};
use super::wire::{Counting, HowMany, Mail, Nothing, Timeline, Which};
use crate::settle::Status;
use crate::store::query::{
    Answer, Counted, Dimension, EventRecord, Filter, Group, RecipientStatus, Scanned, Scope, Subject,
};
use crate::store::questions::{AskError, Pages, Questions};

/// Fields that choose events, and those of the question.
#[derive(Serialize)]
struct Body<T> {
    #[serde(flatten)]
    which: Which,
    #[serde(flatten)]
    own: T,
}

fn body<T>(filter: &Filter, own: T) -> Body<T> {
    let which = Which {
        email: Vec::new(),
        email_hash: filter.hashes.iter().map(ToString::to_string).collect(),
        event: filter.events.clone(),
        status: filter.statuses.iter().map(|status| status.as_str().to_owned()).collect(),
        category: filter.categories.clone(),
        run: filter.runs.clone(),
        message: filter.messages.clone(),
        domain: filter.domains.clone(),
        reason: filter.reason.clone(),
        since: filter.since.map(rfc3339),
        until: filter.until.map(rfc3339),
        time_zone: filter.zone.as_ref().and_then(|zone| zone.iana_name()).map(str::to_owned),
        any: filter.any,
    };
    Body { which, own }
}

/// A time as it travels.
pub(super) fn rfc3339(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros).map(|time| time.to_string()).unwrap_or_default()
}

impl Remote {
    /// Events that came in behind one, in order.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn after(&self, id: i64, limit: usize) -> Result<Vec<EventRecord>, AskError> {
        let query = [("after", id.to_string()), ("limit", limit.to_string())];
        Ok(self.answer(self.get(&["newest"], &query)?)?.value)
    }

    fn answer(&self, lines: Lines) -> Result<Answer<Vec<EventRecord>>, RemoteError> {
        let rows: Vec<EventRow> = lines.rows()?;
        Ok(Answer { value: rows.into_iter().map(EventRecord::from).collect(), scanned: self.scanned() })
    }

    fn scanned(&self) -> Option<Scanned> {
        self.about().scanned.map(|looked| Scanned {
            bytes: looked.bytes,
            since: looked.since.as_deref().and_then(micros),
            why: looked.why.into(),
        })
    }

    fn unreadable(&self) -> RemoteError {
        RemoteError::Row { server: self.server(), place: "a column is missing".to_owned() }
    }
}

impl Questions for Remote {
    fn activity(&self, filter: &Filter, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        Ok(self.answer(self.post("activity", &body(filter, HowMany { limit: Some(limit) }))?)?)
    }

    fn timeline(&self, subject: &Subject, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        let mut asked = Timeline { limit: Some(limit), ..Timeline::default() };
        match subject {
            Subject::Hashes(hashes) => asked.email_hash = Some(hashes.iter().map(ToString::to_string).collect()),
            Subject::Message(id) => asked.message = Some(id.clone()),
        }
        Ok(self.answer(self.post("timeline", &asked)?)?)
    }

    fn newest(&self, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        Ok(self.answer(self.get(&["newest"], &[("limit", limit.to_string())])?)?)
    }

    /// One request, read as it arrives; how much at once is up to the server.
    fn pages<'a>(&'a self, filter: &'a Filter, _size: usize) -> Pages<'a> {
        let mut lines = None;
        Box::new(std::iter::from_fn(move || {
            let lines = match &mut lines {
                Some(lines) => lines,
                none => match self.post("export", &body(filter, Nothing {})) {
                    Ok(begun) => none.insert(begun),
                    Err(error) => return Some(Err(error.into())),
                },
            };
            let some: Result<Option<Vec<EventRow>>, _> = lines.some();
            let answer = |rows: Vec<EventRow>| Answer {
                value: rows.into_iter().map(EventRecord::from).collect(),
                scanned: self.scanned(),
            };
            some.map(|rows| rows.map(answer)).map_err(AskError::from).transpose()
        }))
    }

    fn stats(&self, filter: &Filter, by: &[Dimension], counted: Counted) -> Result<Answer<Vec<Group>>, AskError> {
        let (distinct, heading) = match counted {
            Counted::Rows => (None, "events"),
            Counted::Recipients => (Some("recipients".to_owned()), "recipients"),
        };
        let counting = Counting {
            by: Some(by.iter().map(|dimension| dimension.as_str().to_owned()).collect()),
            distinct,
            include_tests: filter.include_tests,
        };
        let rows: Vec<Row> = self.post("stats", &body(filter, counting))?.rows()?;
        let group = |row: Row| {
            let keys = by.iter().map(|dimension| row.text(dimension.as_str()).map(str::to_owned)).collect();
            let count = row.get(heading).and_then(serde_json::Value::as_u64).ok_or_else(|| self.unreadable())?;
            Ok::<_, RemoteError>(Group { keys, count })
        };
        let value = rows.into_iter().map(group).collect::<Result<_, _>>()?;
        Ok(Answer { value, scanned: self.scanned() })
    }

    /// Came with the counts; asked for alone, they are counted for it.
    fn repeats(&self, filter: &Filter) -> Result<u64, AskError> {
        if self.about().repeats.is_none() {
            self.stats(filter, &[], Counted::Rows)?;
        }
        Ok(self.about().repeats.unwrap_or_default())
    }

    fn latest_status(
        &self,
        scope: &Scope,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<Vec<RecipientStatus>, AskError> {
        let asked = Mail { since: since.map(rfc3339), until: until.map(rfc3339), ..Mail::of(scope) };
        let rows: Vec<Row> = self.post("latest", &asked)?.rows()?;
        let one = |row: Row| {
            let text = |column| row.text(column).map(str::to_owned);
            let moment = |column| row.text(column).and_then(micros);
            Some(RecipientStatus {
                email_hash: text("email_hash")?,
                status: Status::parse(row.text("status")?)?,
                reason: text("reason"),
                classification: text("classification"),
                status_code: text("status_code"),
                first_seen: moment("first_seen")?,
                last_seen: moment("last_seen")?,
            })
        };
        let all: Option<Vec<RecipientStatus>> = rows.into_iter().map(one).collect();
        Ok(all.ok_or_else(|| self.unreadable())?)
    }
}
