//! Questions to a store and their answers, without any SQL.

mod brief;
mod outcome;
mod sql_text;
mod window;

pub use brief::Brief;
pub use outcome::{Mailed, RecipientOutcome};

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::tz::TimeZone;

use crate::clock::calendar::Period;
use crate::protect::EmailHash;
use crate::settle::{Settled, Status};

/// The id that events of one message share; `sg_message_id`, as events carry it, has more behind a dot.
#[must_use]
pub fn message_id(given: &str) -> String {
    let id = given.trim();
    id.split_once('.').map_or(id, |(id, _)| id).to_owned()
}

/// Which events. An empty list asks for nothing in particular; the values of one list are alternatives.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Recipients.
    pub hashes: Vec<EmailHash>,
    /// Names of events, as in column `event`.
    pub events: Vec<String>,
    /// What events say about the mail.
    pub statuses: Vec<Status>,
    /// Categories, one of which the event has.
    pub categories: Vec<String>,
    /// Runs.
    pub runs: Vec<String>,
    /// Messages: column `message_id`.
    pub messages: Vec<String>,
    /// Domains of recipients, lower case.
    pub domains: Vec<String>,
    /// Part of `reason` or `response`; capitals of ASCII letters do not matter.
    pub reason: Option<String>,
    /// Event time, µs since the epoch: not before.
    pub since: Option<i64>,
    /// Event time, µs since the epoch: before.
    pub until: Option<i64>,
    /// Whether one of the lists is enough; the times hold in any case.
    pub any: bool,
    /// Whether events of a test key and SendGrid's samples count.
    pub include_tests: bool,
    /// Whose days and hours are counted; `None`: UTC.
    pub zone: Option<TimeZone>,
}

/// Whose events to tell.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A recipient, by all hashes that the keys make of the address.
    Hashes(Vec<EmailHash>),
    /// Column `message_id`.
    Message(String),
}

/// Whose recipients' statuses.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Mail with this category.
    Category(String),
    /// Mail of this run.
    Run(String),
}

/// One event: the columns of `sendgrid_event`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the design describes the columns, and the names are theirs")]
pub struct EventRecord {
    /// Trail order.
    pub id: i64,
    pub sg_event_id: Option<String>,
    pub event: String,
    /// µs since the epoch.
    pub timestamp: i64,
    pub email_hash: Option<String>,
    pub email_domain: Option<String>,
    pub email: Option<String>,
    pub sg_message_id: Option<String>,
    pub message_id: Option<String>,
    pub smtp_id: Option<String>,
    pub category: Vec<String>,
    pub reason: Option<String>,
    pub response: Option<String>,
    pub status: Option<String>,
    pub r#type: Option<String>,
    pub bounce_classification: Option<String>,
    pub attempt: Option<i64>,
    pub asm_group_id: Option<i64>,
    pub url: Option<String>,
    pub useragent: Option<String>,
    pub ip: Option<String>,
    pub sg_machine_open: Option<bool>,
    pub tls: Option<bool>,
    pub run: Option<String>,
    pub recipient: Option<String>,
    pub request: Option<String>,
    /// A JSON object.
    pub custom_args: Option<String>,
    /// A JSON object.
    pub extra: Option<String>,
    /// µs since the epoch.
    pub received_at: i64,
    pub verified_by: Option<String>,
    pub key_id: Option<String>,
    /// Lower-case hex.
    pub event_key: String,
    /// Lower-case hex.
    pub fingerprint: String,
}

impl EventRecord {
    /// What the event says about the mail.
    #[must_use]
    pub fn mail_status(&self) -> Status {
        Status::of(&self.event, self.r#type.as_deref())
    }

    /// Where this event stands in the order of [`Filter`] pages.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { timestamp: self.timestamp, event_key: self.event_key.clone() }
    }
}

/// The last event of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its time, µs since the epoch.
    pub timestamp: i64,
    /// Its key, lower-case hex.
    pub event_key: String,
}

/// What tells one event from all others, in the order of [`Filter`] pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKey {
    /// Its id in the trail.
    pub id: i64,
    /// µs since the epoch.
    pub timestamp: i64,
    /// Column `event_key`.
    pub event_key: [u8; 16],
}

/// What one event says of a message, for comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenOfMessage {
    /// Column `sg_message_id`.
    pub sg_message_id: String,
    /// Lower-case hex.
    pub email_hash: String,
    /// Column `event`.
    pub event: String,
    /// Column `type`.
    pub r#type: Option<String>,
}

/// By what to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub enum Dimension {
    Event,
    /// What the event says about the mail.
    Status,
    /// An event counts under each of its categories.
    Category,
    Domain,
    Run,
    /// By the clock of the filter's zone.
    Day,
    /// By the clock of the filter's zone.
    Hour,
    Classification,
    /// `reason`, or `response` where there is none.
    Reason,
    VerifiedBy,
    Message,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Event,
        Self::Status,
        Self::Category,
        Self::Domain,
        Self::Run,
        Self::Day,
        Self::Hour,
        Self::Classification,
        Self::Reason,
        Self::VerifiedBy,
        Self::Message,
    ];

    /// As on the command line and as the heading of a column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Status => "status",
            Self::Category => "category",
            Self::Domain => "domain",
            Self::Run => "run",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Classification => "classification",
            Self::Reason => "reason",
            Self::VerifiedBy => "verified_by",
            Self::Message => "message",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.as_str() == text)
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Events.
    Rows,
    /// Different recipients; events without an address have none.
    Recipients,
}

/// One line of counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// One value for each dimension asked for; `None` where events have none. Days are `2026-11-24`, hours
    /// `2026-11-24T13:00Z`, or with the zone's offset.
    pub keys: Vec<Option<String>>,
    /// How many.
    pub count: u64,
}

impl Group {
    /// Orders the lines of an answer: the largest counts first, equal ones by their keys, hours in the order of time. As text the two
    /// hours that a change of the clocks repeats would be reversed.
    pub(crate) fn sort(groups: &mut [Self], by: &[Dimension], zone: Option<&TimeZone>) {
        let utc = TimeZone::UTC;
        let zone = zone.unwrap_or(&utc);
        let start = |hour: &Option<String>| Period::Hour.parse_label(hour.as_deref()?, zone);
        let keys = |one: &Self, other: &Self| {
            let mut pairs = by.iter().zip(one.keys.iter().zip(&other.keys)).map(|(dimension, (one, other))| {
                let by_time = match dimension {
                    Dimension::Hour if one != other => start(one).cmp(&start(other)),
                    _ => Ordering::Equal,
                };
                by_time.then_with(|| one.cmp(other))
            });
            pairs.find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
        };
        groups.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| keys(one, other)));
    }
}

/// What became of the mail of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientStatus {
    /// Lower-case hex.
    pub email_hash: String,
    /// The status of the newest message.
    pub status: Status,
    /// Why, for deferred mail and mail that did not arrive.
    pub reason: Option<String>,
    /// SendGrid's `bounce_classification`.
    pub classification: Option<String>,
    /// The mail server's status, such as `5.1.1`.
    pub status_code: Option<String>,
    /// When the first event of that message happened, µs since the epoch.
    pub first_seen: i64,
    /// When the last one did.
    pub last_seen: i64,
}

impl RecipientStatus {
    /// Of a recipient with what the events came to.
    #[must_use]
    pub(crate) fn of(email_hash: String, settled: Settled) -> Self {
        let Settled { status, reason, classification, status_code, first_seen, last_seen } = settled;
        Self { email_hash, status, reason, classification, status_code, first_seen, last_seen }
    }
}

/// An answer, with what it cost where no index could give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// `None` where an index led to the rows.
    pub scanned: Option<Scanned>,
}

/// What was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// How many bytes, where they are what it costs.
    pub bytes: Option<u64>,
    /// From which event time on; `None`: the whole trail.
    pub since: Option<i64>,
    /// Why no index could lead to the rows, for people.
    pub why: Cow<'static, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// matomo#10099: hours around a change of the clocks.
    #[test]
    fn equal_counts_are_in_the_order_of_time_when_an_hour_comes_twice() {
        let hours = ["2026-10-25T01:00+02:00", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"];
        let group = |hour: &str| Group { keys: vec![Some("open".to_owned()), Some(hour.to_owned())], count: 1 };
        let mut groups: Vec<Group> = hours.iter().rev().map(|hour| group(hour)).collect();
        groups.push(Group { count: 2, ..group("2026-10-25T05:00+01:00") });
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        Group::sort(&mut groups, &[Dimension::Event, Dimension::Hour], Some(&zone));
        let sorted: Vec<&str> = groups.iter().filter_map(|group| group.keys[1].as_deref()).collect();
        assert_eq!(sorted, [&["2026-10-25T05:00+01:00"][..], &hours[..]].concat());
    }
}
