//! The copy in BigQuery, or the only one.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::Runtime;

use crate::config::{Config, StoreKind};
use crate::protect::{KeyRing, Wanted};
use crate::store::Paths;
use crate::store::bigquery::{Dataset, Erased};
use crate::store::lock;
use crate::store::sqlite::{Forwarded, Reader, Unproven};

/// How long a running `serve` may take to forward what it read before the trail was cleaned.
const FORWARDING: Duration = Duration::from_secs(60);
/// How often it is looked: another process tells nothing.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What is on its way is there by then, where BigQuery takes anything at all.
const ON_THE_WAY: Duration = Duration::from_secs(3);

/// A dataset that holds events.
pub(super) struct Remote {
    dataset: Dataset,
    runtime: Runtime,
    patience: Duration,
    /// The trail that is forwarded to it.
    from: Option<Paths>,
}

/// What was removed there.
pub(super) struct There {
    pub(super) erased: Erased,
    /// `serve` has not forwarded what it read before.
    pub(super) forwarding_pending: bool,
}

impl There {
    pub(super) fn is_complete(&self) -> bool {
        self.erased.is_complete() && !self.forwarding_pending
    }
}

impl Remote {
    /// `None` where no event goes to BigQuery.
    pub(super) fn of(config: &Config, paths: &Paths, patience: Duration) -> anyhow::Result<Option<Self>> {
        let Some(section) = &config.bigquery else { return Ok(None) };
        let from = (config.store.kind == StoreKind::Sqlite).then(|| paths.clone());
        if from.is_some() && !section.forward {
            return Ok(None);
        }
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
        Ok(Some(Self { dataset: Dataset::new(section)?, runtime, patience, from }))
    }

    pub(super) fn people(&self, keys: &KeyRing, who: &Wanted, dry_run: bool) -> anyhow::Result<There> {
        if dry_run {
            let erased = self.runtime.block_on(self.dataset.count_people(keys, who))?;
            return Ok(There { erased, forwarding_pending: false });
        }
        let forwarding_pending = !self.wait_for_forwarding()?;
        let forget = || self.runtime.block_on(self.dataset.forget_people(keys, who, self.patience));
        let mut erased = forget()?;
        if let Some(paths) = &self.from
            && lock::is_held(&paths.lock())?
        {
            // Rows at the trail's very end may have been on their way when they were deleted there.
            thread::sleep(ON_THE_WAY);
            let late = forget()?;
            erased.events += late.events;
            erased.mentions += late.mentions;
            (erased.remains, erased.held_back) = (late.remains, late.held_back);
        }
        Ok(There { erased, forwarding_pending })
    }

    pub(super) fn unproven(&self, which: Unproven, dry_run: bool) -> anyhow::Result<There> {
        let erased = if dry_run {
            let events = self.runtime.block_on(self.dataset.count_unproven(which))?;
            Erased { events, ..Erased::default() }
        } else {
            self.runtime.block_on(self.dataset.forget_unproven(which, self.patience))?
        };
        Ok(There { erased, forwarding_pending: false })
    }

    /// Whether what a running `serve` read of the trail before now has arrived.
    fn wait_for_forwarding(&self) -> anyhow::Result<bool> {
        let Some(paths) = &self.from else { return Ok(true) };
        let end = Reader::open(paths)?.last_id()?;
        let until = Instant::now() + FORWARDING;
        while lock::is_held(&paths.lock())? {
            if Forwarded::open(&paths.forwarded(), &self.dataset.event_table())?.cursor()? >= end {
                return Ok(true);
            }
            if Instant::now() > until {
                return Ok(false);
            }
            thread::sleep(LOOK_EVERY);
        }
        // Nothing is on its way, and what is sent at the next start is read then.
        Ok(true)
    }
}
