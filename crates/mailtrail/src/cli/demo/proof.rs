//! Holds the trail against what the simulator knows to be true.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use sendgrid_simulator::event::EventKey;
use sendgrid_simulator::mail_api::Told;
use sendgrid_simulator::{Outcome, Story};

use super::stage::Stage;
use crate::settle::Status;
use crate::store::query::{Filter, RecipientStatus};
use crate::store::sqlite::Reader;

const PAGE: usize = 5_000;

/// What was compared.
pub(super) struct Proof {
    /// Distinct events that SendGrid told.
    pub(super) told: usize,
    /// Elements of acknowledged POSTs, repeats included.
    pub(super) acknowledged: u64,
    /// Rows in the trail.
    pub(super) rows: usize,
    pub(super) missing: usize,
    pub(super) doubled: usize,
    pub(super) never_told: usize,
    /// Recipients whose status is not what became of them.
    pub(super) wrong_statuses: usize,
    pub(super) recipients: usize,
    /// What SendGrid accepted.
    pub(super) mails: usize,
    /// Customers to whom more than one of them went.
    pub(super) mailed_twice: usize,
    /// Files read, and their size.
    pub(super) files: usize,
    pub(super) bytes: usize,
    /// Addresses found in them.
    pub(super) addresses_found: usize,
}

impl Proof {
    pub(super) fn holds(&self) -> bool {
        let wrong = self.missing + self.doubled + self.never_told + self.wrong_statuses;
        wrong + self.mailed_twice + self.addresses_found == 0 && self.mails == self.recipients
    }
}

pub(super) fn of(
    stage: &Stage,
    reader: &Reader,
    statuses: &[RecipientStatus],
    delivered: &Told,
) -> anyhow::Result<Proof> {
    let told = delivered.story.keys();
    let stored = stored(reader)?;
    let distinct: BTreeSet<&EventKey> = stored.keys().collect();
    let (files, bytes, addresses_found) = look_for_addresses(stage)?;
    let mut mails: BTreeMap<String, usize> = BTreeMap::new();
    for mail in stage.api.mails() {
        *mails.entry(mail.address).or_default() += 1;
    }
    Ok(Proof {
        told: told.len(),
        acknowledged: delivered.report.acknowledged_events,
        rows: stored.values().sum(),
        missing: told.iter().filter(|key| !distinct.contains(key)).count(),
        doubled: stored.values().filter(|count| **count > 1).count(),
        never_told: distinct.iter().filter(|key| !told.contains(**key)).count(),
        wrong_statuses: wrong_statuses(stage, &delivered.story, statuses),
        recipients: stage.fates.len(),
        mails: mails.values().sum(),
        mailed_twice: mails.values().filter(|count| **count > 1).count(),
        files,
        bytes,
        addresses_found,
    })
}

/// How often each event stands in the trail.
fn stored(reader: &Reader) -> anyhow::Result<BTreeMap<EventKey, usize>> {
    let mut rows = BTreeMap::new();
    let mut after = None;
    loop {
        let page = reader.page(&Filter::default(), after.as_ref(), PAGE)?.value;
        let Some(last) = page.last() else { return Ok(rows) };
        after = Some(last.place());
        for row in page {
            let key = EventKey { id: row.sg_event_id.unwrap_or_default(), event: row.event };
            *rows.entry(key).or_default() += 1;
        }
    }
}

fn wrong_statuses(stage: &Stage, story: &Story, statuses: &[RecipientStatus]) -> usize {
    let statuses: BTreeMap<&str, Status> =
        statuses.iter().map(|recipient| (recipient.email_hash.as_str(), recipient.status)).collect();
    let wrong = story.outcomes.iter().filter(|(address, outcome)| {
        let status =
            statuses.get(stage.keys.email_hash(address).to_string().as_str()).copied().unwrap_or(Status::Unknown);
        status != expected(**outcome)
    });
    wrong.count()
}

fn expected(outcome: Outcome) -> Status {
    match outcome {
        Outcome::Delivered => Status::Delivered,
        Outcome::Deferred => Status::Deferred,
        Outcome::Bounce => Status::Bounce,
        Outcome::Blocked => Status::Blocked,
        Outcome::Dropped => Status::Dropped,
    }
}

/// Reads every file, and what Slack got, byte by byte for every address of the list.
fn look_for_addresses(stage: &Stage) -> anyhow::Result<(usize, usize, usize)> {
    let mut contents = Vec::new();
    for path in stage.files()? {
        contents.push(std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    let files = contents.len();
    contents.push(stage.slack.bytes());
    let (mut bytes, mut found) = (0, 0);
    for content in contents {
        let lower = content.to_ascii_lowercase();
        bytes += content.len();
        found +=
            stage.fates.keys().filter(|address| memchr::memmem::find(&lower, address.as_bytes()).is_some()).count();
    }
    Ok((files, bytes, found))
}
