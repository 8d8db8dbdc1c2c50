//! Who already got some mail, whichever tool sent it: by the ledger, or by any event but SendGrid's word that it did not send.

use std::collections::{HashMap, HashSet};

use super::selector::OutcomeError;
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::store::ledger::Sent;
use crate::store::query::{Mailed, Scope};
use crate::store::sends::Sends;

/// What is known of mail to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// What events tell; unknown without any.
    pub status: Status,
    /// What the ledger says.
    pub ledger: Option<Sent>,
    /// The last event, or else when the ledger's state came about; µs since the epoch.
    pub at: i64,
    /// Whether all of it rests on events that nothing vouches for.
    pub unverified: bool,
}

/// Everybody whom mail was sent to, or may have been. `since`: event time, and the ledger's; µs since the epoch.
///
/// # Errors
/// When the store cannot be read.
pub fn mailed_before(
    sends: &dyn Sends,
    scope: &Scope,
    since: Option<i64>,
) -> Result<HashMap<EmailHash, Earlier>, OutcomeError> {
    let mut found = HashMap::new();
    if let Some(ledger) = sends.ledger()? {
        let asked = match scope {
            Scope::Run(run) => ledger.run(run)?.map(|run| run.recipients).unwrap_or_default(),
            Scope::Category(category) => ledger.recipients_of_category(category, since.unwrap_or(i64::MIN))?,
        };
        for asked in
            asked.into_iter().filter(|asked| matches!(asked.sent, Sent::Sending | Sent::Accepted | Sent::Uncertain))
        {
            let new = Earlier { status: Status::Unknown, ledger: Some(asked.sent), at: asked.at, unverified: false };
            let held = found.entry(asked.hash).or_insert_with(|| new.clone());
            // In several runs: the latest.
            if held.at < new.at {
                *held = new;
            }
        }
    }
    let Some(events) = sends.events()? else { return Ok(found) };
    let mut mailed = Mailed { scope: scope.clone(), since, until: None, unproven: true };
    let all = events.outcomes(&mailed)?;
    let vouched: Option<HashSet<String>> = if events.unproven(&mailed)? > 0 {
        mailed.unproven = false;
        let vouched = events.outcomes(&mailed)?.into_iter();
        Some(vouched.filter(|outcome| outcome.mailed).map(|outcome| outcome.status.email_hash).collect())
    } else {
        None
    };
    for outcome in all.into_iter().filter(|outcome| outcome.mailed) {
        let Some(hash) = EmailHash::parse(&outcome.status.email_hash) else { continue };
        let (status, at) = (outcome.status.status, outcome.status.last_seen);
        let unverified = vouched.as_ref().is_some_and(|vouched| !vouched.contains(&outcome.status.email_hash));
        let new = Earlier { status, ledger: None, at, unverified };
        let held = found.entry(hash).or_insert(new);
        (held.status, held.at) = (status, at);
    }
    Ok(found)
}

/// Events that may be about anybody, so that nobody can be said not to have got that mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Blind {
    /// Imported events of the mail without a recipient.
    pub nobody: u64,
    /// Events of any mail that imports left out, since no key and no list knows whom they are about.
    pub left_out: u64,
}

/// What a question about somebody's mail cannot see.
///
/// # Errors
/// When the store cannot be read.
pub fn blind(sends: &dyn Sends, scope: &Scope, since: Option<i64>) -> Result<Blind, OutcomeError> {
    let Some(events) = sends.events()? else { return Ok(Blind::default()) };
    let mailed = Mailed { scope: scope.clone(), since, until: None, unproven: true };
    Ok(Blind { nobody: events.about_nobody(&mailed)?, left_out: events.left_out()? })
}

/// Of somebody with several hashes, under several keys: what is known last.
#[must_use]
pub fn latest_of<'f>(found: &'f HashMap<EmailHash, Earlier>, hashes: &[EmailHash]) -> Option<&'f Earlier> {
    hashes.iter().filter_map(|hash| found.get(hash)).max_by_key(|earlier| earlier.at)
}

/// Holds where the ledger or an event names the run: a name that was never used is a slip, and its answer would have everybody
/// mailed again.
///
/// # Errors
/// When nothing names it, or the store cannot be read.
pub fn known(sends: &dyn Sends, run: &str) -> Result<(), OutcomeError> {
    let in_ledger = sends.ledger()?.map(|ledger| ledger.run(run)).transpose()?.flatten().is_some();
    let in_events = || sends.events()?.map_or(Ok(false), |events| Ok::<_, OutcomeError>(events.knows_run(run)?));
    if in_ledger || in_events()? { Ok(()) } else { Err(OutcomeError::UnknownRun(run.to_owned())) }
}

/// When the last event came in, µs since the epoch.
///
/// # Errors
/// When the store cannot be read.
pub fn events_up_to(sends: &dyn Sends) -> Result<Option<i64>, OutcomeError> {
    Ok(sends.events()?.map(|events| events.last_received()).transpose()?.flatten())
}

/// The hashes of everybody who already got mail of a category, or may have. Events that nothing vouches for count as well
/// (mailing twice is the worse error), unless they are to be ignored.
///
/// # Errors
/// When the store cannot be read.
pub fn already_sent(
    sends: &dyn Sends,
    category: &str,
    since: Option<i64>,
    ignore_unverified: bool,
) -> Result<HashSet<EmailHash>, OutcomeError> {
    let found = mailed_before(sends, &Scope::Category(category.to_owned()), since)?;
    Ok(found
        .into_iter()
        .filter(|(_, earlier)| !(ignore_unverified && earlier.unverified))
        .map(|(hash, _)| hash)
        .collect())
}

/// The hashes of everybody in a run of whom SendGrid's own word says that it had the mail: uncertain sends that did go out.
/// SendGrid takes a request as a whole, so an event of one of its recipients speaks for all of them.
///
/// # Errors
/// When the store cannot be read.
pub fn proven(sends: &dyn Sends, run: &str) -> Result<HashSet<EmailHash>, OutcomeError> {
    let Some(events) = sends.events()? else { return Ok(HashSet::new()) };
    let mailed = Mailed { scope: Scope::Run(run.to_owned()), since: None, until: None, unproven: false };
    let outcomes = events.outcomes(&mailed)?.into_iter().filter(|outcome| outcome.proven);
    let mut found: HashSet<EmailHash> =
        outcomes.filter_map(|outcome| EmailHash::parse(&outcome.status.email_hash)).collect();
    if let Some(run) = sends.ledger()?.map(|ledger| ledger.run(run)).transpose()?.flatten() {
        let requests: HashSet<String> = events.proven_requests(&mailed, None)?.into_iter().collect();
        let asked = run.recipients.into_iter();
        found.extend(asked.filter(|asked| requests.contains(&asked.request.to_string())).map(|asked| asked.hash));
    }
    Ok(found)
}
