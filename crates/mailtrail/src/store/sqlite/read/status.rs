//! What became of the mail of every recipient of a category or run.

use std::collections::HashMap;

use super::select::{Needs, Selection, named};
use super::{ReadError, Reader};
use crate::settle::{Fold, Seen};
use crate::store::query::{Filter, RecipientStatus, Scope};

impl Reader {
    /// The status of every recipient that has an event in the scope at that time, by hash. Events of tests do not count.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn latest_status(
        &self,
        scope: &Scope,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<Vec<RecipientStatus>, ReadError> {
        let mut filter = Filter { since, until, ..Filter::default() };
        match scope {
            Scope::Category(name) => filter.categories.push(name.clone()),
            Scope::Run(name) => filter.runs.push(name.clone()),
        }
        let selection = Selection::new(&filter, None, self.knows_tests()?);
        let found = selection.from_where(Needs { event: true, message: true, ..Needs::default() });
        // Texts are read only where somebody will.
        let address = selection.address();
        let statement = format!(
            "SELECT {address}, m.message_id, e.event, e.type, e.timestamp,
                    CASE WHEN e.event IN ('bounce', 'dropped', 'deferred') THEN ifnull(e.reason, e.response) END,
                    CASE WHEN e.event IN ('bounce', 'dropped', 'deferred') THEN e.bounce_classification END,
                    CASE WHEN e.event IN ('bounce', 'dropped', 'deferred') THEN e.status END
             {found} AND {address} IS NOT NULL"
        );
        let mut recipients: HashMap<i64, Fold> = HashMap::new();
        let mut prepared = self.prepare(&statement)?;
        let mut rows = prepared.query(&named(&selection.parameters)[..])?;
        while let Some(row) = rows.next()? {
            let text = |at| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
            recipients.entry(row.get(0)?).or_default().add(&Seen {
                message: text(1)?,
                event: row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?,
                r#type: text(3)?,
                timestamp: row.get(4)?,
                reason: text(5)?,
                classification: text(6)?,
                status_code: text(7)?,
            });
        }
        self.with_hashes(recipients)
    }

    fn with_hashes(&self, recipients: HashMap<i64, Fold>) -> Result<Vec<RecipientStatus>, ReadError> {
        let mut hash = self.prepare("SELECT email_hash FROM address WHERE id = ?1")?;
        let mut all = Vec::with_capacity(recipients.len());
        for (address, fold) in recipients {
            let Some(settled) = fold.settled() else { continue };
            all.push(RecipientStatus {
                email_hash: hash.query_row([address], |row| row.get(0))?,
                status: settled.status,
                reason: settled.reason,
                classification: settled.classification,
                status_code: settled.status_code,
                first_seen: settled.first_seen,
                last_seen: settled.last_seen,
            });
        }
        all.sort_unstable_by(|one, other| one.email_hash.cmp(&other.email_hash));
        Ok(all)
    }
}
