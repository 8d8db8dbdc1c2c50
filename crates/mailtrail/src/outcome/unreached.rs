//! Who did not get the mail, and whom to try again.

use super::reason::{Reason, drop_of};
use super::recipient::Recipient;
use super::watched::Watched;
use crate::config::Language;
use crate::list::Address;
use crate::protect::EmailHash;
use crate::settle::Status;
use crate::show::Cell;

/// Headings of the unreached as a table or file: what [`Row::cells`] gives.
pub const UNREACHED_COLUMNS: [&str; 6] = ["email", "email_hash", "status", "reason", "classification", "first_seen"];

/// SendGrid tries for 72 hours; an hour more, and it has given up. µs.
const GIVEN_UP: i64 = 73 * 3600 * 1_000_000;

/// One recipient whom the mail did not reach, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who: under the key it was claimed by, or the current one.
    pub hash: EmailHash,
    /// The address's domain, where an event of it came and domains are kept.
    pub domain: Option<String>,
    /// How it stands.
    pub status: Status,
    /// Why, in plain words.
    pub reason: Reason,
    /// SendGrid's `bounce_classification`, else the mail server's status code, or the HTTP status of SendGrid's refusal.
    pub classification: Option<String>,
    /// The message's first event, µs since the epoch.
    pub first_seen: Option<i64>,
    /// Whether sending again may help.
    pub again: Again,
}

impl Row {
    /// The values of [`UNREACHED_COLUMNS`]; the address is one of the asker's own list.
    #[must_use]
    pub fn cells(&self, address: Option<&Address>, language: Language) -> [Cell; 6] {
        [
            address.map_or(Cell::Null, |address| Cell::Text(address.expose().to_owned())),
            Cell::Text(self.hash.to_string()),
            Cell::Text(self.status.as_str().to_owned()),
            Cell::Text(self.reason.text(language)),
            Cell::text(self.classification.clone()),
            self.first_seen.map_or(Cell::Null, Cell::Time),
        ]
    }
}

/// Whether sending again may help, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It may.
    Yes(&'static str),
    /// It does not.
    No(&'static str),
}

/// Everybody whom the mail did not reach; with `pending` also those who are not settled. Worst news last, then by hash.
#[must_use]
pub fn unreached(watched: &Watched, pending: bool, now: i64) -> Vec<Row> {
    let mut rows = Vec::new();
    watched.each(|recipient| {
        let (known, status) = (recipient.known, recipient.status());
        if !(status.is_unreached() || (pending && !status.is_settled())) {
            return;
        }
        rows.push(Row {
            hash: recipient.hash,
            domain: known.and_then(|known| known.domain.as_deref()).map(str::to_owned),
            status,
            reason: recipient.reason(),
            classification: recipient.classification(),
            first_seen: known.map(|known| known.first_seen),
            again: again_of(&recipient, now),
        });
    });
    rows.sort_unstable_by_key(|row| (row.status, row.hash));
    rows
}

/// Whom it may help to mail again, under a new run, each with why.
#[must_use]
pub fn soft(watched: &Watched, now: i64) -> Vec<(EmailHash, &'static str)> {
    let rows = unreached(watched, true, now).into_iter();
    rows.filter_map(|row| match row.again {
        Again::Yes(why) => Some((row.hash, why)),
        Again::No(_) => None,
    })
    .collect()
}

fn again_of(recipient: &Recipient<'_>, now: i64) -> Again {
    let known = recipient.known;
    again(
        recipient.status(),
        known.and_then(|known| known.classification.as_deref()),
        known.and_then(|known| known.reason.as_deref()),
        known.map(|known| now - known.last_seen),
    )
}

/// Whether sending again may help somebody. `quiet`: how long ago the last event was, µs.
#[must_use]
fn again(status: Status, classification: Option<&str>, reason: Option<&str>, quiet: Option<i64>) -> Again {
    match status {
        Status::Blocked if classification.is_some_and(|given| given.trim().to_lowercase().starts_with("invalid")) => {
            Again::No("the address does not exist")
        }
        Status::Blocked => Again::Yes("refused for now"),
        Status::Deferred if quiet.is_some_and(|quiet| quiet >= GIVEN_UP) => {
            Again::Yes("deferred until SendGrid gave up")
        }
        Status::Dropped => match drop_of(reason) {
            Some((_, words, true)) => Again::No(words.en),
            Some((_, words, false)) => Again::Yes(words.en),
            None => Again::No("dropped, and why is not known"),
        },
        // Nothing was sent, so that another try does no harm.
        Status::Refused => Again::Yes("SendGrid's API did not accept it"),
        Status::Bounce => Again::No("refused for good; SendGrid would drop it"),
        Status::Delivered => Again::No("arrived"),
        Status::Unknown | Status::Processed | Status::Deferred => Again::No("not settled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_be_tried_again() {
        let yes = |status, classification, reason, quiet| {
            matches!(again(status, classification, reason, quiet), Again::Yes(_))
        };
        assert!(yes(Status::Blocked, Some("Reputation"), None, None));
        assert!(yes(Status::Blocked, None, None, None));
        assert!(!yes(Status::Blocked, Some("Invalid Address"), None, None));
        assert!(yes(Status::Refused, None, None, None));
        assert!(!yes(Status::Bounce, Some("Mailbox Unavailable"), None, None));
        assert!(yes(Status::Dropped, None, Some("Recipient List over Package Quota"), None));
        assert!(!yes(Status::Dropped, None, Some("Bounced Address"), None));
        assert!(!yes(Status::Dropped, None, None, None));
        assert!(yes(Status::Deferred, None, None, Some(GIVEN_UP)));
        assert!(!yes(Status::Deferred, None, None, Some(GIVEN_UP - 1)));
        assert!(!yes(Status::Unknown, None, None, None), "it may still come");
        assert!(!yes(Status::Delivered, None, None, None));
    }
}
