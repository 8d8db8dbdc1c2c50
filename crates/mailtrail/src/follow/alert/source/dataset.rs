//! BigQuery, for stateless receivers. A place is a time of receipt: events become visible a little out of its order, so what came in
//! lately is read again and again, and what was read is remembered.

use std::time::Duration;

use super::{Arrived, Page, Rhythm, Source, SourceError, Wanted};
use crate::clock;
use crate::follow::alert::rule::Rule;
use crate::store::bigquery::Following;
use crate::store::query::Filter;

/// How often places are saved while there is nothing to tell: each time is a statement that costs.
const SAVE_EVERY: Duration = Duration::from_secs(300);

/// Times of receipt are places.
pub(in super::super) struct OfDataset {
    following: Following,
    every: Duration,
    /// The first look has been completed.
    looked: bool,
}

impl OfDataset {
    pub(in super::super) fn new(following: Following, every: Duration) -> Self {
        Self { following, every, looked: false }
    }

    /// What one look reads, in bytes.
    pub(in super::super) async fn cost(&self, names: Option<&[String]>) -> Result<u64, SourceError> {
        Ok(self.following.cost(clock::now_micros(), names).await?)
    }

    /// Lets others follow.
    pub(in super::super) async fn release(self) -> Result<(), SourceError> {
        Ok(self.following.release().await?)
    }
}

impl Source for OfDataset {
    fn rhythm(&self) -> Rhythm {
        // Receivers are other processes: that this one starts says nothing about them.
        Rhythm { look: self.every, save: SAVE_EVERY, grace: Duration::ZERO }
    }

    fn keeps_heard(&self) -> bool {
        true
    }

    async fn end(&mut self) -> Result<i64, SourceError> {
        Ok(clock::now_micros())
    }

    async fn heard(&mut self, rule: &Rule, since: i64) -> Result<Option<i64>, SourceError> {
        Ok(self.following.newest_received(&rule.filter(since), since).await?)
    }

    async fn read(&mut self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let now = clock::now_micros();
        let mut page = Page { read_to: wanted.after, ..Page::default() };
        if wanted.names.is_some_and(<[String]>::is_empty) {
            page.read_to = now;
        } else {
            let news = self.following.read(wanted.after, wanted.names, now).await?;
            let arrived = news.events.into_iter();
            page.events = arrived.map(|(brief, known)| Arrived { brief, known }).collect();
            (page.read_to, page.behind) = (news.read_to, i64::from(news.more));
        }
        if wanted.newest && page.behind == 0 {
            let since = self.following.overlapping(wanted.after);
            page.newest = self.following.newest_received(&Filter::default(), since).await?;
        }
        self.looked |= page.behind == 0;
        Ok(page)
    }

    async fn place(&mut self, name: &str) -> Result<Option<i64>, SourceError> {
        Ok(self.following.place(name))
    }

    async fn save(&mut self, changed: &[(String, Option<i64>)]) -> Result<(), SourceError> {
        self.following.note(changed);
        // Before the first look it is not known what was there already, and all of it would seem to have come in late.
        if self.looked {
            self.following.save().await?;
        }
        Ok(())
    }

    async fn keep_only(&mut self, names: &[String]) -> Result<(), SourceError> {
        self.following.keep_only(names);
        Ok(())
    }
}
