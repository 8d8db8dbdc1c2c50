//! What followers ask: how far the trail goes, and what came in between two places of it.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row};

use super::select::named;
use super::status::ASTRAY_WITHIN;
use super::{ReadError, Reader, record};
use crate::store::query::Brief;

/// Events of a test key and samples are nobody's mail, and what is imported is no news.
const REAL: &str = "e.proof_id NOT IN (SELECT id FROM proof WHERE verified_by IN ('test', 'import'))";

/// What is added by asking SendGrid does not show that its webhook works.
const POSTED: &str = "e.proof_id NOT IN (SELECT id FROM proof WHERE verified_by IN ('test', 'import', 'api'))";

impl Reader {
    /// The id of the event stored last; 0 where there is none.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn last_id(&self) -> Result<i64, ReadError> {
        let mut statement = self.prepare("SELECT ifnull(max(id), 0) FROM event")?;
        Ok(statement.query_row((), |row| row.get(0))?)
    }

    /// When the newest event after a place (an id) came in that was posted (no test, no import, nothing from SendGrid's logs), µs since the epoch.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn last_received(&self, after: i64) -> Result<Option<i64>, ReadError> {
        let mut statement = self.prepare(&format!(
            "SELECT e.received_at FROM event AS e WHERE e.id > ?1 AND {POSTED} ORDER BY e.id DESC LIMIT 1"
        ))?;
        Ok(statement.query_row([after], |row| row.get(0)).optional()?)
    }

    /// Events with ids after the first and up to the second one, in the order they were stored, tests and imports left out.
    /// `names`: only these events; `None`: all.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn briefs(&self, after: i64, until: i64, names: Option<&[String]>) -> Result<Vec<Brief>, ReadError> {
        let mut parameters = vec![(":after", Value::Integer(after)), (":until", Value::Integer(until))];
        let mut named_events = "";
        if let Some(names) = names {
            named_events = "AND e.event IN (SELECT value FROM json_each(:names))";
            parameters.push((":names", Value::Text(serde_json::to_string(names).unwrap_or_default())));
        }
        let mut statement = self.prepare(&format!(
            "SELECT e.id, e.timestamp, e.received_at, e.event, e.type, e.bounce_classification, e.status, m.run,
                    l.categories, a.email_domain, m.address_id, ifnull(e.reason, e.response),
                    e.event = 'bounce' AND m.message_id IS NULL AND m.run IS NULL AND m.address_id IS NOT NULL
             FROM event AS e CROSS JOIN message AS m ON m.id = e.message
             LEFT JOIN address AS a ON a.id = m.address_id
             LEFT JOIN category_list AS l ON l.id = m.category_list_id
             WHERE e.id > :after AND e.id <= :until {named_events} AND {REAL} ORDER BY e.id"
        ))?;
        let rows = statement.query_map(&named(&parameters)[..], |row| Ok((brief(row)?, row.get::<_, bool>(12)?)))?;
        let mut briefs = Vec::new();
        for row in rows {
            let (mut brief, astray) = row?;
            if astray {
                self.attribute(&mut brief)?;
            }
            briefs.push(brief);
        }
        Ok(briefs)
    }

    /// An asynchronous bounce names neither message nor categories nor run: it takes those of the newest message that its
    /// recipient got within the seven days before it.
    fn attribute(&self, brief: &mut Brief) -> Result<(), ReadError> {
        let mut statement = self.prepare(
            "SELECT m.run, l.categories
             FROM message AS m JOIN event AS e ON e.message = m.id
             LEFT JOIN category_list AS l ON l.id = m.category_list_id
             WHERE m.address_id = ?1 AND m.message_id IS NOT NULL AND e.timestamp <= ?2
             GROUP BY m.id HAVING min(e.timestamp) >= ?3 ORDER BY min(e.timestamp) DESC LIMIT 1",
        )?;
        let since = brief.timestamp.saturating_sub(ASTRAY_WITHIN);
        let found = statement
            .query_row((brief.recipient, brief.timestamp, since), |row| Ok((row.get(0)?, record::list(row, 1)?)))
            .optional()?;
        if let Some((run, categories)) = found {
            (brief.run, brief.categories) = (run, categories);
        }
        Ok(())
    }
}

fn brief(row: &Row<'_>) -> rusqlite::Result<Brief> {
    Ok(Brief {
        id: row.get(0)?,
        timestamp: row.get(1)?,
        received_at: row.get(2)?,
        event: row.get(3)?,
        r#type: row.get(4)?,
        classification: row.get(5)?,
        status_code: row.get(6)?,
        reason: row.get(11)?,
        run: row.get(7)?,
        categories: record::list(row, 8)?,
        domain: row.get(9)?,
        recipient: row.get(10)?,
    })
}
