//! What the follower of a dataset reads and saves. There is one follower at a time: whoever holds the lock [`LOCK`].

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::Dataset;
use super::arrivals::{Arrivals, Shape};
use super::ask::cell::Cells;
use super::error::BigQueryError;
use super::lock::Held;
use super::query::{Parameter, Query};
use super::schema::{EVENTS, PLACES};
use super::seen::Seen;
use crate::store::query::{Brief, Filter};

/// The lock that the follower holds; also names what it saves.
pub const LOCK: &str = "follow";

/// How far before its place a look begins, µs. Receivers whose clocks are off by more than five minutes refuse SendGrid's
/// posts; as much again for our own, and for what becomes visible late.
const OVERLAP: i64 = 600 * 1_000_000;
/// How long before it a bounce without ids may have its message, and how far back that one's beginning is looked for, µs.
const ASTRAY: (i64, i64) = (7 * 86_400 * 1_000_000, 30 * 86_400 * 1_000_000);
/// What is saved names its form.
const FORM: u32 = 1;

const COLUMNS: &str = "timestamp, event, type, bounce_classification, status, IFNULL(reason, response) AS reason, run, category, email_domain, email_hash, message_id";

/// Why places are not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowStateError {
    /// BigQuery did not do what was asked.
    #[error(transparent)]
    BigQuery(#[from] BigQueryError),
    /// Another follower has taken over.
    #[error("another `mailtrail follow` has taken over{}; this one tells nothing more", .owner.as_ref().map(|owner| format!(": {owner}")).unwrap_or_default())]
    Lost {
        /// Who, where that is known.
        owner: Option<String>,
    },
}

/// What is saved, as JSON in one row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Saved {
    form: u32,
    /// Up to when received events were read, µs since the epoch.
    read_to: i64,
    places: BTreeMap<String, i64>,
    /// See [`Seen::to_text`].
    seen: String,
}

/// Some of what is new.
#[derive(Debug)]
pub struct Arrived {
    /// Events, their id the time of their receipt, each with whether it was read before this process began.
    pub events: Vec<(Brief, bool)>,
    /// Up to this time of receipt all is read now, µs since the epoch.
    pub read_to: i64,
    /// Whether there is more.
    pub more: bool,
}

/// A dataset, followed.
pub struct Following {
    dataset: Dataset,
    held: Held,
    arrivals: Arrivals,
    read_to: i64,
    places: BTreeMap<String, i64>,
}

impl Following {
    /// Goes on where the one before ended, or begins at `now` (µs since the epoch); from here on no other one saves anything.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or what is saved is of a newer version.
    pub async fn begin(dataset: &Dataset, held: Held, now: i64) -> Result<Self, BigQueryError> {
        let saved = claim(dataset, &held).await?;
        let (read_to, seen, places) = match saved {
            None => (now, Seen::from(now), BTreeMap::new()),
            Some(saved) => {
                let known_to = saved.read_to.saturating_sub(OVERLAP);
                let seen = Seen::parse(&saved.seen, known_to).ok_or_else(|| odd(dataset, "is damaged"))?;
                (saved.read_to, seen, saved.places)
            }
        };
        let shape = Shape { columns: COLUMNS.to_owned(), without: &["test", "import"] };
        let arrivals = Arrivals::new(dataset, shape, OVERLAP, seen);
        Ok(Self { dataset: dataset.clone(), held, arrivals, read_to, places })
    }

    /// Reads on behind a place. `names`: only these events.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or it would cost more than allowed.
    pub async fn read(&mut self, after: i64, names: Option<&[String]>, now: i64) -> Result<Arrived, BigQueryError> {
        let news = self.arrivals.next(after, names, now, brief).await?;
        // The place is that of what is saved as seen: the highest one.
        self.read_to = self.read_to.max(news.read_to);
        let mut events = news.items;
        self.attribute(&mut events).await?;
        let events = events.into_iter().map(|(event, known)| (event.brief, known)).collect();
        Ok(Arrived { events, read_to: news.read_to, more: news.more })
    }

    /// What one look reads, in bytes; costs nothing.
    ///
    /// # Errors
    /// When BigQuery cannot be asked.
    pub async fn cost(&self, now: i64, names: Option<&[String]>) -> Result<u64, BigQueryError> {
        self.arrivals.cost(now, names).await
    }

    /// Where a look behind a place begins.
    #[must_use]
    pub fn overlapping(&self, after: i64) -> i64 {
        self.arrivals.overlapping(after)
    }

    /// When the newest event that fulfils a filter was posted to a receiver, of those received since a time; µs since the epoch.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or it would cost more than allowed.
    pub async fn newest_received(&self, filter: &Filter, since: i64) -> Result<Option<i64>, BigQueryError> {
        let query = self.dataset.newest_received(filter, since);
        self.dataset.afford(&query).await?;
        let rows = self.dataset.jobs.ask(&query).await?.rows;
        rows.first().map_or(Ok(None), |row| Cells::new(row).integer())
    }

    /// The place saved under a name.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<i64> {
        self.places.get(name).copied()
    }

    /// Notes places, `None` to forget one; [`save`](Self::save) saves them.
    pub fn note(&mut self, changed: &[(String, Option<i64>)]) {
        for (name, at) in changed {
            match at {
                Some(at) => self.places.insert(name.clone(), *at),
                None => self.places.remove(name),
            };
        }
    }

    /// Forgets all places but these.
    pub fn keep_only(&mut self, names: &[String]) {
        self.places.retain(|name, _| names.contains(name));
    }

    /// Saves everything.
    ///
    /// # Errors
    /// When another one follows now, or BigQuery cannot be asked.
    pub async fn save(&self) -> Result<(), FollowStateError> {
        let saved = Saved {
            form: FORM,
            read_to: self.read_to,
            places: self.places.clone(),
            seen: self.arrivals.seen.to_text(),
        };
        let text = serde_json::to_string(&saved).unwrap_or_default();
        let fence = self.held.fence();
        let sql = format!(
            "UPDATE {} SET state = @state, saved_at = CURRENT_TIMESTAMP() WHERE name = @name AND fence = {fence}",
            self.dataset.names.sql_table(&PLACES)
        );
        let query = named(sql).with("state", Parameter::Text(text));
        if self.dataset.jobs.ask(&query).await?.changed > 0 {
            return Ok(());
        }
        let owner = self.dataset.lock_holder(LOCK).await?;
        Err(FollowStateError::Lost { owner })
    }

    /// Lets others follow.
    ///
    /// # Errors
    /// When BigQuery cannot be asked; then the lock stays held.
    pub async fn release(self) -> Result<(), BigQueryError> {
        self.held.release().await
    }

    /// Asynchronous bounces name neither message nor categories nor run: one takes those of the newest message that its recipient
    /// got within the seven days before it.
    async fn attribute(&self, events: &mut [(Event, bool)]) -> Result<(), BigQueryError> {
        let astray = |event: &Event| event.is_astray.then_some((event.hash.clone()?, event.brief.timestamp));
        let bounces: Vec<(String, i64)> = events.iter().filter_map(|(event, _)| astray(event)).collect();
        let times = || bounces.iter().map(|(_, at)| *at);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return Ok(()) };
        let mut hashes: Vec<String> = bounces.iter().map(|(hash, _)| hash.clone()).collect();
        hashes.sort();
        hashes.dedup();
        let query = Query::new(format!(
            "SELECT timestamp, email_hash, message_id, run, category FROM {}
             WHERE timestamp >= @since AND timestamp <= @until AND email_hash IN UNNEST(@hashes) AND message_id IS NOT NULL",
            self.dataset.names.sql_table(&EVENTS)
        ))
        .with("since", Parameter::Timestamp(first.saturating_sub(ASTRAY.1)))
        .with("until", Parameter::Timestamp(last))
        .with("hashes", Parameter::Texts(hashes));
        self.dataset.afford(&query).await?;
        let mut messages: HashMap<(String, String), Message> = HashMap::new();
        for row in &self.dataset.jobs.ask(&query).await?.rows {
            let mut cells = Cells::new(row);
            let (timestamp, key) = (cells.time()?, (cells.needed()?, cells.needed()?));
            let message = Message { began: timestamp, run: cells.text(), categories: cells.list() };
            let known = messages.entry(key).or_insert_with(|| message.clone());
            if message.began < known.began {
                *known = message;
            }
        }
        for (event, _) in events {
            let Some((hash, at)) = astray(event) else { continue };
            let days = at.saturating_sub(ASTRAY.0)..=at;
            let theirs = messages.iter().filter(|((of, _), message)| *of == hash && days.contains(&message.began));
            if let Some((_, message)) = theirs.max_by_key(|(_, message)| message.began) {
                (event.brief.run, event.brief.categories) = (message.run.clone(), message.categories.clone());
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
struct Message {
    began: i64,
    run: Option<String>,
    categories: Vec<String>,
}

struct Event {
    brief: Brief,
    hash: Option<String>,
    is_astray: bool,
}

/// Of [`COLUMNS`]; the id is set by the time of receipt, which stands before them.
fn brief(received_at: i64, cells: &mut Cells<'_>) -> Result<Event, BigQueryError> {
    let mut brief = Brief {
        id: received_at,
        received_at,
        timestamp: cells.time()?,
        event: cells.needed()?,
        r#type: cells.text(),
        classification: cells.text(),
        status_code: cells.text(),
        reason: cells.text(),
        run: cells.text(),
        categories: cells.list(),
        domain: cells.text(),
        recipient: None,
    };
    let (hash, message) = (cells.text(), cells.text());
    // Enough of the hash to tell people apart.
    let start = hash.as_deref().and_then(|hash| hash.get(..15));
    brief.recipient = start.and_then(|digits| i64::from_str_radix(digits, 16).ok());
    let is_astray = brief.event == "bounce" && message.is_none() && brief.run.is_none() && hash.is_some();
    Ok(Event { brief, hash, is_astray })
}

/// Reads what is saved, and has nobody with an older fence save anything from here on.
async fn claim(dataset: &Dataset, held: &Held) -> Result<Option<Saved>, BigQueryError> {
    let (table, fence) = (dataset.names.sql_table(&PLACES), held.fence());
    let make = format!(
        "INSERT INTO {table} (name, fence) SELECT @name, 0 FROM (SELECT 1 AS one)
         WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE name = @name)"
    );
    dataset.jobs.ask(&named(make)).await?;
    let take = format!("UPDATE {table} SET fence = {fence} WHERE name = @name AND fence < {fence}");
    dataset.jobs.ask(&named(take)).await?;
    let read = format!("SELECT state FROM {table} WHERE name = @name AND fence = {fence}");
    let rows = dataset.jobs.ask(&named(read)).await?.rows;
    let Some(row) = rows.first() else {
        return Err(odd(dataset, "is another one's: somebody took over at the same time. Start again"));
    };
    let Some(text) = Cells::new(row).text() else { return Ok(None) };
    match serde_json::from_str::<Saved>(&text) {
        Ok(saved) if saved.form == FORM => Ok(Some(saved)),
        Ok(_) => Err(odd(dataset, "is of a newer mailtrail: use that one")),
        Err(_) => Err(odd(dataset, "is damaged")),
    }
}

fn named(sql: String) -> Query {
    Query::new(sql).with("name", Parameter::Text(LOCK.to_owned()))
}

fn odd(dataset: &Dataset, what: &str) -> BigQueryError {
    let table = dataset.names.shown(&dataset.names.table(&PLACES));
    BigQueryError::Unfit(format!(
        "the row \"{LOCK}\" of {table} {what}; without the row, alerts begin with what comes in from now on"
    ))
}
