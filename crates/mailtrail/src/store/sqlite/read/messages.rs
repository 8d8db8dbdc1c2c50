//! What is known of messages by their whole ids: for who compares them with SendGrid's own logs.

use rusqlite::types::Value;

use super::select::{json, named};
use super::{ReadError, Reader};
use crate::store::query::SeenOfMessage;

impl Reader {
    /// The events of messages to recipients, in no order. `messages`: columns `message_id` that an index leads to; `whole`:
    /// the `sg_message_id`s that are asked for.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn seen_of_messages(&self, messages: &[String], whole: &[String]) -> Result<Vec<SeenOfMessage>, ReadError> {
        let parameters = [(":messages", Value::Text(json(messages))), (":whole", Value::Text(json(whole)))];
        let mut statement = self.prepare(
            "SELECT m.sg_message_id, a.email_hash, e.event, e.type
             FROM message AS m CROSS JOIN event AS e ON e.message = m.id CROSS JOIN address AS a ON a.id = m.address_id
             WHERE m.message_id IN (SELECT value FROM json_each(:messages))
               AND m.sg_message_id IN (SELECT value FROM json_each(:whole))",
        )?;
        let rows = statement.query_map(&named(&parameters)[..], |row| {
            Ok(SeenOfMessage {
                sg_message_id: row.get(0)?,
                email_hash: row.get(1)?,
                event: row.get(2)?,
                r#type: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether an event is there, by what tells events apart.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn has_event(&self, timestamp: i64, event_key: &[u8; 16]) -> Result<bool, ReadError> {
        let mut statement =
            self.prepare("SELECT EXISTS (SELECT 1 FROM event AS e WHERE e.timestamp = ?1 AND e.event_key = ?2)")?;
        Ok(statement.query_row((timestamp, event_key), |row| row.get(0))?)
    }

    /// Whether the trail's quarantine has something with this key.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub fn has_quarantined(&self, item_key: &[u8; 16]) -> Result<bool, ReadError> {
        let mut statement = self.prepare("SELECT EXISTS (SELECT 1 FROM quarantine WHERE item_key = ?1)")?;
        Ok(statement.query_row([item_key], |row| row.get(0))?)
    }
}
