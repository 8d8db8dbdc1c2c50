//! Sends, asked of another host: runs, who was not reached, who already got it.

use super::client::Remote;
use super::error::RemoteError;
use super::row::Row;
use super::wire::Mail;
use crate::protect::EmailHash;
use crate::run::path_segment;
use crate::store::query::Scope;

impl Mail {
    /// Of this run or category.
    #[must_use]
    pub fn of(scope: &Scope) -> Self {
        match scope {
            Scope::Run(run) => Self { run: Some(run.clone()), ..Self::default() },
            Scope::Category(category) => Self { category: Some(category.clone()), ..Self::default() },
        }
    }

    /// With a list of recipients, each by the hashes under all keys.
    #[must_use]
    pub fn with_list(self, list: Option<&[Vec<EmailHash>]>) -> Self {
        let each = |hashes: &Vec<EmailHash>| hashes.iter().map(ToString::to_string).collect();
        Self { email_hash: list.map(|list| list.iter().map(each).collect()), ..self }
    }

    /// From this event time on, µs since the epoch.
    #[must_use]
    pub fn since(self, since: Option<i64>) -> Self {
        Self { since: since.map(super::events::rfc3339), ..self }
    }
}

impl Remote {
    /// The newest runs, at most so many.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn runs(&self, limit: usize) -> Result<Vec<Row>, RemoteError> {
        self.get(&["runs"], &[("limit", limit.to_string())])?.rows()
    }

    /// One run in all its figures.
    ///
    /// # Errors
    /// When there is no answer, or no such run.
    pub fn run(&self, name: &str) -> Result<Row, RemoteError> {
        let rows: Vec<Row> = self.get(&["runs", &path_segment(name)], &[])?.rows()?;
        rows.into_iter().next().ok_or_else(|| self.broken_off())
    }

    /// Who did not get it.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn unreached(&self, mail: &Mail) -> Result<Vec<Row>, RemoteError> {
        self.post("unreached", mail)?.rows()
    }

    /// Who already got it.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn sent(&self, mail: &Mail) -> Result<Vec<Row>, RemoteError> {
        self.post("sent", mail)?.rows()
    }
}
