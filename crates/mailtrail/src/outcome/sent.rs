//! Who already got some mail, whichever tool sent it: by the ledger, or by any event but SendGrid's word that it did not send.

use std::collections::{HashMap, HashSet};

use super::expected::Wanted;
use super::selector::{OutcomeError, Selector};
use super::tracker::Tracker;
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::store::ledger::Sent;
use crate::store::query::{Mailed, Scope};
use crate::store::sends::Sends;

/// What is known of mail to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// What became of it: the same as for `unreached`.
    pub status: Status,
    /// What the ledger says.
    pub ledger: Option<Sent>,
    /// Whether mail went out, or may have: the ledger says so, or any event but SendGrid's word that it did not send.
    pub mailed: bool,
    /// Whether an event says that it went out.
    pub seen: bool,
    /// The last event, or else when the ledger's state came about; µs since the epoch.
    pub at: i64,
    /// SendGrid's reason for refusing it, where that is how it stands.
    pub refusal: Option<String>,
    /// Whether that it went out rests on events alone that nothing vouches for.
    pub unverified: bool,
}

impl Earlier {
    /// Of who was not mailed: the status that says why; `unsent` where SendGrid was never asked.
    #[must_use]
    pub fn why_not(&self) -> &'static str {
        if self.status == Status::Unknown { "unsent" } else { self.status.as_str() }
    }
}

/// What became of mail to everybody whom the ledger or an event names, by every hash of theirs. Whether it went out is told by all
/// events; what became of it only by those that count for `unreached`.
///
/// # Errors
/// When the store cannot be read.
pub fn standings(sends: &dyn Sends, selector: &Selector) -> Result<HashMap<EmailHash, Earlier>, OutcomeError> {
    // Without a list: whoever there is.
    let expect = selector.list.is_none().then_some(0);
    let selector = Selector { expect, ..selector.clone() };
    let ledger = sends.ledger()?;
    let wanted = Wanted::read(ledger.as_deref(), &selector)?;
    let mut tracker =
        Tracker::new(Mailed { scope: selector.scope.clone(), since: wanted.since, until: None, unproven: false });
    let mut by_event: HashMap<EmailHash, i64> = HashMap::new();
    if let Some(events) = sends.events()? {
        tracker.read(&*events)?;
        let all = Mailed { scope: selector.scope.clone(), since: selector.since, until: None, unproven: true };
        let went_out = events.outcomes(&all)?.into_iter().filter(|outcome| outcome.mailed);
        by_event
            .extend(went_out.filter_map(|one| Some((EmailHash::parse(&one.status.email_hash)?, one.status.last_seen))));
    }
    let hashes = wanted.expected.hashes();
    let mut found = HashMap::new();
    wanted.expected.visit(&tracker, |place, recipient| {
        let own = [recipient.hash];
        let its = place.and_then(|place| hashes.get(place)).map_or(&own[..], Vec::as_slice);
        let event = its.iter().filter_map(|hash| by_event.remove(hash)).max();
        let at = recipient.known.map(|known| known.last_seen).max(event);
        let Some(at) = at.or(recipient.entry.map(|entry| entry.at)) else { return };
        let earlier = Earlier {
            status: recipient.status(),
            ledger: recipient.sent(),
            mailed: recipient.is_mailed() || event.is_some(),
            seen: event.is_some(),
            at,
            refusal: recipient.refusal().and_then(|refusal| refusal.why.clone()),
            unverified: !recipient.is_mailed() && event.is_some(),
        };
        found.extend(its.iter().map(|hash| (*hash, earlier.clone())));
    });
    // Of whom there are only events that nothing vouches for, or of a time before the run.
    let only = |at| Earlier {
        status: Status::Unknown,
        ledger: None,
        mailed: true,
        seen: true,
        at,
        refusal: None,
        unverified: true,
    };
    found.extend(by_event.into_iter().map(|(hash, at)| (hash, only(at))));
    Ok(found)
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
    let mut found = standings(sends, &Selector { scope: scope.clone(), since, list: None, expect: None })?;
    found.retain(|_, earlier| earlier.mailed);
    Ok(found)
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
