//! What became of the mail of every recipient of a category or run. The rules are `settle`'s; BigQuery only finds the events.

use std::collections::HashMap;

use super::Asker;
use super::cell::Cells;
use super::select::select;
use crate::settle::{Fold, Seen};
use crate::store::bigquery::error::BigQueryError;
use crate::store::bigquery::meta;
use crate::store::bigquery::query::{Parameter, Query, Rows};
use crate::store::query::{Filter, Mailed, RecipientOutcome, RecipientStatus, Scope};
use crate::store::sqlite::message_digest;

/// How long after a message's first event a bounce without ids is still taken for its own, µs.
const ASTRAY_WITHIN: i64 = 7 * 24 * 3600 * 1_000_000;

/// Mail that began so long ago, µs, is not opened any more, as a rule.
const LONG_AGO: i64 = 90 * 24 * 3600 * 1_000_000;

const COLUMNS: &str = "email_hash, message_id, event, type, timestamp, IFNULL(reason, response) AS why, bounce_classification, status, email_domain, \
     verified_by, received_at";

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
    domain: Option<String>,
    verified_by: Option<String>,
    received_at: i64,
}

/// One recipient's events so far.
#[derive(Default)]
struct One {
    fold: Fold,
    domain: Option<String>,
    proven: bool,
    mailed: bool,
}

/// What vouches for an event without SendGrid's own word.
pub(super) const NOT_SENDGRID: [&str; 3] = ["basic", "import", "test"];

impl One {
    fn add(&mut self, event: &Event) {
        self.mailed |= event.event != "dropped";
        if self.domain.is_none() {
            self.domain.clone_from(&event.domain);
        }
        self.fold.add(&event.seen());
    }
}

impl Asker {
    /// Since when events need to be vouched for, µs; asked once.
    pub(super) fn keyed(&self) -> Result<Option<i64>, BigQueryError> {
        if let Some(known) = self.keyed.get() {
            return Ok(*known);
        }
        let keyed = self.blocking.wait(meta::keyed(&self.dataset.jobs, &self.dataset.names))?;
        Ok(*self.keyed.get_or_init(|| keyed))
    }
}

/// What became of every recipient that has an event of that mail, by hash.
pub(super) fn outcomes(asker: &Asker, mailed: &Mailed) -> Result<Vec<RecipientOutcome>, BigQueryError> {
    let Some(mailed) = &asker.bounded(mailed)? else { return Ok(Vec::new()) };
    let keyed = if mailed.unproven { None } else { asker.keyed()? };
    let counts = |event: &Event| event.verified_by.is_some() || keyed.is_none_or(|keyed| event.received_at < keyed);
    let of_run = matches!(mailed.scope, Scope::Run(_));
    let mut recipients: HashMap<String, One> = HashMap::new();
    for event in events(&asker.ask_at_once(&select(&asker.dataset.names, &mailed.filter(), COLUMNS))?)? {
        if counts(&event) {
            let one = recipients.entry(event.hash.clone()).or_default();
            one.proven |= of_run && event.is_sendgrid_s();
            one.add(&event);
        }
    }
    add_strays(asker, &mut recipients, mailed, &counts)?;
    let mut all: Vec<(String, One)> = recipients.into_iter().collect();
    all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let outcome = |(address, (email_hash, one)): (i64, (String, One))| {
        Some(RecipientOutcome {
            address,
            domain: one.domain,
            proven: one.proven,
            mailed: one.mailed,
            status: RecipientStatus::of(email_hash, one.fold.settled()?),
        })
    };
    Ok((0..).zip(all).filter_map(outcome).collect())
}

/// Events that do not say where they belong. One that names no run belongs to the run that other events of its message name.
/// Asynchronous bounces name neither message nor categories nor custom args: one belongs to the newest message that its
/// recipient got within the seven days before it, and counts where that message does.
fn add_strays(
    asker: &Asker,
    recipients: &mut HashMap<String, One>,
    mailed: &Mailed,
    counts: &dyn Fn(&Event) -> bool,
) -> Result<(), BigQueryError> {
    if recipients.is_empty() {
        return Ok(());
    }
    let names = &asker.dataset.names;
    let filter = Filter { since: mailed.since, until: mailed.until, ..Filter::default() };
    let mut query = select(names, &filter, &format!("{COLUMNS}, run"));
    let (within, condition) = match &mailed.scope {
        Scope::Category(_) => ("event = 'bounce' AND message_id IS NULL AND run IS NULL", "TRUE"),
        Scope::Run(run) => {
            query = query.with("run", Parameter::Text(run.clone()));
            (
                "(run IS NULL OR run = @run)",
                "run IS NULL AND ((event = 'bounce' AND message_id IS NULL)
                     OR message_id IN (SELECT message_id FROM found WHERE run = @run))",
            )
        }
    };
    query.sql = format!(
        "WITH found AS ({}) SELECT * EXCEPT (run) FROM found WHERE {condition}",
        query.sql.replace(" QUALIFY", &format!(" AND {within} QUALIFY"))
    );
    let mut bounces = Vec::new();
    for stray in events(&asker.ask_at_once(&query)?)? {
        let Some(one) = recipients.get_mut(&stray.hash).filter(|_| counts(&stray)) else { continue };
        match stray.message {
            None => bounces.push(stray),
            Some(message) if one.fold.knows(message) => {
                one.proven |= stray.is_sendgrid_s();
                one.add(&stray);
            }
            Some(_) => {}
        }
    }
    if bounces.is_empty() {
        return Ok(());
    }
    let mut hashes: Vec<String> = bounces.iter().map(|bounce| bounce.hash.clone()).collect();
    hashes.sort();
    hashes.dedup();
    // Of many days: a message that began earlier must not seem to begin with the days looked at.
    let since = bounces.iter().map(|bounce| bounce.timestamp).min().map(|first| first.saturating_sub(LONG_AGO));
    let everything =
        select(names, &Filter { since, include_tests: true, ..Filter::default() }, "email_hash, message_id, timestamp");
    let sql = format!(
        "WITH found AS ({}) SELECT email_hash, message_id, MIN(timestamp) AS began FROM found GROUP BY 1, 2",
        everything.sql.replace(" QUALIFY", " AND email_hash IN UNNEST(@recipients) AND message_id IS NOT NULL QUALIFY")
    );
    let query = Query { sql, ..everything }.with("recipients", Parameter::Texts(hashes));
    let mut messages: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
    for row in &asker.ask_at_once(&query)?.rows {
        let mut cells = Cells::new(row);
        let (hash, message) = (cells.needed()?, message_digest(&cells.needed()?));
        messages.entry(hash).or_default().push((cells.time()?, message));
    }
    for mut bounce in bounces {
        let days = bounce.timestamp - ASTRAY_WITHIN..=bounce.timestamp;
        let began = messages.get(&bounce.hash).into_iter().flatten();
        let newest = began.filter(|(began, _)| days.contains(began)).max_by_key(|(began, _)| *began);
        let (Some((_, message)), Some(one)) = (newest, recipients.get_mut(&bounce.hash)) else { continue };
        if one.fold.knows(*message) {
            bounce.message = Some(*message);
            one.add(&bounce);
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
            domain: cells.text(),
            verified_by: cells.text(),
            received_at: cells.time()?,
        });
    }
    Ok(events)
}

impl Event {
    /// Whether SendGrid itself vouches for it.
    fn is_sendgrid_s(&self) -> bool {
        self.verified_by.as_deref().is_some_and(|by| !NOT_SENDGRID.contains(&by))
    }

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
