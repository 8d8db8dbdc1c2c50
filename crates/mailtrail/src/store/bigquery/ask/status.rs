//! What became of the mail of every recipient of a category or run. The rules are `settle`'s; BigQuery only finds the events.

use std::collections::HashMap;

use super::Asker;
use super::cell::Cells;
use super::select::select;
use crate::settle::{Fold, Seen};
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::query::{Parameter, Query, Rows};
use crate::store::query::{Filter, RecipientStatus, Scope};
use crate::store::sqlite::message_digest;

/// How long after a message's first event a bounce without ids is still taken for its own, µs.
const ASTRAY_WITHIN: i64 = 7 * 24 * 3600 * 1_000_000;

const COLUMNS: &str =
    "email_hash, message_id, event, type, timestamp, IFNULL(reason, response) AS why, bounce_classification, status";

/// One event of a recipient.
struct Event {
    hash: String,
    message: Option<i64>,
    event: String,
    r#type: Option<String>,
    timestamp: i64,
    reason: Option<String>,
    classification: Option<String>,
    status_code: Option<String>,
}

pub(super) fn latest(
    asker: &Asker,
    scope: &Scope,
    since: Option<i64>,
    until: Option<i64>,
) -> Result<Vec<RecipientStatus>, BigQueryError> {
    let mut filter = Filter { since, until, ..Filter::default() };
    match scope {
        Scope::Category(name) => filter.categories.push(name.clone()),
        Scope::Run(name) => filter.runs.push(name.clone()),
    }
    let names = &asker.dataset.names;
    let mut recipients: HashMap<String, Fold> = HashMap::new();
    for event in events(&asker.ask(&select(names, &filter, COLUMNS))?)? {
        recipients.entry(event.hash.clone()).or_default().add(&event.seen());
    }
    add_astray_bounces(asker, &mut recipients, since, until)?;
    let mut all: Vec<RecipientStatus> = recipients
        .into_iter()
        .filter_map(|(email_hash, fold)| Some(RecipientStatus::of(email_hash, fold.settled()?)))
        .collect();
    all.sort_unstable_by(|one, other| one.email_hash.cmp(&other.email_hash));
    Ok(all)
}

/// Asynchronous bounces name neither message nor categories nor custom args. One belongs to the newest message that its
/// recipient got within the seven days before it, and counts where that message does.
fn add_astray_bounces(
    asker: &Asker,
    recipients: &mut HashMap<String, Fold>,
    since: Option<i64>,
    until: Option<i64>,
) -> Result<(), BigQueryError> {
    let names = &asker.dataset.names;
    let filter = Filter { since, until, events: vec!["bounce".to_owned()], include_tests: true, ..Filter::default() };
    let mut query = select(names, &filter, &format!("{COLUMNS}, run"));
    query.sql = format!(
        "WITH found AS ({}) SELECT * EXCEPT (run) FROM found WHERE message_id IS NULL AND run IS NULL",
        query.sql
    );
    let mut bounces = events(&asker.ask(&query)?)?;
    bounces.retain(|bounce| recipients.contains_key(&bounce.hash));
    if bounces.is_empty() {
        return Ok(());
    }
    let mut hashes: Vec<String> = bounces.iter().map(|bounce| bounce.hash.clone()).collect();
    hashes.sort();
    hashes.dedup();
    // Of all days: a message that began earlier must not seem to begin with the days looked at.
    let everything =
        select(names, &Filter { include_tests: true, ..Filter::default() }, "email_hash, message_id, timestamp");
    let sql = format!(
        "WITH found AS ({}) SELECT email_hash, message_id, MIN(timestamp) AS began FROM found GROUP BY 1, 2",
        everything.sql.replace(" QUALIFY", " AND email_hash IN UNNEST(@recipients) AND message_id IS NOT NULL QUALIFY")
    );
    let query = Query { sql, ..everything }.with("recipients", Parameter::Texts(hashes));
    let mut messages: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
    for row in &asker.ask(&query)?.rows {
        let mut cells = Cells::new(row);
        let (hash, message) = (cells.needed()?, message_digest(&cells.needed()?));
        messages.entry(hash).or_default().push((cells.time()?, message));
    }
    for mut bounce in bounces {
        let days = bounce.timestamp - ASTRAY_WITHIN..=bounce.timestamp;
        let began = messages.get(&bounce.hash).into_iter().flatten();
        let newest = began.filter(|(began, _)| days.contains(began)).max_by_key(|(began, _)| *began);
        let (Some((_, message)), Some(fold)) = (newest, recipients.get_mut(&bounce.hash)) else { continue };
        if fold.knows(*message) {
            bounce.message = Some(*message);
            fold.add(&bounce.seen());
        }
    }
    Ok(())
}

/// Events without an address are nobody's.
fn events(rows: &Rows) -> Result<Vec<Event>, BigQueryError> {
    let mut events = Vec::with_capacity(rows.rows.len());
    for row in &rows.rows {
        let mut cells = Cells::new(row);
        let Some(hash) = cells.text() else { continue };
        events.push(Event {
            hash,
            message: cells.text().map(|id| message_digest(&id)),
            event: cells.needed()?,
            r#type: cells.text(),
            timestamp: cells.time()?,
            reason: cells.text(),
            classification: cells.text(),
            status_code: cells.text(),
        });
    }
    Ok(events)
}

impl Event {
    fn seen(&self) -> Seen<'_> {
        // Good news have no reason worth telling.
        let bad = matches!(self.event.as_str(), "bounce" | "dropped" | "deferred");
        Seen {
            message: self.message,
            event: &self.event,
            r#type: self.r#type.as_deref(),
            timestamp: self.timestamp,
            reason: self.reason.as_deref().filter(|_| bad),
            classification: self.classification.as_deref().filter(|_| bad),
            status_code: self.status_code.as_deref().filter(|_| bad),
        }
    }
}
