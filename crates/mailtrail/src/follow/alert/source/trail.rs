//! The trail on this machine.

use std::time::Duration;

use super::{Arrived, Page, Rhythm, Source, SourceError, Wanted};
use crate::follow::alert::rule::Rule;
use crate::store::Places;
use crate::store::sqlite::Reader;

/// Ids in one page: so many events are read at most before messages are looked after again.
const PAGE: i64 = 5000;

const RHYTHM: Rhythm = Rhythm {
    look: Duration::from_millis(250),
    save: Duration::from_secs(5),
    // After a start SendGrid first repeats what it could not deliver meanwhile.
    grace: Duration::from_secs(15 * 60),
};

/// Ids are places: an event with a higher one came in later.
pub(in super::super) struct OfTrail {
    reader: Reader,
    places: Places,
}

impl OfTrail {
    pub(in super::super) fn new(reader: Reader, places: Places) -> Self {
        Self { reader, places }
    }
}

impl Source for OfTrail {
    fn rhythm(&self) -> Rhythm {
        RHYTHM
    }

    fn keeps_heard(&self) -> bool {
        false
    }

    async fn end(&mut self) -> Result<i64, SourceError> {
        Ok(self.reader.last_id()?)
    }

    async fn heard(&mut self, rule: &Rule, since: i64) -> Result<Option<i64>, SourceError> {
        if rule.is_about_everything() {
            return Ok(self.reader.last_received(0)?);
        }
        let newest = self.reader.activity(&rule.filter(since), 1)?;
        Ok(newest.value.first().map(|event| event.received_at))
    }

    async fn read(&mut self, wanted: Wanted<'_>) -> Result<Page, SourceError> {
        let end = self.reader.last_id()?;
        let until = end.min(wanted.after.saturating_add(PAGE));
        let mut page = Page { read_to: wanted.after, behind: (end - until).max(0), ..Page::default() };
        if until <= wanted.after {
            return Ok(page);
        }
        page.read_to = until;
        if !wanted.names.is_some_and(<[String]>::is_empty) {
            let briefs = self.reader.briefs(wanted.after, until, wanted.names)?;
            page.events = briefs.into_iter().map(|brief| Arrived { brief, known: true }).collect();
        }
        if wanted.newest {
            page.newest = self.reader.last_received(wanted.after)?;
        }
        Ok(page)
    }

    async fn place(&mut self, name: &str) -> Result<Option<i64>, SourceError> {
        Ok(self.places.get(name)?)
    }

    async fn save(&mut self, changed: &[(String, Option<i64>)]) -> Result<(), SourceError> {
        Ok(self.places.save(changed.iter().map(|(name, at)| (name.as_str(), *at)))?)
    }

    async fn keep_only(&mut self, names: &[String]) -> Result<(), SourceError> {
        Ok(self.places.keep_only(names)?)
    }
}
