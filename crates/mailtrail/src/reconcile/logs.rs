//! The Email Logs API (`tsg_logs_v3.yaml`), as far as it is used. No `Debug`: it is full of addresses.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::sendgrid::{CallError, Client, Patience};

/// How long SendGrid keeps messages there.
pub const KEPT_DAYS: i64 = 30;
/// Most messages of one answer; there is no next page.
const MOST_MESSAGES: usize = 1000;
/// Most events of one message that are told.
const MOST_EVENTS: usize = 100;

/// Rate limits are not published; what runs for an hour may wait for minutes.
const PATIENCE: Patience = Patience {
    attempts: 12,
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(60),
    longest_wait: Duration::from_secs(900),
};

/// A message in an answer to a search. Its subject and sender are never read.
#[derive(Deserialize)]
pub(super) struct Found {
    pub(super) sg_message_id: String,
    pub(super) to_email: String,
    pub(super) status: String,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<Found>,
}

/// All that is told of one message, as far as it is kept: not subject, sender, API key, client address.
#[derive(Deserialize)]
pub(super) struct Details {
    pub(super) events: Vec<Map<String, Value>>,
    #[serde(default)]
    pub(super) category: Vec<String>,
    #[serde(default)]
    pub(super) custom_args: Map<String, Value>,
}

impl Details {
    /// Whether there may be older events that are not told.
    pub(super) fn is_cut_short(&self) -> bool {
        self.events.len() >= MOST_EVENTS
    }
}

/// Whether there may be more than was told.
pub(super) fn is_full(found: &[Found]) -> bool {
    found.len() >= MOST_MESSAGES
}

pub(super) struct Logs<'c> {
    client: &'c Client,
    /// SendGrid shows a subuser's messages to its parent's key only where asked for it by number.
    pub(super) subuser: Option<u64>,
}

impl<'c> Logs<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self { client, subuser: None }
    }

    /// Messages made from a time on and before another (ms since 1970), with a status where one is asked for.
    pub(super) async fn search(&self, from: i64, to: i64, status: Option<&str>) -> Result<Vec<Found>, CallError> {
        let mut body = json!({"query": query(from, to, status), "limit": MOST_MESSAGES});
        if let Some(subuser) = self.subuser {
            body["subusers"] = json!([subuser.to_string()]);
        }
        let page: Page = self.client.query(&["v3", "logs"], &body, &PATIENCE).await?;
        Ok(page.messages)
    }

    /// `None` where SendGrid has it no more.
    pub(super) async fn details(&self, sg_message_id: &str) -> Result<Option<Details>, CallError> {
        let query: Vec<_> = self.subuser.iter().map(|subuser| ("subuser", subuser.to_string())).collect();
        match self.client.get_with(&["v3", "logs", sg_message_id], &query, &PATIENCE).await {
            Ok(details) => Ok(Some(details)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn query(from: i64, to: i64, status: Option<&str>) -> String {
    let created = "sg_message_id_created_at";
    let time = |ms| Timestamp::from_millisecond(ms).unwrap_or_default();
    let status = status.map(|status| format!(" AND status IN ('{status}')")).unwrap_or_default();
    format!("{created} >= TIMESTAMP \"{}\" AND {created} < TIMESTAMP \"{}\"{status}", time(from), time(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_in_sendgrids_language() {
        assert_eq!(
            query(1_735_689_600_000, 1_738_368_000_250, Some("delivered")),
            "sg_message_id_created_at >= TIMESTAMP \"2025-01-01T00:00:00Z\" AND sg_message_id_created_at < TIMESTAMP \
             \"2025-02-01T00:00:00.25Z\" AND status IN ('delivered')"
        );
    }
}
