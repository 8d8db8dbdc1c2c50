//! The store that the page asks: the trail on this machine, or BigQuery, where each question takes a second and costs something.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::failure::Failure;
use super::readers::Readers;
use super::spot::Spot;
use crate::protect::EmailHash;
use crate::store::bigquery::Asker;
use crate::store::query::{EventRecord, Filter, Scanned};
use crate::store::questions::{AskError, Questions};

/// Questions to BigQuery at once.
const AT_ONCE: usize = 4;

/// Most events of a timeline; a mail has a handful.
const MOST: usize = 300;

/// A recipient alone may have years of mail; the event's own neighbourhood is what was asked for. µs.
const AROUND: i64 = 7 * 86_400_000_000;

/// The store.
#[derive(Clone)]
pub(super) enum Source {
    Trail(Arc<Readers>),
    BigQuery(Arc<Asker>, Arc<Semaphore>),
}

/// A page of events.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rows: Vec<EventRecord>,
    pub(super) has_more: bool,
    pub(super) scanned: Option<Scanned>,
    /// The last event there was, where the store numbers them.
    pub(super) last_id: i64,
}

impl Source {
    pub(super) fn bigquery(asker: Asker) -> Self {
        Self::BigQuery(Arc::new(asker), Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// Whether each question costs something, so that none is asked without somebody's wish.
    pub(super) fn costs(&self) -> bool {
        matches!(self, Self::BigQuery(..))
    }

    /// Whether an answer may take long enough that a page should be there before it.
    pub(super) fn takes_long(&self, filter: &Filter) -> bool {
        // A run leads to all of its mail by an index, but its newest events are found only among all of them.
        self.costs() || filter.scans() || !filter.runs.is_empty()
    }

    /// Asks what every store answers.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Questions) -> Result<T, AskError> + Send + 'static,
    ) -> Result<T, Failure> {
        match self {
            Self::Trail(readers) => readers.with(move |reader| question(reader)).await,
            Self::BigQuery(..) => self.ask_bigquery(move |asker| question(asker)).await,
        }
    }

    async fn ask_bigquery<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Asker) -> Result<T, AskError> + Send + 'static,
    ) -> Result<T, Failure> {
        let Self::BigQuery(asker, turns) = self else { return Err(Failure::Broken) };
        let turn = Arc::clone(turns).acquire_owned().await.map_err(|_| Failure::Stopping)?;
        let asker = Arc::clone(asker);
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            question(&asker)
        });
        answer.await.map_err(|_| Failure::Broken)?.map_err(Failure::from)
    }

    /// The newest events of a filter, or those behind a place; so many.
    pub(super) async fn newest(&self, filter: &Filter, behind: Option<Spot>, most: usize) -> Result<Found, Failure> {
        let filter = filter.clone();
        let mut found = match self {
            Self::Trail(readers) => {
                let answer = readers.ask(move |reader| {
                    // Before the search: what comes in during it is new.
                    let last_id = reader.last_id()?;
                    let answer = match behind {
                        Some(Spot::Id { time, id }) => reader.activity_before(&filter, (time, id), most + 1)?,
                        _ => reader.activity(&filter, most + 1)?,
                    };
                    Ok(Found { rows: answer.value, has_more: false, scanned: answer.scanned, last_id })
                });
                answer.await?
            }
            Self::BigQuery(..) => {
                let answer = self.ask_bigquery(move |asker| {
                    let behind = match &behind {
                        Some(Spot::Key(place)) => Some(place),
                        _ => None,
                    };
                    let answer = asker.browse(&filter, behind, most + 1)?;
                    Ok(Found { rows: answer.value, scanned: answer.scanned, ..Found::default() })
                });
                answer.await?
            }
        };
        found.has_more = found.rows.len() > most;
        found.rows.truncate(most);
        Ok(found)
    }

    /// All events of the message and recipient of an event, oldest first. What an event does not name cannot be asked by.
    pub(super) async fn timeline(&self, open: Spot) -> Result<Vec<EventRecord>, Failure> {
        match self {
            Self::Trail(readers) => {
                let answer = readers.ask(move |reader| {
                    let Spot::Id { id, .. } = open else { return Ok(Vec::new()) };
                    let Some(event) = reader.event(id)? else { return Ok(Vec::new()) };
                    match beside(&event, false) {
                        Some(filter) => Ok(reader.page(&filter, None, MOST)?.value),
                        None => Ok(vec![event]),
                    }
                });
                answer.await
            }
            Self::BigQuery(..) => {
                let answer = self.ask_bigquery(move |asker| {
                    let Spot::Key(place) = open else { return Ok(Vec::new()) };
                    let Some(event) = asker.event(&place)? else { return Ok(Vec::new()) };
                    let Some(filter) = beside(&event, true) else { return Ok(vec![event]) };
                    let mut events = asker.browse(&filter, None, MOST)?.value;
                    events.reverse();
                    Ok(events)
                });
                answer.await
            }
        }
    }

    /// How many openings were a machine's.
    pub(super) async fn machine_opens(&self, filter: Filter) -> Result<u64, Failure> {
        match self {
            Self::Trail(readers) => readers.ask(move |reader| reader.machine_opens(&filter)).await,
            Self::BigQuery(..) => self.ask_bigquery(move |asker| asker.machine_opens(&filter)).await,
        }
    }
}

/// The events of the same message and recipient; `None` where the event names neither. `near`: only those of the days around,
/// also of a message.
fn beside(event: &EventRecord, near: bool) -> Option<Filter> {
    let filter = Filter {
        hashes: event.email_hash.as_deref().and_then(EmailHash::parse).into_iter().collect(),
        messages: event.message_id.clone().into_iter().collect(),
        include_tests: true,
        ..Filter::default()
    };
    if filter.hashes.is_empty() && filter.messages.is_empty() {
        return None;
    }
    if !near && !filter.messages.is_empty() {
        return Some(filter);
    }
    let (since, until) = (event.timestamp.saturating_sub(AROUND), event.timestamp.saturating_add(AROUND));
    Some(Filter { since: Some(since), until: Some(until), ..filter })
}
