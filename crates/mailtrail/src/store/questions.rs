//! What can be asked of a store, whichever keeps the events. Each method is one question.

use super::bigquery::BigQueryError;
use super::query::{Answer, Counted, Dimension, EventRecord, Filter, Group, RecipientStatus, Scope, Subject};
use super::remote::RemoteError;
use super::sqlite::{ReadError, Reader};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The trail on this machine.
    #[error(transparent)]
    Sqlite(#[from] ReadError),
    /// BigQuery.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
    /// Another host.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl AskError {
    /// Whether BigQuery may answer when asked again later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::BigQuery(error) if error.may_pass())
    }
}

/// Page after page of events.
pub type Pages<'a> = Box<dyn Iterator<Item = Result<Answer<Vec<EventRecord>>, AskError>> + 'a>;

/// A store, open for questions.
pub trait Questions {
    /// The newest events that fulfil a filter, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn activity(&self, filter: &Filter, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError>;

    /// All events of a recipient or a message, oldest first; of more than `limit` the newest ones.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn timeline(&self, subject: &Subject, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError>;

    /// The events received last, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn newest(&self, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError>;

    /// All events that fulfil a filter, in the order of (timestamp, event_key), about `size` at once.
    fn pages<'a>(&'a self, filter: &'a Filter, size: usize) -> Pages<'a>;

    /// How many, by each combination of the dimensions' values; the largest counts first.
    ///
    /// # Errors
    /// When the store cannot be read, or the answer has more lines than anybody reads.
    fn stats(&self, filter: &Filter, by: &[Dimension], counted: Counted) -> Result<Answer<Vec<Group>>, AskError>;

    /// How many events repeat another one under a new id.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn repeats(&self, filter: &Filter) -> Result<u64, AskError>;

    /// The status of every recipient that has an event in the scope at that time, by hash. Events of tests do not count.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn latest_status(
        &self,
        scope: &Scope,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<Vec<RecipientStatus>, AskError>;
}

impl Questions for Reader {
    fn activity(&self, filter: &Filter, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        Ok(Self::activity(self, filter, limit)?)
    }

    fn timeline(&self, subject: &Subject, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        Ok(Answer { value: Self::timeline(self, subject, limit)?, scanned: None })
    }

    fn newest(&self, limit: usize) -> Result<Answer<Vec<EventRecord>>, AskError> {
        Ok(Answer { value: Self::newest(self, limit)?, scanned: None })
    }

    /// Each page is a question of its own, so that a long export holds nothing up.
    fn pages<'a>(&'a self, filter: &'a Filter, size: usize) -> Pages<'a> {
        let mut after = None;
        Box::new(std::iter::from_fn(move || {
            let page = match self.page(filter, after.as_ref(), size) {
                Ok(page) => page,
                Err(error) => return Some(Err(error.into())),
            };
            after = Some(page.value.last()?.place());
            Some(Ok(page))
        }))
    }

    fn stats(&self, filter: &Filter, by: &[Dimension], counted: Counted) -> Result<Answer<Vec<Group>>, AskError> {
        Ok(Self::stats(self, filter, by, counted)?)
    }

    fn repeats(&self, filter: &Filter) -> Result<u64, AskError> {
        Ok(Self::repeats(self, filter)?)
    }

    fn latest_status(
        &self,
        scope: &Scope,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<Vec<RecipientStatus>, AskError> {
        Ok(Self::latest_status(self, scope, since, until)?)
    }
}
