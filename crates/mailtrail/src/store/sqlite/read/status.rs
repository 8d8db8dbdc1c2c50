//! What became of the mail of every recipient of a category or run.

use std::collections::HashMap;

use rusqlite::OptionalExtension as _;

use super::select::{Needs, Selection, Source, named};
use super::{ReadError, Reader};
use crate::settle::{Fold, Seen};
use crate::store::query::{Filter, RecipientStatus, Scope};
use crate::store::sqlite::append::message_digest;

/// How long after a message's first event a bounce without ids is still taken for its own, µs.
pub(super) const ASTRAY_WITHIN: i64 = 7 * 24 * 3600 * 1_000_000;

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
        let mut recipients = match selection.source {
            Source::Category => self.by_side_table(&selection)?,
            _ => self.by_events(&selection)?,
        };
        self.add_astray_bounces(&mut recipients, since, until)?;
        self.with_hashes(recipients)
    }

    /// Of a category: the side table has all that good news need, so only for bad news is the event itself read.
    fn by_side_table(&self, selection: &Selection) -> Result<HashMap<i64, Fold>, ReadError> {
        let found = selection.source_and_conditions(Needs::default());
        let statement = format!(
            "SELECT l.address_id, l.message, l.event, l.timestamp, l.event_id {found} AND l.address_id IS NOT NULL"
        );
        let mut events = self.prepare(&statement)?;
        let mut news = self
            .prepare("SELECT type, ifnull(reason, response), bounce_classification, status FROM event WHERE id = ?1")?;
        let mut recipients: HashMap<i64, Fold> = HashMap::new();
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
            let fold = recipients.entry(row.get(0)?).or_default();
            if !matches!(event, "bounce" | "dropped" | "deferred") {
                fold.add(&seen);
                continue;
            }
            news.query_row([row.get::<_, i64>(4)?], |row| {
                let text = |at| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
                let (r#type, reason) = (text(0)?, text(1)?);
                fold.add(&Seen { r#type, reason, classification: text(2)?, status_code: text(3)?, ..seen });
                Ok(())
            })?;
        }
        Ok(recipients)
    }

    /// Of a run: by its messages.
    fn by_events(&self, selection: &Selection) -> Result<HashMap<i64, Fold>, ReadError> {
        let found = selection.source_and_conditions(Needs { event: true, message: true, ..Needs::default() });
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
                message: text(1)?.map(message_digest),
                event: row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?,
                r#type: text(3)?,
                timestamp: row.get(4)?,
                reason: text(5)?,
                classification: text(6)?,
                status_code: text(7)?,
            });
        }
        Ok(recipients)
    }

    /// Asynchronous bounces name neither message nor categories nor custom args. One belongs to the newest message that
    /// its recipient got within the seven days before it, and counts where that message does.
    fn add_astray_bounces(
        &self,
        recipients: &mut HashMap<i64, Fold>,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<(), ReadError> {
        let mut bounces = self.prepare(
            "SELECT m.address_id, e.event, e.type, e.timestamp, ifnull(e.reason, e.response), e.bounce_classification, e.status
             FROM message AS m JOIN event AS e ON e.message = m.id
             WHERE m.message_id IS NULL AND m.run IS NULL AND m.address_id IS NOT NULL AND e.event = 'bounce'
               AND e.timestamp >= ?1 AND e.timestamp < ?2",
        )?;
        let mut newest_message = self.prepare(
            "SELECT m.message_id FROM message AS m JOIN event AS e ON e.message = m.id
             WHERE m.address_id = ?1 AND m.message_id IS NOT NULL AND e.timestamp <= ?2
             GROUP BY m.message_id HAVING min(e.timestamp) >= ?3 ORDER BY min(e.timestamp) DESC LIMIT 1",
        )?;
        let mut rows = bounces.query((since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX)))?;
        while let Some(row) = rows.next()? {
            let (address, timestamp): (i64, i64) = (row.get(0)?, row.get(3)?);
            let Some(fold) = recipients.get_mut(&address) else { continue };
            let message: Option<String> = newest_message
                .query_row((address, timestamp, timestamp - ASTRAY_WITHIN), |row| row.get(0))
                .optional()?;
            let Some(message) = message.map(|id| message_digest(&id)).filter(|id| fold.knows(*id)) else { continue };
            let text = |at| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
            fold.add(&Seen {
                message: Some(message),
                event: row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?,
                r#type: text(2)?,
                timestamp,
                reason: text(4)?,
                classification: text(5)?,
                status_code: text(6)?,
            });
        }
        Ok(())
    }

    fn with_hashes(&self, recipients: HashMap<i64, Fold>) -> Result<Vec<RecipientStatus>, ReadError> {
        let mut hash = self.prepare("SELECT email_hash FROM address WHERE id = ?1")?;
        let mut all = Vec::with_capacity(recipients.len());
        // In the order of the table, so that each of its pages is visited once.
        let mut recipients: Vec<(i64, Fold)> = recipients.into_iter().collect();
        recipients.sort_unstable_by_key(|(address, _)| *address);
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
