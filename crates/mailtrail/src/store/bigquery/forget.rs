//! Forgets people in BigQuery: their events, their hashes within other people's events, and what the quarantine holds of them.
//!
//! BigQuery may refuse to change rows that came in a moment ago. Older ones go at once, the rest is tried again for as long as
//! whoever asks wants to wait, and what remains is counted. The ledger keeps its hashes, so that nobody is mailed again.

mod statement;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::Dataset;
use super::ask::cell::Cells;
use super::error::BigQueryError;
use super::query::{Parameter, Query};
use crate::protect::{KeyRing, Wanted};
use crate::store::sqlite::Unproven;

/// Hashes in one statement.
const AT_ONCE: usize = 100;
/// Digests in one statement: an address has three for each of its few spellings.
const DIGESTS_AT_ONCE: usize = 600;
/// Sealed entries of the quarantine that are looked into at once.
const SEALED_AT_ONCE: u32 = 500;
/// Between two tries at rows that BigQuery does not let go yet.
const PAUSE: Duration = Duration::from_secs(5);

/// What was removed, and what not. Holds no address and no hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// Rows of events, repetitions included.
    pub events: u64,
    /// Rows of other people's events that named one of them by hash; the rows stay.
    pub mentions: u64,
    /// Entries of the quarantine.
    pub quarantined: u64,
    /// Sealed entries that no configured key opens: whom they speak of is not known.
    pub locked: u64,
    /// Rows that are still there.
    pub remains: u64,
    /// What BigQuery said of the rows that it does not let go.
    pub held_back: Option<String>,
}

impl Erased {
    /// Whether nothing of them is left within reach.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.remains == 0
    }

    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.mentions += other.mentions;
        self.quarantined += other.quarantined;
        self.remains += other.remains;
        self.held_back = self.held_back.take().or(other.held_back);
    }
}

/// Rows.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    theirs: u64,
    /// Of others, that name them.
    mentions: u64,
}

/// Rows of both tables.
struct Found {
    events: Count,
    refused: Count,
}

impl Found {
    fn total(&self) -> u64 {
        [self.events, self.refused].iter().map(|count| count.theirs + count.mentions).sum()
    }
}

/// What came of a statement.
#[derive(Debug, Default)]
struct Changed {
    rows: u64,
    held_back: Option<String>,
}

impl Dataset {
    /// Says what forgetting them would remove; changes nothing.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or it would cost more than allowed.
    pub async fn count_people(&self, keys: &KeyRing, who: &Wanted) -> Result<Erased, BigQueryError> {
        let mut counted = Erased::default();
        for part_of_them in parts(who) {
            let Found { events, refused } = self.look(&part_of_them).await?;
            counted.events += events.theirs;
            counted.mentions += events.mentions + refused.mentions;
            counted.quarantined += refused.theirs;
        }
        let (theirs, locked) = self.sealed_of(keys, who).await?;
        counted.quarantined += theirs.len() as u64;
        counted.locked = locked;
        Ok(counted)
    }

    /// Forgets them, waiting for at most `patience` for BigQuery to let go of rows that came in a moment ago.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or it would cost more than allowed; what was done stays done.
    pub async fn forget_people(
        &self,
        keys: &KeyRing,
        who: &Wanted,
        patience: Duration,
    ) -> Result<Erased, BigQueryError> {
        let until = Instant::now() + patience;
        let mut erased = Erased::default();
        for part_of_them in parts(who) {
            let mut part = Erased::default();
            let names = &self.names;
            // What changes nothing costs all the same, so it is looked first.
            let there = self.look(&part_of_them).await?;
            if there.events.theirs > 0 {
                let delete = |old| statement::delete_events(names, &part_of_them, old);
                part.events += self.insist(delete, until, &mut part.held_back).await?;
            }
            if there.events.mentions > 0 {
                let neutralise = |old| statement::neutralise_events(names, &part_of_them, old);
                part.mentions += self.insist(neutralise, until, &mut part.held_back).await?;
            }
            if there.refused.theirs > 0 {
                let delete = |old| statement::delete_refused(names, &part_of_them, old);
                part.quarantined += self.insist(delete, until, &mut part.held_back).await?;
            }
            if there.refused.mentions > 0 {
                let neutralise = |old| statement::neutralise_refused(names, &part_of_them, old);
                part.mentions += self.insist(neutralise, until, &mut part.held_back).await?;
            }
            part.remains = self.look(&part_of_them).await?.total();
            if part.remains == 0 {
                part.held_back = None;
            }
            erased.add(part);
        }
        self.forget_sealed(keys, who, until, &mut erased).await?;
        Ok(erased)
    }

    /// How many events no proof stands behind. With [`Unproven::Unverified`] those that nothing vouches for: from when on a public key
    /// was configured, a dataset does not know.
    ///
    /// # Errors
    /// When BigQuery cannot be asked, or it would cost more than allowed.
    pub async fn count_unproven(&self, which: Unproven) -> Result<u64, BigQueryError> {
        self.count(&statement::count_unproven(&self.names, which)).await.map(|count| count.theirs)
    }

    /// Deletes what no proof stands behind, as far as BigQuery lets go of it in time.
    ///
    /// # Errors
    /// When BigQuery cannot be asked; what was done stays done.
    pub async fn forget_unproven(&self, which: Unproven, patience: Duration) -> Result<Erased, BigQueryError> {
        let mut erased = Erased::default();
        if self.count_unproven(which).await? > 0 {
            let until = Instant::now() + patience;
            let delete = |old| statement::delete_unproven(&self.names, which, old);
            erased.events = self.insist(delete, until, &mut erased.held_back).await?;
            erased.remains = self.count_unproven(which).await?;
        }
        Ok(erased)
    }

    async fn look(&self, people: &Part) -> Result<Found, BigQueryError> {
        Ok(Found {
            events: self.count(&statement::count_events(&self.names, people)).await?,
            refused: self.count(&statement::count_refused(&self.names, people)).await?,
        })
    }

    async fn count(&self, query: &Query) -> Result<Count, BigQueryError> {
        self.afford(query).await?;
        let rows = self.jobs.ask(query).await?.rows;
        let Some(row) = rows.first() else { return Ok(Count::default()) };
        let mut cells = Cells::new(row);
        Ok(Count { theirs: cells.count()?, mentions: cells.count()? })
    }

    /// Entries that nobody could read and that speak of them, by key; and how many no configured key opens.
    async fn sealed_of(&self, keys: &KeyRing, who: &Wanted) -> Result<(Vec<String>, u64), BigQueryError> {
        let query = statement::sealed(&self.names);
        self.afford(&query).await?;
        let (mut theirs, mut locked) = (Vec::new(), 0);
        let mut page = Some(self.jobs.first(&query, SEALED_AT_ONCE).await?);
        while let Some(now) = page {
            for row in &now.rows.rows {
                let mut cells = Cells::new(row);
                let (item, key, sealed) = (cells.needed()?, cells.text().unwrap_or_default(), cells.needed()?);
                let opened = STANDARD.decode(sealed).ok().and_then(|sealed| keys.open(&key, &sealed).ok());
                match opened {
                    Some(bytes) if who.is_in(&bytes, keys) => theirs.push(item),
                    Some(_) => {}
                    None => locked += 1,
                }
            }
            page = self.jobs.next(&now, SEALED_AT_ONCE).await?;
        }
        Ok((theirs, locked))
    }

    async fn forget_sealed(
        &self,
        keys: &KeyRing,
        who: &Wanted,
        until: Instant,
        erased: &mut Erased,
    ) -> Result<(), BigQueryError> {
        let (theirs, locked) = self.sealed_of(keys, who).await?;
        erased.locked = locked;
        for items in theirs.chunks(AT_ONCE * 10) {
            let deleted = self
                .insist(|old| statement::delete_sealed(&self.names, items, old), until, &mut erased.held_back)
                .await?;
            erased.quarantined += deleted;
        }
        if !theirs.is_empty() {
            erased.remains += self.sealed_of(keys, who).await?.0.len() as u64;
        }
        Ok(())
    }

    /// Changes rows, again and again until BigQuery lets go of all of them or time is over; says how many were changed. `statement`
    /// is asked for all rows, or for those alone that came in long ago.
    async fn insist(
        &self,
        statement: impl Fn(bool) -> Query,
        until: Instant,
        held_back: &mut Option<String>,
    ) -> Result<u64, BigQueryError> {
        let mut changed = 0;
        let mut old_are_gone = false;
        loop {
            let Changed { rows, held_back: why } = self.try_to_change(&statement(false)).await?;
            changed += rows;
            let Some(why) = why else { return Ok(changed) };
            if !old_are_gone {
                let old = self.try_to_change(&statement(true)).await?;
                changed += old.rows;
                old_are_gone = old.held_back.is_none();
            }
            if Instant::now() + PAUSE > until {
                held_back.get_or_insert(why);
                return Ok(changed);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_to_change(&self, query: &Query) -> Result<Changed, BigQueryError> {
        match self.change(query).await {
            Ok(rows) => Ok(Changed { rows: rows.changed, held_back: None }),
            Err(error) if error.is_about_streaming() => Ok(Changed { rows: 0, held_back: Some(error.to_string()) }),
            Err(error) => Err(error),
        }
    }
}

/// What one statement looks for.
#[derive(Debug, Default)]
struct Part {
    hashes: Vec<String>,
    digests: Vec<String>,
}

/// Their hashes and digests, so many at once.
fn parts(who: &Wanted) -> Vec<Part> {
    let in_order = |mut texts: Vec<String>| {
        texts.sort();
        texts.dedup();
        texts
    };
    let hashes = in_order(who.hashes().map(ToString::to_string).collect());
    let digests = in_order(who.digests().map(str::to_owned).collect());
    let (mut hashes, mut digests) = (hashes.chunks(AT_ONCE), digests.chunks(DIGESTS_AT_ONCE));
    std::iter::from_fn(|| match (hashes.next(), digests.next()) {
        (None, None) => None,
        (hashes, digests) => {
            Some(Part { hashes: hashes.unwrap_or_default().to_vec(), digests: digests.unwrap_or_default().to_vec() })
        }
    })
    .collect()
}

/// Parameters of texts.
fn texts(values: &[String]) -> Parameter {
    Parameter::Texts(values.to_vec())
}
